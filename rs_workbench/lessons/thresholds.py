"""Thresholds on the grey level: what an image of ice and water gives without any learning.

Everything is computed from histograms of tiles, because a threshold knows nothing else. A level
is the sum of the bands, so that no rounding comes in; divided by their number it is a grey level.
Class 1, above the threshold, is the bright one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.errors import UsageError
from rs_workbench.types import LabelMap
from tiling.label_index import IGNORE

Counts = NDArray[np.int64]


def tile_histograms(images: NDArray[np.uint8], labels: LabelMap) -> Counts:
    """Count the levels of each tile, class by class.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, B, H, W)
        Tiles.
    labels : ndarray of uint8, shape (N, H, W)
        0, 1, or `IGNORE`.

    Returns
    -------
    ndarray of int64, shape (N, 2, L)
        Pixels of each class at each level; L is 255 B + 1.

    Raises
    ------
    UsageError
        If images are not of bytes, or a label is another number.
    """
    strange = np.setdiff1d(labels, [0, 1, IGNORE])
    if images.dtype != np.uint8 or strange.size:
        raise UsageError(
            "levels are counted in images of bytes with labels 0 and 1: got images of "
            f"{images.dtype} and labels {sorted({*strange.tolist(), 0, 1})}"
        )
    n_levels = 255 * images.shape[1] + 1
    counts = np.zeros((len(images), 2, n_levels), np.int64)
    for tile, image, label in zip(counts, images, labels, strict=True):
        levels = image.sum(axis=0, dtype=np.int64)
        for value in (0, 1):
            tile[value] = np.bincount(levels[label == value], minlength=n_levels)
    return counts


def otsu(histogram: ArrayLike) -> int:
    """Find the level that parts a histogram into two classes of least spread.

    Parameters
    ----------
    histogram : array_like of int, shape (L,)
        Pixels at each level, of all classes together.

    Returns
    -------
    int
        Highest level of the dark class.

    References
    ----------
    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on
    Systems, Man, and Cybernetics 9 (1979) 62-66.

    Examples
    --------
    >>> otsu([0, 9, 0, 0, 0, 9, 9])
    1
    """
    below, above = _parts(histogram)
    return int((below + above)[1:-1].argmax())


def three_class_otsu(histogram: ArrayLike) -> int:
    """Part a histogram into three classes of least spread, and give the lower cut.

    Parameters
    ----------
    histogram : array_like of int, shape (L,)
        Pixels at each level, of all classes together.

    Returns
    -------
    int
        Highest level of the darkest class.

    References
    ----------
    N. Otsu, as `otsu`, section IV: more than two classes.

    Examples
    --------
    >>> three_class_otsu([0, 9, 0, 0, 0, 9, 9, 0, 0, 0, 5])
    1
    """
    below, above = _parts(histogram)
    number, total = _sums(histogram)
    n_between = number[None] - number[:, None]  # (first cut, second cut)
    between = (total[None] - total[:, None]) ** 2 / np.maximum(n_between, 1)
    score = below[:, None] + between + above[None]
    score[n_between <= 0] = -np.inf
    return int(np.unravel_index(score.argmax(), score.shape)[0]) - 1


def _sums(histogram: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels, and sum of their levels, below each cut; (L + 1,)."""
    counts = np.asarray(histogram, np.float64)
    levels = np.arange(len(counts))
    number, total = (np.concatenate([[0], x.cumsum()]) for x in (counts, counts * levels))
    return number, total


def _parts(histogram: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squared sum by number, of what lies below and above each cut: its sum is to be largest."""
    number, total = _sums(histogram)
    below = total**2 / np.maximum(number, 1)
    above = (total[-1] - total) ** 2 / np.maximum(number[-1] - number, 1)
    return below, above


def best_threshold(histograms: Counts) -> int:
    """Find the one threshold for all tiles that gets most pixels right.

    Parameters
    ----------
    histograms : ndarray of int64, shape (N, 2, L)
        Of training tiles.

    Returns
    -------
    int
        Highest level of class 0; -1 where all is class 1.
    """
    return int(_right(histograms.sum(axis=0)).argmax()) - 1


def best_of_each(histograms: Counts) -> Counts:
    """Find the best threshold of every tile by its labels: what no rule can surpass.

    Parameters
    ----------
    histograms : ndarray of int64, shape (N, 2, L)
        Tiles.

    Returns
    -------
    ndarray of int64, shape (N,)
        As `best_threshold`.
    """
    return _right(histograms).argmax(axis=-1).astype(np.int64) - 1


def _right(histograms: Counts) -> Counts:
    """Pixels right under each cut, (..., L + 1): dark ones below, bright ones from it on."""
    dark, bright = (
        np.concatenate([np.zeros((*h.shape[:-1], 1), np.int64), h.cumsum(axis=-1)], axis=-1)
        for h in (histograms[..., 0, :], histograms[..., 1, :])
    )
    return np.asarray(dark + bright[..., -1:] - bright)


def counts_at(histograms: Counts, thresholds: ArrayLike) -> Counts:
    """Count what thresholds make of tiles.

    Parameters
    ----------
    histograms : ndarray of int64, shape (N, 2, L)
        Tiles.
    thresholds : array_like of int, shape () or (N,)
        Highest level of class 0: one for all, or one for each tile.

    Returns
    -------
    ndarray of int64, shape (N, 2, 2)
        Confusion of each tile: rows map, columns reference.

    Examples
    --------
    >>> counts_at(np.array([[[5, 2, 0], [0, 1, 4]]]), 0).tolist()
    [[[5, 0], [2, 5]]]
    """
    cuts = np.broadcast_to(np.asarray(thresholds, np.int64), len(histograms))
    dark = np.arange(histograms.shape[-1]) <= cuts[:, None]
    as_dark = (histograms * dark[:, None]).sum(axis=-1)
    return np.stack([as_dark, histograms.sum(axis=-1) - as_dark], axis=1)


def baselines(training: Counts, held_out: Counts) -> dict[str, Counts]:
    """Score on held-out tiles what needs no network; all that is chosen, training tiles choose.

    Parameters
    ----------
    training, held_out : ndarray of int64, shape (N, 2, L)
        What `tile_histograms` gave.

    Returns
    -------
    dict of str to ndarray of int64, shape (N, 2, 2)
        Confusion of each held-out tile, by what was done.
    """
    whole = held_out.sum(axis=1)
    majority = -1 if training[:, 1].sum() > training[:, 0].sum() else held_out.shape[-1]
    cuts: dict[str, ArrayLike] = {
        "commonest class everywhere": majority,
        "Otsu of each tile": [otsu(tile) for tile in whole],
        "Otsu of all training tiles": otsu(training.sum(axis=(0, 1))),
        "one threshold, best on training tiles": best_threshold(training),
        "three-class Otsu of each tile, lower cut": [three_class_otsu(tile) for tile in whole],
    }
    return {name: counts_at(held_out, cut) for name, cut in cuts.items()}
