"""Intervals: how far a share may be from its estimate, for counts and for design-based shares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, get_args

from rs_workbench.accuracy.estimates import Estimate, IntervalKind
from rs_workbench.errors import AccuracyError, UsageError

BinomialKind = Literal["wald", "wilson", "agresti_coull", "clopper_pearson", "jeffreys", "logit"]

# What floating point leaves of a bound, and of a standard error, that is exactly at its end.
_ROUNDING = 1e-9
_NO_ERROR = 1e-12


@dataclass(frozen=True)
class Interval:
    """Bounds of a binomial share, NaN where nothing was counted.

    `kind` is the one used, which is not the one asked for where that has no value; `truncated`
    says that a bound was cut at 0 or 1.
    """

    low: float
    high: float
    kind: BinomialKind
    confidence: float
    z: float
    truncated: bool = False


def normal_quantile(confidence: float) -> float:
    """Half width, in standard errors, of a two-sided normal interval.

    Parameters
    ----------
    confidence : float
        Between 0 and 1, such as 0.95.

    Returns
    -------
    float
        z, unrounded: 1.959963984540054 for 0.95.

    Raises
    ------
    UsageError
        If `confidence` is not between 0 and 1.

    Examples
    --------
    >>> round(normal_quantile(0.95), 6)
    1.959964
    """
    if not 0 < confidence < 1:
        raise UsageError(f"confidence must lie between 0 and 1, such as 0.95: got {confidence}")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def binomial_interval(
    successes: float,
    n: float,
    *,
    kind: BinomialKind = "wilson",
    confidence: float = 0.95,
) -> Interval:
    """Interval of a share from the counts of a simple random sample.

    Parameters
    ----------
    successes : float
        Units counted, of `n`.
    n : float
        Units in all; with 0 the bounds are NaN.
    kind : {"wald", "wilson", "agresti_coull", "clopper_pearson", "jeffreys", "logit"}
        Wilson keeps its level best; Clopper-Pearson never falls below it and is wide. Jeffreys'
        bound is 0 at no success and 1 at no failure. There the logit has no value, and
        Clopper-Pearson takes its place.
    confidence : float
        Level of the interval.

    Returns
    -------
    Interval
        The bounds.

    Raises
    ------
    AccuracyError
        If `successes` do not lie between 0 and `n`.
    UsageError
        If `kind` or `confidence` cannot be used.

    References
    ----------
    Brown, Cai & DasGupta 2001, Interval estimation for a binomial proportion, Statistical Science
    16(2), sections 3 and 4.

    Examples
    --------
    >>> interval = binomial_interval(9, 10)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.5958, 0.9821)
    """
    z = normal_quantile(confidence)
    _check_choice(kind, get_args(BinomialKind))
    if not 0 <= successes <= n < math.inf:
        raise AccuracyError(
            f"successes must lie between 0 and the number of units: got {successes} of {n}"
        )
    if n == 0:
        return Interval(math.nan, math.nan, kind, confidence, z)
    if kind == "logit" and successes in (0, n):
        kind = "clopper_pearson"
    if kind in ("clopper_pearson", "jeffreys"):
        low, high = _beta_bounds(successes, n, 0.5 if kind == "jeffreys" else 0.0, confidence)
    else:
        low, high = _normal_bounds(successes, n, kind, z)
    return Interval(*_clipped(low, high), kind, confidence, z, _leaves_range(low, high))


def share_interval(
    value: float,
    standard_error: float,
    n_units: int,
    *,
    n_effective: float | None = None,
    kind: IntervalKind = "wald",
    z: float = 1.959963984540054,
) -> Estimate:
    """Interval of a share from its standard error, whatever the design it came from.

    Parameters
    ----------
    value : float
        The share; NaN, like a NaN of the standard error, makes everything NaN.
    standard_error : float
        Its standard error. Where it is 0, the interval is Wilson's on `n_effective`.
    n_units : int
        Units that the share was estimated from.
    n_effective : float, optional
        Equally weighted, independent units that these are worth; by default all of them.
    kind : {"wald", "wilson", "logit"}
        Wilson's takes p (1 - p) / SE^2 for the number of units; the logit uses the delta method.
        Neither has a value for a share of 0 or 1 with an error above 0; that one gets Wald's.
    z : float
        Half width in standard errors.

    Returns
    -------
    Estimate
        With bounds inside [0, 1]; `truncated` where they were cut there.

    Raises
    ------
    AccuracyError
        If `standard_error` is below 0.
    UsageError
        If `kind` is none of the three.

    References
    ----------
    Korn & Graubard 1998, Confidence intervals for proportions with small expected number of
    positive counts estimated from survey data, Survey Methodology 24(2): the effective sample
    size, here without their correction by Student's t.

    Examples
    --------
    >>> estimate = share_interval(0.99, 0.01, 100)
    >>> estimate.high, estimate.truncated
    (1.0, True)
    """
    _check_choice(kind, get_args(IntervalKind))
    if math.isnan(value) or math.isnan(standard_error):
        return Estimate(math.nan, math.nan, math.nan, math.nan, n_units, kind)
    if standard_error < 0:
        raise AccuracyError(f"a standard error cannot be below 0: got {standard_error}")
    value = _without_rounding(float(value))
    standard_error = float(standard_error) if standard_error > _NO_ERROR else 0.0
    spread = value * (1 - value)
    if standard_error == 0 and 0 <= value <= 1:
        kind = "wilson"
        low, high = wilson_bounds(value, n_units if n_effective is None else n_effective, z)
    elif spread <= 0 or kind == "wald":
        kind = "wald"
        low, high = value - z * standard_error, value + z * standard_error
    elif kind == "wilson":
        low, high = wilson_bounds(value, spread / standard_error**2, z)
    else:
        low, high = _logit_bounds(value, standard_error, z)
    truncated = _leaves_range(low, high)
    low, high = _clipped(low, high)
    return Estimate(value, standard_error, low, high, n_units, kind, truncated)


def wilson_bounds(share: float, n: float, z: float) -> tuple[float, float]:
    """Bounds of Wilson's score interval.

    Parameters
    ----------
    share : float
        Between 0 and 1.
    n : float
        Units, or the effective number of them; with 0 nothing is known: (0, 1).
    z : float
        Half width in standard errors.

    Returns
    -------
    low, high : float
        Inside [0, 1].

    References
    ----------
    Wilson 1927, Journal of the American Statistical Association 22, 209-212.

    Examples
    --------
    >>> low, high = wilson_bounds(1.0, 20, 1.96)
    >>> round(low, 4), high
    (0.8389, 1.0)
    """
    centre = (n * share + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * math.sqrt(n * share * (1 - share) + z**2 / 4)
    low = 0.0 if share == 0 else max(0.0, centre - half)
    high = 1.0 if share == 1 else min(1.0, centre + half)
    return low, high


def _normal_bounds(successes: float, n: float, kind: str, z: float) -> tuple[float, float]:
    share = successes / n
    error = math.sqrt(share * (1 - share) / n)
    if kind == "wilson":
        return wilson_bounds(share, n, z)
    if kind == "logit":
        return _logit_bounds(share, error, z)
    if kind == "agresti_coull":
        n += z**2
        share = (successes + z**2 / 2) / n
        error = math.sqrt(share * (1 - share) / n)
    return share - z * error, share + z * error


def _beta_bounds(
    successes: float, n: float, prior: float, confidence: float
) -> tuple[float, float]:
    from scipy.special import betaincinv  # scipy takes longer to import than all else here

    tail, failures = (1 - confidence) / 2, n - successes
    # Clopper-Pearson adds one to the count on the far side, Jeffreys a half to both.
    far = prior or 1.0
    low = betaincinv(successes + prior, failures + far, tail) if successes else 0.0
    high = betaincinv(successes + far, failures + prior, 1 - tail) if failures else 1.0
    return float(low), float(high)


def _logit_bounds(share: float, standard_error: float, z: float) -> tuple[float, float]:
    centre = math.log(share / (1 - share))
    half = z * standard_error / (share * (1 - share))
    return _expit(centre - half), _expit(centre + half)


def _expit(x: float) -> float:
    # The exponent is kept below 0, so that a wide interval cannot overflow.
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _leaves_range(low: float, high: float) -> bool:
    return low < -_ROUNDING or high > 1 + _ROUNDING


def _clipped(low: float, high: float) -> tuple[float, float]:
    return min(max(low, 0.0), 1.0), min(max(high, 0.0), 1.0)


def _without_rounding(value: float) -> float:
    inside = min(max(value, 0.0), 1.0)
    return inside if abs(value - inside) < _ROUNDING else value


def _check_choice(kind: str, choices: tuple[str, ...]) -> None:
    if kind not in choices:
        raise UsageError(f"kind must be one of {', '.join(choices)}: got {kind!r}")
