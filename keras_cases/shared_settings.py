"""Settings with which a run could not end well are refused before it begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from inspect import Parameter, signature
from typing import Any

from keras_cases.models.unet import unet
from rs_workbench.errors import UsageError
from rs_workbench.memory import parse_size
from rs_workbench.networks import check_choice

COUNTS = (
    *("epochs", "batch", "chips", "tiles", "n_tiles", "held_out", "folds", "components", "digits"),
    *("width", "plain_width", "hidden", "rounds", "map_side", "sample", "last_width"),
    *("depth", "convolutions"),
)
LONG_STRIDE = 16
"""Of DeepLabV3+, px: a chip is a multiple of it."""
ICE_TILE = 256
"""Side of a tile of sea ice, px: a U-Net halves it `depth` times."""

Rule = tuple[Callable[[Any], bool], str]


def is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def are_whole(value: Any, least: int = 1) -> bool:
    """Whether it is a tuple of at least one whole number, none below the least."""
    return (
        isinstance(value, tuple)
        and len(value) > 0
        and all(type(one) is int and one >= least for one in value)
    )


COUNT: Rule = (is_count, "a whole number, at least 1")
COUNTED: Rule = (are_whole, "whole numbers of at least 1, such as (16, 32)")
PAIR: Rule = (
    lambda value: are_whole(value) and len(value) == 2,
    "two whole numbers of at least 1, such as (10, 10)",
)
NUMBERED: Rule = (
    lambda value: are_whole(value, least=0),
    "one or more whole numbers of at least 0 in brackets, such as (0,) or (0, 1, 2)",
)
SHARE: Rule = (
    lambda value: isinstance(value, float) and 0 < value < 1,
    "a share between 0 and 1, such as 0.2",
)
FORGOTTEN: Rule = (
    lambda value: isinstance(value, float | int) and 0 <= value < 1,
    "a share from 0 to less than 1, such as 0.4",
)
TILE: Rule = (
    lambda value: is_count(value) and value % LONG_STRIDE == 0,
    f"a multiple of {LONG_STRIDE} px, such as 256",
)
RULES: dict[str, Rule] = {
    **dict.fromkeys(COUNTS, COUNT),
    **dict.fromkeys(("filters", "widths", "sizes"), COUNTED),
    **dict.fromkeys(("scene", "page"), PAIR),
    **dict.fromkeys(("seeds", "run"), NUMBERED),
    "dropout": FORGOTTEN,
    "tile": TILE,
}


def refuse_nothing(s: Any) -> None:
    """Refuse settings by which nothing would be learnt, or which would stop the run later."""
    for field in fields(s):
        value = getattr(s, field.name)
        if is_dataclass(value):
            refuse_nothing(value)
        refuse_value(field.name, value, field.default)
    if hasattr(s, "memory"):
        refuse_size(s.memory)
    if hasattr(s, "network"):
        refuse_network(s.network)
    for name, changed in getattr(s, "tries", {}).items():
        refuse_try(s, name, changed)


def refuse_value(name: str, value: Any, usual: Any, of: str = "") -> None:
    """Refuse a value that breaks the rule of its name; None stands only where it is usual."""
    rule = rule_of(name, usual)
    if rule is None or (value is None and usual is None):
        return
    fits, told = rule
    if not fits(value):
        raise UsageError(f"{name}{of} must be {told}: got {value!r}")


def rule_of(name: str, usual: Any) -> Rule | None:
    """Rule of a setting; a count in one case may be a share or a list in another."""
    if name == "validation":
        return SHARE if isinstance(usual, float) else COUNT
    return COUNT if name == "seeds" and isinstance(usual, int) else RULES.get(name)


def refuse_size(memory: Any) -> None:
    """Refuse what `rsw infer --memory` would refuse, hours later."""
    if not isinstance(memory, str):
        raise UsageError(f"memory must be a size in words, such as '1GB': got {memory!r}")
    parse_size(memory)


def refuse_network(network: Mapping[str, Any]) -> None:
    """Refuse a U-Net that cannot be built, or is too deep for a tile."""
    if not isinstance(network, Mapping):
        raise UsageError(
            f"network must name its settings, as {{'width': 8, 'depth': 4}}: got {network!r}"
        )
    options = signature(unet).parameters.values()
    usual = {one.name: one.default for one in options if one.kind is Parameter.KEYWORD_ONLY}
    for name, value in network.items():
        check_choice("setting of the network", name, list(usual))
        refuse_value(name, value, usual[name], " of the network")
    depth, deepest = network.get("depth", usual["depth"]), ICE_TILE.bit_length() - 1
    if depth > deepest:
        raise UsageError(
            f"depth of the network must be at most {deepest}, as a tile of {ICE_TILE} px can be "
            f"halved so many times: got {depth}"
        )


def refuse_try(s: Any, name: str, changed: Mapping[str, Any]) -> None:
    """Refuse one of several settings to compare before the first of them is trained."""
    for one in changed:
        check_choice(f"setting in the try '{name}',", one, [field.name for field in fields(s)])
    refuse_nothing(replace(s, **changed, tries={}))
