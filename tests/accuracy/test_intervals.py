"""Intervals against statsmodels, published tables and their own definition."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rs_workbench.accuracy.intervals import (
    binomial_interval,
    normal_quantile,
    share_interval,
    wilson_bounds,
)
from rs_workbench.errors import AccuracyError, UsageError

KINDS = ("wald", "wilson", "agresti_coull", "clopper_pearson", "jeffreys", "logit")


def test_quantile_is_not_rounded() -> None:
    assert normal_quantile(0.95) == pytest.approx(1.959963984540054, abs=1e-15)
    assert normal_quantile(0.90) == pytest.approx(1.6448536269514722, abs=1e-15)


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.5, math.nan])
def test_confidence_is_a_share(confidence: float) -> None:
    with pytest.raises(UsageError, match=f"such as 0.95: got {confidence}"):
        normal_quantile(confidence)


# Newcombe 1998, Statistics in Medicine 17, 857-872, Table I: methods 1 (simple asymptotic),
# 3 (Wilson) and 5 (Clopper-Pearson), 95 %, four decimals. Wald's bounds beyond 0 are printed as
# 0* there.
@pytest.mark.parametrize(
    ("successes", "n", "kind", "low", "high", "truncated"),
    [
        (81, 263, "wald", 0.2522, 0.3638, False),
        (15, 148, "wald", 0.0527, 0.1500, False),
        (1, 29, "wald", 0.0, 0.1009, True),
        (81, 263, "wilson", 0.2553, 0.3662, False),
        (15, 148, "wilson", 0.0624, 0.1605, False),
        (0, 20, "wilson", 0.0, 0.1611, False),
        (1, 29, "wilson", 0.0061, 0.1718, False),
        (81, 263, "clopper_pearson", 0.2527, 0.3676, False),
        (15, 148, "clopper_pearson", 0.0578, 0.1617, False),
        (0, 20, "clopper_pearson", 0.0, 0.1684, False),
        (1, 29, "clopper_pearson", 0.0009, 0.1776, False),
    ],
)
def test_newcombe_1998(successes, n, kind, low, high, truncated) -> None:
    interval = binomial_interval(successes, n, kind=kind)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)
    assert interval.truncated is truncated
    assert interval.kind == kind
    assert (interval.confidence, round(interval.z, 6)) == (0.95, 1.959964)


@pytest.mark.parametrize(
    ("kind", "oracle"),
    [
        ("wald", "normal"),
        ("wilson", "wilson"),
        ("agresti_coull", "agresti_coull"),
        ("clopper_pearson", "beta"),
        ("jeffreys", "jeffreys"),
    ],
)
def test_as_statsmodels(kind: str, oracle: str) -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    rng = np.random.default_rng(3)
    for _ in range(60):
        n = int(rng.integers(2, 400))
        successes = int(rng.integers(1, n))
        confidence = float(rng.uniform(0.6, 0.999))
        expected = proportion.proportion_confint(successes, n, 1 - confidence, method=oracle)
        got = binomial_interval(successes, n, kind=kind, confidence=confidence)
        # statsmodels cuts most of them at 0 and 1, but not Agresti's.
        assert (got.low, got.high) == pytest.approx(np.clip(expected, 0, 1), abs=1e-12)


def test_logit_is_symmetric_in_log_odds() -> None:
    interval = binomial_interval(81, 263, kind="logit")
    odds = [math.log(x / (1 - x)) for x in (interval.low, 81 / 263, interval.high)]
    error = math.sqrt(1 / 81 + 1 / (263 - 81))
    assert odds[2] - odds[1] == pytest.approx(interval.z * error, abs=1e-12)
    assert odds[1] - odds[0] == pytest.approx(interval.z * error, abs=1e-12)


def test_logit_falls_back_where_it_has_no_value() -> None:
    interval = binomial_interval(0, 20, kind="logit")
    assert interval.kind == "clopper_pearson"
    # The closed form at no success: 1 - (alpha / 2)^(1 / n).
    assert interval.high == pytest.approx(1 - 0.025 ** (1 / 20), abs=1e-12)


def test_jeffreys_reaches_the_ends() -> None:
    assert binomial_interval(0, 12, kind="jeffreys").low == 0
    assert binomial_interval(12, 12, kind="jeffreys").high == 1
    assert 0 < binomial_interval(0, 12, kind="jeffreys").high < 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_counted_is_undefined(kind: str) -> None:
    interval = binomial_interval(0, 0, kind=kind)
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


@given(
    n=st.integers(1, 500),
    share=st.floats(0, 1),
    kind=st.sampled_from(KINDS),
    level=st.floats(0.5, 0.999),
)
@settings(max_examples=200, deadline=None)
def test_mirror_and_range(n: int, share: float, kind: str, level: float) -> None:
    successes = round(share * n)
    interval = binomial_interval(successes, n, kind=kind, confidence=level)
    mirror = binomial_interval(n - successes, n, kind=kind, confidence=level)
    assert 0 <= interval.low <= successes / n + 1e-12
    assert successes / n - 1e-12 <= interval.high <= 1
    assert interval.low == pytest.approx(1 - mirror.high, abs=1e-9)


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (math.nan, 5), (1, math.inf)])
def test_impossible_counts(successes: float, n: float) -> None:
    with pytest.raises(AccuracyError, match=f"got {successes} of {n}"):
        binomial_interval(successes, n)


def test_unknown_kind() -> None:
    with pytest.raises(UsageError, match=r"wald, wilson.*: got 'exact'"):
        binomial_interval(1, 5, kind="exact")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="wald, wilson, logit: got 'jeffreys'"):
        share_interval(0.5, 0.1, 5, kind="jeffreys")  # type: ignore[arg-type]


def test_share_wald_is_cut_and_says_so() -> None:
    estimate = share_interval(0.97, 0.02, 100)
    assert (estimate.high, estimate.truncated, estimate.interval) == (1.0, True, "wald")
    assert estimate.low == pytest.approx(0.97 - 1.959963984540054 * 0.02)
    inside = share_interval(0.5, 0.02, 100, z=2)
    assert (inside.low, inside.high, inside.truncated) == (0.46, 0.54, False)


@pytest.mark.parametrize("kind", ["wilson", "logit"])
def test_share_from_a_simple_sample_is_the_binomial_interval(kind: str) -> None:
    error = math.sqrt(0.3 * 0.7 / 50)
    expected = binomial_interval(15, 50, kind=kind)
    estimate = share_interval(0.3, error, 50, kind=kind)
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert estimate.interval == kind


@pytest.mark.parametrize("kind", ["wald", "wilson", "logit"])
@pytest.mark.parametrize("value", [0.0, 1.0, 0.7])
def test_share_without_error_gets_wilson_on_the_units(kind: str, value: float) -> None:
    estimate = share_interval(value, 0.0, 20, kind=kind)
    assert estimate.interval == "wilson"
    assert (estimate.low, estimate.high) == wilson_bounds(value, 20, 1.959963984540054)
    assert estimate.low < estimate.high
    assert not estimate.truncated


@pytest.mark.parametrize("kind", ["wilson", "logit"])
def test_share_at_an_end_with_error_gets_wald(kind: str) -> None:
    estimate = share_interval(1.0, 0.05, 20, kind=kind)
    assert (estimate.interval, estimate.high, estimate.truncated) == ("wald", 1.0, True)
    assert estimate.low == pytest.approx(1 - 1.959963984540054 * 0.05)


@pytest.mark.parametrize(("value", "error"), [(math.nan, 0.1), (0.4, math.nan)])
def test_share_undefined_stays_undefined(value: float, error: float) -> None:
    estimate = share_interval(value, error, 3, kind="logit")
    figures = (estimate.value, estimate.standard_error, estimate.low, estimate.high)
    assert all(math.isnan(x) for x in figures)
    assert not estimate.defined
    assert (estimate.n_units, estimate.interval, estimate.truncated) == (3, "logit", False)


def test_share_rounding_is_not_a_truncation() -> None:
    assert share_interval(-1e-17, 0.0, 10).value == 0.0
    assert share_interval(1 + 2e-16, 0.0, 10).value == 1.0


def test_share_takes_rounding_in_the_error_for_none() -> None:
    estimate = share_interval(1.0, 3e-17, 20)
    assert (estimate.standard_error, estimate.interval) == (0.0, "wilson")
    assert estimate.low == pytest.approx(wilson_bounds(1.0, 20, 1.959963984540054)[0])


def test_share_survives_wide_logit() -> None:
    estimate = share_interval(1e-6, 0.5, 10, kind="logit")
    assert 0 <= estimate.low < 1e-6 < estimate.high <= 1


def test_share_negative_error() -> None:
    with pytest.raises(AccuracyError, match=r"below 0: got -0\.1"):
        share_interval(0.5, -0.1, 10)


@given(
    value=st.floats(0, 1),
    error=st.floats(0, 0.5),
    kind=st.sampled_from(["wald", "wilson", "logit"]),
)
@settings(max_examples=200, deadline=None)
def test_share_inside_its_bounds(value: float, error: float, kind: str) -> None:
    estimate = share_interval(value, error, 30, kind=kind)
    assert 0 <= estimate.low <= estimate.value + 1e-9
    assert estimate.value - 1e-9 <= estimate.high <= 1


def test_wilson_knows_nothing_without_units() -> None:
    assert wilson_bounds(0.3, 0, 1.96) == (0.0, 1.0)
