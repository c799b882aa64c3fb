"""The page about a model, in Markdown: figures, legend, split. Its facts are those of the card."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rs_workbench.accuracy import iou, producers_accuracy, users_accuracy
from rs_workbench.card import ModelCard
from rs_workbench.training.data import TrainingData
from rs_workbench.training.train_result import TrainResult
from tiling.split import PARTS

PAGE = "default_model"


def model_page(card: ModelCard, result: TrainResult, data: TrainingData) -> str:
    """Page about the bundled model.

    Parameters
    ----------
    card : ModelCard
        Of the model; has the held-out confusion.
    result : TrainResult
        Of the run; has the baselines.
    data : TrainingData
        What was learnt from; has the split.

    Returns
    -------
    str
        Markdown.
    """
    confusion = np.array(card.held_out.confusion)
    told = card.training_data
    return "\n".join(
        [
            "# The bundled model",
            "",
            *_about(card, result),
            *_summary(card, result),
            f"![Held-out tiles: photograph, reference, map](images/{PAGE}_held_out.png)",
            "",
            "The sample scene, which is drawn, not photographed, and its map:",
            "",
            f"![The sample scene and its map](images/{PAGE}_sample_scene.png)",
            "",
            "## Classes",
            "",
            *_class_table(card, data, confusion),
            "## Held-out confusion",
            "",
            "Thousands of pixels; rows are the map, columns the reference.",
            "",
            *_confusion_table(card, confusion),
            "## Data and split",
            "",
            f"{told.name}; {told.source}, licence {told.license}. {_sentence(told.notes)}",
            "",
            f"{_sentence(told.split)} Validation tiles chose the epoch; nothing was learnt or "
            "chosen on held-out tiles in this run. But light, split and sampling were settled "
            "after earlier runs had been scored on the same held-out tiles, so they are no longer "
            "untouched: a score on new ground may be lower. "
            f"{_sentence(card.held_out.notes)}",
            "",
            *_split_table(data),
            "## What it cannot do",
            "",
            *_limits(),
        ]
    )


def _about(card: ModelCard, result: TrainResult) -> list[str]:
    bands = ", ".join(band.name for band in card.bands)
    return [
        f"`rs_workbench/models/{card.name}.onnx`: {card.description[0].lower()}"
        f"{card.description[1:]}. A U-Net of {result.parameters:,} parameters; stride "
        f"{card.stride} px, reach {card.reach} px, bands {bands} of 8 bits at about "
        f"{card.pixel_size} m. Trained by the recipe `{PAGE}` of `rsw train`, "
        f"{result.epochs} epochs, of which epoch {result.best_epoch} maps the validation ground "
        f"best (mean IoU {result.validation_mean_iou:.3f}). This page is written by "
        f"`python -m torch_cases.{PAGE}`; the same facts are in the card inside the file "
        f"(`rsw card show rs_workbench/models/{card.name}.onnx`).",
        "",
    ]


def _summary(card: ModelCard, result: TrainResult) -> list[str]:
    rows = {
        "this model": result.held_out,
        f"each pixel by itself ({card.held_out.pixel_baseline})": result.baselines.get("forest"),
        "the commonest class everywhere": result.baselines["majority"],
    }
    lines = ["| held-out ground | mean IoU (95 % interval) | overall accuracy |", "|---|--:|--:|"]
    lines += [
        f"| {name} | {found['mean_iou']:.3f}{_interval(found)} | {found['overall_accuracy']:.1%} |"
        for name, found in rows.items()
        if found is not None
    ]
    return [*lines, ""]


def _interval(found: dict) -> str:
    drawn = found.get("mean_iou_interval")
    return f" ({drawn[0]:.3f} to {drawn[1]:.3f})" if drawn else ""


def _class_table(card: ModelCard, data: TrainingData, confusion: np.ndarray) -> list[str]:
    lines = [
        "| value | class | 中文 | colour | codes | IoU | user's accuracy | producer's accuracy |",
        "|--:|---|---|---|---|--:|--:|--:|",
    ]
    scores = (iou(confusion), users_accuracy(confusion), producers_accuracy(confusion))
    for entry, asked, overlap, user, producer in zip(
        card.classes, data.settings.classes, *scores, strict=True
    ):
        codes = ", ".join(map(str, asked.labels))
        lines.append(
            f"| {entry.value} | {entry.name} | {entry.name_zh} | `{entry.color}` | {codes} "
            f"| {_number(overlap, '.3f')} | {_number(user, '.1%')} | {_number(producer, '.1%')} |"
        )
    return [*lines, ""]


def _confusion_table(card: ModelCard, confusion: np.ndarray) -> list[str]:
    names = [entry.name for entry in card.classes]
    lines = [
        "| map \\ reference | " + " | ".join(names) + " |",
        "|---" + "|--:" * len(names) + "|",
    ]
    for name, row in zip(names, confusion, strict=True):
        lines.append(f"| {name} | " + " | ".join(f"{n / 1000:.1f}" for n in row) + " |")
    return [*lines, ""]


def _split_table(data: TrainingData) -> list[str]:
    side = max(data.scenes[0].shape)
    lines = [
        f"| part | tiles | row, column in the mosaic (steps of {side} px) |",
        "|---|--:|---|",
    ]
    for part in PARTS:
        cells = data.split.cells(part)
        places = sorted(
            (row // side, col // side)
            for (row, col), index, held in zip(data.origins, data.indexes, cells, strict=True)
            if index.counts[held].any()
        )
        lines.append(f"| {part.replace('_', '-')} | {len(places)} | {_listed(places)} |")
    return [*lines, ""]


def _listed(places: Iterable[tuple[int, int]]) -> str:
    return " · ".join(f"{row}, {col}" for row, col in places)


def _number(value: float, how: str) -> str:
    """Write a score; a dash where a class is on neither side, so that it has none."""
    return "–" if np.isnan(value) else format(value, how)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


def _limits() -> list[str]:
    return [
        "One flight over one coast: expect it to fail under other light, seasons, cameras or "
        "pixel sizes. It is there so that the command runs at once and so that you can see what "
        "a map carries; for your own area train your own model. Open sea was masked out of the "
        "tiles, so waves and surf are unknown to it.",
        "",
    ]
