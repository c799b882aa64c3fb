"""Batches of chips, read and augmented by threads ahead of their use.

What a batch holds depends on the settings, the epoch and its number alone: not on the number of
threads, nor on the framework.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.training.augment import augment_batch
from rs_workbench.training.chip_pixels import ChipPixels
from rs_workbench.training.chip_reader import ChipReader
from rs_workbench.training.data import TrainingData
from rs_workbench.training.learner import Labels
from rs_workbench.training.read_ahead import one_thread_each, read_ahead
from rs_workbench.types import Image
from tiling.chips import Chip, shuffle_chips
from tiling.label_index import IGNORE
from tiling.sampler import ReadLabels, Sampler, draw_chip


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
    valid : ndarray of bool, shape (N, H, W)
        False where there is no data.
    """

    images: Image
    labels: Labels
    chips: tuple[Chip, ...]
    valid: NDArray[np.bool_]


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
    found = data.statistics
    zero = (-found.mean / found.std).astype(np.float32)[:, None, None]

    def make(reader: ChipReader, number: int) -> Batch:
        places = range(number * settings.batch, (number + 1) * settings.batch)
        chips = _chips(data, epoch, places, dealt=dealt, read=reader.labels)
        read = [reader.read(chip) for chip in chips]
        seeds = [chip.seed for chip in chips]
        return _join(augment_batch(read, settings.augment, seeds=seeds, zero=zero), chips)

    yield from _read_ahead(data, make, n_batches)


def training_chips(
    data: TrainingData, epoch: int, n_chips: int, *, read: ReadLabels
) -> list[Chip]:
    """Give the first chips of an epoch.

    Parameters
    ----------
    data : TrainingData
        From `open_data`.
    epoch : int
        Another epoch has other chips.
    n_chips : int
        How many.
    read : callable
        Reads labels: ``GroundReader.labels``.

    Returns
    -------
    list of Chip
        As `training_batches` takes them.
    """
    size = data.settings.batch
    whole = -(-data.settings.chips // size) * size
    dealt = _dealt_chips(data, epoch, max(whole, n_chips))
    return _chips(data, epoch, range(n_chips), dealt=dealt, read=read)


def _chips(
    data: TrainingData,
    epoch: int,
    places: range,
    *,
    dealt: Sequence[Chip] | None,
    read: ReadLabels,
) -> list[Chip]:
    if dealt is not None:
        return [dealt[place] for place in places]
    assert isinstance(data.training, Sampler)
    return [draw_chip(data.training, place, read=read, epoch=epoch) for place in places]


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
    images, labels, valid = (np.stack(part) for part in zip(*pixels, strict=True))
    return Batch(images, labels, tuple(chips), valid)


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


def _read_ahead(data: TrainingData, make: MakeBatch, n_batches: int) -> Iterator[Batch]:
    with one_thread_each():
        yield from read_ahead(
            lambda: ChipReader(data), make, n_batches, n_workers=data.settings.workers
        )
