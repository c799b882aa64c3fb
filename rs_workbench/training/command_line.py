"""Options of ``rsw train``, and the settings they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click
from click.core import ParameterSource

from rs_workbench import options as shared
from rs_workbench.errors import UsageError
from rs_workbench.types import Framework, Optimizer, Precision, Schedule, SplitKind

if TYPE_CHECKING:
    from rs_workbench.memory import GpuLimit
    from rs_workbench.training.settings import TrainSettings

F = TypeVar("F", bound=Callable[..., Any])
COUNT = click.IntRange(min=1)
ABOVE_0 = click.FloatRange(min=0, min_open=True)
OPTIONS = (
    click.option("--scene", "scenes", multiple=True, metavar="SCENE", help="file, folder, glob"),
    click.option(
        "--labels", multiple=True, metavar="LABELS", help="raster a scene; or polygons, points"
    ),
    click.option("--label-column", metavar="NAME", help="column of classes, for vectors"),
    click.option("--classes", help='classes by value: "1=water,2=ice" [as the labels say]'),
    click.option(
        "--unlabelled", type=shared.ListOf("values", str), help="labels that mean none: 0,255"
    ),
    click.option(
        "--positions",
        metavar="PATTERN",
        help="where scenes lie in one mosaic, from their names: {col}_{row}_",
    ),
    shared.bands,
    shared.nodata,
    click.option("--network", metavar="NAME", help="unet, deeplabv3plus, cbrr_unet ... [unet]"),
    click.option(
        "--framework", type=click.Choice(get_args(Framework)), help="[torch, else keras]"
    ),
    click.option("--backbone", metavar="NAME", help="of deeplabv3plus: mini, resnet50 ... [mini]"),
    click.option(
        "--option", "network_options", multiple=True, metavar="KEY=VALUE", help="of the network"
    ),
    click.option("--loss", help="such as dice or 0.5*focal(gamma=3)+lovasz [cross_entropy]"),
    click.option("--class-weights", metavar="RULE", help="balanced ..., or numbers 1,2.5,1"),
    click.option("--tile", type=click.IntRange(min=8), help="side of a chip, px [256]"),
    click.option("--chips", type=COUNT, help="drawn for each epoch [256]"),
    click.option("--batch", type=COUNT, help="chips a step [8]"),
    click.option("--epochs", type=COUNT, help="[30]"),
    click.option("--optimizer", type=click.Choice(get_args(Optimizer)), help="[adamw]"),
    click.option("--learning-rate", type=ABOVE_0, help="[0.001]"),
    click.option("--schedule", type=click.Choice(get_args(Schedule)), help="[one_cycle]"),
    click.option("--accumulate", type=COUNT, help="parts that a batch is computed in [1]"),
    click.option(
        "--average",
        type=click.FloatRange(0, 1, max_open=True),
        help="decay of the running mean of the weights [0: none]",
    ),
    click.option("--precision", type=click.Choice(get_args(Precision)), help="[auto]"),
    click.option("--patience", type=COUNT, help="stop after so many epochs without a gain"),
    click.option("--split", type=click.Choice(get_args(SplitKind)), help="random leaks [blocks]"),
    click.option("--block", type=COUNT, help="side of a block, px [chosen]"),
    click.option("--seed", type=click.IntRange(min=0), help="of weights and chips [0]"),
    click.option("--name", help="of the model, in its card"),
    click.option("--workers", type=COUNT, help="threads that read chips [2]"),
    click.option("--no-onnx", is_flag=True, help="write no model.onnx"),
    shared.device,
    shared.gpu_memory,
    click.option(
        "--set",
        "others",
        multiple=True,
        metavar="KEY=VALUE",
        help="any other setting: augment.scale=[0.8,1.25]",
    ),
)


def setting_options(function: F) -> F:
    """Give a command the options that are settings.

    Parameters
    ----------
    function : callable
        Body of a command.

    Returns
    -------
    callable
        The same with `OPTIONS`.
    """
    return reduce(lambda inner, option: option(inner), reversed(OPTIONS), function)


def changes_of(context: click.Context) -> dict[str, Any]:
    """Collect what the user typed.

    Parameters
    ----------
    context : Context
        Of a command with `setting_options`.

    Returns
    -------
    dict
        Settings as plain values, as in a YAML file; without what was left to its default.

    Raises
    ------
    UsageError
        If a text cannot be understood.
    """
    options: Any = setting_options(lambda: None)
    names = [parameter.name for parameter in options.__click_params__]
    typed = {
        name: context.params[name]
        for name in reversed(names)
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    return changes_from(typed)


def changes_from(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Turn values of options into settings.

    Parameters
    ----------
    typed : mapping
        Value of each option that was given, by the name of its parameter.

    Returns
    -------
    dict
        Settings as plain values.

    Raises
    ------
    UsageError
        If a text cannot be understood, or is empty.

    Examples
    --------
    >>> changes_from({"split": "random", "classes": "1=water,2=ice", "no_onnx": True})
    {'classes': {1: 'water', 2: 'ice'}, 'onnx': False, 'split': {'kind': 'random'}}
    """
    for name, value in typed.items():
        if value == "" or (isinstance(value, tuple) and (not value or "" in value)):
            raise UsageError(f"--{_option(name)} must not be empty: leave it out or give a value")
    changes: dict[str, Any] = {}
    for name, value in typed.items():
        if name in ("split", "block", "backbone", "others"):
            continue
        key = "onnx" if name == "no_onnx" else name
        changes[key] = READERS[name](value) if name in READERS else value
    for name, key in (("split", "kind"), ("block", "block")):
        if name in typed:
            changes.setdefault("split", {})[key] = typed[name]
    if "backbone" in typed:
        changes.setdefault("network_options", {})["backbone"] = typed["backbone"]
    for text in typed.get("others", ()):
        _put(changes, text)
    return changes


def settings_from(
    file: str | None, changes: Mapping[str, Any], *, quick: bool = False
) -> TrainSettings:
    """Make the settings of a run: those of a file, made quick, then what the user typed.

    Parameters
    ----------
    file : str, optional
        A file of settings or the name of a recipe.
    changes : mapping
        From `changes_of`.
    quick : bool
        Whether to make the run short.

    Returns
    -------
    TrainSettings
        Checked as far as it goes without data.

    Raises
    ------
    UsageError
        If there is no such file, or settings are wrong: the first mistake.
    TilingError
        If the split cannot work.
    """
    from rs_workbench.training.recipes import find_settings, quick_changes
    from rs_workbench.training.settings_check import check_settings, default_framework
    from rs_workbench.training.settings_file import make_settings, read_settings
    from rs_workbench.training.yaml_file import read_yaml

    path = find_settings(file) if file is not None else None
    named = path is not None and "framework" in read_yaml(path)
    if not named and "framework" not in changes:
        changes = {**changes, "framework": default_framework()}

    def make(changes: Mapping[str, Any]) -> TrainSettings:
        return read_settings(path, changes) if path else make_settings({}, changes)

    settings = make(changes)
    if quick:
        settings = make(quick_changes(settings, changes))
    check_settings(settings)
    return settings


def _option(name: str) -> str:
    """Name of an option as it is typed."""
    given = {"scenes": "scene", "network_options": "option", "others": "set"}
    return given.get(name, name).replace("_", "-")


def _put(changes: dict[str, Any], text: str) -> None:
    """Take in ``augment.scale=[0.8,1.25]``."""
    key, value = _pair(text, "--set", "augment.scale=[0.8,1.25]")
    group, _, name = key.rpartition(".")
    place = changes
    if group:
        if not isinstance(changes.setdefault(group, {}), dict) or group == "classes":
            raise UsageError(f"--set {text} cannot be understood: {group} is no group of settings")
        place = changes[group]
    place[name] = value


def _pair(text: str, option: str, example: str) -> tuple[str, Any]:
    from rs_workbench.training.yaml_file import parse_yaml

    key, equals, value = text.partition("=")
    if not equals or not key.strip() or not value.strip():
        raise UsageError(
            f"{option} {text} cannot be understood: write a name and a value, as in "
            f"{option} {example}"
        )
    return key.strip(), parse_yaml(value, f"{option} {text}")


def _read_options(texts: tuple[str, ...]) -> dict[str, Any]:
    return dict(_pair(text, "--option", "width=32") for text in texts)


def _read_classes(text: str) -> dict[Any, str]:
    """Read ``1=water,2=ice``; what is no number is refused with the settings."""
    classes: dict[Any, str] = {}
    for part in text.split(","):
        value, equals, name = part.partition("=")
        if not equals or not value.strip().isdigit() or not name.strip():
            raise UsageError(
                f"--classes '{text}' cannot be understood at '{part}': write values and names, "
                'as in --classes "1=water,2=ice"'
            )
        if int(value) in classes:
            raise UsageError(f"--classes '{text}' names value {int(value)} twice")
        classes[int(value)] = name.strip()
    return classes


def _read_weights(text: str) -> str | list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        return text


def _numbers_or_names(values: tuple[str, ...]) -> list[int | str]:
    return [int(one) if one.lstrip("-").isdigit() else one for one in values]


def _limit_text(limit: GpuLimit) -> str:
    if limit.kind == "grow":
        return "grow"
    return f"{100 * limit.value:g}%" if limit.kind == "fraction" else f"{limit.value:.0f}"


READERS: dict[str, Callable[[Any], Any]] = {
    "classes": _read_classes,
    "unlabelled": _numbers_or_names,
    "bands": _numbers_or_names,
    "network_options": _read_options,
    "class_weights": _read_weights,
    "gpu_memory": _limit_text,
    "no_onnx": lambda no: not no,
    **dict.fromkeys(("scenes", "labels", "nodata"), list),
}
"""How the text of an option becomes plain values, where it is not one already."""
