"""View a scene at another pixel size, and bring its map back to the scene's own grid.

Down, a new pixel is the mean of what it covers, as a coarser sensor would see it; up, values are
interpolated linearly. Weights depend on the position in the scene only, not on the window read, so
that neighbouring tiles agree; invalid pixels have weight zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from rs_workbench.errors import SceneError
from rs_workbench.raster_scene import Scene
from rs_workbench.types import Mask, Pixels
from tiling.windows import Window

if TYPE_CHECKING:
    from rs_workbench.raster_reader import ScenePixels

Result = tuple[Pixels, Mask, NDArray[np.bool_] | None]

_CHUNK = 256
_SOURCE_BYTES = 32 * 2**20


def at_pixel_size(scene: Scene, pixel_size: float) -> Scene:
    """View a scene at another pixel size.

    Parameters
    ----------
    scene : Scene
        What `open_scene` returned.
    pixel_size : float
        Side of a pixel on the ground, m.

    Returns
    -------
    Scene
        Its `native` is the scene given. Pixels are read as float32 and resampled on the fly.

    Raises
    ------
    SceneError
        If the scene's pixel size on the ground is unknown, or the new pixels would be larger
        than the scene.
    """
    if scene.pixel_size is None:
        raise SceneError(
            f"'{scene.name}' cannot be resampled to {pixel_size:g} m, because the size of its "
            "pixels on the ground is unknown: leave out --match-pixel-size"
        )
    rows, cols = pixel_size / scene.pixel_size[0], pixel_size / scene.pixel_size[1]
    shape = math.ceil(scene.shape[0] / rows - 1e-6), math.ceil(scene.shape[1] / cols - 1e-6)
    if rows > scene.shape[0] and cols > scene.shape[1]:
        raise SceneError(
            f"'{scene.name}' is smaller than one pixel of {pixel_size:g} m "
            f"({scene.shape[0]} x {scene.shape[1]} pixels of {scene.pixel_size[0]:g} m): "
            "check the pixel size in the model's card"
        )
    assert scene.transform is not None
    return replace(
        scene,
        shape=shape,
        dtype="float32",
        transform=scene.transform * Affine.scale(cols, rows),
        pixel_size=(pixel_size, pixel_size),
        native=scene.native or scene,
        zoom=(rows, cols),
    )


def axis_weights(start: int, count: int, zoom: float, size: int) -> tuple[int, NDArray[Any]]:
    """Weights by which samples along one axis become new ones.

    Parameters
    ----------
    start, count : int
        New samples wanted.
    zoom : float
        Old samples that one new sample stands for.
    size : int
        Number of old samples there are.

    Returns
    -------
    first : int
        First old sample needed.
    weights : ndarray of float32, shape (count, n)
        Each row sums to 1.

    Examples
    --------
    >>> axis_weights(0, 2, 1.5, 3)[1].round(2).tolist()
    [[0.67, 0.33, 0.0], [0.0, 0.33, 0.67]]
    """
    new = np.arange(start, start + count, dtype=np.float64)
    if zoom >= 1:
        low, high = new * zoom, np.minimum((new + 1) * zoom, size)
        first, stop = int(low[0]), min(size, math.ceil(high[-1] - 1e-9))
        old = np.arange(first, stop)
        overlap = np.minimum(high[:, None], old + 1) - np.maximum(low[:, None], old)
        weights = np.clip(overlap, 0, None)
    else:
        centre = np.clip((new + 0.5) * zoom - 0.5, 0, size - 1)
        first, stop = int(centre[0]), min(size, int(centre[-1]) + 2)
        old = np.arange(first, stop)
        weights = np.clip(1 - np.abs(centre[:, None] - old), 0, None)
    weights /= weights.sum(axis=1, keepdims=True)
    return first, weights.astype(np.float32)


def read_resampled(read: Callable[[Window], ScenePixels], scene: Scene, window: Window) -> Result:
    """Read a window of a view at another pixel size.

    Parameters
    ----------
    read : callable
        Reads a window of the scene's own grid.
    scene : Scene
        What `at_pixel_size` returned.
    window : Window
        Rectangle in pixels of the view.

    Returns
    -------
    pixels : ndarray of float32, shape (B, H, W)
        Weighted means of the valid pixels.
    valid : ndarray of bool, shape (H, W)
        True where at least half of what the new pixel covers is valid.
    missing : ndarray of bool, shape (B, H, W), or None
        Valid pixels that lack some bands.
    """
    assert scene.native is not None
    parts: list[Result] = []
    for start, count in _row_chunks(scene, window):
        row, row_weights = axis_weights(start, count, scene.zoom[0], scene.native.shape[0])
        columns = []
        for left, n_cols in _chunks(window.col, window.width, _CHUNK):
            col, col_weights = axis_weights(left, n_cols, scene.zoom[1], scene.native.shape[1])
            source = read(Window(row, col, row_weights.shape[1], col_weights.shape[1]))
            columns.append(_average(source, row_weights, col_weights))
        parts.append(_join(columns, axis=-1))
    return _join(parts, axis=-2)


def _chunks(start: int, count: int, step: int) -> Iterator[tuple[int, int]]:
    for offset in range(0, count, step):
        yield start + offset, min(step, count - offset)


def _row_chunks(scene: Scene, window: Window) -> Iterator[tuple[int, int]]:
    """Cut the window into rows whose source pixels fit a fixed budget."""
    width = min(window.width, _CHUNK) * max(1.0, scene.zoom[1])
    row_bytes = width * max(1.0, scene.zoom[0]) * scene.count * 4
    return _chunks(window.row, window.height, max(1, min(_CHUNK, int(_SOURCE_BYTES / row_bytes))))


def _average(source: ScenePixels, rows: NDArray[Any], cols: NDArray[Any]) -> Result:
    pixels = source.pixels.astype(np.float32)
    whole = source.valid.all() and source.missing is None
    if whole:
        valid = np.ones((len(rows), len(cols)), bool)
        return rows @ pixels @ cols.T, valid, None
    present = np.broadcast_to(source.valid, pixels.shape)
    if source.missing is not None:
        present = present & ~source.missing
    share = rows @ present.astype(np.float32) @ cols.T
    total = rows @ np.where(present, pixels, np.float32(0)) @ cols.T
    valid = rows @ source.valid.astype(np.float32) @ cols.T >= 0.5
    lacking = (share < 1e-6) & valid
    mean = total / np.maximum(share, np.float32(1e-6))
    return mean, valid, lacking if lacking.any() else None


def _join(parts: list[Result], axis: int) -> Result:
    if len(parts) == 1:
        return parts[0]
    pixels = np.concatenate([p[0] for p in parts], axis=axis)
    valid = np.concatenate([p[1] for p in parts], axis=axis)
    if all(p[2] is None for p in parts):
        return pixels, valid, None
    missing = [np.zeros(p[0].shape, bool) if p[2] is None else p[2] for p in parts]
    return pixels, valid, np.concatenate(missing, axis=axis)


def native_index(size: int, zoom: float, new_size: int) -> NDArray[np.intp]:
    """Say which sample of the view lies at the centre of each sample of the scene's own grid.

    Parameters
    ----------
    size, new_size : int
        Samples of the own grid and of the view.
    zoom : float
        Samples of the own grid that one sample of the view stands for.

    Returns
    -------
    ndarray of int, shape (size,)
        Positions in the view.
    """
    position = ((np.arange(size) + 0.5) / zoom).astype(np.intp)
    return np.minimum(position, new_size - 1)
