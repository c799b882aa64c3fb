"""The streaming engine: read -> batch -> predict -> stitch -> rows out.

A scene is worked through panel by panel (groups of tile columns) and, inside a panel, strip by
strip (one row of tiles). What is held at any moment is bounded by the panel, never by the scene.
The engine knows no file and no framework: everything it does to the world is a callable of
`Stages`.

Each strip is batched by itself, so a run that starts again at strip k computes the very same
batches as one that was never stopped.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tiling.blend import Taper, ramp_weights
from tiling.pipeline import run_stages
from tiling.windows import Grid, Span, Window, make_grid

Array: TypeAlias = NDArray[Any]
Mask: TypeAlias = NDArray[np.bool_]
Layers: TypeAlias = tuple[Array, ...]


class Strip(NamedTuple):
    """One row of tiles inside one panel.

    `number` counts the strips of a run. `rows` and `cols` are what it writes, [first, last), in
    scene pixels. `tiles` are the columns of the grid that it computes; in blending they are one
    more at each side than it writes.
    """

    number: int
    row: Span
    tiles: tuple[Span, ...]
    rows: tuple[int, int]
    cols: tuple[int, int]
    continues: bool
    """Whether it mixes with the strip before it."""


@dataclass(frozen=True)
class Stages:
    """What the engine does to the world.

    read(window) gives pixels (B, h, w) of any dtype and valid (h, w).
    prepare(pixels, valid, out) writes the scaled tile into out (B, h, w) float32.
    predict(batch (N, B, h, w)) gives scores (N, K, h, w).
    finish(scores (K, h, w), valid (h, w)) gives the output layers, each (C, h, w).
    blank(h, w) gives the same layers where there is nothing to predict.
    write(strip, window, layers, skipped) takes finished rows; `skipped` counts empty tiles.
    reading() is a context in which all reading happens, for what belongs to one thread.

    read and prepare run in the reader's thread, finish, blank and write in the writer's.
    """

    read: Callable[[Window], tuple[Array, Mask]]
    prepare: Callable[[Array, Mask, Array], None]
    predict: Callable[[Array], Array]
    finish: Callable[[Array, Mask], Layers]
    blank: Callable[[int, int], Layers]
    write: Callable[[Strip, Window, Layers, int], None]
    reading: Callable[[], AbstractContextManager[Any]] = nullcontext


class _Begin(NamedTuple):
    strip: Strip
    valid: Mask
    kept: bool


class _Tiles(NamedTuple):
    spans: tuple[Span, ...]
    batch: Array


class _End(NamedTuple):
    skipped: int


def list_strips(grid: Grid, panels: Sequence[range] | None = None) -> list[Strip]:
    """List the strips of a grid in the order in which they are worked on.

    Parameters
    ----------
    grid : Grid
        Tiles of the scene.
    panels : sequence of range, optional
        Indexes of tile columns, panel by panel (`cut_panels`); one panel without it.

    Returns
    -------
    list of Strip
        Their windows are disjoint and cover the scene.
    """
    strips: list[Strip] = []
    extra = 1 if grid.ramp else 0
    for panel in panels or [range(len(grid.cols))]:
        first, last = panel[0], panel[-1]
        tiles = grid.cols[max(first - extra, 0) : last + 1 + extra]
        cols = (grid.cols[first].core_start, grid.cols[last].core_stop)
        for i, row in enumerate(grid.rows):
            start = row.core_start - (grid.ramp if i else 0)
            stop = row.core_stop - (grid.ramp if i < len(grid.rows) - 1 else 0)
            strips.append(Strip(len(strips), row, tiles, (start, stop), cols, bool(extra and i)))
    return strips


def slide(
    grid: Grid,
    stages: Stages,
    *,
    panels: Sequence[range] | None = None,
    batch: int = 1,
    taper: Taper = "hann",
    first: int = 0,
    row_step: int = 1,
) -> None:
    """Slide a model over a scene, strip by strip.

    Parameters
    ----------
    grid : Grid
        Tiles; its `ramp` chooses between centre crop (0) and blending.
    stages : Stages
        Reading, predicting and writing.
    panels : sequence of range, optional
        Panels of tile columns; they change memory and speed, never the result.
    batch : int, default 1
        Most tiles a call of predict.
    taper : {'hann', 'gaussian'}
        Shape of the ramp in blending.
    first : int, default 0
        Number of the strip to start at.
    row_step : int, default 1
        Rows are read in multiples of this, the height of the file's blocks.
    """
    todo = list_strips(grid, panels)
    again = first < len(todo) and todo[first].continues  # blending needs the strip before, too
    todo = todo[first - again :]
    stitcher = _Stitcher(grid, stages, taper)
    feed = _Feed(grid, stages, batch=batch, row_step=row_step, first=first)

    def work(item: _Begin | _Tiles | _End) -> _Begin | _Tiles | _End:
        if not isinstance(item, _Tiles):
            return item
        scores = stages.predict(item.batch)
        feed.recycle(item.batch, scores)
        return item._replace(batch=scores)

    run_stages(feed.items(todo), work, stitcher.take)


class _Feed:
    """Reads strips and makes their batches; lives in the reader's thread.

    Buffers are kept and used again: memory stays flat, and none of it is handed to and fro
    between this process and the operating system.
    """

    def __init__(
        self, grid: Grid, stages: Stages, *, batch: int, row_step: int, first: int
    ) -> None:
        self.grid, self.stages = grid, stages
        self.batch, self.row_step, self.first = batch, row_step, first
        self.spare: queue.SimpleQueue[Array] = queue.SimpleQueue()

    def items(self, strips: Sequence[Strip]) -> Iterator[_Begin | _Tiles | _End]:
        """Give out each strip as a _Begin, its batches and an _End."""
        with self.stages.reading():
            widest = max((s.tiles[-1].stop - s.tiles[0].start for s in strips), default=0)
            rows = _Rows(self.stages.read, self.grid, self.row_step, widest)
            for _, panel in groupby(strips, key=lambda strip: strip.cols):
                rows.forget()
                for strip in panel:
                    yield from self._strip(strip, rows)

    def _strip(self, strip: Strip, rows: _Rows) -> Iterator[_Begin | _Tiles | _End]:
        grid, left = self.grid, strip.tiles[0].start
        pixels, valid = rows.take(strip)
        yield _Begin(strip, valid.copy(), strip.number >= self.first)
        needed = [span for span in strip.tiles if _holds_data(valid, strip.row, span, grid, left)]
        for i in range(0, len(needed), self.batch):
            spans = tuple(needed[i : i + self.batch])
            yield _Tiles(spans, self._stack(spans, pixels, valid, left))
        yield _End(len(strip.tiles) - len(needed))

    def _stack(self, spans: Sequence[Span], pixels: Array, valid: Mask, left: int) -> Array:
        tile = self.grid.tile
        batch = self._spare_batch(pixels.shape[0])[: len(spans)]
        for out, span in zip(batch, spans, strict=True):
            cut = slice(span.start - left, span.stop - left)
            part, mask = pixels[:, :, cut], valid[:, cut]
            short = [(0, want - have) for want, have in zip(tile, mask.shape, strict=True)]
            if any(after for _, after in short):  # beyond the scene there is no data
                part, mask = np.pad(part, [(0, 0), *short]), np.pad(mask, short)
            self.stages.prepare(part, mask, out)
        return batch

    def _spare_batch(self, n_bands: int) -> Array:
        try:
            return self.spare.get_nowait()
        except queue.Empty:
            return np.empty((self.batch, n_bands, *self.grid.tile), np.float32)

    def recycle(self, batch: Array, scores: Array) -> None:
        """Take back a batch that has been predicted, unless the scores are a view of it."""
        whole = batch if batch.base is None else batch.base
        if len(whole) == self.batch and not np.may_share_memory(whole, scores):
            self.spare.put(whole)


def _holds_data(valid: Mask, row: Span, col: Span, grid: Grid, left: int) -> bool:
    """Whether any pixel that this tile has a say in is valid."""
    top, bottom = row.core_start - grid.ramp - row.start, row.core_stop + grid.ramp - row.start
    first, last = col.core_start - grid.ramp - left, col.core_stop + grid.ramp - left
    return bool(valid[max(top, 0) : bottom, max(first, 0) : last].any())


class _Rows:
    """Rows of one panel: each read once, kept as long as a tile needs them."""

    def __init__(
        self,
        read: Callable[[Window], tuple[Array, Mask]],
        grid: Grid,
        step: int,
        widest: int,
    ) -> None:
        self.read, self.shape, self.step = read, grid.shape, step
        self.start = self.stop = -1
        self.capacity = min(grid.tile[0] + 2 * step, grid.shape[0]), min(widest, grid.shape[1])
        self.pixels = np.empty((0, 0, 0), np.uint8)
        self.valid = np.empty(self.capacity, np.bool_)

    def forget(self) -> None:
        """Begin a new panel in the same buffer."""
        self.start = self.stop = -1

    def take(self, strip: Strip) -> tuple[Array, Mask]:
        """Give the rows and columns of a strip, good until the next call."""
        start, stop = strip.row.start, min(strip.row.stop, self.shape[0])
        cols = strip.tiles[0].start, min(strip.tiles[-1].stop, self.shape[1])
        if self.stop < 0:
            self.start = self.stop = start // self.step * self.step
        elif stop > self.stop:
            self._drop(start)
        while self.stop < stop:
            self._read_on(*cols)
        rows, width = slice(start - self.start, stop - self.start), cols[1] - cols[0]
        return self.pixels[:, rows, :width], self.valid[rows, :width]

    def _drop(self, start: int) -> None:
        """Move the rows still needed to the top of the buffer."""
        kept = slice(start - self.start, self.stop - self.start)
        self.pixels[:, : self.stop - start] = self.pixels[:, kept]
        self.valid[: self.stop - start] = self.valid[kept]
        self.start = start

    def _read_on(self, left: int, right: int) -> None:
        height = min(self.step, self.shape[0] - self.stop)
        pixels, valid = self.read(Window(self.stop, left, height, right - left))
        self._fit(pixels)
        first = self.stop - self.start
        place = slice(first, first + height), slice(0, right - left)
        self.pixels[:, *place], self.valid[place] = pixels, valid
        self.stop += height

    def _fit(self, pixels: Array) -> None:
        """Make the buffer, or widen its type where later pixels need more."""
        if not self.pixels.size:
            self.pixels = np.empty((len(pixels), *self.capacity), pixels.dtype)
        dtype = np.result_type(self.pixels, pixels)
        if dtype != self.pixels.dtype:
            self.pixels = self.pixels.astype(dtype)


class _Stitcher:
    """Joins scored tiles to strips and writes them; lives in the writer's thread."""

    def __init__(self, grid: Grid, stages: Stages, taper: Taper) -> None:
        self.grid, self.stages = grid, stages
        self.weights = ramp_weights(2 * grid.ramp, taper)
        self.begin: _Begin
        self.layers: Layers = ()
        self.scores: Array | None = None
        self.tail: Array | None = None

    def take(self, item: _Begin | _Tiles | _End) -> None:
        if isinstance(item, _Begin):
            self._start(item)
        elif isinstance(item, _Tiles):
            for span, scores in zip(item.spans, item.batch, strict=True):
                (self._mix if self.grid.ramp else self._crop)(span, scores)
        else:
            self._write(item)

    def _start(self, begin: _Begin) -> None:
        strip, self.begin, self.scores = begin.strip, begin, None
        height, width = strip.rows[1] - strip.rows[0], strip.cols[1] - strip.cols[0]
        self.layers = self.stages.blank(height, width)

    def _crop(self, span: Span, scores: Array) -> None:
        """Paste the core of one tile."""
        row, left = self.begin.strip.row, self.begin.strip.cols[0]
        rows = slice(row.core_start - row.start, row.core_stop - row.start)
        cols = slice(span.core_start - span.start, span.core_stop - span.start)
        first = span.core_start - self.begin.strip.tiles[0].start
        valid = self.begin.valid[rows, first : first + cols.stop - cols.start]
        out = slice(span.core_start - left, span.core_stop - left)
        for layer, part in zip(
            self.layers, self.stages.finish(scores[:, rows, cols], valid), strict=True
        ):
            layer[..., out] = part

    def _mix(self, span: Span, scores: Array) -> None:
        """Interpolate one tile into the scores of the strip, along columns."""
        top, bottom = self._support_rows()
        row, (left, right) = self.begin.strip.row, self.begin.strip.cols
        if self.scores is None:
            self.scores = np.zeros((len(scores), bottom - top, right - left), np.float32)
        scores = scores[:, top - row.start : bottom - row.start]
        inner = 0 if span.core_start == 0 else self.grid.ramp
        for first, last, weights in (
            (span.core_start - inner, span.core_start + inner, self.weights),
            (span.core_start + inner, span.core_stop + self.grid.ramp, None),
        ):
            a, b = max(first, left), min(last, right, span.stop)
            if a >= b:
                continue
            target = self.scores[:, :, a - left : b - left]
            source = scores[:, :, a - span.start : b - span.start]
            if weights is None:
                target[...] = source
            else:
                target += weights[a - first : b - first] * (source - target)

    def _support_rows(self) -> tuple[int, int]:
        """Rows in which this strip has a say, rim to rim or ramp to ramp."""
        row, ramp = self.begin.strip.row, self.grid.ramp
        return max(row.core_start - ramp, 0), min(row.core_stop + ramp, self.grid.shape[0])

    def _write(self, end: _End) -> None:
        strip = self.begin.strip
        if self.grid.ramp:
            self._finish_mixed()
        if self.begin.kept:
            window = Window(
                strip.rows[0],
                strip.cols[0],
                strip.rows[1] - strip.rows[0],
                strip.cols[1] - strip.cols[0],
            )
            self.stages.write(strip, window, self.layers, end.skipped)

    def _finish_mixed(self) -> None:
        """Interpolate with the strip before, along rows; keep what the next one will mix with."""
        strip, zone = self.begin.strip, 2 * self.grid.ramp
        top, bottom = self._support_rows()
        if self.scores is None and self.tail is not None and strip.continues:
            shape = (len(self.tail), bottom - top, self.tail.shape[2])
            self.scores = np.zeros(shape, np.float32)
        if self.scores is None:
            self.tail = None
            return
        if strip.continues:
            head = self.scores[:, :zone]
            tail = np.zeros_like(head) if self.tail is None else self.tail
            weights = self.weights[: head.shape[1], None]
            head[...] = tail + weights * (head - tail)
        height = strip.rows[1] - strip.rows[0]
        row = strip.row
        first = strip.cols[0] - strip.tiles[0].start
        valid = self.begin.valid[top - row.start :, first : first + self.scores.shape[2]]
        parts = self.stages.finish(self.scores[:, :height], valid[:height])
        for layer, part in zip(self.layers, parts, strict=True):
            layer[...] = part
        self.tail = self.scores[:, height:].copy() if bottom > strip.rows[1] else None


def predict_array(
    image: Array,
    predict: Callable[[Array], Array],
    *,
    tile: int,
    margin: int,
    stride: int = 1,
    batch: int = 1,
) -> Array:
    """Slide a model over an image that is in memory, by centre crop.

    Parameters
    ----------
    image : ndarray of float32, shape (B, H, W)
        Scaled pixels.
    predict : callable
        (N, B, h, w) to (N, K, h, w).
    tile, margin, stride : int
        See `cut_spans`.
    batch : int, default 1
        Most tiles a call.

    Returns
    -------
    ndarray of float32, shape (K, H, W)
        Scores; equal to those of one whole-image pass if `margin` is at least the network's
        reach.

    Examples
    --------
    >>> image = np.arange(30, dtype=np.float32).reshape(1, 5, 6)
    >>> scores = predict_array(image, lambda batch: 2 * batch, tile=4, margin=1)
    >>> bool((scores == 2 * image).all())
    True
    """
    grid = make_grid((image.shape[1], image.shape[2]), tile, margin=margin, stride=stride)
    places = [(row, col) for row in grid.rows for col in grid.cols]
    result: Array | None = None
    for i in range(0, len(places), batch):
        tiles = [_padded(image, row, col) for row, col in places[i : i + batch]]
        for (row, col), scores in zip(places[i:], predict(np.stack(tiles)), strict=False):
            if result is None:
                result = np.empty((len(scores), *grid.shape), np.float32)
            core = scores[
                :,
                row.core_start - row.start : row.core_stop - row.start,
                col.core_start - col.start : col.core_stop - col.start,
            ]
            result[:, row.core_start : row.core_stop, col.core_start : col.core_stop] = core
    assert result is not None
    return result


def _padded(image: Array, row: Span, col: Span) -> Array:
    tile = image[:, row.start : row.stop, col.start : col.stop]
    short = (row.stop - row.start - tile.shape[1], col.stop - col.start - tile.shape[2])
    return np.pad(tile, [(0, 0), (0, short[0]), (0, short[1])]) if any(short) else tile
