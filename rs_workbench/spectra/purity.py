"""Purity: whether samples made from few labels are what they say."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import UsageError
from rs_workbench.spectra.angles import nearest_reference, spectral_angle
from rs_workbench.types import LabelMap
from tiling.label_index import IGNORE


class Purity(NamedTuple):
    """How many pixels of each class are right.

    Attributes
    ----------
    pixels : ndarray of int64, shape (K,)
        Pixels that were checked, by the class they were given.
    right : ndarray of int64, shape (K,)
        Those that are of that class.
    """

    pixels: NDArray[np.int64]
    right: NDArray[np.int64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share that is right, by class; NaN where none was checked."""
        with np.errstate(invalid="ignore"):
            return self.right / self.pixels

    @property
    def overall(self) -> float:
        """Share that is right of all; NaN where none was checked."""
        total = int(self.pixels.sum())
        return float(self.right.sum() / total) if total else float("nan")


def check_purity(
    made: LabelMap, reference: LabelMap, n_classes: int, *, seeds: LabelMap | None = None
) -> Purity:
    """Compare labels that were made with a reference, where both are known.

    Parameters
    ----------
    made, reference : ndarray of uint8, shape (H, W)
        Class indexes, 255 where unknown.
    n_classes : int
        Number of classes.
    seeds : ndarray of uint8, shape (H, W), optional
        The labels they were made from; those pixels are not checked, as they are right anyway.

    Returns
    -------
    Purity
        Counts by class.

    Raises
    ------
    UsageError
        If sizes differ.

    Examples
    --------
    >>> made = np.array([[0, 0, 1, 255]], np.uint8)
    >>> check_purity(made, np.array([[0, 1, 1, 1]], np.uint8), 2).shares.tolist()
    [0.5, 1.0]
    """
    if made.shape != reference.shape or (seeds is not None and seeds.shape != made.shape):
        raise UsageError(
            f"labels and reference must be of one size: got {made.shape} and {reference.shape}"
        )
    known = (made != IGNORE) & (reference != IGNORE)
    if seeds is not None:
        known &= seeds == IGNORE
    return _count(made[known], made[known] == reference[known], n_classes)


def check_spectra(values: NDArray[Any], made: LabelMap, n_classes: int) -> Purity:
    """Ask, where no reference is known, whether each pixel is most like its own class.

    Parameters
    ----------
    values : ndarray, shape (B, H, W)
        Spectra, without bad bands.
    made : ndarray of uint8, shape (H, W)
        Class indexes, 255 where unknown.
    n_classes : int
        Number of classes.

    Returns
    -------
    Purity
        `right` counts pixels whose spectral angle to the mean of their own class is the smallest.

    Raises
    ------
    UsageError
        If sizes differ, or fewer than two classes have a pixel.

    Notes
    -----
    Ours, and a warning at most: classes of the same shape and another brightness fail it, and
    wrong labels of a whole class pass it.
    """
    if values.shape[1:] != made.shape:
        raise UsageError(
            f"spectra and labels must be of one size: got {values.shape[1:]} and {made.shape}"
        )
    have = [k for k in range(n_classes) if (made == k).any()]
    if len(have) < 2:
        raise UsageError(f"at least two classes must have a pixel: got {len(have)}")
    references = np.stack([values[:, made == k].mean(axis=1) for k in have])
    known = made != IGNORE
    nearest = nearest_reference(spectral_angle(values[:, known], references))
    own = np.searchsorted(have, made[known])
    return _count(made[known], nearest == own, n_classes)


def _count(classes: NDArray[np.uint8], right: NDArray[np.bool_], n_classes: int) -> Purity:
    pixels = np.bincount(classes, minlength=n_classes)
    return Purity(
        pixels.astype(np.int64), np.bincount(classes[right], minlength=n_classes).astype(np.int64)
    )
