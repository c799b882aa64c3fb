"""Kappa and tau against printed values, statsmodels, scikit-learn and their own definition."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rs_workbench.accuracy.confusion import Confusion
from rs_workbench.accuracy.kappa import (
    KAPPA_WARNING,
    cohen_kappa,
    compare_kappas,
    conditional_kappa,
    tau,
    weighted_kappa,
)
from rs_workbench.errors import AccuracyError, UsageError

# Rossiter 2004/2014, Statistical methods for accuracy assessment of classified thematic maps: the
# example of all its tables, and the credits of its weighted kappa.
ROSSITER = np.array([[35, 14, 11, 1], [4, 11, 3, 0], [12, 9, 38, 4], [2, 5, 12, 2]])
ROSSITER_CREDIT = [[1, 0, 0.67, 1], [0, 1, 0, 0], [1, 0, 1, 1], [0.91, 0, 0.61, 1]]
# Fleiss, Cohen & Everitt 1969, their worked example.
FLEISS = np.array([[106, 10, 4], [22, 28, 10], [2, 12, 6]])

matrices = st.integers(2, 5).flatmap(
    lambda k: arrays(np.int64, (k, k), elements=st.integers(0, 40)).filter(lambda m: m.sum() > 1)
)


def random_tables(n: int) -> list[np.ndarray]:
    rng = np.random.default_rng(11)
    sizes = rng.integers(2, 7, n)
    return [rng.integers(1, 60, (k, k)) + np.diag(rng.integers(0, 90, k)) for k in sizes]


def test_sas_skin_condition() -> None:
    # SAS/STAT User's Guide, The FREQ Procedure, "Agreement Study": kappa, ASE, limits, ASE under
    # H0 and Z.
    kappa = cohen_kappa([[10, 4, 1, 0], [5, 10, 12, 2], [2, 4, 12, 5], [0, 2, 6, 13]])
    printed = (kappa.value, kappa.standard_error, kappa.low, kappa.high)
    assert [round(x, 4) for x in printed] == [0.3449, 0.0724, 0.2030, 0.4868]
    assert [round(x, 4) for x in (kappa.null_standard_error, kappa.z_value)] == [0.0612, 5.6366]
    assert kappa.p_value < 0.0001
    assert (kappa.n_units, kappa.confidence, round(kappa.z, 6)) == (88, 0.95, 1.959964)


def test_sas_simple_and_weighted() -> None:
    # A printout of SAS that the tests of statsmodels quote.
    table = [[0, 4, 1], [0, 8, 0], [0, 1, 5]]
    for kappa, printed in (
        (cohen_kappa(table), [0.4842, 0.1380, 0.2137, 0.7547, 0.1484, 3.2626, 0.0011]),
        (weighted_kappa(table), [0.4701, 0.1457, 0.1845, 0.7558, 0.1426, 3.2971, 0.0010]),
    ):
        found = [kappa.value, kappa.standard_error, kappa.low, kappa.high]
        found += [kappa.null_standard_error, kappa.z_value, kappa.p_value]
        assert [round(x, 4) for x in found] == printed


def test_cohen_1960_and_1968() -> None:
    # The tables of Cohen 1960 and 1968 as the examples of the R package psych quote them: .492,
    # .348 with weights of disagreement, .353 with another set that is not symmetric.
    table = np.array([[88, 14, 18], [10, 40, 10], [2, 6, 12]])
    cost = np.array([[0, 1, 3], [1, 0, 6], [3, 6, 0]])
    other = np.array([[0, 1, 4], [1, 0, 6], [2, 2, 0]])
    assert round(cohen_kappa(table).value, 3) == 0.492
    assert round(weighted_kappa(table, 1 - cost / 6).value, 3) == 0.348
    assert round(weighted_kappa(table, 1 - other / 6).value, 3) == 0.353


def test_rossiter_weighted_kappa() -> None:
    # The text prints 0.2776 in its table and 0.2766 in its output; the latter is right.
    assert round(weighted_kappa(ROSSITER, ROSSITER_CREDIT).value, 4) == 0.2766


@pytest.mark.parametrize("table", [ROSSITER, FLEISS, *random_tables(6)])
def test_variance_in_theta_form(table) -> None:
    # Bishop, Fienberg & Holland 1975; theta 4 takes the margins crosswise.
    p = table / table.sum()
    row, column = p.sum(1), p.sum(0)
    theta1, theta2 = np.trace(p), row @ column
    theta3 = np.diag(p) @ (row + column)
    theta4 = sum(p[i, j] * (row[j] + column[i]) ** 2 for i in range(len(p)) for j in range(len(p)))
    variance = (
        theta1 * (1 - theta1) / (1 - theta2) ** 2
        + 2 * (1 - theta1) * (2 * theta1 * theta2 - theta3) / (1 - theta2) ** 3
        + (1 - theta1) ** 2 * (theta4 - 4 * theta2**2) / (1 - theta2) ** 4
    ) / table.sum()
    assert cohen_kappa(table).standard_error == pytest.approx(math.sqrt(variance), abs=1e-14)


@pytest.mark.parametrize("table", [ROSSITER, FLEISS, *random_tables(12)])
def test_as_statsmodels(table) -> None:
    oracle = pytest.importorskip("statsmodels.stats.inter_rater").cohens_kappa
    cases = [(cohen_kappa(table), {}), (weighted_kappa(table), {"wt": "linear"})]
    cases.append((weighted_kappa(table, "quadratic"), {"wt": "quadratic"}))
    for kappa, options in cases:
        expected = oracle(table, **options)
        found = (kappa.value, kappa.standard_error, kappa.null_standard_error, kappa.z_value)
        wanted = (expected.kappa, expected.std_kappa, expected.std_kappa0, expected.z_value)
        assert found == pytest.approx(wanted, rel=1e-12, abs=1e-12)
        bounds = (expected.kappa_low, expected.kappa_upp)
        assert (kappa.low, kappa.high) == pytest.approx(bounds, abs=1e-12)
        assert kappa.p_value == pytest.approx(expected.pvalue_two_sided, abs=1e-12)


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_as_scikit_learn(weights: str | None) -> None:
    oracle = pytest.importorskip("sklearn.metrics").cohen_kappa_score
    for table in random_tables(8):
        pairs = [np.repeat(side.ravel(), table.ravel()) for side in np.indices(table.shape)]
        kappa = weighted_kappa(table, weights) if weights else cohen_kappa(table)
        assert kappa.value == pytest.approx(oracle(*pairs, weights=weights), abs=1e-12)


@pytest.mark.parametrize("axis", ["users", "producers"])
def test_conditional_by_the_printed_formula(axis: str) -> None:
    # Bishop, Fienberg & Holland 1975, as in Congalton & Green: value and variance from counts.
    table = ROSSITER if axis == "users" else ROSSITER.T
    n = table.sum()
    for i, kappa in enumerate(conditional_kappa(ROSSITER, axis)):
        row, column, same = (float(x) for x in (table[i].sum(), table[:, i].sum(), table[i, i]))
        value = (n * same - row * column) / (n * row - row * column)
        variance = (
            n * (row - same) / (row * (n - column)) ** 3
            * ((row - same) * (row * column - n * same) + n * same * (n - row - column + same))
        )  # fmt: skip
        assert kappa.value == pytest.approx(value, abs=1e-14)
        assert kappa.standard_error == pytest.approx(math.sqrt(variance), abs=1e-14)
        share, other = row / n, column / n
        null = other * (1 - share) / (n * share * (1 - other))
        assert kappa.null_standard_error == pytest.approx(math.sqrt(null), abs=1e-14)


def test_tau_with_equal_priors_is_that_of_ma_and_redmond() -> None:
    for table in (ROSSITER, *random_tables(5)):
        agreed, chance, n = np.trace(table) / table.sum(), 1 / len(table), table.sum()
        result = tau(table)
        assert result.value == pytest.approx((agreed - chance) / (1 - chance), abs=1e-14)
        error = math.sqrt(agreed * (1 - agreed) / n) / (1 - chance)
        assert result.standard_error == pytest.approx(error, abs=1e-14)
        null = math.sqrt(chance * (1 - chance) / n) / (1 - chance)
        assert result.null_standard_error == pytest.approx(null, abs=1e-14)


def test_tau_with_the_margin_of_the_map_as_priors_is_kappa() -> None:
    result = tau(ROSSITER, ROSSITER.sum(1) / ROSSITER.sum())
    assert result.value == pytest.approx(cohen_kappa(ROSSITER).value, abs=1e-14)


def test_tau_with_priors_by_hand() -> None:
    # Agreement 86/163; chance (0.1 x 53 + 0.4 x 39 + 0.1 x 64 + 0.4 x 7) / 163.
    chance = 30.1 / 163
    expected = (86 / 163 - chance) / (1 - chance)
    assert tau(ROSSITER, [0.1, 0.4, 0.1, 0.4]).value == pytest.approx(expected, abs=1e-14)


def test_standard_errors_by_simulation() -> None:
    rng, n, n_draws = np.random.default_rng(4), 400, 4000
    prior = [0.1, 0.4, 0.1, 0.4]
    draws = rng.multinomial(n, (ROSSITER / ROSSITER.sum()).ravel(), n_draws).reshape(-1, 4, 4)
    measures = {
        "kappa": cohen_kappa,
        "weighted": lambda m: weighted_kappa(m, ROSSITER_CREDIT),
        "users": lambda m: conditional_kappa(m)[0],
        "producers": lambda m: conditional_kappa(m, "producers")[1],
        "tau": lambda m: tau(m, prior),
    }
    for name, measure in measures.items():
        spread = np.std([measure(draw).value for draw in draws])
        # The error of the same shares at this n; 4000 draws know a spread to 1.1 %.
        error = measure(ROSSITER).standard_error * math.sqrt(163 / n)
        assert error == pytest.approx(spread, rel=0.045), name


@given(matrices)
@settings(max_examples=120, deadline=None)
def test_never_above_one(counts) -> None:
    for kappa in (cohen_kappa(counts), weighted_kappa(counts), tau(counts)):
        if math.isnan(kappa.value):
            continue
        assert kappa.value <= 1 + 1e-12
        assert math.isnan(kappa.low) or -1 <= kappa.low <= kappa.high <= 1


def test_undefined_where_chance_agreement_is_complete() -> None:
    kappa = cohen_kappa([[7, 0], [0, 0]])
    figures = (kappa.value, kappa.standard_error, kappa.low, kappa.z_value, kappa.p_value)
    assert all(math.isnan(x) for x in figures)
    assert math.isnan(cohen_kappa(np.zeros((3, 3), int)).value)
    assert math.isnan(tau([[5]]).value)


def test_class_that_is_not_there_has_no_conditional_kappa() -> None:
    users = conditional_kappa([[8, 1, 0], [2, 9, 1], [0, 0, 0]])
    assert math.isnan(users[2].value)
    assert 0 < users[0].value < 1
    assert 0 < users[1].value < 1


def test_full_agreement_has_no_interval() -> None:
    kappa = cohen_kappa([[10, 0], [0, 3]])
    assert (kappa.value, kappa.standard_error) == (1.0, 0.0)
    assert math.isnan(kappa.low)
    assert math.isnan(kappa.high)
    assert kappa.z_value > 3


def test_bounds_are_cut_at_one() -> None:
    assert cohen_kappa([[9, 1], [0, 4]]).high == 1.0


def test_confidence_widens() -> None:
    wide, narrow = cohen_kappa(FLEISS, confidence=0.99), cohen_kappa(FLEISS, confidence=0.8)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_difference_of_two() -> None:
    a, b = cohen_kappa(FLEISS), cohen_kappa(ROSSITER)
    result = compare_kappas(a, b)
    z_value = (a.value - b.value) / math.sqrt(a.standard_error**2 + b.standard_error**2)
    assert result.z_value == pytest.approx(z_value, abs=1e-14)
    # Two-sided normal probability, by the error function.
    assert result.p_value == pytest.approx(math.erfc(abs(z_value) / math.sqrt(2)), abs=1e-14)
    assert compare_kappas(b, a).p_value == pytest.approx(result.p_value)
    assert compare_kappas(a, a).p_value == 1.0


def test_warning_goes_with_every_value() -> None:
    for kappa in (cohen_kappa(FLEISS), weighted_kappa(FLEISS), tau(FLEISS)):
        assert kappa.warning == KAPPA_WARNING
    for words in ("not a measure of accuracy", "simple random", "areas", "Foody 2020"):
        assert words in KAPPA_WARNING


def test_takes_a_confusion() -> None:
    confusion = Confusion(2)
    confusion.update(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0]))
    assert cohen_kappa(confusion).value == pytest.approx(cohen_kappa([[1, 1], [1, 2]]).value)


def test_shares_are_refused() -> None:
    with pytest.raises(AccuracyError, match=r"counts of a simple random sample.*\(sum 1\)"):
        cohen_kappa([[0.5, 0.1], [0.1, 0.3]])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([[1, 0], [0, 1]], r"3 x 3: got shape \(2, 2\)"),
        (np.eye(3) * 2, r"got \[2.0, 2.0, 2.0\] on the diagonal and at most 2.0"),
        (1 - np.eye(3), r"got \[0.0, 0.0, 0.0\] on the diagonal"),
    ],
)
def test_weights_that_do_not_fit(weights, message: str) -> None:
    with pytest.raises(AccuracyError, match=message):
        weighted_kappa(FLEISS, weights)


def test_unknown_names() -> None:
    with pytest.raises(UsageError, match="linear, quadratic or a matrix: got 'cubic'"):
        weighted_kappa(FLEISS, "cubic")
    with pytest.raises(UsageError, match="users or producers: got 'map'"):
        conditional_kappa(FLEISS, "map")  # type: ignore[arg-type]


@pytest.mark.parametrize("priors", [[0.5, 0.5], [0.5, 0.6, -0.1], [0.5, 0.3, 0.1]])
def test_priors_that_do_not_fit(priors) -> None:
    with pytest.raises(AccuracyError, match=r"3 probabilities that add up to 1: got \[0.5, 0"):
        tau(FLEISS, priors)
