"""Label maps to split and to sample."""

from __future__ import annotations

import numpy as np

from tiling.label_index import IGNORE, LabelIndex, index_labels


def patchy(shape: tuple[int, int], n_classes: int, *, seed: int, patch: int = 20) -> np.ndarray:
    """Rectangles of classes, the last of them rare, and some unlabelled ground."""
    rng = np.random.default_rng(seed)
    coarse = rng.choice(
        [*range(n_classes), IGNORE],
        size=(shape[0] // patch + 1, shape[1] // patch + 1),
        p=class_chances(n_classes),
    )
    return np.kron(coarse, np.ones((patch, patch)))[: shape[0], : shape[1]].astype(np.uint8)


def class_chances(n_classes: int) -> np.ndarray:
    chances = np.append(0.5 ** np.arange(n_classes), 0.3)
    return chances / chances.sum()


def index_of(
    labels: np.ndarray, *, cell: int, n_classes: int, origin: tuple[int, int] | None = None
) -> LabelIndex:
    return index_labels(
        lambda w: labels[w.slices], labels.shape, cell=cell, n_classes=n_classes, origin=origin
    )
