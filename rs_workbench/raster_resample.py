"""View a scene at another pixel size, and bring its map back to the scene's own grid.

Down, a new pixel is the mean of what it covers, as a coarser sensor would see it; up, values are
interpolated linearly. Weights depend on the position in the scene only, not on the window read, so
that neighbouring tiles agree; invalid pixels have weight zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

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
    t = scene.transform
    return replace(
        scene,
        shape=shape,
        dtype="float32",
        transform=Affine(t.a * cols, t.b * rows, t.c, t.d * cols, t.e * rows, t.f),
        pixel_size=(pixel_size, pixel_size),
        native=scene.native or scene,
        zoom=(rows, cols),
    )


@dataclass(frozen=True)
class Taps:
    """How samples along one axis become new ones.

    Attributes
    ----------
    first, stop : int
        Range of old samples needed.
    indices : ndarray of int, shape (T, n)
        Old samples that each new one is made of, counted from `first`.
    weights : ndarray of float32, shape (T, n)
        Their weights, which sum to 1 for each new sample.
    """

    first: int
    stop: int
    indices: NDArray[np.intp]
    weights: NDArray[np.float32]

    def apply(self, values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
        """Resample along one of the last two axes: -2 for rows, -1 for columns."""
        rows = axis == -2
        result: NDArray[np.float32] | None = None
        for index, weight in zip(self.indices, self.weights, strict=True):
            picked = values[..., index, :] if rows else np.take(values, index, axis=-1)
            picked *= weight[:, None] if rows else weight
            result = picked if result is None else np.add(result, picked, out=result)
        assert result is not None
        return result


def axis_taps(start: int, count: int, zoom: float, size: int) -> Taps:
    """Say which old samples make which new ones along one axis.

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
    Taps
        Shares of the area covered where `zoom` is at least 1, else linear interpolation.

    Examples
    --------
    >>> (6 * axis_taps(0, 2, 1.5, 3).weights.T).round().tolist()
    [[4.0, 2.0, 0.0], [2.0, 4.0, 0.0]]
    """
    new = np.arange(start, start + count, dtype=np.float64)
    if zoom >= 1:
        low, high = new * zoom, np.minimum((new + 1) * zoom, size)
        n_taps = math.ceil(zoom) + 1
    else:
        centre = np.clip((new + 0.5) * zoom - 0.5, 0, size - 1)
        low, high, n_taps = centre, centre, 2
    old = np.floor(low + 1e-9).astype(np.intp) + np.arange(n_taps)[:, None]
    if zoom >= 1:
        weights = np.minimum(high, old + 1) - np.maximum(low, old)
    else:
        weights = 1 - np.abs(centre - old)
    weights = np.clip(weights, 0, None)
    weights /= weights.sum(axis=0)
    first, stop = int(old.min()), min(size, int(old[weights > 0].max()) + 1)
    indices = np.minimum(old, stop - 1) - first
    return Taps(first, stop, indices, weights.astype(np.float32))


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
    native = scene.native
    assert native is not None
    cols = axis_taps(window.col, window.width, scene.zoom[1], native.shape[1])
    parts = []
    for start, count in _row_chunks(scene, window, cols.stop - cols.first):
        rows = axis_taps(start, count, scene.zoom[0], native.shape[0])
        size = rows.stop - rows.first, cols.stop - cols.first
        parts.append(_average(read(Window(rows.first, cols.first, *size)), rows, cols))
    return _stack(parts)


def _row_chunks(scene: Scene, window: Window, width: int) -> Iterator[tuple[int, int]]:
    """Cut the window into rows whose source pixels fit a fixed budget."""
    row_bytes = width * max(1.0, scene.zoom[0]) * scene.count * 4
    step = max(1, int(_SOURCE_BYTES / row_bytes))
    for offset in range(0, window.height, step):
        yield window.row + offset, min(step, window.height - offset)


def _average(source: ScenePixels, rows: Taps, cols: Taps) -> Result:
    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return cols.apply(rows.apply(values, -2), -1)

    pixels = source.pixels.astype(np.float32)
    if source.missing is None and source.valid.all():
        found = mean(pixels)
        return found, np.ones(found.shape[1:], bool), None
    present = np.broadcast_to(source.valid, pixels.shape)
    if source.missing is not None:
        present = present & ~source.missing
    share = mean(present.astype(np.float32))
    total = mean(np.where(present, pixels, np.float32(0)))
    valid = mean(source.valid.astype(np.float32)) >= 0.5 - 1e-6
    lacking = (share < 1e-6) & valid
    found = np.divide(total, np.maximum(share, np.float32(1e-6)), dtype=np.float32)
    return found, valid, lacking if lacking.any() else None


def _stack(parts: list[Result]) -> Result:
    """Put rows of one window together again."""
    if len(parts) == 1:
        return parts[0]
    pixels = np.concatenate([p[0] for p in parts], axis=-2)
    valid = np.concatenate([p[1] for p in parts], axis=-2)
    if all(p[2] is None for p in parts):
        return pixels, valid, None
    missing = [np.zeros(p[0].shape, bool) if p[2] is None else p[2] for p in parts]
    return pixels, valid, np.concatenate(missing, axis=-2)


def native_index(size: int, zoom: float, new_size: int) -> NDArray[np.intp]:
    """Say which sample of the view lies at the centre of each sample of the scene's own grid.

    Parameters
    ----------
    size : int
        Samples of the own grid.
    zoom : float
        Samples of the own grid that one sample of the view stands for.
    new_size : int
        Samples of the view.

    Returns
    -------
    ndarray of int, shape (size,)
        Positions in the view.
    """
    position = ((np.arange(size) + 0.5) / zoom).astype(np.intp)
    return np.minimum(position, new_size - 1)
