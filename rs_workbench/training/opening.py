"""open_aloud: data are opened, and the user hears of it before the first epoch.

Large scenes take minutes to count and measure, in which nothing else is to be seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rs_workbench.training.data import open_data
from rs_workbench.training.network_options import check_network_options
from rs_workbench.training.run import import_framework, make_learner

if TYPE_CHECKING:
    from rs_workbench.training.data import TrainingData
    from rs_workbench.training.settings import TrainSettings

SILENCE = 5.0
"""Seconds between two lines."""


def open_aloud(settings: TrainSettings, say: Callable[[str], None]) -> TrainingData:
    """Open data, and say how far that is.

    Parameters
    ----------
    settings : TrainSettings
        What to learn from.
    say : callable
        Takes a line: one at once, then one every `SILENCE` seconds.

    Returns
    -------
    TrainingData
        As `open_data` gives it.

    Raises
    ------
    WorkbenchError
        Whatever is wrong with scenes or labels, in one sentence.
    TilingError
        If the split leaves a part without ground.
    """
    say("opening scenes and labels")
    last = time.monotonic()

    def on_progress(done: int, rows: int) -> None:
        nonlocal last
        if time.monotonic() - last >= SILENCE and done < rows:
            last = time.monotonic()
            doing = "counting labels" if 2 * done <= rows else "measuring bands"
            say(f"{doing}: {100 * done // rows} %")

    return open_data(settings, on_progress=on_progress)


def check_network(data: TrainingData) -> None:
    """Build the network once, with random weights, to see that it can be built.

    Parameters
    ----------
    data : TrainingData
        Opened data.

    Raises
    ------
    UsageError
        If the network lacks an option, cannot be built, or cannot be fed tiles of this size.
    MissingDependencyError
        If the framework cannot be loaded.
    """
    settings = data.settings
    import_framework(settings.framework)
    check_network_options(settings)
    options = {k: v for k, v in settings.network_options.items() if k != "weights"}
    make_learner(data, settings.model_copy(update={"network_options": options}))
