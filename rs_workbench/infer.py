"""Map scenes of any size: ``python -m rs_workbench.infer SCENE...``."""

from __future__ import annotations

import filecmp
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rs_workbench import options as shared
from rs_workbench.errors import OutputError, UsageError, WorkbenchError
from rs_workbench.types import NODATA, Blend, Engine, ProgressStyle

if TYPE_CHECKING:
    from rs_workbench.backends import LoadedModel
    from rs_workbench.backends.base import Predictor
    from rs_workbench.journal import Journal
    from rs_workbench.memory import GpuLimit
    from rs_workbench.outputs import Paths, Report
    from rs_workbench.run import Job, OnProgress

BACKEND_OF = {
    "openvino": "onnx_backend",
    "onnxruntime": "onnx_backend",
    "torch": "torch_backend",
    "keras": "keras_backend",
}
BUNDLED_MODEL = Path(__file__).parent / "models" / "dunes_unet.onnx"


@dataclass(frozen=True)
class Options:
    """How scenes are mapped; what is None is chosen from the model and the machine.

    `tile` and `overlap` are in px, `memory` in bytes of RAM.
    """

    bands: tuple[str, ...] | None = None
    nodata: tuple[float, ...] = ()
    tile: int | None = None
    overlap: int | None = None
    blend: Blend = "crop"
    batch: int | None = None
    memory: int | None = None
    device: str = "auto"
    gpu_memory: GpuLimit | None = None
    engine: Engine = "auto"
    save: tuple[str, ...] = ()
    tta: bool = False
    match_pixel_size: bool = False
    any_values: bool = False
    overwrite: bool = False
    restart: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class Listeners:
    """Who hears of a run while it goes on."""

    on_progress: OnProgress | None = None
    log: Callable[[str], None] | None = None

    def tell(self, line: str) -> None:
        """Hand a line to the user."""
        if self.log is not None:
            self.log(line)


@dataclass(frozen=True)
class Outcome:
    """What became of one of several scenes: a report or an error."""

    scene: str
    report: Report | None = None
    error: WorkbenchError | None = None


def infer_scene(
    scene: str | Path,
    output: str | Path | None = None,
    *,
    model: str | Path | LoadedModel | None = None,
    options: Options | None = None,
    on_progress: OnProgress | None = None,
    log: Callable[[str], None] | None = None,
) -> Report:
    """Map one scene.

    Parameters
    ----------
    scene : str or Path
        Any raster GDAL opens.
    output : str or Path, optional
        The class map (.tif) or a folder; default is ``<scene name>_classes.tif`` in the current
        folder.
    model : str, Path or LoadedModel, optional
        Model file, or a model loaded before; default is the bundled one.
    options : Options, optional
        Everything else.
    on_progress : callable, optional
        Called with (tiles done, tiles to do).
    log : callable, optional
        Takes lines for the user while the run goes on.

    Returns
    -------
    Report
        What was done; also written beside the map.

    Raises
    ------
    WorkbenchError
        Whatever went wrong, in one sentence. What was finished is kept, and the same call goes
        on from there.

    Examples
    --------
    >>> report = infer_scene("scene.tif", "map.tif")  # doctest: +SKIP
    """
    from rs_workbench.journal import read_journal
    from rs_workbench.outputs import place_output
    from rs_workbench.prepare import make_job, new_report, with_geometry
    from rs_workbench.raster import open_scene

    options = options or Options()
    started = time.monotonic()
    opened = open_scene(str(scene))
    paths = place_output(opened, output)
    _check_output(paths, options)
    found = read_journal(paths.work)
    before = dict(found[0]["plan"]) if found else None
    loaded = with_geometry(_load(model, _with_engine(options, before)))
    if before is not None:
        before.pop("engine")
    job, warnings = make_job(opened, loaded.card, options, before=before)
    report = new_report(job, loaded, paths, options)
    report.warnings += warnings
    if options.dry_run:
        return report
    _run(job, loaded, paths, options, report, Listeners(on_progress, log))
    report.seconds = round(time.monotonic() - started, 2)
    report.write(paths.report)
    shutil.rmtree(paths.work, ignore_errors=True)
    return report


def infer_scenes(
    scenes: Sequence[str | Path],
    output: str | Path | None = None,
    *,
    model: str | Path | LoadedModel | None = None,
    options: Options | None = None,
    on_scene: Callable[[str, int, int], OnProgress | None] | None = None,
    log: Callable[[str], None] | None = None,
) -> list[Outcome]:
    """Map several scenes one after another; one that fails does not stop the rest.

    Parameters
    ----------
    scenes : sequence of str or Path
        Scenes, as `raster.find_scenes` lists them.
    output : str or Path, optional
        A folder; a file only for a single scene.
    model, options
        See `infer_scene`. The model is loaded once.
    on_scene : callable, optional
        Called with (scene, its number from 1, how many) before each; gives its `on_progress`.
    log : callable, optional
        See `infer_scene`.

    Returns
    -------
    list of Outcome
        In the order of `scenes`.

    Raises
    ------
    UsageError
        If several scenes would be written to one file.
    """
    options = options or Options()
    if len(scenes) > 1 and output is not None and Path(output).suffix.lower() in (".tif", ".tiff"):
        raise UsageError(
            f"{len(scenes)} scenes cannot become one file: got --output {output}; give a folder, "
            "or --mosaic to map them as one scene"
        )
    outcomes = []
    for number, scene in enumerate(scenes, 1):
        progress = on_scene(str(scene), number, len(scenes)) if on_scene else None
        try:
            if not hasattr(model, "predictor") and len(scenes) > 1:
                model = _load(model, options)
            report = infer_scene(
                scene, output, model=model, options=options, on_progress=progress, log=log
            )
            outcomes.append(Outcome(str(scene), report=report))
        except WorkbenchError as error:
            outcomes.append(Outcome(str(scene), error=error))
    return outcomes


def build_stable_mosaic(scenes: Sequence[str], output: str | Path | None) -> str:
    """Join scenes into one VRT beside the output; a mosaic that did not change keeps its date.

    Parameters
    ----------
    scenes : sequence of str
        Files, as `raster.find_scenes` lists them.
    output : str or Path, optional
        The class map or its folder; without it, the current folder.

    Returns
    -------
    str
        Path of the VRT. With an unchanged date, an unfinished run can go on.
    """
    from rs_workbench.raster import build_mosaic

    place = Path(output) if output is not None else Path()
    folder = place.parent if place.suffix else place
    folder.mkdir(parents=True, exist_ok=True)
    stem = place.stem if place.suffix else f"{Path(scenes[0]).stem}_mosaic"
    vrt = folder / f"{stem}.vrt"
    fresh = build_mosaic(scenes, folder / f"{stem}.new.vrt")
    if vrt.exists() and filecmp.cmp(vrt, fresh, shallow=False):
        fresh.unlink()
    else:
        fresh.replace(vrt)
    return str(vrt)


def _check_output(paths: Paths, options: Options) -> None:
    if options.restart and not options.dry_run:
        shutil.rmtree(paths.work, ignore_errors=True)
    if options.dry_run or options.overwrite or paths.work.exists() or not paths.classes.exists():
        return
    raise OutputError(
        f"'{paths.classes}' exists already: choose another --output, or --overwrite to replace it"
    )


def _with_engine(options: Options, before: dict[str, Any] | None) -> Options:
    """Keep the engine of an unfinished run, so that the rest of the map comes out alike."""
    if before is None or options.engine != "auto":
        return options
    return replace(options, engine=before["engine"])


def _load(model: str | Path | LoadedModel | None, options: Options) -> LoadedModel:
    from rs_workbench.backends import load_predictor

    if model is not None and not isinstance(model, str | Path):
        return model
    path = BUNDLED_MODEL if model is None else Path(model)
    return load_predictor(
        path, device=options.device, engine=options.engine, gpu=options.gpu_memory
    )


def _run(
    job: Job,
    loaded: LoadedModel,
    paths: Paths,
    options: Options,
    report: Report,
    listeners: Listeners,
) -> None:
    """Work through the scene and finish the outputs."""
    from rs_workbench.journal import Journal
    from rs_workbench.layers import Finisher
    from rs_workbench.memory import peak_rss_mib
    from rs_workbench.outputs import finish_outputs, list_classes, make_thumbnail
    from rs_workbench.prepare import check_space, what_was_asked
    from rs_workbench.run import run_job, sum_facts

    check_space(job, paths)
    plan = {**job.plan.as_dict(), "engine": loaded.predictor.engine}
    with Journal.open(paths.work, what_was_asked(job, loaded, options), plan) as journal:
        report.resumed = journal.resumed
        if journal.resumed:
            listeners.tell(f"going on where an earlier run stopped, after {_done(journal)}")
        for spec in Finisher(job.card, job.save).specs:
            journal.add_layer(spec, job.scene.shape)
        predictor = _guarded(loaded, job, options, report, listeners)
        thumbnail = make_thumbnail(job, paths.work)
        with closing(thumbnail) if thumbnail else nullcontext():
            run_job(
                job, predictor, journal, thumbnail=thumbnail, on_progress=listeners.on_progress
            )
        tags = {"model": loaded.card.name, "model_sha256": loaded.sha256, "rsw": report.version}
        listeners.tell(f"writing {paths.classes.name} and what belongs to it")
        report.files = finish_outputs(job, journal, paths, tags, thumbnail=thumbnail)
        facts = sum_facts(journal.strips)
    report.tiles_skipped = facts["skipped"]
    report.classes = list_classes(job.card.classes, facts)
    report.nodata_pixels = facts["pixels"].get(NODATA, 0)
    report.peak_rss_mib = round(peak_rss_mib(), 1)
    report.warnings += _warnings_after(facts, report, options)


def _done(journal: Journal) -> str:
    tiles = sum(facts["tiles"] for facts in journal.strips)
    return f"{len(journal.strips)} strips, {tiles} tiles"


def _guarded(
    loaded: LoadedModel, job: Job, options: Options, report: Report, listeners: Listeners
) -> Predictor:
    """Wrap the model: back off when memory runs out, average orientations where asked."""
    from rs_workbench.backends import load_predictor
    from rs_workbench.memory import BackOff
    from rs_workbench.tta import Averaged

    backend = import_module(f"rs_workbench.backends.{BACKEND_OF[loaded.predictor.engine]}")

    def log(line: str) -> None:
        report.notes.append(line)
        listeners.tell(line)

    def to_cpu() -> Predictor:
        return load_predictor(loaded.path, card=loaded.card, device="cpu").predictor

    on_gpu = loaded.predictor.device != "cpu"
    predictor: Predictor = BackOff(
        loaded.predictor,
        is_out_of_memory=backend.is_out_of_memory,
        to_cpu=to_cpu if on_gpu else None,
        margin=job.plan.margin,
        stride=job.plan.stride,
        log=log,
        release=backend.release_memory,
    )
    return Averaged(predictor) if options.tta else predictor


def _warnings_after(facts: dict[str, Any], report: Report, options: Options) -> list[str]:
    warnings = []
    if options.match_pixel_size:
        warnings.append(
            "pixels and areas are counted at the model's pixel size, "
            "whereas the map is on the scene's grid"
        )
    if facts["partial"]:
        warnings.append(
            f"about {facts['partial']} pixels have data in some bands only: the missing bands "
            "were filled, so the map is doubtful there"
        )
    if options.memory is not None and report.peak_rss_mib * 2**20 > options.memory:
        warnings.append(
            f"peak memory was {report.peak_rss_mib:.0f} MiB, more than --memory "
            f"{options.memory / 2**20:.0f} MiB: a smaller --tile or --batch takes less"
        )
    return warnings


@click.command(name="infer")
@click.argument("scenes", nargs=-1, required=True, metavar="SCENE...")
@shared.model
@shared.output
@shared.bands
@shared.nodata
@shared.tile
@shared.overlap
@shared.blend
@shared.batch
@shared.memory
@shared.device
@shared.gpu_memory
@shared.engine
@shared.save
@shared.tta
@shared.mosaic
@shared.match_pixel_size
@shared.any_values
@shared.overwrite
@shared.restart
@shared.dry_run
@shared.as_json
@shared.progress
@shared.quiet
@shared.verbose
@shared.explain_errors
def command(
    scenes: tuple[str, ...],
    model: str | None,
    output: str | None,
    mosaic: bool,
    as_json: bool,
    progress: ProgressStyle,
    quiet: bool,
    verbose: bool,
    **chosen: Any,
) -> None:
    """Map scenes of any size with a segmentation model.

    SCENE is any raster GDAL opens, a folder or a glob. Beside the class map lie its QGIS style,
    a quick look and a report. If the run stops, the same command goes on where it stopped.
    """
    from rs_workbench import summary
    from rs_workbench.progress import show_progress
    from rs_workbench.raster import find_scenes

    found = find_scenes(scenes)
    if mosaic:
        found = [build_stable_mosaic(found, output)]
    speak = not quiet and not as_json
    with show_progress("none" if quiet else progress) as on_scene:
        outcomes = infer_scenes(
            found,
            output,
            model=model,
            options=Options(**chosen),
            on_scene=on_scene,
            log=summary.say if speak else None,
        )
    if as_json:
        summary.print_json(outcomes)
    summary.print_errors(outcomes)
    if speak:
        summary.print_outcomes(outcomes, dry_run=chosen["dry_run"], verbose=verbose)
    codes = [outcome.error.exit_code for outcome in outcomes if outcome.error]
    sys.exit((codes[0] if len(outcomes) == 1 else 1) if codes else 0)


if __name__ == "__main__":
    command()
