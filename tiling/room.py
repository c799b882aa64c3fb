"""Room: where a chip fits, so that it lies wholly in allowed cells.

Chips may start at any pixel. Yet all starts of a *run* touch the same rows (or columns) of cells,
so runs are looked at instead of pixels: about two a cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tiling.errors import TilingError
from tiling.label_index import LabelIndex

Bounds = tuple[NDArray[np.intp], NDArray[np.intp]]
"""First and stop along one axis, (n,) each."""


class Runs(NamedTuple):
    """Starts of a chip along one axis, grouped by the cells that it touches; (n,) each.

    A chip that starts at `start` to ``stop - 1`` touches the cells `first` to ``last``.
    """

    start: NDArray[np.intp]
    stop: NDArray[np.intp]
    first: NDArray[np.intp]
    last: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Room:
    """Where chips fit into the allowed cells of one scene.

    Attributes
    ----------
    shape : tuple of int, (height, width)
        Size of the scene, px.
    tile : int
        Side of a chip, px. A chip longer than the scene starts at 0 and is padded at its end.
    rows, cols : Runs
        Starts of chips along both axes.
    fits : ndarray of bool, shape (row runs, column runs)
        Whether chips that start there touch allowed cells only.
    """

    shape: tuple[int, int]
    tile: int
    rows: Runs
    cols: Runs
    fits: NDArray[np.bool_]


def make_room(shape: tuple[int, int], tile: int, *, cell: int, allowed: NDArray[np.bool_]) -> Room:
    """Find where chips fit.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the scene, px.
    tile : int
        Side of a chip, px.
    cell : int
        Side of a cell, px.
    allowed : ndarray of bool, shape (rows, cols)
        Cells that a chip may touch.

    Returns
    -------
    Room
        All starts of chips.

    Raises
    ------
    TilingError
        If `tile` is below 1.
    """
    if tile < 1:
        raise TilingError(f"tile must be at least 1 px: got tile={tile} (try tile=256)")
    rows, cols = (_runs(length, tile, cell) for length in shape)
    barred = box_sums(
        sum_table(~allowed), (rows.first, rows.last + 1), (cols.first, cols.last + 1)
    )
    return Room(shape, tile, rows, cols, barred == 0)


def _runs(length: int, tile: int, cell: int) -> Runs:
    starts = np.arange(max(length - tile, 0) + 1)
    first = starts // cell
    last = (np.minimum(starts + tile, length) - 1) // cell
    begins = np.flatnonzero(np.diff(first, prepend=-1) | np.diff(last, prepend=-1))
    return Runs(begins, np.append(begins[1:], len(starts)), first[begins], last[begins])


def make_rooms(
    indexes: Sequence[LabelIndex], tile: int, *, cells: Sequence[NDArray[np.bool_]]
) -> tuple[Room, ...]:
    """Find where chips fit, scene by scene.

    Parameters
    ----------
    indexes : sequence of LabelIndex
        One a scene.
    tile : int
        Side of a chip, px.
    cells : sequence of ndarray of bool, shape (rows, cols) each
        Cells that a chip may touch.

    Returns
    -------
    tuple of Room
        One a scene.
    """
    return tuple(
        make_room(index.shape, tile, cell=index.cell, allowed=allowed)
        for index, allowed in zip(indexes, cells, strict=True)
    )


def covered_cells(room: Room, grid: tuple[int, int]) -> NDArray[np.bool_]:
    """Mark the cells that some chip touches.

    A cell is covered wholly or not at all: chips that touch the same cells can be moved until
    each pixel of these cells has been in one.

    Parameters
    ----------
    room : Room
        Where chips fit.
    grid : (int, int)
        Rows and columns of cells.

    Returns
    -------
    ndarray of bool, shape (rows, cols)
        True where a chip fits.
    """
    bounds = [_runs_over(runs, n) for runs, n in zip((room.rows, room.cols), grid, strict=True)]
    return box_sums(sum_table(room.fits), *bounds) > 0


def _runs_over(runs: Runs, n_cells: int) -> Bounds:
    """Find the runs that touch each cell; first and last grow from run to run."""
    cells = np.arange(n_cells)
    return (
        np.searchsorted(runs.last, cells, side="left"),
        np.searchsorted(runs.first, cells, side="right"),
    )


def holds(room: Room, row: int, col: int) -> bool:
    """Tell whether a chip that starts at `row`, `col` fits.

    Parameters
    ----------
    room : Room
        Where chips fit.
    row, col : int
        Start of the chip, px.

    Returns
    -------
    bool
        False also where the chip would leave the scene.
    """
    if not (0 <= row < room.rows.stop[-1] and 0 <= col < room.cols.stop[-1]):
        return False
    run_row = np.searchsorted(room.rows.start, row, side="right") - 1
    run_col = np.searchsorted(room.cols.start, col, side="right") - 1
    return bool(room.fits[run_row, run_col])


def draw_start(
    room: Room, pixel: tuple[int, int], *, reach: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Draw a chip that holds a pixel.

    Parameters
    ----------
    room : Room
        Where chips fit.
    pixel : (int, int)
        Row and column of a pixel in a covered cell.
    reach : int
        Farthest that the pixel should lie from the chip's centre along an axis, px. Chips are
        pulled back at the scene's rim, and the reach grows where no chip fits.
    rng : Generator
        Source of chance.

    Returns
    -------
    tuple of int
        Row and column at which the chip starts; all that qualify are equally likely.

    Raises
    ------
    TilingError
        If no chip holds the pixel.
    """
    n_starts = int(room.rows.stop[-1]), int(room.cols.stop[-1])
    wider = (room.tile // parts for parts in (8, 4, 2, 1))
    for near in (reach, *(r for r in wider if r > reach)):
        rows, cols = (_starts_near(pixel[i], room.tile, near, n_starts[i]) for i in range(2))
        found = _draw_between(room, rows, cols, rng)
        if found is not None:
            return found
    raise TilingError(
        f"no chip of {room.tile} px that holds the pixel at row {pixel[0]}, column {pixel[1]} "
        "fits into the allowed cells: draw pixels from covered cells only"
    )


def _starts_near(at: int, tile: int, reach: int, n_starts: int) -> tuple[int, int]:
    """First and stop of the starts with a pixel near the middle, or as near as the rim lets."""
    centred = at - tile // 2
    first = min(max(centred - reach, at - tile + 1), n_starts - 1)
    return first, max(min(centred + reach, at), 0) + 1


def _draw_between(
    room: Room,
    row_bounds: tuple[int, int],
    col_bounds: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[int, int] | None:
    """Draw one of the fitting starts in [first, stop) of both axes."""
    row_runs, row_start, n_rows = _clip(room.rows, *row_bounds)
    col_runs, col_start, n_cols = _clip(room.cols, *col_bounds)
    n_starts = np.cumsum(room.fits[row_runs, col_runs] * np.multiply.outer(n_rows, n_cols))
    if not len(n_starts) or not n_starts[-1]:
        return None
    run = int(np.searchsorted(n_starts, rng.integers(n_starts[-1]), side="right"))
    row, col = divmod(run, len(n_cols))
    return (
        int(row_start[row] + rng.integers(n_rows[row])),
        int(col_start[col] + rng.integers(n_cols[col])),
    )


def _clip(runs: Runs, first: int, stop: int) -> tuple[slice, NDArray[np.intp], NDArray[np.intp]]:
    """Find the runs with starts in [first, stop): which, their first start, how many starts."""
    which = slice(
        int(np.searchsorted(runs.stop, first, side="right")),
        int(np.searchsorted(runs.start, stop, side="left")),
    )
    start = np.maximum(runs.start[which], first)
    return which, start, np.minimum(runs.stop[which], stop) - start


def sum_table(counted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Sum over all cells above and left of each corner, for `box_sums`.

    Parameters
    ----------
    counted : ndarray of bool, shape (rows, cols)
        Cells to count.

    Returns
    -------
    ndarray of int64, shape (rows + 1, cols + 1)
        Summed-area table.

    References
    ----------
    .. [1] F. C. Crow, "Summed-area tables for texture mapping", SIGGRAPH 1984, 207-212.
    """
    table = np.zeros((counted.shape[0] + 1, counted.shape[1] + 1), np.int64)
    table[1:, 1:] = counted.cumsum(axis=0).cumsum(axis=1)
    return table


def box_sums(table: NDArray[np.int64], rows: Bounds, cols: Bounds) -> NDArray[np.int64]:
    """Count the cells in every pair of a range of rows and a range of columns.

    Parameters
    ----------
    table : ndarray of int64, shape (rows + 1, cols + 1)
        Result of `sum_table`.
    rows, cols : tuple of ndarray of int, shape (n,) and (m,)
        First and stop of each range; an empty one has stop = first.

    Returns
    -------
    ndarray of int64, shape (n, m)
        Cells counted.

    Examples
    --------
    >>> table = sum_table(np.eye(3, dtype=bool))
    >>> first, stop = np.array([0, 1]), np.array([2, 3])
    >>> box_sums(table, (first, stop), (first, stop)).tolist()
    [[2, 1], [1, 2]]
    """
    strips = table[rows[1]] - table[rows[0]]
    return strips[:, cols[1]] - strips[:, cols[0]]
