"""Tests of maps against each other: printed values, statsmodels, scipy, definitions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rs_workbench.accuracy.compare import (
    adjust_p_values,
    agreement_table,
    bowker,
    cochran_q,
    compare_maps,
    mcnemar,
    stuart_maxwell,
)
from rs_workbench.accuracy.confusion import Confusion
from rs_workbench.errors import AccuracyError, UsageError

KINDS = ("exact", "mid_p", "corrected", "asymptotic")
# Unaided distance vision of 7477 women, right and left eye (Stuart 1953; Agresti).
VISION = [[1520, 266, 124, 66], [234, 1512, 432, 78], [117, 362, 1772, 205], [36, 82, 179, 492]]


def test_presidential_approval() -> None:
    # Agresti 1990, page 350, and help of R's mcnemar.test; output of R 4.3.1.
    table = [[794, 150], [86, 570]]
    for kind, statistic, p_value in (
        ("corrected", 16.818, 4.115e-05),
        ("asymptotic", 17.356, 3.099e-05),
    ):
        result = mcnemar(table, kind=kind)
        assert round(result.statistic, 3) == statistic
        assert float(f"{result.p_value:.3e}") == p_value
        assert (result.b, result.c, result.kind) == (150, 86, kind)


def test_airway_hyper_responsiveness() -> None:
    # Fagerland, Lydersen & Laake 2013: Bentur et al., 21 children before and after.
    table = [[1, 1], [7, 12]]
    assert round(mcnemar(table, kind="asymptotic").p_value, 3) == 0.034
    assert round(mcnemar(table).p_value, 3) == 0.070
    assert round(mcnemar(table, kind="mid_p").p_value, 3) == 0.039


@pytest.mark.parametrize(("kind", "exact", "correction"), [
    ("exact", True, False), ("corrected", False, True), ("asymptotic", False, False)
])  # fmt: skip
def test_mcnemar_as_statsmodels(kind: str, exact: bool, correction: bool) -> None:
    oracle = pytest.importorskip("statsmodels.stats.contingency_tables").mcnemar
    rng = np.random.default_rng(5)
    for _ in range(40):
        table = rng.integers(0, 60, (2, 2)) + np.array([[0, 0], [60, 0]])
        expected = oracle(table, exact=exact, correction=correction)
        result = mcnemar(table, kind=kind)
        assert result.statistic == pytest.approx(expected.statistic, abs=1e-12)
        assert result.p_value == pytest.approx(expected.pvalue, abs=1e-12, rel=1e-12)


def test_mid_p_by_its_definition() -> None:
    for b, c in ((0, 1), (3, 9), (12, 40), (5, 6)):
        n = b + c
        point = [math.comb(n, k) / 2**n for k in range(b + 1)]
        expected = 2 * (sum(point) - point[-1] / 2)
        found = mcnemar([[0, b], [c, 0]], kind="mid_p").p_value
        assert found == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [0, 1, 17])
def test_equally_often_is_p_one(kind: str, n: int) -> None:
    assert mcnemar([[4, n], [n, 2]], kind=kind).p_value == 1.0


@given(b=st.integers(0, 300), c=st.integers(0, 300), kind=st.sampled_from(KINDS))
@settings(max_examples=150, deadline=None)
def test_mcnemar_is_symmetric(b: int, c: int, kind: str) -> None:
    one, other = mcnemar([[9, b], [c, 9]], kind=kind), mcnemar([[0, c], [b, 0]], kind=kind)
    assert one.p_value == other.p_value
    assert 0 <= one.p_value <= 1


def test_mid_p_lies_below_exact() -> None:
    for b, c in ((1, 7), (20, 40), (200, 260)):
        table = [[0, b], [c, 0]]
        assert mcnemar(table, kind="mid_p").p_value < mcnemar(table).p_value


def test_counts_beyond_32_bits() -> None:
    table = [[0, 3_000_000_000], [3_000_300_000, 0]]
    plain, exact = mcnemar(table, kind="asymptotic"), mcnemar(table)
    assert plain.statistic == pytest.approx(300_000**2 / 6_000_300_000, rel=1e-12)
    assert exact.p_value == pytest.approx(plain.p_value, rel=1e-3)


@pytest.mark.parametrize("shape", [(3, 3), (2,), (2, 3)])
def test_only_two_by_two(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        AccuracyError, match=r"agreement_table, or test a table .* with bowker"
    ) as e:
        mcnemar(np.ones(shape))
    assert f"got shape {shape}" in str(e.value)


def test_table_of_shares() -> None:
    with pytest.raises(AccuracyError, match=r"\(sum 1\): use paired_difference"):
        mcnemar([[0.5, 0.2], [0.1, 0.2]])


def test_agreement_table_of_two_maps() -> None:
    a = np.array([True, True, True, False, False, True])
    b = np.array([True, False, False, True, False, True])
    assert agreement_table(a, b).tolist() == [[2, 2], [1, 1]]
    result = mcnemar(agreement_table(a, b))
    assert (result.b, result.c) == (2, 1)


def test_agreement_table_refuses() -> None:
    with pytest.raises(AccuracyError, match=r"got shapes \(3,\) and \(2,\)"):
        agreement_table([1, 0, 1], [1, 0])
    with pytest.raises(AccuracyError, match=r"map == reference: got \[2, 7\]"):
        agreement_table([1, 2, 7], [1, 0, 1])


def test_cochran_three_drugs() -> None:
    # SAS/STAT User's Guide, The FREQ Procedure, "Cochran's Q Test": 46 patients, three drugs.
    times = {(1, 1, 1): 6, (1, 1, 0): 16, (1, 0, 1): 2, (1, 0, 0): 4}
    times |= {(0, 1, 1): 2, (0, 1, 0): 4, (0, 0, 1): 6, (0, 0, 0): 6}
    result = cochran_q([row for row, n in times.items() for _ in range(n)])
    assert (round(result.statistic, 4), result.df, round(result.p_value, 4)) == (8.4706, 2, 0.0145)


def test_cochran_as_statsmodels() -> None:
    oracle = pytest.importorskip("statsmodels.stats.contingency_tables").cochrans_q
    rng = np.random.default_rng(6)
    for n_maps in (2, 3, 5):
        correct = rng.random((80, n_maps)) < rng.uniform(0.4, 0.9, n_maps)
        expected, result = oracle(correct), cochran_q(correct)
        assert result.statistic == pytest.approx(expected.statistic, rel=1e-12)
        assert result.p_value == pytest.approx(expected.pvalue, abs=1e-12)
        assert result.df == expected.df


def test_cochran_of_two_maps_is_mcnemar() -> None:
    correct = np.random.default_rng(7).random((60, 2)) < 0.7
    plain = mcnemar(agreement_table(correct[:, 0], correct[:, 1]), kind="asymptotic")
    result = cochran_q(correct)
    assert result.statistic == pytest.approx(plain.statistic, rel=1e-12)
    assert result.p_value == pytest.approx(plain.p_value, rel=1e-12)


def test_cochran_of_maps_that_never_differ() -> None:
    result = cochran_q([[1, 1, 1], [0, 0, 0], [1, 1, 1]])
    assert (result.statistic, result.df, result.p_value) == (0.0, 2, 1.0)


@pytest.mark.parametrize("correct", [[[1], [0]], [1, 0], np.empty((0, 3))])
def test_cochran_needs_several_maps(correct) -> None:
    with pytest.raises(AccuracyError, match="two maps or more: got shape") as e:
        cochran_q(correct)
    assert str(np.shape(correct)) in str(e.value)


def test_vision_of_7477_women() -> None:
    # Bowker 19.107 with 6, Stuart-Maxwell 11.957 with 3 degrees of freedom: documentation of
    # statsmodels (contingency tables), p 0.004 and 0.008.
    symmetry, margins = bowker(VISION), stuart_maxwell(VISION)
    assert (round(symmetry.statistic, 3), symmetry.df) == (19.107, 6)
    assert (round(margins.statistic, 3), margins.df) == (11.957, 3)
    assert (round(symmetry.p_value, 3), round(margins.p_value, 3)) == (0.004, 0.008)


def test_symmetry_as_statsmodels() -> None:
    square = pytest.importorskip("statsmodels.stats.contingency_tables").SquareTable
    rng = np.random.default_rng(9)
    for n_classes in (2, 3, 4, 6):
        table = rng.integers(1, 70, (n_classes, n_classes))
        oracle = square(table, shift_zeros=False)
        cases = (bowker(table), oracle.symmetry()), (stuart_maxwell(table), oracle.homogeneity())
        for result, expected in cases:
            assert result.statistic == pytest.approx(expected.statistic, rel=1e-10, abs=1e-12)
            assert result.p_value == pytest.approx(expected.pvalue, abs=1e-12)
            assert result.df == expected.df


def test_two_classes_are_mcnemar() -> None:
    table = [[30, 12], [25, 40]]
    plain = mcnemar(table, kind="asymptotic")
    for result in (bowker(table), stuart_maxwell(table)):
        assert result.statistic == pytest.approx(plain.statistic, rel=1e-12)
        assert result.df == 1


def test_class_that_does_not_occur_is_no_degree_of_freedom() -> None:
    table = np.zeros((5, 5), int)
    table[np.ix_([0, 2, 3], [0, 2, 3])] = [[20, 5, 3], [9, 30, 4], [1, 8, 20]]
    small = table[np.ix_([0, 2, 3], [0, 2, 3])]
    for test in (bowker, stuart_maxwell):
        wide, narrow = test(table), test(small)
        assert wide.df == narrow.df
        assert wide.statistic == pytest.approx(narrow.statistic, rel=1e-12)


def test_classes_in_two_groups() -> None:
    # 0 and 1 are confused with each other, 2 and 3 too, never across: two tests in one.
    table = [[9, 8, 0, 0], [2, 9, 0, 0], [0, 0, 9, 7], [0, 0, 1, 9]]
    result = stuart_maxwell(table)
    assert result.df == 2
    assert result.statistic == pytest.approx(6**2 / 10 + 6**2 / 8, rel=1e-12)


def test_no_error_at_all() -> None:
    for test in (bowker, stuart_maxwell):
        result = test(np.diag([5, 6]))
        assert (result.statistic, result.p_value) == (0.0, 1.0)
    confusion = Confusion(2)
    assert bowker(confusion).p_value == 1.0


@pytest.mark.parametrize("test", [bowker, stuart_maxwell])
def test_symmetry_of_shares(test) -> None:
    with pytest.raises(AccuracyError, match=r"shares or weighted \(sum 1\)"):
        test([[0.5, 0.2], [0.1, 0.2]])


@pytest.mark.parametrize(
    ("method", "oracle"),
    [("holm", "holm"), ("bonferroni", "bonferroni"), ("benjamini_hochberg", "fdr_bh")],
)
def test_adjusted_as_statsmodels(method: str, oracle: str) -> None:
    multipletests = pytest.importorskip("statsmodels.stats.multitest").multipletests
    rng = np.random.default_rng(10)
    for n in (1, 2, 9, 40):
        p = np.concatenate([rng.random(n) ** 3, rng.random(n)])
        expected = multipletests(p, method=oracle)[1]
        assert adjust_p_values(p, method) == pytest.approx(expected, abs=1e-14)


def test_adjusted_leaves_out_the_undefined() -> None:
    adjusted = adjust_p_values([0.02, np.nan, 0.01])
    assert adjusted[[0, 2]] == pytest.approx([0.02, 0.02])
    assert np.isnan(adjusted[1])
    assert adjust_p_values([]).shape == (0,)


def test_adjusting_refuses() -> None:
    with pytest.raises(AccuracyError, match=r"from 0 to 1: got \[1.5, -0.1\]"):
        adjust_p_values([0.5, 1.5, -0.1])
    with pytest.raises(UsageError, match=r"holm, .*: got 'sidak'"):
        adjust_p_values([0.5], "sidak")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"exact, .*: got 'yates'"):
        mcnemar([[1, 1], [1, 1]], kind="yates")  # type: ignore[arg-type]


def test_all_pairs() -> None:
    rng = np.random.default_rng(12)
    correct = rng.random((120, 3)) < [0.9, 0.75, 0.7]
    pairs = compare_maps(correct, ["unet", "forest", "rule"], kind="mid_p")
    assert [(p.first, p.second) for p in pairs] == [
        ("unet", "forest"), ("unet", "rule"), ("forest", "rule")
    ]  # fmt: skip
    for pair, (i, j) in zip(pairs, [(0, 1), (0, 2), (1, 2)], strict=True):
        accuracy = correct.mean(0)
        assert pair.difference == pytest.approx(accuracy[i] - accuracy[j], abs=1e-15)
        assert pair.test == mcnemar(agreement_table(correct[:, i], correct[:, j]), kind="mid_p")
    expected = adjust_p_values([p.test.p_value for p in pairs])
    assert [p.adjusted_p_value for p in pairs] == expected.tolist()
    assert {p.adjustment for p in pairs} == {"holm"}


@pytest.mark.parametrize("names", [["a"], ["a", "a"], ["a", "b", "c"]])
def test_every_map_has_its_name(names: list[str]) -> None:
    with pytest.raises(AccuracyError, match=r"each of 2 maps needs a name of its own: got \['a'"):
        compare_maps([[1, 0], [1, 1]], names)
