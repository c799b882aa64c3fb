"""Blocks of held-out chips: the units whose chance the intervals show.

Errors of neighbouring chips go together, so that intervals from single chips would be too narrow.
Chips are therefore joined into squares, as large as still leaves enough of them. They depend on
the held-out chips alone: runs with the same split have the same blocks, and can be compared block
by block.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import UsageError
from rs_workbench.training.history import write_whole

if TYPE_CHECKING:
    from tiling.chips import Chip

ENOUGH = 20
"""Blocks that are wanted; smaller ones are taken where larger ones are fewer."""
NPZ_NAME = "held_out_blocks.npz"
COMMON = -1
"""Position of the scene where all scenes lie in one grid."""


@dataclass(frozen=True, eq=False)
class HeldOutBlocks:
    """Confusion by block.

    Attributes
    ----------
    side : int
        Side of a block, px.
    places : ndarray of int64, shape (n, 3)
        Position of the scene, row and column of each block in its grid of blocks; scenes that lie
        in one grid are one, at -1.
    confusion : ndarray of int64, shape (n, K, K)
        Rows map, columns reference.
    """

    side: int
    places: NDArray[np.int64]
    confusion: NDArray[np.int64]

    @property
    def in_one_grid(self) -> bool:
        """Whether rows and columns alone tell the blocks apart."""
        return len(np.unique(self.places[:, 0])) == 1


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which block each chip belongs to.

    Attributes
    ----------
    side : int
        Side of a block, px.
    places : ndarray of int64, shape (n, 3)
        See `HeldOutBlocks`.
    of_chip : ndarray of intp, shape (n_chips,)
        Position of each chip's block.
    """

    side: int
    places: NDArray[np.int64]
    of_chip: NDArray[np.intp]

    def add_up(self, counts: NDArray[np.int64]) -> HeldOutBlocks:
        """Add the counts of chips, (n_chips, K, K), up to those of their blocks."""
        total = np.zeros((len(self.places), *counts.shape[1:]), np.int64)
        np.add.at(total, self.of_chip, counts)
        return HeldOutBlocks(self.side, self.places, total)


def group_chips(
    chips: Sequence[Chip],
    tile: int,
    *,
    block: int | None = None,
    origins: Sequence[tuple[int, int]] | None = None,
) -> Grouping:
    """Join chips into blocks.

    Parameters
    ----------
    chips : sequence of Chip
        Held-out chips.
    tile : int
        Side of a chip, px: the least side of a block.
    block : int, optional
        Side of the blocks of the split, px: the largest side; by default a whole scene.
    origins : sequence of (int, int), optional
        First pixel of each scene in a grid that all share, px.

    Returns
    -------
    Grouping
        By the largest blocks of which there are at least `ENOUGH`; else by the smallest.

    Examples
    --------
    >>> from tiling.chips import grid_positions
    >>> found = group_chips(grid_positions([(80, 80)], 8), 8)
    >>> found.side, len(found.places)
    (16, 25)
    """
    centres = np.array([_centre(chip, origins) for chip in chips], np.int64).reshape(-1, 3)
    side = block or _whole(centres, tile)
    while True:
        keys = centres.copy()
        keys[:, 1:] //= side
        places, of_chip = np.unique(keys, axis=0, return_inverse=True)
        if len(places) >= ENOUGH or side // 2 < tile:
            return Grouping(side, places, of_chip.reshape(-1))
        side //= 2


def _whole(centres: NDArray[np.int64], tile: int) -> int:
    """Side of a block that holds a whole scene, tile times a power of two, px."""
    side = tile
    while len(centres) and side <= np.abs(centres[:, 1:]).max():
        side *= 2
    return side


def _centre(chip: Chip, origins: Sequence[tuple[int, int]] | None) -> tuple[int, int, int]:
    core = chip.core
    row, col = core.row + core.height // 2, core.col + core.width // 2
    if origins is None:
        return chip.scene, row, col
    return COMMON, origins[chip.scene][0] + row, origins[chip.scene][1] + col


def write_blocks(folder: Path, blocks: HeldOutBlocks) -> Path:
    """Write the blocks of a run.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    blocks : HeldOutBlocks
        Of its held-out chips.

    Returns
    -------
    Path
        ``held_out_blocks.npz``: arrays `confusion`, `places` and `side`.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written to.
    """
    stream = io.BytesIO()
    np.savez_compressed(
        stream, confusion=blocks.confusion, places=blocks.places, side=np.int64(blocks.side)
    )
    write_whole(folder / NPZ_NAME, stream.getvalue())
    return folder / NPZ_NAME


def read_blocks(folder: Path) -> HeldOutBlocks:
    """Read the blocks of a run.

    Parameters
    ----------
    folder : Path
        Folder of the run.

    Returns
    -------
    HeldOutBlocks
        As they were written.

    Raises
    ------
    UsageError
        If the run has none.
    """
    path = folder / NPZ_NAME
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return HeldOutBlocks(int(arrays["side"]), arrays["places"], arrays["confusion"])
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"'{path}' cannot be read ({error}): a finished run of rsw train has it"
        ) from error


def align_blocks(runs: Sequence[HeldOutBlocks]) -> tuple[NDArray[np.int64], ...]:
    """Put the blocks of several runs beside each other.

    Parameters
    ----------
    runs : sequence of HeldOutBlocks
        Of runs with the same split.

    Returns
    -------
    tuple of ndarray of int64, shape (n, K, K)
        Confusions in the same order of blocks.

    Raises
    ------
    UsageError
        If the runs have other blocks or classes.
    """
    first = runs[0]
    for other in runs[1:]:
        if (
            other.side != first.side
            or other.confusion.shape != first.confusion.shape
            or not np.array_equal(other.places, first.places)
        ):
            raise UsageError(
                "runs can be compared block by block only where they share split and classes: got "
                f"{_words(first)} and {_words(other)}"
            )
    return tuple(run.confusion for run in runs)


def _words(blocks: HeldOutBlocks) -> str:
    return (
        f"{len(blocks.places)} blocks of {blocks.side} px with {blocks.confusion.shape[-1]} "
        "classes"
    )
