"""Area of each class in hectares: the part of a population that the class covers in truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rs_workbench.accuracy.estimates import AreaEstimate, Estimate
from rs_workbench.accuracy.frame import Floats
from rs_workbench.accuracy.sample import Design
from rs_workbench.errors import AccuracyError


@dataclass(frozen=True)
class MappedArea:
    """Area that a sample speaks for, ha, and what the map gives each class; NaN where unknown."""

    total_ha: float
    by_class: Floats


def check_mapped(mapped_area_ha: ArrayLike, n_classes: int) -> MappedArea:
    """See that each class has an area on the map.

    Parameters
    ----------
    mapped_area_ha : array_like of float, shape (K,)
        Area of each class on the map, ha.
    n_classes : int
        K.

    Returns
    -------
    MappedArea
        The same, with its sum.

    Raises
    ------
    AccuracyError
        If there is not one area from 0 up for each class, or all are 0.
    """
    mapped = np.asarray(mapped_area_ha, np.float64)
    fits = mapped.shape == (n_classes,) and (np.isfinite(mapped) & (mapped >= 0)).all()
    if not fits or not mapped.any():
        raise AccuracyError(
            f"mapped_area_ha needs one area, from 0 up, for each of {n_classes} classes: got "
            f"{mapped.tolist()}"
        )
    return MappedArea(float(mapped.sum()), mapped)


def settle_area(
    design: Design, mapped: MappedArea | None, n_classes: int, *, partly: bool = False
) -> MappedArea | None:
    """Say of which area a sample tells.

    Parameters
    ----------
    design : Design
        How the sample was drawn.
    mapped : MappedArea or None
        What the map holds, which may be another one than the sample was drawn from.
    n_classes : int
        K.
    partly : bool
        The sample itself tells which part of its population is assessed.

    Returns
    -------
    MappedArea or None
        The area of the design's population; where the map is smaller and the sample does not
        tell, that of the map. None where neither is known.
    """
    drawn = population_area(design)
    if mapped is None:
        return None if drawn is None else MappedArea(drawn, np.full(n_classes, np.nan))
    if drawn is None or (not partly and mapped.total_ha < drawn):
        return mapped
    return MappedArea(drawn, mapped.by_class)


def population_area(design: Design) -> float | None:
    """Give the area that a sample was drawn from.

    Parameters
    ----------
    design : Design
        How it was drawn.

    Returns
    -------
    float or None
        Hectares; None where the design does not tell.
    """
    if design.area_ha is not None:
        return design.area_ha
    areas = [stratum.area_ha for stratum in design.strata if stratum.area_ha is not None]
    return sum(areas) if areas and len(areas) == len(design.strata) else None


def to_areas(covers: Sequence[Estimate], mapped: MappedArea | None) -> tuple[AreaEstimate, ...]:
    """Turn shares into hectares.

    Parameters
    ----------
    covers : sequence of Estimate, length K
        Share of the area of the population that each class covers.
    mapped : MappedArea or None
        That area, and the classes on the map.

    Returns
    -------
    tuple of AreaEstimate
        Empty where the area is unknown.
    """
    if mapped is None:
        return ()
    total = mapped.total_ha
    return tuple(
        AreaEstimate(
            mapped_ha=on_map,
            area_ha=total * cover.value,
            standard_error_ha=total * cover.standard_error,
            low_ha=total * cover.low,
            high_ha=total * cover.high,
        )
        for on_map, cover in zip(mapped.by_class.tolist(), covers, strict=True)
    )
