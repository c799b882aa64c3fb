"""Legends as files beside a map tell them: .aux.xml, _report.json and .qml, ours or others'.

Each reader gives entries by value and never fails for what it does not understand: a legend that
cannot be read is a legend that is not there. XML with a document type is not parsed at all, since
entities could grow without bound or name other files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

MAX_BYTES = 16 << 20
_NAME, _MIN, _MIN_MAX, _RED, _GREEN, _BLUE = "2", "3", "5", "6", "7", "8"
_VALUE_COLUMNS = ("value", "class_value", "classvalue", "id", "code")
_NAME_COLUMNS = ("class_name", "classname", "name", "class", "label", "land cover", "landcover")
_COLORS = ("red", "green", "blue")


@dataclass(frozen=True)
class Entry:
    """What a source says of one value; None where it says nothing."""

    name: str | None = None
    name_zh: str | None = None
    color: str | None = None


Entries = dict[int, Entry]


class _WithoutDoctype(ElementTree.TreeBuilder):
    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise ValueError(f"document type {name} ({public}, {system})")


def split_names(text: str) -> tuple[str, str | None]:
    """Take a label such as ``water 水`` apart.

    Parameters
    ----------
    text : str
        English name, then perhaps the Chinese one.

    Returns
    -------
    name : str
        English name; the whole text where there is no other.
    name_zh : str or None
        Chinese name.

    Examples
    --------
    >>> split_names("ice & snow 冰雪"), split_names("水")
    (('ice & snow', '冰雪'), ('水', None))
    """
    text = " ".join(text.split())
    both = re.fullmatch(r"(.*[^\s\u2e80-\u9fff]) ([\u2e80-\u9fff\uff00-\uffef]+)", text)
    return (both[1], both[2]) if both else (text, None)


def named(text: str | None, color: str | None = None) -> Entry:
    """Make an entry from a label.

    Parameters
    ----------
    text : str or None
        Label; blank for none.
    color : str, optional
        ``#rrggbb``.

    Returns
    -------
    Entry
        With both names.
    """
    if not text or not text.strip():
        return Entry(color=color)
    name, name_zh = split_names(text)
    return Entry(name, name_zh, color)


def read_xml(path: Path) -> ElementTree.Element | None:
    """Parse a small XML file without document type.

    Parameters
    ----------
    path : Path
        File.

    Returns
    -------
    Element or None
        Its root; None where the file is missing, larger than 16 MiB, broken, or declares a
        document type or entities.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    parser = ElementTree.XMLParser(target=_WithoutDoctype())
    try:
        return ElementTree.fromstring(data, parser)
    except (ElementTree.ParseError, LookupError, ValueError):
        return None


def read_aux_xml(path: Path) -> Entries:
    """Read category names, attribute table and colours of the first band.

    Parameters
    ----------
    path : Path
        ``<map>.aux.xml``.

    Returns
    -------
    dict of int to Entry
        By value; the attribute table goes before the category names.
    """
    root = read_xml(path)
    band = None if root is None else root.find("PAMRasterBand")
    if band is None:
        return {}
    categories = [c.text for c in band.findall("CategoryNames/Category")]
    found = {v: named(text) for v, text in enumerate(categories) if text and text.strip()}
    table = band.find("GDALRasterAttributeTable")
    found = {**found, **({} if table is None else _read_table(table))}
    for value, entry in enumerate(band.findall("ColorTable/Entry")):
        if value in found and found[value].color is None:
            color = _hex([entry.get(f"c{n}") for n in (1, 2, 3)])
            found[value] = Entry(found[value].name, found[value].name_zh, color)
    return found


def _read_table(table: ElementTree.Element) -> Entries:
    fields = [
        ((f.findtext("Name") or "").strip().casefold(), (f.findtext("Usage") or "").strip())
        for f in table.findall("FieldDefn")
    ]
    value_at = _column(fields, (_MIN_MAX, _MIN), _VALUE_COLUMNS)
    name_at = _column(fields, (_NAME,), _NAME_COLUMNS)
    colors_at = [
        _column(fields, (usage,), (name,))
        for usage, name in zip((_RED, _GREEN, _BLUE), _COLORS, strict=True)
    ]
    found: Entries = {}
    for row, element in enumerate(table.findall("Row")):
        cells = [cell.text for cell in element.findall("F")]
        value = row if value_at is None else whole(_cell(cells, value_at))
        if value is not None:
            color = _hex([_cell(cells, place) for place in colors_at])
            found[value] = named(_cell(cells, name_at), color)
    return found


def _column(
    fields: list[tuple[str, str]], usages: tuple[str, ...], names: tuple[str, ...]
) -> int | None:
    by_usage = [place for place, (_, usage) in enumerate(fields) if usage in usages]
    by_name = [place for name in names for place, (n, _) in enumerate(fields) if n == name]
    return next(iter(by_usage + by_name), None)


def _cell(cells: list[str | None], place: int | None) -> str | None:
    return None if place is None or place >= len(cells) else cells[place]


def whole(text: object) -> int | None:
    """Give a text as an integer, None where it is not one.

    Parameters
    ----------
    text : object
        Such as "3" or "3.0".

    Returns
    -------
    int or None
        The number.
    """
    try:
        number = float(str(text))
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def _hex(parts: list[str | None]) -> str | None:
    """Give red, green and blue as ``#rrggbb``; ArcGIS writes them from 0 to 1."""
    try:
        numbers = [float(part) for part in parts if part is not None]
    except ValueError:
        return None
    if len(numbers) != 3:
        return None
    fractions = any("." in str(part) for part in parts) and max(numbers) <= 1
    scaled = [round(255 * n if fractions else n) for n in numbers]
    return "#" + "".join(f"{min(max(n, 0), 255):02x}" for n in scaled)


def read_qml(path: Path) -> Entries:
    """Read the palette of a QGIS style.

    Parameters
    ----------
    path : Path
        ``.qml``.

    Returns
    -------
    dict of int to Entry
        By value.
    """
    root = read_xml(path)
    found: Entries = {}
    if root is None:
        return found
    items = [*root.iter("paletteEntry"), *root.iter("item")]
    for item in items:
        value, color = whole(item.get("value")), item.get("color", "").lower()[:7]
        if value is not None and value not in found:
            known = color if re.fullmatch(r"#[0-9a-f]{6}", color) else None
            found[value] = named(item.get("label"), known)
    return found


def read_report(path: Path) -> Mapping[str, Any]:
    """Read a report of a run.

    Parameters
    ----------
    path : Path
        ``_report.json``.

    Returns
    -------
    mapping
        Its members; empty where there is none that can be read.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            return {}
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}


def report_entries(report: Mapping[str, Any]) -> Entries:
    """Find the classes in a report of a run.

    Parameters
    ----------
    report : mapping
        From `read_report`.

    Returns
    -------
    dict of int to Entry
        By value.
    """
    listed = report.get("classes")
    found: Entries = {}
    for item in listed if isinstance(listed, list) else []:
        value = whole(item.get("value")) if isinstance(item, dict) else None
        if value is not None and isinstance(item.get("name"), str):
            color = str(item.get("color") or "").lower()
            known = color if re.fullmatch(r"#[0-9a-f]{6}", color) else None
            found[value] = Entry(item["name"], item.get("name_zh") or None, known)
    return found
