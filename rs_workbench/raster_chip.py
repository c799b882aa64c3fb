"""Chips as GeoTIFF: pixels as the scene stores them, and labels with their colours and names."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

from rs_workbench.card import LegendClass
from rs_workbench.errors import OutputError
from rs_workbench.raster_gdal import GDAL_ERRORS, gdal_settings, reason
from rs_workbench.raster_scene import Scene, crs_of
from rs_workbench.types import NODATA, LabelMap, Mask, Pixels
from tiling.windows import Window


def write_chip_image(
    path: Path,
    pixels: Pixels,
    valid: Mask,
    *,
    scene: Scene,
    bands: Sequence[int],
    window: Window,
    nodata: float | None,
) -> None:
    """Write the pixels of a chip as the scene stores them.

    Parameters
    ----------
    path : Path
        GeoTIFF.
    pixels : ndarray, shape (B, H, W)
        Pixels in the type of the scene.
    valid : ndarray of bool, shape (H, W)
        False where there is no data, and outside the scene.
    scene : Scene
        Gives georeference, names, scale and offset.
    bands : sequence of int
        Bands of the scene, from 1.
    window : Window
        Place of the chip in the scene.
    nodata : float or None
        Value of the pixels that have no data. Where there is none and some have no data, a mask
        says so.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with _writing(path, pixels, scene, window, nodata=nodata) as file:
        file.write(pixels)
        file.descriptions = tuple(scene.band_names[band - 1] for band in bands)
        file.scales = tuple(scene.scales[band - 1] for band in bands)
        file.offsets = tuple(scene.offsets[band - 1] for band in bands)
        if nodata is None and not valid.all():
            file.write_mask(valid)


def write_chip_labels(
    path: Path,
    values: LabelMap,
    *,
    scene: Scene,
    window: Window,
    classes: Sequence[LegendClass],
) -> None:
    """Write the labels of a chip with colours and names.

    Parameters
    ----------
    path : Path
        GeoTIFF.
    values : ndarray of uint8, shape (H, W)
        Values of the classes, 255 where nothing is known.
    scene : Scene
        Gives the georeference.
    window : Window
        Place of the chip in the scene.
    classes : sequence of LegendClass
        Classes.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    colors = {c.value: (*bytes.fromhex(c.color[1:]), 255) for c in classes}
    with _writing(path, values[None], scene, window, nodata=NODATA) as file:
        file.write(values, 1)
        file.colorinterp = (ColorInterp.palette,)
        file.write_colormap(1, {**colors, NODATA: (0, 0, 0, 0)})
        file.update_tags(1, **{f"class_{c.value}": c.name for c in classes})
        file.descriptions = ("class",)


@contextmanager
def _writing(
    path: Path, pixels: Pixels, scene: Scene, window: Window, *, nodata: float | None
) -> Iterator[Any]:
    place = scene.transform
    profile = {
        "driver": "GTiff",
        "dtype": str(pixels.dtype),
        "count": len(pixels),
        "height": pixels.shape[1],
        "width": pixels.shape[2],
        "nodata": nodata,
        "compress": "deflate",
        "photometric": "RGB" if len(pixels) == 3 else "MINISBLACK",  # band 4 is no alpha
    }
    if place is not None:
        profile["transform"] = _moved(place, window)
        profile["crs"] = crs_of(scene)
    if np.dtype(pixels.dtype).itemsize <= 2:
        profile["predictor"] = 2
    try:
        with gdal_settings(GDAL_TIFF_INTERNAL_MASK="YES"), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, "w", **profile) as file:
                yield file
    except (OSError, *GDAL_ERRORS) as error:
        raise OutputError(
            f"the chip '{path}' cannot be written ({reason(error)}): make room, or choose another "
            "folder"
        ) from error


def _moved(t: Affine, window: Window) -> Affine:
    """Transform of a window of a scene."""
    left = t.a * window.col + t.b * window.row + t.c
    top = t.d * window.col + t.e * window.row + t.f
    return Affine(t.a, t.b, left, t.d, t.e, top)
