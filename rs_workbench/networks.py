"""Find a network by its name, wherever it is installed.

A package offers networks through entry points of the group ``rs_workbench.networks``; so the
core never imports a case, and a third party adds a network without touching this file::

    [project.entry-points."rs_workbench.networks"]
    "torch.my_net" = "my_package.my_net:build"

The name is ``<framework>.<network>``. The object is called as
``build(n_bands, n_classes, **options)`` and gives a model of that framework which scores with
logits: (N, B, H, W) to (N, K, H, W) in torch, (N, H, W, B) to (N, H, W, K) in Keras. Its attribute
`stride` is the total stride, px; heights and widths are multiples of it.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, TypeAlias

from rs_workbench.errors import MissingDependencyError, ModelError, UsageError

GROUP = "rs_workbench.networks"
OURS = "rs-workbench"
FRAMEWORKS = ("keras", "torch")
MANY = 60
"""So many choices are still listed in a complaint."""

Builder: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, order=True)
class Network:
    """A network that can be built, not yet imported.

    Attributes
    ----------
    framework : str
        "keras" or "torch".
    name : str
        Its name within the framework.
    where : str
        Module and object, as ``module:build``.
    package : str
        The installed package that offers it.
    """

    framework: str
    name: str
    where: str
    package: str


@dataclass(frozen=True)
class NetworkFacts:
    """What a network costs and how it must be fed.

    Attributes
    ----------
    parameters : int
        All numbers it stores, running statistics of batch norms among them.
    trainable : int
        Those that training changes.
    stride : int or None
        Total stride, px; None where the model does not say.
    """

    parameters: int
    trainable: int
    stride: int | None


def list_networks(framework: str | None = None) -> tuple[Network, ...]:
    """List the networks that are installed, without importing any.

    Parameters
    ----------
    framework : str, optional
        "keras" or "torch"; both where it is None.

    Returns
    -------
    tuple of Network
        Sorted by framework and name.

    Raises
    ------
    UsageError
        If the framework is not one of the two.

    Examples
    --------
    >>> [network.name for network in list_networks("torch")]
    ['cbrr_unet', 'deeplabv3plus', 'unet']
    """
    if framework is not None:
        check_choice("framework", framework, FRAMEWORKS)
    found = {_network(entry) for entry in metadata.entry_points(group=GROUP)}
    return tuple(sorted(n for n in found if framework in (None, n.framework)))


def find_network(name: str, framework: str) -> Builder:
    """Import what builds a network.

    Parameters
    ----------
    name : str
        Such as "unet".
    framework : str
        "keras" or "torch".

    Returns
    -------
    callable
        ``build(n_bands, n_classes, **options)``, which gives a model.

    Raises
    ------
    UsageError
        If no such network is installed, or two packages offer one of that name.
    MissingDependencyError
        If the framework, or something else the network needs, is not installed.
    ModelError
        If the package does not hold what its entry point promises.
    """
    known = list_networks(framework)
    check_choice(f"{framework} network", name, sorted({network.name for network in known}))
    offers = [network for network in known if network.name == name]
    if len(offers) > 1:
        packages = " and ".join(f"'{network.package}'" for network in offers)
        raise UsageError(
            f"{packages} both offer a {framework} network '{name}': uninstall one of them"
        )
    return _load(offers[0])


def describe(model: Any) -> NetworkFacts:
    """Count the parameters of a model of either framework.

    Parameters
    ----------
    model : keras.Model or torch.nn.Module
        What a builder gave.

    Returns
    -------
    NetworkFacts
        Parameters, those of them that are trained, and the total stride.

    Notes
    -----
    Both frameworks are counted alike: running means and variances are parameters that are not
    trained (Keras counts so, torch calls them buffers); torch's count of batches is none.
    """
    if hasattr(model, "count_params"):
        shapes = [weight.shape for weight in model.weights]
        trainable = [weight.shape for weight in model.trainable_weights]
    else:
        kept = [b for b in model.buffers() if b.is_floating_point()]
        shapes = [tensor.shape for tensor in (*model.parameters(), *kept)]
        trainable = [p.shape for p in model.parameters() if p.requires_grad]
    return NetworkFacts(_count(shapes), _count(trainable), getattr(model, "stride", None))


def check_choice(what: str, value: object, choices: Sequence[object]) -> None:
    """Refuse a value that is not among the choices, naming the nearest that is.

    Parameters
    ----------
    what : str
        What is chosen, in the user's words.
    value : object
        What was asked for.
    choices : sequence
        What there is.

    Raises
    ------
    UsageError
        If the value is none of them.

    Examples
    --------
    >>> check_choice("network", "une", ["unet", "deeplabv3plus"])
    Traceback (most recent call last):
    rs_workbench.errors.UsageError: there is no network 'une', did you mean 'unet'? Choose \
deeplabv3plus or unet
    """
    if value in choices:
        return
    names = sorted(map(str, choices))
    near = difflib.get_close_matches(str(value).lower(), names, n=1 if len(names) <= MANY else 3)
    quoted = _or([f"'{name}'" for name in near])
    guess = f", did you mean {quoted}?" if near else ":"
    listed = _or(names) if len(names) <= MANY else f"one of {len(names)}, such as '{names[0]}'"
    choose = "Choose" if near else "choose"
    raise UsageError(f"there is no {what} '{value}'{guess} {choose} {listed}")


def _network(entry: metadata.EntryPoint) -> Network:
    framework, _, name = entry.name.partition(".")
    return Network(framework, name, entry.value, entry.dist.name if entry.dist else "?")


def _load(network: Network) -> Builder:
    if network.framework == "keras":
        from rs_workbench.backends.keras_import import import_keras

        import_keras()  # in silence, and with a sentence where it is not installed
    entry = metadata.EntryPoint(network.name, network.where, GROUP)
    called = f"the {network.framework} network '{network.name}' of '{network.package}'"
    try:
        builder = entry.load()
    except ModuleNotFoundError as error:
        missing = f"{error.name}".partition(".")[0]
        wanted = f"'rs-workbench[{network.framework}]'" if network.package == OURS else missing
        raise MissingDependencyError(
            f"{called} needs {missing}, which is not installed: run  pip install {wanted}"
        ) from error
    except (ImportError, AttributeError) as error:
        raise ModelError(
            f"{called} cannot be loaded from {network.where} ({error}): update that package"
        ) from error
    if not callable(builder):
        raise ModelError(
            f"{called} is no function at {network.where}: its package must offer"
            " build(n_bands, n_classes, **options)"
        )
    return builder  # type: ignore[no-any-return]


def _count(shapes: Iterable[Sequence[int]]) -> int:
    return sum(math.prod(shape) for shape in shapes)


def _or(names: Sequence[str]) -> str:
    if not names:
        return "nothing, as none is installed"
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
