"""Totals of any variable from a sample: ratio and regression estimators.

For what is no class label: shares of classes inside a unit, areas of polygons, counts of crowns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rs_workbench.accuracy.estimator import variance_by_stratum
from rs_workbench.accuracy.frame import make_frame
from rs_workbench.accuracy.intervals import normal_quantile
from rs_workbench.accuracy.sample import Design, make_sample
from rs_workbench.errors import AccuracyError


@dataclass(frozen=True)
class TotalEstimate:
    """A mean or a ratio with its Wald interval, in the units of the variable."""

    value: float
    standard_error: float
    low: float
    high: float
    n_units: int
    z: float


@dataclass(frozen=True)
class RegressionEstimate(TotalEstimate):
    """A mean with the help of an auxiliary variable, and the slope that was fitted."""

    slope: float = float("nan")


def ratio_estimate(
    numerator: ArrayLike,
    denominator: ArrayLike,
    design: Design,
    *,
    stratum: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    fpc: bool = False,
    z: float | None = None,
) -> TotalEstimate:
    """Estimate the ratio of two totals over the population.

    With the area of each unit as denominator, and the area of a class inside it as numerator, it
    is the share of the class, whatever the sizes of the units and however fractional their labels.

    Parameters
    ----------
    numerator, denominator : array_like of float, shape (n,)
        Values of each unit.
    design : Design
        How the units were chosen.
    stratum, cluster : array_like, shape (n,), optional
        Names, where the design has them.
    fpc : bool
        Apply the finite population correction.
    z : float, optional
        Normal quantile of the interval; by default that of 95 %.

    Returns
    -------
    TotalEstimate
        The ratio.

    Raises
    ------
    AccuracyError
        If sample and design do not fit, or the denominator's total is 0.

    References
    ----------
    .. [1] S. V. Stehman, International Journal of Remote Sensing 35 (2014), equations 27 and 28.

    Examples
    --------
    >>> from rs_workbench.accuracy import Design
    >>> ratio_estimate([1, 0, 3], [2, 2, 4], Design(kind="simple_random")).value
    0.5
    """
    part, whole = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    if part.shape != whole.shape or not (np.isfinite(part) & np.isfinite(whole)).all():
        raise AccuracyError(
            f"numerator and denominator need one finite value a unit: got shapes {part.shape} "
            f"and {whole.shape}"
        )
    nothing = np.zeros(part.shape, int)
    sample = make_sample(nothing, nothing, 1, stratum=stratum, cluster=cluster)
    # Whatever units differ in, the denominator tells.
    frame = make_frame(sample, design.model_copy(update={"equal_area": True}))
    below = float(frame.expansion @ whole)
    if below == 0:
        raise AccuracyError("the denominator's total is 0: there is nothing to divide by")
    ratio = float(frame.expansion @ part) / below
    moves = ((part - ratio * whole) / below)[:, None]
    error = float(np.sqrt(variance_by_stratum(frame, moves, fpc=fpc).sum()))
    z = z or normal_quantile(0.95)
    return TotalEstimate(ratio, error, ratio - z * error, ratio + z * error, len(part), z)


def regression_estimate(
    reference: ArrayLike,
    mapped: ArrayLike,
    mapped_mean: float,
    *,
    n_population: int | None = None,
    z: float | None = None,
) -> RegressionEstimate:
    """Estimate a mean from a simple random sample, with the map as auxiliary variable.

    Parameters
    ----------
    reference : array_like of float, shape (n,)
        Variable in truth, such as the share of a class in each unit.
    mapped : array_like of float, shape (n,)
        The same on the map.
    mapped_mean : float
        Mean of `mapped` over the whole population, which the map tells.
    n_population : int, optional
        Units in the population; given, the finite population correction is applied.
    z : float, optional
        Normal quantile of the interval; by default that of 95 %.

    Returns
    -------
    RegressionEstimate
        The mean.

    Raises
    ------
    AccuracyError
        If there are fewer than three units, or all have one value on the map.

    References
    ----------
    .. [1] W. G. Cochran, "Sampling Techniques", 3rd edition (1977), equations 7.7 and 7.29.

    Examples
    --------
    >>> result = regression_estimate([0.1, 0.5, 0.9], [0.0, 0.5, 1.0], 0.25)
    >>> round(result.value, 6), round(result.slope, 6)
    (0.3, 0.8)
    """
    y, x = np.asarray(reference, np.float64), np.asarray(mapped, np.float64)
    n = len(y)
    if y.shape != x.shape or n < 3:
        raise AccuracyError(
            f"a regression needs at least three units with both values: got {y.shape} in truth "
            f"and {x.shape} on the map"
        )
    if not np.isfinite([*y, *x, mapped_mean]).all() or (n_population or n) < n:
        raise AccuracyError(
            "a regression needs finite values and a population not smaller than its sample: got "
            f"mapped_mean {mapped_mean}, {n} units of {n_population}; drop units without a value"
        )
    spread = float(np.sum((x - x.mean()) ** 2))
    if spread == 0:
        raise AccuracyError(
            f"every unit has the value {x[0]:g} on the map, so that the map cannot help: use "
            "ratio_estimate"
        )
    slope = float(np.sum((x - x.mean()) * (y - y.mean()))) / spread
    value = float(y.mean()) + slope * (mapped_mean - float(x.mean()))
    residuals = y - y.mean() - slope * (x - x.mean())
    left = 1.0 if n_population is None else 1 - n / n_population
    error = float(np.sqrt(left / n * np.sum(residuals**2) / (n - 2)))
    z = z or normal_quantile(0.95)
    return RegressionEstimate(value, error, value - z * error, value + z * error, n, z, slope)
