"""The design-based difference of two maps, against formulas worked out by design."""

import math

import numpy as np
import pytest

from rs_workbench.accuracy.compare import agreement_table, mcnemar, paired_difference
from rs_workbench.accuracy.sample import Design, Stratum, make_sample
from rs_workbench.errors import AccuracyError

SIMPLE = Design(kind="simple_random", n_population=1000)


def columns(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random(n) < 0.85, rng.random(n) < 0.7


def units(n: int, **more):
    return make_sample(np.zeros(n, int), np.zeros(n, int), 1, **more)


@pytest.mark.parametrize("fpc", [False, True])
def test_simple_random_is_the_mean_of_the_differences(fpc: bool) -> None:
    a, b = columns(80)
    y = a.astype(float) - b
    result = paired_difference(a, b, sample=units(80), design=SIMPLE, fpc=fpc)
    error = y.std(ddof=1) / math.sqrt(80) * math.sqrt(1 - 80 / 1000 if fpc else 1)
    assert result.value == pytest.approx(y.mean(), abs=1e-15)
    assert result.standard_error == pytest.approx(error, abs=1e-14)
    assert result.z_value == pytest.approx(y.mean() / error, rel=1e-12)
    p_value = math.erfc(abs(y.mean() / error) / math.sqrt(2))
    assert result.p_value == pytest.approx(p_value, rel=1e-12)
    half = 1.959963984540054 * error
    assert (result.low, result.high) == pytest.approx((y.mean() - half, y.mean() + half))
    assert (result.n_units, result.confidence) == (80, 0.95)


def test_simple_random_goes_with_mcnemar() -> None:
    a, b = columns(300)
    plain = mcnemar(agreement_table(a, b), kind="asymptotic")
    result = paired_difference(a, b, sample=units(300), design=SIMPLE)
    # Wald's variance leaves out the squared difference that the null hypothesis has as 0.
    differing, apart = plain.b + plain.c, plain.b - plain.c
    expected = plain.statistic * differing / (differing - apart**2 / 300) * 299 / 300
    assert result.z_value**2 == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("fpc", [False, True])
def test_stratified_by_hand(fpc: bool) -> None:
    a, b = columns(90, seed=2)
    stratum = np.repeat(["big", "mid", "small"], 30)
    sizes = {"big": 5000, "mid": 700, "small": 60}
    strata = tuple(Stratum(name=name, n_population=n) for name, n in sizes.items())
    result = paired_difference(
        a,
        b,
        sample=units(90, stratum=stratum),
        design=Design(kind="stratified", strata=strata),
        fpc=fpc,
    )
    y, value, variance = a.astype(float) - b, 0.0, 0.0
    for name, n in sizes.items():
        part, weight = y[stratum == name], n / 5760
        value += weight * part.mean()
        variance += weight**2 * part.var(ddof=1) / 30 * (1 - 30 / n if fpc else 1)
    assert result.value == pytest.approx(value, abs=1e-14)
    assert result.standard_error == pytest.approx(math.sqrt(variance), abs=1e-14)


def test_stratified_differs_from_the_plain_share() -> None:
    # The first map wins in the small stratum, where most units were drawn; on the map, it loses.
    a, b = np.array([1] * 8 + [0] * 2 + [0, 0, 0, 1]), np.array([0] * 8 + [1] * 2 + [1, 1, 1, 0])
    strata = (Stratum(name="s", n_population=10), Stratum(name="l", n_population=990))
    sample = units(14, stratum=["s"] * 10 + ["l"] * 4)
    result = paired_difference(
        a, b, sample=sample, design=Design(kind="stratified", strata=strata)
    )
    assert (a.mean() - b.mean()) > 0.2
    assert result.value == pytest.approx(0.01 * 0.6 + 0.99 * -0.5, abs=1e-14)


def test_clusters_are_one_draw_each() -> None:
    a, b = columns(60, seed=3)
    cluster = np.repeat(np.arange(12), 5)
    result = paired_difference(
        a, b, sample=units(60, cluster=cluster), design=Design(kind="cluster")
    )
    means = (a.astype(float) - b).reshape(12, 5).mean(1)
    assert result.value == pytest.approx(means.mean(), abs=1e-15)
    assert result.standard_error == pytest.approx(means.std(ddof=1) / math.sqrt(12), abs=1e-14)


def test_units_of_unequal_area() -> None:
    a, b = columns(50, seed=4)
    size = np.random.default_rng(4).uniform(0.5, 9, 50)
    result = paired_difference(
        a, b, sample=units(50, size=size), design=Design(kind="simple_random", equal_area=False)
    )
    y = a.astype(float) - b
    value = (size * y).sum() / size.sum()
    residual = size * (y - value) / size.mean()
    assert result.value == pytest.approx(value, abs=1e-14)
    error = math.sqrt((residual**2).sum() / 49 / 50)
    assert result.standard_error == pytest.approx(error, abs=1e-14)


def test_exchanged_maps_change_the_sign() -> None:
    a, b = columns(40)
    one = paired_difference(a, b, sample=units(40), design=SIMPLE)
    other = paired_difference(b, a, sample=units(40), design=SIMPLE)
    assert other.value == -one.value
    assert (other.low, other.high) == pytest.approx((-one.high, -one.low))
    assert other.p_value == pytest.approx(one.p_value)


def test_maps_that_never_differ() -> None:
    a, _ = columns(40)
    result = paired_difference(a, a, sample=units(40), design=SIMPLE)
    assert (result.value, result.standard_error, result.p_value) == (0.0, 0.0, 1.0)
    assert math.isnan(result.low)
    assert math.isnan(result.high)


def test_maps_that_always_differ() -> None:
    result = paired_difference(np.ones(9, bool), np.zeros(9, bool), sample=units(9), design=SIMPLE)
    assert result.value == pytest.approx(1, abs=1e-12)
    assert result.standard_error == 0.0
    assert math.isnan(result.p_value)


def test_bounds_are_cut() -> None:
    a, b = np.array([1, 1, 1, 1, 0]), np.zeros(5, int)
    assert paired_difference(a, b, sample=units(5), design=SIMPLE).high == 1.0


def test_level_by_simulation() -> None:
    # Two maps of the same accuracy: 5 % of tests say otherwise. 2000 tests know it to 0.5 %.
    rng, found = np.random.default_rng(13), 0
    strata = (Stratum(name="a", n_population=8000), Stratum(name="b", n_population=2000))
    design = Design(kind="stratified", strata=strata)
    sample = units(200, stratum=np.repeat(["a", "b"], 100))
    for _ in range(2000):
        a, b = rng.random((2, 200)) < np.repeat([0.9, 0.6], 100)
        found += paired_difference(a, b, sample=sample, design=design).p_value < 0.05
    assert 0.035 < found / 2000 < 0.065


def test_columns_of_another_length() -> None:
    with pytest.raises(AccuracyError, match=r"has 3 units.*shapes \(2,\) and \(2,\)"):
        paired_difference([1, 0], [1, 1], sample=units(3), design=SIMPLE)
