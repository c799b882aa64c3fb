"""RasterSpec: what a layer holds; and the VRT that describes a flat file of it to GDAL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import numpy as np

from rs_workbench.card import LegendClass
from rs_workbench.raster_scene import Scene
from rs_workbench.types import NODATA

BYTE_SCALE = 0.004
"""One step of a confidence or margin layer: 250 stands for 1."""

GDAL_TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "uint64": "UInt64",
    "int64": "Int64",
    "float32": "Float32",
    "float64": "Float64",
}


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
    def scaled_bytes(
        cls, names: tuple[str, ...], tags: Mapping[str, str] | None = None
    ) -> RasterSpec:
        """Spec of layers from 0 to 1 (confidence, margin), stored as bytes 0 to 250."""
        return cls(
            "uint8",
            nodata=NODATA,
            descriptions=names,
            count=len(names),
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
        dataType=GDAL_TYPES[spec.dtype],
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
