"""Level: how confident the intervals of an estimate are, and of what kind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from rs_workbench.accuracy.estimates import Estimate, IntervalKind
from rs_workbench.accuracy.intervals import normal_quantile, share_interval
from rs_workbench.errors import UsageError


@dataclass(frozen=True)
class Level:
    """Confidence, its normal quantile, and the kind of the intervals."""

    confidence: float
    z: float
    interval: IntervalKind


def make_level(confidence: float, z: float | None, interval: IntervalKind) -> Level:
    """Settle how intervals are made.

    Parameters
    ----------
    confidence : float
        Between 0 and 1.
    z : float or None
        Normal quantile; given, it decides the confidence.
    interval : {'wald', 'wilson', 'logit'}
        Kind of the intervals.

    Returns
    -------
    Level
        Both numbers agree.

    Raises
    ------
    UsageError
        If `z` is not above 0, or `confidence` not between 0 and 1.

    Examples
    --------
    >>> round(make_level(0.95, None, "wald").z, 4)
    1.96
    >>> round(make_level(0.95, 2, "wald").confidence, 4)
    0.9545
    """
    if z is None:
        return Level(confidence, normal_quantile(confidence), interval)
    if not 0 < z < math.inf:
        raise UsageError(f"z must be a number of standard errors above 0: got {z}")
    return Level(2 * NormalDist().cdf(z) - 1, z, interval)


def with_intervals(
    values: Sequence[float],
    variances: Sequence[float],
    units: Sequence[int],
    *,
    effective: Sequence[float],
    level: Level,
    certain: bool = False,
) -> list[Estimate]:
    """Give each share its interval.

    Parameters
    ----------
    values, variances : sequence of float
        Shares and their variances; NaN where undefined.
    units : sequence of int
        Units that each rests on.
    effective : sequence of float
        Equally weighted, independent units that these are worth.
    level : Level
        How intervals are made.
    certain : bool
        The whole population was seen, so that nothing is left to chance.

    Returns
    -------
    list of Estimate
        In the same order.
    """
    estimates = [
        share_interval(
            value,
            math.sqrt(max(variance, 0)),
            n,
            n_effective=worth,
            kind=level.interval,
            z=level.z,
        )
        for value, variance, n, worth in zip(values, variances, units, effective, strict=True)
    ]
    return [replace(e, low=e.value, high=e.value) for e in estimates] if certain else estimates
