"""One run in several processes, each with a GPU of its own, as ``torchrun`` starts them.

Every process reads the same batches and learns from its share of each; what is written, told or
drawn comes from the first. No framework is needed to ask which process this is.
"""

from __future__ import annotations

import os
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class Shared(Protocol):
    """What a learner can do in addition, where several processes make one run."""

    def add_up(self, counts: NDArray[np.int64], /) -> NDArray[np.int64]:
        """Sum counts over all processes; every one gets the sum, and none goes on before."""
        ...


def wait_for_all(learner: object) -> None:
    """Go on when all processes have come so far.

    Parameters
    ----------
    learner : Learner
        One that is `Shared` waits; any other has nothing to wait for.
    """
    if isinstance(learner, Shared):
        learner.add_up(np.zeros(1, np.int64))


def count_processes() -> int:
    """Count the processes of this run.

    Returns
    -------
    int
        1 unless ``torchrun`` started several.
    """
    return int(os.environ.get("WORLD_SIZE", "1"))


def process_rank() -> int:
    """Say which of the processes this is.

    Returns
    -------
    int
        From 0, which is the one that writes.
    """
    return int(os.environ.get("RANK", "0"))


def leads() -> bool:
    """Tell whether this process writes files and speaks to the user.

    Returns
    -------
    bool
        False in all but the first.
    """
    return process_rank() == 0
