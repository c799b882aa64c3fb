"""BoundaryCounts: borders of a map and its reference, compared window by window.

Counts are integers keyed by exact offsets between pixels: with the halo it asks for, any way of
cutting the rasters into windows gives the same counts, and so the same scores to the last bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.accuracy.boundary_rings import (
    closer_than,
    make_rings,
    nearest_ranks,
    rows_to_nearest,
)
from rs_workbench.errors import AccuracyError

_NOTHING = -1
_MANY = 10.0  # longest distance in tolerances, unless asked otherwise


class BoundaryCounts:
    """Borders of K classes, compared.

    Parameters
    ----------
    n_classes : int
        K.
    tolerance : float
        Distance at which two borders count as one, m; px without `pixel_size_m`.
    max_distance : float, optional
        Longest distance looked at, same unit; ten times the tolerance if not given.
    pixel_size_m : tuple of float, (height, width), optional
        Size of a pixel, m. Without it a pixel is 1 px high and wide.

    Attributes
    ----------
    distances : ndarray of int64, shape (2, K, n + 1)
        Pixels on the border of each class by the rank of their distance to the other's border;
        the last is beyond. First map to reference, then reference to map.
    bands : ndarray of int64, shape (3, K)
        Pixels of the inner band in the map, in the reference, and in both.
    rings : Rings
        What the ranks mean.

    Raises
    ------
    AccuracyError
        If a number is out of range, or `max_distance` is below the tolerance.
    """

    def __init__(
        self,
        n_classes: int,
        *,
        tolerance: float,
        max_distance: float | None = None,
        pixel_size_m: tuple[float, float] | None = None,
    ) -> None:
        longest = _MANY * tolerance if max_distance is None else max_distance
        if longest < tolerance:
            raise AccuracyError(
                "the longest distance between borders must be at least the tolerance: got "
                f"max_distance={longest:g} and tolerance={tolerance:g}"
            )
        make_rings(tolerance, pixel_size_m or (1.0, 1.0))
        self.n_classes, self.tolerance, self.max_distance = n_classes, tolerance, longest
        self.pixel_size_m = pixel_size_m
        self.rings = make_rings(longest, pixel_size_m or (1.0, 1.0))
        self.distances = np.zeros((2, n_classes, self.rings.length.size + 1), np.int64)
        self.bands = np.zeros((3, n_classes), np.int64)

    @property
    def halo(self) -> tuple[int, int]:
        """Rows and columns that a window needs around the part that it answers for, px."""
        down, across = self.rings.reach
        return down + 1, across + 1

    def update(
        self,
        map_labels: ArrayLike,
        reference: ArrayLike,
        inner: tuple[slice, slice] = (slice(None), slice(None)),
    ) -> None:
        """Add a window.

        Parameters
        ----------
        map_labels, reference : array_like of int, shape (h, w)
            Classes from 0 to K - 1; -1 where there is nothing to compare. They reach `halo`
            pixels beyond the inner part, or to the rim of the image.
        inner : tuple of slice, optional
            Rows and columns that this window answers for; all of it if not given.

        Raises
        ------
        AccuracyError
            If the shapes differ or a label is no class.
        """
        labels = _blanked(map_labels, reference, self.n_classes)
        borders = [np.where(on_border(one), one, _NOTHING) for one in labels]
        inside = np.zeros(labels[0].shape, np.bool_)
        inside[inner] = True
        asked = [np.where(inside, one, _NOTHING) for one in borders]
        bands = [np.zeros_like(inside) for _ in borders]
        for side, border in enumerate(borders):
            known = _count_classes(border, self.n_classes)
            for k in np.flatnonzero(known + _count_classes(asked[1 - side], self.n_classes)):
                gaps = rows_to_nearest(border == k, self.rings.reach[0] + 1)
                self._count_distances(gaps, asked[1 - side] == k, self.distances[1 - side, k])
                if known[k]:
                    near = closer_than(gaps, self.rings, self.rings.count_closer(self.tolerance))
                    bands[side] |= near & inside & (labels[side] == k)
        bands.append(bands[0] & bands[1] & (labels[0] == labels[1]))
        for row, band in enumerate(bands):
            self.bands[row] += _count_classes(labels[row % 2][band], self.n_classes)

    def _count_distances(
        self, gaps: NDArray[np.int16], asked: NDArray[np.bool_], into: NDArray[np.int64]
    ) -> None:
        ranks = nearest_ranks(gaps, np.nonzero(asked), self.rings)  # type: ignore[arg-type]
        into += np.bincount(ranks, minlength=into.size)

    def merge(self, other: BoundaryCounts) -> None:
        """Add the counts of another part of the same image.

        Parameters
        ----------
        other : BoundaryCounts
            Of the same classes, distances and pixels.

        Raises
        ------
        AccuracyError
            If they differ.
        """
        mine, theirs = (
            (c.n_classes, c.tolerance, c.max_distance, c.pixel_size_m) for c in (self, other)
        )
        if mine != theirs:
            raise AccuracyError(
                "borders can be added only where classes, tolerance, longest distance and pixel "
                f"size are alike: got {mine} and {theirs}"
            )
        self.distances += other.distances
        self.bands += other.bands


def on_border(labels: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Find the pixels with a neighbour of another class.

    Parameters
    ----------
    labels : ndarray of int16, shape (H, W)
        Classes; -1 where there is none.

    Returns
    -------
    ndarray of bool, shape (H, W)
        True where one of the four neighbours is a valid pixel of another class. The rim of the
        array and pixels without class make no border.

    Examples
    --------
    >>> on_border(np.array([[0, 0, 1, -1, 0]], np.int16)).astype(int)
    array([[0, 1, 1, 0, 0]])
    """
    found = np.zeros(labels.shape, np.bool_)
    valid = labels != _NOTHING
    for one, other in (
        (np.s_[1:, :], np.s_[:-1, :]),
        (np.s_[:, 1:], np.s_[:, :-1]),
    ):
        differ = (labels[one] != labels[other]) & valid[one] & valid[other]
        found[one] |= differ
        found[other] |= differ
    return found


def _blanked(
    map_labels: ArrayLike, reference: ArrayLike, n_classes: int
) -> list[NDArray[np.int16]]:
    given = [np.asarray(map_labels), np.asarray(reference)]
    if given[0].ndim != 2 or given[0].shape != given[1].shape:
        raise AccuracyError(
            f"map and reference must have one shape (H, W): got {given[0].shape} and "
            f"{given[1].shape}; cut both to the same window"
        )
    for name, labels in zip(("map", "reference"), given, strict=True):
        low, high = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
        if labels.dtype.kind not in "iu" or low < _NOTHING or high >= n_classes:
            raise AccuracyError(
                f"labels of the {name} must be whole numbers from -1 (nothing) to "
                f"{n_classes - 1}: got {labels.dtype} from {low} to {high}"
            )
    valid = (given[0] != _NOTHING) & (given[1] != _NOTHING)
    return [np.where(valid, labels, _NOTHING).astype(np.int16) for labels in given]


def _count_classes(labels: NDArray[np.int16], n_classes: int) -> NDArray[np.int64]:
    return np.bincount(labels.ravel() + 1, minlength=n_classes + 1)[1:].astype(np.int64)
