"""The engine against formulas written out, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rs_workbench.accuracy.area import design_estimate, stratified_estimate
from rs_workbench.accuracy.estimator import variance_by_stratum
from rs_workbench.accuracy.frame import make_frame
from rs_workbench.accuracy.ratios import ratio_estimate, regression_estimate
from rs_workbench.accuracy.sample import Design, Stratum, make_sample, parse_design
from rs_workbench.errors import AccuracyError, UsageError

SIMPLE = Design(kind="simple_random")
COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
PIXELS = (200_000, 150_000, 3_200_000, 6_450_000)


def units(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One row for each unit of a matrix."""
    rows, columns = np.nonzero(counts)
    return np.repeat(rows, counts[rows, columns]), np.repeat(columns, counts[rows, columns])


def strata(sizes=PIXELS, **fields) -> tuple[Stratum, ...]:
    return tuple(Stratum(name=str(i), n_population=n, **fields) for i, n in enumerate(sizes))


def stratified_sample():
    labels, truth = units(COUNTS)
    return make_sample(labels, truth, 4, stratum=labels)


# Estimates


def test_simple_random_is_the_binomial() -> None:
    labels, truth = units(COUNTS)
    result = design_estimate(make_sample(labels, truth, 4), SIMPLE)
    n, p = COUNTS.sum(), COUNTS.trace() / COUNTS.sum()
    assert result.overall.value == pytest.approx(p, abs=1e-15)
    assert result.overall.standard_error == pytest.approx(math.sqrt(p * (1 - p) / (n - 1)))
    share = COUNTS.sum(axis=0)[1] / n
    assert result.share[1].standard_error == pytest.approx(
        math.sqrt(share * (1 - share) / (n - 1))
    )


def test_the_correction_for_a_finite_population_is_an_option() -> None:
    labels, truth = units(COUNTS)
    design = Design(kind="simple_random", n_population=1000)
    sample = make_sample(labels, truth, 4)
    without = design_estimate(sample, design)
    with_it = design_estimate(sample, design, fpc=True)
    left = 1 - COUNTS.sum() / 1000
    assert with_it.fpc
    assert not without.fpc
    ratio = with_it.overall.standard_error / without.overall.standard_error
    assert ratio == pytest.approx(math.sqrt(left))


def test_counts_and_units_agree() -> None:
    from_counts = stratified_estimate(COUNTS, np.array(PIXELS) * 0.09)
    from_units = design_estimate(
        stratified_sample(),
        Design(kind="stratified", strata=strata()),
        mapped_area_ha=np.array(PIXELS) * 0.09,
    )
    np.testing.assert_allclose(from_counts.matrix, from_units.matrix, rtol=1e-13)
    for name in ("users", "producers", "f1", "iou", "share"):
        for a, b in zip(getattr(from_counts, name), getattr(from_units, name), strict=True):
            assert a.standard_error == pytest.approx(b.standard_error, rel=1e-12)
    assert from_counts.area[0].area_ha == pytest.approx(from_units.area[0].area_ha)
    assert from_counts.overall.standard_error == pytest.approx(from_units.overall.standard_error)


def test_parts_of_disagreement_add_up() -> None:
    result = stratified_estimate(COUNTS, PIXELS)
    parts = result.quantity.value + result.exchange.value + result.shift.value
    assert parts == pytest.approx(1 - result.overall.value)
    assert result.matrix.sum() == pytest.approx(1)
    assert sum(result.variance_share.values()) == pytest.approx(1)


def test_standard_errors_of_every_score_match_the_jackknife() -> None:
    """Leave one unit out in turn: a second way to the same variance, to first order."""
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 3, 900)
    truth = np.where(rng.random(900) < 0.7, labels, rng.integers(0, 3, 900))
    whole = design_estimate(make_sample(labels, truth, 3), SIMPLE)

    def scores(keep) -> list[float]:
        r = design_estimate(make_sample(labels[keep], truth[keep], 3), SIMPLE)
        one = (r.overall, r.mean_iou, r.quantity, r.exchange, r.shift)
        return [e.value for e in (*one, *r.users, *r.producers, *r.f1, *r.iou, *r.share)]

    places = np.arange(0, 900)
    left_out = np.array([scores(np.delete(places, i)) for i in places[::3]])
    spread = left_out.var(axis=0) * (len(places) - 1) ** 2 / len(places)
    w = whole
    one = (w.overall, w.mean_iou, w.quantity, w.exchange, w.shift)
    errors = [e.standard_error for e in (*one, *w.users, *w.producers, *w.f1, *w.iou, *w.share)]
    np.testing.assert_allclose(np.sqrt(spread), errors, rtol=0.15)


def test_clusters_by_hand() -> None:
    """Two clusters of equal size: the variance comes from their totals alone."""
    labels, truth = np.zeros(8, int), np.array([0, 0, 0, 0, 0, 0, 1, 1])
    sample = make_sample(labels, truth, 2, cluster=list("aaaabbbb"))
    result = design_estimate(sample, Design(kind="cluster"))
    # Shares of the clusters are 1 and 0.5: mean 0.75, variance of the mean 0.125 / 2.
    assert result.overall.value == 0.75
    assert result.overall.standard_error == pytest.approx(0.25)
    corrected = design_estimate(sample, Design(kind="cluster", n_population=8), fpc=True)
    assert corrected.overall.standard_error == pytest.approx(0.25 * math.sqrt(1 - 2 / 8))


def test_weights_of_counted_pixels_inside_a_cluster() -> None:
    """A row that stands for several equal pixels is those pixels."""
    truth = np.array([0, 0, 0, 1, 0, 1])
    cluster = list("aaabbb")
    one_by_one = make_sample(np.zeros(6, int), truth, 2, cluster=cluster)
    counted = make_sample([0, 0, 0], [0, 1, 0], 2, cluster=["a", "b", "b"], weight=[3, 2, 1])
    design = Design(kind="cluster")
    a, b = design_estimate(one_by_one, design), design_estimate(counted, design)
    assert b.overall.value == pytest.approx(a.overall.value)
    assert b.overall.standard_error == pytest.approx(a.overall.standard_error)


def test_unequal_areas_weigh_the_units() -> None:
    sample = make_sample([0, 0, 1, 1], [0, 1, 1, 1], 2, size=[3.0, 1.0, 2.0, 2.0])
    result = design_estimate(sample, Design(kind="simple_random", area_ha=800, equal_area=False))
    assert result.overall.value == pytest.approx(7 / 8)
    assert result.users[0].value == pytest.approx(3 / 4)
    assert result.area[0].area_ha == pytest.approx(300)
    assert math.isnan(result.area[0].mapped_ha)


def test_post_stratification_by_cochran() -> None:
    labels, truth = units(COUNTS)
    design = Design(kind="post_stratified", strata=strata((400, 300, 4000, 5300)))
    result = design_estimate(make_sample(labels, truth, 4, stratum=labels), design)
    shares = np.array([4, 3, 40, 53]) / 100
    p, n_h = COUNTS.diagonal() / COUNTS.sum(axis=1), COUNTS.sum(axis=1)
    n, spread = COUNTS.sum(), n_h / (n_h - 1) * p * (1 - p)
    variance = np.sum(shares * spread) / n + np.sum((1 - shares) * spread) / n**2
    assert result.overall.value == pytest.approx(shares @ p)
    assert result.overall.standard_error == pytest.approx(math.sqrt(variance))


def test_a_class_nobody_saw_is_undefined() -> None:
    result = design_estimate(make_sample([0, 1, 1, 0], [0, 1, 0, 0], 3), SIMPLE)
    assert not result.iou[2].defined
    assert not result.users[2].defined
    assert result.share[2].value == 0
    assert result.mean_iou.value == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_a_class_that_is_not_on_the_map_needs_no_units() -> None:
    counts = [[50, 2, 1], [3, 40, 0], [0, 0, 0]]
    result = stratified_estimate(counts, [700, 300, 0])
    assert not result.users[2].defined
    assert result.producers[2].value == 0
    assert result.area[2].area_ha == pytest.approx(1000 * 0.7 / 53)


def test_no_error_seen_gives_the_interval_of_wilson_and_says_so() -> None:
    result = stratified_estimate([[20, 0], [1, 30]], [500, 500])
    assert result.users[0].standard_error == 0
    assert result.users[0].interval == "wilson"
    assert 0.8 < result.users[0].low < 0.85
    assert any("Wilson" in warning for warning in result.warnings)


def test_intervals_state_their_level() -> None:
    wide = stratified_estimate(COUNTS, PIXELS, confidence=0.99)
    assert (wide.confidence, round(wide.z, 4)) == (0.99, 2.5758)
    exact = stratified_estimate(COUNTS, PIXELS, z=1.96).overall
    assert exact.high - exact.value == pytest.approx(1.96 * exact.standard_error)
    assert stratified_estimate(COUNTS, PIXELS, z=1.96).confidence == pytest.approx(0.9500042)


# What must be known


def test_units_without_label_and_a_dominant_stratum_are_told() -> None:
    design = Design(kind="stratified", strata=strata(n_drawn=400))
    warnings = design_estimate(stratified_sample(), design).warnings
    assert any(w.startswith("325 of 400 units drawn in stratum '0'") for w in warnings)
    assert any("comes from stratum '3' (64 % of the population)" in w for w in warnings)


def test_systematic_and_small_post_strata_are_told() -> None:
    labels, truth = units(COUNTS)
    sample = make_sample(labels, truth, 4)
    assert "unbiased variance" in design_estimate(sample, Design(kind="systematic")).warnings[0]
    few = make_sample([0, 0, 1, 1], [0, 1, 1, 1], 2, stratum=[0, 0, 1, 1])
    design = Design(kind="post_stratified", strata=strata((5, 5)))
    assert "'0' has only 2 units" in design_estimate(few, design).warnings[0]


# Refusals


@pytest.mark.parametrize(
    ("columns", "design", "told"),
    [
        ({}, Design(kind="stratified", strata=strata((9, 9))), "names no stratum"),
        ({"stratum": list("aabb")}, SIMPLE, r"without strata, but the sample has strata \['a'"),
        ({"cluster": list("aabb")}, SIMPLE, "units of one cluster are not independent"),
        ({}, Design(kind="cluster"), "needs a column cluster"),
        ({}, Design(kind="simple_random", equal_area=False), "add a column area_ha"),
        (
            {"stratum": list("aabb")},
            Design(kind="stratified", strata=strata((9, 9))),
            r"strata \['a', 'b'\] that its design does not know",
        ),
        (
            {"stratum": list("0001")},
            Design(kind="stratified", strata=strata((9, 9))),
            "'1' has 1 labelled unit, from which no variance",
        ),
        (
            {"stratum": list("0000")},
            Design(kind="stratified", strata=strata((9, 9))),
            "'1' has 0 labelled units",
        ),
        (
            {"stratum": list("0011")},
            Design(kind="stratified", strata=strata((9, 1))),
            "'1' has 2 units in the sample but 1 in the population",
        ),
        (
            {"stratum": list("0011"), "cluster": list("xyyz")},
            Design(kind="cluster", strata=strata((9, 9))),
            "1 clusters lie in several strata",
        ),
    ],
)
def test_an_estimator_that_does_not_fit_is_refused(columns, design, told) -> None:
    sample = make_sample([0, 0, 1, 1], [0, 1, 1, 1], 2, **columns)
    with pytest.raises(AccuracyError, match=told):
        design_estimate(sample, design)


def test_the_correction_needs_a_population_and_equal_weights() -> None:
    sample = make_sample([0, 0, 1], [0, 1, 1], 2)
    with pytest.raises(AccuracyError, match="needs the number of units in the population"):
        design_estimate(sample, SIMPLE, fpc=True)
    weighted = make_sample([0, 0, 1], [0, 1, 1], 2, weight=[1, 2, 3])
    with pytest.raises(AccuracyError, match="equal weights within each stratum: got 1 to 3"):
        design_estimate(weighted, Design(kind="simple_random", n_population=9), fpc=True)


@pytest.mark.parametrize(
    ("counts", "area", "told"),
    [
        ([[5, 1], [0, 3]], [1, 2, 3], "one area, from 0 up, for each of 2 classes"),
        ([[5, 1], [0, 3]], [1, np.inf], "one area, from 0 up"),
        ([[4.7, 1], [0, 3]], [1, 1], "counts of units, not shares: got 4.7"),
        ([[5, 1], [0, 3]], [10, 0], "class 1 has 3 units in the sample but no area"),
        ([[5, 1], [0, 1]], [10, 5], "'class 1' has 1 labelled unit,"),
        ([[5, 1], [0, 0]], [10, 5], "'class 1' has 0 labelled units"),
    ],
)
def test_counts_that_do_not_fit_the_map_are_refused(counts, area, told) -> None:
    with pytest.raises(AccuracyError, match=told):
        stratified_estimate(counts, area)


def test_strata_that_a_design_cannot_have_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a systematic design has no strata: got \['0', '1'\]"):
        Design(kind="systematic", strata=strata((9, 9)))
    sample = make_sample([0, 0, 1, 1], [0, 1, 1, 1], 2, cluster=list("aabb"))
    with pytest.raises(AccuracyError, match="drawn from 2 strata, but the sample names no"):
        design_estimate(sample, Design(kind="cluster", strata=strata((9, 9))))


def test_weights_within_a_stratum_must_be_one() -> None:
    labels, stratum = [0, 0, 1, 1], list("0011")
    design = Design(kind="stratified", strata=strata((90, 9)))
    even = make_sample(labels, [0, 1, 1, 1], 2, stratum=stratum, weight=[40, 40, 3, 3])
    assert design_estimate(even, design).overall.value == pytest.approx((45 + 9) / 99)
    uneven = make_sample(labels, [0, 1, 1, 1], 2, stratum=stratum, weight=[40, 41, 3, 3])
    with pytest.raises(AccuracyError, match="weights from 3 to 41, but a stratified sample"):
        design_estimate(uneven, design)


def test_a_whole_population_leaves_nothing_to_chance() -> None:
    sample = make_sample([0, 0, 1, 1], [0, 1, 1, 1], 2)
    design = Design(kind="simple_random", n_population=4)
    overall = design_estimate(sample, design, fpc=True).overall
    assert (overall.value, overall.low, overall.high, overall.standard_error) == (0.75,) * 3 + (0,)


@pytest.mark.parametrize("z", [0, -1, float("nan")])
def test_z_is_above_zero(z) -> None:
    with pytest.raises(UsageError, match="z must be a number of standard errors above 0"):
        stratified_estimate(COUNTS, PIXELS, z=z)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"map_class": ["a", "b"]}, "got <U1"),
        ({"reference": [0, np.nan]}, r"got \[nan\]"),
        ({"stratum": ["a", None]}, "1 of 2 units have no stratum"),
        ({"map_class": [0, 2]}, r"from 0 to 1: got \[2\]"),
        ({"reference": [0.5, 1]}, r"got \[0.5\]"),
        ({"weight": [1, 0]}, r"every weight must be above 0: got \[0.0\]"),
        ({"size": [1.0]}, "equally long"),
        ({"map_class": [], "reference": []}, "no unit with a label"),
    ],
)
def test_columns_that_are_no_sample(columns, told) -> None:
    given = {"map_class": [0, 1], "reference": [0, 1], **columns}
    with pytest.raises(AccuracyError, match=told):
        make_sample(given.pop("map_class"), given.pop("reference"), 2, **given)


def test_a_design_from_a_file_is_checked() -> None:
    design = Design(kind="stratified", strata=strata(), seed=3)
    assert parse_design(design.model_dump_json(), "x") == design
    with pytest.raises(AccuracyError, match=r"x.json is not a sampling design \(kind"):
        parse_design('{"kind": "haphazard"}', "x.json")
    with pytest.raises(AccuracyError, match="needs its strata"):
        parse_design('{"kind": "stratified"}', "x.json")


# Ratios and regression


def test_ratio_with_fractional_labels() -> None:
    part, whole = np.array([0.2, 0.9, 1.5, 0.4]), np.array([1.0, 1.0, 2.0, 0.5])
    result = ratio_estimate(part, whole, SIMPLE)
    ratio = part.sum() / whole.sum()
    residuals = part - ratio * whole
    variance = np.sum(residuals**2) / 3 / 4 / whole.mean() ** 2
    assert result.value == pytest.approx(ratio)
    assert result.standard_error == pytest.approx(math.sqrt(variance))


def test_a_ratio_needs_no_other_size_than_its_denominator() -> None:
    geographic = SIMPLE.model_copy(update={"equal_area": False})
    part, whole = [0.2, 0.9, 1.5], [1.0, 1.2, 2.0]
    assert ratio_estimate(part, whole, geographic) == ratio_estimate(part, whole, SIMPLE)


def test_variance_of_a_total() -> None:
    sample = stratified_sample()
    design = Design(kind="stratified", strata=strata())
    right = (sample.map_class == sample.reference).astype(float)[:, None]
    n_h, p = COUNTS.sum(axis=1), COUNTS.diagonal() / COUNTS.sum(axis=1)
    variance = np.sum(np.array(PIXELS) ** 2.0 * p * (1 - p) / (n_h - 1))
    assert variance_by_stratum(make_frame(sample, design), right).sum() == pytest.approx(variance)


def test_a_map_without_error_leaves_the_regression_none() -> None:
    x = np.array([0.0, 0.25, 0.5, 1.0])
    result = regression_estimate(x, x, 0.4, n_population=100)
    assert (result.value, result.slope) == (pytest.approx(0.4), pytest.approx(1))
    assert result.standard_error == pytest.approx(0, abs=1e-12)


def test_regression_refusals() -> None:
    with pytest.raises(AccuracyError, match="at least three units"):
        regression_estimate([1, 2], [1, 2], 0.5)
    with pytest.raises(AccuracyError, match="has the value 1 on the map"):
        regression_estimate([1, 2, 3], [1, 1, 1], 0.5)
    with pytest.raises(AccuracyError, match="3 units of 2; drop"):
        regression_estimate([1, 2, 3], [1, 2, 4], 0.5, n_population=2)
    with pytest.raises(AccuracyError, match="mapped_mean nan"):
        regression_estimate([1, 2, 3], [1, 2, 4], float("nan"))
    with pytest.raises(AccuracyError, match="denominator's total is 0"):
        ratio_estimate([1, 2], [0, 0], SIMPLE)
