"""Settings of a run from a YAML file and from options, and back into a file.

Paths in a file are relative to its folder; in settings they are absolute, so that the settings
saved with a result mean the same from anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rs_workbench.errors import UsageError
from rs_workbench.training.settings import TrainSettings
from rs_workbench.training.settings_errors import first_sentence
from rs_workbench.training.yaml_file import read_yaml, yaml_text

PATHS = ("scenes", "labels")
LISTS = ("scenes", "labels", "unlabelled", "bands", "nodata")
GROUPS = ("split", "augment", "network_options")
RESOLVED = "# Settings of a run, complete: rsw train settings.yaml -o OTHER_FOLDER repeats it."
"""First line of what `write_settings` writes; tells our file from a user's."""

Values = Mapping[str, Any]


def read_settings(path: Path, changes: Values | None = None) -> TrainSettings:
    """Read a file of settings.

    Parameters
    ----------
    path : Path
        YAML; its keys are the fields of `TrainSettings`.
    changes : mapping, optional
        What holds instead of the file's values; see `merge`. Paths in it are relative to the
        current folder.

    Returns
    -------
    TrainSettings
        With absolute paths.

    Raises
    ------
    UsageError
        If the file cannot be read, a key is unknown or a value wrong: the first mistake.
    """
    values = anchored(read_yaml(path), path.parent)
    _refuse_comments_for_colors(values, path)
    return make_settings(values, changes, source=path.name)


def make_settings(
    values: Values, changes: Values | None = None, *, source: str | None = None
) -> TrainSettings:
    """Make settings of plain values.

    Parameters
    ----------
    values : mapping
        Keys and values as YAML gives them.
    changes : mapping, optional
        What holds instead.
    source : str, optional
        Name of the file that the values come from, for messages.

    Returns
    -------
    TrainSettings
        With absolute paths.

    Raises
    ------
    UsageError
        If a key is unknown or a value wrong: the first mistake.
    """
    changed = anchored(_plain_lists(changes or {}), Path.cwd())
    merged = merge(anchored(_plain_lists(values), Path.cwd()), changed)
    try:
        return TrainSettings.model_validate(merged)
    except ValidationError as error:
        key, sentence = first_sentence(error)
        from_file = source and key in values and key not in changed
        raise UsageError(f"'{source}': {sentence}" if from_file else sentence) from None


def merge(values: Values, changes: Values) -> dict[str, Any]:
    """Put changes over values; within split, augment and network_options key by key.

    Parameters
    ----------
    values : mapping
        What holds first.
    changes : mapping
        What holds instead. Where it names another network, the options of the first one go.

    Returns
    -------
    dict
        Both are left as they are.

    Examples
    --------
    >>> merge({"split": {"block": 64}, "seed": 1}, {"split": {"kind": "random"}})
    {'split': {'block': 64, 'kind': 'random'}, 'seed': 1}
    """
    merged = dict(values)
    before = values.get("network", TrainSettings.model_fields["network"].default)
    if changes.get("network", before) != before:
        merged.pop("network_options", None)
    for key, value in changes.items():
        group = merged.get(key)
        together = key in GROUPS and isinstance(group, Mapping) and isinstance(value, Mapping)
        merged[key] = {**group, **value} if together else value  # type: ignore[dict-item]
    return merged


def anchored(values: Values, folder: Path) -> dict[str, Any]:
    """Make paths absolute.

    Parameters
    ----------
    values : mapping
        Settings as plain values.
    folder : Path
        What relative paths are relative to.

    Returns
    -------
    dict
        A copy; sample data, addresses and GDAL's own names stay as they are.
    """
    found = dict(values)
    for key in PATHS:
        if isinstance(found.get(key), str):
            found[key] = [found[key]]
        if isinstance(found.get(key), list | tuple):
            found[key] = [_anchor(one, folder) for one in found[key]]
    options = found.get("network_options")
    if isinstance(options, Mapping) and isinstance(options.get("weights"), str):
        beside = folder.absolute() / options["weights"]
        if beside.is_file():  # else a name such as imagenet
            found["network_options"] = {**options, "weights": str(beside)}
    return found


def _anchor(text: Any, folder: Path) -> Any:
    """``sample:x``, ``https://x`` and ``NETCDF:x:y`` are names; a drive has one letter."""
    named = isinstance(text, str) and re.match(r"[A-Za-z0-9_]{2,}:|/", text)
    if not isinstance(text, str) or not text or named or Path(text).is_absolute():
        return text
    return str(folder.absolute() / Path(text).expanduser())


def _plain_lists(values: Values) -> dict[str, Any]:
    """Take one value for a list of one, and ``{1: water}`` for a list of classes."""
    found = dict(values)
    for key in LISTS:
        if isinstance(found.get(key), str | int | float):
            found[key] = [found[key]]
    classes = found.get("classes")
    if isinstance(classes, Mapping):
        found["classes"] = [{"value": value, "name": name} for value, name in classes.items()]
    elif isinstance(classes, list | tuple):
        found["classes"] = [_plain_class(one) for one in classes]
    return found


def _plain_class(one: Any) -> Any:
    if isinstance(one, Mapping) and isinstance(one.get("labels"), str | int):
        return {**one, "labels": [one["labels"]]}
    return one


def _refuse_comments_for_colors(values: Values, path: Path) -> None:
    """Refuse ``color: #2b6fb5``, which YAML takes for a comment."""
    classes = values.get("classes")
    for one in classes if isinstance(classes, list) else ():
        if isinstance(one, Mapping) and "color" in one and one["color"] is None:
            raise UsageError(
                f"'{path.name}': the colour of class {one.get('name')} is empty: put it in "
                "quotes, such as '#2b6fb5', because # begins a comment"
            )


def plain_values(settings: TrainSettings) -> dict[str, Any]:
    """Give settings as plain values.

    Parameters
    ----------
    settings : TrainSettings
        The settings.

    Returns
    -------
    dict
        Every field, also of split and augment; of classes only what is set.
    """
    values = settings.model_dump()
    if settings.classes is not None:
        values["classes"] = [one.model_dump(exclude_none=True) for one in settings.classes]
    return values


def settings_text(settings: TrainSettings) -> str:
    """Write settings as YAML.

    Parameters
    ----------
    settings : TrainSettings
        The settings.

    Returns
    -------
    str
        Every field; read back, it gives equal settings.
    """
    return f"{RESOLVED}\n{yaml_text(plain_values(settings))}"


def write_settings(settings: TrainSettings, path: Path) -> None:
    """Write settings to a file, which appears when it is complete.

    Parameters
    ----------
    settings : TrainSettings
        The settings.
    path : Path
        The file; its folder is there.
    """
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(settings_text(settings), encoding="utf-8")
    partial.replace(path)


def differences(one: TrainSettings, other: TrainSettings) -> dict[str, tuple[Any, Any]]:
    """Find where settings differ.

    Parameters
    ----------
    one, other : TrainSettings
        Two settings.

    Returns
    -------
    dict
        Both values by key; those of split, augment and network_options as ``split.block``.
    """
    ours, theirs = _flat(plain_values(one)), _flat(plain_values(other))
    return {
        key: (ours.get(key), theirs.get(key))
        for key in (*ours, *(k for k in theirs if k not in ours))
        if yaml_text(ours.get(key)) != yaml_text(theirs.get(key))  # so that nan equals nan
    }


def _flat(values: Values) -> dict[str, Any]:
    flat = {}
    for key, value in values.items():
        if key in GROUPS:
            flat.update({f"{key}.{name}": one for name, one in value.items()})
        else:
            flat[key] = value
    return flat
