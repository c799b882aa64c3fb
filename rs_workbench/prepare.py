"""Before a run: match scene and model, make the plan, begin the report."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from rs_workbench import checks, planning, probe, raster
from rs_workbench.backends import LoadedModel
from rs_workbench.backends.conversion import cache_folder
from rs_workbench.card import ModelCard
from rs_workbench.errors import OutputError, UsageError
from rs_workbench.layers import Finisher
from rs_workbench.memory import MIB, available_ram
from rs_workbench.outputs import Report
from rs_workbench.places import Paths
from rs_workbench.planning import Plan
from rs_workbench.raster import Scene
from rs_workbench.run import Job

if TYPE_CHECKING:
    from rs_workbench.infer import Options

DEFAULT_MEMORY = 2 * 10**9
"""Bytes of RAM a run may add to the loaded model where --memory does not say."""
LEAST_FREE = 200 * 10**6
"""Bytes beside the loaded model below which no run is tried."""


def with_geometry(loaded: LoadedModel) -> LoadedModel:
    """Measure stride and reach where the card does not tell; once for each model.

    Parameters
    ----------
    loaded : LoadedModel
        The model.

    Returns
    -------
    LoadedModel
        With a card that tells, and a note if they were measured.
    """
    card = loaded.card
    if card.reach is not None or card.effective_reach is not None:
        return loaded
    geometry = probe.measure_once(
        loaded.predictor.predict,
        card.n_bands,
        fixed_size=card.fixed_size,
        store=cache_folder(loaded.path) / "geometry.json",
    )
    known = {
        "stride": geometry.stride,
        "reach": geometry.reach,
        "effective_reach": geometry.effective_reach,
    }
    note = (
        f"the card does not tell the network's geometry: measured stride {geometry.stride} px, "
        f"reach {'unbounded' if geometry.reach is None else f'{geometry.reach} px'}"
    )
    return replace(loaded, card=card.model_copy(update=known), notes=(*loaded.notes, note))


def make_job(
    scene: Scene, card: ModelCard, options: Options, *, before: Mapping[str, Any] | None = None
) -> tuple[Job, list[str]]:
    """Match a scene with a model and plan the run.

    Parameters
    ----------
    scene : Scene
        The scene.
    card : ModelCard
        The model's card.
    options : Options
        What the user wants.
    before : mapping, optional
        Plan of an unfinished run, which is kept.

    Returns
    -------
    job : Job
        What to do.
    warnings : list of str
        What the user should know.

    Raises
    ------
    SceneError
        If bands or values do not fit the model.
    UsageError
        If the options contradict each other, the model or the memory.
    """
    bands = raster.choose_bands(scene, options.bands, card)
    nodata = (*options.nodata, *(card.nodata if scene.mask_kind == "none" else ()))
    warnings = list(scene.warnings)
    if options.match_pixel_size:
        scene = _matched(scene, card)
    else:
        warnings += checks.check_pixel_size(scene, card)
    if not options.any_values:
        warnings += checks.check_values(scene, bands, card, nodata=nodata)
    if before is None:
        load = _weigh(scene, len(bands), card, options)
        wishes = planning.Wishes(options.tile, options.overlap, options.blend, options.batch)
        plan = planning.make_plan(card, load, wishes, free_bytes=_free_bytes(options))
    else:
        plan = Plan.from_dict({k: v for k, v in before.items() if k not in ("engine", "device")})
    area = raster.scene_area_ha(scene)
    job = Job(scene, tuple(bands), card, plan, nodata, options.save, area)
    return job, warnings + _warn_inexact(plan)


def _matched(scene: Scene, card: ModelCard) -> Scene:
    if card.pixel_size is None:
        raise UsageError(
            f"--match-pixel-size: the card of '{card.name}' names no pixel size; give it one with"
            "  rsw card write MODEL --pixel-size M"
        )
    return raster.at_pixel_size(scene, card.pixel_size)


def _weigh(scene: Scene, n_bands: int, card: ModelCard, options: Options) -> planning.Load:
    specs = Finisher(card, options.save).specs
    return planning.Load(
        shape=scene.shape,
        block=scene.block,
        pixel_bytes=n_bands * np.dtype(scene.dtype).itemsize,
        layer_bytes=sum(spec.size((1, 1)) for spec in specs),
        n_bands=n_bands,
        n_classes=card.n_classes,
    )


def _free_bytes(options: Options) -> int:
    used = psutil.Process().memory_info().rss
    if options.memory is None:
        return max(LEAST_FREE, min(DEFAULT_MEMORY, available_ram() // 2))
    asked = options.memory
    if asked < used + LEAST_FREE:
        raise UsageError(
            f"--memory {asked / 1e6:.0f}MB is too little: the loaded model and its libraries take "
            f"{used / 1e6:.0f} MB; give at least {(used + LEAST_FREE) / 1e6:.0f}MB"
        )
    return asked - used


def _warn_inexact(plan: Plan) -> list[str]:
    if plan.exact or plan.blend != "crop":
        return []
    if plan.reach is None:
        return [
            "the network's reach is unbounded (attention or global pooling), so tiles only "
            f"approximate one whole-image pass: margin {plan.margin} px is used"
        ]
    return [
        f"margin {plan.margin} px is less than the network's reach {plan.reach} px, so the map "
        f"may differ near tile borders: --overlap {2 * plan.reach} makes it exact"
    ]


def new_report(job: Job, loaded: LoadedModel, paths: Paths, options: Options) -> Report:
    """Begin the report with all that is known before the run.

    Parameters
    ----------
    job : Job
        What will be done.
    loaded : LoadedModel
        With what.
    paths : Paths
        Where the map goes.
    options : Options
        What the user wanted.

    Returns
    -------
    Report
        Still without results.
    """
    grid = job.plan.grid(job.scene.shape)
    load = _weigh(job.scene, len(job.bands), job.card, options)
    return Report(
        scene=job.scene.path,
        output=str(paths.classes),
        model=loaded.card.name,
        model_sha256=loaded.sha256,
        engine=loaded.predictor.engine,
        device=loaded.predictor.device,
        bands=[job.scene.band_names[b - 1] for b in job.bands],
        tile=job.plan.tile,
        overlap=2 * job.plan.margin,
        margin=job.plan.margin,
        reach=job.plan.reach,
        stride=job.plan.stride,
        blend=job.plan.blend,
        tta=options.tta,
        exact=job.plan.exact,
        batch=job.plan.batch,
        panels=len(job.plan.panels(grid)),
        tiles=grid.n_tiles,
        model_rss_mib=round(psutil.Process().memory_info().rss / MIB, 1),
        notes=list(loaded.notes),
        planned_mib=round(planning.plan_bytes(job.plan, load) / MIB, 1),
        scratch_gb=round(_scratch_bytes(job) / 1e9, 3),
        version=version("rs-workbench"),
    )


def what_was_asked(job: Job, loaded: LoadedModel, options: Options) -> dict[str, Any]:
    """Name all that determines the result, for the journal.

    Parameters
    ----------
    job : Job
        Scene, bands and card.
    loaded : LoadedModel
        Its hash.
    options : Options
        What the user wants.

    Returns
    -------
    dict
        Plain values; two runs with equal ones give the same map.
    """
    return {
        "version": version("rs-workbench"),
        "scene": [_place(job.scene), *job.scene.shape, job.scene.size_bytes, job.scene.mtime],
        "model": loaded.sha256,
        "card": sha256(loaded.card.model_dump_json().encode()).hexdigest()[:12],
        "bands": list(job.bands),
        "nodata": list(options.nodata),
        "--tile": options.tile,
        "--overlap": options.overlap,
        "--blend": options.blend,
        "--batch": options.batch,
        "--tta": options.tta,
        "--save": sorted(options.save),
        "--match-pixel-size": options.match_pixel_size,
    }


def _place(scene: Scene) -> str:
    """Path of the scene whatever the current folder; other names stay as GDAL takes them."""
    path = Path(scene.path)
    return str(path.resolve()) if path.exists() else scene.path


def _scratch_bytes(job: Job) -> int:
    return sum(spec.size(job.scene.shape) for spec in Finisher(job.card, job.save).specs)


def check_space(job: Job, paths: Paths) -> None:
    """See that the disk can hold the unfinished layers.

    Parameters
    ----------
    job : Job
        What will be written.
    paths : Paths
        Where.

    Raises
    ------
    OutputError
        If less is free.
    """
    needed = _scratch_bytes(job)
    # Blocks that an unfinished run holds already count as free; Windows does not tell.
    held = sum(
        getattr(f.stat(), "st_blocks", 0) * 512 for f in paths.work.glob("*.raw") if f.exists()
    )
    free = shutil.disk_usage(paths.classes.parent).free
    if free + held < needed:
        raise OutputError(
            f"'{paths.classes.parent}' has {free / 1e9:.2f} GB free, the run needs "
            f"{needed / 1e9:.2f} GB: free some space or choose another --output"
        )
