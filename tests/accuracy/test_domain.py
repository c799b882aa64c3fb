"""A part of the population that is not assessed: out of scope, or without data on the map."""

from __future__ import annotations

import numpy as np
import pytest

from rs_workbench.accuracy import (
    Design,
    Estimate,
    Stratum,
    bootstrap_sample,
    design_estimate,
    make_sample,
    overall_accuracy,
    paired_difference,
)
from rs_workbench.errors import AccuracyError

# In stratum a 30 of 50 units are beyond what is assessed; 15 of the other 20 are right.
STRATA = (
    Stratum(name="a", n_population=9000, n_drawn=50, area_ha=900),
    Stratum(name="b", n_population=1000, n_drawn=50, area_ha=100),
)
STRATIFIED = Design(kind="stratified", strata=STRATA)
NAMES = np.repeat(["a", "b"], 50)
BEYOND = np.arange(100) < 30
MAP = np.repeat([0, 1], 50)
TRUTH = np.concatenate([np.zeros(45), np.ones(5), np.ones(40), np.zeros(10)]).astype(int)
SAMPLE = make_sample(MAP, TRUTH, 2, stratum=NAMES, beyond=BEYOND)


def test_the_part_that_is_assessed_weighs_what_the_sample_says() -> None:
    result = design_estimate(SAMPLE, STRATIFIED)
    # 0.4 of stratum a is assessed: 360 ha, of which 3/4 are right; 100 ha of b, 4/5 right.
    assert result.overall.value == pytest.approx((270 + 80) / 460)
    assert result.overall.n_units == 70
    assert result.counts.tolist() == [[15, 5], [10, 40]]
    assert result.matrix.sum() == pytest.approx(1)
    assert result.stratum_units == {"a": 50, "b": 50}


def test_areas_leave_out_what_is_beyond() -> None:
    first = design_estimate(SAMPLE, STRATIFIED).area[0]
    assert first.area_ha == pytest.approx(900 * 15 / 50 + 100 * 10 / 50)
    # Nothing is divided by: the error is that of two shares of whole strata.
    variance = 900**2 * 0.3 * 0.7 / 49 + 100**2 * 0.2 * 0.8 / 49
    assert first.standard_error_ha == pytest.approx(np.sqrt(variance))


def test_error_of_the_accuracy_of_a_part() -> None:
    # A ratio of two totals: y right and assessed, x assessed (Stehman 2014, equation 28).
    inside, right = ~BEYOND * 1.0, (~BEYOND & (MAP == TRUTH)) * 1.0
    size = np.array([9000, 1000])
    total = size @ [inside[:50].mean(), inside[50:].mean()]
    ratio = size @ [right[:50].mean(), right[50:].mean()] / total
    rest = right - ratio * inside
    spread = np.array([rest[:50].var(ddof=1), rest[50:].var(ddof=1)])
    error = np.sqrt(size**2 @ spread / 50) / total
    result = design_estimate(SAMPLE, STRATIFIED)
    assert result.overall.standard_error == pytest.approx(error)
    difference = paired_difference(MAP == TRUTH, np.zeros(100), sample=SAMPLE, design=STRATIFIED)
    assert difference.value == pytest.approx(ratio)
    assert difference.standard_error == pytest.approx(error)
    assert difference.n_units == 70
    drawn = bootstrap_sample(overall_accuracy, SAMPLE, design=STRATIFIED, n_draws=4000)
    assert drawn.value == pytest.approx(ratio)
    assert drawn.standard_error == pytest.approx(error, rel=0.05)


def test_units_that_are_beyond_were_used() -> None:
    assert not [w for w in design_estimate(SAMPLE, STRATIFIED).warnings if "not used" in w]


def test_a_sample_all_beyond_has_no_unit() -> None:
    with pytest.raises(AccuracyError, match="no unit with a label"):
        make_sample([0, 0], [0, 0], 1, beyond=[True, True])


# Area of the population against area of the map


def estimated(mapped_area_ha: list[float]) -> tuple[float, tuple[str, ...]]:
    sample = make_sample(MAP, TRUTH, 2, stratum=NAMES)
    result = design_estimate(sample, STRATIFIED, mapped_area_ha=mapped_area_ha)
    return sum(a.area_ha for a in result.area), result.warnings


@pytest.mark.parametrize(("mapped", "total"), [([900, 1100], 1000), ([500, 100], 600)])
def test_a_sample_tells_of_no_more_than_it_was_drawn_from(
    mapped: list[float], total: float
) -> None:
    area, warnings = estimated(mapped)
    assert area == pytest.approx(total)
    assert (
        f"from 1,000.0 ha, but the classes of the map cover {sum(mapped):,.1f} ha" in warnings[0]
    )
    assert f"estimated for {total:,.1f} ha" in warnings[0]


def test_the_same_area_needs_no_warning() -> None:
    area, warnings = estimated([900, 100])
    assert area == pytest.approx(1000)
    assert warnings == ()


def test_units_added_by_hand_are_named() -> None:
    sample = make_sample([0] * 51 + [1] * 50, [0] * 51 + [1] * 50, 2, stratum=["a", *NAMES])
    assert (
        "stratum 'a' has 51 labelled units, but 50 were drawn"
        in design_estimate(sample, STRATIFIED).warnings[0]
    )


# Intervals where no error was seen


def wilson_low(n: float) -> float:
    return n / (n + 1.959964**2)


def all_right(**columns: object) -> Estimate:
    kind = "cluster" if "cluster" in columns else "stratified"
    design = Design(kind=kind, strata=STRATA if kind == "stratified" else ())
    labels = np.repeat([0, 1], [10, 490])
    return design_estimate(make_sample(labels, labels, 2, **columns), design).overall  # type: ignore[arg-type]


def test_units_without_error_count_by_their_weight() -> None:
    overall = all_right(stratum=np.repeat(["a", "b"], [10, 490]))
    worth = 10_000**2 / (10 * 900**2 + 490 * (1000 / 490) ** 2)
    assert overall.low == pytest.approx(wilson_low(worth))
    assert worth < 13
    assert overall.n_units == 500


def test_clusters_without_error_count_once() -> None:
    assert all_right(cluster=np.arange(500) // 50).low == pytest.approx(wilson_low(10))


def test_a_class_that_is_always_wrong_is_not_called_right() -> None:
    sample = make_sample([0] * 20 + [1] * 20, [1] * 40, 2)
    (no_error, all_wrong) = design_estimate(sample, Design(kind="simple_random")).warnings
    assert "no error was seen among the units mapped as 1 of the classes" in no_error
    assert "every unit mapped as 1 of the classes was wrong" in all_wrong
