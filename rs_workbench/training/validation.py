"""How well a learner labels chips that it does not learn from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.confusion import Confusion
from rs_workbench.training.learner import Learner
from rs_workbench.training.processes import Shared, count_processes, process_rank
from rs_workbench.types import Image, Scores
from tiling.label_index import IGNORE

if TYPE_CHECKING:
    from rs_workbench.training.loader import Batch


def count_batches(
    learner: Learner, batches: Iterable[Batch], n_classes: int
) -> NDArray[np.int64] | None:
    """Count how a learner labels the pixels of all batches; several processes share them.

    Parameters
    ----------
    learner : Learner
        Predicts.
    batches : iterable of Batch
        Chips and their labels, the same in all processes.
    n_classes : int
        K.

    Returns
    -------
    ndarray of int64, shape (K, K), or None
        Rows map, columns reference; None where no pixel has a label.
    """
    confusion = Confusion(n_classes, ignore=IGNORE)
    for number, batch in enumerate(batches):
        if number % count_processes() == process_rank():
            best = score_batch(learner, batch.images).argmax(axis=1)
            confusion.update(best, batch.labels)
    matrix = confusion.matrix
    if isinstance(learner, Shared):
        matrix = learner.add_up(matrix)
    return matrix if matrix.any() else None


def score_batch(learner: Learner, images: Image) -> Scores:
    """Score a batch; where memory runs out, in halves.

    Parameters
    ----------
    learner : Learner
        Predicts.
    images : ndarray of float32, shape (N, B, H, W)
        Scaled bands.

    Returns
    -------
    ndarray of float32, shape (N, K, H, W)
        Logits.
    """
    try:
        return learner.predict(images)
    except Exception as error:
        if len(images) == 1 or not learner.is_out_of_memory(error):
            raise
    learner.release()  # after the error is gone, which held on to what was computed
    middle = len(images) // 2
    halves = images[:middle], images[middle:]
    return np.concatenate([score_batch(learner, half) for half in halves])
