"""What a dataset says of its bands: names, wavelengths, nodata, transparency, files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.windows import Window

from rs_workbench.raster_gdal import GDAL_ERRORS

MaskKind = Literal["none", "nodata", "mask", "alpha"]

_SAMPLE = 256
_WAVELENGTH = re.compile(r"([\d.]+)\s*(nanomet|nm\b|micromet|µm|um\b)", re.IGNORECASE)


def alpha_warnings(
    dataset: rasterio.DatasetReader, name: str, alpha: int | None
) -> tuple[str, ...]:
    """Warn where a declared alpha band is taken as data.

    Parameters
    ----------
    dataset : rasterio.DatasetReader
        Open dataset.
    name : str
        Name of the scene, for the sentence.
    alpha : int or None
        What `find_alpha` returned.

    Returns
    -------
    tuple of str
        None or one sentence.
    """
    declared = _declared_alpha(dataset)
    if declared is None or declared == alpha or dataset.descriptions[declared - 1]:
        return ()
    return (
        f"band {declared} of '{name}' is declared as transparency (alpha), but its values vary "
        "as data do: it is taken as data",
    )


def read_band_names(dataset: rasterio.DatasetReader, alpha: int | None) -> tuple[str, ...]:
    """Name the bands: by their descriptions, else their colours, else their numbers.

    Parameters
    ----------
    dataset : rasterio.DatasetReader
        Open dataset.
    alpha : int or None
        What `find_alpha` returned.

    Returns
    -------
    tuple of str
        One name a band.
    """
    plain = {ColorInterp.undefined, ColorInterp.gray, ColorInterp.palette}
    if alpha is None:
        plain.add(ColorInterp.alpha)
    names = []
    for band, text, color in zip(
        dataset.indexes, dataset.descriptions, dataset.colorinterp, strict=True
    ):
        names.append(text or (f"band {band}" if color in plain else color.name))
    return tuple(names)


def read_wavelength(dataset: rasterio.DatasetReader, band: int) -> float | None:
    """Find the centre wavelength: in tags of ENVI, of GDAL >= 3.10, or in the description.

    Parameters
    ----------
    dataset : rasterio.DatasetReader
        Open dataset.
    band : int
        Counted from 1.

    Returns
    -------
    float or None
        Wavelength, nm.
    """
    micrometres = dataset.tags(band, ns="IMAGERY").get("CENTRAL_WAVELENGTH_UM")
    if micrometres:
        return _number(micrometres, 1000.0)
    tags = {key.lower(): value for key, value in dataset.tags(band).items()}
    units = tags.get("wavelength_units", "")
    if "wavelength" in tags and units:
        return _number(tags["wavelength"], _nm_in(units))
    found = _WAVELENGTH.search(dataset.descriptions[band - 1] or "")
    return _number(found[1], _nm_in(found[2])) if found else None


def _nm_in(units: str) -> float:
    return 1000.0 if units.lower().startswith(("micro", "um", "µm", "μm")) else 1.0


def _number(text: str, factor: float) -> float | None:
    try:
        return round(float(text) * factor, 6)
    except ValueError:
        return None


def read_nodata(dataset: rasterio.DatasetReader) -> tuple[float | None, ...]:
    """Find the nodata value of each band.

    GDAL's tag NODATA_VALUES, one value a band for all bands together, goes first.

    Parameters
    ----------
    dataset : rasterio.DatasetReader
        Open dataset.

    Returns
    -------
    tuple of float or None
        One value a band.
    """
    together = dataset.tags().get("NODATA_VALUES", "").split()
    if len(together) == dataset.count:
        return tuple(float(value) for value in together)
    return tuple(dataset.nodatavals)


def _declared_alpha(dataset: rasterio.DatasetReader) -> int | None:
    bands = [b for b, c in enumerate(dataset.colorinterp, 1) if c == ColorInterp.alpha]
    return bands[-1] if bands and dataset.count > 1 else None


def find_alpha(dataset: rasterio.DatasetReader) -> int | None:
    """Find the band of transparency.

    GDAL declares the fourth band of a byte GeoTIFF as alpha unless told otherwise, so that many
    near-infrared bands are called so. A band with another name, or with many values between
    transparent and opaque, is data.

    Parameters
    ----------
    dataset : rasterio.DatasetReader
        Open dataset.

    Returns
    -------
    int or None
        Its number, counted from 1.
    """
    alpha = _declared_alpha(dataset)
    if alpha is None:
        return None
    name = (dataset.descriptions[alpha - 1] or "alpha").casefold()
    if name not in ("alpha", "mask", "transparency", f"band {alpha}"):
        return None
    height, width = min(_SAMPLE, dataset.height), min(_SAMPLE, dataset.width)
    window = Window((dataset.width - width) // 2, (dataset.height - height) // 2, width, height)
    try:
        sample = dataset.read(alpha, window=window)
    except GDAL_ERRORS:
        return alpha
    opaque = np.iinfo(sample.dtype).max if sample.dtype.kind in "iu" else sample.max()
    return None if ((sample != 0) & (sample != opaque)).mean() > 0.5 else alpha


def find_mask_kind(
    dataset: rasterio.DatasetReader, alpha: int | None, nodata: Sequence[float | None]
) -> MaskKind:
    """Say what tells valid pixels from others.

    Parameters
    ----------
    dataset : rasterio.DatasetReader
        Open dataset.
    alpha : int or None
        What `find_alpha` returned.
    nodata : sequence of float or None
        What `read_nodata` returned.

    Returns
    -------
    str
        One of 'alpha', 'mask', 'nodata' and 'none'.
    """
    if alpha is not None:
        return "alpha"
    flags = set(dataset.mask_flag_enums[0])
    if MaskFlags.per_dataset in flags and not flags & {MaskFlags.nodata, MaskFlags.alpha}:
        return "mask"
    return "nodata" if any(value is not None for value in nodata) else "none"


def file_stamp(dataset: rasterio.DatasetReader, name: str) -> tuple[int, float]:
    """Give size and time of the files that hold pixels.

    Statistics and overviews beside them may change freely.

    Parameters
    ----------
    dataset : rasterio.DatasetReader
        Open dataset.
    name : str
        Name by which it was opened.

    Returns
    -------
    size : int
        Bytes of all files.
    mtime : float
        Time of the last change; 0 where no file is local.
    """
    size, mtime = 0, 0.0
    for file in local_files(dataset, name):
        if not file.name.endswith((".aux.xml", ".ovr")):
            status = file.stat()
            size, mtime = size + status.st_size, max(mtime, status.st_mtime)
    return size, mtime


def local_files(dataset: rasterio.DatasetReader, name: str) -> list[Path]:
    """List the files on disk that a dataset is made of.

    Parameters
    ----------
    dataset : rasterio.DatasetReader
        Open dataset.
    name : str
        Name by which it was opened.

    Returns
    -------
    list of Path
        Resolved; of a VRT also the files it refers to.
    """
    found = {_local_file(f) for f in [*dataset.files, name]}
    return sorted(file for file in found if file is not None)


def _local_file(name: str) -> Path | None:
    """Find the file on disk behind a GDAL name: itself, or the archive that contains it."""
    stripped = re.sub(r"^(/vsi(zip|tar|gzip|7z|rar)/)+", "", name).lstrip("{")
    path = Path(stripped)
    for candidate in (path, *path.parents):
        if candidate.is_file():
            return candidate.resolve()
    return None
