"""BlockConfusion: a confusion matrix for every block of a map, counted window by window."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.accuracy.counting import count_pairs
from rs_workbench.errors import AccuracyError


class BlockConfusion:
    """Counts pairs of classes for every block; windows may come in any order and size.

    Parameters
    ----------
    shape : tuple of int, (H, W)
        Size of the map, px.
    block_px : tuple of int, (height, width)
        Size of a block, px. Blocks at the lower and right rim may be smaller.
    n_classes : int
        K.

    Attributes
    ----------
    matrices : ndarray of int64, shape (n, K, K)
        Rows map, columns reference; block after block, row after row.
    positions : ndarray of intp, shape (n, 2)
        Row and column of each block in the grid of blocks.

    Raises
    ------
    AccuracyError
        If a size is below 1.

    Examples
    --------
    >>> blocks = BlockConfusion((2, 4), (2, 2), 2)
    >>> blocks.update([[0, 0, 1, 1]], [[0, 1, 1, -1]], row=0, col=0)
    >>> blocks.matrices.sum(axis=(1, 2)).tolist()
    [2, 1]
    """

    def __init__(self, shape: tuple[int, int], block_px: tuple[int, int], n_classes: int) -> None:
        if min(*shape, *block_px, n_classes) < 1:
            raise AccuracyError(
                "map, blocks and classes must count at least 1: got a map of "
                f"{shape[0]} x {shape[1]} px, blocks of {block_px[0]} x {block_px[1]} px and "
                f"{n_classes} classes"
            )
        self.shape, self.block_px, self.n_classes = shape, block_px, n_classes
        grid = tuple(-(-length // side) for length, side in zip(shape, block_px, strict=True))
        self.positions: NDArray[np.intp] = np.argwhere(np.ones(grid, bool))
        self._grid = grid
        self.matrices = np.zeros((len(self.positions), n_classes, n_classes), np.int64)

    def update(self, map_labels: ArrayLike, reference: ArrayLike, *, row: int, col: int) -> None:
        """Add a window.

        Parameters
        ----------
        map_labels, reference : array_like of int, shape (h, w)
            Classes from 0 to K - 1; -1 where there is nothing to compare.
        row, col : int
            Where the window starts on the map, px.

        Raises
        ------
        AccuracyError
            If the window leaves the map, the shapes differ, or a label is no class.
        """
        labels, truth = np.asarray(map_labels), np.asarray(reference)
        if labels.ndim != 2 or labels.shape != truth.shape:
            raise AccuracyError(
                f"map and reference must have one shape (h, w): got {labels.shape} and "
                f"{truth.shape}"
            )
        end = row + labels.shape[0], col + labels.shape[1]
        if min(row, col) < 0 or end[0] > self.shape[0] or end[1] > self.shape[1]:
            raise AccuracyError(
                f"a window must lie on the map of {self.shape[0]} x {self.shape[1]} px: got rows "
                f"{row} to {end[0]} and columns {col} to {end[1]}"
            )
        k = self.n_classes
        for block_row, rows in _cuts(row, end[0], self.block_px[0]):
            for block_col, cols in _cuts(col, end[1], self.block_px[1]):
                one, other = labels[rows, cols], truth[rows, cols]
                valid = (one != -1) & (other != -1)
                block = block_row * self._grid[1] + block_col
                self.matrices[block] += count_pairs(one[valid], other[valid], k, k)

    def merge(self, other: BlockConfusion) -> None:
        """Add the counts of another part of the same map.

        Parameters
        ----------
        other : BlockConfusion
            With the same sizes.

        Raises
        ------
        AccuracyError
            If map, blocks or classes differ.
        """
        mine = self.shape, self.block_px, self.n_classes
        theirs = other.shape, other.block_px, other.n_classes
        if mine != theirs:
            raise AccuracyError(
                "blocks can be added only where map, block and classes are alike: got "
                f"{mine} and {theirs}"
            )
        self.matrices += other.matrices


def _cuts(start: int, stop: int, side: int) -> Iterator[tuple[int, slice]]:
    """Blocks that [start, stop) meets, and the part of it in each."""
    for block in range(start // side, -(-stop // side)):
        low, high = max(start, block * side), min(stop, (block + 1) * side)
        yield block, slice(low - start, high - start)
