"""What must hold of every sample: agreement of estimators, order, ranges, a perfect map."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rs_workbench.accuracy import (
    AccuracyEstimate,
    Confusion,
    Design,
    Estimate,
    Sample,
    Stratum,
    confusion_matrix,
    design_estimate,
    make_sample,
    stratified_estimate,
)
from tests.accuracy import textbook

PARTS = ("overall", "users", "producers", "share")
SCORES = ("overall", "users", "producers", "f1", "iou", "share")
KINDS = ("simple_random", "systematic", "stratified", "post_stratified", "cluster")


@st.composite
def tables(draw):
    """Counts with at least two units in each row, and mapped areas."""
    k = draw(st.integers(2, 6))
    counts = draw(hnp.arrays(np.int64, (k, k), elements=st.integers(0, 60)))
    short = np.maximum(2 - counts.sum(axis=1), 0)
    counts[np.arange(k), np.arange(k)] += short
    areas = draw(st.lists(st.floats(0.5, 1e6), min_size=k, max_size=k))
    return counts, np.array(areas)


@st.composite
def samples(draw, n_strata: int = 3, n_classes: int = 4):
    """Units of any class in strata that are not classes, and the sizes of the strata."""
    drawn = draw(st.lists(st.integers(2, 25), min_size=n_strata, max_size=n_strata))
    n = sum(drawn)
    classes = hnp.arrays(np.int64, n, elements=st.integers(0, n_classes - 1))
    sizes = draw(st.lists(st.integers(30, 10**6), min_size=n_strata, max_size=n_strata))
    strata = tuple(Stratum(name=f"s{i}", n_population=size) for i, size in enumerate(sizes))
    stratum = [f"s{i}" for i in np.repeat(range(n_strata), drawn)]
    return make_sample(draw(classes), draw(classes), n_classes, stratum=stratum), strata


def values(estimate: AccuracyEstimate, names=SCORES) -> list[Estimate]:
    found = [getattr(estimate, name) for name in names]
    return [e for part in found for e in (part if isinstance(part, tuple) else (part,))]


def numbers(estimates: list[Estimate]) -> np.ndarray:
    return np.array([(e.value, e.standard_error, e.low, e.high) for e in estimates])


def of_kind(kind: str, sample: Sample, strata: tuple[Stratum, ...]) -> tuple[Sample, Design]:
    """Take the strata of a sample for what another design has."""
    if kind in ("stratified", "post_stratified"):
        return sample, Design(kind=kind, strata=strata)
    cluster = np.arange(len(sample)) // 3 if kind == "cluster" else None
    plain = make_sample(sample.map_class, sample.reference, sample.n_classes, cluster=cluster)
    return plain, Design(kind=kind)


@given(
    hnp.arrays(np.uint8, (6, 40), elements=st.integers(0, 5)),
    hnp.arrays(np.uint8, (6, 40), elements=st.integers(0, 5)),
    st.permutations(range(6)),
    st.integers(1, 5),
)
def test_merging_in_any_order_and_any_grouping(labels, truth, order, split) -> None:
    def counted(rows) -> Confusion:
        confusion = Confusion(3, nodata=3, ignore=[3, 4], out_of_scope=5, values=[0, 1, 2])
        confusion.update(labels[rows], truth[rows])
        return confusion

    def merged(first: Confusion, second: Confusion) -> Confusion:
        first.merge(second)
        return first

    labels = np.minimum(labels, 3)
    whole = counted(slice(None))
    left, right = order[:split], order[split:]
    halves = [reduce(merged, [counted([row]) for row in part]) for part in (left, right)]
    other = merged(*halves)
    np.testing.assert_array_equal(other.matrix, whole.matrix)
    left_out = ("map_nodata", "unlabelled", "out_of_scope", "seen")
    assert [getattr(other, x) for x in left_out] == [getattr(whole, x) for x in left_out]


@given(tables())
def test_the_engine_is_olofsson_where_strata_are_classes(table) -> None:
    estimate, expected = stratified_estimate(*table), textbook.olofsson(*table)
    for name in PARTS:
        found = numbers(values(estimate, (name,)))
        np.testing.assert_allclose(found[:, 0], expected[name], rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(found[:, 1], expected["se_" + name], rtol=1e-12, atol=1e-13)


@given(samples(), st.booleans())
def test_the_engine_is_stehman_where_strata_are_others(drawn, fpc: bool) -> None:
    sample, strata = drawn
    estimate = design_estimate(sample, Design(kind="stratified", strata=strata), fpc=fpc)
    assert sample.stratum is not None
    code = np.array([int(name[1:]) for name in sample.stratum], np.intp)
    sizes = [s.n_population for s in strata]
    for c in range(sample.n_classes):
        on_map, in_truth = sample.map_class == c, sample.reference == c
        pairs = {
            "users": (on_map & in_truth, on_map),
            "producers": (on_map & in_truth, in_truth),
            "f1": (2 * (on_map & in_truth), 1 * on_map + in_truth),
            "iou": (on_map & in_truth, on_map | in_truth),
            "share": (in_truth, np.ones(len(sample))),
        }
        for name, (y, x) in pairs.items():
            found = getattr(estimate, name)[c]
            if not x.any():
                assert not found.defined
                continue
            expected = textbook.stehman_ratio(y, x, code, sizes, fpc=fpc)
            assert (found.value, found.standard_error) == pytest.approx(expected, 1e-12, 1e-13)


@given(samples())
def test_post_stratified_means_are_those_of_cochran(drawn) -> None:
    sample, strata = drawn
    estimate = design_estimate(sample, Design(kind="post_stratified", strata=strata))
    assert sample.stratum is not None
    code = np.array([int(name[1:]) for name in sample.stratum], np.intp)
    sizes = np.array([s.n_population for s in strata], float)
    right = 1.0 * (sample.map_class == sample.reference)
    means = [right, *(1.0 * (sample.reference == c) for c in range(sample.n_classes))]
    found = numbers(values(estimate, ("overall", "share")))[:, :2]
    expected = [textbook.post_stratified(y, code, sizes) for y in means]
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_standard_errors_of_all_scores_by_numerical_gradients(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = 2 + seed % 4
    counts = rng.integers(5, 60, (k, k)) + 80 * np.eye(k, dtype=int)
    mapped = rng.uniform(1, 100, k)
    estimate = stratified_estimate(counts, mapped)
    for name, value in textbook.scores(estimate.matrix).items():
        found = values(estimate, (name,))[0]
        error = textbook.delta_error(lambda p, name=name: textbook.scores(p)[name], counts, mapped)
        assert found.value == pytest.approx(value, abs=1e-14)
        assert found.standard_error == pytest.approx(error, rel=1e-5, abs=1e-8)


@given(tables(), st.randoms(use_true_random=False))
def test_order_of_classes_does_not_matter(table, random) -> None:
    counts, mapped = table
    order = list(range(len(mapped)))
    random.shuffle(order)
    plain = stratified_estimate(counts, mapped)
    moved = stratified_estimate(counts[np.ix_(order, order)], mapped[order])
    for name in ("users", "producers", "f1", "iou", "share"):
        before = numbers(values(plain, (name,)))[order]
        np.testing.assert_allclose(numbers(values(moved, (name,))), before, 1e-9, 1e-12)
    whole = ("overall", "mean_iou", "quantity", "exchange", "shift")
    before, after = (numbers(values(e, whole)) for e in (plain, moved))
    np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-9)


@given(samples(), st.randoms(use_true_random=False))
def test_order_of_strata_and_units_does_not_matter(drawn, random) -> None:
    sample, strata = drawn
    assert sample.stratum is not None
    order = list(range(len(sample)))
    random.shuffle(order)
    shuffled = replace(
        sample,
        map_class=sample.map_class[order],
        reference=sample.reference[order],
        stratum=sample.stratum[order],
    )
    turned = strata[::-1]
    plain = design_estimate(sample, Design(kind="stratified", strata=strata))
    moved = design_estimate(shuffled, Design(kind="stratified", strata=turned))
    np.testing.assert_allclose(
        numbers(values(moved)), numbers(values(plain)), rtol=1e-9, atol=1e-12
    )
    assert moved.variance_share == pytest.approx(plain.variance_share, nan_ok=True)


@given(tables(), st.floats(1e-3, 1e3))
def test_unit_of_area_does_not_matter_to_shares(table, factor: float) -> None:
    counts, mapped = table
    plain, scaled = (stratified_estimate(counts, area) for area in (mapped, factor * mapped))
    np.testing.assert_allclose(numbers(values(scaled)), numbers(values(plain)), 1e-9, 1e-12)
    areas = [[(a.area_ha, a.standard_error_ha) for a in e.area] for e in (plain, scaled)]
    np.testing.assert_allclose(areas[1], factor * np.array(areas[0]), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("interval", ["wald", "wilson", "logit"])
@given(drawn=samples())
def test_shares_add_up_and_intervals_hold_their_value(drawn, kind: str, interval) -> None:
    estimate = design_estimate(*of_kind(kind, *drawn), interval=interval)
    assert estimate.matrix.sum() == pytest.approx(1, abs=1e-12)
    assert sum(e.value for e in estimate.share) == pytest.approx(1, abs=1e-12)
    parts = (estimate.quantity, estimate.exchange, estimate.shift, estimate.overall)
    assert sum(e.value for e in parts) == pytest.approx(1, abs=1e-12)
    for e in values(estimate):
        if e.defined:
            assert 0 <= e.low <= e.value + 1e-12
            assert e.value - 1e-12 <= e.high <= 1
            assert e.standard_error >= 0
        else:
            assert np.isnan([e.standard_error, e.low, e.high]).all()


@pytest.mark.parametrize("kind", KINDS)
@given(drawn=samples())
def test_a_perfect_map(drawn, kind: str) -> None:
    sample, strata = drawn
    perfect = replace(sample, reference=sample.map_class)
    estimate = design_estimate(*of_kind(kind, perfect, strata))
    names = ("overall", "users", "producers", "f1", "iou", "mean_iou")
    found = [e for e in values(estimate, names) if e.defined]
    np.testing.assert_allclose([e.value for e in found], 1, atol=1e-12)
    np.testing.assert_allclose([e.standard_error for e in found], 0, atol=1e-12)
    # No error among so few units is no proof that there is none.
    assert all(e.interval == "wilson" for e in found)
    assert all(e.low < 1 for e in found)
    amounts = (estimate.quantity, estimate.exchange, estimate.shift)
    assert [e.value for e in amounts] == pytest.approx([0, 0, 0], abs=1e-12)


@given(
    hnp.arrays(np.int64, 50, elements=st.integers(0, 3)),
    hnp.arrays(np.int64, 50, elements=st.integers(0, 3)),
)
def test_turning_map_and_reference_round_transposes(labels, truth) -> None:
    matrix = confusion_matrix(labels, truth, 4)
    np.testing.assert_array_equal(confusion_matrix(truth, labels, 4), matrix.T)
