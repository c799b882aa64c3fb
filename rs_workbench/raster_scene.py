"""Scene: what is known of a raster before its pixels are read.

A `Scene` is plain data, so it can be logged, compared and handed to threads; each thread opens its
own dataset from it (`rs_workbench.raster_reader.SceneReader`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp

from rs_workbench.errors import SceneError
from rs_workbench.raster_describe import (
    MaskKind,
    alpha_warnings,
    file_stamp,
    find_alpha,
    find_mask_kind,
    local_files,
    read_band_names,
    read_nodata,
    read_wavelength,
)
from rs_workbench.raster_gdal import GDAL_ERRORS, gdal_settings, open_dataset, reason
from rs_workbench.raster_ground import ground_pixel_size

_PYTHON_IN_VRT = re.compile(r"<PixelFunctionLanguage>\s*Python", re.IGNORECASE)


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
    size_bytes, mtime = file_stamp(dataset, name)
    nodata, alpha = read_nodata(dataset), find_alpha(dataset)
    dtypes = tuple(dataset.dtypes)
    data_dtypes = [t for band, t in enumerate(dtypes, 1) if band != alpha] or list(dtypes)
    return Scene(
        path=name,
        shape=(dataset.height, dataset.width),
        dtype=str(np.result_type(*data_dtypes)),
        band_names=read_band_names(dataset, alpha),
        wavelengths=tuple(read_wavelength(dataset, b) for b in dataset.indexes),
        scales=tuple(dataset.scales),
        offsets=tuple(dataset.offsets),
        nodata=nodata,
        mask_kind=find_mask_kind(dataset, alpha, nodata),
        crs_wkt=crs.to_wkt() if crs else None,
        transform=transform,
        gcps=gcps,
        pixel_size=ground_pixel_size(crs, transform, dataset.shape),
        block=dataset.block_shapes[0],
        driver=dataset.driver,
        size_bytes=size_bytes,
        mtime=mtime,
        warnings=_warnings(name, crs, transform, gcps) + alpha_warnings(dataset, name, alpha),
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


def crs_of(scene: Scene) -> CRS | None:
    """Coordinate system of a scene as rasterio's object."""
    return CRS.from_wkt(scene.crs_wkt) if scene.crs_wkt else None


def scene_files(scene: Scene) -> list[Path]:
    """List the files on disk that a scene is read from.

    Parameters
    ----------
    scene : Scene
        What `open_scene` returned.

    Returns
    -------
    list of Path
        Resolved; of a VRT also the files it refers to.
    """
    with gdal_settings(), open_dataset(scene.path) as dataset:
        return local_files(dataset, scene.path)
