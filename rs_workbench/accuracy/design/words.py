"""How a user names classes on the command line: by name in any language, or by value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rs_workbench.card import LegendClass
from rs_workbench.errors import UsageError

DEFAULT_ACCURACY = 0.8


def find_class(text: str, legend: Sequence[LegendClass]) -> int:
    """Find the class that a user means.

    Parameters
    ----------
    text : str
        Name in English or Chinese, whatever its case, or value.
    legend : sequence of LegendClass
        Classes of the map.

    Returns
    -------
    int
        Value of the class.

    Raises
    ------
    UsageError
        If no class, or more than one, is called so.

    Examples
    --------
    >>> find_class("Water", (LegendClass(value=4, name="water", color="#0000ff"),))
    4
    """
    asked = text.strip().casefold()
    named = [
        c.value for c in legend if asked in (c.name.casefold(), (c.name_zh or c.name).casefold())
    ]
    found = named or [c.value for c in legend if asked == str(c.value)]
    if len(found) != 1:
        known = ", ".join(f"{c.value}={c.name}" for c in legend)
        why = f"fits {len(found)} classes, give its value" if found else "is not one"
        raise UsageError(f"class '{text.strip()}' {why}: the map has {known}")
    return found[0]


def parse_buffers(texts: Sequence[str], legend: Sequence[LegendClass]) -> dict[int, int]:
    """Read the options ``--buffer``.

    Parameters
    ----------
    texts : sequence of str
        Such as ``water:3``.
    legend : sequence of LegendClass
        Classes of the map.

    Returns
    -------
    dict of int to int
        Value of the class to distance, px.

    Raises
    ------
    UsageError
        If one cannot be understood.
    """
    buffers: dict[int, int] = {}
    for text in texts:
        name, number = _split(text)
        if not re.fullmatch(r"\d+", number or ""):
            raise UsageError(f"--buffer '{text}' is not CLASS:PIXELS: write such as water:3")
        value = find_class(name, legend)
        if value in buffers:
            raise UsageError(f"--buffer names class '{name}' twice: give one distance")
        buffers[value] = int(number)
    return buffers


def parse_accuracy(
    text: str | None, legend: Sequence[LegendClass], strata: Sequence[str]
) -> tuple[dict[int, float], dict[str, float]]:
    """Read the option ``--expected-accuracy``.

    Parameters
    ----------
    text : str or None
        One share for all such as ``0.85``, shares by class or stratum such as
        ``forest:0.9,water:0.95``, or both; what is left out gets 0.8.
    legend : sequence of LegendClass
        Classes of the map.
    strata : sequence of str
        Names of strata that are not classes.

    Returns
    -------
    by_class : dict of int to float
        For every class of the legend, by value.
    by_stratum : dict of str to float
        For strata that were named.

    Raises
    ------
    UsageError
        If it cannot be understood.
    """
    every, by_stratum = DEFAULT_ACCURACY, {}
    by_class: dict[int, float] = {}
    for part in (p for p in re.split("[,，]", text or "") if p.strip()):
        name, number = _split(part)
        if not number:
            every = _share(part, part)
        elif name in strata:
            by_stratum[name] = _share(number, part)
        else:
            by_class[find_class(name, legend)] = _share(number, part)
    return {c.value: by_class.get(c.value, every) for c in legend}, by_stratum


def parse_area_target(
    text: str, legend: Sequence[LegendClass], area_ha: float | None
) -> tuple[int, float]:
    """Read the option ``--target-area-se``.

    Parameters
    ----------
    text : str
        Such as ``water:0.005``, a share of the map, or ``water:250ha``.
    legend : sequence of LegendClass
        Classes of the map.
    area_ha : float or None
        Area of the map.

    Returns
    -------
    value : int
        The class.
    share : float
        Standard error wanted, as a share of the map.

    Raises
    ------
    UsageError
        If it cannot be understood, or hectares are asked of a map without them.
    """
    name, number = _split(text)
    value = find_class(name, legend)
    match = re.fullmatch(r"([\d.eE+-]+)\s*(ha|公顷)?", number)
    try:
        size = float(match[1]) if match else 0.0
    except ValueError:
        size = 0.0
    if match is None or size <= 0:
        raise UsageError(
            f"--target-area-se '{text}' is not CLASS:SE: write such as water:0.005 or water:250ha"
        )
    if match[2] and not area_ha:
        raise UsageError(
            f"--target-area-se '{text}' is in hectares, but the map has no map units: give a "
            "share of the map such as water:0.005"
        )
    share = size / area_ha if match[2] and area_ha else size
    if share >= 1:
        raise UsageError(
            f"--target-area-se '{text}' is not less than the whole map: give a share such as "
            "water:0.005, or hectares such as water:250ha"
        )
    return value, share


def class_name(entry: LegendClass, lang: str) -> str:
    """Name of a class in the language asked for, if it has one there."""
    return entry.name_zh if lang == "zh" and entry.name_zh else entry.name


def unique_names(legend: Sequence[LegendClass], lang: str) -> Mapping[int, str]:
    """Name classes so that no two have the same name.

    Parameters
    ----------
    legend : sequence of LegendClass
        Classes of the map.
    lang : {'en', 'zh'}
        Language wanted.

    Returns
    -------
    mapping of int to str
        Value to name; where a name repeats, the value is added.
    """
    names = {c.value: class_name(c, lang) for c in legend}
    often = {n for n in names.values() if list(names.values()).count(n) > 1}
    return {v: f"{n} ({v})" if n in often else n for v, n in names.items()}


def buffer_name(name: str, pixels: int, lang: str) -> str:
    """Name of the stratum around a class."""
    return f"距{name} {pixels} 像元以内" if lang == "zh" else f"within {pixels} px of {name}"


def _split(text: str) -> tuple[str, str]:
    """Part at the last colon, of either width."""
    name, _, number = text.replace("：", ":").rpartition(":")
    return name.strip(), number.strip() if name else ""


def _share(text: str, part: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise UsageError(
            f"--expected-accuracy '{part.strip()}' is not a share above 0 and up to 1: write such "
            "as 0.85 or forest:0.9,water:0.95"
        )
    return value
