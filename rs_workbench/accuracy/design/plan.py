"""plan_sample: how many units each stratum gets, what they will tell, and what is doubtful."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.allocation import (
    MINIMUM_UNITS,
    AllocationRule,
    ScarceStratumError,
    allocate,
)
from rs_workbench.accuracy.expected_errors import ExpectedErrors, expected_errors, spread_errors
from rs_workbench.accuracy.sample import DesignKind
from rs_workbench.accuracy.sample_size import sample_size
from rs_workbench.errors import AccuracyError

DEFAULT_UNITS = 500
FEW_UNITS = 20
"""Units below which a stratum's accuracy is known poorly (Cochran 1977, p. 134)."""
_TINY_WEIGHT, _RARE_WEIGHT, _LARGE_WEIGHT = 0.001, 0.1, 0.5
_MISSED = 1.005  # a target counts as missed beyond what rounding to whole units explains

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """What a sample is drawn from.

    Attributes
    ----------
    names : tuple of str, length S
        Strata.
    pixels : ndarray of int64, shape (S,)
        Pixels of each.
    weights : ndarray of float64, shape (S,)
        Area share of each.
    mapped : ndarray of float64, shape (S, K)
        Share of each stratum that each class covers on the map.
    accuracy : ndarray of float64, shape (S,)
        Share of each stratum where the map is expected to be right.
    class_names : tuple of str, length K
        Classes on the map.
    buffered : tuple of str
        Classes that have a buffer stratum.
    area_ha : float or None
        Area of the map.
    """

    names: tuple[str, ...]
    pixels: NDArray[np.int64]
    weights: Floats
    mapped: Floats
    accuracy: Floats
    class_names: tuple[str, ...]
    buffered: tuple[str, ...] = ()
    area_ha: float | None = None

    @property
    def class_weights(self) -> Floats:
        """Area share of each class on the map."""
        return self.weights @ self.mapped

    @property
    def shares(self) -> Floats:
        """Share of each stratum that each class is expected to cover in truth."""
        return spread_errors(self.accuracy, self.mapped, self.class_weights)


@dataclass(frozen=True)
class Request:
    """What is asked of a sample.

    Attributes
    ----------
    kind : str
        `stratified`, `simple_random` or `systematic`.
    n : int or None
        Units; None takes what the target needs, or 500.
    target : float or None
        Standard error wanted, as a share.
    target_class : int or None
        Place of the class whose area the target is meant for; None for overall accuracy.
    allocation, minimum, power
        As `allocate` takes them.
    """

    kind: DesignKind = "stratified"
    n: int | None = None
    target: float | None = None
    target_class: int | None = None
    allocation: AllocationRule = "minimum"
    minimum: int | None = None
    power: float = 0.5


@dataclass(frozen=True)
class Plan:
    """A sample before it is drawn; `n_units` are expected numbers where there are no strata."""

    n: int
    n_units: tuple[float, ...]
    expected: ExpectedErrors
    warnings: tuple[str, ...]


def plan_sample(population: Population, request: Request) -> Plan:
    """Choose the number of units and share them out.

    Parameters
    ----------
    population : Population
        What is sampled.
    request : Request
        What is asked.

    Returns
    -------
    Plan
        The plan; nothing is drawn yet.

    Raises
    ------
    AccuracyError
        If strata cannot get their units, or the target is none.
    """
    wanted = _wanted(population, request)
    n = _at_least(wanted, population, request) if request.n is None else wanted
    units = _share_out(n, population, request)
    warnings = [
        *_on_number(wanted, n, request),
        *_on_target(n, population, request),
        *_on_strata(population, units, request),
        *(_on_omission(population, units) if request.kind == "stratified" else ()),
    ]
    return Plan(n, tuple(units.tolist()), _errors(population, units, request), tuple(warnings))


def _wanted(population: Population, request: Request) -> int:
    if request.n is not None:
        return request.n
    if request.target is None:
        return DEFAULT_UNITS
    p = _target_shares(population, request)
    if request.kind == "stratified":
        return sample_size(p, population.weights, standard_error=request.target)
    return sample_size(float(population.weights @ p), standard_error=request.target)


def _target_shares(population: Population, request: Request) -> Floats:
    """Share of each stratum whose mean over the map is the target."""
    if request.target_class is None:
        return population.accuracy
    share: Floats = population.shares[:, request.target_class]
    return share


def _at_least(n: int, population: Population, request: Request) -> int:
    """Units that the minimum takes, if more than `n`; never more than the population."""
    fewest = request.minimum or 0
    if request.minimum is None and request.allocation == "minimum":
        fewest = MINIMUM_UNITS
    if request.kind == "stratified":
        n = max(n, int(np.minimum(fewest, population.pixels).sum()))
    return min(n, int(population.pixels.sum()))


def _share_out(n: int, population: Population, request: Request) -> Floats:
    if request.kind != "stratified":
        # Every pixel is as likely, however large; strata weigh by their area.
        return n * population.pixels / population.pixels.sum()
    p = _target_shares(population, request)
    try:
        units = allocate(
            n,
            population.weights,
            rule=request.allocation,
            minimum=request.minimum,
            deviations=np.sqrt(p * (1 - p)) if request.allocation == "neyman" else None,
            power=request.power,
            populations=population.pixels,
        )
    except ScarceStratumError as error:
        name = population.names[error.index]
        raise AccuracyError(f"stratum '{name}' {error.problem}") from error
    return units.astype(np.float64)


def _errors(population: Population, units: Floats, request: Request) -> ExpectedErrors:
    right, cover, w = population.accuracy, population.shares, population.weights
    by_stratum = expected_errors(
        units, w, accuracy=right, shares=cover, area_ha=population.area_ha
    )
    if request.kind == "stratified":
        return by_stratum
    whole = expected_errors(
        [units.sum()], [1.0], accuracy=[w @ right], shares=[w @ cover], area_ha=population.area_ha
    )
    return replace(
        whole,
        n_units=by_stratum.n_units,
        accuracy=by_stratum.accuracy,
        accuracy_standard_error=by_stratum.accuracy_standard_error,
    )


def _reached(population: Population, units: Floats, request: Request) -> float:
    errors = _errors(population, units, request)
    if request.target_class is None:
        return errors.overall_standard_error
    return errors.share_standard_error[request.target_class]


def _on_number(wanted: int, n: int, request: Request) -> Iterator[str]:
    if n > wanted:
        why = "the default" if request.target is None else "the target needs"
        yield f"the minimum for each stratum takes {n} units, more than the {wanted} of {why}"
    elif n < wanted:
        yield f"the map has only {n} pixels with data, not {wanted}: all of them are taken"


def _on_target(n: int, population: Population, request: Request) -> Iterator[str]:
    """Say which number reaches the target where the allocation is not the best for it."""
    if request.target is None:
        return
    reached = _reached(population, _share_out(n, population, request), request)
    if reached <= request.target * _MISSED:
        return
    enough, most = n, int(population.pixels.sum())
    for _ in range(20):
        enough = min(most, max(enough + 1, math.ceil(enough * (reached / request.target) ** 2)))
        reached = _reached(population, _share_out(enough, population, request), request)
        if reached <= request.target or enough == most:
            break
    yield (
        f"{n} units would reach the target standard error {request.target:g} if allocated by "
        f"Neyman's rule, but not by '{request.allocation}': --n {enough} reaches it"
    )


def _on_strata(population: Population, units: Floats, request: Request) -> Iterator[str]:
    few = (units < FEW_UNITS) & (units < population.pixels)
    if few.any():
        listed = _listed(population.names, few, [f"{u:.0f}" for u in units])
        remedy = "--minimum or --n" if request.kind == "stratified" else "--kind stratified"
        yield (
            f"few units in {listed}: with fewer than 20 to 30 the accuracy there is known poorly; "
            f"{remedy} gives more"
        )
    tiny = population.weights < _TINY_WEIGHT
    if tiny.any():
        listed = _listed(population.names, tiny, [f"{w:.2g}" for w in population.weights])
        yield (
            f"tiny share of the map in {listed}: units there tell of that stratum and next to "
            "nothing of the whole; think of joining it with one that is like it"
        )


def _on_omission(population: Population, units: Floats) -> Iterator[str]:
    """Suggest buffers where errors in one large stratum rule the area of rare classes."""
    errors = expected_errors(
        units, population.weights, accuracy=population.accuracy, shares=population.shares
    )
    large = int(np.argmax(population.weights))
    own = int(np.argmax(population.mapped[large]))
    rare = [
        k
        for k, name in enumerate(population.class_names)
        if k != own
        and name not in population.buffered
        and population.weights[large] > _LARGE_WEIGHT
        and 0 < population.class_weights[k] < _RARE_WEIGHT
        and errors.variance_share[large, k] > 0.5
    ]
    if rare:
        names = [population.class_names[k] for k in rare]
        yield (
            f"omissions in the large stratum '{population.names[large]}' would rule the standard "
            f"error of the area of {', '.join(names)}: where they lie near its edge, a buffer "
            f"stratum such as --buffer '{names[0]}:3' keeps them apart"
        )


def _listed(names: tuple[str, ...], chosen: NDArray[np.bool_], values: list[str]) -> str:
    picked = [f"'{names[i]}' ({values[i]})" for i in np.flatnonzero(chosen)]
    more = f" and {len(picked) - 5} more" if len(picked) > 5 else ""
    return ", ".join(picked[:5]) + more
