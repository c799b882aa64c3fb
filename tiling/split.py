"""Split scenes into training, validation and held-out ground, block by block, with a buffer.

Neighbouring pixels are alike. Where training and held-out chips touch or overlap, the score tells
how well the network remembers, not how well it maps [1]_. So whole blocks go to one part, a chip
belongs to a part only if it lies wholly in it, and a buffer as wide as a chip belongs to none.

References
----------
.. [1] D. R. Roberts et al., "Cross-validation strategies for data with temporal, spatial,
   hierarchical, or phylogenetic structure", Ecography 40 (2017) 913-929.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tiling.blocks import Blocks, assign_blocks, choose_blocks, make_blocks, sweep_cells
from tiling.buffer import leave_buffer
from tiling.errors import TilingError
from tiling.label_index import LabelIndex
from tiling.room import covered_cells, make_room
from tiling.split_settings import SplitSettings
from tiling.windows import Window

Part = Literal["training", "validation", "held_out"]
How = Literal["blocks", "scenes", "groups", "strips", "named"]
PARTS: tuple[Part, ...] = ("training", "validation", "held_out")
NO_PART = -1
"""Value of cells that belong to no part, because they lie in the buffer."""
SERVED = 0.5
"""A part is well served with at least this much of its share left by the buffer."""
Parts = tuple[NDArray[np.int8], ...]


@dataclass(frozen=True, eq=False)
class Split:
    """Which cells belong to which part.

    Attributes
    ----------
    settings : SplitSettings
        How it was made.
    how : str
        "blocks", "scenes", "groups" of near scenes, or "strips" where the scenes were too small
        for blocks; "named" where somebody named the scenes of each part.
    block : int or None
        Side of a block, px; None unless split by blocks.
    cell : int
        Side of a cell, px.
    parts : tuple of ndarray of int8, shape (rows, cols) each
        Position in `PARTS` of every cell, scene by scene; `NO_PART` in the buffer.
    counts : ndarray of int64, shape (4, K)
        Labelled pixels of each class that chips can hold: training, validation, held-out; and
        last, those lost to the buffer or out of every chip's way.
    """

    settings: SplitSettings
    how: How
    block: int | None
    cell: int
    parts: Parts
    counts: NDArray[np.int64]

    def cells(self, part: Part) -> tuple[NDArray[np.bool_], ...]:
        """Cells of one part, scene by scene, (rows, cols) each."""
        number = PARTS.index(part)
        return tuple(found == number for found in self.parts)

    @property
    def missing(self) -> tuple[tuple[Part, int], ...]:
        """Parts that lack a class which occurs elsewhere: (part, class index)."""
        lacking = self.counts.any(axis=0) & (self.counts[:3] == 0)
        lacking &= np.asarray(self.settings.shares)[:, None] > 0
        return tuple((PARTS[i], int(k)) for i, k in zip(*np.nonzero(lacking), strict=True))


def split_scenes(indexes: Sequence[LabelIndex], settings: SplitSettings) -> Split:
    """Split scenes by blocks with a buffer.

    Parameters
    ----------
    indexes : sequence of LabelIndex
        One a scene: from `index_labels`, or from `plain_index` where no labels are known.
    settings : SplitSettings
        How to split.

    Returns
    -------
    Split
        By the largest blocks of which there are enough; by larger ones or by strips where the
        buffer would leave a part less than half of its share.

    Raises
    ------
    TilingError
        If the settings cannot work, the scenes do not belong together, or even strips leave a
        part without room.

    Examples
    --------
    >>> from tiling.label_index import plain_index
    >>> split = split_scenes([plain_index((1024, 1024), cell=32)], SplitSettings(tile=64))
    >>> split.how, split.block, split.missing
    ('blocks', 192, ())
    """
    _check_scenes(indexes)
    tried = []
    for blocks in _ways(indexes, settings):
        tried.append(_best_split(indexes, settings, blocks))
        if _merit(tried[-1])[-1] >= SERVED:
            break
    split = max(tried, key=_merit)
    _refuse_empty(split, f"{'leave block out, ' if settings.block else ''}or add scenes")
    return split


def split_named(
    indexes: Sequence[LabelIndex], parts: Sequence[Part], settings: SplitSettings
) -> Split:
    """Split scenes as somebody named them, with the buffer between neighbours.

    Parameters
    ----------
    indexes : sequence of LabelIndex
        One a scene.
    parts : sequence of str
        The part of each scene.
    settings : SplitSettings
        Tile and buffer; shares, block and seed are not used.

    Returns
    -------
    Split
        Whole scenes, less what lies nearer than the buffer to a part that must not be known.

    Raises
    ------
    TilingError
        If the scenes do not belong together, or a part is left without room.
    """
    _check_scenes(indexes)
    drawn = tuple(
        np.full(index.grid, PARTS.index(part), np.int8)
        for index, part in zip(indexes, parts, strict=True)
    )
    left = leave_buffer(indexes, drawn, buffer=settings.buffer_px)
    counts = _part_counts(indexes, left, settings.tile)
    split = Split(settings, "named", None, indexes[0].cell, left, counts)
    _refuse_empty(split, "or name other scenes")
    return split


def _ways(indexes: Sequence[LabelIndex], settings: SplitSettings) -> tuple[Blocks | None, ...]:
    """Give the ways to split, best first; None stands for strips."""
    if settings.block is None:
        return (*choose_blocks(indexes, settings.tile), None)
    if settings.block == "group":
        return (make_blocks(indexes, None, near=settings.buffer_px),)
    return (make_blocks(indexes, None if settings.block == "scene" else settings.block),)


def _best_split(
    indexes: Sequence[LabelIndex], settings: SplitSettings, blocks: Blocks | None
) -> Split:
    """Try several splits; again with classes kept whole which training would never see."""
    rngs = np.random.default_rng(settings.seed).spawn(2 * settings.tries)
    first, second = rngs[: settings.tries], rngs[settings.tries :]
    best = max((_one_split(indexes, settings, blocks, rng) for rng in first), key=_merit)
    never_seen = [k for part, k in best.missing if part == "training"]
    if blocks is None or not never_seen:
        return best
    kept = np.asarray((blocks.counts[:, never_seen] > 0).any(axis=1))
    whole = replace(blocks, kept=kept)
    again = (_one_split(indexes, settings, whole, rng) for rng in second)
    return max(best, *again, key=_merit)


def _merit(split: Split) -> tuple[int, int, int, float]:
    """Rank splits: no part empty, every class in training, in all parts, the worst served part."""
    wanted = np.asarray(split.settings.shares) * split.counts.sum()
    kept = split.counts[:3].sum(axis=1)[wanted > 0] / wanted[wanted > 0]
    never_seen = sum(part == "training" for part, _ in split.missing)
    return -len(_empty_parts(split)), -never_seen, -len(split.missing), float(kept.min())


def _one_split(
    indexes: Sequence[LabelIndex],
    settings: SplitSettings,
    blocks: Blocks | None,
    rng: np.random.Generator,
) -> Split:
    how: How = "strips"
    if blocks is None:
        sweep: Any = {"angle": rng.uniform(0, 2 * np.pi), "order": rng.permutation(len(PARTS))}
        drawn = tuple(sweep_cells(index, settings.shares, **sweep) for index in indexes)
    else:
        whole: How = "groups" if settings.block == "group" else "scenes"
        how = "blocks" if blocks.size else whole
        of_block = assign_blocks(blocks, settings.shares, rng=rng)
        drawn = tuple(of_block[numbers] for numbers in blocks.of_cell)
    parts = leave_buffer(indexes, drawn, buffer=settings.buffer_px)
    counts = _part_counts(indexes, parts, settings.tile)
    size = blocks.size if blocks else None
    return Split(settings, how, size, indexes[0].cell, parts, counts)


def _part_counts(indexes: Sequence[LabelIndex], parts: Parts, tile: int) -> NDArray[np.int64]:
    """Labelled pixels by part and class that chips can hold, and the lost ones, (4, K)."""
    counts = np.zeros((len(PARTS) + 1, indexes[0].n_classes), np.int64)
    for index, found in zip(indexes, parts, strict=True):
        counts[-1] += index.counts.sum(axis=(0, 1))
        for number in range(len(PARTS)):
            room = make_room(index.shape, tile, cell=index.cell, allowed=found == number)
            held = index.counts[covered_cells(room, index.grid)].sum(axis=0)
            counts[number] += held
            counts[-1] -= held
    return counts


def _refuse_empty(split: Split, or_else: str) -> None:
    empty, settings = _empty_parts(split), split.settings
    if empty:
        raise TilingError(
            f"no chip of tile={settings.tile} px with labels is left for {' and '.join(empty)} "
            f"when parts lie buffer={settings.buffer_px} px apart: choose a smaller tile, such as "
            f"tile={max(settings.tile // 2, 1)}, {or_else}"
        )


def _empty_parts(split: Split) -> list[str]:
    shares = split.settings.shares
    return [
        part.replace("_", "-")
        for part, share, counts in zip(PARTS, shares, split.counts, strict=False)
        if share > 0 and not counts.any()
    ]


def part_mask(split: Split, scene: int, window: Window, *, part: Part) -> NDArray[np.bool_]:
    """Mark the pixels of a window that belong to a part.

    With it a map of the whole scene is scored on held-out ground, each pixel once.

    Parameters
    ----------
    split : Split
        The split.
    scene : int
        Position of the scene.
    window : Window
        Pixels in question, inside the scene.
    part : str
        One of `PARTS`.

    Returns
    -------
    ndarray of bool, shape (height, width)
        True in the part.
    """
    rows, cols = (
        np.arange(start, start + length) // split.cell
        for start, length in ((window.row, window.height), (window.col, window.width))
    )
    return split.parts[scene][np.ix_(rows, cols)] == PARTS.index(part)


def _check_scenes(indexes: Sequence[LabelIndex]) -> None:
    if not indexes:
        raise TilingError("there is no scene to split: give at least one")
    for name, values in {
        "classes": {index.n_classes for index in indexes},
        "px a cell": {index.cell for index in indexes},
    }.items():
        if len(values) > 1:
            raise TilingError(
                f"all scenes must be counted alike: got {' and '.join(map(str, sorted(values)))} "
                f"{name} (count them again with one setting)"
            )
    if len({index.origin is None for index in indexes}) > 1:
        raise TilingError(
            "either all scenes have an origin in a common grid, or none: got "
            f"{sum(index.origin is None for index in indexes)} of {len(indexes)} without "
            "(give the others theirs, so that neighbours are known)"
        )
    if not any(index.counts.any() for index in indexes):
        raise TilingError(
            f"none of the {len(indexes)} scenes holds a labelled pixel: check that the labels "
            "lie on the scenes, and their class values"
        )
