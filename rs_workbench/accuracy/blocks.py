"""BlockScores: how much the accuracy of a map differs from place to place.

A block is a square of the map with a confusion matrix of its own. The score of the map is always
that of the summed matrices, never the mean of the blocks' scores; the blocks tell the spread, and
what the score would be without any one of them. Block results describe how well the map carries
over to other places; they are no design-based estimate of the map's accuracy [1]_.

References
----------
.. [1] A. M. J.-C. Wadoux et al., "Spatial cross-validation is not the right way to evaluate map
   accuracy", Ecological Modelling 457 (2021) 109692.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.accuracy.correlation import CorrelationRange, correlation_range
from rs_workbench.accuracy.scores import mean_iou, overall_accuracy
from rs_workbench.errors import AccuracyError

Score = Callable[[NDArray[np.float64]], float]
"""Turns a matrix of counts (K, K) into one number, NaN where it is undefined."""


@dataclass(frozen=True)
class Spread:
    """How a score is spread over blocks; all NaN where no block has it.

    Every block counts the same. `sd` has n - 1 below, and is NaN for one block. Positions are
    (row, col) in the grid of blocks, None where no block has the score.
    """

    n_blocks: int
    mean: float
    sd: float
    minimum: float
    lower_quartile: float
    median: float
    upper_quartile: float
    maximum: float
    minimum_at: tuple[int, int] | None
    maximum_at: tuple[int, int] | None


@dataclass(frozen=True)
class LeaveOneOut:
    """Jackknife of the score of the whole map: the score without each block in turn.

    Attributes
    ----------
    value : float
        Score of all blocks together.
    standard_error : float
        Jackknife standard error, as if the blocks were drawn at random.
    bias : float
        Jackknife estimate of the bias of `value`.
    lowest, highest : float
        Extremes of the score without one block.
    lowest_without, highest_without : tuple of int, (row, col), or None
        The blocks left out for them.
    n_blocks, n_undefined : int
        Blocks that hold anything; those without which the score is undefined.
    """

    value: float
    standard_error: float
    bias: float
    lowest: float
    highest: float
    lowest_without: tuple[int, int] | None
    highest_without: tuple[int, int] | None
    n_blocks: int
    n_undefined: int


@dataclass(frozen=True)
class BlockScores:
    """Scores of a map, block by block.

    Only blocks with at least `min_pixels` compared pixels are listed.

    Attributes
    ----------
    block_px : tuple of int, (height, width)
        Size of a block, px; blocks at the lower and right rim of the map may be smaller.
    row, col : ndarray of intp, shape (n,)
        Position of each block in the grid of blocks: it starts at pixel
        ``(row * block_px[0], col * block_px[1])`` of the map.
    n_pixels : ndarray of int64, shape (n,)
        Compared pixels of each block.
    overall_accuracy, mean_iou : ndarray of float64, shape (n,)
        Scores of each block.
    overall_accuracy_spread, mean_iou_spread : Spread
        Their distribution over blocks.
    overall_accuracy_leave_out, mean_iou_leave_out : LeaveOneOut
        The score of the listed blocks together, and what it owes to any one of them.
    correlation : CorrelationRange
        Whether the blocks are larger than the range over which errors go together.
    min_pixels : int
        Compared pixels that a block needs to be listed.
    n_empty, n_small : int
        Blocks without any compared pixel, and with some but fewer than `min_pixels`.
    """

    block_px: tuple[int, int]
    row: NDArray[np.intp]
    col: NDArray[np.intp]
    n_pixels: NDArray[np.int64]
    overall_accuracy: NDArray[np.float64]
    mean_iou: NDArray[np.float64]
    overall_accuracy_spread: Spread
    mean_iou_spread: Spread
    overall_accuracy_leave_out: LeaveOneOut
    mean_iou_leave_out: LeaveOneOut
    correlation: CorrelationRange
    min_pixels: int
    n_empty: int
    n_small: int


def block_scores(
    matrices: ArrayLike,
    positions: ArrayLike | None = None,
    *,
    block_px: tuple[int, int],
    min_pixels: int = 1,
) -> BlockScores:
    """Score a map block by block.

    Parameters
    ----------
    matrices : array_like of int, shape (n, K, K) or (R, C, K, K)
        Confusion of each block: rows map, columns reference; a list of blocks or a grid of them.
    positions : array_like of int, shape (n, 2), optional
        Row and column of each block in the grid of blocks; needed for a list.
    block_px : tuple of int, (height, width)
        Size of a block, px.
    min_pixels : int, default 1
        Blocks with fewer compared pixels are left out and counted: the accuracy of a handful of
        pixels is mostly chance.

    Returns
    -------
    BlockScores
        Scores, their spread, and what they owe to single blocks.

    Raises
    ------
    AccuracyError
        If the shapes do not fit, two blocks share a position, or `min_pixels` is below 1.
    """
    counts, places = _check_blocks(matrices, positions)
    if min_pixels < 1:
        raise AccuracyError(f"min_pixels must be at least 1: got {min_pixels}")
    pixels = counts.sum(axis=(1, 2))
    kept = pixels >= min_pixels
    counts, places = counts[kept], places[kept]
    accuracy = np.array([overall_accuracy(m) for m in counts], np.float64)
    means = np.array([mean_iou(m) for m in counts], np.float64)
    return BlockScores(
        block_px=block_px,
        row=places[:, 0],
        col=places[:, 1],
        n_pixels=pixels[kept],
        overall_accuracy=accuracy,
        mean_iou=means,
        overall_accuracy_spread=spread_of(accuracy, places),
        mean_iou_spread=spread_of(means, places),
        overall_accuracy_leave_out=leave_block_out(counts, overall_accuracy, positions=places),
        mean_iou_leave_out=leave_block_out(counts, mean_iou, positions=places),
        correlation=correlation_range(accuracy, places, block_px=block_px),
        min_pixels=min_pixels,
        n_empty=int(np.count_nonzero(pixels == 0)),
        n_small=int(np.count_nonzero((pixels > 0) & ~kept)),
    )


def _check_blocks(
    matrices: ArrayLike, positions: ArrayLike | None
) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    counts = np.asarray(matrices)
    if counts.ndim not in (3, 4) or counts.shape[-1] != counts.shape[-2]:
        raise AccuracyError(
            f"blocks need matrices of shape (n, K, K) or (R, C, K, K): got shape {counts.shape}"
        )
    if counts.ndim == 4 and positions is None:
        positions = np.argwhere(np.ones(counts.shape[:2], np.bool_))
    counts = counts.reshape(-1, *counts.shape[-2:])
    places = np.empty((0, 0)) if positions is None else np.asarray(positions)
    if places.shape != (len(counts), 2):
        got = "no positions" if positions is None else f"positions of shape {places.shape}"
        raise AccuracyError(
            f"every block needs its row and col: got {len(counts)} matrices and {got}"
        )
    if len(np.unique(places, axis=0)) < len(places):
        raise AccuracyError(
            f"blocks must differ in position: got {len(places)} blocks at "
            f"{len(np.unique(places, axis=0))} positions; add up the matrices of a position first"
        )
    return counts.astype(np.int64, copy=False), places.astype(np.intp, copy=False)


def spread_of(scores: ArrayLike, positions: ArrayLike) -> Spread:
    """Describe how a score is spread over blocks.

    Parameters
    ----------
    scores : array_like of float, shape (n,)
        NaN where a block has no score; such blocks are left out.
    positions : array_like of int, shape (n, 2)
        Row and column of each block.

    Returns
    -------
    Spread
        Every block counts the same; quartiles interpolate linearly.

    Examples
    --------
    >>> spread_of([0.5, 1.0, float("nan")], [(0, 0), (0, 1), (1, 0)]).mean
    0.75
    """
    every = np.asarray(scores, np.float64)
    defined = ~np.isnan(every)
    values = every[defined]
    places = np.asarray(positions, np.intp).reshape(-1, 2)[defined]
    if not values.size:
        nan = float("nan")
        return Spread(0, nan, nan, nan, nan, nan, nan, nan, None, None)
    sd = float(values.std(ddof=1)) if values.size > 1 else float("nan")
    low, q1, median, q3, high = np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist()
    lowest, highest = _at(places, int(values.argmin())), _at(places, int(values.argmax()))
    mean = float(values.mean())
    return Spread(values.size, mean, sd, low, q1, median, q3, high, lowest, highest)


def _at(places: NDArray[np.intp], index: int) -> tuple[int, int]:
    row, col = places[index].tolist()
    return row, col


def leave_block_out(
    matrices: ArrayLike, score: Score, *, positions: ArrayLike | None = None
) -> LeaveOneOut:
    """Score all blocks together, and without each of them in turn (jackknife).

    Parameters
    ----------
    matrices : array_like of int, shape (n, K, K)
        Confusion of each block. Empty blocks are left out.
    score : callable
        Turns a matrix (K, K) into a number, such as `overall_accuracy`.
    positions : array_like of int, shape (n, 2), optional
        Row and column of each block; without it blocks are named (index, 0).

    Returns
    -------
    LeaveOneOut
        Standard error and bias are NaN for fewer than two blocks, or where the score is
        undefined without one of them.

    References
    ----------
    .. [1] B. Efron, "The Jackknife, the Bootstrap and Other Resampling Plans", SIAM (1982).
    """
    counts = np.asarray(matrices)
    places = np.arange(len(counts))[:, None] * [1, 0] if positions is None else positions
    filled = counts.any(axis=(1, 2))
    counts, places = counts[filled], np.asarray(places, np.intp).reshape(-1, 2)[filled]
    total = counts.sum(axis=0)
    value, n = float(score(total)), len(counts)
    without = np.array([score(total - m) for m in counts], np.float64)
    undefined = np.isnan(without)
    error = bias = low = high = float("nan")
    at_low = at_high = None
    if n > 1 and not undefined.any():
        bias = float((n - 1) * (without.mean() - value))
        error = float(np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2)))
    if n and not undefined.all():
        lowest, highest = int(np.nanargmin(without)), int(np.nanargmax(without))
        low, high = float(without[lowest]), float(without[highest])
        at_low, at_high = _at(places, lowest), _at(places, highest)
    return LeaveOneOut(value, error, bias, low, high, at_low, at_high, n, int(undefined.sum()))
