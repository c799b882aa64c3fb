"""Reduced views of rasters of any size, and class maps strip by strip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.features import shapes
from rasterio.windows import Window as RasterWindow

from rs_workbench.errors import SceneError
from rs_workbench.raster_gdal import GDAL_ERRORS, gdal_settings, open_dataset, read_bands, reason
from rs_workbench.raster_reader import SceneReader
from rs_workbench.raster_scene import Scene, describe_raster
from rs_workbench.types import LabelMap, Mask, Pixels

Ring = Sequence[tuple[float, float]]

_DECODE_LIMIT = 600_000_000
"""Values that a view may decode; beyond it, a scene without overviews has no view."""


def reduced_shape(shape: tuple[int, int], max_height: int, max_width: int) -> tuple[int, int]:
    """Fit a shape into a box, keeping its proportions.

    Parameters
    ----------
    shape : tuple of int, (H, W)
        Size in pixels.
    max_height, max_width : int
        The box.

    Returns
    -------
    tuple of int, (H, W)
        At least 1 x 1, and no larger than `shape`.

    Examples
    --------
    >>> reduced_shape((1000, 4000), 500, 500)
    (125, 500)
    """
    factor = min(1.0, max_height / shape[0], max_width / shape[1])
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def read_map(path: str | Path, shape: tuple[int, int]) -> LabelMap:
    """Read a class map, reduced by majority.

    Parameters
    ----------
    path : str or Path
        The map.
    shape : tuple of int, (H, W)
        Size wanted.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        Classes.

    Raises
    ------
    SceneError
        If the map cannot be read.
    """
    labels: LabelMap = _read(describe_raster(path), [1], shape, Resampling.mode)[0]
    return labels


def read_view(
    scene: Scene, bands: Sequence[int], shape: tuple[int, int]
) -> tuple[Pixels, Mask] | None:
    """Read bands of a scene, reduced by averaging.

    Parameters
    ----------
    scene : Scene
        What `open_scene` returned.
    bands : sequence of int
        Counted from 1.
    shape : tuple of int, (H, W)
        Size wanted.

    Returns
    -------
    pixels : ndarray, shape (B, H, W)
        As stored.
    valid : ndarray of bool, shape (H, W)
        False where there is no data.
        None instead of both where the scene is huge and has no overviews.

    Raises
    ------
    SceneError
        If the scene cannot be read.
    """
    scene = scene.native or scene
    if not scene.overviews and len(bands) * scene.shape[0] * scene.shape[1] > _DECODE_LIMIT:
        return None
    method = Resampling.average if shape != scene.shape else Resampling.nearest
    indexes = [*bands, scene.alpha] if scene.alpha and scene.alpha not in bands else list(bands)
    pixels = _read(scene, indexes, shape, method)
    # The rules for valid pixels are the reader's own.
    judge = SceneReader(scene, bands)
    valid, missing = judge.judge(pixels[: len(bands)])
    if len(indexes) > len(bands):
        valid &= pixels[-1] > 0
    if missing is not None:
        valid &= ~missing.any(axis=0)
    return pixels[: len(bands)], valid


def _read(
    scene: Scene, bands: Sequence[int], shape: tuple[int, int], method: Resampling
) -> NDArray[Any]:
    out = np.empty((len(bands), *shape), scene.dtype)
    try:
        with gdal_settings(), open_dataset(scene.path) as dataset:
            read_bands(dataset, bands, out, resampling=method)
    except GDAL_ERRORS as error:
        raise SceneError(f"'{scene.path}' cannot be read ({reason(error)})") from error
    return out


def map_strips(path: str | Path, rows: int) -> Iterator[tuple[int, LabelMap]]:
    """Read a class map strip by strip.

    Parameters
    ----------
    path : str or Path
        The map.
    rows : int
        Height of a strip, px.

    Yields
    ------
    row : int
        First row of the strip.
    strip : ndarray of uint8, shape (h, W)
        Its classes.
    """
    with gdal_settings(), open_dataset(str(path)) as dataset:
        for row in range(0, dataset.height, rows):
            height = min(rows, dataset.height - row)
            yield row, dataset.read(1, window=RasterWindow(0, row, dataset.width, height))


def outline(labels: LabelMap, mask: Mask) -> Iterator[tuple[list[Ring], int]]:
    """Trace the borders of connected pixels of one class.

    Parameters
    ----------
    labels : ndarray of uint8, shape (H, W)
        Classes.
    mask : ndarray of bool, shape (H, W)
        Pixels to trace; pixels are connected at their sides only.

    Yields
    ------
    rings : list of sequences of (x, y)
        Outer ring, then holes, in pixels.
    value : int
        Class.
    """
    for geometry, value in shapes(labels, mask=mask, connectivity=4):
        yield geometry["coordinates"], int(value)
