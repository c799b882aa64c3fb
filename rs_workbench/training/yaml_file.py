"""YAML as people mean it: plain data only, one sentence for a mistake, no trap of YAML 1.1.

PyYAML by itself reads ``no`` as false, ``1e-3`` as text, ``010`` as 8 and a date as no text; of
two equal keys it keeps the last. Here only true and false are such, numbers are decimal, dates
are text, and a key stands once.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from rs_workbench.errors import UsageError

_CORE = (
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf)|\.(nan|NaN)",
        list("-+.0123456789"),
    ),
)
"""The core schema of YAML 1.2: type, what it looks like, first letters."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - forgets those of YAML 1.1


class _Dumper(yaml.SafeDumper):
    """Quotes what either schema would take for something else than text."""


def _int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(str(loader.construct_scalar(node)))


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        complaint = None
        if not isinstance(key, str | int | float):
            complaint = "a key must be text or a number"
        elif key in found:
            complaint = f"'{key}' stands here for the second time"
        if complaint:
            raise yaml.constructor.ConstructorError(None, None, complaint, key_node.start_mark)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


for _kind, _looks, _first in _CORE:
    for _schema in (_Loader, _Dumper):
        _schema.add_implicit_resolver(
            f"tag:yaml.org,2002:{_kind}", re.compile(rf"(?:{_looks})\Z"), _first
        )
_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a file of keys and values.

    Parameters
    ----------
    path : Path
        The file, UTF-8.

    Returns
    -------
    dict
        Empty for an empty file.

    Raises
    ------
    UsageError
        If it cannot be read, is no YAML, or holds no keys.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(
            f"the settings '{path}' cannot be read ({why}): give a YAML file"
        ) from error
    found = parse_yaml(text, f"'{path.name}'")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise UsageError(
            f"'{path.name}' holds no settings: write keys and values, such as  epochs: 30"
        )
    return {str(key): value for key, value in found.items()}


def parse_yaml(text: str, source: str) -> Any:
    """Read a value from text.

    Parameters
    ----------
    text : str
        YAML, such as ``[0.8, 1.25]``.
    source : str
        Where it stands, for messages.

    Returns
    -------
    object
        Made of dict, list, str, int, float, bool and None.

    Raises
    ------
    UsageError
        If it is no YAML.

    Examples
    --------
    >>> parse_yaml("[no, 010, 1e-3, 2020-01-01]", "here")
    ['no', 10, 0.001, '2020-01-01']
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        why = getattr(error, "problem", None) or getattr(error, "reason", "it cannot be read")
        raise UsageError(
            f"{source}{place} is no YAML: {why} (write  key: value  with two spaces more for "
            "each level)"
        ) from None


def yaml_text(value: Any) -> str:
    """Write a value as `read_yaml` reads it.

    Parameters
    ----------
    value : object
        Made of dict, list, tuple, str, numbers, bool and None.

    Returns
    -------
    str
        YAML in the order of the keys; tuples become lists.
    """
    how: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": 95}
    return str(yaml.dump(_plain(value), Dumper=_Dumper, default_flow_style=None, **how))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
