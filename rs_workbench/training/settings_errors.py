"""What is wrong with settings, in one sentence: the key, the value got, and what would do."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from pydantic import ValidationError

from rs_workbench.training.augment import Augment
from rs_workbench.training.settings import SplitChoice, TrainClass, TrainSettings

OTHER_NAMES = {
    "lr": "learning_rate",
    "batch_size": "batch",
    "image": "scenes",
    "images": "scenes",
    "mask": "labels",
    "masks": "labels",
    "model": "network",
    "backbone": "network_options",
    "encoder": "network_options",
    "ignore": "unlabelled",
    "unlabeled": "unlabelled",
    "chip_size": "tile",
    "patch": "tile",
    "val": "split",
    "ema": "average",
    "colour": "color",
}
"""What other programs call a setting, and what it is here."""
WOULD_DO = {
    "scenes": "one or more files, folders or patterns, such as [scenes/*.tif]",
    "labels": "one or more files, folders or patterns, such as [labels/*.tif]",
    "classes": "a list of classes, such as [{value: 1, name: water}]",
    "classes.labels": "numbers or texts, such as [4, 8]",
    "classes.color": "a colour in quotes, such as '#2b6fb5'",
    "unlabelled": "numbers or texts, such as [0]",
    "positions": "a pattern in quotes, such as '{col}_{row}_'",
    "bands": "numbers from 1 or names, such as [4, 3, 2]",
    "nodata": "numbers, such as [-9999, 0]",
    "split": "settings of the split, such as {kind: blocks}",
    "split.shares": "three numbers that sum to 1, such as [0.6, 0.2, 0.2]",
    "augment": "settings of augmentation, such as {flip: true}",
    "augment.scale": "two numbers, such as [0.8, 1.25]",
    "network_options": "options of the network, such as {width: 32}",
    "class_weights": "a rule such as balanced, or one number for each class",
}
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "finite_number": "a finite number",
}
BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}
LEVELS: dict[str, Sequence[str]] = {
    "": list(TrainSettings.model_fields),
    "split": list(SplitChoice.model_fields),
    "classes": list(TrainClass.model_fields),
    "augment": [one.name for one in fields(Augment)],
}


def first_sentence(error: ValidationError) -> tuple[str, str]:
    """Say the first of the errors that pydantic found.

    Parameters
    ----------
    error : ValidationError
        Of `TrainSettings`.

    Returns
    -------
    key : str
        The setting of the highest level that it is about.
    sentence : str
        What is wrong.
    """
    first = error.errors(include_url=False)[0]
    place = list(first["loc"])
    # what follows the names of settings tells branches of a type: of no use to a user
    known = [name for keys in LEVELS.values() for name in keys]
    unknown_key = first["type"] in ("extra_forbidden", "unexpected_keyword_argument")
    kept = place if unknown_key else [p for p in place if isinstance(p, int) or p in known]
    return str(place[0]) if place else "", _sentence(first, kept, unknown=unknown_key)


def unknown_setting(name: str, level: str = "") -> str:
    """Say that there is no such setting, and which is nearest.

    Parameters
    ----------
    name : str
        What was written.
    level : str
        The setting it stands below; "" at the top.

    Returns
    -------
    str
        A sentence.

    Examples
    --------
    >>> unknown_setting("epoch")
    "there is no setting 'epoch', did you mean 'epochs'?"
    """
    keys = LEVELS[level]
    meant = OTHER_NAMES.get(name.lower())
    near = [meant] if meant in keys else difflib.get_close_matches(name.lower(), keys, n=1)
    below = f" of {level}" if level else ""
    elsewhere = [f"{one}.{name}" for one, names in LEVELS.items() if one and name in names]
    guess = next(iter([*near, *elsewhere]), None)
    if guess:
        return f"there is no setting '{name}'{below}, did you mean '{guess}'?"
    return f"there is no setting '{name}'{below}: there are {', '.join(keys)}"


def _sentence(first: Any, place: list[Any], *, unknown: bool) -> str:
    names = [part for part in place if isinstance(part, str)]
    path, value = ".".join(names), first["input"]
    if unknown:
        return unknown_setting(str(names[-1]), names[-2] if len(names) > 1 else "")
    if first["type"] == "value_error":
        return f"{path}: {first['ctx']['error']}"
    if first["type"] == "missing" and path not in WOULD_DO:
        return f"{_name(place)} is missing: got {_short(value)}"
    if first["type"] == "missing" and path in ("scenes", "labels"):
        option = {"scenes": "scene"}.get(path, path)
        return f"{path} are missing: give {WOULD_DO[path]} (or --{option})"
    return f"{_name(place)} must be {_wanted(first, path)}: got {_short(value)}"


def _wanted(first: Any, path: str) -> str:
    kind, context = str(first["type"]), first.get("ctx", {})
    if path in WOULD_DO:
        return WOULD_DO[path]
    if kind in BOUNDS:
        word, limit = BOUNDS[kind]
        return f"{word} {context[limit]:g}"
    if kind == "literal_error":
        return str(context["expected"]).replace("'", "")
    if kind == "string_too_short":
        return "text"
    found = next((text for start, text in KINDS.items() if kind.startswith(start)), None)
    return found or str(first["msg"]).removeprefix("Input should be ")


def _name(place: list[Any]) -> str:
    """Write ``split.shares``, and counted from 1 ``name of class 2``."""
    if place[0] == "classes" and len(place) > 2:
        return f"{place[2]} of class {place[1] + 1}"
    return ".".join(part for part in place if isinstance(part, str))


def _short(value: Any) -> str:
    text = repr(list(value)) if isinstance(value, tuple) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
