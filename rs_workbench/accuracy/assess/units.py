"""Assess a map against labelled points or polygons, by the design of the sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.area import design_estimate
from rs_workbench.accuracy.assess.design_choice import MappedClasses, choose_design
from rs_workbench.accuracy.assess.map_classes import count_map
from rs_workbench.accuracy.assess.options import AssessOptions
from rs_workbench.accuracy.assess.unit_sample import sample_of_points
from rs_workbench.accuracy.compare import agreement_table, mcnemar, paired_difference
from rs_workbench.accuracy.estimates import AccuracyEstimate, Estimate
from rs_workbench.accuracy.frame import make_frame
from rs_workbench.accuracy.reference.error_units import write_error_points
from rs_workbench.accuracy.reference.raster_reference import UnitCounts, compare_points
from rs_workbench.accuracy.reference.training import refuse_training_rows
from rs_workbench.accuracy.reference.vector_file import VectorReference, read_reference
from rs_workbench.accuracy.result import Assessment, Baseline
from rs_workbench.accuracy.sample import Design, Sample
from rs_workbench.accuracy.scores import mean_iou
from rs_workbench.card import LegendClass

if TYPE_CHECKING:
    from rs_workbench.progress import OnProgress


def assess_vector(
    paths: tuple[Path, Path],
    legend: Sequence[LegendClass],
    options: AssessOptions,
    *,
    folder: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Assessment:
    """Compare a map with labelled points or polygons.

    Parameters
    ----------
    paths : tuple of Path
        Map and reference.
    legend : sequence of LegendClass
        Classes.
    options : AssessOptions
        Everything else.
    folder : Path, optional
        Where to write the units with what the map says there; without it, none is written.
    on_progress : callable, optional
        Called with (strips done, strips) while the map is counted.

    Returns
    -------
    Assessment
        With an estimate where the sampling design is known.

    Raises
    ------
    AccuracyError
        If the two cannot be compared, or sample and design do not fit.
    """
    reference = read_reference(
        paths[1], layer=options.layer, column=options.column, crs=options.crs
    )
    training = refuse_training_rows(reference, allow=options.allow_training)
    mapped = count_map(paths[0], legend, nodata=options.values.map_nodata, on_progress=on_progress)
    if reference.kind == "polygons":
        from rs_workbench.accuracy.assess.polygons import assess_polygons

        found = assess_polygons(paths, reference, mapped, options, folder=folder)
    else:
        found = _assess_points(paths, reference, mapped, options, folder=folder)
    return replace(found, training=training)


def _assess_points(
    paths: tuple[Path, Path],
    points: VectorReference,
    mapped: MappedClasses,
    options: AssessOptions,
    *,
    folder: Path | None,
) -> Assessment:
    counts = _beside(paths[0], points, mapped, options)
    design = choose_design(options.design, paths[1], mapped, stratum=counts.columns.get("stratum"))
    sample = None
    if design is not None:
        sample = sample_of_points(counts, points, design, mapped=mapped, map_path=paths[0])
    if folder is not None:
        write_error_points(points, counts, mapped.legend, folder / "errors.gpkg")
    area = mapped.area_ha
    return Assessment(
        map_name=paths[0].name,
        reference_name=paths[1].name,
        legend=mapped.legend,
        kind="points",
        unit="point",
        counts=counts.matrix,
        mapped_pixels=tuple(mapped.pixels.tolist()),
        mapped_area_ha=None if area is None else tuple(area.tolist()),
        map_nodata=counts.map_nodata,
        unlabelled=counts.unlabelled,
        out_of_scope=counts.out_of_scope,
        outside=counts.outside,
        estimate=estimate(sample, design, mapped, options),
        design=design,
        baselines=tuple(_baselines(points, counts, (sample, design), mapped, options)),
        grid_policy="class of the pixel under each point",
        warnings=tuple(_warnings(points, counts)),
        settings=options.changed(),
    )


def _beside(
    map_path: str | Path, points: VectorReference, mapped: MappedClasses, options: AssessOptions
) -> UnitCounts:
    return compare_points(
        map_path,
        points,
        mapped.legend,
        values=options.values,
        accept_alternate=options.accept_alternate,
    )


def estimate(
    sample: Sample | None, design: Design | None, mapped: MappedClasses, options: AssessOptions
) -> AccuracyEstimate | None:
    """Estimate the map's accuracy, where the design of the sample is known.

    Parameters
    ----------
    sample : Sample or None
        Labelled units.
    design : Design or None
        How they were chosen.
    mapped : MappedClasses
        The map.
    options : AssessOptions
        Level and kind of the intervals.

    Returns
    -------
    AccuracyEstimate or None
        None without a design.

    Raises
    ------
    AccuracyError
        If sample and design do not fit.
    """
    if sample is None or design is None:
        return None
    return design_estimate(
        sample,
        design,
        mapped_area_ha=None if mapped.area_ha is None else mapped.area_ha.tolist(),
        confidence=options.confidence,
        interval=options.interval,
        fpc=options.fpc,
    )


def _warnings(points: VectorReference, counts: UnitCounts) -> Iterator[str]:
    if points.without_geometry:
        yield f"{points.without_geometry} rows of '{points.name}' have no geometry"
    if counts.alternates_used:
        yield f"{counts.alternates_used} points count as right by their second acceptable label"


def _baselines(
    points: VectorReference,
    counts: UnitCounts,
    drawn: tuple[Sample | None, Design | None],
    mapped: MappedClasses,
    options: AssessOptions,
) -> Iterator[Baseline]:
    commonest = np.bincount(counts.reference, minlength=counts.n_classes).argmax()
    flat = np.full_like(counts.map_class, commonest)
    yield _baseline("majority", flat, counts, drawn, options)
    if options.compare is None:
        return
    other = _beside(options.compare, points, mapped, options)
    labels = np.full(len(points), -1, np.intp)
    labels[other.rows] = other.map_class
    yield _baseline(Path(options.compare).name, labels[counts.rows], counts, drawn, options)


def _baseline(
    name: str,
    labels: NDArray[np.intp],
    counts: UnitCounts,
    drawn: tuple[Sample | None, Design | None],
    options: AssessOptions,
) -> Baseline:
    """Score another map on the same units, weighted as the design weights them.

    Where it has no class, it is wrong.
    """
    ours, theirs = counts.map_class == counts.reference, labels == counts.reference
    sample, design = drawn
    weight = np.ones(len(labels))
    if sample is not None and design is not None:
        weight = make_frame(sample, design).expansion
    matrix = np.zeros((counts.n_classes, counts.n_classes))
    there = labels >= 0
    np.add.at(matrix, (labels[there], counts.reference[there]), weight[there])
    overall = float(weight @ theirs / weight.sum())
    difference, p_value, test = _compare(ours, theirs, drawn, options)
    return Baseline(
        name, matrix, overall, mean_iou(matrix), difference=difference, p_value=p_value, test=test
    )


def _compare(
    ours: NDArray[np.bool_],
    theirs: NDArray[np.bool_],
    drawn: tuple[Sample | None, Design | None],
    options: AssessOptions,
) -> tuple[Estimate | None, float, str]:
    """Difference of two maps on the same units, its p value, and the name of the test."""
    sample, design = drawn
    if sample is None or design is None:
        return None, mcnemar(agreement_table(ours, theirs)).p_value, "McNemar, exact"
    found = paired_difference(
        ours,
        theirs,
        sample=sample,
        design=design,
        confidence=options.confidence,
        fpc=options.fpc,
    )
    difference = Estimate(found.value, found.standard_error, found.low, found.high, found.n_units)
    return difference, found.p_value, "paired difference by the design"
