"""Intervals of 95 % cover the truth in 95 % of samples, for each design.

2,000 samples of 1,000 units are drawn from a population that is known: a map of three classes
and its truth. No class is rare, since Wald intervals cover less where a class has few units. With
2,000 draws the share of intervals that cover has a standard error of 0.5 %.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from rs_workbench.accuracy import (
    AccuracyEstimate,
    Design,
    Sample,
    Stratum,
    design_estimate,
    make_sample,
    stratified_estimate,
)

N_DRAWS = 2_000
N_UNITS = 1_000
SEED = 20140421  # the first one tried
PIXEL_HA = 0.09

# Pixels by other stratum, map class and true class.
POPULATION = 1_000 * np.array(
    [
        [[90, 10, 8], [9, 60, 6], [5, 7, 40]],
        [[60, 4, 12], [12, 150, 20], [9, 11, 70]],
        [[30, 8, 5], [6, 90, 25], [12, 13, 228]],
    ]
)
TOTAL_HA = PIXEL_HA * POPULATION.sum()
BY_MAP = POPULATION.sum(axis=0)
TRUTH = np.array([BY_MAP.trace(), *BY_MAP.sum(axis=0)]) / BY_MAP.sum()


def draw(rng: np.random.Generator, table: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Draw units without replacement: how many fall in each cell of the table."""
    return rng.multivariate_hypergeometric(table.ravel(), n).reshape(table.shape)


def to_units(counts: NDArray[np.int64]) -> tuple[NDArray[np.intp], ...]:
    places = np.nonzero(counts)
    return tuple(np.repeat(place, counts[places]) for place in places)


def strata(sizes: NDArray[np.int64]) -> tuple[Stratum, ...]:
    named = enumerate(sizes.tolist())
    return tuple(
        Stratum(name=str(i), n_population=size, area_ha=PIXEL_HA * size) for i, size in named
    )


def covers(estimate: AccuracyEstimate) -> list[bool]:
    """Whether the intervals of overall accuracy and of each area hold the truth."""
    overall = estimate.overall
    areas = zip(estimate.area, TOTAL_HA * TRUTH[1:], strict=True)
    return [
        overall.low <= TRUTH[0] <= overall.high,
        *(area.low_ha <= true <= area.high_ha for area, true in areas),
    ]


def check(hits: list[list[bool]]) -> None:
    covered = np.mean(hits, axis=0)
    assert len(hits) == N_DRAWS
    np.testing.assert_allclose(covered, 0.95, atol=0.015)


def test_stratified_by_the_classes_of_the_map() -> None:
    rng = np.random.default_rng(SEED)
    mapped = PIXEL_HA * BY_MAP.sum(axis=1)
    drawn = (
        [draw(rng, row, n) for row, n in zip(BY_MAP, (300, 300, 400), strict=True)]
        for _ in range(N_DRAWS)
    )
    check([covers(stratified_estimate(counts, mapped)) for counts in drawn])


def simple_random(rng: np.random.Generator) -> tuple[Sample, Design]:
    on_map, reference = to_units(draw(rng, BY_MAP, N_UNITS))
    return make_sample(on_map, reference, 3), Design(kind="simple_random", area_ha=TOTAL_HA)


def other_strata(rng: np.random.Generator) -> tuple[Sample, Design]:
    sizes = POPULATION.sum(axis=(1, 2))
    wanted = (400, 300, 300)
    counts = np.stack([draw(rng, table, n) for table, n in zip(POPULATION, wanted, strict=True)])
    stratum, on_map, reference = to_units(counts)
    sample = make_sample(on_map, reference, 3, stratum=stratum)
    return sample, Design(kind="stratified", strata=strata(sizes))


def post_stratified(rng: np.random.Generator) -> tuple[Sample, Design]:
    on_map, reference = to_units(draw(rng, BY_MAP, N_UNITS))
    sample = make_sample(on_map, reference, 3, stratum=on_map)
    return sample, Design(kind="post_stratified", strata=strata(BY_MAP.sum(axis=1)))


def clusters(rng: np.random.Generator) -> tuple[Sample, Design]:
    """200 blocks of 5 pixels that mostly share map class and truth, out of very many."""
    kinds = rng.choice(9, 200, p=(BY_MAP / BY_MAP.sum()).ravel())
    mixed = rng.choice(9, (200, 5), p=(BY_MAP / BY_MAP.sum()).ravel())
    cells = np.where(rng.random((200, 5)) < 0.7, kinds[:, None], mixed).ravel()
    sample = make_sample(cells // 3, cells % 3, 3, cluster=np.repeat(range(200), 5))
    return sample, Design(kind="cluster", unit="block", area_ha=TOTAL_HA)


@pytest.mark.slow
@pytest.mark.parametrize("drawer", [simple_random, other_strata, post_stratified, clusters])
def test_designs_by_units(drawer) -> None:
    rng = np.random.default_rng(SEED)
    check([covers(design_estimate(*drawer(rng))) for _ in range(N_DRAWS)])


@pytest.mark.slow
def test_clusters_taken_for_single_units_cover_too_little() -> None:
    rng = np.random.default_rng(SEED)
    hits = []
    for _ in range(N_DRAWS):
        sample, _design = clusters(rng)
        plain = make_sample(sample.map_class, sample.reference, 3)
        hits.append(covers(design_estimate(plain, Design(kind="simple_random", area_ha=TOTAL_HA))))
    assert (np.mean(hits, axis=0) < 0.85).all()
