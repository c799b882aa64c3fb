"""From a plan to units: which pixels are drawn, and what the design says of them."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rs_workbench.accuracy.design.draw import draw_grid, draw_ranks, grid_steps, shuffled
from rs_workbench.accuracy.design.plan import Plan, Request
from rs_workbench.accuracy.design.sample_file import SampleTable
from rs_workbench.accuracy.sample import Design, Stratum
from rs_workbench.errors import AccuracyError
from rs_workbench.raster_scene import Scene, crs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rs_workbench.accuracy.design.raster_locate import Units
    from rs_workbench.accuracy.design.raster_strata import MapStrata


def draw_units(strata: MapStrata, plan: Plan, request: Request, *, seed: int) -> Units:
    """Draw the units of a plan, in an order that tells nothing.

    Parameters
    ----------
    strata : MapStrata
        The counted map.
    plan : Plan
        How many.
    request : Request
        Of which kind.
    seed : int
        The same seed gives the same units in the same order.

    Returns
    -------
    Units
        Pixels of the map.

    Raises
    ------
    AccuracyError
        If more units are asked for than there are, or a grid meets no pixel with data.
    """
    from rs_workbench.accuracy.design.raster_locate import (
        locate_anywhere,
        locate_grid,
        locate_ranks,
    )

    if request.kind == "stratified":
        numbers = [int(n) for n in plan.n_units]
        units = locate_ranks(strata, draw_ranks(numbers, strata.pixels.tolist(), seed=seed))
    elif request.kind == "simple_random":
        (ranks,) = draw_ranks([plan.n], [strata.n_population], seed=seed)
        units = locate_anywhere(strata, ranks)
    else:
        units = locate_grid(strata, *_grid(strata, plan.n, seed))
        if not len(units):
            raise AccuracyError(
                f"a grid of about {plan.n} points meets no pixel with data: take more units or "
                "another --seed"
            )
    return units.reordered(shuffled(len(units), seed=seed))


def _grid(strata: MapStrata, n: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    scene = strata.scene
    population, size = strata.n_population, scene.pixel_size
    return draw_grid(scene.shape, n, n_population=population, pixel_size=size, seed=seed)


def probabilities(strata: MapStrata, plan: Plan, request: Request) -> NDArray[np.float64]:
    """Give the probability with which a pixel of each stratum is drawn.

    Parameters
    ----------
    strata : MapStrata
        The counted map.
    plan : Plan
        How many units.
    request : Request
        Of which kind.

    Returns
    -------
    ndarray of float64, shape (S,)
        Units per pixel.
    """
    if request.kind == "stratified":
        drawn: NDArray[np.float64] = np.asarray(plan.n_units) / strata.pixels
        return drawn
    return np.full(len(strata.pixels), plan.n / strata.n_population)


def make_design(
    strata: MapStrata,
    plan: Plan,
    request: Request,
    *,
    names: tuple[str, ...],
    seed: int,
) -> Design:
    """Write down how the sample is drawn.

    Parameters
    ----------
    strata : MapStrata
        The counted map.
    plan : Plan
        How many units.
    request : Request
        Of which kind.
    names : tuple of str
        Names of the strata.
    seed : int
        Seed of the draw.

    Returns
    -------
    Design
        Goes with the sample.
    """
    scene, stratified = strata.scene, request.kind == "stratified"
    areas = None if strata.area_ha is None else strata.area_ha.tolist()
    crs = crs_of(scene) if scene.transform is not None else None
    listed = [
        Stratum(
            name=name,
            n_population=int(strata.pixels[i]),
            n_drawn=int(plan.n_units[i]),
            area_ha=None if areas is None else areas[i],
            classes=_whole_class(strata, i),
        )
        for i, name in enumerate(names)
        if stratified
    ]
    return Design(
        kind=request.kind,
        strata=tuple(listed),
        n_population=strata.n_population,
        area_ha=None if areas is None else math.fsum(areas),
        equal_area=strata.row_area_ha is None,
        seed=seed,
        allocation=request.allocation if stratified else None,
        map=scene.name,
        map_sha256=_sha256(scene.path),
        crs=crs.to_string() if crs else None,
        notes=_notes(strata, plan, request),
    )


def _whole_class(strata: MapStrata, index: int) -> tuple[int, ...]:
    """Class that makes up a stratum; none where a buffer took a part of it, or is the stratum."""
    value, within = strata.keys[index]
    whole = strata.mapped_pixels[:, strata.values.index(value)].sum()
    return (value,) if not within and strata.pixels[index] == whole else ()


def _notes(strata: MapStrata, plan: Plan, request: Request) -> tuple[str, ...]:
    if request.kind != "systematic":
        return ()
    steps = grid_steps(
        strata.scene.shape,
        plan.n,
        n_population=strata.n_population,
        pixel_size=strata.scene.pixel_size,
    )
    return (f"grid of {steps[0]:.3f} rows by {steps[1]:.3f} columns with a random start",)


def _sha256(path: str) -> str | None:
    """Fingerprint of a map that is one file; None of any other."""
    if not Path(path).is_file():
        return None
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_table(
    strata: MapStrata, units: Units, *, names: tuple[str, ...] | None, chances: NDArray[np.float64]
) -> SampleTable:
    """Place units on the ground.

    Parameters
    ----------
    strata : MapStrata
        The counted map.
    units : Units
        Pixels drawn.
    names : tuple of str or None
        Names of the strata; None where the design has none.
    chances : ndarray of float64, shape (S,)
        Inclusion probability in each stratum.

    Returns
    -------
    SampleTable
        Centres of pixels; without georeference, columns and rows counted downwards from 0.
    """
    t = strata.scene.transform
    across, down = units.col + 0.5, units.row + 0.5
    if t is None:
        x, y = across, -down
    else:
        x = t.a * across + t.b * down + t.c
        y = t.d * across + t.e * down + t.f
    areas = strata.row_area_ha
    return SampleTable(
        x=np.asarray(x, np.float64),
        y=np.asarray(y, np.float64),
        row=units.row,
        col=units.col,
        stratum=None if names is None else np.array(names)[units.stratum],
        inclusion_probability=chances[units.stratum],
        map_class=units.value,
        area_ha=None if areas is None else areas[units.row],
    )


def pixel_side(scene: Scene) -> float | None:
    """Side of a pixel in map units, where pixels are square and lie along the axes."""
    t = scene.transform
    if t is None or t.b or t.d or not math.isclose(abs(t.a), abs(t.e), rel_tol=1e-3):
        return None
    return abs(float(t.a))
