"""sample_size, allocate, expected_errors: a sample planned before anyone goes to the field.

A share p that is estimated from n units has the variance p (1 - p) / n in each stratum. All that
is planned here follows from it, for overall accuracy (the share where the map is right) as for
the area of a class (the share that the class covers).
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from rs_workbench.accuracy.allocation import MINIMUM_UNITS, AllocationRule, allocate
from rs_workbench.accuracy.expected_errors import (
    ExpectedErrors,
    as_shares,
    as_weights,
    expected_errors,
    spread_errors,
)
from rs_workbench.errors import AccuracyError

__all__ = [
    "MINIMUM_UNITS",
    "AllocationRule",
    "ExpectedErrors",
    "allocate",
    "expected_errors",
    "sample_size",
    "spread_errors",
]

_Z95 = NormalDist().inv_cdf(0.975)


def sample_size(
    shares: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    standard_error: float | None = None,
    half_width: float | None = None,
    n_population: int | None = None,
) -> int:
    """Say how many units bring a standard error down to a target.

    For overall accuracy, `shares` are the accuracies expected of the strata (user's accuracies
    where strata are classes); for the area of one class, the share of each stratum that the class
    covers.

    Parameters
    ----------
    shares : float or array_like of float, shape (H,)
        Expected share of the map, or of each stratum.
    weights : array_like of float, shape (H,), optional
        Area shares of the strata; without them the sample is simple random.
    standard_error : float, optional
        Target, as a share; give this or `half_width`.
    half_width : float, optional
        Half of the 95 % interval, as a share; at another level give half width / z as
        `standard_error`.
    n_population : int, optional
        Units in the population; without it the population is taken as endless.

    Returns
    -------
    int
        Number of units, rounded up. With strata it is the number that suffices where units are
        allocated by Neyman's rule; `expected_errors` tells what another allocation reaches.

    Raises
    ------
    AccuracyError
        If a share is not between 0 and 1, the weights do not fit, or the target is not one.

    References
    ----------
    .. [1] W. G. Cochran, "Sampling Techniques", 3rd ed., Wiley (1977), equations 4.2 and 5.25.
    .. [2] P. Olofsson et al., "Good practices for estimating area and assessing accuracy of land
       change", Remote Sensing of Environment 148 (2014), equation 13.

    Examples
    --------
    >>> sample_size(0.5, half_width=0.05)
    385
    >>> sample_size([0.70, 0.60, 0.90, 0.95], [0.020, 0.015, 0.320, 0.645], standard_error=0.01)
    641
    """
    variance = _target(standard_error, half_width) ** 2
    p = as_shares("shares", shares)
    w = as_weights([1.0] if weights is None else weights)
    if p.shape != w.shape:
        raise AccuracyError(f"each stratum needs its share: got {p.size} for {w.size} weights")
    if n_population is not None and n_population < 1:
        raise AccuracyError(f"n_population must be at least 1: got {n_population}")
    if weights is None:
        endless = float(p[0] * (1 - p[0])) / variance
        limited = endless / (1 + (endless - 1) / n_population) if n_population else endless
        return _round_up(limited)
    deviations = np.sqrt(p * (1 - p))
    within = float(w @ deviations**2) / n_population if n_population else 0.0
    return _round_up(float(w @ deviations) ** 2 / (variance + within))


def _target(standard_error: float | None, half_width: float | None) -> float:
    if (standard_error is None) == (half_width is None):
        raise AccuracyError(
            f"give one target: got standard_error={standard_error} and half_width={half_width}"
        )
    target = half_width / _Z95 if half_width is not None else standard_error
    assert target is not None
    if not 0 < target < 1:
        raise AccuracyError(
            "the target must be a share between 0 and 1, such as 0.01: got "
            f"{standard_error if half_width is None else half_width}"
        )
    return target


def _round_up(n: float) -> int:
    return max(1, math.ceil(n - 1e-9))
