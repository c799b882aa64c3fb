"""Reading a cube from end to end in bounded memory, with or without a rim of neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import UsageError
from rs_workbench.spectra.cube import Cube
from rs_workbench.types import Mask
from tiling.label_index import with_rim
from tiling.windows import Window, round_up

WINDOW_BYTES = 48 * 2**20
"""What the values of one window may take, bytes."""

Where = Callable[[Window], Mask]
"""Turns a window into the pixels of it that may be used, (height, width) bool."""


class WindowPixels(NamedTuple):
    """Pixels of a window.

    Attributes
    ----------
    window : Window
        The pixels it answers for.
    values : ndarray of float64, shape (B, h, w)
        Physical values; with a rim also of the neighbours.
    valid : ndarray of bool, shape (h, w)
        Pixels that have all bands and may be used.
    inner : tuple of slice
        Where `window` lies in `values`.
    """

    window: Window
    values: NDArray[np.float64]
    valid: Mask
    inner: tuple[slice, slice]


def cube_windows(
    cube: Cube, *, side: int | None = None, window_bytes: int = WINDOW_BYTES
) -> Iterator[Window]:
    """Cut a cube into windows that cover it once.

    Parameters
    ----------
    cube : Cube
        Gives size, bands, and how pixels are stored.
    side : int, optional
        Height and width of a window, px; by default as large as the budget allows, in whole
        blocks of the file.
    window_bytes : int, optional
        Budget, bytes.

    Yields
    ------
    Window
        From top left to bottom right.

    Raises
    ------
    UsageError
        If `side` is below 1.
    """
    height, width = cube.shape
    if side is not None and side < 1:
        raise UsageError(f"a window must be at least 1 px wide: got {side}")
    rows, cols = (side, side) if side else _sides(cube, window_bytes)
    for top in range(0, height, rows):
        for left in range(0, width, cols):
            yield Window(top, left, min(rows, height - top), min(cols, width - left))


def _sides(cube: Cube, window_bytes: int) -> tuple[int, int]:
    """Whole rows where they fit, else a square; in whole blocks, unless one is too much."""
    pixels = max(window_bytes // (8 * cube.n_bands), 1)
    (height, width), (block_rows, block_cols) = cube.shape, cube.block
    if block_rows * width <= pixels:
        return max(pixels // width // block_rows, 1) * block_rows, width
    if block_rows * block_cols <= pixels:
        return block_rows, max(pixels // block_rows // block_cols, 1) * block_cols
    side = max(int(pixels**0.5), 1)
    return min(side, height), min(round_up(side, 16), width)


def read_windows(
    cube: Cube,
    *,
    rim: bool = False,
    where: Where | None = None,
    side: int | None = None,
) -> Iterator[WindowPixels]:
    """Read a cube window by window.

    Parameters
    ----------
    cube : Cube
        What to read.
    rim : bool, optional
        Read one pixel more to each side, where the scene goes on.
    where : callable, optional
        Pixels that may be used, such as those of the training part; by default all.
    side : int, optional
        Height and width of a window, px.

    Yields
    ------
    WindowPixels
        From top left to bottom right.

    Raises
    ------
    UsageError
        If `side` is below 1.
    """
    with cube.reader() as read:
        for window in cube_windows(cube, side=side):
            outer, inner = with_rim(window, cube.shape) if rim else (window, (slice(None),) * 2)
            values, valid, _, _ = read(outer)
            if where is not None:
                valid = valid & where(outer)
            yield WindowPixels(window, values, valid, inner)
