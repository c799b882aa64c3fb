"""Three stages side by side: read in one thread, work in the caller's, write in another.

The caller's thread does the work because a framework wants to be called from one thread only.
Queues between the stages are bounded, so a slow stage holds the others back. The first error, on
whichever side, stops all three and is raised in the caller.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Any, TypeVar

T = TypeVar("T")
U = TypeVar("U")

_END = object()
_POLL = 0.1
"""Seconds between looks at the stop flag while a queue is full or empty."""


def run_stages(
    items: Iterable[T], work: Callable[[T], U], consume: Callable[[U], None], *, depth: int = 2
) -> None:
    """Pull items, work on them and consume the results, all three at the same time, in order.

    Parameters
    ----------
    items : iterable
        Iterated in a reader thread; a generator is closed in that thread.
    work : callable
        Called in this thread.
    consume : callable
        Called in a writer thread.
    depth : int, default 2
        How many items may wait between two stages.

    Raises
    ------
    BaseException
        The first error of any stage; by then both threads have ended.

    Examples
    --------
    >>> doubled = []
    >>> run_stages(range(3), lambda x: 2 * x, doubled.append)
    >>> doubled
    [0, 2, 4]
    """
    stop = threading.Event()
    inbox: queue.Queue[Any] = queue.Queue(depth)
    outbox: queue.Queue[Any] = queue.Queue(depth)
    stages = [_Stage(stop, _fill, items, inbox), _Stage(stop, _empty, consume, outbox)]
    try:
        for item in _drain(inbox, stop):
            _put(outbox, work(item), stop)
        _put(outbox, _END, stop)
    except BaseException:
        stop.set()
        raise
    finally:
        for stage in stages:
            stage.join()
    for stage in stages:
        if stage.error is not None:
            raise stage.error


class _Stage(threading.Thread):
    """Runs one side; its error stops the other sides and is kept for the caller."""

    def __init__(
        self,
        stop: threading.Event,
        run: Callable[[Any, queue.Queue[Any], threading.Event], None],
        task: object,
        box: queue.Queue[Any],
    ) -> None:
        super().__init__(daemon=True)
        self.stop, self.target, self.task, self.box = stop, run, task, box
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.target(self.task, self.box, self.stop)
        except BaseException as error:
            self.error = error
            self.stop.set()


def _fill(items: Iterable[Any], box: queue.Queue[Any], stop: threading.Event) -> None:
    with closing(_generate(items)) as generator:
        for item in generator:
            if not _put(box, item, stop):
                return
    _put(box, _END, stop)


def _empty(consume: Callable[[Any], None], box: queue.Queue[Any], stop: threading.Event) -> None:
    for item in _drain(box, stop):
        consume(item)


def _generate(items: Iterable[T]) -> Generator[T, None, None]:
    yield from items


def _put(box: queue.Queue[Any], item: object, stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            box.put(item, timeout=_POLL)
        except queue.Full:
            continue
        return True
    return False


def _drain(box: queue.Queue[Any], stop: threading.Event) -> Iterator[Any]:
    while not stop.is_set():
        try:
            item = box.get(timeout=_POLL)
        except queue.Empty:
            continue
        if item is _END:
            return
        yield item
