"""What a class map itself says of its classes: names in its metadata, palette, values."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.windows import Window

from rs_workbench.accuracy.reference.legend_files import Entries, Entry, named
from rs_workbench.card import MAX_CLASS_VALUE
from rs_workbench.errors import AccuracyError
from rs_workbench.raster_gdal import GDAL_ERRORS, gdal_settings, open_dataset, reason
from rs_workbench.raster_scene import describe_raster

_TAG = re.compile(r"class_(\d+)", re.IGNORECASE)
_WINDOW_PIXELS = 1 << 22


def read_inside(map_path: str | Path) -> tuple[tuple[float, ...], Entries]:
    """Read nodata, names and palette from the file of a map.

    Parameters
    ----------
    map_path : str or Path
        The map.

    Returns
    -------
    nodata : tuple of float
        Declared nodata values of the first band.
    entries : dict of int to Entry
        Names from ``class_<value>`` tags and colours from the palette.

    Raises
    ------
    SceneError
        If it cannot be opened.
    """
    scene = describe_raster(map_path)
    with gdal_settings(), open_dataset(scene.path) as dataset:
        names = _tagged(dataset.tags(1)) or _tagged(dataset.tags())
        colors = _palette(dataset)
    nodata = () if scene.nodata[0] is None else (scene.nodata[0],)
    entries = {
        v: named(names.get(v), colors.get(v)) if v in names else Entry(color=colors[v])
        for v in {*names, *colors}
    }
    return nodata, entries


def _tagged(tags: dict[str, str]) -> dict[int, str]:
    found = ((_TAG.fullmatch(key), name) for key, name in tags.items())
    return {int(match[1]): name for match, name in found if match and name.strip()}


def _palette(dataset: rasterio.DatasetReader) -> dict[int, str]:
    try:
        colors = dataset.colormap(1)
    except (ValueError, RasterioError):
        return {}
    opaque = {v: c for v, c in colors.items() if c[3] != 0}
    return {v: "#" + "".join(f"{part:02x}" for part in c[:3]) for v, c in opaque.items()}


def read_values(map_path: str | Path, *, nodata: Collection[float] = ()) -> list[int]:
    """Find the values of a map in one pass over its pixels, in bounded memory.

    Parameters
    ----------
    map_path : str or Path
        The map.
    nodata : collection of float
        Values that mean no class, beside the declared one.

    Returns
    -------
    list of int
        In order; masked pixels, nodata and 255 in bytes without declared nodata left out.

    Raises
    ------
    AccuracyError
        If it holds fractions, infinity, complex numbers or too many values to be a class map, or
        cannot be read.
    """
    scene, found = describe_raster(map_path), np.zeros(0)
    if scene.dtypes[0].startswith("complex"):
        raise AccuracyError(f"'{scene.name}' holds complex values: give a map of classes")
    with gdal_settings(), open_dataset(scene.path) as dataset:
        for pixels in _valid_pixels(dataset, scene.name):
            found = np.union1d(found, pixels[~np.isin(pixels, list(nodata))])
            _refuse_measurements(found, scene.name)
    return [int(v) for v in found]


def _refuse_measurements(values: NDArray[Any], name: str) -> None:
    fractions = values[(values != np.rint(values)) | np.isinf(values)]
    if fractions.size:
        raise AccuracyError(
            f"'{name}' is no class map, since it holds {fractions[0]:g}: classes are whole "
            "numbers; round the map or give another one"
        )
    if values.size > MAX_CLASS_VALUE + 1:
        raise AccuracyError(
            f"'{name}' is no class map, since it holds more than {MAX_CLASS_VALUE + 1} different "
            f"values, such as {values[0]:g} and {values[-1]:g}: classify it first, or give "
            "another file"
        )


def _valid_pixels(dataset: rasterio.DatasetReader, name: str) -> Iterator[NDArray[Any]]:
    undeclared = dataset.dtypes[0] == "uint8" and dataset.nodata is None
    rows = max(1, _WINDOW_PIXELS // dataset.width)
    rows = max(1, rows // dataset.block_shapes[0][0]) * dataset.block_shapes[0][0]
    for row in range(0, dataset.height, rows):
        window = Window(0, row, dataset.width, min(rows, dataset.height - row))
        try:
            pixels = dataset.read(1, window=window, masked=True)
        except GDAL_ERRORS as error:
            raise AccuracyError(
                f"'{name}' cannot be read ({reason(error)}): copy it again from its source"
            ) from error
        values = np.unique(pixels.compressed())
        if values.dtype.kind == "f":
            values = values[~np.isnan(values)]
        yield values[values != 255] if undeclared else values
