"""Sample size, allocation and expected standard errors, against published examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rs_workbench.accuracy.sample_size import (
    allocate,
    expected_errors,
    sample_size,
    spread_errors,
)
from rs_workbench.errors import AccuracyError

# Olofsson et al. 2014, section 5: deforestation, forest gain, stable forest, stable non-forest.
USERS = (0.70, 0.60, 0.90, 0.95)
WEIGHTS = (0.020, 0.015, 0.320, 0.645)


def test_olofsson_2014_needs_641_units():
    assert sample_size(USERS, WEIGHTS, standard_error=0.01) == 641


def test_olofsson_2014_table_5_proportional_and_equal_rows():
    # The row that the paper adopts (75/75/165/325 and the like) was rounded by hand.
    assert allocate(641, WEIGHTS).tolist() == [13, 10, 205, 413]
    equal = allocate(641, WEIGHTS, rule="equal")
    assert equal.sum() == 641
    assert set(equal.tolist()) == {160, 161}  # printed: 160 each, which adds up to 640


def test_cochran_1977_blood_group_on_an_island():
    # Section 4.4: P = 50 %, 5 % of error at t = 2; 400 people, and 356 where the island has 3,200.
    assert sample_size(0.5, standard_error=0.05 / 2) == 400
    assert sample_size(0.5, standard_error=0.05 / 2, n_population=3200) == 356


def test_half_width_is_of_the_95_percent_interval():
    # 1.959964^2 x 0.25 / 0.05^2 = 384.1, the figure of every textbook table.
    assert sample_size(0.5, half_width=0.05) == 385
    assert sample_size(USERS, WEIGHTS, half_width=1.959964 * 0.01) == 641


def test_area_of_a_class_as_target():
    # Worked by hand: S = sqrt(.7 x .3), sqrt(.01 x .99); (0.1 S1 + 0.9 S2)^2 / 0.005^2 = 733.05
    assert sample_size([0.7, 0.01], [0.1, 0.9], standard_error=0.005) == 734


@given(
    st.lists(st.tuples(st.floats(0.02, 0.98), st.floats(0.01, 1.0)), min_size=2, max_size=6),
    st.floats(0.005, 0.05),
)
@settings(max_examples=50, deadline=None)
def test_neyman_allocation_of_that_size_reaches_the_target(strata, target):
    shares, weights = map(np.array, zip(*strata, strict=True))
    weights = weights / weights.sum()
    n = sample_size(shares, weights, standard_error=target)
    aims = weights * np.sqrt(shares * (1 - shares))
    reached = expected_errors(n * aims / aims.sum(), weights, accuracy=shares)
    assert reached.overall_standard_error <= target * (1 + 1e-9)
    fewer = expected_errors((n - 1) * aims / aims.sum(), weights, accuracy=shares)
    assert n == 1 or fewer.overall_standard_error > target * (1 - 1e-9)


@given(
    st.lists(st.floats(0.001, 1.0), min_size=1, max_size=12),
    st.integers(0, 3000),
    st.sampled_from(["equal", "minimum", "power", "neyman", "proportional"]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=200, deadline=None)
def test_any_allocation_adds_up_and_keeps_its_bounds(weights, extra, rule, random):
    populations = [random.randint(2, 900) for _ in weights]
    n = min(2 * len(weights) + extra, sum(populations))
    units = allocate(
        n,
        weights,
        rule=rule,
        minimum=2,
        deviations=[0.3, *(random.random() for _ in weights[1:])],
        power=random.random(),
        populations=populations,
    )
    assert units.sum() == n
    assert (units >= 2).all()
    assert (units <= populations).all()


def test_rules_follow_their_definition():
    weights, deviations = np.array([0.1, 0.3, 0.6]), np.array([0.5, 0.3, 0.1])
    neyman = allocate(1000, weights, rule="neyman", deviations=deviations)
    assert neyman.tolist() == [250, 450, 300]
    power = allocate(1000, weights, rule="power", power=0.5)
    roots = np.sqrt(weights)
    assert np.abs(power - 1000 * roots / roots.sum()).max() < 1
    assert allocate(1000, weights, rule="power", power=0).tolist() == [334, 333, 333]
    assert allocate(1000, weights, rule="power", power=1).tolist() == [100, 300, 600]


def test_minimum_first_and_the_rest_by_weight():
    # 75 each for the two rare strata, 491 over, which 0.320 : 0.645 divides into 162.8 and 328.2.
    units = allocate(641, WEIGHTS, rule="minimum", minimum=75)
    assert units.tolist() == [75, 75, 163, 328]
    assert allocate(300, [0.01, 0.99], rule="minimum").tolist() == [50, 250]


def test_a_small_stratum_is_taken_whole_and_the_rest_goes_on():
    units = allocate(100, [0.5, 0.25, 0.25], rule="equal", populations=[10, 1000, 1000])
    assert units.tolist() == [10, 45, 45]


def test_a_stratum_of_one_unit_is_taken_whole():
    units = allocate(60, [0.001, 0.999], rule="minimum", populations=[1, 1000])
    assert units.tolist() == [1, 59]


@pytest.mark.parametrize(
    ("n", "weights", "given", "words"),
    [
        (10, [0.98, 0.02], {}, "stratum 2 of 2 would get 0 units by the rule proportional"),
        (
            60,
            [0.5, 0.5],
            {"rule": "minimum"},
            "minimum of 50 in 2 strata takes 100 units.* n is 60",
        ),
        (60, [1, 1], {"populations": [20, 30]}, "n is 60, but the population has 50 units"),
        (60, [1, 1], {"populations": [20]}, "1 populations for 2 strata"),
        (60, [1, 0], {}, "above 0: got .1.0, 0.0"),
        (60, [1, 1], {"rule": "neyman"}, "neyman needs the deviation"),
        (60, [1, 1], {"rule": "neyman", "deviations": [0, 0]}, r"one above 0: got \[0.0, 0.0\]"),
        (60, [1, 1], {"rule": "neyman", "deviations": [0.4, 0]}, "stratum 2 of 2 would get 0"),
        (60, [1, 1], {"rule": "power", "power": 2}, "power must be between 0 and 1: got 2"),
    ],
)
def test_allocations_that_cannot_be(n, weights, given, words):
    with pytest.raises(AccuracyError, match=words):
        allocate(n, weights, **given)


@pytest.mark.parametrize(
    ("shares", "weights", "given", "words"),
    [
        (0.8, None, {}, "give one target: got standard_error=None and half_width=None"),
        (0.8, None, {"standard_error": 1, "half_width": 1}, "give one target"),
        (0.8, None, {"standard_error": 1.5}, "between 0 and 1, such as 0.01: got 1.5"),
        (80, None, {"standard_error": 0.01}, r"shares must be between 0 and 1: got \[80.0\]"),
        ([0.8, 0.9], None, {"standard_error": 0.01}, "got 2 for 1 weights"),
        (0.8, None, {"standard_error": 0.01, "n_population": 0}, "at least 1: got 0"),
    ],
)
def test_targets_that_cannot_be(shares, weights, given, words):
    with pytest.raises(AccuracyError, match=words):
        sample_size(shares, weights, **given)


def test_expected_errors_by_hand():
    shares = [[0.7, 0.3], [0.01, 0.99]]
    found = expected_errors([100, 400], [0.1, 0.9], shares=shares, area_ha=1000.0)
    by_class_1 = np.array([0.1**2 * 0.7 * 0.3 / 100, 0.9**2 * 0.01 * 0.99 / 400])
    assert found.overall_accuracy == pytest.approx(0.1 * 0.7 + 0.9 * 0.99)
    assert found.accuracy == (0.7, 0.99)
    assert found.accuracy_standard_error == pytest.approx(
        [np.sqrt(0.21 / 100), np.sqrt(0.0099 / 400)]
    )
    assert found.share == pytest.approx([0.079, 0.921])
    assert found.share_standard_error[0] == pytest.approx(np.sqrt(by_class_1.sum()))
    assert found.area_ha == pytest.approx([79, 921])
    assert found.area_standard_error_ha[1] == pytest.approx(1000 * np.sqrt(by_class_1.sum()))
    assert found.variance_share[:, 0] == pytest.approx(by_class_1 / by_class_1.sum())


def test_a_stratum_without_units_has_no_expected_error():
    found = expected_errors([0, 50], [0.5, 0.5], accuracy=[0.8, 0.9])
    assert np.isnan(found.accuracy_standard_error[0])
    assert np.isnan(found.overall_standard_error)
    assert found.area_ha == ()


def test_errors_are_spread_over_the_other_classes_by_weight():
    spread = spread_errors([0.8, 0.5], [[1, 0, 0], [0.5, 0.5, 0]], [0.2, 0.3, 0.5])
    assert spread[0] == pytest.approx([0.8, 0.2 * 0.3 / 0.8, 0.2 * 0.5 / 0.8])
    assert spread.sum(axis=1) == pytest.approx([1, 1])
    assert spread[1, 2] == pytest.approx(0.5 * (0.5 * 0.5 / 0.8 + 0.5 * 0.5 / 0.7))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "give accuracy or shares"),
        ({"accuracy": [0.8]}, "got 1 accuracies for 2 strata"),
        ({"accuracy": [0.8, 1.2]}, r"between 0 and 1: got \[1.2\]"),
        ({"shares": [[0.5, 0.4], [0, 1]]}, r"add up to 1: got \[0.9, 1.0\]"),
        ({"shares": [[0.5, 0.5, 0], [0, 0, 1]]}, r"got shares of shape \(2, 3\) alone"),
        ({"shares": [[1.0]], "accuracy": [0.5]}, "2 weights, 1 accuracies and 1 rows"),
    ],
)
def test_expectations_that_do_not_fit(given, words):
    with pytest.raises(AccuracyError, match=words):
        expected_errors([10, 10], [0.5, 0.5], **given)


@pytest.mark.parametrize("population", [7, 30, 140, 5000])
def test_a_finite_population_needs_no_unit_more(population: int) -> None:
    # The variance of a share of a simple random sample is p q (N - n) / (n (N - 1)).
    for share in (0.1, 0.35, 0.5):
        for error in (0.03, 0.05, 0.08):
            n = np.arange(1, population + 1)
            variance = share * (1 - share) * (population - n) / (n * (population - 1))
            fewest = n[variance <= error**2][0]
            assert sample_size(share, standard_error=error, n_population=population) == fewest


def test_a_finite_population_in_strata_reaches_the_target_with_its_correction() -> None:
    p, w, population = np.array([0.5, 0.9, 0.7]), np.array([0.2, 0.5, 0.3]), 3000
    spread = np.sqrt(p * (1 - p))
    n = sample_size(p, w, standard_error=0.012, n_population=population)
    own = n * w * spread / (w @ spread)
    left = 1 - own / (w * population)
    assert np.sum(w**2 * left * spread**2 / own) == pytest.approx(0.012**2, rel=0.003)
