"""Published estimates of accuracy and area, to the digit that was printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
import pytest

from rs_workbench.accuracy import (
    AccuracyEstimate,
    Design,
    Sample,
    Stratum,
    design_estimate,
    disagreement,
    make_sample,
    stratified_estimate,
)
from tests.accuracy import published
from tests.accuracy.published import agrees, half_unit
from tests.accuracy.published_agreement import (
    PONTIUS,
    PONTIUS_POPULATION,
    PONTIUS_POPULATION_PRINTED,
)


def figures(estimate: AccuracyEstimate, name: str) -> list[float]:
    """Give the figures of one name, such as half_users: z times the standard errors."""
    if name == "matrix":
        return estimate.matrix.ravel().tolist()
    part, _, what = name.rpartition("_")
    found = getattr(estimate, what)
    rows = list(found) if isinstance(found, tuple) else [found]
    unit = "_ha" if what == "area" else ""
    value = "area" if what == "area" else "value"
    fields = {"": value, "se": "standard_error", "half": "standard_error"}
    factor = estimate.z if part == "half" else 1.0
    return [factor * getattr(row, fields.get(part, part) + unit) for row in rows]


def check(estimate: AccuracyEstimate, printed: Mapping[str, str | Sequence[str]]) -> None:
    wrong = {}
    for name, texts in printed.items():
        values = figures(estimate, name)
        listed = [texts] if isinstance(texts, str) else list(texts)
        assert len(values) == len(listed)
        pairs = zip(values, listed, strict=True)
        wrong |= {(name, text): value for value, text in pairs if text and not agrees(value, text)}
    assert not wrong


def units(counts: published.Table) -> tuple[list[int], list[int]]:
    """Give the map class and the reference of each unit of a table."""
    table = np.array(counts)
    rows, columns = np.nonzero(table)
    times = table[rows, columns]
    return np.repeat(rows, times).tolist(), np.repeat(columns, times).tolist()


def test_a_printed_digit_is_an_error_of_half_a_unit() -> None:
    assert half_unit("0.120") == 0.0005
    assert [agrees(value, "0.120") for value in (0.1204, 0.1206)] == [True, False]
    assert [agrees(value, "nan") for value in (float("nan"), 0.0)] == [True, False]


@pytest.mark.parametrize("name", published.STRATIFIED)
def test_strata_are_the_classes_of_the_map(name: str) -> None:
    case = published.STRATIFIED[name]
    check(stratified_estimate(case.counts, case.mapped, z=case.z), case.printed)


@pytest.mark.parametrize("name", published.STRATIFIED)
def test_units_one_by_one_give_the_same_tables(name: str) -> None:
    case = published.STRATIFIED[name]
    sizes = [int(Decimal(str(area)) * 10**6) for area in case.mapped]  # exact
    strata = tuple(Stratum(name=str(i), n_population=n) for i, n in enumerate(sizes))
    on_map, reference = units(case.counts)
    sample = make_sample(on_map, reference, len(case.counts), stratum=on_map)
    design = Design(kind="stratified", strata=strata)
    check(design_estimate(sample, design, mapped_area_ha=case.mapped, z=case.z), case.printed)


def stehman() -> tuple[Sample, Design]:
    classes = "ABCD"
    sample = make_sample(
        [classes.index(c) for c in published.STEHMAN_MAP],
        [classes.index(c) for c in published.STEHMAN_REFERENCE],
        4,
        stratum=list(published.STEHMAN_STRATUM),
    )
    sizes = published.STEHMAN_POPULATION.items()
    strata = tuple(Stratum(name=name, n_population=n) for name, n in sizes)
    return sample, Design(kind="stratified", strata=strata)


@pytest.mark.parametrize(
    ("printed", "fpc"),
    [
        pytest.param(published.STEHMAN_PAPER, True, id="paper"),
        pytest.param(published.STEHMAN_FPC, True, id="mapaccuracy"),
        pytest.param(published.STEHMAN_NO_FPC, False, id="mapac"),
    ],
)
def test_strata_are_other_than_the_classes(printed, fpc: bool) -> None:
    check(design_estimate(*stehman(), fpc=fpc), printed)


def test_the_correction_moves_a_printed_digit() -> None:
    errors = [
        design_estimate(*stehman(), fpc=fpc).users[1].standard_error for fpc in (True, False)
    ]
    assert [round(e, 5) for e in errors] == [0.12478, 0.12480]


def test_simple_random_points() -> None:
    sample = make_sample(*units(published.ACATAMA_SIMPLE), 3)
    mapped = published.ACATAMA_STRATIFIED.mapped
    design = Design(kind="simple_random", area_ha=sum(mapped))
    check(design_estimate(sample, design), published.ACATAMA_SIMPLE_PRINTED)


def test_the_same_points_post_stratified() -> None:
    on_map, reference = units(published.ACATAMA_SIMPLE)
    mapped = published.ACATAMA_STRATIFIED.mapped
    strata = tuple(
        Stratum(name=str(i), n_population=round(area / published.ACATAMA_PIXEL_HA), area_ha=area)
        for i, area in enumerate(mapped)
    )
    sample = make_sample(on_map, reference, 3, stratum=on_map)
    estimate = design_estimate(sample, Design(kind="post_stratified", strata=strata))
    check(estimate, published.ACATAMA_POST_STRATIFIED_PRINTED)


def test_disagreement_is_taken_to_the_population() -> None:
    estimate = stratified_estimate(PONTIUS.counts, PONTIUS_POPULATION)
    assert agrees(estimate.quantity.value, PONTIUS_POPULATION_PRINTED["quantity"])
    allocation = estimate.exchange.value + estimate.shift.value
    assert agrees(allocation, PONTIUS_POPULATION_PRINTED["allocation"])


def test_disagreement_of_counts() -> None:
    found = disagreement(PONTIUS.counts)
    for name, text in PONTIUS.printed.items():
        assert agrees(getattr(found, name), str(text))
