"""Studies from a file, a recipe or options, and back into a file.

A file of a study::

    name: backbones
    settings: dunes            # a file of settings or a recipe; or the settings themselves
    change: {epochs: 12}       # what holds instead, in all runs
    vary: {...}                # see rs_workbench.ablation.axes
    seeds: 3
    baseline: {backbone: mini}
    skip: [{framework: keras, backbone: wide}]

Paths are relative to the file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rs_workbench.ablation.axes import check_setting
from rs_workbench.ablation.study import Study
from rs_workbench.errors import UsageError
from rs_workbench.training.recipes import find_settings, quick_changes, recipes
from rs_workbench.training.settings_check import default_framework
from rs_workbench.training.settings_file import anchored, make_settings, merge
from rs_workbench.training.yaml_file import parse_yaml, read_yaml, yaml_text

FOLDER = Path(__file__).parent / "studies"
SAVED = "study.yaml"
KEYS = (*Study.model_fields, "change")
HEAD = "# A study of settings: rsw ablate, given the folder of this file, goes on with it."


@dataclass(frozen=True)
class Asked:
    """What options ask for, beside or instead of a file.

    Attributes
    ----------
    changes : mapping
        Settings that hold instead in all runs.
    quick : bool
        Make all runs short.
    vary : mapping of str to list
        Axes; one of the same name as in the file takes its place.
    fields : mapping
        Other fields of `Study` that hold instead of the file's.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    quick: bool = False
    vary: Mapping[str, list[Any]] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)


def studies() -> dict[str, str]:
    """List the studies that come with the workbench.

    Returns
    -------
    dict
        Name and what it is, sorted by name.
    """
    found = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        about = re.search(r"^# (.*)", path.read_text(encoding="utf-8"), re.MULTILINE)
        found[path.stem] = about[1] if about else ""
    return found


def read_study(target: str | None, asked: Asked) -> Study:
    """Read a study, or make one of settings and options.

    Parameters
    ----------
    target : str or None
        A file or a name of a study, a file or a recipe of settings, or the folder of a study;
        without it, the settings are those asked for.
    asked : Asked
        What options ask for.

    Returns
    -------
    Study
        With absolute paths.

    Raises
    ------
    UsageError
        If there is no such file, or a key is unknown or a value wrong: the first mistake.
    """
    values, source = _values(target)
    changes = anchored(asked.changes, Path.cwd())
    shared = merge(_shared(values, source), changes)
    shared.setdefault("framework", default_framework())
    if asked.quick:
        shared = merge(shared, quick_changes(make_settings(shared), changes))
    found = {key: value for key, value in values.items() if key not in ("settings", "change")}
    found |= {"settings": shared, **asked.fields}
    if asked.vary:
        found["vary"] = {**(values.get("vary") or {}), **asked.vary}
    return _study(found, source)


def write_study(study: Study, path: Path) -> None:
    """Write a study to a file, which appears when it is complete.

    Parameters
    ----------
    study : Study
        The study.
    path : Path
        The file; its folder is there.
    """
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(f"{HEAD}\n{yaml_text(study.model_dump())}", encoding="utf-8")
    partial.replace(path)


def parse_vary(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Read ``FIELD=VALUE,VALUE`` options.

    Parameters
    ----------
    texts : sequence of str
        One for each axis.

    Returns
    -------
    dict of str to list
        As under `vary` in a file.

    Raises
    ------
    UsageError
        If there is no such setting, or one has no value.

    Examples
    --------
    >>> parse_vary(["loss=cross_entropy,dice", "bands=[4,3,2],[3,2,1]"])
    {'loss': ['cross_entropy', 'dice'], 'bands': [[4, 3, 2], [3, 2, 1]]}
    """
    found: dict[str, list[Any]] = {}
    for text in texts:
        name, value = _pair("--vary", text, "loss=cross_entropy,dice")
        check_setting(name)
        found[name] = parse_yaml(f"[{value}]", f"--vary {name}")
    return found


def parse_choices(option: str, text: str) -> dict[str, str]:
    """Read ``AXIS=CHOICE,AXIS=CHOICE``.

    Parameters
    ----------
    option : str
        Where it was written, for messages.
    text : str
        What was written.

    Returns
    -------
    dict of str to str
        Label of a choice by the name of its axis.

    Raises
    ------
    UsageError
        If it cannot be understood.

    Examples
    --------
    >>> parse_choices("--baseline", "framework=torch,loss=dice")
    {'framework': 'torch', 'loss': 'dice'}
    """
    return dict(_pair(option, part, "framework=torch,loss=dice") for part in text.split(","))


def _pair(option: str, text: str, example: str) -> tuple[str, str]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not name or not equals or not value:
        raise UsageError(f"{option} '{text}' is no  name=value: write it like  {option} {example}")
    return name, value


def _values(target: str | None) -> tuple[dict[str, Any], Path]:
    """Plain values of a study, and the file they are from."""
    if target is None:
        return {"settings": {}}, Path.cwd() / "options"
    path = _find(target)
    values = read_yaml(path)
    if "settings" in values or "vary" in values:
        if unknown := [key for key in values if key not in KEYS]:
            near = difflib.get_close_matches(unknown[0], KEYS, n=1)
            guess = f", did you mean '{near[0]}'?" if near else f": there are {', '.join(KEYS)}"
            raise UsageError(f"'{path.name}': a study has no '{unknown[0]}'{guess}")
        return {"name": path.stem, **values}, path
    return {"name": path.stem, "settings": values}, path


def _find(target: str) -> Path:
    path = Path(target)
    if path.is_dir():
        if (path / SAVED).is_file():
            return path / SAVED
        raise UsageError(f"'{target}' is a folder without {SAVED}: give the folder of a study")
    if re.fullmatch(r"[\w-]+", target) and not path.is_file() and target not in recipes():
        if (shipped := FOLDER / f"{target}.yaml").is_file():
            return shipped
        known = {**studies(), **recipes()}
        near = difflib.get_close_matches(target, known, n=1)
        guess = f", did you mean '{near[0]}'?" if near else ":"
        raise UsageError(
            f"'{target}' is neither a file nor the name of a study or a recipe{guess} there are"
            f" {', '.join(known)}"
        )
    return find_settings(target)


def _shared(values: Mapping[str, Any], source: Path) -> dict[str, Any]:
    """Read the settings that a file shares among all runs."""
    given, changes = values.get("settings", {}), values.get("change") or {}
    if isinstance(given, str):
        beside = source.parent / given
        file = beside if beside.is_file() else find_settings(given)
        given = anchored(read_yaml(file), file.parent)
    if not isinstance(given, Mapping) or not isinstance(changes, Mapping):
        raise UsageError(
            f"'{source.name}': settings must be keys and values, or the name of a file or recipe,"
            f" and change keys and values: got {given if changes == {} else changes!r}"
        )
    return merge(anchored(given, source.parent), anchored(changes, source.parent))


def _study(values: Mapping[str, Any], source: Path) -> Study:
    try:
        return Study.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
        raise UsageError(
            f"'{source.name}': {place}: {str(first['msg']).removeprefix('Input ')}: got"
            f" {str(first['input'])[:80]!r}"
        ) from None
