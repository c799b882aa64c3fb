"""Progress of a training: a bar for the epoch on a terminal, and one line an epoch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from rs_workbench.progress import duration
from rs_workbench.types import ProgressStyle

if TYPE_CHECKING:
    from rs_workbench.training.data import TrainingData
    from rs_workbench.training.learner import Learner
    from rs_workbench.training.loop import Epoch

OnStep = Callable[[int, int, int, float], None]
"""Called with (epoch from 1, step from 1, steps of the epoch, loss of the step)."""


class EpochLines:
    """Listener that says in one line what an epoch brought, and how long it will take yet.

    Parameters
    ----------
    epochs : int
        Of the whole run.
    say : callable
        Takes a line.
    """

    def __init__(self, epochs: int, say: Callable[[str], None]) -> None:
        self.epochs, self.say = epochs, say
        self._data: TrainingData | None = None
        self._best: tuple[float, int] | None = None
        self._seconds: list[float] = []

    def __call__(self, epoch: Epoch, learner: Learner, data: TrainingData) -> None:
        """Say a line."""
        if data is not self._data:  # a second run, on another split
            self._data, self._best, self._seconds = data, None, []
        self._seconds.append(epoch.seconds)
        score = epoch.mean_iou
        if score is not None and (self._best is None or score > self._best[0]):
            self._best = score, epoch.number
        each = sum(self._seconds) / len(self._seconds)
        self.say(self._line(epoch, (self.epochs - epoch.number) * each))

    def _line(self, epoch: Epoch, left: float) -> str:
        parts = [f"epoch {epoch.number}/{self.epochs}: loss {epoch.loss:.3f}"]
        if epoch.mean_iou is not None and self._best is not None:
            best, number = self._best
            beside = "the best" if number == epoch.number else f"best {best:.3f}, epoch {number}"
            parts.append(f"validation mIoU {epoch.mean_iou:.3f} ({beside})")
        parts.append(duration(epoch.seconds))
        if epoch.number < self.epochs:
            parts.append(f"about {duration(left)} left")
        return ", ".join(parts)


@contextmanager
def show_epochs(style: ProgressStyle, epochs: int) -> Iterator[tuple[EpochLines, OnStep]]:
    """Show how a training goes on, on stderr.

    Parameters
    ----------
    style : {'auto', 'plain', 'none'}
        Auto draws a bar on a terminal and writes lines elsewhere.
    epochs : int
        Of the whole run.

    Yields
    ------
    EpochLines
        Listener for epochs.
    callable
        Listener for steps.
    """
    if style == "auto" and sys.stderr.isatty():
        with _bar(epochs) as listeners:
            yield listeners
    else:
        say = (lambda line: None) if style == "none" else _say
        yield EpochLines(epochs, say), lambda epoch, step, steps, loss: None


@contextmanager
def _bar(epochs: int) -> Iterator[tuple[EpochLines, OnStep]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns: list[Any] = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps, loss {task.fields[loss]}"),
    ]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("first steps", total=None, loss="-")

        def on_step(epoch: int, step: int, steps: int, loss: float) -> None:
            title = f"epoch {epoch}/{epochs}"
            bars.update(task, description=title, completed=step, total=steps, loss=f"{loss:.3f}")

        def say(line: str) -> None:
            bars.console.print(line, highlight=False, markup=False)

        yield EpochLines(epochs, say), on_step


def _say(line: str) -> None:
    click.echo(line, err=True)
