"""Leaks: training chips that overlap held-out chips, or lie too near to them.

`random_split` makes them, so that a lesson can show what they do to a score: the same network is
scored better than it maps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tiling.chips import Chip
from tiling.errors import TilingError

_PAIRS_AT_ONCE = 1 << 22


def find_leaks(
    training: Sequence[Chip],
    held_out: Sequence[Chip],
    *,
    buffer: int,
    origins: Sequence[tuple[int, int]] | None = None,
) -> NDArray[np.bool_]:
    """Find the training chips that lie nearer than the buffer to a held-out chip.

    Parameters
    ----------
    training, held_out : sequence of Chip
        Chips of two parts.
    buffer : int
        Least distance, px: the larger of the gap along rows and the gap along columns. With 0,
        chips may touch and not overlap.
    origins : sequence of (int, int), optional
        First pixel of each scene in a grid that all share, px. By default no two scenes show the
        same place or one near it.

    Returns
    -------
    ndarray of bool, shape (n,)
        True where a training chip leaks.

    Raises
    ------
    TilingError
        If `buffer` is negative.

    Examples
    --------
    >>> from tiling.chips import grid_positions
    >>> one, two, three = grid_positions([(4, 12)], 4)
    >>> find_leaks([one, two], [three], buffer=4).tolist()
    [False, True]
    """
    if buffer < 0:
        raise TilingError(f"buffer must be at least 0 px: got buffer={buffer} (try the tile)")
    ours, theirs = _bounds(training, origins), _bounds(held_out, origins)
    step = max(_PAIRS_AT_ONCE // max(len(theirs), 1), 1)
    pieces = [ours[i : i + step, None] for i in range(0, len(ours), step)]
    leaks = [_near(piece, theirs, buffer).any(axis=1) for piece in pieces]
    return np.concatenate([np.zeros(0, np.bool_), *leaks])


def check_split(
    training: Sequence[Chip],
    held_out: Sequence[Chip],
    *,
    buffer: int,
    origins: Sequence[tuple[int, int]] | None = None,
) -> None:
    """Refuse a split that leaks.

    Parameters
    ----------
    training, held_out : sequence of Chip
        Chips of two parts.
    buffer, origins : int and sequence of (int, int)
        See `find_leaks`.

    Raises
    ------
    TilingError
        If any training chip leaks; says how many.
    """
    leaks = int(find_leaks(training, held_out, buffer=buffer, origins=origins).sum())
    if leaks:
        raise TilingError(
            f"{leaks} of {len(training)} training chips overlap a held-out chip or lie nearer "
            f"than {buffer} px to one, so the held-out score would flatter the network: split by "
            "blocks with a buffer (split_scenes)"
        )


def random_split(
    chips: Sequence[Chip], shares: tuple[float, float, float] = (0.6, 0.2, 0.2), *, seed: int = 0
) -> tuple[tuple[Chip, ...], tuple[Chip, ...], tuple[Chip, ...]]:
    """Deal chips to training, validation and held-out by chance: this leaks.

    Neighbours, overlapping ones too, land in different parts. It is here to show what that
    costs, not to be used.

    Parameters
    ----------
    chips : sequence of Chip
        Chips of all scenes.
    shares : tuple of float
        Shares of the three parts; they sum to 1.
    seed : int, default 0
        Another seed deals them otherwise.

    Returns
    -------
    training, validation, held_out : tuple of Chip
        Every chip once.

    Raises
    ------
    TilingError
        If the shares do not sum to 1.
    """
    if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise TilingError(
            "shares of training, validation and held-out must be at least 0 and sum to 1: got "
            f"{', '.join(map(str, shares))} (try 0.6, 0.2, 0.2)"
        )
    order = np.random.default_rng(seed).permutation(len(chips))
    first, second = (round(share * len(chips)) for share in np.cumsum(shares)[:2])
    training, validation, held_out = (
        tuple(chips[i] for i in part) for part in np.split(order, (first, second))
    )
    return training, validation, held_out


def _bounds(chips: Sequence[Chip], origins: Sequence[tuple[int, int]] | None) -> NDArray[np.int64]:
    """Frame, top, left, bottom and right of each chip without its padding, (n, 5)."""
    bounds = np.zeros((len(chips), 5), np.int64)
    for found, chip in zip(bounds, chips, strict=True):
        window = chip.window
        top, left = origins[chip.scene] if origins else (0, 0)
        top, left = top + window.row, left + window.col
        bottom, right = top + window.height, left + window.width
        frame = 0 if origins else chip.scene
        found[:] = (frame, top, left, bottom - chip.padding[0], right - chip.padding[1])
    return bounds


def _near(ours: NDArray[np.int64], theirs: NDArray[np.int64], buffer: int) -> NDArray[np.bool_]:
    return (
        (ours[..., 0] == theirs[..., 0])
        & (ours[..., 1] < theirs[..., 3] + buffer)
        & (theirs[..., 1] < ours[..., 3] + buffer)
        & (ours[..., 2] < theirs[..., 4] + buffer)
        & (theirs[..., 2] < ours[..., 4] + buffer)
    )
