"""The part of a run in several processes that is not the first, which writes and speaks."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rs_workbench.errors import UsageError
from rs_workbench.training.processes import count_processes

if TYPE_CHECKING:
    from rs_workbench.training.settings import TrainSettings


def check_processes(settings: TrainSettings) -> None:
    """Refuse what several processes cannot share.

    Parameters
    ----------
    settings : TrainSettings
        Of the run.

    Raises
    ------
    UsageError
        If there are several, and the network is one of Keras or the split one by chance.
    """
    if count_processes() == 1:
        return
    if settings.framework == "keras":
        raise UsageError(
            f"Keras trains on all GPUs from one process, but {count_processes()} were started:"
            " leave out torchrun"
        )
    if settings.split.kind == "random":
        raise UsageError(
            f"a split by chance may need a second run on blocks, which {count_processes()}"
            " processes cannot share: use --split blocks, or leave out torchrun"
        )


def follow(settings: TrainSettings, folder: Path) -> None:
    """Learn together with the first process, and leave all else to it.

    Parameters
    ----------
    settings : TrainSettings
        The same as the first process has.
    folder : Path
        Of the run; nothing is written there.

    Raises
    ------
    WorkbenchError
        Whatever went wrong; ``torchrun`` then ends the other processes.
    """
    from rs_workbench.training.data import open_data
    from rs_workbench.training.loop import fit
    from rs_workbench.training.run import import_framework, make_learner

    import_framework(settings.framework)
    data = open_data(settings)
    fit(partial(make_learner, data), data, folder)
