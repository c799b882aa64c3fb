"""Differences of configurations: by hand, and against the bootstrap of the accuracy module."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rs_workbench.ablation import compare
from rs_workbench.ablation.compare import adjust, difference
from rs_workbench.accuracy import bootstrap_difference, mean_iou
from rs_workbench.training.held_out_blocks import HeldOutBlocks


def blocks(seed: int, skill: float, n: int = 24, *, side: int = 64) -> HeldOutBlocks:
    rng = np.random.default_rng(seed)
    hit = np.clip(rng.normal(skill, 0.08, (n, 2)), 0.1, 0.99) * 200
    counts = np.zeros((n, 2, 2), np.int64)
    counts[:, 0, 0], counts[:, 1, 1] = hit.T
    counts[:, 1, 0], counts[:, 0, 1] = 200 - counts[:, 0, 0], 200 - counts[:, 1, 1]
    places = np.array([(-1, i // 6, i % 6) for i in range(n)])
    return HeldOutBlocks(side, places, counts)


def score(one: HeldOutBlocks) -> float:
    return mean_iou(one.confusion.sum(axis=0))


def test_the_same_runs_do_not_differ() -> None:
    runs = {seed: blocks(seed, 0.8) for seed in range(3)}
    found = difference(runs, runs)
    assert (found.value, found.low, found.high, found.standard_error) == (0, 0, 0, 0)
    assert found.p_value == 1
    assert found.verdict == "no difference shown"
    assert found.n_blocks == 24


def test_the_value_is_the_mean_over_the_seeds_that_both_have() -> None:
    first = {seed: blocks(seed, 0.85) for seed in (0, 1, 2)}
    second = {seed: blocks(10 + seed, 0.8) for seed in (1, 2, 3)}
    found = difference(first, second)
    by_hand = {seed: score(first[seed]) - score(second[seed]) for seed in (1, 2)}
    assert found.by_seed == pytest.approx(by_hand)
    assert found.value == pytest.approx(sum(by_hand.values()) / 2)
    assert found.spread == pytest.approx(abs(by_hand[1] - by_hand[2]) / math.sqrt(2))
    assert found.low < found.value < found.high
    back = difference(second, first)
    assert back.value == pytest.approx(-found.value)
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))


def test_one_seed_is_the_bootstrap_of_the_accuracy_module() -> None:
    first, second = blocks(0, 0.85), blocks(1, 0.8)
    found = difference({4: first}, {4: second}, n_draws=500, seed=3)
    drawn = bootstrap_difference(
        mean_iou, (first.confusion, second.confusion), n_draws=500, seed=3
    )
    assert (found.low, found.high) == pytest.approx((drawn.low, drawn.high))
    assert found.standard_error == pytest.approx(drawn.standard_error)
    assert found.verdict.endswith("with one seed")


def test_seeds_that_share_their_blocks_do_not_count_as_more_ground() -> None:
    first, second = blocks(0, 0.85), blocks(1, 0.8)
    one = difference({0: first}, {0: second})
    same_again = difference(dict.fromkeys(range(5), first), dict.fromkeys(range(5), second))
    assert (same_again.low, same_again.high) == pytest.approx((one.low, one.high))
    assert same_again.spread == pytest.approx(0, abs=1e-12)


def test_what_cannot_be_compared_says_why() -> None:
    here = {0: blocks(0, 0.8)}
    assert "no seed in common" in difference(here, {1: blocks(1, 0.8)}).note
    other = difference(here, {0: blocks(1, 0.8, side=128)})
    assert "share split and classes" in other.note
    assert math.isnan(other.value)
    assert other.verdict == "not tested"
    few = difference({0: blocks(0, 0.9, n=6)}, {0: blocks(1, 0.8, n=6)})
    assert few.value > 0
    assert math.isnan(few.low)
    assert "6 blocks of held-out ground: no interval" in few.note


def test_blocks_without_labels_do_not_count() -> None:
    full, empty = blocks(0, 0.8, n=12), blocks(0, 0.8, n=12)
    empty.confusion[9:] = 0
    assert difference({0: full}, {0: full}).n_blocks == 12
    assert difference({0: empty}, {0: empty}).n_blocks == 9


def test_many_comparisons_are_corrected() -> None:
    base = difference({0: blocks(0, 0.9)}, {0: blocks(1, 0.8)})
    found = adjust([replace(base, p_value=p) for p in (0.01, 0.04, 0.03)])
    assert [one.adjusted_p_value for one in found] == pytest.approx([0.03, 0.06, 0.06])
    assert found[0].verdict.startswith("better")
    assert found[1].verdict == "no difference shown"
    assert adjust([]) == []


@pytest.mark.parametrize(("t", "n_blocks"), [(2.306, 9), (-2.306, 9), (2.093, 20)])
def test_p_values_are_those_of_the_table_of_t(t: float, n_blocks: int) -> None:
    """8 and 19 degrees of freedom, two-sided."""
    assert compare._p_value(0.01 * t, 0.01, n_blocks) == pytest.approx(0.05, abs=1e-4)


def test_verdicts_tell_when_seeds_disagree() -> None:
    base = difference({0: blocks(0, 0.9)}, {0: blocks(1, 0.8)})
    seeds = replace(base, by_seed={0: 0.1, 1: -0.02, 2: 0.2})
    assert seeds.verdict == "better, with 2 of 3 seeds"
    worse = replace(seeds, value=-0.1, low=-0.2, high=-0.05, by_seed={0: -0.1, 1: -0.1})
    assert worse.verdict == "worse"


def test_a_seed_without_a_difference_agrees_with_neither() -> None:
    base = difference({0: blocks(0, 0.9)}, {0: blocks(1, 0.8)})
    better = replace(base, by_seed={0: 0.1, 1: 0.0})
    assert better.verdict == "better, with 1 of 2 seeds"
    worse = replace(base, value=-0.1, low=-0.2, high=-0.05, by_seed={0: -0.2, 1: 0.0})
    assert worse.verdict == "worse, with 1 of 2 seeds"
    assert (replace(base, by_seed={0: 0.0, 1: 0.0}).spread) == 0
    assert replace(base, value=0.0).verdict == "no difference shown"
    assert replace(base, adjusted_p_value=float("nan")).verdict == "not tested"
