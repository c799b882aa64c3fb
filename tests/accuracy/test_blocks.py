"""Scores by block: their spread, the jackknife and the hint on correlation."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rs_workbench.accuracy.blocks import block_scores, leave_block_out, spread_of
from rs_workbench.accuracy.correlation import correlation_range, moran
from rs_workbench.accuracy.scores import mean_iou, overall_accuracy
from rs_workbench.errors import AccuracyError


def blocks(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 50, (n, k, k)), np.stack([np.arange(n) // 5, np.arange(n) % 5], axis=1)


def test_each_block_is_scored_and_the_total_is_not_their_mean():
    good, bad, empty = [[90, 0], [0, 10]], [[1, 3], [0, 0]], [[0, 0], [0, 0]]
    found = block_scores(
        [good, bad, empty], [(0, 0), (0, 3), (1, 2)], block_px=(64, 32), min_pixels=4
    )
    assert found.overall_accuracy.tolist() == [1.0, 0.25]
    # Class 1 of the bad block: 0 of 3; class 0: 1 of 4.
    assert found.mean_iou.tolist() == [1.0, 0.125]
    assert found.n_pixels.tolist() == [100, 4]
    assert (found.row.tolist(), found.col.tolist()) == ([0, 0], [0, 3])
    assert (found.n_empty, found.n_small) == (1, 0)
    assert found.overall_accuracy_spread.mean == 0.625
    assert found.overall_accuracy_spread.minimum_at == (0, 3)
    assert found.overall_accuracy_leave_out.value == 101 / 104
    assert found.overall_accuracy_leave_out.lowest_without == (0, 0)
    assert found.correlation.verdict == "unknown"


def test_small_blocks_are_left_out_and_counted():
    counts, places = blocks(10, 2, 1)
    counts[3], counts[4] = [[1, 0], [0, 0]], 0
    found = block_scores(counts, places, block_px=(8, 8), min_pixels=2)
    assert (len(found.row), found.n_small, found.n_empty) == (8, 1, 1)


def test_undefined_scores_stay_out_of_the_spread():
    found = spread_of([np.nan, 0.2, 0.4, 0.6], [(0, 0), (0, 1), (0, 2), (2, 1)])
    assert (found.n_blocks, found.minimum, found.median) == (3, 0.2, 0.4)
    assert found.mean == pytest.approx(0.4)
    assert found.sd == pytest.approx(0.2)
    assert (found.lower_quartile, found.upper_quartile) == pytest.approx((0.3, 0.5))
    assert (found.minimum_at, found.maximum_at) == ((0, 1), (2, 1))
    nothing = spread_of([np.nan], [(0, 0)])
    assert nothing.n_blocks == 0
    assert np.isnan(nothing.mean)
    assert nothing.minimum_at is None


def test_the_jackknife_of_a_mean_is_its_standard_error():
    """Blocks of equal size: leaving one out is the jackknife of a mean, SE s/sqrt(n)."""
    right = np.array([3, 7, 8, 1, 9, 5])
    counts = np.array([[[r, 10 - r], [0, 0]] for r in right])
    found = leave_block_out(counts, overall_accuracy)
    assert found.value == pytest.approx(right.mean() / 10)
    assert found.standard_error == pytest.approx(right.std(ddof=1) / 10 / np.sqrt(6))
    assert found.bias == pytest.approx(0, abs=1e-12)
    assert (found.lowest_without, found.highest_without) == ((4, 0), (3, 0))


def test_the_jackknife_says_where_a_score_hangs_on_one_block():
    found = leave_block_out(
        [[[5, 1], [0, 0]], [[0, 0], [0, 0]]], overall_accuracy, positions=[(2, 2), (0, 0)]
    )
    assert (found.n_blocks, found.n_undefined) == (1, 1)
    assert found.value == 5 / 6
    assert np.isnan(found.standard_error)
    assert found.lowest_without is None


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(2, 20))
def test_leaving_out_is_scoring_the_rest(seed: int, k: int, n: int):
    counts, places = blocks(n, k, seed)
    found = leave_block_out(counts, mean_iou, positions=places)
    rest = [mean_iou(np.delete(counts, i, axis=0).sum(axis=0)) for i in range(n)]
    assert found.lowest == pytest.approx(min(rest), rel=1e-12)
    assert found.highest == pytest.approx(max(rest), rel=1e-12)


def test_morans_i_has_the_moments_of_all_shuffles():
    """Every order of six values on a grid with a gap: mean and variance are exact."""
    there = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
    values = np.array([0.1, 0.9, 0.4, 0.5, 0.55, 0.8])
    values -= values.mean()
    found = []
    for order in permutations(values):
        grid = np.full(there.shape, np.nan)
        grid[there] = order
        found.append(moran(grid, 1))
    i, z, pairs = (np.array(column) for column in zip(*found, strict=True))
    assert set(pairs) == {6}
    assert i.mean() == pytest.approx(-1 / 5)
    assert z.mean() == pytest.approx(0, abs=1e-9)
    assert z.std() == pytest.approx(1)


def test_morans_i_by_its_definition():
    rng = np.random.default_rng(3)
    grid = rng.normal(size=(5, 7))
    grid -= grid.mean()
    cells = np.argwhere(np.ones(grid.shape, bool))
    apart = np.abs(cells[:, None] - cells[None])
    weights = (apart.sum(axis=2) == 2) & (apart.min(axis=2) == 0)
    flat = grid.ravel()
    by_hand = flat.size / weights.sum() * (flat @ weights @ flat) / (flat @ flat)
    assert moran(grid, 2)[0] == pytest.approx(by_hand)


def test_smooth_errors_are_called_correlated_and_noise_is_not():
    rows, cols = np.mgrid[:24, :24]
    places = np.stack([rows.ravel(), cols.ravel()], axis=1)
    # Squares of 4 x 4 blocks share one accuracy.
    rng = np.random.default_rng(0)
    patches = np.kron(rng.random((6, 6)), np.ones((4, 4)))
    smooth = correlation_range(patches.ravel(), places, block_px=(64, 50))
    assert smooth.verdict == "correlated"
    assert smooth.range_px in (3 * 64.0, 4 * 64.0, 5 * 64.0)
    assert "neighbouring blocks of 64 x 50 px are alike" in smooth.words
    assert f"{smooth.range_px:.0f} px" in smooth.words
    noise = correlation_range(rng.random(576), places, block_px=(64, 50))
    assert noise.verdict == "independent"
    assert noise.range_px == 64
    assert "no more alike than chance" in noise.words
    assert noise.expected == -1 / 575


def test_too_little_for_a_hint_is_said():
    places = np.argwhere(np.ones((5, 5), bool))
    few = correlation_range(
        np.arange(25) * np.where(np.arange(25) < 10, 1, np.nan), places, block_px=(8, 8)
    )
    assert few.verdict == "unknown"
    assert "got 10 blocks with a score, and it takes 20 blocks" in few.words
    equal = correlation_range(np.ones(25), places, block_px=(8, 8))
    assert (equal.verdict, equal.n_blocks) == ("unknown", 25)
    far = correlation_range(np.arange(25.0), places * 2, block_px=(8, 8))
    assert "got 0 pairs of neighbours" in far.words


def test_a_grid_of_blocks_needs_no_positions():
    counts, _ = blocks(6, 2, 4)
    found = block_scores(counts.reshape(2, 3, 2, 2), block_px=(8, 8))
    assert found.row.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.col.tolist() == [0, 1, 2, 0, 1, 2]
    assert found.overall_accuracy.tolist() == [overall_accuracy(m) for m in counts]


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        (([[1, 2], [3, 4]], [(0, 0)], {}), r"or \(R, C, K, K\): got shape \(2, 2\)"),
        (([[[1]], [[2]]], [(0, 0)], {}), r"got 2 matrices and positions of shape \(1, 2\)"),
        (([[[1]], [[2]]], None, {}), r"got 2 matrices and no positions"),
        (([[[1]], [[2]]], [(1, 1), (1, 1)], {}), "got 2 blocks at 1 positions"),
        (([[[1]]], [(0, 0)], {"min_pixels": 0}), "at least 1: got 0"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(given_, message):
    matrices, places, extra = given_
    with pytest.raises(AccuracyError, match=message):
        block_scores(matrices, places, block_px=(8, 8), **extra)


def test_scores_without_places_are_refused():
    with pytest.raises(AccuracyError, match=r"got 2 scores and positions of shape \(1, 2\)"):
        correlation_range([0.1, 0.2], [(0, 0)], block_px=(8, 8))
