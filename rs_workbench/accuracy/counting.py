"""count_pairs: the joint histogram of two label arrays, exact and at the speed of memory.

Class maps are bytes, and most hold few values. Two such bytes fit into one, and two neighbouring
pixels then into one 16-bit number: OpenCV's histogram of those takes half the steps of a histogram
of pairs of bytes. OpenCV counts in float32, which stops at 2^24, so arrays are counted in pieces.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.errors import AccuracyError

_PIECE = 1 << 22  # far below 2^24, and large against the 65,536 cells of a histogram
_STEP = 1 << 18  # two bytes a pixel stay in the processor's cache
_FEW = 1 << 15  # below it a histogram of 65,536 cells costs more than the pixels
_NIBBLE = 15


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
        If the shapes differ, or a value is not an integer or out of range.

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
    if not labels.size:
        return np.zeros((n_map_values, n_ref_values), np.int64)
    labels, truth = labels.ravel(), truth.ravel()
    sides = (("map", labels, n_map_values), ("reference", truth, n_ref_values))
    for name, values, limit in sides:
        _check(name, values, limit)
    if labels.size >= _FEW and max(n_map_values, n_ref_values) <= 256:
        return _count_bytes(labels, truth)[:n_map_values, :n_ref_values].copy()
    return _count_integers(labels, truth, (n_map_values, n_ref_values))


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


def _count_bytes(labels: NDArray[np.generic], truth: NDArray[np.generic]) -> NDArray[np.int64]:
    total = np.zeros((256, 256), np.int64)
    for start in range(0, labels.size, _PIECE):
        piece = slice(start, start + _PIECE)
        left = labels[piece].astype(np.uint8, copy=False)
        right = truth[piece].astype(np.uint8, copy=False)
        total += _count_piece(left, right)
    return total


def _count_piece(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.int64]:
    import cv2

    codes = _pack(left, right)
    if codes is None:
        images = [left.reshape(1, -1), right.reshape(1, -1)]
        bounds: list[float] = [0, 256, 0, 256]
        counted = cv2.calcHist(images, [0, 1], None, [256, 256], bounds)
        return np.asarray(counted).astype(np.int64)
    even = codes.size & ~1
    neighbours = codes[:even].view(np.uint16).reshape(1, -1)
    counted = cv2.calcHist([neighbours], [0], None, [65536], [0, 65536])
    both = np.asarray(counted).reshape(256, 256)
    # Sums below 2^24 are exact in float32, too.
    single = (both.sum(axis=0) + both.sum(axis=1)).astype(np.int64)
    single[codes[even:]] += 1
    # Code 0 is value 255, the nodata of most class maps; code 1 is value 0, and so on.
    total = np.zeros((256, 256), np.int64)
    values = np.arange(-1, _NIBBLE) % 256
    total[np.ix_(values, values)] = single.reshape(16, 16)
    return total


def _pack(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Put both values into one byte; None where one is neither 255 nor below 15."""
    codes = np.empty(left.size, np.uint8)
    # Shifting eight pixels at a time needs whole words.
    high = np.empty(min(_STEP, -left.size // 8 * -8), np.uint8)
    low = np.empty_like(high)
    for start in range(0, left.size, _STEP):
        out = codes[start : start + _STEP]
        above, below = high[: out.size], low[: out.size]
        np.add(left[start : start + _STEP], 1, out=above)
        np.add(right[start : start + _STEP], 1, out=below)
        np.bitwise_or(above, below, out=out)
        if out.max() > _NIBBLE:
            return None
        words = high[: -out.size // 8 * -8].view(np.uint64)
        np.left_shift(words, 4, out=words)
        np.bitwise_or(above, below, out=out)
    return codes
