"""correlation_range: over how many blocks the accuracy of neighbouring places goes together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.errors import AccuracyError

Verdict = Literal["independent", "correlated", "unknown"]

MIN_BLOCKS = 20
"""Fewer blocks than this tell nothing about correlation."""
_MIN_PAIRS = 10
_MAX_LAG = 10
_Z = 1.6448536269514722  # one-sided 5 % point of the normal distribution


@dataclass(frozen=True)
class CorrelationRange:
    """Whether blocks are larger than the range over which errors go together.

    Attributes
    ----------
    verdict : {'independent', 'correlated', 'unknown'}
        Independent: neighbouring blocks are no more alike than chance would have it, so blocks
        may serve as units of a bootstrap or of a split. Correlated: they are alike, so take
        larger blocks. Unknown: there are too few blocks to tell.
    words : str
        The same as a sentence.
    lag : ndarray of intp, shape (m,)
        Distances between blocks, in blocks: 1 are neighbours.
    moran_i : ndarray of float64, shape (m,)
        Moran's I of the scores at each distance: 1 alike, about 0 chance, -1 opposite.
    z : ndarray of float64, shape (m,)
        How many standard deviations above chance it is.
    n_pairs : ndarray of int64, shape (m,)
        Pairs of blocks at each distance.
    expected : float
        Moran's I by chance, -1 / (n - 1).
    range_px : float
        Shortest distance, px, at which blocks are no longer more alike than chance; NaN where
        that is unknown or beyond the distances looked at.
    n_blocks : int
        Blocks with a score.
    """

    verdict: Verdict
    words: str
    lag: NDArray[np.intp]
    moran_i: NDArray[np.float64]
    z: NDArray[np.float64]
    n_pairs: NDArray[np.int64]
    expected: float
    range_px: float
    n_blocks: int


def correlation_range(
    scores: ArrayLike, positions: ArrayLike, *, block_px: tuple[int, int]
) -> CorrelationRange:
    """Tell whether blocks are larger than the range over which errors go together.

    A hint, no proof: it compares the score of blocks that stand `lag` blocks apart in a row or a
    column, all blocks alike however many pixels they hold. A lag counts as correlated where
    Moran's I lies above its expectation at the one-sided 5 % level, with the variance it has
    when the scores are shuffled over the blocks.

    Parameters
    ----------
    scores : array_like of float, shape (n,)
        Such as the overall accuracy of each block; NaN blocks are left out.
    positions : array_like of int, shape (n, 2)
        Row and column of each block in the grid of blocks; no two alike.
    block_px : tuple of int, (height, width)
        Size of a block, px. `range_px` is in the longer side.

    Returns
    -------
    CorrelationRange
        Unknown with fewer than 20 blocks, fewer than 10 pairs of neighbours, or equal scores.

    Raises
    ------
    AccuracyError
        If scores and positions do not fit together.

    References
    ----------
    .. [1] P. A. P. Moran, "Notes on continuous stochastic phenomena", Biometrika 37 (1950).
    .. [2] A. D. Cliff, J. K. Ord, "Spatial Processes: Models and Applications", Pion (1981).
    """
    values, places = np.asarray(scores, np.float64), np.asarray(positions)
    if places.shape != (values.size, 2):
        raise AccuracyError(
            f"every score needs the row and col of its block: got {values.size} scores and "
            f"positions of shape {places.shape}"
        )
    defined = ~np.isnan(values)
    values, places = values[defined], places[defined]
    n = int(values.size)
    if n < MIN_BLOCKS or np.ptp(values) == 0:
        return _unknown(n, f"{n} blocks with a score" if n < MIN_BLOCKS else "one score in all")
    grid = _on_grid(values - values.mean(), places)
    measured = [moran(grid, lag) for lag in range(1, min(_MAX_LAG, max(grid.shape) - 1) + 1)]
    enough = [m for m in measured if m[2] >= _MIN_PAIRS]
    if not enough or measured[0][2] < _MIN_PAIRS:
        return _unknown(n, f"{measured[0][2]} pairs of neighbours")
    return _judge(measured, n, block_px)


def _on_grid(values: NDArray[np.float64], places: NDArray[np.intp]) -> NDArray[np.float64]:
    corner = places.min(axis=0)
    grid = np.full(places.max(axis=0) - corner + 1, np.nan)
    grid[tuple((places - corner).T)] = values
    return grid


def moran(grid: NDArray[np.float64], lag: int) -> tuple[float, float, int]:
    """Measure Moran's I between cells `lag` apart in a row or a column.

    Parameters
    ----------
    grid : ndarray of float64, shape (R, C)
        Deviations from their mean; NaN where there is no block. At least 4 cells.
    lag : int
        Distance in cells.

    Returns
    -------
    moran_i, z : float
        And how many standard deviations it lies above -1 / (n - 1); NaN without pairs.
    n_pairs : int
        Pairs of cells, each counted once.
    """
    there = ~np.isnan(grid)
    squares = np.square(grid[there])
    n, cross, n_pairs = squares.size, 0.0, 0
    degree = np.zeros(grid.shape, np.int64)
    for first, second in _pairs(lag):
        both = there[first] & there[second]
        cross += float(np.sum(grid[first] * grid[second], where=both))
        n_pairs += int(both.sum())
        degree[first] += both
        degree[second] += both
    if not n_pairs:
        return float("nan"), float("nan"), 0
    value = n * cross / (n_pairs * float(squares.sum()))
    kurtosis = n * float(np.sum(squares**2)) / float(squares.sum()) ** 2
    s0, s1, s2 = 2.0 * n_pairs, 4.0 * n_pairs, 4.0 * float(np.sum(degree**2))
    expected = -1 / (n - 1)
    above = n * ((n**2 - 3 * n + 3) * s1 - n * s2 + 3 * s0**2)
    above -= kurtosis * ((n**2 - n) * s1 - 2 * n * s2 + 6 * s0**2)
    variance = above / ((n - 1) * (n - 2) * (n - 3) * s0**2) - expected**2
    z = (value - expected) / np.sqrt(variance) if variance > 0 else np.nan
    return value, float(z), n_pairs


def _pairs(lag: int) -> tuple[tuple[tuple[slice, slice], tuple[slice, slice]], ...]:
    every, head, tail = slice(None), slice(None, -lag), slice(lag, None)
    return ((head, every), (tail, every)), ((every, head), (every, tail))


def _judge(
    measured: list[tuple[float, float, int]], n: int, block_px: tuple[int, int]
) -> CorrelationRange:
    values, z, n_pairs = (np.array(column) for column in zip(*measured, strict=True))
    expected, side = -1 / (n - 1), max(block_px)
    chance = np.flatnonzero((z <= _Z) & (n_pairs >= _MIN_PAIRS))
    reach = float(side * (chance[0] + 1)) if chance.size else float("nan")
    size = f"blocks of {block_px[0]} x {block_px[1]} px"
    numbers = f"(Moran's I {values[0]:.2f}, by chance {expected:.2f}, z {z[0]:.1f})"
    if z[0] <= _Z:
        verdict: Verdict = "independent"
        words = f"neighbouring {size} are no more alike than chance would have it {numbers}"
    else:
        verdict = "correlated"
        words = f"neighbouring {size} are alike {numbers}: " + (
            f"errors go together over less than {reach:.0f} px; take blocks of that size"
            if chance.size
            else f"errors go together over more than {side * len(z)} px; take larger blocks"
        )
    lags = np.arange(1, len(z) + 1)
    return CorrelationRange(verdict, words, lags, values, z, n_pairs, expected, reach, n)


def _unknown(n: int, got: str) -> CorrelationRange:
    words = (
        f"too little to tell how far errors go together: got {got}, and it takes {MIN_BLOCKS} "
        f"blocks that differ and {_MIN_PAIRS} pairs of neighbours"
    )
    floats, nan = np.empty(0, np.float64), float("nan")
    expected = -1 / (n - 1) if n > 1 else nan
    lags, pairs = np.empty(0, np.intp), np.empty(0, np.int64)
    return CorrelationRange("unknown", words, lags, floats, floats, pairs, expected, nan, n)
