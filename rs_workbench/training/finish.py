"""The end of a run: card, model, ONNX, report, pictures, and the result, which is written last."""

from __future__ import annotations

import importlib
import statistics
from collections.abc import Generator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from rs_workbench.accuracy.report.files import write_report
from rs_workbench.errors import WorkbenchError
from rs_workbench.memory import peak_rss_mib
from rs_workbench.training.held_out import all_warnings
from rs_workbench.training.held_out_blocks import write_blocks
from rs_workbench.training.history import draw_history
from rs_workbench.training.loader import batch_hash, part_batches, training_batches
from rs_workbench.training.pictures import draw_best
from rs_workbench.training.run_card import make_card
from rs_workbench.training.to_onnx import write_onnx
from rs_workbench.training.train_result import TrainResult, baseline_figures, held_out_figures

if TYPE_CHECKING:
    from rs_workbench.training.data import TrainingData
    from rs_workbench.training.held_out import HeldOutResult
    from rs_workbench.training.learner import Learner
    from rs_workbench.training.loop import Fit
    from rs_workbench.training.settings import TrainSettings
    from rs_workbench.types import Image

REPORT_FOLDER = "held_out"
HASHED = 2
"""Batches of the first epoch that are hashed: enough to tell whether runs saw the same chips."""


def write_result(
    folder: Path, data: TrainingData, fit: Fit, held_out: HeldOutResult, settings: TrainSettings
) -> TrainResult:
    """Write all that a finished run leaves; what is there already is replaced.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    data : TrainingData
        What was learnt from.
    fit : Fit
        What learnt, with the weights that are kept.
    held_out : HeldOutResult
        How well it does.
    settings : TrainSettings
        Of the run.

    Returns
    -------
    TrainResult
        What ``result.json`` says.

    Raises
    ------
    ModelError
        If the model cannot be exported.
    OutputError
        If the disk is full, or the folder cannot be written to.
    """
    card = make_card(data, fit, held_out)
    model = fit.learner.export(folder, card)
    warnings = all_warnings(data, held_out)
    onnx = None
    if settings.onnx:
        try:
            onnx = write_onnx(model, card, fit.learner, _first_chip(data)).name
        except WorkbenchError as error:
            warnings.append(f"there is no {model.stem}.onnx: {error}")
    write_report(held_out.assessment, folder / REPORT_FOLDER, overwrite=True)
    write_blocks(folder, held_out.blocks)
    draw_history(folder)
    if settings.pictures:
        draw_best(folder, fit.learner, data, epoch=fit.best.number)
    result = _result(data, fit, held_out, (model.name, onnx, tuple(warnings)))
    result.write(folder)
    return result


def _first_chip(data: TrainingData) -> Image:
    """Read one held-out chip, (1, B, H, W)."""
    batch = next(iter(part_batches(data, data.held_out[:1])))
    return batch.images


def _result(
    data: TrainingData,
    fit: Fit,
    held_out: HeldOutResult,
    made: tuple[str, str | None, tuple[str, ...]],
) -> TrainResult:
    settings, facts = fit.settings, fit.learner.facts
    model, onnx, warnings = made
    seconds = [epoch.seconds for epoch in fit.epochs]
    return TrainResult(
        framework=settings.framework,
        network=settings.network,
        network_options=settings.network_options,
        parameters=facts.parameters,
        trainable=facts.trainable,
        epochs=len(fit.epochs),
        best_epoch=fit.best.number,
        seconds=round(sum(seconds), 2),
        seconds_per_epoch=round(statistics.fmean(seconds), 3),
        chips_per_second=round(statistics.median(e.chips_per_second for e in fit.epochs), 2),
        peak_rss_mib=round(peak_rss_mib(), 1),
        peak_gpu_mib=_peak_gpu_mib(fit.learner, settings.framework),
        device=fit.learner.device,
        validation_mean_iou=fit.best.mean_iou,
        held_out=held_out_figures(held_out, data.classes),
        baselines=baseline_figures(held_out),
        leaks=data.leaks,
        chips_hash=_hash_chips(data),
        warnings=warnings,
        model=model,
        onnx=onnx,
        seed=settings.seed,
    )


def _peak_gpu_mib(learner: Learner, framework: str) -> float | None:
    if learner.device == "cpu":
        return None
    memory = importlib.import_module(f"rs_workbench.training.{framework}_memory")
    peak = memory.peak_gpu_mib()
    return None if peak is None else round(peak, 1)


def _hash_chips(data: TrainingData) -> str:
    batches = training_batches(data, 1)
    try:
        return batch_hash(islice(batches, HASHED))
    finally:
        # the rest of the epoch is not wanted: its readers must not go on
        if isinstance(batches, Generator):
            batches.close()
