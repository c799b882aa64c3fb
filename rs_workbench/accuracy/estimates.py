"""What estimators give back: frozen values with their uncertainty, units in the field names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

IntervalKind = Literal["wald", "wilson", "logit"]


@dataclass(frozen=True)
class Estimate:
    """A share between 0 and 1 with its uncertainty; all NaN where it is undefined.

    `low` and `high` never leave [0, 1]; `truncated` says where a bound was cut there. Where the
    standard error is 0, since every unit seen agreed, the interval is Wilson's, as `interval`
    says, on as many equally weighted, independent units as the sample is worth.
    """

    value: float
    standard_error: float
    low: float
    high: float
    n_units: int
    interval: IntervalKind = "wald"
    truncated: bool = False

    @property
    def defined(self) -> bool:
        """Whether anything was there to estimate from."""
        return not np.isnan(self.value)


@dataclass(frozen=True)
class AreaEstimate:
    """Area of a class: counted on the map, and estimated from the sample."""

    mapped_ha: float
    area_ha: float
    standard_error_ha: float
    low_ha: float
    high_ha: float


@dataclass(frozen=True)
class AccuracyEstimate:
    """Accuracy and area of a map, estimated from a sample by its design.

    Attributes
    ----------
    overall : Estimate
        Overall accuracy.
    users, producers, f1, iou : tuple of Estimate
        One for each class.
    mean_iou : Estimate
        Mean over the classes where IoU is defined.
    share : tuple of Estimate
        Share of the area that each class covers in truth.
    area : tuple of AreaEstimate
        The same in ha; empty where the area of the map is unknown.
    matrix : ndarray of float64, shape (K, K)
        Estimated shares of the area: rows map, columns reference; sums to 1.
    counts : ndarray of int64, shape (K, K)
        Units in the sample: rows map, columns reference.
    quantity, exchange, shift : Estimate
        Disagreement by amount, by pairwise swap and by the rest; they add up to 1 - overall.
    variance_share : dict of str to float
        Part of the variance of the overall accuracy that each stratum contributes.
    stratum_units : dict of str to int
        Units of the sample, or clusters, in each stratum.
    design, estimator : str
        Kind of the design and the estimator used, in words.
    confidence, z : float
        Level of the intervals and its normal quantile.
    fpc : bool
        Whether the finite population correction was applied.
    warnings : tuple of str
        What the reader must know, one sentence each.
    """

    overall: Estimate
    users: tuple[Estimate, ...]
    producers: tuple[Estimate, ...]
    f1: tuple[Estimate, ...]
    iou: tuple[Estimate, ...]
    mean_iou: Estimate
    share: tuple[Estimate, ...]
    area: tuple[AreaEstimate, ...]
    matrix: NDArray[np.float64]
    counts: NDArray[np.int64]
    quantity: Estimate
    exchange: Estimate
    shift: Estimate
    variance_share: dict[str, float]
    stratum_units: dict[str, int]
    design: str
    estimator: str
    confidence: float
    z: float
    fpc: bool
    warnings: tuple[str, ...] = ()
