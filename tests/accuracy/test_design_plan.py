"""Plans: numbers of units, what they are expected to tell, and what is said about it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rs_workbench.accuracy.design.plan import Population, Request, plan_sample
from rs_workbench.accuracy.design.words import (
    find_class,
    parse_accuracy,
    parse_area_target,
    parse_buffers,
    unique_names,
)
from rs_workbench.card import LegendClass
from rs_workbench.errors import AccuracyError, UsageError

# Olofsson et al. 2014, section 5.
OLOFSSON = Population(
    names=("deforestation", "gain", "forest", "other"),
    pixels=np.array([200_000, 150_000, 3_200_000, 6_450_000]),
    weights=np.array([0.020, 0.015, 0.320, 0.645]),
    mapped=np.eye(4),
    accuracy=np.array([0.70, 0.60, 0.90, 0.95]),
    class_names=("deforestation", "gain", "forest", "other"),
    area_ha=900_000.0,
)
LEGEND = (
    LegendClass(value=1, name="water", name_zh="水", color="#0000ff"),
    LegendClass(value=4, name="forest", color="#00ff00"),
    LegendClass(value=7, name="forest", color="#00aa00"),
)


def test_the_published_example():
    asked = Request(target=0.01, allocation="proportional")
    plan = plan_sample(OLOFSSON, asked)
    assert plan.n_units == (13, 10, 205, 413)
    # The variance is 0.06724 / n under proportional allocation: 672.4 units for 0.01.
    assert plan.expected.overall_standard_error == pytest.approx(
        np.sqrt(0.0672375 / 641), rel=2e-3
    )
    (advice,) = [w for w in plan.warnings if "reaches it" in w]
    assert "641 units would reach the target standard error 0.01" in advice
    assert "not by 'proportional': --n 674 reaches it" in advice
    assert any("few units in 'deforestation' (13), 'gain' (10)" in w for w in plan.warnings)


def test_the_number_that_is_advised_reaches_the_target():
    asked = Request(target=0.01, allocation="equal")
    (advice,) = [w for w in plan_sample(OLOFSSON, asked).warnings if "reaches it" in w]
    n = int(advice.split("--n ")[1].split()[0])
    errors = plan_sample(OLOFSSON, Request(n=n, allocation="equal")).expected
    assert 0.0097 < errors.overall_standard_error <= 0.01
    neyman = plan_sample(OLOFSSON, replace(asked, allocation="neyman"))
    assert not [w for w in neyman.warnings if "reaches it" in w]
    assert neyman.expected.overall_standard_error == pytest.approx(0.01, rel=2e-3)


def test_an_area_as_target():
    asked = Request(target=0.002, target_class=0, allocation="neyman", minimum=20)
    plan = plan_sample(OLOFSSON, asked)
    assert plan.expected.share_standard_error[0] == pytest.approx(0.002, rel=0.02)
    assert plan.expected.area_standard_error_ha[0] == pytest.approx(1800, rel=0.02)


def test_simple_random_needs_more_for_what_is_expected_by_class():
    plan = plan_sample(OLOFSSON, Request(kind="simple_random", target=0.01))
    p = 0.92375  # 0.02 x 0.7 + 0.015 x 0.6 + 0.32 x 0.9 + 0.645 x 0.95
    assert plan.n == np.ceil(p * (1 - p) / 0.01**2)
    assert plan.expected.overall_accuracy == pytest.approx(p)
    assert plan.expected.overall_standard_error == pytest.approx(0.01, rel=1e-3)
    assert plan.n_units == pytest.approx(plan.n * OLOFSSON.weights)
    assert any("--kind stratified gives more" in w for w in plan.warnings)


def test_without_a_number_the_minimum_decides():
    names = tuple(f"class {i}" for i in range(12))
    many = Population(
        names=names,
        pixels=np.full(12, 1000),
        weights=np.full(12, 1 / 12),
        mapped=np.eye(12),
        accuracy=np.full(12, 0.8),
        class_names=names,
    )
    plan = plan_sample(many, Request())
    assert plan.n_units == (50,) * 12
    assert "takes 600 units, more than the 500 of the default" in plan.warnings[0]
    with pytest.raises(AccuracyError, match="takes 600 units, but n is 500"):
        plan_sample(many, Request(n=500))


def test_a_map_smaller_than_the_sample_is_taken_whole():
    small = replace(OLOFSSON, pixels=np.array([2, 3, 32, 64]))
    plan = plan_sample(small, Request())
    assert plan.n_units == (2, 3, 32, 64)
    assert "only 101 pixels with data, not 500" in plan.warnings[0]


def test_a_stratum_without_units_is_named():
    asked = Request(n=60, allocation="proportional")
    with pytest.raises(
        AccuracyError, match="stratum 'deforestation' would get 1 unit by the rule"
    ):
        plan_sample(OLOFSSON, asked)


def test_buffers_are_suggested_where_omissions_rule():
    (advice,) = [w for w in plan_sample(OLOFSSON, Request()).warnings if "--buffer" in w]
    assert "large stratum 'other'" in advice
    assert "deforestation, gain" in advice
    buffered = replace(OLOFSSON, buffered=("deforestation", "gain"))
    assert not [w for w in plan_sample(buffered, Request()).warnings if "--buffer" in w]


def test_tiny_strata_are_named():
    weights = np.array([0.0004, 0.0346, 0.320, 0.645])
    plan = plan_sample(replace(OLOFSSON, weights=weights), Request())
    assert any("tiny share of the map in 'deforestation' (0.0004)" in w for w in plan.warnings)


def test_classes_by_name_and_value():
    assert find_class("WATER", LEGEND) == find_class("水", LEGEND) == find_class("1", LEGEND) == 1
    assert unique_names(LEGEND, "zh") == {1: "水", 4: "forest (4)", 7: "forest (7)"}
    with pytest.raises(UsageError, match=r"'forest' fits 2 classes, give its value: .* 4=forest"):
        find_class("forest", LEGEND)
    with pytest.raises(UsageError, match="class 'ice' is not one: the map has 1=water"):
        find_class("ice", LEGEND)


def test_expected_accuracy_by_class_stratum_and_for_the_rest():
    assert parse_accuracy(None, LEGEND, [])[0] == {1: 0.8, 4: 0.8, 7: 0.8}
    by_class, by_stratum = parse_accuracy("0.9, water:0.95, edge:0.6", LEGEND, ["edge"])
    assert by_class == {1: 0.95, 4: 0.9, 7: 0.9}
    assert by_stratum == {"edge": 0.6}
    for text, part in {"90": "'90'", "water:x": "'water:x'", "water:0": "'water:0'"}.items():
        with pytest.raises(UsageError, match=f"{part} is not a share above 0"):
            parse_accuracy(text, LEGEND, [])


def test_buffers_in_pixels():
    assert parse_buffers(["water:3", "7：2"], LEGEND) == {1: 3, 7: 2}
    for text in ("water", "water:2.5", "water:-1"):
        with pytest.raises(UsageError, match=f"--buffer '{text}' is not CLASS:PIXELS"):
            parse_buffers([text], LEGEND)
    with pytest.raises(UsageError, match="class '1' twice"):
        parse_buffers(["water:3", "1:2"], LEGEND)


def test_area_targets_as_share_or_in_hectares():
    assert parse_area_target("water:0.005", LEGEND, None) == (1, 0.005)
    assert parse_area_target("water:250ha", LEGEND, 50_000) == (1, 0.005)
    assert parse_area_target("水:250 公顷", LEGEND, 50_000) == (1, 0.005)


@pytest.mark.parametrize(
    ("text", "area", "words"),
    [
        ("water:x", None, "'water:x' is not CLASS:SE"),
        ("water:1e", None, "'water:1e' is not CLASS:SE"),
        ("water:0", None, "'water:0' is not CLASS:SE"),
        ("water:250ha", None, "is in hectares, but the map has no map units"),
        ("water:250", 900.0, "'water:250' is not less than the whole map"),
    ],
)
def test_area_targets_that_cannot_be(text, area, words):
    with pytest.raises(UsageError, match=words):
        parse_area_target(text, LEGEND, area)


def test_without_strata_pixels_are_drawn_by_number_not_by_area():
    # Pixels of the first class are near a pole, and three times smaller.
    map_of_two = Population(
        names=("ice", "forest"),
        pixels=np.array([3000, 1000]),
        weights=np.array([0.5, 0.5]),
        mapped=np.eye(2),
        accuracy=np.array([0.9, 0.9]),
        class_names=("ice", "forest"),
    )
    plan = plan_sample(map_of_two, Request(kind="simple_random", n=400))
    assert plan.n_units == (300, 100)
