"""Frame: a sample in the terms of the estimators, checked against its design and weighted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.sample import Design, Sample
from rs_workbench.errors import AccuracyError

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True)
class Frame:
    """A sample in the terms of the engine; a row may stand for several equal units.

    Attributes
    ----------
    kind : str
        Kind of the design.
    names : tuple of str
        Names of the strata.
    stratum : ndarray of intp, shape (m,)
        Stratum of each row.
    times : ndarray of int64, shape (m,)
        How many units of the sample a row stands for.
    weight : ndarray of float64, shape (m,)
        Units of the population that each unit of the sample stands for.
    size, whole_size : ndarray of float64, shape (m,)
        Area of a unit that is assessed, 0 if it is not; and its area in any case. 1 where all are
        equal.
    cluster : ndarray of intp, shape (m,), or None
        Cluster of each row.
    n_drawn : ndarray of int64, shape (H,)
        Units, or clusters, of the sample in each stratum.
    n_population : ndarray of float64, shape (H,)
        The same for the population; infinite where it is unknown.
    """

    kind: str
    names: tuple[str, ...]
    stratum: Codes
    times: NDArray[np.int64]
    weight: Floats
    size: Floats
    whole_size: Floats
    cluster: Codes | None
    n_drawn: NDArray[np.int64]
    n_population: Floats

    @property
    def expansion(self) -> Floats:
        """Area of the assessed population that each row stands for, (m,)."""
        return self.times * self.weight * self.size


def make_frame(sample: Sample, design: Design) -> Frame:
    """See that a sample fits its design, and weight its units.

    Parameters
    ----------
    sample : Sample
        Labelled units.
    design : Design
        How they were chosen.

    Returns
    -------
    Frame
        Ready for estimation.

    Raises
    ------
    AccuracyError
        If the sample has strata or clusters that the design does not have, or lacks those it has;
        if a stratum has fewer than two units; or if units differ in area and no size is given.
    """
    _check_fit(sample, design)
    names, stratum = _strata(sample, design)
    cluster = None
    if sample.cluster is not None:
        cluster = np.unique(sample.cluster, return_inverse=True)[1].astype(np.intp)
    n_drawn = _count(stratum, cluster, len(names))
    n_population = _populations(design, len(names))
    _check_numbers(names, n_drawn, n_population)
    size = np.ones(len(sample)) if sample.size is None else sample.size
    return Frame(
        kind=design.kind,
        names=names,
        stratum=stratum,
        times=np.ones(len(sample), np.int64),
        weight=_weights(sample, stratum, n_drawn, n_population),
        size=size if sample.beyond is None else np.where(sample.beyond, 0.0, size),
        whole_size=size,
        cluster=cluster,
        n_drawn=n_drawn,
        n_population=n_population,
    )


def stratified_frame(
    times: NDArray[np.int64], stratum: Codes, names: Sequence[str], n_population: Floats
) -> Frame:
    """Frame of a stratified sample that is given as counts.

    Parameters
    ----------
    times : ndarray of int64, shape (m,)
        Units of the sample in each row.
    stratum : ndarray of intp, shape (m,)
        Stratum of each row.
    names : sequence of str
        Names of the strata.
    n_population : ndarray of float64, shape (H,)
        Size of each stratum, in units or in area.

    Returns
    -------
    Frame
        Ready for estimation.

    Raises
    ------
    AccuracyError
        If a stratum has fewer than two units.
    """
    n_drawn = np.zeros(len(names), np.int64)
    np.add.at(n_drawn, stratum, times)
    _check_numbers(names, n_drawn, np.full(len(names), np.inf))
    weight = n_population[stratum] / n_drawn[stratum]
    size = np.ones(len(times))
    return Frame(
        "stratified", tuple(names), stratum, times, weight, size, size, None, n_drawn, n_population
    )


def _check_fit(sample: Sample, design: Design) -> None:
    has = {"strata": sample.stratum is not None, "clusters": sample.cluster is not None}
    if design.kind in ("stratified", "post_stratified") and not has["strata"]:
        raise AccuracyError(
            f"the design is {design.kind}, but the sample names no stratum for its units: add a "
            "column stratum"
        )
    if design.kind == "cluster" and design.strata and not has["strata"]:
        raise AccuracyError(
            f"the clusters were drawn from {len(design.strata)} strata, but the sample names no "
            "stratum for its units: add a column stratum"
        )
    if not design.strata and has["strata"]:
        raise AccuracyError(
            f"the design is {design.kind} without strata, but the sample has strata "
            f"{_few(sample.stratum)}: a {design.kind} estimator would be wrong; say stratified "
            "(drawn within strata) or post_stratified (drawn from the whole), with their sizes"
        )
    if (design.kind == "cluster") != has["clusters"]:
        raise AccuracyError(
            f"the design is {design.kind}, {'and' if design.kind == 'cluster' else 'but'} the "
            f"sample has {'clusters' if has['clusters'] else 'no clusters'}: units of one cluster "
            "are not independent; a cluster design needs a column cluster, others must have none"
        )
    if not design.equal_area and sample.size is None:
        raise AccuracyError(
            "the units differ in area (pixels of a geographic grid do), but the sample does not "
            "say how large each is: add a column area_ha"
        )


def _strata(sample: Sample, design: Design) -> tuple[tuple[str, ...], Codes]:
    if not design.strata or sample.stratum is None:
        return ("all",), np.zeros(len(sample), np.intp)
    names = tuple(s.name for s in design.strata)
    index = {name: code for code, name in enumerate(names)}
    unknown = sorted(set(sample.stratum.tolist()) - set(names))
    if unknown:
        raise AccuracyError(
            f"the sample has strata {unknown[:5]} that its design does not know (it has "
            f"{list(names)[:10]}): use the design that the sample was drawn with"
        )
    return names, np.array([index[name] for name in sample.stratum.tolist()], np.intp)


def _count(stratum: Codes, cluster: Codes | None, n_strata: int) -> NDArray[np.int64]:
    """Count units, or clusters, in each stratum."""
    if cluster is None:
        return np.bincount(stratum, minlength=n_strata).astype(np.int64)
    pairs = np.unique(np.stack([cluster, stratum]), axis=1)
    shared = pairs[0][:-1][pairs[0][1:] == pairs[0][:-1]]
    if shared.size:
        raise AccuracyError(
            f"{len(np.unique(shared))} clusters lie in several strata: a cluster is drawn as a "
            "whole, from one stratum; cut them or name the strata anew"
        )
    return np.bincount(pairs[1], minlength=n_strata).astype(np.int64)


def _populations(design: Design, n_strata: int) -> Floats:
    if design.strata:
        return np.array([s.n_population for s in design.strata], np.float64)
    known = design.n_population
    return np.full(n_strata, np.inf if known is None else known, np.float64)


def _check_numbers(names: Sequence[str], n_drawn: NDArray[np.int64], population: Floats) -> None:
    for name, drawn, whole in zip(names, n_drawn.tolist(), population.tolist(), strict=True):
        if drawn > whole:
            raise AccuracyError(
                f"stratum '{name}' has {drawn} units in the sample but {whole:.0f} in the "
                "population: check the sizes of the strata"
            )
        if drawn < 2 and drawn < whole:
            raise AccuracyError(
                f"stratum '{name}' has {drawn} labelled unit{'' if drawn == 1 else 's'}, from "
                "which no variance can be estimated: label at least two there, or join it with a "
                "stratum that is like it"
            )


def _weights(
    sample: Sample, stratum: Codes, n_drawn: NDArray[np.int64], n_population: Floats
) -> Floats:
    known = np.where(np.isinf(n_population), n_drawn, n_population)
    weights: Floats = (known / n_drawn)[stratum]
    if sample.weight is None:
        return weights
    if len(n_drawn) == 1:
        return sample.weight
    if sample.cluster is not None:
        return weights * sample.weight
    # Weights from the day of the draw know nothing of units that were never labelled.
    _check_equal(sample.weight, stratum, len(n_drawn))
    return weights


def _check_equal(weight: Floats, stratum: Codes, n_strata: int) -> None:
    low, high = np.full(n_strata, np.inf), np.full(n_strata, -np.inf)
    np.minimum.at(low, stratum, weight)
    np.maximum.at(high, stratum, weight)
    if not np.allclose(low, high):
        raise AccuracyError(
            f"the units of one stratum have weights from {low.min():g} to {high.max():g}, but a "
            "stratified sample takes all units of a stratum with one probability: leave the "
            "column weight out, or name strata within which it is one"
        )


def _few(names: NDArray[np.str_] | None) -> list[str]:
    return [] if names is None else sorted(set(names.tolist()))[:5]
