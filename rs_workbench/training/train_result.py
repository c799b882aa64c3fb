"""TrainResult: what a run of `rsw train` brought, as ``result.json`` says it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rs_workbench.accuracy import bootstrap_difference, iou, mean_iou, overall_accuracy
from rs_workbench.accuracy.assess.baselines import enough
from rs_workbench.accuracy.report.json_file import to_plain
from rs_workbench.training.history import write_whole

if TYPE_CHECKING:
    from rs_workbench.accuracy.bootstrap import BootstrapResult
    from rs_workbench.card import LegendClass
    from rs_workbench.training.held_out import HeldOutResult
    from rs_workbench.training.held_out_blocks import HeldOutBlocks

JSON_NAME = "result.json"


@dataclass(frozen=True)
class TrainResult:
    """What a run brought; the fields are the keys of ``result.json``.

    Attributes
    ----------
    framework, network : str
        What learnt.
    network_options : dict
        Options of the network.
    parameters, trainable : int
        Numbers in it, and those that training changes.
    epochs, best_epoch : int
        Epochs made, and the one whose weights were kept.
    seconds, seconds_per_epoch, chips_per_second : float
        Time of all epochs, their mean, and the median speed.
    peak_rss_mib : float
        Largest memory of the process, MiB.
    peak_gpu_mib : float or None
        Largest GPU memory, MiB; None without a GPU.
    device : str
        Where it ran.
    validation_mean_iou : float or None
        Of the epoch that was kept.
    held_out : dict
        Overall accuracy, mean IoU with its interval, and classes with IoU and reference pixels.
    baselines : dict of str to dict
        The same figures of "majority" and "forest", and how much better the network is.
    leaks : int
        Training chips that leak.
    chips_hash : str
        Hash of the first chips of the first epoch.
    warnings : tuple of str
        What the user must know, one sentence each.
    model : str
        Name of the model file in the folder.
    onnx : str or None
        Name of the ONNX file; None where there is none.
    seed : int
        Seed of the run.
    """

    framework: str
    network: str
    network_options: dict[str, Any]
    parameters: int
    trainable: int
    epochs: int
    best_epoch: int
    seconds: float
    seconds_per_epoch: float
    chips_per_second: float
    peak_rss_mib: float
    peak_gpu_mib: float | None
    device: str
    validation_mean_iou: float | None
    held_out: dict[str, Any]
    baselines: dict[str, dict[str, Any]]
    leaks: int
    chips_hash: str
    warnings: tuple[str, ...]
    model: str
    onnx: str | None
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """Give plain values; None stands for what is undefined."""
        plain: dict[str, Any] = to_plain(asdict(self))
        return plain

    def write(self, folder: Path) -> Path:
        """Write ``result.json``, whole or not at all.

        Parameters
        ----------
        folder : Path
            Folder of the run.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        OutputError
            If the disk is full, or the folder cannot be written to.
        """
        text = json.dumps(self.as_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        write_whole(folder / JSON_NAME, text.encode())
        return folder / JSON_NAME


def held_out_figures(held_out: HeldOutResult, classes: tuple[LegendClass, ...]) -> dict[str, Any]:
    """Give the scores on held-out ground as plain values.

    Parameters
    ----------
    held_out : HeldOutResult
        What was found.
    classes : tuple of LegendClass
        Classes.

    Returns
    -------
    dict
        NaN where a score is undefined; the interval of the mean IoU is None with too few blocks.
    """
    total = held_out.confusion
    scores, pixels = iou(total).tolist(), total.sum(axis=0).tolist()
    return {
        "overall_accuracy": overall_accuracy(total),
        "mean_iou": mean_iou(total),
        "mean_iou_interval": _interval(held_out.assessment.resampled.get("mean_iou")),
        "classes": [
            {"name": entry.name, "iou": score, "pixels": count}
            for entry, score, count in zip(classes, scores, pixels, strict=True)
        ],
    }


def baseline_figures(held_out: HeldOutResult) -> dict[str, dict[str, Any]]:
    """Give the scores of the baselines as plain values, and what the network has above them.

    Parameters
    ----------
    held_out : HeldOutResult
        What was found.

    Returns
    -------
    dict of str to dict
        By baseline.
    """
    return {name: _baseline(held_out.blocks, other) for name, other in held_out.baselines.items()}


def _baseline(model: HeldOutBlocks, other: HeldOutBlocks) -> dict[str, Any]:
    total, mine = other.confusion.sum(axis=0), model.confusion.sum(axis=0)
    drawn = None
    if enough(model.confusion):
        drawn = bootstrap_difference(mean_iou, (model.confusion, other.confusion))
    return {
        "overall_accuracy": overall_accuracy(total),
        "mean_iou": mean_iou(total),
        "mean_iou_gain": mean_iou(mine) - mean_iou(total),
        "mean_iou_gain_interval": _interval(drawn),
    }


def _interval(drawn: BootstrapResult | None) -> list[float] | None:
    if drawn is None or not np.isfinite((drawn.low, drawn.high)).all():
        return None
    return [drawn.low, drawn.high]
