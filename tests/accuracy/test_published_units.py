"""Published results of regression, unequal areas, clusters and paired maps, to the digit."""

from __future__ import annotations

import numpy as np
import pytest

from rs_workbench.accuracy import (
    Design,
    Stratum,
    bowker,
    cochran_q,
    mcnemar,
    ratio_estimate,
    regression_estimate,
    sample_size,
)
from tests.accuracy import published_agreement, published_units
from tests.accuracy.published import agrees
from tests.accuracy.published_agreement import Paired

# Printed with all 16 digits of a float, of which the last may be rounding.
FULL = {"rel": 1e-13}


def floats(texts: tuple[str, ...]) -> list[float]:
    return [float(text) for text in texts]


def test_regression_on_the_map() -> None:
    blocks = published_units.TYUKAVINA_BLOCKS
    estimate = regression_estimate(
        published_units.TYUKAVINA_REFERENCE,
        published_units.TYUKAVINA_MAP,
        published_units.TYUKAVINA_MAP_MEAN,
        n_population=blocks,
    )
    found = [blocks * estimate.value, blocks * estimate.standard_error]
    assert found == pytest.approx(floats(published_units.TYUKAVINA_REGRESSION), **FULL)


def test_the_same_blocks_without_the_map() -> None:
    blocks = published_units.TYUKAVINA_BLOCKS
    reference = published_units.TYUKAVINA_REFERENCE
    design = Design(kind="simple_random", unit="block", n_population=blocks)
    estimate = ratio_estimate(reference, np.ones(len(reference)), design, fpc=True)
    found = [blocks * estimate.value, blocks * estimate.standard_error]
    assert found == pytest.approx(floats(published_units.TYUKAVINA_DIRECT), **FULL)


@pytest.fixture
def pixels():
    """Area on the map, in truth and in both, km2, and stratum of each pixel; and the design."""
    cells = np.array(published_units.TYUKAVINA_PIXELS)
    rows = np.repeat(cells[:, :3], cells[:, 3].astype(int), axis=0)
    stratum, on_map, in_truth = rows[:, 0].astype(int), rows[:, 1], rows[:, 2]
    size = np.array(published_units.TYUKAVINA_PIXEL_AREAS)[stratum - 1]
    counts = enumerate(published_units.TYUKAVINA_COUNTS, start=1)
    strata = tuple(Stratum(name=str(name), n_population=n) for name, n in counts)
    right = np.minimum(on_map, in_truth) + np.minimum(1 - on_map, 1 - in_truth)
    areas = {
        "map": size * on_map,
        "truth": size * in_truth,
        "both": size * np.minimum(on_map, in_truth),
        "right": size * right,
        "unit": np.ones(len(size)),
    }
    return areas, stratum, Design(kind="stratified", strata=strata, equal_area=True)


@pytest.mark.parametrize(
    ("part", "whole", "factor", "printed"),
    [
        pytest.param(
            "truth",
            "unit",
            sum(published_units.TYUKAVINA_COUNTS),
            published_units.TYUKAVINA_CLASS_AREA,
            id="area",
        ),
        pytest.param(
            "right",
            "unit",
            100 * sum(published_units.TYUKAVINA_COUNTS) / sum(published_units.TYUKAVINA_AREAS),
            published_units.TYUKAVINA_OVERALL,
            id="overall",
        ),
        pytest.param("both", "truth", 100, published_units.TYUKAVINA_PRODUCERS, id="producers"),
    ],
)
def test_pixels_of_unequal_area_with_fractional_labels(
    pixels, part: str, whole: str, factor: float, printed: tuple[str, str]
) -> None:
    areas, stratum, design = pixels
    estimate = ratio_estimate(areas[part], areas[whole], design, stratum=stratum, fpc=True)
    found = [factor * estimate.value, factor * estimate.standard_error]
    assert found == pytest.approx(floats(printed), **FULL)


def test_users_accuracy_of_fractional_labels(pixels) -> None:
    areas, stratum, design = pixels
    estimate = ratio_estimate(areas["both"], areas["map"], design, stratum=stratum, fpc=True)
    printed = float(published_units.TYUKAVINA_USERS_ERROR)
    assert 100 * estimate.standard_error == pytest.approx(printed, **FULL)


def test_whole_clusters() -> None:
    grades = np.array(published_units.LOHR_SUITES)
    suite = np.repeat(np.arange(len(grades)), grades.shape[1])
    design = Design(kind="cluster", unit="suite", n_population=published_units.LOHR_N_SUITES)
    estimate = ratio_estimate(
        grades.ravel(), np.ones(grades.size), design, cluster=suite, fpc=True
    )
    mean, error = published_units.LOHR_PRINTED
    assert agrees(estimate.value, mean)
    assert agrees(estimate.standard_error, error)


def test_units_for_the_area_of_one_class() -> None:
    units = sample_size(
        published_units.NEPAL_SHARES,
        published_units.NEPAL_PIXELS,
        standard_error=published_units.NEPAL_TARGET,
    )
    assert units == published_units.NEPAL_UNITS


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        *(("corrected", case) for case in published_agreement.MCNEMAR_CORRECTED),
        *(("asymptotic", case) for case in published_agreement.MCNEMAR_PLAIN),
        *(("exact", case) for case in published_agreement.MCNEMAR_EXACT),
    ],
)
def test_mcnemar(kind, case: Paired) -> None:
    found = mcnemar(case.table, kind=kind)
    assert agrees(found.statistic, case.statistic)
    assert agrees(found.p_value, case.p_value)


@pytest.mark.parametrize(
    ("test", "case"),
    [
        pytest.param(bowker, published_agreement.BOWKER, id="bowker"),
        pytest.param(cochran_q, published_agreement.COCHRAN, id="cochran"),
    ],
)
def test_several_classes_and_several_maps(test, case: Paired) -> None:
    found = test(case.table)
    assert agrees(found.statistic, case.statistic)
    assert agrees(found.p_value, case.p_value)
