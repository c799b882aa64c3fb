"""Baselines: what can be had without a network, scored on the very same held-out pixels.

The commonest class of the training labels says what no skill at all gives. A random forest on the
bands of each pixel alone says what the spectrum gives; what a network scores above it, it owes to
the neighbourhood.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.training.loader import part_batches
from tiling.label_index import IGNORE
from tiling.sampler import Sampler, draw_chip

if TYPE_CHECKING:
    from rs_workbench.training.data import TrainingData
    from rs_workbench.types import Image
    from tiling.chips import Chip

TREES = 50
DEPTH = 14
"""Deeper trees take minutes to score a scene and gain next to nothing."""
FOREST_CHIPS = 256
"""Training chips that the forest's pixels come from, at most."""
NO_FOREST = (
    "the random forest, which shows what single pixels give, needs scikit-learn, which is not "
    "installed: run  pip install scikit-learn"
)


@dataclass(frozen=True)
class Forest:
    """A random forest on the bands of single pixels.

    Attributes
    ----------
    classifier : RandomForestClassifier
        Fitted; its classes are class indexes.
    n_pixels : int
        Training pixels it was fitted on.
    """

    classifier: Any
    n_pixels: int

    @property
    def words(self) -> str:
        """Say what it is."""
        return (
            f"random forest on the bands of the pixel alone: {TREES} trees of depth {DEPTH}, "
            f"{self.n_pixels:,} training pixels"
        )

    def predict(self, images: Image, where: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Classify pixels.

        Parameters
        ----------
        images : ndarray of float32, shape (N, B, H, W)
            Scaled pixels.
        where : ndarray of bool, shape (N, H, W)
            Pixels in question.

        Returns
        -------
        ndarray of uint8, shape (N, H, W)
            Class indexes, `IGNORE` elsewhere.
        """
        found = np.full(where.shape, IGNORE, np.uint8)
        if where.any():
            found[where] = self.classifier.predict(np.moveaxis(images, 1, -1)[where])
        return found


def majority_class(data: TrainingData) -> int:
    """Find the commonest class of the training labels.

    Parameters
    ----------
    data : TrainingData
        Has the counts.

    Returns
    -------
    int
        Its index.
    """
    return int(np.asarray(data.counts["training"]).argmax())


def majority_counts(counts: NDArray[np.int64], majority: int) -> NDArray[np.int64]:
    """Score a map that says one class everywhere.

    Parameters
    ----------
    counts : ndarray of int64, shape (n, K, K)
        Confusion of each chip, of any map: rows map, columns reference.
    majority : int
        Index of the class.

    Returns
    -------
    ndarray of int64, shape (n, K, K)
        Those of the baseline.

    Examples
    --------
    >>> majority_counts(np.array([[[3, 1], [2, 4]]]), 1).tolist()
    [[[0, 0], [5, 5]]]
    """
    flat = np.zeros_like(counts)
    flat[:, majority] = counts.sum(axis=-2)
    return flat


def fit_forest(data: TrainingData) -> Forest | None:
    """Fit a random forest on single training pixels.

    Parameters
    ----------
    data : TrainingData
        Its settings say on how many pixels, and the seed.

    Returns
    -------
    Forest or None
        None where none is wanted, scikit-learn is missing, or no training pixel was found.
    """
    if not data.settings.forest_pixels or not has_scikit_learn():
        return None
    pixels, labels = training_pixels(data)
    if not len(labels):
        return None
    from sklearn.ensemble import RandomForestClassifier

    classifier = RandomForestClassifier(
        n_estimators=TREES, max_depth=DEPTH, n_jobs=-1, random_state=data.settings.seed
    )
    return Forest(classifier.fit(pixels, labels), len(labels))


def has_scikit_learn() -> bool:
    """Tell whether scikit-learn is installed.

    Returns
    -------
    bool
        Without loading it.
    """
    return importlib.util.find_spec("sklearn") is not None


def training_pixels(data: TrainingData) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Draw labelled training pixels, classes in the shares that they have in nature.

    Parameters
    ----------
    data : TrainingData
        Its settings say how many, and the seed.

    Returns
    -------
    pixels : ndarray of float32, shape (n, B)
        Scaled, not augmented.
    labels : ndarray of uint8, shape (n,)
        Class indexes.
    """
    wanted = data.settings.forest_pixels
    rng = np.random.default_rng((data.settings.seed, wanted))
    chips, quota = _chips(data, wanted, rng)
    parts = [
        _draw_pixels(image, labels, quota, rng)
        for batch in part_batches(data, chips)
        for image, labels in zip(batch.images, batch.labels, strict=True)
    ]
    pixels, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    kept = np.sort(rng.permutation(len(labels))[:wanted])
    return pixels[kept], labels[kept]


@dataclass(frozen=True)
class _Quota:
    """How many pixels a chip gives: a number, or a share of its labelled ones."""

    number: int = 0
    share: float = 0.0

    def of(self, labelled: int) -> int:
        return min(labelled, self.number or round(labelled * self.share))


def _chips(
    data: TrainingData, wanted: int, rng: np.random.Generator
) -> tuple[Sequence[Chip], _Quota]:
    """Choose chips, and how many pixels of each make all training pixels equally likely.

    Drawn chips lie where labels are, the more the more there are, so each gives the same number.
    """
    training = data.training
    if isinstance(training, Sampler):
        plain = replace(training, sampling=_anywhere(training))
        n = min(FOREST_CHIPS, wanted)
        chips = [draw_chip(plain, i, read=None) for i in range(n)]
        return chips, _Quota(number=-(-wanted // n))
    n = min(FOREST_CHIPS, len(training))
    chips = [training[i] for i in np.sort(rng.permutation(len(training))[:n])]
    labelled = float(np.asarray(data.counts["training"]).sum()) * n / len(training)
    return chips, _Quota(share=min(1.0, wanted / max(labelled, 1.0)))


def _anywhere(sampler: Sampler) -> Any:
    return replace(sampler.sampling, class_share=0.0, border_share=0.0)


def _draw_pixels(
    image: Image, labels: NDArray[np.uint8], quota: _Quota, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    rows, cols = np.nonzero(labels != IGNORE)
    at = rng.permutation(len(rows))[: quota.of(len(rows))]
    return image[:, rows[at], cols[at]].T, labels[rows[at], cols[at]]
