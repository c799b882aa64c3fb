"""Assess a map against labelled polygons, each a cluster of pixels that err together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from rs_workbench.accuracy.assess.baselines import beside, majority, without_class
from rs_workbench.accuracy.assess.design_choice import MappedClasses, choose_design
from rs_workbench.accuracy.assess.options import AssessOptions
from rs_workbench.accuracy.assess.pixels import resampled
from rs_workbench.accuracy.assess.units import estimate, without_place
from rs_workbench.accuracy.design.file import stratum_names
from rs_workbench.accuracy.estimates import AccuracyEstimate
from rs_workbench.accuracy.reference.error_units import write_error_polygons
from rs_workbench.accuracy.reference.raster_beside import open_beside
from rs_workbench.accuracy.reference.raster_polygons import (
    PolygonCounts,
    compare_polygons,
    count_polygons_beside,
)
from rs_workbench.accuracy.reference.vector_file import VectorReference
from rs_workbench.accuracy.result import Assessment, Baseline
from rs_workbench.accuracy.sample import Design
from rs_workbench.errors import UsageError


def assess_polygons(
    paths: tuple[Path, Path],
    polygons: VectorReference,
    mapped: MappedClasses,
    options: AssessOptions,
    *,
    folder: Path | None = None,
) -> Assessment:
    """Compare a map with labelled polygons.

    Parameters
    ----------
    paths : tuple of Path
        Map and reference.
    polygons : VectorReference
        The reference.
    mapped : MappedClasses
        The map.
    options : AssessOptions
        Everything else.
    folder : Path, optional
        Where to write the polygons with what the map says there; without it, none is written.

    Returns
    -------
    Assessment
        With an estimate where the polygons are clusters that were drawn at random.

    Raises
    ------
    AccuracyError
        If the two cannot be compared, or sample and design do not fit.
    UsageError
        If the design named is not one of clusters.
    """
    counts = compare_polygons(paths[0], polygons, mapped.legend, values=options.values)
    design = choose_design(options.design, paths[1], mapped)
    if folder is not None:
        write_error_polygons(polygons, counts, mapped.legend, folder / "errors.gpkg")
    area = mapped.area_ha
    baselines = tuple(_baselines(paths, polygons, counts, mapped, options))
    pixels = int(counts.matrix.sum())
    return Assessment(
        map_name=paths[0].name,
        reference_name=paths[1].name,
        legend=mapped.legend,
        kind="polygons",
        unit="pixel",
        counts=counts.matrix,
        mapped_pixels=tuple(mapped.pixels.tolist()),
        mapped_area_ha=None if area is None else tuple(area.tolist()),
        map_nodata=counts.map_nodata,
        unlabelled=counts.unlabelled,
        out_of_scope=counts.out_of_scope,
        outside=counts.outside,
        estimate=_estimate(counts, design, mapped, options),
        design=design,
        resampled=resampled(counts.matrices, options),
        baselines=baselines,
        grid_policy=f"pixels whose centre lies in a polygon, {len(counts.rows)} polygons in all",
        warnings=(*_warnings(polygons, counts), *without_class(baselines, pixels)),
        settings=options.changed(),
    )


def _estimate(
    counts: PolygonCounts, design: Design | None, mapped: MappedClasses, options: AssessOptions
) -> AccuracyEstimate | None:
    if design is None:
        return None
    if design.kind != "cluster":
        raise UsageError(
            f"the design is {design.kind}, but pixels of one polygon are neighbours and err "
            "together: say --design cluster if the polygons were drawn at random, else "
            "--design none"
        )
    sample = counts.sample
    if design.strata and sample.stratum is not None:
        sample = replace(sample, stratum=stratum_names(sample.stratum, design))
    return estimate(sample, design, mapped, options)


def _baselines(
    paths: tuple[Path, Path],
    polygons: VectorReference,
    counts: PolygonCounts,
    mapped: MappedClasses,
    options: AssessOptions,
) -> Iterator[Baseline]:
    mine = counts.matrices
    yield beside("majority", (mine, majority(mine)), options, unit="polygons")
    if options.compare is None:
        return
    values = options.values
    maps = open_beside(
        paths[0], options.compare, resample=options.resample, map_nodata=values.map_nodata
    )
    found = count_polygons_beside(maps, polygons, mapped.legend, values=values)
    k = counts.n_classes
    theirs = np.zeros((len(mine), k + 1, k + 1), np.int64)
    theirs[np.arange(len(mine)), :, counts.reference] = found[counts.rows]
    yield beside(Path(options.compare).name, (mine, theirs), options, unit="polygons")


def _warnings(polygons: VectorReference, counts: PolygonCounts) -> Iterator[str]:
    yield from without_place(polygons)
    if counts.without_pixel:
        yield f"polygons too small to hold the centre of a pixel: {counts.without_pixel}"
    if counts.wholly_outside:
        yield f"polygons wholly outside the map: {counts.wholly_outside}"
