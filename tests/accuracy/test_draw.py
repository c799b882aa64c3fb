"""Draws: exact numbers, seeds that repeat, and every unit as likely as the design says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rs_workbench.accuracy.design.draw import draw_grid, draw_ranks, grid_steps, shuffled
from rs_workbench.errors import AccuracyError


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 200)), min_size=1, max_size=6),
    st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=60)
def test_as_many_different_units_as_asked(strata, seed):
    n = [a for a, _ in strata]
    sizes = [a + b for a, b in strata]
    sizes = [max(size, 1) for size in sizes]
    drawn = draw_ranks(n, sizes, seed=seed)
    for ranks, wanted, size in zip(drawn, n, sizes, strict=True):
        assert len(ranks) == wanted
        assert (np.diff(ranks) > 0).all()
        assert ((ranks >= 0) & (ranks < size)).all()


def test_a_seed_repeats_and_strata_do_not_disturb_each_other():
    first = draw_ranks([20, 30], [10_000, 500], seed=4)
    again = draw_ranks([20, 30], [10_000, 500], seed=4)
    other = draw_ranks([20, 31], [10_000, 900], seed=4)
    assert [a.tolist() for a in first] == [a.tolist() for a in again]
    assert first[0].tolist() == other[0].tolist()
    assert first[0].tolist() != draw_ranks([20, 30], [10_000, 500], seed=5)[0].tolist()


def test_each_unit_of_a_stratum_is_as_likely():
    size, n, draws = 40, 7, 3000
    seen = np.zeros(size)
    for seed in range(draws):
        seen[draw_ranks([n], [size], seed=seed)[0]] += 1
    # Without replacement the cells vary less than a multinomial's, by (N - n) / (N - 1).
    statistic = ((seen - seen.mean()) ** 2 / seen.mean()).sum() * (size - 1) / (size - n)
    assert 0.001 < stats.chi2.sf(statistic, size - 1) < 0.999


def test_a_population_beyond_32_bits():
    (ranks,) = draw_ranks([500], [40_000_000_000], seed=0)
    assert ranks.dtype == np.int64
    assert ranks.max() > 2**32


def test_more_than_there_are():
    with pytest.raises(AccuracyError, match="stratum 2 has 3 units, so 4 cannot be drawn"):
        draw_ranks([1, 4], [9, 3], seed=0)


def test_each_pixel_of_a_grid_is_as_likely():
    shape, n, draws = (11, 13), 12, 4000
    seen = np.zeros(shape)
    for seed in range(draws):
        rows, cols = draw_grid(shape, n, n_population=143, seed=seed)
        seen[np.ix_(rows, cols)] += 1
    expected = n / 143
    error = np.sqrt(expected * (1 - expected) / draws)
    assert np.abs(seen / draws - expected).max() < 4.5 * error
    assert seen.sum() / draws == pytest.approx(n, abs=0.3)


def test_a_grid_is_square_on_the_ground():
    row_step, col_step = grid_steps((500, 500), 100, n_population=250_000, pixel_size=(20, 10))
    assert row_step * 20 == pytest.approx(col_step * 10)
    assert row_step * col_step == pytest.approx(2500)
    rows, cols = draw_grid((500, 500), 100, n_population=250_000, pixel_size=(20, 10), seed=1)
    assert set(np.diff(cols).tolist()) <= {70, 71}
    assert set(np.diff(rows).tolist()) <= {35, 36}


@pytest.mark.parametrize("shape", [(1, 400), (400, 1), (2, 200), (20, 20)])
@pytest.mark.parametrize("n", [1, 7, 399, 400])
def test_grids_of_narrow_maps_keep_their_number(shape, n):
    row_step, col_step = grid_steps(shape, n, n_population=400)
    assert row_step * col_step == pytest.approx(400 / n)
    assert 1 <= row_step <= shape[0]
    assert 1 - 1e-9 <= col_step <= shape[1] + 1e-9


def test_a_grid_finer_than_the_map():
    with pytest.raises(AccuracyError, match="grid of 11 points does not fit 10 pixels"):
        draw_grid((5, 5), 11, n_population=10, seed=0)


def test_order_is_a_permutation_that_the_seed_repeats():
    order = shuffled(100, seed=3)
    assert sorted(order.tolist()) == list(range(100))
    assert order.tolist() == shuffled(100, seed=3).tolist()
    assert order.tolist() != sorted(order.tolist())
