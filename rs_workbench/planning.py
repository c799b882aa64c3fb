"""The plan of a run: tile, margin, batch and panels, from the model's geometry and the budget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rs_workbench.card import ModelCard
from rs_workbench.errors import UsageError
from rs_workbench.types import Blend
from tiling import Grid, cut_panels, make_grid, round_up

TILES = (512, 768, 1024)
"""Sides to choose from, px; the first whose overlap costs at most `FAIR_COST` is taken."""
SMALL_TILES = (128, 256, 384)
"""Sides for when memory has no room for those: hundreds of bands, say. The largest that fits."""
FAIR_COST = 1.6
DEAREST_COST = 2.6
"""Where an exact map costs more forward passes than this per pixel, the effective reach serves."""
BATCH = 4
PANEL_WIDTH = 2304
"""Widest panel, px, whatever the memory, so that wide scenes take no more than square ones."""
BYTES_PER_TILE_PIXEL = 512
"""What a network keeps per pixel of a tile while it works: 64 float32 channels, twice."""
QUEUED_BATCHES = 4
"""Batches between reader and writer: one in each hand, two waiting."""


@dataclass(frozen=True)
class Load:
    """What a pixel of this job weighs, for the byte budget.

    `pixel_bytes` is that of one scene pixel as read, all chosen bands; `layer_bytes` that of one
    pixel of output. `block` is the height and width of the file's blocks, px.
    """

    shape: tuple[int, int]
    block: tuple[int, int]
    pixel_bytes: int
    layer_bytes: int
    n_bands: int
    n_classes: int


@dataclass(frozen=True)
class Plan:
    """How a scene will be worked through; kept in the journal, so that a rerun repeats it."""

    tile: int
    margin: int
    stride: int
    reach: int | None
    blend: Blend
    exact: bool
    batch: int
    panel_width: int
    row_step: int
    fixed: bool = False

    def grid(self, shape: tuple[int, int]) -> Grid:
        """Lay the tiles over a scene of this height and width."""
        return make_grid(
            shape,
            self.tile,
            margin=self.margin,
            stride=self.stride,
            blend=self.blend != "crop",
            fixed=self.fixed,
        )

    def panels(self, grid: Grid) -> tuple[range, ...]:
        """Group the tile columns so that a panel fits the budget."""
        return cut_panels(grid.cols, self.panel_width)

    def as_dict(self) -> dict[str, Any]:
        """Give plain values for the journal."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Plan:
        """Take them back."""
        return cls(**values)


@dataclass(frozen=True)
class Wishes:
    """What the user fixed; None is left to the plan."""

    tile: int | None = None
    overlap: int | None = None
    blend: Blend = "crop"
    batch: int | None = None


def make_plan(card: ModelCard, load: Load, wishes: Wishes, *, free_bytes: int) -> Plan:
    """Choose tile, margin, batch and panel width.

    Parameters
    ----------
    card : ModelCard
        Gives stride, reach, tile and fixed size.
    load : Load
        Weights of the scene's and the map's pixels.
    wishes : Wishes
        What the user fixed.
    free_bytes : int
        Bytes this run may still take, the loaded model not counted.

    Returns
    -------
    Plan
        Exact where the centre crop's margin is at least the reach.

    Raises
    ------
    UsageError
        If tile and overlap contradict each other or the model, or the budget is too small.
    """
    fixed = _fixed_side(card)
    tile, margin = _tile_and_margin(card, load, wishes, fixed, free_bytes)
    grid = make_grid(load.shape, tile, margin=margin, stride=card.stride, fixed=bool(fixed))
    reached = card.reach is not None and margin >= card.reach
    batch, width = _fit(load, grid, wishes, free_bytes)
    return Plan(
        tile=tile,
        margin=margin,
        stride=card.stride,
        reach=card.reach,
        blend=wishes.blend,
        exact=(wishes.blend == "crop" and reached) or grid.n_tiles == 1,
        batch=batch,
        panel_width=width,
        row_step=_row_step(load.block[0]),
        fixed=bool(fixed),
    )


def plan_bytes(plan: Plan, load: Load) -> int:
    """Bytes that a run with this plan holds at most, the network's own use estimated.

    Parameters
    ----------
    plan : Plan
        The plan.
    load : Load
        Weights of the scene's and the map's pixels.

    Returns
    -------
    int
        Buffers of the widest panel, batches under way, and the network on one tile.
    """
    grid = plan.grid(load.shape)
    width = max(grid.cols[p[-1]].stop - grid.cols[p[0]].start for p in plan.panels(grid))
    network = grid.tile[0] * grid.tile[1] * BYTES_PER_TILE_PIXEL
    column = _column_bytes(load, grid.tile[0], bool(grid.ramp))
    return _batch_bytes(load, grid.tile, plan.batch) + width * column + network


def _fixed_side(card: ModelCard) -> int | None:
    if card.fixed_size is None:
        return None
    height, width = card.fixed_size
    if height != width:
        raise UsageError(
            f"'{card.name}' takes tiles of {height} x {width} px only, and tiles here are square: "
            "export it with free height and width"
        )
    return height


def _tile_and_margin(
    card: ModelCard, load: Load, wishes: Wishes, fixed: int | None, free_bytes: int
) -> tuple[int, int]:
    if fixed and wishes.tile not in (None, fixed):
        raise UsageError(
            f"'{card.name}' takes tiles of {fixed} px only: got --tile {wishes.tile}; leave "
            "--tile out"
        )
    tile = fixed or wishes.tile
    wanted = _margins(card, wishes)
    if tile is None:
        tile = _choose_tile(card, load, wishes, wanted, free_bytes)
    if len(wanted) > 1 and _cost(tile, wanted[0]) > DEAREST_COST:
        return tile, wanted[1]
    return tile, wanted[0]


def _margins(card: ModelCard, wishes: Wishes) -> tuple[int, ...]:
    """Margins worth trying, the exact one first."""
    if wishes.overlap is not None:
        if wishes.overlap < 0:
            raise UsageError(f"--overlap must be at least 0 px: got {wishes.overlap}")
        return (round_up(math.ceil(wishes.overlap / 2), card.stride),)
    reaches = [r for r in (card.reach, card.effective_reach) if r is not None]
    return tuple(round_up(r, card.stride) for r in reaches) or (round_up(64, card.stride),)


def _choose_tile(
    card: ModelCard, load: Load, wishes: Wishes, margins: tuple[int, ...], free_bytes: int
) -> int:
    if card.tile is not None and _cost(card.tile, margins[0]) <= DEAREST_COST:
        return card.tile
    sides = [round_up(side, card.stride) for side in (*SMALL_TILES, *TILES)]
    possible = [side for side in sides if side > 2 * margins[-1]] or sides[-1:]
    blended = wishes.blend != "crop"
    affordable = [
        side
        for side in possible
        if _least_bytes(load, _clip(side, load, card.stride), wishes, blended) <= free_bytes
    ]
    fair = [s for s in affordable if s >= TILES[0] and _cost(s, margins[0]) <= FAIR_COST]
    return (fair or affordable[-1:] or possible[:1])[0]


def _clip(side: int, load: Load, stride: int) -> tuple[int, int]:
    """Height and width of a tile in a scene that may be smaller."""
    height, width = (min(side, round_up(length, stride)) for length in load.shape)
    return height, width


def _cost(tile: int, margin: int) -> float:
    """Forward passes per pixel, against tiles without overlap."""
    core = tile - 2 * margin
    return (tile / core) ** 2 if core > 0 else math.inf


def _row_step(block_height: int) -> int:
    """Read at least 64 rows at once and whole blocks, unless one block is half a scene."""
    return round_up(64, block_height) if block_height <= 1024 else 512


def _fit(load: Load, grid: Grid, wishes: Wishes, free_bytes: int) -> tuple[int, int]:
    """Batch and panel width that fit; half of what is free is the network's, if that is enough."""
    budget, tile, blended = free_bytes / 2, grid.tile, bool(grid.ramp)
    batch = min(wishes.batch or BATCH, grid.n_tiles)
    while batch > 1 and wishes.batch is None and _batch_bytes(load, tile, batch) > budget / 2:
        batch //= 2
    left = budget - _batch_bytes(load, tile, batch)
    widest = int(left // _column_bytes(load, tile[0], blended))
    if widest < tile[1]:
        _check_least(load, tile, wishes, blended, free_bytes)
        return wishes.batch or 1, tile[1]
    if load.block[1] < load.shape[1]:  # a file in whole-width strips is best read in whole width
        widest = min(widest, max(PANEL_WIDTH, tile[1]))
    return batch, min(widest, load.shape[1] + tile[1])


def _check_least(
    load: Load, tile: tuple[int, int], wishes: Wishes, blended: bool, free_bytes: int
) -> None:
    needed = _least_bytes(load, tile, wishes, blended)
    if needed > free_bytes:
        raise UsageError(
            f"too little memory for tiles of {tile[1]} px: {free_bytes / 1e6:.0f} MB are "
            f"left beside the loaded model, {needed / 1e6:.0f} MB are needed: give more --memory "
            "or a smaller --tile or --batch"
        )


def _least_bytes(load: Load, tile: tuple[int, int], wishes: Wishes, blended: bool) -> int:
    """Estimate what a panel one tile wide takes, batches and network included."""
    batches = _batch_bytes(load, tile, wishes.batch or 1)
    network = 2 * tile[0] * tile[1] * BYTES_PER_TILE_PIXEL
    return batches + _column_bytes(load, tile[0], blended) * tile[1] + network


def _batch_bytes(load: Load, tile: tuple[int, int], batch: int) -> int:
    return QUEUED_BATCHES * batch * tile[0] * tile[1] * 4 * (load.n_bands + load.n_classes)


def _column_bytes(load: Load, height: int, blended: bool) -> int:
    """Bytes of everything held that grows with the width of a panel, a pixel column."""
    step = _row_step(load.block[0])
    read = (height + 4 * step) * (load.pixel_bytes + 1)
    written = 2 * height * (load.layer_bytes + 2)
    mixed = 3 * height * load.n_classes * 4 if blended else 0
    return read + written + mixed
