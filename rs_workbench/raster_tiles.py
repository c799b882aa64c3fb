"""A GeoTIFF written from rows of tiles, so that it may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import DatasetWriter
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
    nodata: float | None = None,
    band_names: Sequence[str] = (),
    wavelengths: NDArray[np.float64] | None = None,
) -> Path:
    """Write rows of tiles below one another.

    Parameters
    ----------
    path : str or Path
        The file; its folder is made where it is missing. It appears when it is complete.
    tile_rows : iterable of ndarray, shape (B, H, W)
        All of one shape and type. Where H is a multiple of 16 and at most 256, blocks of the file
        are H px wide and high, so that no block is written twice.
    n_rows : int
        How many there are.
    pixel_size : float
        m.
    nodata : float, optional
        Value that means no data.
    band_names : sequence of str
        Descriptions of the bands.
    wavelengths : ndarray of float64, shape (B,), optional
        Centres of the bands, nm; NaN where unknown.

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
    part = path.with_name(f"{path.stem}.partial{path.suffix}")
    first = next(rows)
    n_bands, height, width = first.shape
    block = BLOCK if height % 16 else min(height, BLOCK)  # TIFF wants multiples of 16
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
        "blockxsize": block,
        "blockysize": block,
        "compress": "lzw",
        "interleave": "pixel",
        "photometric": "RGB" if n_bands == 3 else "MINISBLACK",  # band 4 is no alpha
        "BIGTIFF": "IF_SAFER",
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with rasterio.open(part, "w", **profile) as dataset:
            _describe(dataset, band_names, wavelengths)
            for row, pixels in enumerate(chain([first], rows)):
                dataset.write(pixels, window=Window(0, row * height, width, height))
        part.replace(path)
    except (OSError, rasterio.errors.RasterioError) as error:
        raise OutputError(f"the scene '{path}' cannot be written: {error}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return path


def _describe(
    dataset: DatasetWriter, names: Sequence[str], wavelengths: NDArray[np.float64] | None
) -> None:
    for band, name in enumerate(names, start=1):
        dataset.set_band_description(band, name)
    for band, nm in enumerate([] if wavelengths is None else wavelengths, start=1):
        if np.isfinite(nm):
            dataset.update_tags(band, wavelength=f"{nm:g}", wavelength_units="Nanometers")
