"""Progress of a download: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rs_workbench.progress import PLAIN_SECONDS

MB = 1e6


@contextmanager
def show_bytes(name: str, total: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show on stderr how much has come.

    Parameters
    ----------
    name : str
        What is downloaded.
    total : int
        How much will come, bytes.
    quiet : bool
        Show nothing.

    Yields
    ------
    callable
        To be told of bytes that came, from any thread.
    """
    if quiet:
        yield lambda n: None
    elif sys.stderr.isatty():
        with _bar(name, total) as on_bytes:
            yield on_bytes
    else:
        yield _Plain(name, total).add


@contextmanager
def _bar(name: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(name, total=total)
        yield lambda n: bars.advance(task, n)


class _Plain:
    """Writes a line every few seconds."""

    def __init__(self, name: str, total: int) -> None:
        self.name, self.total, self.done = name, total, 0
        self.last = time.monotonic()
        self.lock = threading.Lock()

    def add(self, n: int) -> None:
        """Count bytes that came, and now and then write a line."""
        with self.lock:
            self.done += n
            now = time.monotonic()
            if now - self.last < PLAIN_SECONDS:
                return
            self.last = now
            text = f"{self.name}: {self.done / MB:.1f} of {self.total / MB:.1f} MB"
        print(text, file=sys.stderr, flush=True)
