"""cover_chips: chips whose cores hold every labelled pixel of a part once.

A grid (`tiling.chips.grid_positions`) loses ground at the rims of a part that does not begin where
the grid does; of small parts it may lose nearly all. Here chips begin where the ground does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tiling.chips import Chip, make_chip
from tiling.label_index import LabelIndex
from tiling.room import Room, Runs, box_sums, covered_cells, sum_table
from tiling.windows import Window


class _Starts(NamedTuple):
    """Starts of chips along one axis, (n,) each: their run, and the cells wholly inside."""

    start: NDArray[np.intp]
    run: NDArray[np.intp]
    first: NDArray[np.intp]
    stop: NDArray[np.intp]

    def around(self, cell: int) -> _Starts:
        """Give the starts with a cell wholly inside; first and stop grow from start to start."""
        chosen = slice(
            int(np.searchsorted(self.stop, cell, side="right")),
            int(np.searchsorted(self.first, cell, side="right")),
        )
        return _Starts(*(part[chosen] for part in self))


def cover_chips(
    indexes: Sequence[LabelIndex], tile: int, *, rooms: Sequence[Room]
) -> tuple[Chip, ...]:
    """Lay chips over the labelled pixels of a part.

    Parameters
    ----------
    indexes : sequence of LabelIndex
        One a scene.
    tile : int
        Side of a chip, px.
    rooms : sequence of Room
        Where chips of the part fit, one a scene.

    Returns
    -------
    tuple of Chip
        Their cores are disjoint, made of whole cells, and together hold every labelled pixel that
        a chip can hold. Chips may overlap outside their cores.

    Examples
    --------
    >>> from tiling.label_index import plain_index
    >>> from tiling.room import make_rooms
    >>> index = plain_index((4, 12), cell=1)
    >>> part = np.zeros((4, 12), bool)
    >>> part[:, 3:9] = True
    >>> rooms = make_rooms([index], 4, cells=[part])
    >>> [chip.core.col for chip in cover_chips([index], 4, rooms=rooms)]
    [3, 7]
    """
    return tuple(
        chip
        for scene, (index, room) in enumerate(zip(indexes, rooms, strict=True))
        for chip in _cover_scene(scene, index, room)
    )


def _cover_scene(scene: int, index: LabelIndex, room: Room) -> list[Chip]:
    wanted = index.counts.sum(axis=2) * covered_cells(room, index.grid)
    free = np.ones(index.grid, np.bool_)
    axes = [
        _list_starts(runs, room.tile, index.cell, n_cells)
        for runs, n_cells in zip((room.rows, room.cols), index.grid, strict=True)
    ]
    found = []
    for row, col in zip(*(at.tolist() for at in np.nonzero(wanted)), strict=True):
        if not free[row, col]:
            continue
        rows, cols = axes[0].around(row), axes[1].around(col)
        chosen = _fullest(rows, cols, wanted, room)
        core = _grow((row, col), rows, cols, chosen, wanted, free)
        free[core.slices] = False
        wanted[core.slices] = 0
        start = Window(
            int(rows.start[chosen[0]]), int(cols.start[chosen[1]]), room.tile, room.tile
        )
        chip = make_chip(scene, start, index.shape)
        found.append(chip._replace(core=_in_pixels(core, index)))
    return found


def _list_starts(runs: Runs, tile: int, cell: int, n_cells: int) -> _Starts:
    """First and last start of each run; with them, every cell of its ground is wholly inside."""
    start = np.stack([runs.start, runs.stop - 1], axis=1).ravel()
    run = np.repeat(np.arange(len(runs.start)), 2)
    stop = np.where(start == runs.stop[-1] - 1, n_cells, (start + tile) // cell)
    return _Starts(start, run, -(-start // cell), stop)


def _fullest(
    rows: _Starts, cols: _Starts, wanted: NDArray[np.int64], room: Room
) -> tuple[int, int]:
    """Choose the fitting chip with most labelled pixels that no core has yet."""
    top, left = int(rows.first[0]), int(cols.first[0])
    table = _sum_table(wanted[top : int(rows.stop[-1]), left : int(cols.stop[-1])])
    held = box_sums(
        table, (rows.first - top, rows.stop - top), (cols.first - left, cols.stop - left)
    )
    fits = room.fits[np.ix_(rows.run, cols.run)]
    best = int(np.argmax(np.where(fits, held, -1)))
    return best // len(cols.start), best % len(cols.start)


def _sum_table(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    table = sum_table(np.zeros(counts.shape, np.bool_))
    table[1:, 1:] = counts.cumsum(axis=0).cumsum(axis=1)
    return table


def _grow(
    cell: tuple[int, int],
    rows: _Starts,
    cols: _Starts,
    chosen: tuple[int, int],
    wanted: NDArray[np.int64],
    free: NDArray[np.bool_],
) -> Window:
    """Find the rectangle of free cells around a cell, inside a chip, with most labelled pixels."""
    row, col = cell
    first_col, stop_col = int(cols.first[chosen[1]]), int(cols.stop[chosen[1]])
    best, most = Window(row, col, 1, 1), -1
    for top in range(int(rows.first[chosen[0]]), row + 1):
        for bottom in range(row + 1, int(rows.stop[chosen[0]]) + 1):
            open_cols = np.asarray(free[top:bottom].all(axis=0))
            left, right = col, col + 1
            while left > first_col and open_cols[left - 1]:
                left -= 1
            while right < stop_col and open_cols[right]:
                right += 1
            held = int(wanted[top:bottom, left:right].sum())
            if open_cols[col] and held > most:
                best, most = Window(top, left, bottom - top, right - left), held
    return best


def _in_pixels(cells: Window, index: LabelIndex) -> Window:
    row, col = cells.row * index.cell, cells.col * index.cell
    height = min(cells.height * index.cell, index.shape[0] - row)
    width = min(cells.width * index.cell, index.shape[1] - col)
    return Window(row, col, height, width)
