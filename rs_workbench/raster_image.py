"""Writing an image that fits in memory as a GeoTIFF; maps of any size are written elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from rs_workbench.errors import OutputError

BLOCK = 512  # px


def write_image(
    path: str | Path,
    image: NDArray[np.uint8],
    *,
    crs: str,
    transform: Affine,
    nodata: float,
    band_names: Sequence[str],
) -> Path:
    """Write an image, or a class map, as a tiled, compressed GeoTIFF.

    Parameters
    ----------
    path : str or Path
        The file; its folder is made where it is missing.
    image : ndarray of uint8, shape (3, H, W) or (1, H, W)
        Red, green, blue; or classes.
    crs : str
        Coordinate reference system, such as ``EPSG:32610``.
    transform : affine.Affine
        From pixels to coordinates.
    nodata : float
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
    path = Path(path)
    profile = {
        "driver": "GTiff",
        "dtype": "uint8",
        "count": image.shape[0],
        "height": image.shape[1],
        "width": image.shape[2],
        "crs": crs,
        "transform": transform,
        "nodata": nodata,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "deflate",
        "predictor": 2,
        "photometric": "RGB" if image.shape[0] == 3 else "MINISBLACK",
        "interleave": "pixel",
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with rasterio.open(path, "w", **profile) as dataset:
            if image.shape[0] == 3:
                dataset.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
            dataset.descriptions = tuple(band_names)
            dataset.write(image)
    except (OSError, rasterio.errors.RasterioError) as error:
        raise OutputError(f"the image '{path}' cannot be written: {error}") from error
    return path
