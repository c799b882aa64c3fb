"""What can be wrong with settings before any data is opened or framework imported."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from rs_workbench.errors import MissingDependencyError, UsageError
from rs_workbench.networks import FRAMEWORKS, check_choice, list_networks
from rs_workbench.training.class_weights import check_weights, class_weights
from rs_workbench.training.losses import parse_loss, term_weights
from rs_workbench.training.settings import Framework, SplitChoice, TrainClass, TrainSettings
from tiling.label_index import IGNORE
from tiling.split_settings import SplitSettings

MODULES = {"torch": ("torch",), "keras": ("keras", "tensorflow")}


def check_settings(settings: TrainSettings) -> None:
    """Refuse settings that cannot work, whatever the data.

    Parameters
    ----------
    settings : TrainSettings
        The settings.

    Raises
    ------
    UsageError
        If the network, the loss or the rule for class weights is unknown, or classes, weights
        or the limit of GPU memory contradict themselves: the first of these.
    TilingError
        If the shares, the block or the buffer of the split cannot work.
    """
    names = sorted({network.name for network in list_networks(settings.framework)})
    check_choice(f"{settings.framework} network", settings.network, names)
    _check_loss(settings)
    if settings.classes is not None:
        _check_classes(settings.classes, settings.unlabelled)
    split = settings.split
    SplitSettings(settings.tile, split.shares, split.block, split.buffer, split.seed)
    _check_named(split)
    if settings.class_share + settings.border_share > 1:
        raise UsageError(
            "class_share and border_share must be together at most 1: got "
            f"class_share={settings.class_share} and border_share={settings.border_share} "
            "(try 0.5 and 0.25)"
        )
    if settings.accumulate > settings.batch:
        raise UsageError(
            "a batch cannot be computed in more parts than it has chips: got "
            f"accumulate={settings.accumulate} and batch={settings.batch}"
        )
    if settings.gpu_memory is not None:
        from rs_workbench.memory import parse_gpu_limit

        parse_gpu_limit(settings.gpu_memory)


def _check_named(split: SplitChoice) -> None:
    given = [name for name in ("validation", "held_out") if getattr(split, name)]
    if split.kind == "named" and len(given) < 2:
        raise UsageError(
            "a named split names the scenes of two parts: give split.validation and "
            "split.held_out, such as split.held_out=[north_*.tif], or leave out --split named"
        )
    if split.kind != "named" and given:
        raise UsageError(
            f"split.{given[0]} names scenes, but the split is {split.kind}: add --split named, or "
            f"leave out split.{given[0]}"
        )


def _check_loss(settings: TrainSettings) -> None:
    spec, weights = parse_loss(settings.loss), settings.class_weights
    if isinstance(weights, str):
        class_weights([1], weights)
        term_weights(spec, 1, ignore=IGNORE, class_weights=[1.0])
    elif weights is not None:
        n_classes = len(settings.classes) if settings.classes else None
        check_weights("class weights", weights, n_classes)
        term_weights(spec, len(weights), ignore=IGNORE, class_weights=weights)


def _check_classes(classes: Sequence[TrainClass], unlabelled: Sequence[int | str]) -> None:
    if len(classes) < 2:
        raise UsageError(f"there must be two classes at least: got {len(classes)}")
    for what in ("value", "name"):
        found = [getattr(one, what) for one in classes]
        twice = next((one for one in found if found.count(one) > 1), None)
        if twice is not None:
            raise UsageError(
                f"each class needs a {what} of its own: got {twice} for {found.count(twice)} of "
                f"{len(classes)} classes"
            )
    _refuse_alike([one.name for one in classes])
    meant: dict[int | str, str] = dict.fromkeys(unlabelled, "unlabelled")
    for one in classes:
        for label in one.labels:
            if meant.setdefault(label, one.name) != one.name:
                raise UsageError(
                    f"a label means one class: got {label} for '{meant[label]}' and '{one.name}'"
                )


def _refuse_alike(names: Sequence[str]) -> None:
    """Refuse names that labels in vector files could not tell apart."""
    alike: dict[str, str] = {}
    for name in names:
        other = alike.setdefault(" ".join(name.casefold().split()), name)
        if other != name:
            raise UsageError(
                f"class names must differ by more than upper case, lower case and spaces: got "
                f"'{other}' and '{name}' (rename one)"
            )


def default_framework() -> Framework:
    """Choose torch where it is installed, else Keras where that is.

    Returns
    -------
    str
        "torch" where neither is.
    """
    return next((name for name in ("torch", "keras") if is_installed(name)), "torch")  # type: ignore[return-value]


def is_installed(framework: str) -> bool:
    """Tell whether a framework is there, without importing it.

    Parameters
    ----------
    framework : str
        "keras" or "torch".

    Returns
    -------
    bool
        Whether all it needs is installed.
    """
    return all(importlib.util.find_spec(module) is not None for module in MODULES[framework])


def require_framework(framework: str) -> None:
    """Refuse to train where the framework is missing.

    Parameters
    ----------
    framework : str
        "keras" or "torch".

    Raises
    ------
    MissingDependencyError
        If it is not installed; says how to install it, or to use the other where that is there.
    """
    if is_installed(framework):
        return
    other = next(name for name in FRAMEWORKS if name != framework)
    instead = f", or add  --framework {other}" if is_installed(other) else ""
    raise MissingDependencyError(
        f"training with {framework} needs {' and '.join(MODULES[framework])}, which "
        f"{'is' if len(MODULES[framework]) == 1 else 'are'} not installed: run  "
        f"pip install 'rs-workbench[{framework}]'{instead}"
    )
