"""What is varied: an axis for each setting, or for bundles of settings that go together.

An axis is a name and a list of choices::

    vary:
      loss: [cross_entropy, dice]                 # a setting and its values
      network_options.width: [16, 32]             # one of a group of settings
      backbone:                                   # bundles, under any name
        - name: small
          network_options.backbone: mini
        - name: mobile
          torch: {network_options.backbone: torchvision/mobilenet_v3_small}
          keras: {network_options.backbone: MobileNetV3Small}

A mapping with a `name` is a bundle. What stands below ``torch:`` or ``keras:`` holds for runs with
that framework, because the two call the same backbone by other names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rs_workbench.errors import UsageError
from rs_workbench.networks import FRAMEWORKS
from rs_workbench.training.settings_errors import LEVELS, unknown_setting
from rs_workbench.training.settings_file import GROUPS


@dataclass(frozen=True)
class Choice:
    """One value of an axis.

    Attributes
    ----------
    label : str
        What it is called.
    values : dict of str to value
        Settings by their name, dotted within a group.
    of_framework : dict of str to dict
        Further settings for runs with that framework.
    """

    label: str
    values: dict[str, Any]
    of_framework: dict[str, dict[str, Any]] = field(default_factory=dict)

    def changes(self, framework: str) -> dict[str, Any]:
        """Give the settings for runs with a framework.

        Parameters
        ----------
        framework : str
            "keras" or "torch".

        Returns
        -------
        dict
            Settings by their name, dotted within a group.
        """
        return {**self.values, **self.of_framework.get(framework, {})}


@dataclass(frozen=True)
class Axis:
    """What is varied, and its choices in order."""

    name: str
    choices: tuple[Choice, ...]


def make_axes(vary: Mapping[str, Sequence[Any]]) -> tuple[Axis, ...]:
    """Read what is varied.

    Parameters
    ----------
    vary : mapping of str to sequence
        Name of each axis and its entries; `seed` is left out, as each seed repeats all runs.

    Returns
    -------
    tuple of Axis
        In the same order.

    Raises
    ------
    UsageError
        If a setting is unknown, an axis has no entry or two of the same name.
    """
    return tuple(_axis(name, entries) for name, entries in vary.items() if name != "seed")


def overlapping(parts: Sequence[Mapping[str, Any]]) -> str | None:
    """Find a setting that two parts name, or one names of a group that another names whole.

    Parameters
    ----------
    parts : sequence of mapping
        Settings by dotted name.

    Returns
    -------
    str or None
        The first such setting.

    Examples
    --------
    >>> overlapping([{"split.kind": "random"}, {"split": {}}])
    'split'
    """
    seen: set[str] = set()
    for part in parts:
        for key in part:
            group = key.partition(".")[0]
            if key in seen or group in seen or any(s.startswith(f"{key}.") for s in seen):
                return key
        seen |= set(part)
    return None


def label_of(value: Any) -> str:
    """Write a value as the label of a choice.

    Parameters
    ----------
    value : object
        Plain data.

    Returns
    -------
    str
        Text as it is, the rest as JSON.

    Examples
    --------
    >>> label_of("dice"), label_of(None), label_of([4, 3, 2]), label_of(True)
    ('dice', 'none', '4 3 2', 'true')
    """
    if isinstance(value, str):
        return value
    if value is None:
        return "none"
    if isinstance(value, list | tuple) and not any(isinstance(one, dict) for one in value):
        return " ".join(label_of(one) for one in value)
    return json.dumps(value, ensure_ascii=False)


def check_setting(name: str) -> None:
    """Refuse the name of a setting that there is none of.

    Parameters
    ----------
    name : str
        Of a setting, dotted within a group: ``loss``, ``split.kind``, ``network_options.width``.

    Raises
    ------
    UsageError
        If there is no such setting; it names the nearest.
    """
    group, dot, below = name.partition(".")
    if group not in LEVELS[""]:
        raise UsageError(unknown_setting(group))
    if not dot:
        return
    if group not in GROUPS:
        raise UsageError(f"{group} has no settings below it: got '{name}'")
    if group in LEVELS and below not in LEVELS[group]:
        raise UsageError(unknown_setting(below, group))


def _axis(name: str, entries: Sequence[Any]) -> Axis:
    choices = tuple(_choice(name, entry) for entry in entries)
    labels = [one.label for one in choices]
    if not choices:
        raise UsageError(f"vary: {name} has no value: name one or more, such as  {name}: [a, b]")
    if len(set(labels)) < len(labels):
        raise UsageError(f"vary: {name} has a value twice: got {', '.join(labels)}")
    return Axis(name, choices)


def _choice(axis: str, entry: Any) -> Choice:
    if not isinstance(entry, Mapping) or "name" not in entry:
        check_setting(axis)
        return Choice(label_of(entry), {axis: entry})
    values = {key: value for key, value in entry.items() if key not in ("name", *FRAMEWORKS)}
    of_framework = {key: entry[key] for key in FRAMEWORKS if key in entry}
    for part in of_framework.values():
        if not isinstance(part, Mapping) or "framework" in part:
            raise UsageError(
                f"vary: {axis}, {entry['name']}: below torch: and keras: stand other settings for"
                f" runs with that framework: got {part!r}"
            )
    for key in (key for part in (values, *of_framework.values()) for key in part):
        check_setting(key)
        if key == "seed":
            raise UsageError(f"vary: {axis}: seeds are varied by  seeds: 3, not in a bundle")
    spread = {framework: _spread(part) for framework, part in of_framework.items()}
    return Choice(str(entry["name"]), _spread(values), spread)


def _spread(values: Mapping[str, Any]) -> dict[str, Any]:
    """Write what a group holds by dotted names: groups are changed setting by setting."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if key in GROUPS and isinstance(value, Mapping):
            flat.update({f"{key}.{below}": one for below, one in value.items()})
        else:
            flat[key] = value
    return flat
