"""read_legend: which classes a map holds, what they are called and how they are drawn.

Names come from the first of these that has any, colours from the first that has one for a value:
the report of the run that made the map, ``<map>.aux.xml``, the file itself, the QGIS style. A map
without names gets its classes from its pixels.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from rs_workbench.accuracy.reference.legend_files import (
    Entries,
    Entry,
    read_aux_xml,
    read_qml,
    read_report,
    report_entries,
)
from rs_workbench.card import MAX_CLASS_VALUE, LegendClass, spread_color
from rs_workbench.errors import AccuracyError, UsageError

_RIGHT = "#e6e6e6"


def read_legend(
    map_path: str | Path, *, nodata: Collection[float] = ()
) -> tuple[LegendClass, ...]:
    """Find the classes of a map.

    Parameters
    ----------
    map_path : str or Path
        The map.
    nodata : collection of float
        Values that mean no class, beside the declared one.

    Returns
    -------
    tuple of LegendClass
        Ordered by value. 0 may be a class; declared nodata values are none. Where names are
        found nowhere, the classes are the values of the map, called "class 3".

    Raises
    ------
    AccuracyError
        If the map holds no class, more than 254, or one beyond 0 to 254.
    SceneError
        If the map cannot be opened.
    """
    from rs_workbench.accuracy.reference.raster_legend import read_inside, read_values

    declared, inside = read_inside(map_path)
    left_out = {*declared, *nodata}
    path = Path(map_path)
    sources = [
        report_entries(read_report(path.with_name(f"{path.stem}_report.json"))),
        read_aux_xml(Path(f"{path}.aux.xml")),
        inside,
        read_qml(path.with_suffix(".qml")),
    ]
    found = _merge(sources, left_out)
    if not found:
        values = read_values(map_path, nodata=left_out)
        found = _with_colors(dict.fromkeys(values, Entry()), sources)
    return make_legend(found, path.name)


def _merge(sources: Sequence[Entries], left_out: Collection[float]) -> Entries:
    """Take names from the first source that has any, and colours from all."""
    for source in sources:
        entries = {v: e for v, e in source.items() if e.name and v not in left_out}
        if entries:
            return _with_colors(entries, sources)
    return {}


def _with_colors(entries: Entries, sources: Sequence[Entries]) -> Entries:
    return {
        value: Entry(entry.name, entry.name_zh, entry.color or _color(value, sources))
        for value, entry in entries.items()
    }


def _color(value: int, sources: Sequence[Entries]) -> str | None:
    return next((s[value].color for s in sources if value in s and s[value].color), None)


def make_legend(entries: Mapping[int, Entry], source: str) -> tuple[LegendClass, ...]:
    """Complete entries to a legend: every class gets a name and a colour.

    Parameters
    ----------
    entries : mapping of int to Entry
        What is known, by value.
    source : str
        Where it came from, for messages.

    Returns
    -------
    tuple of LegendClass
        Ordered by value.

    Raises
    ------
    AccuracyError
        If there is none, or a value is beyond 0 to 254.
    """
    if not entries:
        raise AccuracyError(
            f"'{source}' holds no class: every pixel is nodata; check the map, or name the "
            'classes with --classes "1=water,2=ice"'
        )
    wrong = sorted(v for v in entries if not 0 <= v <= MAX_CLASS_VALUE)
    if wrong:
        raise AccuracyError(
            f"'{source}' holds class values {wrong[:5]}, but they must lie between 0 and "
            f"{MAX_CLASS_VALUE}: declare what is no class with --map-nodata (design: --nodata), "
            "or give the classes other numbers first, with gdal_calc or in QGIS"
        )
    return tuple(
        LegendClass(
            value=value,
            name=entries[value].name or f"class {value}",
            name_zh=entries[value].name_zh,
            color=entries[value].color or spread_color(place, len(entries)),
        )
        for place, value in enumerate(sorted(entries))
    )


def error_legend(legend: Sequence[LegendClass]) -> tuple[LegendClass, ...]:
    """Give the classes of an error map.

    Parameters
    ----------
    legend : sequence of LegendClass
        The K classes of the map.

    Returns
    -------
    tuple of LegendClass
        0 where the map is right; k + 1, in the colour of class k, where the reference says class
        k and the map does not.

    Examples
    --------
    >>> water = LegendClass(value=3, name="water", name_zh="水", color="#0000ff")
    >>> [(c.value, c.name, c.name_zh) for c in error_legend([water])]
    [(0, 'correct', '正确'), (1, 'should be water', '应为水')]
    """
    missed = (
        LegendClass(
            value=place,
            name=f"should be {entry.name}",
            name_zh=f"应为{entry.name_zh}" if entry.name_zh else None,
            color=entry.color,
        )
        for place, entry in enumerate(legend, 1)
    )
    return (LegendClass(value=0, name="correct", name_zh="正确", color=_RIGHT), *missed)


def parse_classes(text: str) -> tuple[LegendClass, ...]:
    """Read the option ``--classes``.

    Parameters
    ----------
    text : str
        Such as ``1=water,2=ice``, or ``1=water 水#1f78b4``; a value alone is ``class 3``.

    Returns
    -------
    tuple of LegendClass
        Ordered by value.

    Raises
    ------
    UsageError
        If it cannot be understood or a value repeats.

    Examples
    --------
    >>> [(c.value, c.name) for c in parse_classes("2=ice,1=water,5")]
    [(1, 'water'), (2, 'ice'), (5, 'class 5')]
    """
    from rs_workbench.accuracy.reference.legend_files import named

    found: Entries = {}
    for part in (p.strip() for p in text.replace("，", ",").split(",")):
        match = re.fullmatch(r"(\d+)\s*(?:=\s*([^#]*?)\s*)?(#[0-9a-fA-F]{6})?", part)
        value = int(match[1]) if match else -1
        if match is None or value in found or value > MAX_CLASS_VALUE:
            why = f"value {value} comes twice" if value in found else f"'{part}' is no class"
            raise UsageError(
                f"--classes '{text}' cannot be understood ({why}): write "
                f'--classes "1=water,2=ice" with values from 0 to {MAX_CLASS_VALUE}'
            )
        found[value] = named(match[2], match[3].lower() if match[3] else None)
    return make_legend(found, "--classes")
