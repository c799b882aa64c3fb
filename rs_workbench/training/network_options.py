"""Options of a network, checked against what builds it, before data are opened."""

from __future__ import annotations

import inspect

from rs_workbench.errors import UsageError
from rs_workbench.networks import check_choice, find_network
from rs_workbench.training.settings import TrainSettings


def check_network_options(settings: TrainSettings) -> None:
    """Refuse options that the network does not have.

    The network, and so the framework, is imported.

    Parameters
    ----------
    settings : TrainSettings
        Network and options.

    Raises
    ------
    UsageError
        If an option is unknown, or is a text where a number is wanted, or the other way round.
    MissingDependencyError
        If the framework is not installed.
    """
    known = inspect.signature(find_network(settings.network, settings.framework)).parameters
    if any(one.kind is one.VAR_KEYWORD for one in known.values()):
        return
    options = [name for name in known if name not in ("n_bands", "n_classes")]
    for name, value in settings.network_options.items():
        check_choice(f"option of {settings.network}", name, options)
        default = known[name].default
        if isinstance(default, int | float | str) and not _alike(value, default):
            raise UsageError(
                f"option {name} of {settings.network} must be {_kind(default)}: got {value!r} "
                f"(by default {default!r})"
            )


def _alike(value: object, default: object) -> bool:
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)


def _kind(default: object) -> str:
    if isinstance(default, bool):
        return "true or false"
    kinds = {int: "a whole number", float: "a number", str: "text"}
    return kinds[type(default)]
