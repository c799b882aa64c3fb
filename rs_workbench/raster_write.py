"""finish_raster: from a flat file of pixels to a Cloud Optimized GeoTIFF on the scene's grid.

The map is written in strips to a flat file, since that can stop and go on at any byte. A COG can
only be copied from a whole raster: a VRT describes the flat file to GDAL, with georeference,
colours and names, and GDAL copies it in bounded memory.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import numpy as np
import rasterio.shutil

from rs_workbench.card import LegendClass
from rs_workbench.errors import OutputError
from rs_workbench.raster_gdal import CACHE_BYTES, GDAL_ERRORS, gdal_settings, open_dataset, reason
from rs_workbench.raster_resample import native_index
from rs_workbench.raster_scene import Scene
from rs_workbench.types import NODATA

BYTE_SCALE = 0.004
"""One step of a confidence or margin layer: 250 stands for 1."""

_GDAL_TYPES = {
    "uint8": "Byte",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "float32": "Float32",
    "float64": "Float64",
}
_LIBTIFF_LINE = re.compile(rb"_tiff(Write|Seek|Close|Size|Read)Proc: .*\r?\n")
_ROWS_BYTES = 16 * 2**20


@dataclass(frozen=True)
class RasterSpec:
    """What a layer holds, for `finish_raster`.

    Attributes
    ----------
    dtype : str
        Type of the pixels.
    count : int
        Number of bands.
    nodata : float or None
        Value that means no data; NaN is allowed.
    descriptions : tuple of str
        Name of each band; empty for none.
    colors : mapping of int to str
        Colour ``#rrggbb`` of each value; empty for a layer without a palette.
    categories : mapping of int to str
        Name of each value; kept in the file's own metadata as ``class_<value>``, so that names
        survive the loss of the sidecar.
    scale, offset : float
        Physical value = stored value x scale + offset.
    tags : mapping of str to str
        Metadata of the file.
    overviews : {'mode', 'average', 'nearest'}
        How pixels are joined in the reduced copies.
    """

    dtype: str
    count: int = 1
    nodata: float | None = None
    descriptions: tuple[str, ...] = ()
    colors: Mapping[int, str] = field(default_factory=dict)
    categories: Mapping[int, str] = field(default_factory=dict)
    scale: float = 1.0
    offset: float = 0.0
    tags: Mapping[str, str] = field(default_factory=dict)
    overviews: Literal["mode", "average", "nearest"] = "nearest"

    @classmethod
    def class_map(
        cls, classes: Sequence[LegendClass], tags: Mapping[str, str] | None = None
    ) -> RasterSpec:
        """Spec of a class map: bytes with colours, nodata 255, overviews by majority."""
        return cls(
            "uint8",
            nodata=NODATA,
            descriptions=("class",),
            colors={c.value: c.color for c in classes},
            categories={c.value: c.name for c in classes},
            tags=tags or {},
            overviews="mode",
        )

    @classmethod
    def scaled_bytes(cls, name: str, tags: Mapping[str, str] | None = None) -> RasterSpec:
        """Spec of a layer from 0 to 1 (confidence, margin), stored as bytes 0 to 250."""
        return cls(
            "uint8",
            nodata=NODATA,
            descriptions=(name,),
            scale=BYTE_SCALE,
            tags=tags or {},
            overviews="average",
        )

    @classmethod
    def score_layers(
        cls, classes: Sequence[LegendClass], tags: Mapping[str, str] | None = None
    ) -> RasterSpec:
        """Spec of the scores: one float band for each class, nodata NaN."""
        return cls(
            "float32",
            count=len(classes),
            nodata=float("nan"),
            descriptions=tuple(c.name for c in classes),
            tags=tags or {},
            overviews="average",
        )


def finish_raster(
    raw: Path, out: Path, scene: Scene, spec: RasterSpec, *, cache_bytes: int = CACHE_BYTES
) -> None:
    """Write a Cloud Optimized GeoTIFF from a flat file of pixels.

    The file appears under its name only when it is complete.

    Parameters
    ----------
    raw : Path
        Pixels, little endian, band after band, each (H, W) of `scene`; its folder must be
        writable.
    out : Path
        Name of the GeoTIFF.
    scene : Scene
        Gives the georeference. If it is a view at another pixel size, the pixels are brought
        back to the grid of its `native`, each taking the value at its centre.
    spec : RasterSpec
        What the pixels are.
    cache_bytes : int
        Budget of GDAL's block cache, in bytes.

    Raises
    ------
    OutputError
        If `raw` has the wrong size, or `out` cannot be written.
    """
    _check_size(raw, scene, spec)
    partial = out.with_name(f"{out.stem}.partial{out.suffix}")
    scratch = [Path(f"{raw}{ending}") for ending in (".vrt", ".native", ".native.vrt")]
    with _removed_at_end(scratch, partial):
        if scene.native is not None:
            raw, scene = _back_to_native(raw, scene, spec), scene.native
        vrt = Path(f"{raw}.vrt")
        vrt.write_text(raw_vrt(raw, scene, spec), encoding="utf-8")
        _copy_to_cog(vrt, partial, spec, cache_bytes)
        _publish(partial, out)


def _check_size(raw: Path, scene: Scene, spec: RasterSpec) -> None:
    wanted = spec.count * scene.shape[0] * scene.shape[1] * np.dtype(spec.dtype).itemsize
    found = raw.stat().st_size if raw.is_file() else 0
    if found != wanted:
        raise OutputError(
            f"'{raw}' holds {found} bytes where {wanted} are needed "
            f"({spec.count} x {scene.shape[0]} x {scene.shape[1]} {spec.dtype}): "
            "run again with --restart"
        )


@contextmanager
def _removed_at_end(scratch: Sequence[Path], partial: Path) -> Iterator[None]:
    """Leave no scratch file behind, nor what GDAL puts beside an unfinished COG."""
    try:
        yield
    finally:
        beside = partial.parent.glob(f"{glob_escape(partial.name)}*")
        for path in [*scratch, *(beside if partial.parent.is_dir() else ())]:
            path.unlink(missing_ok=True)


def glob_escape(name: str) -> str:
    """Quote the characters of a file name that a glob would expand."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def raw_vrt(raw: Path, scene: Scene, spec: RasterSpec) -> str:
    """Describe a flat file to GDAL.

    Parameters
    ----------
    raw : Path
        The flat file; the VRT must lie in the same folder.
    scene : Scene
        Gives size and georeference.
    spec : RasterSpec
        What the pixels are.

    Returns
    -------
    str
        XML of the VRT.
    """
    height, width = scene.shape
    root = ElementTree.Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
    _add_georeference(root, scene)
    if spec.tags:
        _add_metadata(root, spec.tags)
    for band in range(1, spec.count + 1):
        _add_band(root, band, raw, (height, width), spec)
    return ElementTree.tostring(root, encoding="unicode")


def _text(parent: ElementTree.Element, name: str, text: object, **attributes: str) -> None:
    ElementTree.SubElement(parent, name, attributes).text = str(text)


def _add_georeference(root: ElementTree.Element, scene: Scene) -> None:
    if scene.gcps:
        points = ElementTree.SubElement(root, "GCPList", Projection=scene.crs_wkt or "")
        for number, (row, col, x, y, z) in enumerate(scene.gcps, 1):
            place = {"Pixel": col, "Line": row, "X": x, "Y": y, "Z": z}
            attributes = {key: repr(float(value)) for key, value in place.items()}
            ElementTree.SubElement(points, "GCP", {"Id": str(number), **attributes})
    elif scene.crs_wkt:
        _text(root, "SRS", scene.crs_wkt)
    if scene.transform is not None:
        _text(
            root,
            "GeoTransform",
            ", ".join(repr(float(number)) for number in scene.transform.to_gdal()),
        )
    if scene.rpcs:
        _add_metadata(root, dict(scene.rpcs), domain="RPC")


def _add_metadata(root: ElementTree.Element, tags: Mapping[str, str], domain: str = "") -> None:
    metadata = ElementTree.SubElement(root, "Metadata", {"domain": domain} if domain else {})
    for key, value in tags.items():
        _text(metadata, "MDI", value, key=key)


def _add_band(
    root: ElementTree.Element, band: int, raw: Path, shape: tuple[int, int], spec: RasterSpec
) -> None:
    item = np.dtype(spec.dtype).itemsize
    height, width = shape
    element = ElementTree.SubElement(
        root,
        "VRTRasterBand",
        dataType=_GDAL_TYPES[spec.dtype],
        band=str(band),
        subClass="VRTRawRasterBand",
    )
    if spec.descriptions:
        _text(element, "Description", spec.descriptions[band - 1])
    if spec.categories:
        _add_metadata(element, {f"class_{v}": name for v, name in spec.categories.items()})
    if spec.nodata is not None:
        _text(element, "NoDataValue", repr(float(spec.nodata)))
    if (spec.scale, spec.offset) != (1.0, 0.0):
        _text(element, "Offset", repr(spec.offset))
        _text(element, "Scale", repr(spec.scale))
    if spec.colors:
        _add_colors(element, spec)
    _text(element, "SourceFilename", raw.name, relativeToVRT="1")
    _text(element, "ImageOffset", (band - 1) * height * width * item)
    _text(element, "PixelOffset", item)
    _text(element, "LineOffset", width * item)
    _text(element, "ByteOrder", "LSB")


def _add_colors(element: ElementTree.Element, spec: RasterSpec) -> None:
    """Add a palette; values without a colour are transparent black."""
    _text(element, "ColorInterp", "Palette")
    table = ElementTree.SubElement(element, "ColorTable")
    for value in range(256):
        color = spec.colors.get(value)
        parts = [*bytes.fromhex(color[1:]), 255] if color else [0, 0, 0, 0]
        channels = {f"c{n}": str(part) for n, part in enumerate(parts, 1)}
        ElementTree.SubElement(table, "Entry", channels)


def _back_to_native(raw: Path, view: Scene, spec: RasterSpec) -> Path:
    """Bring pixels of a view back to the scene's own grid, a few rows at a time."""
    native = view.native
    assert native is not None
    rows = native_index(native.shape[0], view.zoom[0], view.shape[0])
    cols = native_index(native.shape[1], view.zoom[1], view.shape[1])
    dtype = np.dtype(spec.dtype)
    step = max(1, _ROWS_BYTES // (native.shape[1] * dtype.itemsize))
    pixels = np.memmap(raw, dtype, mode="r", shape=(spec.count, *view.shape))
    out = Path(f"{raw}.native")
    with _told(out), out.open("wb") as file:
        for band in pixels:
            for start in range(0, len(rows), step):
                file.write(band[rows[start : start + step]][:, cols].tobytes())
    return out


def _copy_to_cog(vrt: Path, partial: Path, spec: RasterSpec, cache_bytes: int) -> None:
    is_float = np.dtype(spec.dtype).kind == "f"
    deflate = {"COMPRESS": "DEFLATE", "LEVEL": "1" if is_float else "6"}
    deflate["PREDICTOR"] = "FLOATING_POINT" if is_float else "STANDARD"
    # On class maps LZW is as small as DEFLATE and takes half the time.
    options = {
        **({"COMPRESS": "LZW"} if spec.colors else deflate),
        "BLOCKSIZE": "512",
        "OVERVIEW_RESAMPLING": spec.overviews.upper(),
        "BIGTIFF": "IF_SAFER",
        "NUM_THREADS": "ALL_CPUS",
    }
    settings = gdal_settings(cache_bytes, GDAL_NUM_THREADS="ALL_CPUS")
    with settings, _told(partial), _errors_raised(partial), _libtiff_silenced():
        with open_dataset(str(vrt)) as source:
            rasterio.shutil.copy(source, str(partial), driver="COG", **options)


@contextmanager
def _libtiff_silenced() -> Iterator[None]:
    """Keep libtiff from adding lines of its own to our one sentence about a full disk.

    It writes them to the process's stderr, past every handler. Whatever else is written there
    meanwhile is passed on afterwards.
    """
    try:
        real = os.dup(2)
    except OSError:  # a process without stderr
        yield
        return
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(real, 2)
            kept.seek(0)
            os.write(real, _LIBTIFF_LINE.sub(b"", kept.read()))
            os.close(real)


@contextmanager
def _told(out: Path) -> Iterator[None]:
    """Turn what the disk or GDAL says into one sentence."""
    try:
        yield
    except OutputError:
        raise
    except (OSError, *GDAL_ERRORS) as error:
        raise OutputError(_cannot_write(out, reason(error))) from error


def _cannot_write(out: Path, said: str) -> str:
    folder = out.absolute().parent
    if not folder.is_dir():
        return f"'{out}' cannot be written: there is no folder '{folder}', make it first"
    free = shutil.disk_usage(folder).free / 1e9
    return (
        f"'{out}' cannot be written ({said}): {free:.1f} GB are free in '{folder}', make room or "
        "choose another folder, then run the same command again"
    )


@contextmanager
def _errors_raised(out: Path) -> Iterator[None]:
    """Raise errors that GDAL's writing threads only log, such as a full disk."""
    seen: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("rasterio._env")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    if seen:
        raise OutputError(_cannot_write(out, seen[0].rstrip(".")))


def _publish(partial: Path, out: Path) -> None:
    """Give the finished file its name; metadata beside an older file of that name goes."""
    sidecar, fresh = Path(f"{out}.aux.xml"), Path(f"{partial}.aux.xml")
    with _told(out):
        partial.replace(out)
        sidecar.unlink(missing_ok=True)
        if fresh.exists():
            fresh.replace(sidecar)
