"""Every score and its variance against the influence of each unit, found numerically."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rs_workbench.accuracy import AccuracyEstimate, Design, Stratum, design_estimate, make_sample

Floats = NDArray[np.float64]
Table = dict[str, NDArray[Any]]
Found = tuple[Floats, Floats, AccuracyEstimate]
N_CLASSES = 3
POPULATION = {"x": 400, "y": 900, "z": 3000}
CLUSTERS = {"x": 40, "y": 50, "z": 60}


def scores(matrix: Floats) -> Floats:
    p = matrix / matrix.sum()
    right, rows, columns = p.diagonal(), p.sum(1), p.sum(0)
    quantity = np.abs(rows - columns).sum() / 2
    exchange = 2 * np.minimum(p, p.T)[np.triu_indices(N_CLASSES, 1)].sum()
    iou = right / (rows + columns - right)
    shift = 1 - right.sum() - quantity - exchange
    overall = [right.sum(), iou.mean(), quantity, exchange, shift]
    f1 = 2 * right / (rows + columns)
    return np.concatenate([overall, right / rows, right / columns, f1, iou, columns])


def listed(found: AccuracyEstimate) -> tuple[Floats, Floats]:
    one = (found.overall, found.mean_iou, found.quantity, found.exchange, found.shift)
    by_class = (*found.users, *found.producers, *found.f1, *found.iou, *found.share)
    every = (*one, *by_class)
    return np.array([e.value for e in every]), np.array([e.standard_error for e in every])


def units(seed: int) -> Table:
    rng = np.random.default_rng(seed)
    n = 120
    labels = rng.integers(0, N_CLASSES, n)
    stratum = rng.choice(list(POPULATION), n)
    return {
        "map": labels,
        "truth": np.where(rng.random(n) < 0.7, labels, rng.integers(0, N_CLASSES, n)),
        "size": rng.uniform(0.5, 2, n),
        "stratum": stratum,
        "cluster": np.array([f"{name}{rng.integers(0, 8)}" for name in stratum]),
        "inside": rng.integers(1, 30, n) * 1.0,
    }


def influence(table: Table, weight: Floats) -> tuple[Floats, Floats]:
    """Scores, and how much each unit with its weight moves them, (n, T)."""
    n = len(weight)
    parts = np.zeros((n, N_CLASSES, N_CLASSES))
    parts[np.arange(n), table["map"], table["truth"]] = weight
    total = parts.sum(0)
    step = 1e-5
    moves = [(scores(total + step * m) - scores(total - step * m)) / (2 * step) for m in parts]
    return scores(total), np.array(moves)


def weights(table: Table, population: dict[str, int], unit: str = "") -> Floats:
    """N_h / n_h, of units or of what the column `unit` names."""
    result = np.empty(len(table["map"]))
    for h, size in population.items():
        here = table["stratum"] == h
        drawn = len(np.unique(table[unit][here])) if unit else np.count_nonzero(here)
        result[here] = size / drawn
    return result


def strata(population: dict[str, int]) -> tuple[Stratum, ...]:
    return tuple(Stratum(name=h, n_population=n) for h, n in population.items())


def summed(moves: Floats, groups: NDArray[Any]) -> Floats:
    return np.array([moves[groups == g].sum(0) for g in np.unique(groups)])


Case = Callable[[Table, bool], Found]


def stratified(table: Table, fpc: bool) -> Found:
    weight = weights(table, POPULATION)
    value, moves = influence(table, weight * table["size"])
    variance = np.zeros_like(value)
    for h, size in POPULATION.items():
        own = moves[table["stratum"] == h]
        variance += (1 - fpc * len(own) / size) * len(own) * own.var(0, ddof=1)
    sample = make_sample(
        table["map"], table["truth"], N_CLASSES, stratum=table["stratum"], size=table["size"]
    )
    design = Design(kind="stratified", strata=strata(POPULATION), equal_area=False)
    return value, variance, design_estimate(sample, design, fpc=fpc)


def post_stratified(table: Table, fpc: bool) -> Found:
    weight = weights(table, POPULATION)
    value, moves = influence(table, weight * table["size"])
    n, whole = len(weight), sum(POPULATION.values())
    variance = np.zeros_like(value)
    for h, size in POPULATION.items():  # Cochran (1977), equation 5A.42
        here = table["stratum"] == h
        spread = (moves[here] / weight[here][:, None]).var(0, ddof=1) * whole**2
        share = size / whole
        variance += (1 - fpc * n / whole) / n * share * spread + (1 - share) / n**2 * spread
    sample = make_sample(
        table["map"], table["truth"], N_CLASSES, stratum=table["stratum"], size=table["size"]
    )
    design = Design(kind="post_stratified", strata=strata(POPULATION), equal_area=False)
    return value, variance, design_estimate(sample, design, fpc=fpc)


def clusters_in_strata(table: Table, fpc: bool) -> Found:
    value, moves = influence(table, weights(table, CLUSTERS, "cluster") * table["inside"])
    variance = np.zeros_like(value)
    for h, size in CLUSTERS.items():
        here = table["stratum"] == h
        own = summed(moves[here], table["cluster"][here])
        variance += (1 - fpc * len(own) / size) * len(own) * own.var(0, ddof=1)
    sample = make_sample(
        table["map"],
        table["truth"],
        N_CLASSES,
        stratum=table["stratum"],
        cluster=table["cluster"],
        weight=table["inside"],
    )
    design = Design(kind="cluster", strata=strata(CLUSTERS))
    return value, variance, design_estimate(sample, design, fpc=fpc)


@pytest.mark.parametrize("case", [stratified, post_stratified, clusters_in_strata])
@pytest.mark.parametrize("fpc", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_score_and_its_error(case: Case, fpc: bool, seed: int) -> None:
    value, variance, found = case(units(seed), fpc)
    values, errors = listed(found)
    assert values == pytest.approx(value)
    assert errors == pytest.approx(np.sqrt(variance), rel=1e-6, abs=1e-8)
