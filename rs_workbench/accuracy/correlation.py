"""correlation_range: over how many blocks the accuracy of neighbouring places goes together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["independent", "correlated", "unknown"]


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
