"""Sums over pixels that differ in area, kept as integers, so that their order does not matter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.reference.raster_pair import PairWindow

_BITS = 61


def class_index(axis: NDArray[np.float64], values: Sequence[int]) -> NDArray[np.intp]:
    """Find which class each byte is.

    Parameters
    ----------
    axis : ndarray of float64, shape (256,)
        Value of each byte, from `LabelSource.axis`.
    values : sequence of int
        Values of the K classes.

    Returns
    -------
    ndarray of intp, shape (256,)
        0 to K - 1; K where it is none.
    """
    index = np.full(256, len(values), np.intp)
    for place, value in enumerate(values):
        index[axis == value] = place
    return index


def fold(
    joint: NDArray[np.int64],
    map_index: NDArray[np.intp],
    reference_index: NDArray[np.intp],
    n_classes: int,
) -> NDArray[np.int64]:
    """Turn counts of bytes into counts of classes.

    Parameters
    ----------
    joint : ndarray of int64, shape (256, 256)
        Counts by byte.
    map_index, reference_index : ndarray of intp, shape (256,)
        From `class_index`.
    n_classes : int
        K.

    Returns
    -------
    ndarray of int64, shape (K, K)
        Bytes that are no class left out.
    """
    rows, cols = np.flatnonzero(joint.any(axis=1)), np.flatnonzero(joint.any(axis=0))
    matrix = np.zeros((n_classes + 1, n_classes + 1), np.int64)
    np.add.at(matrix, np.ix_(map_index[rows], reference_index[cols]), joint[np.ix_(rows, cols)])
    return matrix[:n_classes, :n_classes]


def cut_blocks(start: int, length: int, block: int) -> list[tuple[int, int]]:
    """Cut a stretch of rows or columns where blocks of the map begin.

    Parameters
    ----------
    start, length : int
        The stretch, px.
    block : int
        Side of a block, px; blocks are counted from pixel 0.

    Returns
    -------
    list of tuple of int
        Begin and end of each piece.

    Examples
    --------
    >>> cut_blocks(3, 10, 5)
    [(3, 5), (5, 10), (10, 13)]
    """
    end = start + length
    edges = [start, *range((start // block + 1) * block, end, block), end]
    return list(pairwise(edges))


class AreaTally:
    """Area by class and by cell of the matrix, where the area of a pixel varies by row.

    Parameters
    ----------
    pixel_ha : ndarray of float64, shape (H,)
        Area of a pixel of each row, ha.
    width : int
        Width of the map, px.
    n_classes : int
        K.
    """

    def __init__(self, pixel_ha: NDArray[np.float64], width: int, n_classes: int) -> None:
        # As fine as 64 bits allow for the whole map, and the same for every tiling.
        self._shift = _BITS - math.frexp(float(pixel_ha.sum()) * width)[1]
        self._weights = np.rint(np.ldexp(pixel_ha, self._shift)).astype(np.int64)
        self._k = n_classes
        self._matrix = np.zeros((n_classes + 1, n_classes + 1), np.int64)
        self._mapped = np.zeros(n_classes + 1, np.int64)

    def add(
        self, part: PairWindow, map_index: NDArray[np.intp], reference_index: NDArray[np.intp]
    ) -> None:
        """Add one window.

        Parameters
        ----------
        part : PairWindow
            Its labels.
        map_index, reference_index : ndarray of intp, shape (256,)
            From `class_index`.
        """
        import cv2

        top, weights = part.window[0], self._weights
        tables = [index.astype(np.uint8) for index in (map_index, reference_index)]
        classes = cv2.LUT(part.map_codes, tables[0])
        for row, labels in enumerate(classes):
            self._mapped += weights[top + row] * np.bincount(labels, minlength=self._k + 1)
        if part.inside is None or part.reference is None:
            return
        row, col = part.inside[0] - top, part.inside[1] - part.window[1]
        ours = classes[row : row + part.inside[2], col : col + part.inside[3]]
        theirs = cv2.LUT(part.reference, tables[1])
        sides, bounds = [self._k + 1] * 2, [0.0, self._k + 1.0] * 2
        for number in range(part.inside[2]):
            pair = [ours[number : number + 1], theirs[number : number + 1]]
            counted = np.asarray(cv2.calcHist(pair, [0, 1], None, sides, bounds))
            self._matrix += weights[part.inside[0] + number] * counted.astype(np.int64)

    @property
    def mapped_ha(self) -> NDArray[np.float64]:
        """Area of each class on the map, shape (K,), ha."""
        return np.ldexp(self._mapped[: self._k].astype(np.float64), -self._shift)

    @property
    def matrix_ha(self) -> NDArray[np.float64]:
        """Area of each cell of the matrix, shape (K, K), ha."""
        return np.ldexp(self._matrix[: self._k, : self._k].astype(np.float64), -self._shift)
