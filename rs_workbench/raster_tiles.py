"""A GeoTIFF written from rows of tiles, so that it may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from rs_workbench.errors import OutputError

BLOCK = 256  # px
CRS, ORIGIN = "EPSG:32650", (500_000.0, 4_000_000.0)  # m; a place of its own, nobody's ground


def write_tile_rows(
    path: str | Path,
    tile_rows: Iterable[NDArray[np.generic]],
    *,
    n_rows: int,
    pixel_size: float,
    nodata: float | None,
    band_names: Sequence[str] = (),
) -> Path:
    """Write rows of tiles below one another.

    Parameters
    ----------
    path : str or Path
        The file; its folder is made where it is missing. It appears when it is complete.
    tile_rows : iterable of ndarray, shape (B, H, W)
        All of one shape and type.
    n_rows : int
        How many there are.
    pixel_size : float
        m.
    nodata : float or None
        Value that means no data.
    band_names : sequence of str
        Descriptions of the bands.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    path, rows = Path(path), iter(tile_rows)
    part = path.with_name(path.name + ".part.tif")
    first = next(rows)
    n_bands, height, width = first.shape
    profile = {
        "driver": "GTiff",
        "dtype": first.dtype.name,
        "count": n_bands,
        "height": n_rows * height,
        "width": width,
        "crs": CRS,
        "transform": Affine(pixel_size, 0, ORIGIN[0], 0, -pixel_size, ORIGIN[1]),
        "nodata": nodata,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "lzw",
        "interleave": "pixel",
        "BIGTIFF": "IF_SAFER",
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with rasterio.open(part, "w", **profile) as dataset:
            dataset.descriptions = tuple(band_names) or (None,) * n_bands
            for row, pixels in enumerate(chain([first], rows)):
                dataset.write(pixels, window=Window(0, row * height, width, height))
        part.replace(path)
    except (OSError, rasterio.errors.RasterioError) as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"the scene '{path}' cannot be written: {error}") from error
    return path
