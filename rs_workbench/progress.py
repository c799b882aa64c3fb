"""Progress of a run: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import psutil

from rs_workbench.memory import MIB
from rs_workbench.types import ProgressStyle

PLAIN_SECONDS = 10.0
"""Seconds between two plain lines."""

OnProgress = Callable[[int, int], None]
OnScene = Callable[[str, int, int], OnProgress | None]


@contextmanager
def show_progress(style: ProgressStyle, *, parts: str = "tiles") -> Iterator[OnScene]:
    """Show the progress of one scene after another on stderr.

    Parameters
    ----------
    style : {'auto', 'plain', 'none'}
        Auto draws a bar on a terminal and writes plain lines elsewhere.
    parts : str
        What is counted.

    Yields
    ------
    callable
        Called with (scene, its number, how many) it gives that scene's `on_progress`.
    """
    if style == "none":
        yield lambda scene, number, total: None
    elif style == "auto" and sys.stderr.isatty():
        with _bar(parts) as on_scene:
            yield on_scene
    else:
        yield partial(_plain, parts)


@contextmanager
def _bar(parts: str) -> Iterator[OnScene]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns: list[Any] = [
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{parts}, {{task.fields[rate]}} {parts}/s, {{task.fields[memory]}} MiB,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    ]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:

        def on_scene(scene: str, number: int, total: int) -> OnProgress:
            title = _title(scene, number, total)
            task = bars.add_task(title, total=None, rate="-", memory="-")

            def on_progress(done: int, of: int) -> None:
                speed = bars.tasks[task].speed
                bars.update(
                    task,
                    completed=done,
                    total=of,
                    rate=f"{speed:.1f}" if speed else "-",
                    memory=f"{_rss_mib():.0f}",
                )

            return on_progress

        yield on_scene


def _plain(parts: str, scene: str, number: int, total: int) -> OnProgress:
    title = _title(scene, number, total)
    started = last = time.monotonic()
    seen = 0

    def on_progress(done: int, of: int) -> None:
        nonlocal started, last, seen
        now = time.monotonic()
        if done < seen:  # another pass over the same scene
            started = now
        seen = done
        if now - last < PLAIN_SECONDS:
            return
        last = now
        rate = done / max(now - started, 1e-3)
        print(
            f"{title}: {done}/{of} {parts}, {100 * done / of:.0f} %, {rate:.1f} {parts}/s, "
            f"{_rss_mib():.0f} MiB, {duration((of - done) / rate)} left",
            file=sys.stderr,
            flush=True,
        )

    return on_progress


def _title(scene: str, number: int, total: int) -> str:
    name = scene.replace("\\", "/").rsplit("/", 1)[-1]
    return name if total == 1 else f"[{number}/{total}] {name}"


def _rss_mib() -> float:
    return float(psutil.Process().memory_info().rss) / MIB


def duration(seconds: float) -> str:
    """Write a duration for people.

    Parameters
    ----------
    seconds : float
        Seconds.

    Returns
    -------
    str
        Seconds, minutes, or hours and minutes.

    Examples
    --------
    >>> duration(42), duration(125), duration(7300)
    ('42 s', '2 min', '2 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
