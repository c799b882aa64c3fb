"""Quantity, exchange and shift: a published sheet, pure cases, identities, derivatives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rs_workbench.accuracy import Design, design_estimate, make_sample
from rs_workbench.accuracy.disagreement import (
    disagreement,
    exchange_gradient,
    quantity_gradient,
    shift_gradient,
)
from rs_workbench.accuracy.scores import overall_accuracy
from rs_workbench.errors import AccuracyError

GRADIENTS = {
    "quantity": quantity_gradient,
    "exchange": exchange_gradient,
    "shift": shift_gradient,
}
matrices = st.integers(1, 6).flatmap(
    lambda k: arrays(np.int64, (k, k), elements=st.integers(0, 50)).filter(lambda m: m.sum() > 0)
)


def test_pontius_matrix_26() -> None:
    # The sheet PontiusMatrix26.xlsx that goes with Pontius & Millones 2011, as the test of the R
    # package teamlucc quotes it, cut after six digits: a stratified sample with stratum sizes.
    counts = [[11, 12, 13, 14], [21, 22, 23, 24], [31, 32, 33, 34], [41, 42, 43, 44]]
    parts = disagreement(counts, map_share=[100, 200, 300, 400])
    assert parts.quantity == pytest.approx(0.182234, abs=1e-6)
    assert parts.allocation == pytest.approx(0.567193, abs=1e-6)
    assert parts.matrix.sum(1) == pytest.approx([0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize(
    ("counts", "quantity", "exchange", "shift"),
    [
        ([[5, 0, 0], [2, 5, 0], [0, 0, 8]], 0.1, 0.0, 0.0),
        ([[6, 2, 0], [2, 5, 0], [0, 0, 5]], 0.0, 0.2, 0.0),
        ([[6, 2, 0], [0, 5, 2], [2, 0, 3]], 0.0, 0.0, 0.3),
        # All three: one way from 0 to 1 (quantity), 1 and 2 swapped, and a ring.
        ([[4, 4, 0], [0, 2, 4], [2, 2, 2]], 0.1, 0.2, 0.3),
    ],
)
def test_pure_cases_by_hand(counts, quantity, exchange, shift) -> None:
    parts = disagreement(counts)
    found = (parts.quantity, parts.exchange, parts.shift)
    assert found == pytest.approx((quantity, exchange, shift), abs=1e-15)


def test_classes_and_pairs_by_hand() -> None:
    # pontiPy's own example, Data/contingency.csv; figures computed by hand from eqs. 2-8, /1000.
    counts = [[70, 20, 0, 10], [20, 140, 40, 0], [0, 30, 210, 60], [80, 0, 40, 280]]
    parts = disagreement(counts)
    assert parts.omission * 1000 == pytest.approx([100, 50, 80, 70])
    assert parts.commission * 1000 == pytest.approx([30, 60, 90, 120])
    assert parts.class_quantity * 1000 == pytest.approx([70, 10, 10, 50])
    assert parts.class_exchange * 1000 == pytest.approx([60, 100, 140, 100])
    assert parts.class_shift * 1000 == pytest.approx([0, 0, 20, 40])
    assert parts.pair_exchange[3] * 1000 == pytest.approx([20, 0, 80, 0])
    overall = (parts.total, parts.quantity, parts.allocation, parts.exchange, parts.shift)
    assert overall == pytest.approx((0.3, 0.07, 0.23, 0.2, 0.03))


@given(matrices)
@settings(max_examples=150, deadline=None)
def test_parts_add_up(counts) -> None:
    parts = disagreement(counts)
    assert parts.total == pytest.approx(1 - overall_accuracy(counts), abs=1e-12)
    assert parts.quantity + parts.exchange + parts.shift == pytest.approx(parts.total, abs=1e-12)
    assert parts.allocation + parts.quantity == pytest.approx(parts.total, abs=1e-12)
    assert min(parts.quantity, parts.exchange, parts.shift) >= 0
    assert (parts.class_shift >= 0).all()
    assert parts.omission.sum() == pytest.approx(parts.total, abs=1e-12)
    assert parts.commission.sum() == pytest.approx(parts.total, abs=1e-12)
    assert parts.pair_exchange.sum(0) == pytest.approx(parts.class_exchange, abs=1e-12)


@given(matrices)
@settings(max_examples=100, deadline=None)
def test_transposed_and_relabelled(counts) -> None:
    parts, swapped = disagreement(counts), disagreement(counts.T)
    order = np.arange(len(counts))[::-1]
    turned = disagreement(counts[np.ix_(order, order)])
    for other in (swapped, turned):
        assert other.quantity == pytest.approx(parts.quantity, abs=1e-12)
        assert other.exchange == pytest.approx(parts.exchange, abs=1e-12)
        assert other.shift == pytest.approx(parts.shift, abs=1e-12)
    assert swapped.omission == pytest.approx(parts.commission)


def test_own_shares_change_nothing() -> None:
    counts = np.array([[30, 4, 1], [2, 50, 8], [3, 0, 12]])
    plain, weighted = disagreement(counts), disagreement(counts, map_share=counts.sum(1))
    assert weighted.matrix == pytest.approx(plain.matrix, abs=1e-15)
    assert weighted.shift == pytest.approx(plain.shift, abs=1e-15)


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradient_by_finite_differences(name: str) -> None:
    rng = np.random.default_rng(8)
    for n_classes in (2, 3, 5):
        shares = rng.dirichlet(np.ones(n_classes**2)).reshape(n_classes, n_classes)
        step = 1e-8
        found = np.empty_like(shares)
        for cell in np.ndindex(shares.shape):
            ends = []
            for sign in (1, -1):
                moved = shares.copy()
                moved[cell] += sign * step
                # The measures are homogeneous: scaled back by the total that moved.
                ends.append(getattr(disagreement(moved), name) * moved.sum())
            found[cell] = (ends[0] - ends[1]) / (2 * step)
        assert GRADIENTS[name](shares) == pytest.approx(found, abs=1e-6)


@given(matrices)
@settings(max_examples=100, deadline=None)
def test_gradient_times_shares_is_the_measure(counts) -> None:
    parts = disagreement(counts)
    for name, gradient in GRADIENTS.items():
        value = (gradient(parts.matrix) * parts.matrix).sum()
        assert value == pytest.approx(getattr(parts, name), abs=1e-11)


def test_gradient_at_ties_is_in_the_middle() -> None:
    shares = np.array([[0.3, 0.1, 0.1], [0.1, 0.1, 0.0], [0.1, 0.0, 0.2]])
    assert (quantity_gradient(shares) == 0).all()
    assert (exchange_gradient(shares) == 1 - np.eye(3)).all()
    assert (shift_gradient(shares) == 0).all()
    # A tie that floating point has broken is still one.
    shares[0, 1] = 0.3 - 0.2
    assert (exchange_gradient(shares) == 1 - np.eye(3)).all()


def test_a_quantity_of_0_is_not_certain() -> None:
    # Swapped 10 times each way: the difference of the two counts has the variance 20. Both
    # classes have a kink there, and each adds a quarter of it.
    times = [40, 10, 10, 40]
    labels, truth = np.repeat([0, 0, 2, 2], times), np.repeat([0, 2, 0, 2], times)
    result = design_estimate(make_sample(labels, truth, 3), Design(kind="simple_random"))
    assert result.quantity.value == 0
    assert result.quantity.standard_error == pytest.approx(np.sqrt(20 / 99 / 100 / 2))
    assert result.quantity.interval == "wald"
    assert result.shift.standard_error == 0


def test_nothing_counted_is_undefined() -> None:
    parts = disagreement(np.zeros((2, 2)))
    figures = [parts.total, parts.quantity, parts.allocation, parts.exchange, parts.shift]
    assert np.isnan(figures).all()
    assert np.isnan(parts.omission).all()


def test_class_absent_everywhere_with_no_share() -> None:
    parts = disagreement([[5, 1, 0], [2, 4, 0], [0, 0, 0]], map_share=[0.7, 0.3, 0])
    assert parts.class_quantity[2] == 0
    assert parts.matrix.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("share", "message"),
    [
        ([1, 2, 3], r"each of 2 classes: got shape \(3,\)"),
        ([0.5, -0.5], r"from 0 up: got \[0.5, -0.5\]"),
        ([0.5, np.nan], r"from 0 up: got \[0.5, nan\]"),
        ([0, 0], r"from 0 up: got \[0.0, 0.0\]"),
        ([1, 0], r"classes \[1\] are in only one of .*\(\[0.0\]\) and .*\(\[5.0\]\): sample"),
    ],
)
def test_shares_that_do_not_fit(share, message: str) -> None:
    with pytest.raises(AccuracyError, match=message):
        disagreement([[4, 1], [2, 3]], map_share=share)


def test_share_without_a_sample() -> None:
    with pytest.raises(AccuracyError, match=r"classes \[1\] .*\(\[0.4\]\) and .*\(\[0.0\]\)"):
        disagreement([[4, 1], [0, 0]], map_share=[0.6, 0.4])
