"""Scene: what is known of a raster before its pixels are read.

A `Scene` is plain data, so it can be logged, compared and handed to threads; each thread opens its
own dataset from it (`rs_workbench.raster_reader.SceneReader`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import CRSError
from rasterio.windows import Window

from rs_workbench.errors import SceneError
from rs_workbench.raster_gdal import GDAL_ERRORS, gdal_settings, open_dataset, reason

MaskKind = Literal["none", "nodata", "mask", "alpha"]

_SAMPLE = 256
_METRES_PER_DEGREE = 111_319.490793  # on the equator of WGS 84
_WGS84_E2 = 0.00669437999014
_PYTHON_IN_VRT = re.compile(r"<PixelFunctionLanguage>\s*Python", re.IGNORECASE)
_WAVELENGTH = re.compile(r"([\d.]+)\s*(nanomet|nm\b|micromet|µm|um\b)", re.IGNORECASE)


@dataclass(frozen=True)
class Scene:
    """A raster as the workbench sees it; bands count from 1.

    Attributes
    ----------
    path : str
        Name by which GDAL opens it.
    shape : tuple of int, (H, W)
        Size in pixels.
    dtype : str
        Type that holds the values of every band.
    band_names : tuple of str
        Descriptions of the bands; else their colour; else "band 1" and so on.
    wavelengths : tuple of float or None
        Centre wavelengths, nm.
    scales, offsets : tuple of float
        Physical value = stored value x scale + offset. Pixels are read as stored.
    nodata : tuple of float or None
        Nodata value of each band.
    mask_kind : {'none', 'nodata', 'mask', 'alpha'}
        What tells valid pixels from others.
    crs_wkt : str or None
        Coordinate system of `transform`, or of `gcps`.
    transform : affine.Affine or None
        Pixel (col, row) to map coordinates; None without georeference, or with `gcps` only.
    gcps : tuple of (row, col, x, y, z)
        Ground control points, where they are the georeference.
    pixel_size : tuple of float or None
        Height and width of a pixel on the ground, m, at the centre of the scene.
    block : tuple of int, (h, w)
        How the file stores its pixels.
    driver : str
        GDAL's name of the format.
    size_bytes, mtime
        Size of the scene's files and time of the last change; 0 where they are not local.
    warnings : tuple of str
        What the user should know, one sentence each.
    alpha : int or None
        Number of the alpha band.
    dtypes : tuple of str
        Type of each band.
    rpcs : tuple of (str, str)
        Rational polynomial coefficients, as GDAL writes them.
    overviews : tuple of int
        Factors of the reduced copies inside the file.
    native : Scene or None
        The raster itself, where this scene is a view of it at another pixel size.
    zoom : tuple of float
        Rows and columns of `native` that one row and one column of this scene stand for.
    """

    path: str
    shape: tuple[int, int]
    dtype: str
    band_names: tuple[str, ...]
    wavelengths: tuple[float | None, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    nodata: tuple[float | None, ...]
    mask_kind: MaskKind
    crs_wkt: str | None
    transform: Affine | None
    gcps: tuple[tuple[float, ...], ...]
    pixel_size: tuple[float, float] | None
    block: tuple[int, int]
    driver: str
    size_bytes: int
    mtime: float
    warnings: tuple[str, ...] = ()
    alpha: int | None = None
    dtypes: tuple[str, ...] = ()
    rpcs: tuple[tuple[str, str], ...] = ()
    overviews: tuple[int, ...] = ()
    native: Scene | None = field(default=None, repr=False)
    zoom: tuple[float, float] = (1.0, 1.0)

    @property
    def name(self) -> str:
        """Last part of the path; the whole of a GDAL name such as ``NETCDF:"a.nc":var``."""
        return self.path if '"' in self.path else re.split(r"[/\\]", self.path)[-1]

    @property
    def stem(self) -> str:
        """Name without suffix, fit for the name of a file."""
        inner = re.sub(r"^\w{2,}:", "", self.name).replace('"', "")
        parts = [re.sub(r"\.\w{2,5}$", "", p) for p in re.split(r"[/\\]", inner)[-1].split(":")]
        return re.sub(r"[^\w\-. ,]+", "_", "_".join(p for p in parts if p)).strip("_") or "scene"

    @property
    def count(self) -> int:
        """Number of bands, an alpha band included."""
        return len(self.band_names)

    @property
    def data_bands(self) -> tuple[int, ...]:
        """Numbers of all bands but the alpha band."""
        return tuple(b for b in range(1, self.count + 1) if b != self.alpha)


def open_scene(path: str | Path) -> Scene:
    """Look at a raster and say what it is, or why it cannot be mapped.

    Parameters
    ----------
    path : str or Path
        File, or any name that GDAL opens.

    Returns
    -------
    Scene
        Its description; the file is closed again.

    Raises
    ------
    SceneError
        If GDAL does not open it; it holds several rasters or none; its first band is a palette;
        its values are complex; or it is a VRT with Python code.
    """
    name = str(path)
    with gdal_settings():
        try:
            with open_dataset(name) as dataset:
                _refuse(dataset, name)
                return _describe(dataset, name)
        except GDAL_ERRORS as error:
            raise SceneError(_why_not_opened(name, reason(error))) from error


def describe_raster(path: str | Path) -> Scene:
    """Look at a raster that need not be fit for mapping, such as a class map with its palette.

    Parameters
    ----------
    path : str or Path
        File, or any name that GDAL opens.

    Returns
    -------
    Scene
        Its description.

    Raises
    ------
    SceneError
        If GDAL does not open it.
    """
    name = str(path)
    with gdal_settings():
        try:
            with open_dataset(name) as dataset:
                return _describe(dataset, name)
        except GDAL_ERRORS as error:
            raise SceneError(_why_not_opened(name, reason(error))) from error


def _why_not_opened(name: str, said: str) -> str:
    if "Python" in said and "VRT" in said.upper():
        return _python_refusal(name)
    looks_like_file = not re.match(r"^(/vsi|\w{2,}:)", name)
    if looks_like_file and not Path(name).exists():
        return f"'{name}' was not found: check the name and the folder"
    said = said.replace(f"'{name}' ", "").replace(f"{name}: ", "")
    return (
        f"'{name}' cannot be opened as a raster ({said}): "
        f"check it with  gdalinfo '{name}'  or convert it to GeoTIFF first"
    )


def _python_refusal(name: str) -> str:
    return (
        f"'{name}' is a VRT that runs Python code for its pixels, which is never done here: "
        f"write its pixels to a file where you trust it, with  gdal_translate '{name}' scene.tif"
    )


def _refuse(dataset: rasterio.DatasetReader, name: str) -> None:
    if dataset.count == 0:
        raise SceneError(_no_band(name, dataset.subdatasets))
    complex_bands = [b for b, t in enumerate(dataset.dtypes, 1) if t.startswith("complex")]
    if complex_bands:
        raise SceneError(
            f"'{name}' holds complex values (band {complex_bands[0]}: "
            f"{dataset.dtypes[complex_bands[0] - 1]}): compute amplitude or intensity first, "
            "then map that"
        )
    if dataset.colorinterp[0] == ColorInterp.palette:
        raise SceneError(
            f"'{name}' has a colour palette, so that its values are numbers of colours, not "
            f"brightness: write the colours with  gdal_translate -expand rgb '{name}' rgb.tif"
        )
    if dataset.driver == "VRT" and _runs_python(dataset):
        raise SceneError(_python_refusal(name))


def _no_band(name: str, subdatasets: Sequence[str]) -> str:
    if not subdatasets:
        return f"'{name}' has no raster band: give a file that has pixels"
    shown = "  ".join(subdatasets[:12])
    more = f"  and {len(subdatasets) - 12} more" if len(subdatasets) > 12 else ""
    return f"'{name}' holds {len(subdatasets)} rasters: give one of them by name:  {shown}{more}"


def _runs_python(dataset: rasterio.DatasetReader) -> bool:
    texts = list(dataset.tags(ns="xml:VRT").values())
    for source in dataset.files:
        if source.lower().endswith(".vrt") and Path(source).is_file():
            texts.append(Path(source).read_text(encoding="utf-8", errors="replace"))
    return any(_PYTHON_IN_VRT.search(text) for text in texts)


def _describe(dataset: rasterio.DatasetReader, name: str) -> Scene:
    crs, transform, gcps = _georeference(dataset)
    size_bytes, mtime = _stamp(dataset, name)
    nodata = _nodata_values(dataset)
    alpha = _alpha_band(dataset)
    dtypes = tuple(dataset.dtypes)
    data_dtypes = [t for band, t in enumerate(dtypes, 1) if band != alpha] or list(dtypes)
    pixel_size = _pixel_size(crs, transform, dataset.shape)
    return Scene(
        path=name,
        shape=(dataset.height, dataset.width),
        dtype=str(np.result_type(*data_dtypes)),
        band_names=_band_names(dataset, alpha),
        wavelengths=tuple(_wavelength(dataset, b) for b in dataset.indexes),
        scales=tuple(dataset.scales),
        offsets=tuple(dataset.offsets),
        nodata=nodata,
        mask_kind=_mask_kind(dataset, alpha, nodata),
        crs_wkt=crs.to_wkt() if crs else None,
        transform=transform,
        gcps=gcps,
        pixel_size=pixel_size,
        block=dataset.block_shapes[0],
        driver=dataset.driver,
        size_bytes=size_bytes,
        mtime=mtime,
        warnings=_warnings(name, crs, transform, gcps) + _alpha_warnings(dataset, name, alpha),
        alpha=alpha,
        dtypes=dtypes,
        rpcs=tuple(sorted(dataset.tags(ns="RPC").items())),
        overviews=tuple(dataset.overviews(1)),
    )


def _georeference(
    dataset: rasterio.DatasetReader,
) -> tuple[CRS | None, Affine | None, tuple[tuple[float, ...], ...]]:
    points, points_crs = dataset.gcps
    if not dataset.transform.is_identity:
        return dataset.crs, dataset.transform, ()
    if points:
        gcps = tuple((p.row, p.col, p.x, p.y, p.z or 0.0) for p in points)
        return points_crs or dataset.crs, None, gcps
    return dataset.crs, None, ()


def _warnings(
    name: str,
    crs: CRS | None,
    transform: Affine | None,
    gcps: Sequence[tuple[float, ...]],
) -> tuple[str, ...]:
    if gcps:
        return (
            f"'{name}' is placed by {len(gcps)} ground control points only: it is mapped in its "
            "own pixels, and the map carries the same points",
        )
    if transform is None:
        return (
            f"'{name}' has no georeference: it is mapped in its own pixels, without areas in "
            "hectares",
        )
    if not crs:
        return (
            f"'{name}' has no coordinate system: the map keeps its position, but areas in "
            "hectares and the pixel size in metres are unknown",
        )
    return ()


def metres_per_degree(latitude: float) -> tuple[float, float]:
    """Give the length of a degree on WGS 84.

    Parameters
    ----------
    latitude : float
        Degrees.

    Returns
    -------
    north, east : float
        Metres along the meridian and along the parallel.

    Examples
    --------
    >>> [round(m) for m in metres_per_degree(0.0)]
    [110574, 111319]
    """
    sine = math.sin(math.radians(max(-90.0, min(90.0, latitude))))
    bulge = 1 - _WGS84_E2 * sine**2
    north = _METRES_PER_DEGREE * (1 - _WGS84_E2) / bulge**1.5
    east = _METRES_PER_DEGREE * math.sqrt(max(0.0, 1 - sine**2)) / math.sqrt(bulge)
    return north, east


def linear_unit(crs: CRS) -> float | None:
    """Metres in one unit of a projected coordinate system; None where it is not projected."""
    try:
        return float(crs.linear_units_factor[1]) if crs.is_projected else None
    except CRSError:
        return None


def _pixel_size(
    crs: CRS | None, transform: Affine | None, shape: tuple[int, int]
) -> tuple[float, float] | None:
    if not crs or transform is None:
        return None
    if crs.is_geographic:
        latitude = transform.d * shape[1] / 2 + transform.e * shape[0] / 2 + transform.f
        north, east = metres_per_degree(latitude)
    else:
        metres = linear_unit(crs)
        if metres is None:
            return None
        north = east = metres
    rows = math.hypot(transform.b * east, transform.e * north)
    cols = math.hypot(transform.a * east, transform.d * north)
    return rows, cols


def _alpha_warnings(
    dataset: rasterio.DatasetReader, name: str, alpha: int | None
) -> tuple[str, ...]:
    declared = _declared_alpha(dataset)
    if declared is None or declared == alpha or dataset.descriptions[declared - 1]:
        return ()
    return (
        f"band {declared} of '{name}' is declared as transparency (alpha), but its values vary "
        "as data do: it is taken as data",
    )


def _band_names(dataset: rasterio.DatasetReader, alpha: int | None) -> tuple[str, ...]:
    plain = {ColorInterp.undefined, ColorInterp.gray, ColorInterp.palette}
    if alpha is None:
        plain.add(ColorInterp.alpha)
    names = []
    for band, text, color in zip(
        dataset.indexes, dataset.descriptions, dataset.colorinterp, strict=True
    ):
        names.append(text or (f"band {band}" if color in plain else color.name))
    return tuple(names)


def _wavelength(dataset: rasterio.DatasetReader, band: int) -> float | None:
    """Centre wavelength in nm, from the tags of ENVI, of GDAL >= 3.10, or the description."""
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


def _nodata_values(dataset: rasterio.DatasetReader) -> tuple[float | None, ...]:
    """Nodata of each band; GDAL's NODATA_VALUES tag names one value a band for all together."""
    together = dataset.tags().get("NODATA_VALUES", "").split()
    if len(together) == dataset.count:
        return tuple(float(value) for value in together)
    return tuple(dataset.nodatavals)


def _declared_alpha(dataset: rasterio.DatasetReader) -> int | None:
    bands = [b for b, c in enumerate(dataset.colorinterp, 1) if c == ColorInterp.alpha]
    return bands[-1] if bands and dataset.count > 1 else None


def _alpha_band(dataset: rasterio.DatasetReader) -> int | None:
    """Find the band of transparency.

    GDAL declares the fourth band of a byte GeoTIFF as alpha unless told otherwise, so that many
    near-infrared bands are called so. A band with another name, or with many values between
    transparent and opaque, is data.
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


def _mask_kind(
    dataset: rasterio.DatasetReader, alpha: int | None, nodata: Sequence[float | None]
) -> MaskKind:
    if alpha is not None:
        return "alpha"
    flags = set(dataset.mask_flag_enums[0])
    if MaskFlags.per_dataset in flags and not flags & {MaskFlags.nodata, MaskFlags.alpha}:
        return "mask"
    return "nodata" if any(value is not None for value in nodata) else "none"


def _stamp(dataset: rasterio.DatasetReader, name: str) -> tuple[int, float]:
    """Size and time of the files that hold pixels; statistics beside them may change freely."""
    size, mtime = 0, 0.0
    for file in {_local_file(f) for f in [*dataset.files, name]}:
        if file is not None and not file.name.endswith((".aux.xml", ".ovr")):
            status = file.stat()
            size, mtime = size + status.st_size, max(mtime, status.st_mtime)
    return size, mtime


def _local_file(name: str) -> Path | None:
    """Find the file on disk behind a GDAL name: itself, or the archive that contains it."""
    stripped = re.sub(r"^(/vsi(zip|tar|gzip|7z|rar)/)+", "", name).lstrip("{")
    path = Path(stripped)
    for candidate in (path, *path.parents):
        if candidate.is_file():
            return candidate.resolve()
    return None


def crs_of(scene: Scene) -> CRS | None:
    """Coordinate system of a scene as rasterio's object."""
    return CRS.from_wkt(scene.crs_wkt) if scene.crs_wkt else None
