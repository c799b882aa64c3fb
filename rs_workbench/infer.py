"""Map scenes of any size: ``python -m rs_workbench.infer SCENE...``."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rs_workbench import options as shared
from rs_workbench.errors import UsageError, WorkbenchError
from rs_workbench.types import NODATA, Blend, Engine, ProgressStyle

if TYPE_CHECKING:
    from rs_workbench.backends import LoadedModel
    from rs_workbench.backends.base import Predictor
    from rs_workbench.journal import Journal
    from rs_workbench.memory import GpuLimit
    from rs_workbench.outputs import Report
    from rs_workbench.places import Paths
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
    from rs_workbench.journal import compare_asked, remove_work
    from rs_workbench.places import check_outputs, place_output
    from rs_workbench.prepare import make_job, new_report, what_was_asked, with_geometry
    from rs_workbench.raster import open_scene
    from rs_workbench.resume import load_as_before, read_unfinished

    options = options or Options()
    started = time.monotonic()
    opened = open_scene(str(scene))
    paths = place_output(opened, output)
    if not options.dry_run:
        check_outputs(paths, opened, options.save, overwrite=options.overwrite)
    before = None if options.restart else read_unfinished(paths.work)
    loaded = with_geometry(load_as_before(model or BUNDLED_MODEL, options, before))
    job, warnings = make_job(opened, loaded.card, options, before=before.plan if before else None)
    if before is not None:
        compare_asked(paths.work, before.asked, what_was_asked(job, loaded, options))
    report = new_report(job, loaded, paths, options)
    report.warnings += warnings
    if options.dry_run:
        return report
    _run(job, loaded, paths, options, report, Listeners(on_progress, log))
    report.seconds = round(time.monotonic() - started, 2)
    report.write(paths.report)
    remove_work(paths.work)
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
    from rs_workbench.places import check_distinct
    from rs_workbench.resume import load

    options = options or Options()
    if len(scenes) > 1 and output is not None and Path(output).suffix.lower() in (".tif", ".tiff"):
        raise UsageError(
            f"{len(scenes)} scenes cannot become one file: got --output {output}; give a folder, "
            "or --mosaic to map them as one scene"
        )
    check_distinct(scenes, output)
    outcomes = []
    for number, scene in enumerate(scenes, 1):
        progress = on_scene(str(scene), number, len(scenes)) if on_scene else None
        try:
            if not hasattr(model, "predictor") and len(scenes) > 1:
                model = load(model or BUNDLED_MODEL, options)
            report = infer_scene(
                scene, output, model=model, options=options, on_progress=progress, log=log
            )
            outcomes.append(Outcome(str(scene), report=report))
        except WorkbenchError as error:
            outcomes.append(Outcome(str(scene), error=error))
    return outcomes


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
    from rs_workbench.resume import where_it_runs
    from rs_workbench.run import run_job, sum_facts

    check_space(job, paths)
    plan = {**job.plan.as_dict(), **where_it_runs(loaded)}
    asked = what_was_asked(job, loaded, options)
    with Journal.open(paths.work, asked, plan, restart=options.restart) as journal:
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
    if not sum(c["pixels"] for c in report.classes):
        warnings.append("no pixel of the scene has data")
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
    from rs_workbench.places import build_stable_mosaic
    from rs_workbench.progress import show_progress
    from rs_workbench.raster import find_scenes

    _refuse_empty(scenes=scenes, model=(model,), output=(output,), bands=chosen["bands"])
    found = find_scenes(scenes)
    speak = not quiet and not as_json
    style = "none" if quiet else progress
    with tempfile.TemporaryDirectory() as scratch, show_progress(style) as on_scene:
        if mosaic:
            folder = Path(scratch) if chosen["dry_run"] else None
            found = [build_stable_mosaic(found, output, folder=folder)]
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


def _refuse_empty(**given: Sequence[str | None] | None) -> None:
    """Refuse empty texts, which an unset variable of a shell leaves behind."""
    for name, values in given.items():
        if values is not None and (not values or "" in values):
            raise UsageError(f"{name} must not be empty: got {name}={list(values)}")


if __name__ == "__main__":
    command()
