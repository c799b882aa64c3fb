"""Draws of a statistic, and what they say: standard error, bias and interval."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, TypedDict, get_args

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.resample import Total, Units, acceleration, draw_totals
from rs_workbench.errors import AccuracyError

BootstrapKind = Literal["percentile", "bca", "basic"]
_ROUNDING = 1e-12


class BootstrapOptions(TypedDict, total=False):
    """How to draw; all optional.

    Attributes
    ----------
    n_draws : int
        Number of draws; 2000.
    seed : int
        Seed of the draws; 0.
    confidence : float
        Level of the interval; 0.95.
    kind : {'percentile', 'bca', 'basic'}
        Interval: quantiles of the draws; the same corrected for bias and skewness (Efron 1987);
        quantiles mirrored at the value, which may leave [0, 1].
    rescale : bool
        One draw fewer than units, weighted up; True.
    """

    n_draws: int
    seed: int
    confidence: float
    kind: BootstrapKind
    rescale: bool


@dataclass(frozen=True)
class BootstrapResult:
    """A statistic with the uncertainty that resampling shows; NaN where undefined.

    Attributes
    ----------
    value : float
        Statistic of the sample itself.
    standard_error : float
        Standard deviation of the draws.
    bias : float
        Mean of the draws minus the value.
    low, high : float
        Confidence interval.
    n_units : int
        Units, clusters or blocks drawn from.
    n_draws : int
        Draws made.
    n_undefined : int
        Draws without a value, left out of the figures above; many mean a fragile statistic.
    kind : {'percentile', 'bca', 'basic'}
        Interval.
    confidence : float
        Its level.
    seed : int
        Seed of the draws.
    rescale : bool
        Whether n - 1 of n units were drawn and weighted up.
    """

    value: float
    standard_error: float
    bias: float
    low: float
    high: float
    n_units: int
    n_draws: int
    n_undefined: int
    kind: BootstrapKind
    confidence: float
    seed: int
    rescale: bool


def run_bootstrap(units: Units, total: Total, options: BootstrapOptions) -> BootstrapResult:
    """Draw, and sum up what the draws say.

    Parameters
    ----------
    units : Units
        What is drawn.
    total : callable
        The statistic of a sum of units.
    options : BootstrapOptions
        How to draw.

    Returns
    -------
    BootstrapResult
        Value, standard error and interval.

    Raises
    ------
    AccuracyError
        If an option is out of range.

    References
    ----------
    .. [1] B. Efron, "Better bootstrap confidence intervals", Journal of the American Statistical
       Association 82 (1987).
    """
    given: BootstrapOptions = {
        "n_draws": 2000,
        "seed": 0,
        "confidence": 0.95,
        "kind": "percentile",
        "rescale": True,
        **options,
    }
    _check(given)
    value = total(units.spell_out(units.times @ units.parts))
    rng = np.random.default_rng(given["seed"])
    totals = draw_totals(units, given["n_draws"], rng, rescale=given["rescale"])
    draws = np.array([total(one) for one in totals], np.float64)
    defined = draws[~np.isnan(draws)]
    error = bias = low = high = float("nan")
    if defined.size > 1 and not np.isnan(value):
        error, bias = float(defined.std(ddof=1)), float(defined.mean() - value)
        accelerated = acceleration(units, total) if given["kind"] == "bca" else 0.0
        low, high = _interval(defined, value, given, accelerated)
    return BootstrapResult(
        value, error, bias, low, high, units.n_units, given["n_draws"],
        int(draws.size - defined.size), given["kind"], given["confidence"], given["seed"],
        given["rescale"],
    )  # fmt: skip


def _check(options: BootstrapOptions) -> None:
    if options["kind"] not in get_args(BootstrapKind):
        raise AccuracyError(
            f"a bootstrap interval is one of {', '.join(get_args(BootstrapKind))}: got "
            f"{options['kind']!r}"
        )
    if options["n_draws"] < 2 or not 0 < options["confidence"] < 1:
        raise AccuracyError(
            "a bootstrap needs at least 2 draws and a confidence between 0 and 1: got "
            f"n_draws={options['n_draws']} and confidence={options['confidence']}"
        )


def _interval(
    draws: NDArray[np.float64], value: float, options: BootstrapOptions, accelerated: float
) -> tuple[float, float]:
    tail = (1 - options["confidence"]) / 2
    ends = [tail, 1 - tail]
    if options["kind"] == "bca":
        normal = NormalDist()
        # Ties count half; a value beyond all draws counts as half a draw from the end.
        ties = np.abs(draws - value) <= _ROUNDING * abs(value)
        below = np.mean((draws < value) & ~ties) + np.mean(ties) / 2
        shift = normal.inv_cdf(float(np.clip(below, 0.5 / draws.size, 1 - 0.5 / draws.size)))
        moved = [shift + normal.inv_cdf(end) for end in ends]
        ends = [normal.cdf(shift + z / (1 - accelerated * z)) for z in moved]
    if np.isnan(ends).any():
        return float("nan"), float("nan")
    low, high = np.quantile(draws, ends).tolist()
    return (2 * value - high, 2 * value - low) if options["kind"] == "basic" else (low, high)
