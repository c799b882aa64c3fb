"""Sampler: chips drawn by class, near class borders or anywhere, within a part of a split.

Chip `index` of an epoch depends on the seed, the epoch and the index alone: workers, frameworks
and resumed runs all get the same chips, in any order, and nothing has to be remembered. (NumPy
promises the same draws for one version of NumPy.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tiling.chips import Chip, make_chip
from tiling.errors import TilingError
from tiling.label_index import LabelIndex, border_mask, with_rim
from tiling.room import Room, covered_cells, draw_start, make_rooms
from tiling.windows import Window

ReadLabels = Callable[[int, Window], NDArray[np.uint8]]
"""Turns the position of a scene and a window into its labels, (height, width)."""


@dataclass(frozen=True)
class Sampling:
    """How chips are drawn.

    What is left of the shares is drawn anywhere: around any pixel of a cell, which is drawn by
    the number of its labelled pixels.

    Attributes
    ----------
    tile : int
        Side of a chip, px.
    seed : int
        Another seed gives other chips.
    class_share : float
        Share of chips drawn around a pixel of a class that is drawn first.
    border_share : float
        Share of chips with a class border near the middle: within a quarter of a chip of it.
    class_power : float
        A class's chance grows with this power of its pixels: 0 makes all classes equal, 1 all
        pixels.
    """

    tile: int
    seed: int = 0
    class_share: float = 0.5
    border_share: float = 0.0
    class_power: float = 0.0


class Places(NamedTuple):
    """Cells that hold pixels of a kind, and how many in all up to each cell; (n,) each."""

    cell: NDArray[np.intp]
    total: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sampler:
    """All that drawing chips needs to know; made by `make_sampler`.

    Attributes
    ----------
    sampling : Sampling
        How chips are drawn.
    indexes : tuple of LabelIndex
        One a scene.
    rooms : tuple of Room
        Where chips fit, one a scene.
    first_cell : ndarray of intp, shape (n_scenes,)
        Number of each scene's first cell, when cells are counted through all scenes.
    anywhere : Places
        Labelled pixels that a chip can hold.
    by_class, by_border : tuple of Places
        The same by class, and those at class borders only.
    """

    sampling: Sampling
    indexes: tuple[LabelIndex, ...]
    rooms: tuple[Room, ...]
    first_cell: NDArray[np.intp]
    anywhere: Places
    by_class: tuple[Places, ...]
    by_border: tuple[Places, ...]


def make_sampler(
    indexes: Sequence[LabelIndex],
    sampling: Sampling,
    *,
    cells: Sequence[NDArray[np.bool_]] | None = None,
) -> Sampler:
    """Prepare to draw chips.

    Parameters
    ----------
    indexes : sequence of LabelIndex
        One a scene.
    sampling : Sampling
        How to draw.
    cells : sequence of ndarray of bool, shape (rows, cols) each, optional
        Cells that a chip may touch, such as ``split.cells("training")``; by default all.

    Returns
    -------
    Sampler
        For `draw_chip`.

    Raises
    ------
    TilingError
        If the shares cannot work, no chip with labels fits, or border chips are asked for and
        there is no class border.
    """
    _check_sampling(sampling)
    allowed = cells or [np.ones(index.grid, np.bool_) for index in indexes]
    rooms = make_rooms(indexes, sampling.tile, cells=allowed)
    covered = [covered_cells(r, i.grid) for r, i in zip(rooms, indexes, strict=True)]
    counts = _stack([i.counts for i in indexes], covered)
    borders = _stack([i.borders for i in indexes], covered)
    if not counts.any():
        raise TilingError(
            f"no chip of tile={sampling.tile} px with a labelled pixel fits: choose a smaller "
            f"tile, such as tile={max(sampling.tile // 2, 1)}, or larger blocks"
        )
    if sampling.border_share > 0 and not borders.any():
        raise TilingError(
            f"border_share={sampling.border_share} asks for chips at class borders, but no two "
            "classes touch here: set border_share=0"
        )
    return Sampler(
        sampling,
        tuple(indexes),
        rooms,
        np.cumsum([0, *(mask.size for mask in covered[:-1])]),
        _places(counts.sum(axis=1)),
        tuple(_places(of_class) for of_class in counts.T),
        tuple(_places(of_class) for of_class in borders.T),
    )


def draw_chip(sampler: Sampler, index: int, *, read: ReadLabels | None, epoch: int = 0) -> Chip:
    """Draw a chip by its number, without a state.

    Parameters
    ----------
    sampler : Sampler
        Result of `make_sampler`.
    index : int
        Number of the chip in its epoch.
    read : callable or None
        Reads labels of a scene's window: those of one cell, to find the drawn pixel in it. May
        be None if all chips are drawn anywhere.
    epoch : int, default 0
        Another epoch has other chips.

    Returns
    -------
    Chip
        The same for the same sampler, index and epoch.

    Raises
    ------
    TilingError
        If labels are needed and `read` is None, or are no longer those that were counted.
    """
    rng = np.random.default_rng((sampler.sampling.seed, epoch, index))
    seed = int(rng.integers(2**63))
    tile = sampler.sampling.tile
    kind = rng.random()
    if kind < sampler.sampling.border_share:
        scene, pixel = _draw_of_class(sampler, read, at_border=True, rng=rng)
        reach = tile // 4
    elif kind < sampler.sampling.border_share + sampler.sampling.class_share:
        scene, pixel = _draw_of_class(sampler, read, at_border=False, rng=rng)
        reach = tile // 2
    else:
        scene, pixel = _draw_anywhere(sampler, rng)
        reach = 0
    row, col = draw_start(sampler.rooms[scene], pixel, reach=reach, rng=rng)
    shape = sampler.indexes[scene].shape
    return make_chip(scene, Window(row, col, tile, tile), shape, seed=seed)


def _draw_anywhere(sampler: Sampler, rng: np.random.Generator) -> tuple[int, tuple[int, int]]:
    """Draw a pixel of a cell that holds labels: the scene, and the pixel's row and column."""
    scene, window, _ = _draw_cell(sampler, sampler.anywhere, rng)
    row, col = rng.integers(window.height), rng.integers(window.width)
    return scene, (window.row + int(row), window.col + int(col))


def _draw_of_class(
    sampler: Sampler, read: ReadLabels | None, *, at_border: bool, rng: np.random.Generator
) -> tuple[int, tuple[int, int]]:
    """Draw a class, then a pixel of it: the scene, and the pixel's row and column."""
    if read is None:
        raise TilingError(
            "chips by class need labels to look up: pass read, or set class_share=0 and "
            "border_share=0"
        )
    places = sampler.by_border if at_border else sampler.by_class
    k = _draw_class(places, sampler.sampling.class_power, rng)
    scene, window, nth = _draw_cell(sampler, places[k], rng)
    outer, inner = with_rim(window, sampler.indexes[scene].shape)
    labels = read(scene, outer)
    found = labels[inner] == k
    if at_border:
        found &= border_mask(labels)[inner]
    at = np.flatnonzero(found)
    if nth >= len(at):
        raise TilingError(
            f"the labels of scene {scene} are no longer those that were counted: class {k} has "
            f"{len(at)} pixels in the cell at row {window.row}, column {window.col} (count them "
            "again)"
        )
    row, col = divmod(int(at[nth]), window.width)
    return scene, (window.row + row, window.col + col)


def _draw_class(places: Sequence[Places], power: float, rng: np.random.Generator) -> int:
    pixels = np.array([found.total[-1] if len(found.total) else 0 for found in places], float)
    chances = np.where(pixels > 0, pixels**power, 0.0)
    bounds = np.cumsum(chances)
    return int(np.searchsorted(bounds, rng.random() * bounds[-1], side="right"))


def _draw_cell(
    sampler: Sampler, places: Places, rng: np.random.Generator
) -> tuple[int, Window, int]:
    """Draw one of all pixels: its scene, its cell, and its number among those of the cell."""
    nth = int(rng.integers(places.total[-1]))
    at = int(np.searchsorted(places.total, nth, side="right"))
    scene = int(np.searchsorted(sampler.first_cell, places.cell[at], side="right")) - 1
    index = sampler.indexes[scene]
    row, col = divmod(int(places.cell[at] - sampler.first_cell[scene]), index.grid[1])
    return scene, index.cell_window(row, col), nth - int(places.total[at - 1] if at else 0)


def _stack(
    counts: Sequence[NDArray[np.int32]], covered: Sequence[NDArray[np.bool_]]
) -> NDArray[np.int64]:
    """Join the counts of covered cells, cells counted through all scenes, (n_cells, K)."""
    pairs = zip(counts, covered, strict=True)
    held = [
        of_scene.reshape(-1, of_scene.shape[2]) * mask.reshape(-1, 1) for of_scene, mask in pairs
    ]
    return np.concatenate(held).astype(np.int64)


def _places(pixels: NDArray[np.int64]) -> Places:
    cells = np.flatnonzero(pixels)
    return Places(cells, np.cumsum(pixels[cells]))


def _check_sampling(sampling: Sampling) -> None:
    classes, border = sampling.class_share, sampling.border_share
    if min(classes, border) < 0 or classes + border > 1 + 1e-9:
        raise TilingError(
            "class_share and border_share must be at least 0 and together at most 1: got "
            f"class_share={classes} and border_share={border} (try 0.5 and 0.25)"
        )
    if sampling.seed < 0 or sampling.class_power < 0:
        raise TilingError(
            "seed and class_power must be at least 0: got "
            f"seed={sampling.seed} and class_power={sampling.class_power}"
        )
