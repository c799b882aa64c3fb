"""One training from data to a folder with a model that can be used; a run that stops goes on."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rs_workbench.errors import UsageError, WorkbenchError
from rs_workbench.training.chosen_weights import weigh_classes
from rs_workbench.training.epoch_progress import OnStep
from rs_workbench.training.run_folder import STATE, Standing, open_folder, remove_state
from tiling import round_up

if TYPE_CHECKING:
    from rs_workbench.training.data import TrainingData
    from rs_workbench.training.finish import TrainResult
    from rs_workbench.training.learner import Learner
    from rs_workbench.training.settings import TrainSettings

OnEpoch = Callable[..., None]
"""Called with (epoch, learner, data)."""


@dataclass(frozen=True)
class Listeners:
    """Who hears of a run while it goes on.

    Attributes
    ----------
    on_step : callable, optional
        Called with (epoch, step, steps of the epoch, loss).
    on_epoch : tuple of callable
        Each is called with (epoch, learner, data).
    on_progress : callable, optional
        Called with (held-out chips scored, held-out chips).
    log : callable, optional
        Takes lines for the user.
    """

    on_step: OnStep | None = None
    on_epoch: tuple[OnEpoch, ...] = ()
    on_progress: Callable[[int, int], None] | None = None
    log: Callable[[str], None] | None = None

    def tell(self, line: str) -> None:
        """Hand a line to the user."""
        if self.log is not None:
            self.log(line)


def import_framework(framework: str) -> None:
    """Import the framework that will work, kept apart from the other.

    Parameters
    ----------
    framework : str
        "keras" or "torch".

    Raises
    ------
    MissingDependencyError
        If it is not installed or cannot be loaded.
    UsageError
        If the other one is loaded and both would not live together.
    """
    if framework == "torch":
        importlib.import_module("rs_workbench.backends.torch_backend").import_torch()
    else:
        importlib.import_module("rs_workbench.backends.keras_import").import_keras()


def run_training(
    data: TrainingData, folder: Path, *, standing: Standing, listeners: Listeners
) -> TrainResult:
    """Train on opened data, score the held-out ground, and write the result.

    Parameters
    ----------
    data : TrainingData
        With its settings.
    folder : Path
        Of the run.
    standing : str
        "new" or "unfinished": see `run_folder.check_folder`.
    listeners : Listeners
        Who hears of it.

    Returns
    -------
    TrainResult
        What was reached, and the files.

    Raises
    ------
    WorkbenchError
        Whatever went wrong; whole epochs are kept, and the same call goes on after them.
    """
    from rs_workbench.training.event_files import open_events
    from rs_workbench.training.finish import write_result
    from rs_workbench.training.held_out import score_held_out
    from rs_workbench.training.history import History
    from rs_workbench.training.loop import fit
    from rs_workbench.training.pictures import Pictures

    settings = data.settings
    with open_folder(folder, settings, standing=standing):
        if standing == "unfinished" and (folder / STATE).is_dir():
            listeners.tell(f"going on with the run in '{folder}'")
        events = open_events(folder, listeners.tell)
        kept = (History(folder), Pictures(folder, settings.pictures), events)
        on_epoch = (*(one for one in kept if one is not None), *listeners.on_epoch)
        fitted = fit(
            partial(make_learner, data),
            data,
            folder,
            on_epoch=on_epoch,
            on_step=listeners.on_step,
            tell=listeners.tell,
        )
        listeners.tell("scoring the held-out chips")
        scored = score_held_out(fitted.learner, data, on_progress=listeners.on_progress)
        result = write_result(folder, data, fitted, scored, fitted.settings)
        remove_state(folder)
    return result


def make_learner(data: TrainingData, settings: TrainSettings) -> Learner:
    """Make what learns from opened data.

    Parameters
    ----------
    data : TrainingData
        Bands, classes and their weights.
    settings : TrainSettings
        Network, framework and how it learns.

    Returns
    -------
    Learner
        Of the framework of the settings.

    Raises
    ------
    UsageError
        If the network cannot be fed tiles of this size, or the settings do not fit it.
    """
    module = importlib.import_module(f"rs_workbench.training.{settings.framework}_learner")
    weights = weigh_classes(data)
    try:
        learner: Learner = module.make_learner(
            settings, data.n_bands, data.n_classes, class_weights=weights
        )
    except (ValueError, TypeError, RuntimeError) as error:
        if isinstance(error, WorkbenchError):
            raise
        said = next(iter(str(error).splitlines()), type(error).__name__)[:200]
        given = ", ".join(f"{key}={value}" for key, value in settings.network_options.items())
        raise UsageError(
            f"the network '{settings.network}' cannot be built with {given or 'its defaults'} "
            f"({said}): change its options"
        ) from error
    stride, tile = learner.facts.stride or 1, settings.tile
    if tile % stride:
        raise UsageError(
            f"tile={tile} px is no multiple of {stride} px, the stride of {settings.network}: "
            f"choose --tile {round_up(tile, stride)}, or a network of fewer poolings"
        )
    return learner
