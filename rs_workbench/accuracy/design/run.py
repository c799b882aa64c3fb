"""prepare, draw_and_write: the steps of ``rsw assess design`` after its options are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rs_workbench.accuracy.design.drawn import (
    draw_units,
    make_design,
    make_table,
    pixel_side,
    probabilities,
)
from rs_workbench.accuracy.design.plan import Plan, Population, Request, plan_sample
from rs_workbench.accuracy.design.raster_strata import MapStrata, count_strata
from rs_workbench.accuracy.design.sample_file import SampleLook, write_sample
from rs_workbench.accuracy.design.summary import SampleReport, StratumPlan
from rs_workbench.accuracy.design.words import (
    buffer_name,
    parse_accuracy,
    parse_area_target,
    parse_buffers,
    unique_names,
)
from rs_workbench.accuracy.reference.label_values import NOTHING
from rs_workbench.accuracy.reference.legend import make_legend, parse_classes, read_legend
from rs_workbench.accuracy.reference.legend_files import Entry
from rs_workbench.errors import UsageError

if TYPE_CHECKING:
    from rs_workbench.assess_design import DesignOptions
    from rs_workbench.card import LegendClass


@dataclass(frozen=True)
class Prepared:
    """A sample planned and not yet drawn.

    `legend` holds every class that may be found in truth, also those without a pixel on the map.
    """

    strata: MapStrata
    legend: tuple[LegendClass, ...]
    population: Population
    request: Request
    plan: Plan


def prepare(
    map_path: str | Path,
    options: DesignOptions,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Count the strata of a map and plan a sample.

    Parameters
    ----------
    map_path : str or Path
        Class map.
    options : DesignOptions
        What is asked.
    on_progress : callable, optional
        Called with (strips done, strips to do).

    Returns
    -------
    Prepared
        The plan and what it rests on.

    Raises
    ------
    WorkbenchError
        If the map cannot be read or the plan cannot be made.
    """
    legend = _legend(map_path, options)
    strata = count_strata(
        map_path,
        buffers=parse_buffers(options.buffer, legend),
        nodata=(NOTHING, *options.nodata),  # as rsw assess reads the map
        on_progress=on_progress,
    )
    legend, unnamed = _complete(legend, strata)
    population = _population(strata, legend, options)
    request = _request(population, strata, legend, options)
    plan = plan_sample(population, request)
    plan = replace(plan, warnings=(*_on_map(strata), *unnamed, *plan.warnings))
    return Prepared(strata, legend, population, request, plan)


def draw_and_write(prepared: Prepared, out: Path, options: DesignOptions) -> SampleReport:
    """Draw the units of a plan and write them.

    Parameters
    ----------
    prepared : Prepared
        The plan.
    out : Path
        GeoPackage to write.
    options : DesignOptions
        Seed, language and what is shown.

    Returns
    -------
    SampleReport
        With the units drawn and the files written.

    Raises
    ------
    WorkbenchError
        If the map can no longer be read, or the file not be written.
    """
    strata, plan, request = prepared.strata, prepared.plan, prepared.request
    report = report_plan(prepared, seed=options.seed)
    units = draw_units(strata, plan, request, seed=options.seed)
    table = make_table(
        strata,
        units,
        names=prepared.population.names if request.kind == "stratified" else None,
        chances=probabilities(strata, plan, request),
    )
    look = SampleLook(
        class_names=unique_names(prepared.legend, options.lang),
        pixel_side=pixel_side(strata.scene),
        show_map_class=options.show_map_class,
        lang=options.lang,
    )
    files = write_sample(out, table, design=report.design, look=look, overwrite=options.overwrite)
    return replace(report, n_units=len(units), files=tuple(str(f) for f in files))


def _legend(map_path: str | Path, options: DesignOptions) -> tuple[LegendClass, ...]:
    found = (
        parse_classes(options.classes)
        if options.classes
        else read_legend(map_path, nodata=options.nodata)
    )
    return tuple(c for c in found if c.value not in options.nodata)


def _complete(
    legend: Sequence[LegendClass], strata: MapStrata
) -> tuple[tuple[LegendClass, ...], tuple[str, ...]]:
    """Add the values of the map that its legend does not know."""
    unnamed = sorted(set(strata.values) - {c.value for c in legend})
    if not unnamed:
        return tuple(legend), ()
    added = make_legend(dict.fromkeys(unnamed, Entry()), strata.scene.name)
    warning = (
        f"values {unnamed[:10]} of the map are not in its legend: they are taken as classes; "
        "if they mean no data, give --nodata"
    )
    return tuple(sorted((*legend, *added), key=lambda c: c.value)), (warning,)


def _population(
    strata: MapStrata, legend: Sequence[LegendClass], options: DesignOptions
) -> Population:
    label = unique_names(legend, options.lang)
    names = tuple(
        buffer_name(label[value], within, options.lang) if within else label[value]
        for value, within in strata.keys
    )
    near = {name: i for i, name in enumerate(names) if strata.keys[i].within_px}
    by_class, by_stratum = parse_accuracy(options.expected_accuracy, legend, list(near))
    mapped = strata.mapped_pixels / strata.pixels[:, None]
    accuracy = mapped @ np.array([by_class[v] for v in strata.values])
    for name, share in by_stratum.items():
        accuracy[near[name]] = share
    return Population(
        names=names,
        pixels=strata.pixels,
        weights=strata.weights,
        mapped=mapped,
        accuracy=np.clip(accuracy, 0.0, 1.0),
        class_names=tuple(label[v] for v in strata.values),
        buffered=tuple(label[k.value] for k in strata.keys if k.within_px),
        area_ha=None if strata.area_ha is None else float(strata.area_ha.sum()),
    )


def _request(
    population: Population,
    strata: MapStrata,
    legend: Sequence[LegendClass],
    options: DesignOptions,
) -> Request:
    target, place = options.target_se, None
    if options.target_area_se is not None:
        value, target = parse_area_target(options.target_area_se, legend, population.area_ha)
        if value not in strata.values:
            raise UsageError(
                f"--target-area-se '{options.target_area_se}' names a class without a pixel on "
                "the map: name one that the map has"
            )
        place = strata.values.index(value)
    return Request(
        kind=options.kind,
        n=options.n,
        target=target,
        target_class=place,
        allocation=options.allocation,
        minimum=options.minimum,
        power=options.power,
    )


def _on_map(strata: MapStrata) -> list[str]:
    scene, found = strata.scene, []
    if len(scene.data_bands) > 1:
        found.append(f"the map has {len(scene.data_bands)} bands: the first is taken as classes")
    if scene.transform is None:
        found.append(
            "the map has no georeference: points are columns and rows, counted downwards from 0"
        )
    elif scene.crs_wkt is None:
        found.append("the map has no coordinate system, and neither have the points")
    return found


def report_plan(prepared: Prepared, *, seed: int) -> SampleReport:
    """Say what is planned.

    Parameters
    ----------
    prepared : Prepared
        The plan.
    seed : int
        Seed of the draw.

    Returns
    -------
    SampleReport
        Without files.
    """
    strata, population, plan = prepared.strata, prepared.population, prepared.plan
    areas = [None] * len(population.names) if strata.area_ha is None else strata.area_ha.tolist()
    listed = zip(
        population.names,
        strata.pixels.tolist(),
        areas,
        population.weights.tolist(),
        plan.n_units,
        probabilities(strata, plan, prepared.request).tolist(),
        plan.expected.accuracy,
        plan.expected.accuracy_standard_error,
        strict=True,
    )
    return SampleReport(
        map=strata.scene.path,
        design=make_design(strata, plan, prepared.request, names=population.names, seed=seed),
        n_units=plan.n,
        strata=tuple(StratumPlan(*row) for row in listed),
        class_names=population.class_names,
        expected=plan.expected,
        warnings=plan.warnings,
    )
