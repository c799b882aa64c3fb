"""The report of a lesson: our figures, baselines and published figures in one table."""

from __future__ import annotations

import json
import math
import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from rs_workbench.training.history import write_whole

Kind: TypeAlias = Literal["ours", "baseline", "published"]

REPORT, FIGURES = "report.md", "figures.json"
_KINDS: dict[Kind, str] = {
    "ours": "ours",
    "baseline": "baseline",
    "published": "**published**, not run here",
}


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Attributes
    ----------
    name : str
        What was scored.
    figures : mapping of str to float
        Scores by the name of their column, as shares of 1 or in the unit that the column names.
    kind : {"ours", "baseline", "published"}
        Where the figures come from.
    note : str
        The source of a published figure; else what the reader should know.
    """

    name: str
    figures: Mapping[str, float]
    kind: Kind = "ours"
    note: str = ""


def write_report(
    folder: str | Path,
    title: str,
    *,
    text: str,
    lines: Sequence[Line],
    pictures: Mapping[str, Path],
    facts: Mapping[str, object],
) -> Path:
    """Write ``report.md`` and, with the same content for programs, ``figures.json``.

    Parameters
    ----------
    folder : str or Path
        Where to; made where it is missing.
    title : str
        Heads the page.
    text : str
        What was done and what it shows, in Markdown.
    lines : sequence of Line
        The table. Columns are all names of figures, in the order of their first use.
    pictures : mapping of str to Path
        Files by their captions; a file elsewhere is copied into the folder.
    facts : mapping of str to object
        How it was run: data, settings, parameters, seconds. The machine is added. Settings may
        be a mapping or a dataclass, of others, too: they are told as "name value, name value".

    Returns
    -------
    Path
        ``report.md``.

    Raises
    ------
    OutputError
        If the folder cannot be written to.
    """
    folder = Path(folder)
    facts = {**facts, "machine": describe_machine()}
    content = {
        "title": title,
        "lines": [asdict(line) for line in lines],
        "facts": {name: _plain(value) for name, value in facts.items()},
    }
    write_whole(folder / FIGURES, json.dumps(content, indent=2, ensure_ascii=False).encode())
    parts = [
        f"# {title}",
        text.strip(),
        _table(lines),
        *(f"![{caption}]({_beside(path, folder)})" for caption, path in pictures.items()),
        "## How it was run",
        "\n".join(f"- {name}: {_plain(value)}" for name, value in facts.items()),
    ]
    write_whole(folder / REPORT, ("\n\n".join(parts) + "\n").encode())
    return folder / REPORT


def describe_machine() -> str:
    """Say in words what computes here.

    Returns
    -------
    str
        Processors that this process may use, system and Python.
    """
    python = f"Python {platform.python_version()}"
    return f"{usable_processors()} processors, {platform.system()}, {python}"


def usable_processors() -> int:
    """Count the processors that this process may use.

    Returns
    -------
    int
        At least 1.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _table(lines: Sequence[Line]) -> str:
    columns = list(dict.fromkeys(name for line in lines for name in line.figures))
    head = ["", *columns, "whose", "note"]
    rows = [head, ["---", *("--:" for _ in columns), "---", "---"]]
    for line in lines:
        shown = [_number(line.figures.get(column)) for column in columns]
        rows.append([line.name, *shown, _KINDS[line.kind], line.note])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def _plain(value: object) -> Any:
    """Shorten what a report need not say in full."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, int | str | bool) or value is None:
        return value
    return in_words(value)


def in_words(value: object) -> str:
    """Say what something holds: without braces, quotes and names of Python's classes.

    Parameters
    ----------
    value : object
        A dataclass, a mapping, a list or anything else.

    Returns
    -------
    str
        Such as ``epochs 8, scene (36, 36)``.

    Examples
    --------
    >>> in_words({"epochs": 8, "scene": (36, 36)})
    'epochs 8, scene (36, 36)'
    """
    if is_dataclass(value):
        value = vars(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_within(one)}" for name, one in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_within, value)) or "none"
    return str(value)


def _within(value: object) -> str:
    """Say one thing of a list; what is a list itself, in brackets."""
    said = str(_plain(value))
    several = is_dataclass(value) or isinstance(value, Mapping | list | tuple)
    return f"({said})" if several and value else said


def _beside(path: Path, folder: Path) -> str:
    """Name a file as seen from the report."""
    if path.parent.resolve() != folder.resolve():
        path = Path(shutil.copyfile(path, folder / path.name))
    return path.name
