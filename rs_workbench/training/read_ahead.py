"""read_ahead: items made by threads ahead of their use, in order, never many at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Generic, TypeVar

import cv2

AHEAD = 2
"""Items that wait for their use, besides one in the making for each thread."""
_Item = TypeVar("_Item")
_Reader = TypeVar("_Reader")


def read_ahead(
    open_reader: Callable[[], AbstractContextManager[_Reader]],
    make: Callable[[_Reader, int], _Item],
    n_items: int,
    *,
    n_workers: int,
) -> Iterator[_Item]:
    """Make items in threads.

    Parameters
    ----------
    open_reader : callable
        Called in each thread: opens what belongs to it.
    make : callable
        Makes an item from the thread's reader and the item's number.
    n_items : int
        How many.
    n_workers : int
        Most threads.

    Yields
    ------
    object
        Items in order. An error in a thread is raised here, and ends the other threads.
    """
    n_workers = min(n_workers, n_items)
    queue: _Queue[_Item] = _Queue(n_items, n_workers + AHEAD)

    def work() -> None:
        try:
            with open_reader() as reader:
                while (number := queue.begin()) is not None:
                    queue.put(number, make(reader, number))
        except BaseException as error:  # raised again by `take`
            queue.stop(error)

    threads = [
        threading.Thread(target=work, name=f"reader-{i}", daemon=True) for i in range(n_workers)
    ]
    for thread in threads:
        thread.start()
    try:
        for number in range(n_items):
            yield queue.take(number)
    finally:
        queue.stop()
        for thread in threads:
            thread.join()


class _Queue(Generic[_Item]):
    """Items by their number, made by threads and taken in order."""

    def __init__(self, n_items: int, most: int) -> None:
        self.n_items, self.most = n_items, most
        self.changed = threading.Condition()
        self.made: dict[int, _Item] = {}
        self.begun = self.taken = 0
        self.error: BaseException | None = None
        self.stopped = False

    def begin(self) -> int | None:
        """Give the number of the next item, as soon as there is room; None at the end."""
        with self.changed:
            self.changed.wait_for(lambda: self._ended() or self.begun < self.taken + self.most)
            if self._ended():
                return None
            self.begun += 1
            return self.begun - 1

    def _ended(self) -> bool:
        return self.stopped or self.begun >= self.n_items

    def put(self, number: int, item: _Item) -> None:
        with self.changed:
            self.made[number] = item
            self.changed.notify_all()

    def take(self, number: int) -> _Item:
        """Wait for an item; an error of any thread is raised here."""
        with self.changed:
            self.changed.wait_for(lambda: number in self.made or self.error is not None)
            if number not in self.made:
                assert self.error is not None
                raise self.error
            self.taken = number + 1
            self.changed.notify_all()
            return self.made.pop(number)

    def stop(self, error: BaseException | None = None) -> None:
        with self.changed:
            self.stopped, self.error = True, self.error or error
            self.changed.notify_all()


_loading = threading.Lock()
_n_loading = 0
_threads_before = 0


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Keep OpenCV, which has one setting for the process, from threads within our threads.

    Yields
    ------
    None
        While threads read.
    """
    global _n_loading, _threads_before
    with _loading:
        if not _n_loading:
            _threads_before = cv2.getNumThreads()
            cv2.setNumThreads(0)
        _n_loading += 1
    try:
        yield
    finally:
        with _loading:
            _n_loading -= 1
            if not _n_loading:
                cv2.setNumThreads(_threads_before)
