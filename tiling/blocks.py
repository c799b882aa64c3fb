"""Blocks: pieces of ground that go to one part of a split as a whole.

A block is a square of the ground or a whole scene. Cells belong to the block in which their
centre lies; so two scenes of one place, taken at two dates, share their blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tiling.buffer import near_scenes
from tiling.label_index import LabelIndex

ENOUGH_BLOCKS = 20
"""Blocks of equal weight that the choice of a block size tries to have."""
FEWEST_BLOCKS = 6
"""With fewer, chance decides what a part looks like."""
_TILES_A_BLOCK = (8, 6, 4, 3, 2, 1)


@dataclass(frozen=True, eq=False)
class Blocks:
    """Blocks of all scenes.

    Attributes
    ----------
    size : int or None
        Side of a block, px; None where whole scenes are blocks.
    of_cell : tuple of ndarray of intp, shape (rows, cols) each
        Number of the block that each cell belongs to, scene by scene.
    counts : ndarray of int64, shape (n_blocks, K)
        Labelled pixels of each class.
    kept : ndarray of bool, shape (n_blocks,)
        Blocks that go to training in any case.
    """

    size: int | None
    of_cell: tuple[NDArray[np.intp], ...]
    counts: NDArray[np.int64]
    kept: NDArray[np.bool_]


def make_blocks(
    indexes: Sequence[LabelIndex], size: int | None, *, near: int | None = None
) -> Blocks:
    """Cut scenes into blocks.

    Parameters
    ----------
    indexes : sequence of LabelIndex
        One a scene.
    size : int or None
        Side of a block, px; None to take whole scenes.
    near : int, optional
        Whole scenes that lie nearer to one another than this make one block, px.

    Returns
    -------
    Blocks
        Numbered in reading order, scene by scene.

    Examples
    --------
    >>> from tiling.label_index import plain_index
    >>> make_blocks([plain_index((4, 8), cell=2)], 4).of_cell[0].tolist()
    [[0, 0, 1, 1], [0, 0, 1, 1]]
    """
    groups = range(len(indexes)) if near is None else _group(indexes, near)
    keys = [_block_keys(index, size, at) for index, at in zip(indexes, groups, strict=True)]
    _, numbers = np.unique(np.concatenate(keys), axis=0, return_inverse=True)
    ends = np.cumsum([len(key) for key in keys])[:-1]
    of_cell = tuple(
        found.reshape(index.grid)
        for found, index in zip(np.split(numbers.ravel(), ends), indexes, strict=True)
    )
    counts = np.zeros((numbers.max() + 1, indexes[0].n_classes), np.int64)
    for found, index in zip(of_cell, indexes, strict=True):
        np.add.at(counts, found.ravel(), index.counts.reshape(-1, index.n_classes))
    return Blocks(size, of_cell, counts, np.zeros(len(counts), np.bool_))


def _group(indexes: Sequence[LabelIndex], near: int) -> list[int]:
    """Give each scene the number of its group; a chain of near scenes is one."""
    group = list(range(len(indexes)))
    for one, other in near_scenes(indexes, near):
        kept, joined = sorted((group[one], group[other]))
        group = [kept if number == joined else number for number in group]
    return group


def _block_keys(index: LabelIndex, size: int | None, scene: int) -> NDArray[np.int64]:
    """(frame, row, col) of the block of each cell, in reading order of the cells."""
    rows, cols = index.grid
    keys = np.zeros((rows, cols, 3), np.int64)
    if size is None:
        keys[..., 0] = scene
        return keys.reshape(-1, 3)
    top, left = index.origin or (0, 0)
    half = index.cell // 2
    keys[..., 0] = -1 if index.origin else scene
    keys[..., 1] = ((np.arange(rows) * index.cell + half + top) // size)[:, None]
    keys[..., 2] = (np.arange(cols) * index.cell + half + left) // size
    return keys.reshape(-1, 3)


def choose_blocks(indexes: Sequence[LabelIndex], tile: int) -> tuple[Blocks, ...]:
    """Choose the largest blocks of which there are enough: whole scenes, or squares.

    Parameters
    ----------
    indexes : sequence of LabelIndex
        One a scene.
    tile : int
        Side of a chip, px; squares are 1 to 8 chips wide.

    Returns
    -------
    tuple of Blocks
        First the largest with `ENOUGH_BLOCKS` blocks of equal weight, or else the smallest there
        are; then larger ones, of which there are fewer, but which lose less to a buffer.
    """
    larger: list[Blocks] = []
    for size in (None, *(n * tile for n in _TILES_A_BLOCK)):
        blocks = make_blocks(indexes, size)
        n_blocks = n_effective(blocks.counts.sum(axis=1))
        if n_blocks >= FEWEST_BLOCKS or size == tile:
            larger.append(blocks)
        if n_blocks >= ENOUGH_BLOCKS:
            break
    return tuple(reversed(larger))


def n_effective(pixels: NDArray[np.int64]) -> float:
    """Count blocks as if all were equally large.

    Parameters
    ----------
    pixels : ndarray of int64, shape (n_blocks,)
        Labelled pixels of each block.

    Returns
    -------
    float
        Inverse of the sum of squared shares; 0 where nothing is labelled.

    References
    ----------
    .. [1] M. O. Hill, "Diversity and evenness: a unifying notation and its consequences",
       Ecology 54 (1973) 427-432: the number N2.

    Examples
    --------
    >>> n_effective(np.array([5, 5, 5, 5])), round(n_effective(np.array([97, 1, 1, 1])), 2)
    (4.0, 1.06)
    """
    total = float(pixels.sum())
    return 1.0 / float(((pixels / total) ** 2).sum()) if total else 0.0


def assign_blocks(
    blocks: Blocks, shares: Sequence[float], *, rng: np.random.Generator
) -> NDArray[np.int8]:
    """Give blocks to parts, so that each part gets its share of each class.

    Classes that occur in the fewest blocks come first, and of their blocks the fullest. A block
    goes to the part that has least of the class for its share, the first of a class to part 0. So
    each part gets one block of a class before any gets a second, and training before the others.

    Parameters
    ----------
    blocks : Blocks
        All blocks.
    shares : sequence of float
        Share of each part; a part with share 0 gets nothing.
    rng : Generator
        Shuffles blocks of about the same count.

    Returns
    -------
    ndarray of int8, shape (n_blocks,)
        Part of each block. Blocks that are kept, or hold no label at all, go to part 0.

    References
    ----------
    .. [1] K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the stratification of multi-label data",
       ECML PKDD 2011, 145-158; the order of classes. The rule for parts is Adams' method of
       apportionment.

    Examples
    --------
    >>> from tiling.label_index import plain_index
    >>> blocks = make_blocks([plain_index((4, 20), cell=4)], 4)
    >>> assign_blocks(blocks, (0.6, 0.2, 0.2), rng=np.random.default_rng(0)).tolist()
    [1, 2, 0, 0, 0]
    """
    counts = blocks.counts
    parts = np.zeros(len(counts), np.int8)
    waiting = counts.any(axis=1) & ~blocks.kept
    taking = np.flatnonzero(np.asarray(shares) > 0)
    weight = np.asarray(shares, np.float64)[taking]
    have = np.zeros((len(taking), counts.shape[1]))
    have[0] = counts[blocks.kept].sum(axis=0)
    for k in np.argsort((counts > 0).sum(axis=0), kind="stable"):
        found = np.flatnonzero(waiting & (counts[:, k] > 0))
        fullest = np.argsort(-counts[found, k] * rng.uniform(0.5, 1.0, len(found)))
        for block in found[fullest]:
            lacks = _part_in_need(have[:, k] / weight, have.sum(axis=1) / weight)
            parts[block] = taking[lacks]
            have[lacks] += counts[block]
        waiting[found] = False
    return parts


def _part_in_need(of_class: NDArray[np.float64], of_all: NDArray[np.float64]) -> int:
    """Part that has least for its share; the first, where none has the class yet."""
    return int(np.lexsort((of_all, of_class))[0]) if of_class.any() else 0


def sweep_cells(
    index: LabelIndex, shares: Sequence[float], *, angle: float, order: Sequence[int]
) -> NDArray[np.int8]:
    """Cut a scene into one strip for each part: where scenes are small, strips lose least.

    Parameters
    ----------
    index : LabelIndex
        The scene.
    shares : sequence of float
        Share of the labelled pixels that each part gets.
    angle : float
        Direction in which the strips follow each other, radians.
    order : sequence of int
        Parts from the first strip to the last.

    Returns
    -------
    ndarray of int8, shape (rows, cols)
        Part of each cell.

    Examples
    --------
    >>> from tiling.label_index import plain_index
    >>> index = plain_index((2, 10), cell=2)
    >>> sweep_cells(index, (0.6, 0.2, 0.2), angle=0.0, order=(1, 0, 2)).tolist()
    [[1, 0, 0, 0, 2]]
    """
    rows, cols = np.indices(index.grid)
    along = np.round(np.cos(angle) * cols + np.sin(angle) * rows, 9).ravel()
    sweep = np.argsort(along, kind="stable")
    pixels = index.counts.sum(axis=2, dtype=np.int64).ravel()[sweep]
    middle = np.cumsum(pixels) - pixels / 2
    bounds = np.cumsum([shares[part] for part in order])[:-1] * pixels.sum()
    parts = np.empty(along.shape, np.int8)
    parts[sweep] = np.asarray(order)[np.searchsorted(bounds, middle, side="right")]
    return parts.reshape(index.grid)
