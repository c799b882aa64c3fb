"""Chips: where they lie on a grid, and the order in which an epoch takes them.

A chip is a window and a seed, never pixels. Chips that are drawn by chance come from
`tiling.sampler`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tiling.errors import TilingError
from tiling.room import Room, holds
from tiling.windows import Span, Window


class Chip(NamedTuple):
    """A square of a scene that a network is trained or scored on.

    Attributes
    ----------
    scene : int
        Position of the scene.
    window : Window
        Pixels of the chip. It may leave the scene: see `padding`.
    core : Window
        Pixels it answers for: cores of a grid are disjoint, so that no pixel is scored twice.
    padding : tuple of int, (rows, cols)
        By how much the chip leaves a scene smaller than it, at the lower and right side, px; the
        reader fills these pixels and labels them `IGNORE`.
    seed : int
        Seed of its augmentation.
    """

    scene: int
    window: Window
    core: Window
    padding: tuple[int, int]
    seed: int

    @property
    def padded(self) -> bool:
        """Whether the scene is smaller than the chip."""
        return any(self.padding)


def make_chip(scene: int, window: Window, shape: tuple[int, int], *, seed: int = 0) -> Chip:
    """Make a chip that answers for all its pixels.

    Parameters
    ----------
    scene : int
        Position of the scene.
    window : Window
        Pixels of the chip; may leave the scene at its lower and right side.
    shape : (int, int)
        Height and width of the scene, px.
    seed : int, default 0
        Seed of its augmentation.

    Returns
    -------
    Chip
        Padded if the window leaves the scene.

    Examples
    --------
    >>> make_chip(0, Window(0, 0, 8, 8), (5, 20)).core
    Window(row=0, col=0, height=5, width=8)
    """
    height = min(window.height, shape[0] - window.row)
    width = min(window.width, shape[1] - window.col)
    core = Window(window.row, window.col, height, width)
    padding = window.height - height, window.width - width
    return Chip(scene, window, core, padding, seed)


def grid_positions(
    shapes: Sequence[tuple[int, int]],
    tile: int,
    *,
    overlap: int = 0,
    rooms: Sequence[Room] | None = None,
) -> tuple[Chip, ...]:
    """Lay chips side by side over scenes.

    Parameters
    ----------
    shapes : sequence of (int, int)
        Height and width of each scene, px.
    tile : int
        Side of a chip, px.
    overlap : int, default 0
        Least overlap of neighbours, px. The last chip of a row is pulled back into the scene.
    rooms : sequence of Room, optional
        Only chips that fit there are kept, such as those of one part of a split. Blocks that
        are multiples of a chip lose none.

    Returns
    -------
    tuple of Chip
        Scene by scene, in reading order. Over whole scenes, the cores are disjoint and gapless.

    Raises
    ------
    TilingError
        If the overlap leaves no step to the next chip.

    Examples
    --------
    >>> [chip.window.col for chip in grid_positions([(4, 10)], 4)]
    [0, 4, 6]
    """
    if not 0 <= overlap < tile:
        raise TilingError(
            "overlap must be at least 0 and smaller than tile, so that chips move on: got "
            f"overlap={overlap} px and tile={tile} px (try overlap={max(tile // 4, 0)})"
        )
    found = []
    for scene, shape in enumerate(shapes):
        rows, cols = (_spans(length, tile, overlap) for length in shape)
        cells = [_grid_chip(scene, row, col, shape) for row in rows for col in cols]
        room = rooms[scene] if rooms is not None else None
        found += [c for c in cells if room is None or holds(room, c.window.row, c.window.col)]
    return tuple(found)


def _spans(length: int, tile: int, overlap: int) -> list[Span]:
    """Chips along one axis; neighbours share their overlap, half each."""
    end = max(length - tile, 0)
    starts = [*range(0, end, tile - overlap), end]
    cuts = [0, *((one + tile + other) // 2 for one, other in pairwise(starts)), length]
    return [
        Span(start, start + tile, *cut) for start, cut in zip(starts, pairwise(cuts), strict=True)
    ]


def _grid_chip(scene: int, row: Span, col: Span, shape: tuple[int, int]) -> Chip:
    window, core = (
        Window(top, left, bottom - top, right - left)
        for (top, bottom), (left, right) in ((row[:2], col[:2]), (row[2:], col[2:]))
    )
    padding = max(row.stop - shape[0], 0), max(col.stop - shape[1], 0)
    return Chip(scene, window, core, padding, 0)


def shuffle_chips(chips: Sequence[Chip], *, seed: int, epoch: int) -> tuple[Chip, ...]:
    """Put chips in the order of an epoch, each with a seed of its own.

    Parameters
    ----------
    chips : sequence of Chip
        Chips of one part.
    seed, epoch : int
        Together they make the order and the seeds; both at least 0.

    Returns
    -------
    tuple of Chip
        Every chip once.
    """
    rng = np.random.default_rng((seed, epoch))
    seeds = rng.integers(2**63, size=len(chips))
    order = rng.permutation(len(chips))
    return tuple(chips[at]._replace(seed=int(seeds[at])) for at in order)
