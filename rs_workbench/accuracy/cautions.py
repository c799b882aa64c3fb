"""What a reader must know before trusting an estimate: one sentence each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from rs_workbench.accuracy.areas import population_area
from rs_workbench.accuracy.estimates import AccuracyEstimate
from rs_workbench.accuracy.frame import Frame
from rs_workbench.accuracy.sample import Design

FEW_IN_POST_STRATUM = 20
"""Units below which a post-stratum is unstable (Cochran 1977, page 134)."""
DOMINANT_SHARE = 0.5
SAME_AREA = 0.01


def find_warnings(
    estimate: AccuracyEstimate, frame: Frame, design: Design | None = None
) -> AccuracyEstimate:
    """Add to an estimate what its reader must know.

    Parameters
    ----------
    estimate : AccuracyEstimate
        The figures.
    frame : Frame
        The sample they come from.
    design : Design, optional
        Its design, which tells how many units were drawn.

    Returns
    -------
    AccuracyEstimate
        The same figures, with `warnings`.
    """
    missing = () if design is None else _missing_units(frame, design)
    found = (
        *missing,
        *(() if design is None else _of_the_area(estimate, design)),
        *_of_the_kind(frame),
        *_of_errors(estimate, frame),
    )
    return replace(estimate, warnings=found)


def _missing_units(frame: Frame, design: Design) -> Iterator[str]:
    for stratum, labelled in zip(design.strata, frame.n_drawn.tolist(), strict=False):
        if stratum.n_drawn is not None and labelled > stratum.n_drawn:
            yield (
                f"stratum '{stratum.name}' has {labelled} labelled units, but {stratum.n_drawn} "
                "were drawn: units that someone added were not chosen by chance; leave them out"
            )
        if stratum.n_drawn is not None and labelled < stratum.n_drawn:
            yield (
                f"{stratum.n_drawn - labelled} of {stratum.n_drawn} units drawn in stratum "
                f"'{stratum.name}' were not used: the estimate assumes that they are like the rest"
            )


def _of_the_area(estimate: AccuracyEstimate, design: Design) -> Iterator[str]:
    drawn = population_area(design)
    mapped = sum(a.mapped_ha for a in estimate.area)
    if drawn is not None and abs(mapped - drawn) > SAME_AREA * drawn:
        yield (
            f"the sample was drawn from {drawn:,.1f} ha, but the classes of the map cover "
            f"{mapped:,.1f} ha: check that nodata is the same for both; areas are estimated for "
            f"{sum(a.area_ha for a in estimate.area):,.1f} ha"
        )


def _of_the_kind(frame: Frame) -> Iterator[str]:
    if frame.kind == "systematic":
        yield (
            "a systematic sample has no unbiased variance estimator: that of a simple random "
            "sample is used, which is mostly too large"
        )
    if frame.kind == "cluster" and frame.n_drawn.min() < FEW_IN_POST_STRATUM:
        yield (
            f"only {frame.n_drawn.min()} clusters: intervals from so few are too narrow more "
            "often than their level says"
        )
    if frame.kind == "post_stratified":
        for name, n in zip(frame.names, frame.n_drawn.tolist(), strict=True):
            if n < FEW_IN_POST_STRATUM:
                yield f"post-stratum '{name}' has only {n} units: its estimate is unstable"


def _of_errors(estimate: AccuracyEstimate, frame: Frame) -> Iterator[str]:
    exact = [e.value for e in estimate.users if e.defined and e.standard_error == 0]
    right, wrong = exact.count(1.0), exact.count(0.0)
    if right:
        yield (
            f"no error was seen among the units mapped as {right} of the classes, so their "
            "standard error is 0: Wilson's interval is given there"
        )
    if wrong:
        yield (
            f"every unit mapped as {wrong} of the classes was wrong, so that their standard error "
            "is 0: Wilson's interval is given there"
        )
    for name, share in estimate.variance_share.items():
        if len(frame.names) > 2 and share > DOMINANT_SHARE:
            where = frame.names.index(name)
            weight = frame.n_population[where] / np.sum(frame.n_population)
            yield (
                f"{100 * share:.0f} % of the variance of the overall accuracy comes from stratum "
                f"'{name}' ({100 * weight:.0f} % of the population): more units there, or a "
                "buffer stratum, would help most"
            )
