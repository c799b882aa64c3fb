"""What the lessons on digits put into their reports."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rs_workbench.accuracy import binomial_interval
from rs_workbench.lessons.pictures import picture_of_curves
from rs_workbench.lessons.report import Line
from rs_workbench.training.history import write_whole

CURVES, TRAINING = "curves.png", "training.json"
COURSE = "the course's notebooks; its test set served as validation there"


def accuracy_line(name: str, right: Sequence[int], count: int, note: str = "") -> Line:
    """Say how many test digits were right, with the interval of 95 %.

    Parameters
    ----------
    name : str
        What was tested.
    right : sequence of int
        Test digits that were right, one number a seed.
    count : int
        Test digits.
    note : str
        What the reader should know.

    Returns
    -------
    Line
        Mean over the seeds, Wilson's interval of that mean, lowest and highest seed. All seeds
        are tested on the same digits: more seeds make the interval no narrower.
    """
    shares = np.asarray(right) / count
    interval = binomial_interval(float(np.mean(right)), count)
    figures = {"test accuracy": float(shares.mean()), "low": interval.low, "high": interval.high}
    if len(right) > 1:
        figures |= {"worst seed": float(shares.min()), "best seed": float(shares.max())}
    return Line(name, figures, note=note)


def published(name: str, accuracy: float) -> Line:
    """Cite a figure of the course.

    Parameters
    ----------
    name : str
        The net.
    accuracy : float
        Of its last epoch, on the 10,000 test digits.

    Returns
    -------
    Line
        Marked as published.
    """
    return Line(name, {"test accuracy": accuracy}, kind="published", note=COURSE)


def keep_training(folder: Path, history: Mapping[str, Sequence[float]], seconds: float) -> None:
    """Write down how a training went, with its curves.

    Parameters
    ----------
    folder : Path
        Where to; made where it is missing.
    history : mapping of str to sequence of float
        As Keras gives it.
    seconds : float
        How long it took.
    """
    content = {"seconds": round(seconds, 1), "history": history}
    write_whole(folder / TRAINING, json.dumps(content, indent=1).encode())
    picture_of_curves(folder / CURVES, history)


def training_facts(folder: Path) -> dict[str, object]:
    """Read what `keep_training` wrote.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    dict
        Epochs, seconds, and the last accuracy on validation.
    """
    kept = json.loads((folder / TRAINING).read_text(encoding="utf-8"))
    history = kept["history"]
    return {
        "epochs": len(history["loss"]),
        "seconds of training": kept["seconds"],
        "validation accuracy": history["val_accuracy"][-1],
    }


def markdown_table(rows: Sequence[Sequence[object]], head: Sequence[str]) -> str:
    """Write a table in Markdown.

    Parameters
    ----------
    rows : sequence of sequence
        Cells.
    head : sequence of str
        Names of the columns.

    Returns
    -------
    str
        The table.
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
