"""Assess a map against labelled points or polygons, by the design of the sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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
from rs_workbench.accuracy.scores import iou, overall_accuracy
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
    other = _second_map(points, counts, mapped, options)
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
        baselines=tuple(_baselines(counts, (sample, design), other, options)),
        grid_policy="class of the pixel under each point",
        warnings=tuple(_warnings(points, counts, other)),
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


def without_place(reference: VectorReference) -> Iterator[str]:
    """Tell of rows that have no geometry.

    Parameters
    ----------
    reference : VectorReference
        Points or polygons.

    Yields
    ------
    str
        One sentence, where there are such rows.
    """
    if reference.without_geometry:
        yield f"rows of '{reference.name}' without geometry: {reference.without_geometry}"


def _warnings(points: VectorReference, counts: UnitCounts, other: _Other | None) -> Iterator[str]:
    yield from without_place(points)
    if counts.alternates_used:
        yield f"points that are right by their second acceptable label: {counts.alternates_used}"
    missing = 0 if other is None else int((other.labels < 0).sum())
    if other is not None and missing:
        yield (
            f"'{other.name}' has no class on {missing:,} of the {len(other.labels):,} compared "
            "points, where it counts as wrong"
        )


class _Other(NamedTuple):
    """A second map on the compared points: classes by index, -1 where it has none."""

    name: str
    labels: NDArray[np.intp]


def _second_map(
    points: VectorReference, counts: UnitCounts, mapped: MappedClasses, options: AssessOptions
) -> _Other | None:
    if options.compare is None:
        return None
    found = _beside(options.compare, points, mapped, options)
    labels = np.full(len(points), -1, np.intp)
    labels[found.rows] = found.map_class
    return _Other(Path(options.compare).name, labels[counts.rows])


def _baselines(
    counts: UnitCounts,
    drawn: tuple[Sample | None, Design | None],
    other: _Other | None,
    options: AssessOptions,
) -> Iterator[Baseline]:
    shares = np.bincount(counts.reference, _weights(counts, drawn), minlength=counts.n_classes)
    flat = np.full_like(counts.map_class, shares.argmax())
    yield _baseline(_Other("majority", flat), counts, drawn, options)
    if other is not None:
        yield _baseline(other, counts, drawn, options)


def _weights(
    counts: UnitCounts, drawn: tuple[Sample | None, Design | None]
) -> NDArray[np.float64]:
    """How much of the map each point stands for."""
    sample, design = drawn
    if sample is None or design is None:
        return np.ones(len(counts.rows))
    return make_frame(sample, design).expansion


def _baseline(
    other: _Other,
    counts: UnitCounts,
    drawn: tuple[Sample | None, Design | None],
    options: AssessOptions,
) -> Baseline:
    """Score another map on the same units, weighted as the design weights them.

    Where it has no class, it is wrong.
    """
    k, labels = counts.n_classes, other.labels
    ours, theirs = counts.map_class == counts.reference, labels == counts.reference
    matrix = np.zeros((k + 1, k + 1))
    np.add.at(matrix, (labels, counts.reference), _weights(counts, drawn))  # -1: the last row
    difference, p_value, test = _compare(ours, theirs, drawn, options)
    return Baseline(
        other.name,
        matrix[:k, :k],
        overall_accuracy(matrix),
        float(np.nanmean(iou(matrix)[:k])),
        difference=difference,
        p_value=p_value,
        test=test,
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
