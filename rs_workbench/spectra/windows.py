"""Reading a cube from end to end in bounded memory, with or without a rim of neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import UsageError
from rs_workbench.spectra.cube import Cube
from rs_workbench.types import Mask
from tiling.label_index import with_rim
from tiling.windows import Window

WINDOW_BYTES = 16 * 2**20
"""What the values of one window may take, bytes."""

Rim = Literal["none", "after", "around"]

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
    if side is not None and side < 1:
        raise UsageError(f"a window must be at least 1 px wide: got {side}")
    height, width = cube.shape
    rows, cols = (side, side) if side else _sides(cube, window_bytes)
    # Where a block is too much for one window, its strips follow one another.
    deep = rows if side else max(rows, cube.block[0])
    for top in range(0, height, deep):
        for left in range(0, width, cols):
            for row in range(top, min(top + deep, height), rows):
                bottom = min(row + rows, top + deep, height)
                yield Window(row, left, bottom - row, min(cols, width - left))


def _sides(cube: Cube, window_bytes: int) -> tuple[int, int]:
    """Whole rows of blocks where they fit, else some blocks, else a strip of one block."""
    pixels = max(window_bytes // (8 * cube.n_bands), 1)
    width, (block_rows, block_cols) = cube.shape[1], cube.block
    if block_rows * width <= pixels:
        return max(pixels // width // block_rows, 1) * block_rows, width
    if block_rows * block_cols <= pixels:
        return block_rows, max(pixels // block_rows // block_cols, 1) * block_cols
    cols = min(block_cols, pixels)
    return max(pixels // cols, 1), cols


def widen(window: Window, shape: tuple[int, int], rim: Rim) -> tuple[Window, tuple[slice, slice]]:
    """Widen a window by a rim of one pixel where the scene goes on.

    Parameters
    ----------
    window : Window
        Pixels in question.
    shape : (int, int)
        Height and width of the scene, px.
    rim : {'none', 'after', 'around'}
        No rim, one to the right and below, or one to each side.

    Returns
    -------
    outer : Window
        The wider window.
    inner : tuple of slice
        Where `window` lies in it.

    Examples
    --------
    >>> widen(Window(0, 2, 2, 2), (4, 4), "after")
    (Window(row=0, col=2, height=3, width=2), (slice(0, 2, None), slice(0, 2, None)))
    """
    if rim == "around":
        return with_rim(window, shape)
    row, col, height, width = window
    if rim == "after":
        window = Window(row, col, min(height + 1, shape[0] - row), min(width + 1, shape[1] - col))
    return window, (slice(0, height), slice(0, width))


def read_windows(
    cube: Cube,
    *,
    rim: Rim = "none",
    where: Where | None = None,
    side: int | None = None,
) -> Iterator[WindowPixels]:
    """Read a cube window by window.

    Parameters
    ----------
    cube : Cube
        What to read.
    rim : {'none', 'after', 'around'}, optional
        Read one pixel more to the right and below, or to each side, where the scene goes on.
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
            outer, inner = widen(window, cube.shape, rim)
            values, valid, _, _ = read(outer)
            if where is not None:
                valid = valid & where(outer)
            yield WindowPixels(window, values, valid, inner)
