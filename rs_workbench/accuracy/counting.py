"""count_pairs: the joint histogram of two label arrays, exact and at the speed of memory.

Class maps are bytes, and most hold few values. Two such bytes fit into one, and two neighbouring
pixels then into one 16-bit number: OpenCV's histogram of those takes half the steps of a histogram
of pairs of bytes. OpenCV counts in float32, which stops at 2^24, so arrays are counted in pieces.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.errors import AccuracyError

_PIECE = 1 << 22  # far below 2^24, and large against the 65,536 cells of a histogram
_STEP = 1 << 18  # two bytes a pixel stay in the processor's cache
_FEW = 1 << 15  # below it a histogram of 65,536 cells costs more than the pixels
_NIBBLE = 15
_CELLS = 1 << 16
_STREAMS = 4
_MOST_PAIRS = 1 << 26  # 512 MiB of counts


def count_pairs(
    map_labels: ArrayLike, reference: ArrayLike, n_map_values: int, n_ref_values: int
) -> NDArray[np.int64]:
    """Count how often each value of the map meets each value of the reference.

    Parameters
    ----------
    map_labels : array_like of int, any shape
        Values from 0 to `n_map_values` - 1.
    reference : array_like of int, same shape
        Values from 0 to `n_ref_values` - 1.
    n_map_values, n_ref_values : int
        Size of the histogram.

    Returns
    -------
    ndarray of int64, shape (n_map_values, n_ref_values)
        Rows map, columns reference.

    Raises
    ------
    AccuracyError
        If the shapes differ, a value is not an integer or out of range, or the histogram would
        have more than 2^26 cells.

    Examples
    --------
    >>> count_pairs([0, 1, 1], [0, 1, 0], 2, 2)
    array([[1, 0],
           [1, 1]])
    """
    labels, truth = np.asarray(map_labels), np.asarray(reference)
    if labels.shape != truth.shape:
        raise AccuracyError(
            f"map and reference must have one shape: got {labels.shape} and {truth.shape}; "
            "cut both to the same window"
        )
    if n_map_values * n_ref_values > _MOST_PAIRS:
        raise AccuracyError(
            f"map and reference hold {n_map_values} and {n_ref_values} different values: give "
            "labels of classes, not an image or probabilities"
        )
    if not labels.size:
        return np.zeros((n_map_values, n_ref_values), np.int64)
    for name, values, limit in (
        ("map", labels, n_map_values),
        ("reference", truth, n_ref_values),
    ):
        _check(name, values, limit)
    if labels.size >= _FEW and max(n_map_values, n_ref_values) <= 256:
        sides = (side.astype(np.uint8, copy=False) for side in (labels, truth))
        return ByteCounter().count(*sides)[:n_map_values, :n_ref_values].copy()
    return _count_integers(labels.ravel(), truth.ravel(), (n_map_values, n_ref_values))


def _check(name: str, values: NDArray[np.generic], limit: int) -> None:
    if values.dtype.kind not in "iub":
        raise AccuracyError(
            f"labels of the {name} must be integers: got {values.dtype}; round and cast them first"
        )
    if values.dtype == np.uint8 and limit >= 256:
        return
    low, high = int(values.min()), int(values.max())
    if low < 0 or high >= limit:
        raise AccuracyError(
            f"labels of the {name} must lie between 0 and {limit - 1}: got {low} to {high}"
        )


def _count_integers(
    labels: NDArray[np.generic], truth: NDArray[np.generic], shape: tuple[int, int]
) -> NDArray[np.int64]:
    total = np.zeros(shape[0] * shape[1], np.int64)
    for start in range(0, labels.size, _PIECE):
        piece = slice(start, start + _PIECE)
        pairs = labels[piece].astype(np.intp) * shape[1] + truth[piece].astype(np.intp)
        total += np.bincount(pairs, minlength=total.size)
    return total.reshape(shape)


class ByteCounter:
    """Counts pairs of bytes; keeps its buffers, since fresh memory costs as much as counting."""

    def __init__(self) -> None:
        self._codes = np.empty(0, np.uint8)
        self._high, self._low = np.empty((2, _STEP), np.uint8)
        self._cells = np.empty((_CELLS, 1), np.float32)

    def count(self, left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Count how often each byte of one array meets each byte of the other.

        Parameters
        ----------
        left, right : ndarray of uint8, of one shape
            Bytes; a window of a larger array need not be copied first.

        Returns
        -------
        ndarray of int64, shape (256, 256)
            Rows left, columns right.
        """
        total = np.zeros((256, 256), np.int64)
        for a, b in _cut(left, right, _PIECE):
            codes = self._pack(a, b)
            if codes is None:
                total += _count_any(a, b)
            else:
                self._count_packed(codes, total)
        return total

    def _pack(self, left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """Put both bytes into one; None where one is neither 255 nor below 15."""
        if self._codes.size < left.size:
            self._codes = np.empty(left.size, np.uint8)
        start = 0
        for a, b in _cut(left, right, _STEP):
            out = self._codes[start : start + a.size]
            above, below = self._high[: a.size], self._low[: a.size]
            np.add(a, 1, out=above.reshape(a.shape))
            np.add(b, 1, out=below.reshape(b.shape))
            np.bitwise_or(above, below, out=out)
            if out.max() > _NIBBLE:
                return None
            # Eight pixels at a time: none of them carries a bit into its neighbour.
            words = self._high[: -a.size // 8 * -8].view(np.uint64)
            np.left_shift(words, 4, out=words)
            _join(above, below, out)
            start += a.size
        return self._codes[:start]

    def _count_packed(self, codes: NDArray[np.uint8], total: NDArray[np.int64]) -> None:
        import cv2

        even = codes.size & ~1
        neighbours = codes[:even].view(np.uint16).reshape(1, -1)
        if even:
            cv2.calcHist([neighbours], [0], None, [_CELLS], [0, _CELLS], hist=self._cells)
        else:
            self._cells[:] = 0
        both = self._cells.reshape(256, 256)
        # Sums below 2^24 are exact in float32, too.
        single = (both.sum(axis=0) + both.sum(axis=1)).astype(np.int64)
        single[codes[even:]] += 1
        # Code 0 is value 255, the nodata of most class maps; code 1 is value 0, and so on.
        values = np.arange(-1, _NIBBLE) % 256
        total[np.ix_(values, values)] += single.reshape(16, 16)


def _join(above: NDArray[np.uint8], below: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """Join the bits of both; pixels that are neighbours come to lie apart.

    A processor waits where it adds to one cell twice in a row, as in a patch of one class.
    """
    if out.size % (8 * _STREAMS):
        np.bitwise_or(above, below, out=out)
        return
    left, right = (side.view(np.uint64).reshape(_STREAMS, -1) for side in (above, below))
    np.bitwise_or(left, right, out=out.view(np.uint64).reshape(-1, _STREAMS).T)


def _cut(
    left: NDArray[np.uint8], right: NDArray[np.uint8], size: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Cut both arrays alike into parts of at most `size` pixels, whole rows where there are rows.

    Rows of a window lie apart in memory; they are taken as they are.
    """
    if not (left.flags.c_contiguous and right.flags.c_contiguous):
        if left.ndim == 2 and left.shape[1] <= size:
            step = size // max(1, left.shape[1])
            for row in range(0, len(left), step):
                yield left[row : row + step], right[row : row + step]
            return
    left, right = left.ravel(), right.ravel()
    for start in range(0, left.size, size):
        yield left[start : start + size], right[start : start + size]


def _count_any(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.int64]:
    import cv2

    images = [np.atleast_2d(left), np.atleast_2d(right)]
    bounds: list[float] = [0, 256, 0, 256]
    return np.asarray(cv2.calcHist(images, [0, 1], None, [256, 256], bounds)).astype(np.int64)
