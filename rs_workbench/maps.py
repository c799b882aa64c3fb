"""What a class map carries beside its pixels: names, style, picture, polygons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from rs_workbench.card import LegendClass
from rs_workbench.errors import OutputError
from rs_workbench.polygons import write_polygons
from rs_workbench.quicklook import write_quicklook

__all__ = ["legend_label", "write_class_names", "write_polygons", "write_qml", "write_quicklook"]

# Type and usage codes of GDAL's raster attribute tables.
_INTEGER, _TEXT = "0", "2"
_PIXEL_COUNT, _NAME, _MIN_MAX, _RED, _GREEN, _BLUE = "1", "2", "5", "6", "7", "8"


def legend_label(entry: LegendClass) -> str:
    """Name of a class in English and, where the card has it, in Chinese.

    Parameters
    ----------
    entry : LegendClass
        Class of the card.

    Returns
    -------
    str
        Such as ``water 水``.

    Examples
    --------
    >>> legend_label(LegendClass(value=1, name="water", name_zh="水", color="#0000ff"))
    'water 水'
    """
    return f"{entry.name} {entry.name_zh}" if entry.name_zh else entry.name


def write_class_names(
    map_path: Path,
    classes: Sequence[LegendClass],
    *,
    pixels: Mapping[int, int] | None = None,
) -> Path:
    """Write class names beside a map, where GDAL, QGIS and ArcGIS find them.

    Parameters
    ----------
    map_path : Path
        The map.
    classes : sequence of LegendClass
        Its classes.
    pixels : mapping of int to int, optional
        Pixels of each class.

    Returns
    -------
    Path
        ``<map>.aux.xml``, with category names and a raster attribute table.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    root = ElementTree.Element("PAMDataset")
    band = ElementTree.SubElement(root, "PAMRasterBand", band="1")
    names = {c.value: legend_label(c) for c in classes}
    categories = ElementTree.SubElement(band, "CategoryNames")
    for value in range(max(names) + 1):
        ElementTree.SubElement(categories, "Category").text = names.get(value, "")
    _add_table(band, classes, pixels)
    return _write_xml(root, Path(f"{map_path}.aux.xml"))


def _add_table(
    band: ElementTree.Element, classes: Sequence[LegendClass], pixels: Mapping[int, int] | None
) -> None:
    columns = [("Value", _INTEGER, _MIN_MAX), ("Class", _TEXT, _NAME)]
    columns += [("Red", _INTEGER, _RED), ("Green", _INTEGER, _GREEN), ("Blue", _INTEGER, _BLUE)]
    if pixels is not None:
        columns.append(("Count", _INTEGER, _PIXEL_COUNT))
    table = ElementTree.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    for index, (name, kind, usage) in enumerate(columns):
        column = ElementTree.SubElement(table, "FieldDefn", index=str(index))
        for key, text in (("Name", name), ("Type", kind), ("Usage", usage)):
            ElementTree.SubElement(column, key).text = text
    for index, entry in enumerate(classes):
        row = ElementTree.SubElement(table, "Row", index=str(index))
        cells = [entry.value, legend_label(entry), *bytes.fromhex(entry.color[1:])]
        if pixels is not None:
            cells.append(pixels.get(entry.value, 0))
        for cell in cells:
            ElementTree.SubElement(row, "F").text = str(cell)


def write_qml(map_path: Path, classes: Sequence[LegendClass]) -> Path:
    """Write the style that QGIS gives a map when it is opened.

    Parameters
    ----------
    map_path : Path
        The map.
    classes : sequence of LegendClass
        Its classes.

    Returns
    -------
    Path
        The map's name with the suffix ``.qml``.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    root = ElementTree.Element("qgis", version="3.28", styleCategories="Symbology")
    pipe = ElementTree.SubElement(root, "pipe")
    renderer = ElementTree.SubElement(
        pipe, "rasterrenderer", type="paletted", band="1", opacity="1", alphaBand="-1"
    )
    ElementTree.SubElement(renderer, "rasterTransparency")
    palette = ElementTree.SubElement(renderer, "colorPalette")
    for entry in classes:
        attributes = {"value": str(entry.value), "color": entry.color, "alpha": "255"}
        ElementTree.SubElement(palette, "paletteEntry", attributes, label=legend_label(entry))
    ElementTree.SubElement(root, "blendMode").text = "0"
    return _write_xml(root, Path(map_path).with_suffix(".qml"))


def _write_xml(root: ElementTree.Element, path: Path) -> Path:
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode") + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"'{path}' cannot be written ({error.strerror}): make room or choose another folder"
        ) from error
    return path
