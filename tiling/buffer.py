"""The buffer between parts: cells that are given up, so that no chip lies near another part.

Distances are the larger of the gap along rows and the gap along columns; the straight distance
is never less.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tiling.label_index import LabelIndex
from tiling.room import Bounds, box_sums, sum_table

_TRAINING, _VALIDATION, _HELD_OUT = range(3)
_NO_PART = -1


def leave_buffer(
    indexes: Sequence[LabelIndex], parts: Sequence[NDArray[np.int8]], *, buffer: int
) -> tuple[NDArray[np.int8], ...]:
    """Give up cells that lie too near to another part.

    Validation gives way to held-out ground, and training, of which there is most, to both.

    Parameters
    ----------
    indexes : sequence of LabelIndex
        One a scene; scenes with an origin may be neighbours or show the same place.
    parts : sequence of ndarray of int8, shape (rows, cols) each
        0 training, 1 validation, 2 held-out, -1 none.
    buffer : int
        Least distance between pixels of different parts, px.

    Returns
    -------
    tuple of ndarray of int8, shape (rows, cols) each
        The parts with -1 in the buffer.

    Examples
    --------
    >>> from tiling.label_index import plain_index
    >>> drawn = [np.array([[0, 0, 0, 2, 2, 1, 1]], np.int8)]
    >>> leave_buffer([plain_index((2, 14), cell=2)], drawn, buffer=3)[0].tolist()
    [[0, -1, -1, 2, 2, -1, -1]]
    """
    left = [found.copy() for found in parts]
    pairs = near_scenes(indexes, buffer)
    for giving, keeping in (
        (_VALIDATION, (_HELD_OUT,)),
        (_TRAINING, (_VALIDATION, _HELD_OUT)),
    ):
        kept = [np.isin(found, keeping) for found in left]
        for one, other in pairs:
            near = _near(indexes[one], indexes[other], kept[other], buffer)
            left[one][near & (left[one] == giving)] = _NO_PART
    return tuple(left)


def near_scenes(indexes: Sequence[LabelIndex], buffer: int) -> list[tuple[int, int]]:
    """List pairs of scenes that lie nearer to each other than the buffer.

    Parameters
    ----------
    indexes : sequence of LabelIndex
        One a scene; without an origin, scenes lie apart.
    buffer : int
        px.

    Returns
    -------
    list of (int, int)
        Ordered pairs, each scene with itself, too.
    """
    own = [(i, i) for i in range(len(indexes))]
    if indexes[0].origin is None:
        return own
    start = np.array([index.origin for index in indexes])
    stop = start + [index.shape for index in indexes]
    near = np.ones((len(indexes), len(indexes)), np.bool_)
    for axis in range(2):
        reaches = start[:, None, axis] < stop[None, :, axis] + buffer
        near &= reaches & reaches.T
    return [(int(i), int(j)) for i, j in zip(*np.nonzero(near), strict=True)]


def _near(
    index: LabelIndex, other: LabelIndex, kept: NDArray[np.bool_], buffer: int
) -> NDArray[np.bool_]:
    """Cells of a scene nearer than the buffer to a kept cell of another scene, or of itself."""
    (top, left), (other_top, other_left) = index.origin or (0, 0), other.origin or (0, 0)
    rows = _cells_within(index, other, axis=0, shift=top - other_top, buffer=buffer)
    cols = _cells_within(index, other, axis=1, shift=left - other_left, buffer=buffer)
    return box_sums(sum_table(kept), rows, cols) > 0


def _cells_within(
    index: LabelIndex, other: LabelIndex, *, axis: int, shift: int, buffer: int
) -> Bounds:
    """For each row (column) of cells, the rows of the other scene that lie too near."""
    start = np.arange(index.grid[axis]) * index.cell
    stop = np.minimum(start + index.cell, index.shape[axis])
    low, high = start + shift - buffer, stop + shift + buffer
    n_cells, length = other.grid[axis], other.shape[axis]
    first = np.where(low >= length, n_cells, np.clip(low // other.cell, 0, n_cells))
    last = np.clip(-(-high // other.cell), 0, n_cells)
    return first, np.maximum(first, last)
