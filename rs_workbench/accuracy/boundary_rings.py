"""Rings: exact distances on a grid of pixels, as whole numbers that can be counted.

An offset of (dr, dc) pixels is ranked by its length. Ranks are integers, so counts of them add up
to the same figures in any order, and pixels need not be square.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import AccuracyError

MAX_REACH = 500
"""Longest distance that can be looked at, px."""
_ROUNDING = 1e-9  # relative; lengths this close are one length


@dataclass(frozen=True)
class Rings:
    """All lengths up to a longest one.

    Attributes
    ----------
    length : ndarray of float64, shape (n,)
        Lengths, in the unit of the pixel size, from 0 up.
    rank : ndarray of int32, shape (R + 2, C + 1)
        Place in `length` of the offset (dr, dc); n where it is longer than the longest.
    """

    length: NDArray[np.float64]
    rank: NDArray[np.int32]

    @property
    def reach(self) -> tuple[int, int]:
        """How far the longest length goes along rows and columns, px: (R, C)."""
        return self.rank.shape[0] - 2, self.rank.shape[1] - 1

    def count_within(self, distance: float) -> int:
        """Count the lengths up to `distance`, inclusive.

        Parameters
        ----------
        distance : float
            In the unit of the pixel size.

        Returns
        -------
        int
            Ranks below it are within the distance.
        """
        return int(np.count_nonzero(self.length <= distance * (1 + _ROUNDING)))

    def count_closer(self, distance: float) -> int:
        """Count the lengths below `distance`, exclusive.

        Parameters
        ----------
        distance : float
            In the unit of the pixel size.

        Returns
        -------
        int
            Ranks below it are closer than the distance.
        """
        return int(np.count_nonzero(self.length < distance * (1 - _ROUNDING)))


def make_rings(longest: float, pixel_size: tuple[float, float]) -> Rings:
    """Rank the offsets between pixels by length.

    Parameters
    ----------
    longest : float
        Longest distance, in the unit of the pixel size.
    pixel_size : tuple of float, (height, width)
        Size of a pixel.

    Returns
    -------
    Rings
        Lengths and ranks.

    Raises
    ------
    AccuracyError
        If a size is not above 0, or the distance spans more than 500 pixels.

    Examples
    --------
    >>> make_rings(2, (1, 1)).length.round(2).tolist()
    [0.0, 1.0, 1.41, 2.0]
    """
    if not all(0 < size < math.inf for size in (longest, *pixel_size)):
        raise AccuracyError(
            f"distances and pixel sizes must be above 0: got a distance of {longest} and pixels "
            f"of {pixel_size[0]} x {pixel_size[1]}"
        )
    spans = [math.floor(longest / size * (1 + _ROUNDING)) for size in pixel_size]
    if max(spans) > MAX_REACH:
        raise AccuracyError(
            f"borders can be compared up to {MAX_REACH} pixels apart: got a distance of "
            f"{longest:g}, which is {max(spans)} pixels; choose a shorter one"
        )
    down, across = (
        np.arange(n + 1) * size
        for n, size in zip((spans[0] + 1, spans[1]), pixel_size, strict=True)
    )
    lengths = np.hypot(down[:, None], across[None])
    order = np.argsort(lengths, axis=None, kind="stable")
    sorted_ = lengths.ravel()[order]
    new = np.diff(sorted_, prepend=-1.0) > _ROUNDING * sorted_
    rank = np.empty(lengths.size, np.int32)
    rank[order] = np.cumsum(new) - 1
    known = sorted_[new]
    known = known[known <= longest * (1 + _ROUNDING)]
    return Rings(known, np.minimum(rank, known.size).astype(np.int32).reshape(lengths.shape))


def rows_to_nearest(target: NDArray[np.bool_], limit: int) -> NDArray[np.int16]:
    """Measure how many rows away the nearest target in the same column is.

    Parameters
    ----------
    target : ndarray of bool, shape (H, W)
        Pixels looked for.
    limit : int
        Larger distances become this.

    Returns
    -------
    ndarray of int16, shape (H, W)
        0 to `limit`.
    """
    found = np.where(target, np.int16(0), np.int16(limit))
    step = np.empty(found.shape[1], np.int16)
    for order in (range(1, len(found)), range(len(found) - 2, -1, -1)):
        back = -order.step
        for row in order:
            np.add(found[row + back], 1, out=step)
            np.minimum(found[row], step, out=found[row])
    return found


def nearest_ranks(
    gaps: NDArray[np.int16], at: tuple[NDArray[np.intp], NDArray[np.intp]], rings: Rings
) -> NDArray[np.int32]:
    """Rank the distance from pixels to the nearest target.

    Parameters
    ----------
    gaps : ndarray of int16, shape (H, W)
        From `rows_to_nearest`, with R + 1 as its limit.
    at : tuple of ndarray of intp, shape (n,)
        Rows and columns of the pixels.
    rings : Rings
        Lengths to look for.

    Returns
    -------
    ndarray of int32, shape (n,)
        Ranks; the number of lengths where there is no target within the longest.
    """
    down, across = rings.reach
    padded = np.pad(gaps, ((0, 0), (across, across)), constant_values=down + 1)
    place = at[0] * padded.shape[1] + at[1] + across
    flat = padded.ravel()
    best = rings.rank[flat[place], 0]
    open_ = np.arange(best.size)
    for col in range(1, across + 1):
        open_ = open_[best[open_] > rings.rank[0, col]]
        if not open_.size:
            break
        here, ranks = place[open_], rings.rank[:, col]
        nearer = np.minimum(flat[here - col], flat[here + col])
        best[open_] = np.minimum(best[open_], ranks[nearer])
    return best


def closer_than(gaps: NDArray[np.int16], rings: Rings, n_ranks: int) -> NDArray[np.bool_]:
    """Find all pixels whose nearest target has one of the first ranks.

    Parameters
    ----------
    gaps : ndarray of int16, shape (H, W)
        From `rows_to_nearest`, with R + 1 as its limit.
    rings : Rings
        Lengths.
    n_ranks : int
        Number of ranks; at least 1.

    Returns
    -------
    ndarray of bool, shape (H, W)
        True where a target is that close.
    """
    height = np.count_nonzero(rings.rank < n_ranks, axis=0) - 1  # rows to go at each column
    near = gaps <= height[0]
    for col in range(1, min(gaps.shape[1], np.count_nonzero(height >= 0))):
        close = gaps <= height[col]
        near[:, col:] |= close[:, :-col]
        near[:, :-col] |= close[:, col:]
    return near
