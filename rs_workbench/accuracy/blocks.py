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
from numpy.typing import NDArray

from rs_workbench.accuracy.correlation import CorrelationRange

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
