"""Resampling against closed forms, SciPy and itself.

With B draws a standard error is known to about 1 / sqrt(2 B): 1.1 % for 4000 draws. Tolerances of
5 % are more than four of that, and far below the mistakes they are to find.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap as scipy_bootstrap

from rs_workbench.accuracy.area import design_estimate
from rs_workbench.accuracy.blocks import leave_block_out
from rs_workbench.accuracy.bootstrap import (
    bootstrap,
    bootstrap_blocks,
    bootstrap_difference,
    bootstrap_sample,
)
from rs_workbench.accuracy.resample import acceleration, draw_totals, make_units
from rs_workbench.accuracy.sample import Design, Stratum, make_sample
from rs_workbench.accuracy.scores import mean_iou, overall_accuracy, users_accuracy
from rs_workbench.errors import AccuracyError

MANY = {"n_draws": 4000, "seed": 11}


def one_hot(labels: np.ndarray, truth: np.ndarray, k: int) -> np.ndarray:
    matrices = np.zeros((len(labels), k, k))
    matrices[np.arange(len(labels)), labels, truth] = 1
    return matrices


def labelled(seed: int, n: int, k: int = 3, right: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    return np.where(rng.random(n) < right, truth, rng.integers(0, k, n)), truth


@pytest.mark.parametrize(("seed", "n"), [(1, 12), (2, 300)])
def test_simple_random_is_the_binomial(seed, n):
    labels, truth = labelled(seed, n)
    found = bootstrap(overall_accuracy, one_hot(labels, truth, 3), **MANY)
    p = np.mean(labels == truth)
    assert found.value == pytest.approx(p)
    assert found.standard_error == pytest.approx(np.sqrt(p * (1 - p) / (n - 1)), rel=0.05)
    assert abs(found.bias) < 0.1 * found.standard_error
    assert (found.n_units, found.n_undefined) == (n, 0)
    assert found.low < p < found.high


def test_without_rescaling_small_strata_are_too_sure():
    """Strata of two units: the plain bootstrap has half the variance."""
    labels, truth = labelled(3, 40, right=0.5)
    strata = np.arange(40) // 2
    right = (labels == truth).reshape(20, 2)
    exact = np.sqrt(np.sum(right.var(axis=1, ddof=1) / 2)) / 20
    units = one_hot(labels, truth, 3)
    honest = bootstrap(overall_accuracy, units, strata=strata, **MANY)
    plain = bootstrap(overall_accuracy, units, strata=strata, rescale=False, **MANY)
    assert honest.standard_error == pytest.approx(exact, rel=0.05)
    assert plain.standard_error == pytest.approx(exact / np.sqrt(2), rel=0.05)


def test_strata_give_the_errors_of_olofsson():
    """Olofsson et al. 2014, table 8: SE of overall, user's accuracy, and the area of loss."""
    counts = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
    rows, columns = np.nonzero(counts)
    labels, truth = (np.repeat(x, counts[rows, columns]) for x in (rows, columns))
    sizes = (200_000, 150_000, 3_200_000, 6_450_000)
    strata = tuple(Stratum(name=str(i), n_population=n) for i, n in enumerate(sizes))
    design = Design(kind="stratified", strata=strata)
    sample = make_sample(labels, truth, 4, stratum=labels)
    exact = design_estimate(sample, design)
    for statistic, estimate in (
        (overall_accuracy, exact.overall),
        (lambda m: users_accuracy(m)[1], exact.users[1]),
        (lambda m: m[:, 0].sum() / m.sum(), exact.share[0]),
        (mean_iou, exact.mean_iou),
    ):
        found = bootstrap_sample(statistic, sample, design=design, **MANY)
        assert found.value == pytest.approx(estimate.value)
        assert found.standard_error == pytest.approx(estimate.standard_error, rel=0.05)
        assert found.n_units == 640


def test_clusters_give_the_linearised_error():
    rng = np.random.default_rng(8)
    cluster = np.repeat(np.arange(60), rng.integers(3, 9, 60))
    truth = rng.integers(0, 3, 60)[cluster]
    labels = np.where((rng.random(60) < 0.7)[cluster], truth, rng.integers(0, 3, cluster.size))
    sample = make_sample(labels, truth, 3, cluster=cluster)
    design = Design(kind="cluster")
    exact = design_estimate(sample, design).overall
    found = bootstrap_sample(overall_accuracy, sample, design=design, **MANY)
    assert found.n_units == 60
    assert found.standard_error == pytest.approx(exact.standard_error, rel=0.1)
    direct = bootstrap(overall_accuracy, one_hot(labels, truth, 3), clusters=cluster, **MANY)
    assert direct.standard_error == pytest.approx(found.standard_error, rel=0.05)
    alone = bootstrap(overall_accuracy, one_hot(labels, truth, 3), **MANY)
    assert alone.standard_error < 0.7 * found.standard_error


def test_a_sample_and_its_matrices_agree():
    labels, truth = labelled(9, 200)
    sample = make_sample(labels, truth, 3)
    found = bootstrap_sample(mean_iou, sample, design=Design(kind="simple_random"), **MANY)
    spelled = bootstrap(mean_iou, one_hot(labels, truth, 3), **MANY)
    assert found.value == pytest.approx(spelled.value)
    assert found.standard_error == pytest.approx(spelled.standard_error, rel=0.05)


@pytest.mark.parametrize("kind", ["percentile", "basic", "bca"])
def test_intervals_are_those_of_scipy(kind):
    labels, truth = labelled(4, 60, k=2, right=0.85)
    units = one_hot(labels, truth, 2)
    found = bootstrap(mean_iou, units, kind=kind, rescale=False, n_draws=20_000, seed=1)

    def statistic(one, other, axis=-1):
        pairs = [np.sum((one == i) & (other == j), axis=axis) for i in (0, 1) for j in (0, 1)]
        a, b, c, d = pairs
        return (a / (a + b + c) + d / (b + c + d)) / 2

    theirs = scipy_bootstrap(
        (labels, truth), statistic, paired=True, vectorized=True, n_resamples=20_000,
        method={"bca": "BCa"}.get(kind, kind), rng=np.random.default_rng(5),
    )  # fmt: skip
    low, high = theirs.confidence_interval
    # A quantile of 20,000 draws wanders by about 0.02 of the width.
    slack = 0.08 * found.standard_error
    assert (found.low, found.high) == pytest.approx((low, high), abs=slack)
    assert found.standard_error == pytest.approx(theirs.standard_error, rel=0.03)


def test_the_three_intervals_differ_as_they_should():
    # Few places with many errors: the draws are skewed to the left.
    wrong = np.minimum(np.random.default_rng(7).gamma(0.5, 0.2, 40), 1)
    units = np.zeros((40, 2, 2))
    units[:, 0, 0], units[:, 0, 1] = 1 - wrong, wrong
    by_kind = {
        kind: bootstrap(overall_accuracy, units, kind=kind, **MANY)
        for kind in ("percentile", "basic", "bca")
    }
    plain, basic, bca = (by_kind[k] for k in ("percentile", "basic", "bca"))
    assert basic.low == pytest.approx(2 * plain.value - plain.high)
    assert basic.high == pytest.approx(2 * plain.value - plain.low)
    # The corrected interval reaches farther to the side of the long tail.
    assert bca.low < plain.low - 0.05 * plain.standard_error
    assert bca.high < plain.high
    wide = bootstrap(overall_accuracy, units, confidence=0.99, **MANY)
    assert wide.low < plain.low


@given(st.integers(0, 10**6), st.integers(4, 30))
@settings(deadline=None, max_examples=30)
def test_acceleration_of_a_mean_is_a_sixth_of_its_skewness(seed, n):
    values = np.random.default_rng(seed).gamma(1, 1, n)
    units = make_units(values[:, None])
    away = values - values.mean()
    expected = np.sum(away**3) / (6 * np.sum(away**2) ** 1.5)
    assert acceleration(units, lambda total: total[0] / n) == pytest.approx(expected)


def test_a_perfect_map_has_no_error_whatever_the_interval():
    for kind in ("percentile", "basic", "bca"):
        found = bootstrap(
            overall_accuracy,
            one_hot(np.arange(9) % 3, np.arange(9) % 3, 3),
            kind=kind,
            n_draws=200,
        )
        assert (found.value, found.standard_error) == (1, 0)
        assert (found.low, found.high) == (1, 1)


def test_undefined_draws_are_counted():
    """Class 1 is on the map once among 20 units: (19/20)^19 = 38 % of the draws miss it."""
    labels = np.array([1] + [0] * 19)
    units = one_hot(labels, np.zeros(20, int), 2)
    found = bootstrap(lambda m: users_accuracy(m)[1], units, **MANY)
    assert found.n_undefined / found.n_draws == pytest.approx(0.95**19, abs=0.04)
    assert found.value == found.high == 0
    never = bootstrap(lambda m: users_accuracy(m)[1], units[1:], n_draws=50)
    assert never.n_undefined == 50
    assert np.isnan([never.value, never.standard_error, never.low, never.high]).all()


def test_blocks_are_drawn_whole_and_empty_ones_left_out():
    rng = np.random.default_rng(2)
    right = rng.integers(200, 1000, 30)
    matrices = np.zeros((5, 8, 2, 2), int)
    matrices.reshape(-1, 2, 2)[:30, 0, 0] = right
    matrices.reshape(-1, 2, 2)[:30, 0, 1] = 1000 - right
    found = bootstrap_blocks(overall_accuracy, matrices, **MANY)
    jackknife = leave_block_out(matrices.reshape(-1, 2, 2), overall_accuracy)
    assert found.n_units == 30
    assert found.value == pytest.approx(jackknife.value)
    assert found.standard_error == pytest.approx(jackknife.standard_error, rel=0.05)


def test_the_difference_is_paired():
    first, truth = labelled(5, 400)
    flip = np.random.default_rng(6).random(400) < 0.05
    second = np.where(flip, (truth + 1) % 3, first)
    one, other = (one_hot(x, truth, 3) for x in (first, second))
    found = bootstrap_difference(overall_accuracy, (one, other), **MANY)
    gain = (first == truth).astype(float) - (second == truth)
    assert found.value == pytest.approx(gain.mean())
    assert found.standard_error == pytest.approx(gain.std(ddof=1) / 20, rel=0.05)
    # As if the two had been seen on different units, the error would be twice as large or more.
    apart = [bootstrap(overall_accuracy, x, **MANY).standard_error for x in (one, other)]
    assert np.hypot(*apart) > 2 * found.standard_error
    same = bootstrap_difference(mean_iou, (one, one), n_draws=100)
    assert (same.value, same.standard_error, same.low, same.high) == (0, 0, 0, 0)


def test_the_seed_repeats_and_matters():
    units = one_hot(*labelled(1, 50), 3)
    first, again, other = (
        bootstrap(mean_iou, units, n_draws=300, seed=seed) for seed in (4, 4, 5)
    )
    assert first == again
    assert first.standard_error != other.standard_error


@given(st.integers(0, 10**6), st.booleans())
@settings(deadline=None, max_examples=30)
def test_every_draw_keeps_the_weight_of_each_stratum(seed, rescale):
    rng = np.random.default_rng(seed)
    strata = np.concatenate([[0, 0, 1, 1], rng.integers(0, 2, 12)])
    parts = np.column_stack([strata == 0, strata == 1]).astype(float)
    units = make_units(parts, strata=strata)
    for total in draw_totals(units, 5, rng, rescale=rescale):
        assert total == pytest.approx(parts.sum(axis=0))


def test_chunks_bound_the_memory(monkeypatch):
    monkeypatch.setattr("rs_workbench.accuracy.resample._BYTES", 1000)
    units = one_hot(*labelled(1, 50), 3)
    found = bootstrap(overall_accuracy, units, n_draws=999)
    assert found.n_draws == 999
    assert found.standard_error == pytest.approx(
        np.sqrt(found.value * (1 - found.value) / 49), rel=0.1
    )


UNITS = one_hot(*labelled(1, 4), 3)


@pytest.mark.parametrize("kind", ["percentile", "bca"])
def test_a_stratum_of_one_unit_in_all_never_varies(kind):
    strata = (Stratum(name="lake", n_population=1), Stratum(name="rest", n_population=1000))
    design = Design(kind="stratified", strata=strata)
    sample = make_sample([0] * 50, [0] * 41 + [1] * 9, 2, stratum=["lake"] + ["rest"] * 49)
    found = bootstrap_sample(overall_accuracy, sample, design=design, kind=kind)
    expected = design_estimate(sample, design).overall
    assert found.value == pytest.approx(expected.value)
    assert found.standard_error == pytest.approx(expected.standard_error, rel=0.05)


@pytest.mark.parametrize(
    ("units", "options", "message"),
    [
        (UNITS[0], {}, r"shape \(n, K, K\): got shape \(3, 3\)"),
        (UNITS[:1], {}, "at least two units to draw from, but the sample has 1"),
        (UNITS[:0], {}, "but the sample has 0"),
        (UNITS, {"strata": ["a", "a", "a", "b"]}, "but stratum 'b' has 1: merge"),
        (UNITS, {"clusters": [1, 1, 1, 1]}, "two clusters to draw from, but the sample has 1"),
        (UNITS, {"strata": [1, 2]}, r"each of the 4 units: got shape \(2,\)"),
        (
            UNITS,
            {"strata": [0, 0, 1, 1], "clusters": list("abbc")},
            "cluster 'b' has units in several",
        ),
        (UNITS, {"kind": "studentised"}, "percentile, bca, basic: got 'studentised'"),
        (UNITS, {"n_draws": 1}, "got n_draws=1 and confidence=0.95"),
        (UNITS, {"confidence": 95}, "got n_draws=2000 and confidence=95"),
    ],
)
def test_what_cannot_be_resampled_is_refused(units, options, message):
    with pytest.raises(AccuracyError, match=message):
        bootstrap(overall_accuracy, units, **options)


def test_pairs_and_designs_that_do_not_fit_are_refused():
    with pytest.raises(AccuracyError, match=r"shape \(4, 3, 3\) and \(3, 3, 3\)"):
        bootstrap_difference(overall_accuracy, (UNITS, UNITS[:3]))
    sample = make_sample([0, 1, 0, 1], [0, 1, 1, 1], 2, stratum=[0, 0, 1, 1])
    strata = tuple(Stratum(name=n, n_population=100) for n in "01")
    with pytest.raises(AccuracyError, match="take the standard errors of design_estimate"):
        bootstrap_sample(
            overall_accuracy, sample, design=Design(kind="post_stratified", strata=strata)
        )
