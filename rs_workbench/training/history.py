"""History: what every epoch brought, as ``history.csv`` and as curves, ``history.png``.

The table is written anew after each epoch, from the rows that are there. So it is complete after
a run that stopped and went on, and an epoch that was given up half way and made again is in it
once.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rs_workbench.accuracy.scores import iou
from rs_workbench.journal import explain_disk_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rs_workbench.card import LegendClass
    from rs_workbench.training.data import TrainingData
    from rs_workbench.training.learner import Learner
    from rs_workbench.training.loop import Epoch

CSV_NAME, PNG_NAME = "history.csv", "history.png"
COLUMNS = (
    "epoch",
    "loss",
    "rate",
    "mean_iou",
    "overall_accuracy",
    "seconds",
    "chips_per_second",
)
"""Columns before those of the classes."""


@dataclass(frozen=True)
class History:
    """Listener that adds each epoch to ``history.csv``.

    Attributes
    ----------
    folder : Path
        Folder of the run.
    """

    folder: Path

    def __call__(self, epoch: Epoch, learner: Learner, data: TrainingData) -> None:
        """Add an epoch; later ones in the file, and itself, came from a run that stopped."""
        head = history_columns(data.classes)
        kept = [row for row in self._rows(head) if int(row[0]) < epoch.number]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([head, *kept, _row(epoch, len(data.classes))])
        write_whole(self.folder / CSV_NAME, text.getvalue().encode())

    def _rows(self, head: list[str]) -> list[list[str]]:
        """Read the rows that are there; none if they are of other classes."""
        found = read_history(self.folder)
        return found[1:] if found[:1] == [head] else []


def history_columns(classes: Sequence[LegendClass]) -> list[str]:
    """Name the columns of the table.

    Parameters
    ----------
    classes : sequence of LegendClass
        Classes of the run.

    Returns
    -------
    list of str
        `COLUMNS`, and ``iou_<name>`` for each class.
    """
    return [*COLUMNS, *(f"iou_{entry.name}" for entry in classes)]


def read_history(folder: Path) -> list[list[str]]:
    """Read the table of a run.

    Parameters
    ----------
    folder : Path
        Folder of the run.

    Returns
    -------
    list of list of str
        The head and one row for each epoch; empty where there is no table.
    """
    path = folder / CSV_NAME
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that has its name only when it is complete.

    Parameters
    ----------
    path : Path
        The file.
    content : bytes
        All of it.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written to.
    """
    part = path.with_name(f".{path.name}.part")
    with explain_disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)


def _row(epoch: Epoch, n_classes: int) -> list[str]:
    scores = [math.nan] * n_classes
    if epoch.confusion is not None:
        scores = iou(epoch.confusion).tolist()
    numbers = [getattr(epoch, column) for column in COLUMNS[1:]]
    return [str(epoch.number), *(_number(value) for value in (*numbers, *scores))]


def _number(value: float | None) -> str:
    """Six digits that count; empty where there is no value."""
    return "" if value is None or math.isnan(value) else f"{value:.6g}"


def draw_history(folder: Path) -> Path | None:
    """Draw loss and validation scores over the epochs, the best epoch marked.

    Parameters
    ----------
    folder : Path
        Folder of the run, with its table.

    Returns
    -------
    Path or None
        ``history.png``; None where the table has no epoch yet.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written to.
    """
    rows = read_history(folder)[1:]
    if not rows:
        return None
    columns = zip(*(row[: len(COLUMNS)] for row in rows), strict=True)
    values = {
        name: [float(cell) if cell else math.nan for cell in column]
        for name, column in zip(COLUMNS, columns, strict=True)
    }
    write_whole(folder / PNG_NAME, _curves(values))
    return folder / PNG_NAME


def _curves(values: dict[str, list[float]]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((10, 4), dpi=120, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    epochs = values["epoch"]
    style: dict[str, Any] = {
        "marker": "o",
        "markersize": 3 if len(epochs) < 60 else 0,
        "linewidth": 1.8,
    }
    left.plot(epochs, values["loss"], color="#1f4e79", **style)
    left.set_title("training loss", loc="left", fontsize=11)
    right.plot(epochs, values["mean_iou"], color="#b5541c", label="mean IoU", **style)
    right.plot(
        epochs, values["overall_accuracy"], color="#7a7a7a", label="overall accuracy", **style
    )
    right.set_title("validation", loc="left", fontsize=11)
    right.set_ylim(0, 1)
    best = _best(values["mean_iou"])
    if best is not None:
        _mark(right, epochs[best], values["mean_iou"][best])
    right.legend(loc="best", frameon=False)
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.grid(color="#e4e4e4", linewidth=0.8)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.spines[["top", "right"]].set_visible(False)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def _best(scores: list[float]) -> int | None:
    known = [at for at, score in enumerate(scores) if not math.isnan(score)]
    return max(known, key=lambda at: scores[at]) if known else None


def _mark(axes: Any, epoch: float, score: float) -> None:
    """Mark the best epoch, with its score."""
    axes.axvline(epoch, color="#b5541c", linewidth=0.8, linestyle=":")
    axes.plot(
        [epoch],
        [score],
        marker="o",
        markersize=9,
        markerfacecolor="none",
        markeredgecolor="#b5541c",
        linestyle="none",
        label=f"best: {score:.3f} in epoch {epoch:.0f}",
    )
