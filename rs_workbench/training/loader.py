"""Batches of chips, read and augmented by threads ahead of their use.

What a batch holds depends on the settings, the epoch and its number alone: not on the number of
threads, nor on the framework.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import cv2
import numpy as np

from rs_workbench.training.augment import augment_batch
from rs_workbench.training.chip_pixels import ChipPixels
from rs_workbench.training.chip_reader import ChipReader
from rs_workbench.training.data import TrainingData
from rs_workbench.training.learner import Labels
from rs_workbench.types import Image
from tiling.chips import Chip, shuffle_chips
from tiling.label_index import IGNORE
from tiling.sampler import draw_chip

AHEAD = 2
"""Batches that wait for their use, besides one in the making for each thread."""


class Batch(NamedTuple):
    """Chips that are learnt or predicted together.

    Attributes
    ----------
    images : ndarray of float32, shape (N, B, H, W)
        Scaled bands.
    labels : ndarray of uint8, shape (N, H, W)
        Class indexes, or `IGNORE`.
    chips : tuple of Chip
        Where they are from.
    """

    images: Image
    labels: Labels
    chips: tuple[Chip, ...]


MakeBatch = Callable[[ChipReader, int], Batch]
"""Makes a batch from its number."""


def training_batches(data: TrainingData, epoch: int) -> Iterator[Batch]:
    """Give the batches of an epoch, augmented.

    Parameters
    ----------
    data : TrainingData
        From `open_data`.
    epoch : int
        Another epoch has other chips.

    Yields
    ------
    Batch
        Whole batches, so that the epoch has at least ``settings.chips`` chips.

    Raises
    ------
    WorkbenchError
        If a file cannot be read.
    """
    settings = data.settings
    n_batches = -(-settings.chips // settings.batch)
    dealt = _dealt_chips(data, epoch, n_batches * settings.batch)

    def make(reader: ChipReader, number: int) -> Batch:
        first = number * settings.batch
        if dealt is None:
            places = range(first, first + settings.batch)
            chips = [_draw(data, reader, place, epoch) for place in places]
        else:
            chips = dealt[first : first + settings.batch]
        read = [reader.read(chip) for chip in chips]
        return _join(augment_batch(read, settings.augment, seeds=[c.seed for c in chips]), chips)

    yield from _read_ahead(data, make, n_batches)


def _draw(data: TrainingData, reader: ChipReader, place: int, epoch: int) -> Chip:
    assert not isinstance(data.training, tuple)
    return draw_chip(data.training, place, read=reader.labels, epoch=epoch)


def _dealt_chips(data: TrainingData, epoch: int, n_chips: int) -> list[Chip] | None:
    """Chips of an epoch where training has chips: pass after pass through all, shuffled anew."""
    chips = data.training
    if not isinstance(chips, tuple):
        return None
    found: list[Chip] = []
    lap, skip = divmod(epoch * n_chips, len(chips))
    while len(found) < n_chips:
        found += shuffle_chips(chips, seed=data.settings.seed, epoch=lap)[skip:]
        lap, skip = lap + 1, 0
    return found[:n_chips]


def part_batches(
    data: TrainingData, chips: Sequence[Chip], *, batch: int | None = None
) -> Iterator[Batch]:
    """Give chips as they are; labels count within their cores only, so each pixel once.

    Parameters
    ----------
    data : TrainingData
        From `open_data`.
    chips : sequence of Chip
        Such as ``data.validation``.
    batch : int, optional
        Chips a batch; by default that of the settings.

    Yields
    ------
    Batch
        In order; the last may be smaller.

    Raises
    ------
    WorkbenchError
        If a file cannot be read.
    """
    size = batch or data.settings.batch

    def make(reader: ChipReader, number: int) -> Batch:
        chosen = chips[number * size : (number + 1) * size]
        return _join([_cored(reader.read(chip), chip) for chip in chosen], chosen)

    yield from _read_ahead(data, make, -(-len(chips) // size))


def _cored(pixels: ChipPixels, chip: Chip) -> ChipPixels:
    row, col = chip.core.row - chip.window.row, chip.core.col - chip.window.col
    inside = chip.core._replace(row=row, col=col).slices
    labels = np.full_like(pixels.labels, IGNORE)
    labels[inside] = pixels.labels[inside]
    return pixels._replace(labels=labels)


def _join(pixels: Sequence[ChipPixels], chips: Sequence[Chip]) -> Batch:
    images = np.stack([one.image for one in pixels])
    return Batch(images, np.stack([one.labels for one in pixels]), tuple(chips))


def batch_hash(batches: Iterable[Batch]) -> str:
    """Sum up batches, to see that two runs learn from the same.

    Parameters
    ----------
    batches : iterable of Batch
        Any batches.

    Returns
    -------
    str
        SHA-256 of images and labels.
    """
    digest = hashlib.sha256()
    for batch in batches:
        for part in (batch.images, batch.labels):
            digest.update(str((part.shape, part.dtype)).encode())
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


class _Queue:
    """Batches by their number, made by threads, taken in order; never many at a time."""

    def __init__(self, n_batches: int, most: int) -> None:
        self.n_batches, self.most = n_batches, most
        self.ready = threading.Condition()
        self.made: dict[int, Batch] = {}
        self.begun = self.taken = 0
        self.error: BaseException | None = None
        self.stopped = False

    def begin(self) -> int | None:
        """Give the number of the next batch to make, as soon as there is room; None at the end."""
        with self.ready:
            self.ready.wait_for(lambda: self.stopped or self.begun < self.taken + self.most)
            if self.stopped or self.begun >= self.n_batches:
                return None
            self.begun += 1
            return self.begun - 1

    def put(self, number: int, batch: Batch) -> None:
        with self.ready:
            self.made[number] = batch
            self.ready.notify_all()

    def take(self, number: int) -> Batch:
        """Wait for a batch; an error of any thread is raised here."""
        with self.ready:
            self.ready.wait_for(lambda: number in self.made or self.error is not None)
            if number not in self.made:
                assert self.error is not None
                raise self.error
            self.taken = number + 1
            self.ready.notify_all()
            return self.made.pop(number)

    def stop(self, error: BaseException | None = None) -> None:
        with self.ready:
            self.stopped, self.error = True, self.error or error
            self.ready.notify_all()


def _read_ahead(data: TrainingData, make: MakeBatch, n_batches: int) -> Iterator[Batch]:
    n_workers = min(data.settings.workers, n_batches)
    queue = _Queue(n_batches, n_workers + AHEAD)

    def work() -> None:
        try:
            with ChipReader(data) as reader:
                while (number := queue.begin()) is not None:
                    queue.put(number, make(reader, number))
        except BaseException as error:  # reaches the caller through `take`
            queue.stop(error)

    threads = [
        threading.Thread(target=work, name=f"chips-{i}", daemon=True) for i in range(n_workers)
    ]
    with _one_thread_each():
        for thread in threads:
            thread.start()
        try:
            for number in range(n_batches):
                yield queue.take(number)
        finally:
            queue.stop()
            for thread in threads:
                thread.join()


_loading = threading.Lock()
_n_loading = 0
_threads_before = 0


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Keep OpenCV, which has one setting for the process, from threads within our threads."""
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
