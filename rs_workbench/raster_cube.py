"""Writing a cube of many bands that fits in memory as a GeoTIFF with its wavelengths."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from rs_workbench.errors import OutputError


def write_cube(
    path: str | Path,
    cube: NDArray[Any],
    *,
    crs: str | None = None,
    transform: Affine | None = None,
    band_names: Sequence[str] = (),
    wavelengths: NDArray[np.float64] | None = None,
    good_bands: NDArray[np.bool_] | None = None,
    nodata: float | None = None,
) -> Path:
    """Write a cube as a GeoTIFF whose bands know their wavelengths, as EnMAP-Box writes them.

    The file appears under its name only when it is complete.

    Parameters
    ----------
    path : str or Path
        The file; its folder is made where it is missing.
    cube : ndarray, shape (B, H, W)
        Values, written in their own type.
    crs : str, optional
        Coordinate reference system, such as ``EPSG:32633``.
    transform : affine.Affine, optional
        From pixels to coordinates.
    band_names : sequence of str
        Descriptions of the bands, where wavelengths do not name them.
    wavelengths : ndarray of float64, shape (B,), optional
        Centres of the bands, nm.
    good_bands : ndarray of bool, shape (B,), optional
        Which bands are worth using; goes to the tag ``bbl``.
    nodata : float, optional
        Value that means no data.

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
        "dtype": cube.dtype.name,
        "count": cube.shape[0],
        "height": cube.shape[1],
        "width": cube.shape[2],
        "crs": crs,
        "transform": transform,
        "nodata": nodata,
        "interleave": "band",
        "photometric": "MINISBLACK",  # band 4 is no alpha
    }
    partial = path.with_name(f"{path.stem}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _unplaced_allowed(), rasterio.open(partial, "w", **profile) as dataset:
            dataset.write(cube)
            for band, name in enumerate(band_names, start=1):
                dataset.set_band_description(band, name)
            for band, nm in enumerate([] if wavelengths is None else wavelengths, start=1):
                good = good_bands is None or bool(good_bands[band - 1])
                dataset.set_band_description(band, f"band {band} ({nm:g} Nanometers)")
                dataset.update_tags(
                    band, wavelength=f"{nm:g}", wavelength_units="Nanometers", bbl=str(int(good))
                )
        partial.replace(path)
    except (OSError, rasterio.errors.RasterioError) as error:
        raise OutputError(f"the cube '{path}' cannot be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return path


@contextmanager
def _unplaced_allowed() -> Iterator[None]:
    """Write without georeference and without a warning of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        yield
