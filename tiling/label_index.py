"""LabelIndex: how many pixels of each class every cell of a scene holds.

Labels are read once, window after window, and only counts are kept. So scenes of any size are
split and sampled in the memory of a few cells. Labels are class indexes 0 .. K-1, or 255 where
nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tiling.errors import TilingError
from tiling.windows import Window, round_up

IGNORE = 255
"""Label of pixels that no loss and no score may see."""
WINDOW_PIXELS = 1 << 20
"""Pixels read at once."""


@dataclass(frozen=True, eq=False)
class LabelIndex:
    """Counts of labelled pixels by cell and class.

    Attributes
    ----------
    shape : tuple of int, (height, width)
        Size of the scene, px.
    cell : int
        Side of a cell, px; cells at the lower and right rim may be smaller.
    counts : ndarray of int32, shape (rows, cols, K)
        Labelled pixels of each class in each cell.
    borders : ndarray of int32, shape (rows, cols, K)
        Those among them that lie at a class border: see `border_mask`.
    origin : tuple of int, (row, col), or None
        The scene's first pixel in a grid that all scenes share, px. None says that no other
        scene shows the same place or one near it.
    """

    shape: tuple[int, int]
    cell: int
    counts: NDArray[np.int32]
    borders: NDArray[np.int32]
    origin: tuple[int, int] | None = None

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.counts.shape[0], self.counts.shape[1]

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self.counts.shape[2]

    def cell_window(self, row: int, col: int) -> Window:
        """Pixels of one cell, cut at the scene's rim."""
        top, left = row * self.cell, col * self.cell
        height, width = self.shape
        return Window(top, left, min(self.cell, height - top), min(self.cell, width - left))


def index_labels(
    read: Callable[[Window], NDArray[np.uint8]],
    shape: tuple[int, int],
    *,
    cell: int,
    n_classes: int,
    origin: tuple[int, int] | None = None,
) -> LabelIndex:
    """Count the labels of a scene by cell and class.

    Parameters
    ----------
    read : callable
        Turns a window into its labels, (height, width) uint8: class indexes, or `IGNORE`.
    shape : (int, int)
        Height and width of the scene, px.
    cell : int
        Side of a cell, px. A quarter of a chip is a good size: finer cells lose less ground to
        the buffer of a split, and cost more memory.
    n_classes : int
        Number of classes.
    origin : (int, int), optional
        See `LabelIndex`.

    Returns
    -------
    LabelIndex
        The counts.

    Raises
    ------
    TilingError
        If a size is below 1, or a label is neither a class index nor `IGNORE`.

    Examples
    --------
    >>> labels = np.array([[0, 0, 1, 255], [0, 0, 1, 1]], np.uint8)
    >>> index = index_labels(lambda w: labels[w.slices], labels.shape, cell=2, n_classes=2)
    >>> index.counts.tolist(), index.borders.tolist()
    ([[[4, 0], [0, 3]]], [[[2, 0], [0, 2]]])
    """
    _check_sizes(shape, cell)
    counts = np.zeros((*_grid(shape, cell), n_classes), np.int32)
    borders = np.zeros_like(counts)
    for window in _windows(shape, cell):
        outer, inner = with_rim(window, shape)
        labels = read(outer)
        slots = _slots(labels[inner], n_classes, window)
        at_border = np.where(border_mask(labels)[inner], slots, n_classes)
        first = window.row // cell, window.col // cell
        rows, cols = _grid((window.height, window.width), cell)
        place = np.s_[first[0] : first[0] + rows, first[1] : first[1] + cols]
        counts[place] = _count(slots, cell, n_classes)
        borders[place] = _count(at_border, cell, n_classes)
    return LabelIndex(shape, cell, counts, borders, origin)


def plain_index(
    shape: tuple[int, int],
    *,
    cell: int,
    valid: NDArray[np.bool_] | None = None,
    origin: tuple[int, int] | None = None,
) -> LabelIndex:
    """Make the index of a scene of which only its size, or its valid cells, are known.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the scene, px.
    cell : int
        Side of a cell, px.
    valid : ndarray of bool, shape (rows, cols), optional
        Cells that hold labels or data; by default all do.
    origin : (int, int), optional
        See `LabelIndex`.

    Returns
    -------
    LabelIndex
        One class, to which every pixel of the valid cells belongs.

    Raises
    ------
    TilingError
        If a size is below 1, or `valid` has another grid.

    Examples
    --------
    >>> plain_index((3, 4), cell=2).counts[..., 0].tolist()
    [[4, 4], [2, 2]]
    """
    _check_sizes(shape, cell)
    grid = _grid(shape, cell)
    if valid is not None and valid.shape != grid:
        raise TilingError(
            f"a scene of {shape[0]} x {shape[1]} px has {grid[0]} x {grid[1]} cells of {cell} px: "
            f"got a mask of {' x '.join(map(str, valid.shape))} (make one value a cell)"
        )
    sides = [np.diff(np.append(np.arange(n) * cell, s)) for n, s in zip(grid, shape, strict=True)]
    area = np.multiply.outer(*sides) * (True if valid is None else valid)
    counts = area[..., None].astype(np.int32)
    return LabelIndex(shape, cell, counts, np.zeros_like(counts), origin)


def border_mask(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mark the pixels that share an edge with a pixel of another class.

    Parameters
    ----------
    labels : ndarray of uint8, shape (H, W)
        Class indexes, or `IGNORE`.

    Returns
    -------
    ndarray of bool, shape (H, W)
        True at class borders. The rim of unlabelled ground is none.

    Examples
    --------
    >>> border_mask(np.array([[0, 0, 1, 255, 0]], np.uint8)).tolist()
    [[False, True, True, False, False]]
    """
    border = np.zeros(labels.shape, np.bool_)
    labelled = labels != IGNORE
    for one, other in (
        (np.s_[:-1], np.s_[1:]),
        (np.s_[:, :-1], np.s_[:, 1:]),
    ):
        differs = (labels[one] != labels[other]) & labelled[one] & labelled[other]
        border[one] |= differs
        border[other] |= differs
    return border


def with_rim(window: Window, shape: tuple[int, int]) -> tuple[Window, tuple[slice, slice]]:
    """Widen a window by one pixel to each side where the scene goes on.

    Parameters
    ----------
    window : Window
        Pixels in question.
    shape : (int, int)
        Height and width of the scene, px.

    Returns
    -------
    outer : Window
        The wider window: with it, `border_mask` sees every neighbour.
    inner : tuple of slice
        Where `window` lies in it.

    Examples
    --------
    >>> with_rim(Window(0, 2, 2, 2), (4, 4))
    (Window(row=0, col=1, height=3, width=3), (slice(0, 2, None), slice(1, 3, None)))
    """
    top, left = max(window.row - 1, 0), max(window.col - 1, 0)
    bottom = min(window.row + window.height + 1, shape[0])
    right = min(window.col + window.width + 1, shape[1])
    inner = Window(window.row - top, window.col - left, window.height, window.width)
    return Window(top, left, bottom - top, right - left), inner.slices


def _check_sizes(shape: tuple[int, int], cell: int) -> None:
    if min(*shape, cell) < 1:
        raise TilingError(
            "height, width and cell must be at least 1 px: "
            f"got a scene of {shape[0]} x {shape[1]} px and cell={cell}"
        )


def _grid(shape: tuple[int, int], cell: int) -> tuple[int, int]:
    return -(-shape[0] // cell), -(-shape[1] // cell)


def _windows(shape: tuple[int, int], cell: int) -> Iterator[Window]:
    """Windows of whole cells, as wide as the budget allows: files are stored by rows."""
    height, width = shape
    cols = min(round_up(width, cell), max(WINDOW_PIXELS // cell // cell, 1) * cell)
    rows = max(WINDOW_PIXELS // cols // cell, 1) * cell
    for top in range(0, height, rows):
        for left in range(0, width, cols):
            yield Window(top, left, min(rows, height - top), min(cols, width - left))


def _slots(labels: NDArray[np.uint8], n_classes: int, window: Window) -> NDArray[np.intp]:
    """Class indexes, with `n_classes` where there is no label."""
    unlabelled = labels == IGNORE
    wrong = np.unique(labels[(labels >= n_classes) & ~unlabelled])
    if len(wrong):
        raise TilingError(
            f"labels must be class indexes 0 to {n_classes - 1}, or {IGNORE} for unlabelled: got "
            f"{', '.join(map(str, wrong[:5]))} in rows {window.row} to "
            f"{window.row + window.height - 1} (give each value of the file its class index)"
        )
    return np.where(unlabelled, n_classes, labels).astype(np.intp)


def _count(slots: NDArray[np.intp], cell: int, n_classes: int) -> NDArray[np.intp]:
    """Pixels by cell and class, (rows, cols, K)."""
    rows, cols = _grid(slots.shape, cell)
    cells = (np.arange(slots.shape[0]) // cell)[:, None] * cols + np.arange(slots.shape[1]) // cell
    keys = (cells * (n_classes + 1) + slots).ravel()
    counted = np.bincount(keys, minlength=rows * cols * (n_classes + 1))
    return counted.reshape(rows, cols, n_classes + 1)[..., :n_classes]
