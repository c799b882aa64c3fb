"""What colour alone can tell: a random forest that sees one pixel at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from rs_workbench.accuracy import Confusion
from torch_cases.dunes.tiles import IGNORED, N_CLASSES, Tile

DESCRIPTION = (
    "random forest on red, green and blue of the pixel alone: 50 trees of depth 14, "
    "150,000 training pixels"
)


def labelled_pixels(tiles: Sequence[Tile]) -> tuple[np.ndarray, np.ndarray]:
    """Bands (n, B) and classes (n,) of all labelled pixels."""
    known = [tile.label_map != IGNORED for tile in tiles]
    bands = [tile.image[:, mask].T for tile, mask in zip(tiles, known, strict=True)]
    classes = [tile.label_map[mask] for tile, mask in zip(tiles, known, strict=True)]
    return np.concatenate(bands), np.concatenate(classes)


def majority_confusion(training: Sequence[Tile], tiles: Sequence[Tile]) -> np.ndarray:
    """Confusion of a map that says the commonest training class everywhere."""
    commonest = np.bincount(labelled_pixels(training)[1]).argmax()
    confusion = Confusion(N_CLASSES, ignore=IGNORED)
    for tile in tiles:
        confusion.update(np.full_like(tile.label_map, commonest), tile.label_map)
    return confusion.matrix


def forest_confusion(
    training: Sequence[Tile], tiles: Sequence[Tile], *, n_pixels: int, seed: int = 0
) -> np.ndarray:
    """Confusion of a random forest fitted to the training pixels."""
    bands, classes = labelled_pixels(training)
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(classes), size=min(n_pixels, len(classes)), replace=False)
    forest = RandomForestClassifier(50, max_depth=14, min_samples_leaf=20, random_state=seed)
    forest.fit(bands[drawn], classes[drawn])
    confusion = Confusion(N_CLASSES)
    for tile in tiles:
        bands, classes = labelled_pixels([tile])
        confusion.update(forest.predict(bands), classes)
    return confusion.matrix
