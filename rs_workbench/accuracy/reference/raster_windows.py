"""Windows of label rasters: how to cut them, and reading them ahead of their use."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.reference.raster_labels import LabelReader, LabelSource
from rs_workbench.raster_scene import Scene

Window = tuple[int, int, int, int]
"""(row, col, height, width), px."""

_WINDOW_BYTES = 16 << 20
_AHEAD = 4


def list_windows(scenes: Sequence[Scene], *, side: int = 1024, item: int = 1) -> list[Window]:
    """Cut a raster into windows that respect how it and another are stored.

    Parameters
    ----------
    scenes : sequence of Scene
        The first gives the size; all of them the blocks in which files are stored.
    side : int
        Side of the windows, px, where files are stored in tiles and memory allows.

    item : int
        Bytes of memory that a pixel takes at least.

    Returns
    -------
    list of tuple of int, (row, col, height, width)
        In reading order, together the whole raster.
    """
    height, width = scenes[0].shape
    item = max(item, *(np.dtype(s.dtypes[0]).itemsize for s in scenes))
    budget = _WINDOW_BYTES // item
    # Whole blocks, since cutting one across would decode it twice.
    block_rows = max(min(s.block[0], height) for s in scenes)
    block_cols = max(min(s.block[1], width) for s in scenes)
    if block_cols == width:
        rows = max(1, budget // width // block_rows) * block_rows
    else:
        rows = max(1, min(side, budget // block_cols) // block_rows) * block_rows
    cols = max(1, min(side, budget // rows) // block_cols) * block_cols
    return [
        (row, col, min(rows, height - row), min(cols, width - col))
        for row in range(0, height, rows)
        for col in range(0, width, cols)
    ]


def intersect(a: Window, b: Window) -> Window | None:
    """Find what two windows have in common.

    Parameters
    ----------
    a, b : tuple of int, (row, col, height, width)
        Windows of one raster.

    Returns
    -------
    tuple of int or None
        None where it is nothing.
    """
    top, left = max(a[0], b[0]), max(a[1], b[1])
    height = min(a[0] + a[2], b[0] + b[2]) - top
    width = min(a[1] + a[3], b[1] + b[3]) - left
    return (top, left, height, width) if height > 0 and width > 0 else None


@contextmanager
def reading_ahead(
    source: LabelSource, windows: Sequence[Window | None]
) -> Iterator[Iterator[NDArray[np.uint8] | None]]:
    """Read in a thread of its own, never more than a few windows ahead.

    Parameters
    ----------
    source : LabelSource
        The raster.
    windows : sequence of tuple of int or None
        Windows; None gives None.

    Yields
    ------
    iterator of ndarray of uint8, shape (height, width), or None
        Codes, in order.
    """
    reader, waiting = LabelReader(source), deque[Future[NDArray[np.uint8] | None]]()
    pool = ThreadPoolExecutor(1, thread_name_prefix=source.role)

    def read(window: Window | None) -> NDArray[np.uint8] | None:
        return None if window is None else reader.read(window)

    def results() -> Iterator[NDArray[np.uint8] | None]:
        for window in windows:
            waiting.append(pool.submit(read, window))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    try:
        yield results()
    finally:
        for future in waiting:
            future.cancel()
        pool.submit(reader.close)
        pool.shutdown()


def iter_map(source: LabelSource, windows: Sequence[Window]) -> Iterator[NDArray[np.uint8]]:
    """Read one raster, window by window.

    Parameters
    ----------
    source : LabelSource
        The raster.
    windows : sequence of tuple of int
        Windows.

    Yields
    ------
    ndarray of uint8, shape (height, width)
        Codes.
    """
    with reading_ahead(source, windows) as read:
        for codes in read:
            assert codes is not None
            yield codes
