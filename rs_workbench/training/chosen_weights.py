"""Weights of the classes as the settings ask for them, from the training data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rs_workbench.training.class_weights import check_weights, class_weights
from tiling.sampler import Sampler

if TYPE_CHECKING:
    from rs_workbench.training.data import TrainingData


def weigh_classes(data: TrainingData) -> tuple[float, ...] | None:
    """Find the weight of each class.

    Parameters
    ----------
    data : TrainingData
        Gives the settings and the labelled pixels of the training ground.

    Returns
    -------
    tuple of float, or None
        None where all weigh the same.

    Raises
    ------
    UsageError
        If there is not one weight for each class.
    """
    asked = data.settings.class_weights
    if asked is None:
        return None
    if not isinstance(asked, str):
        check_weights("class weights", asked, data.n_classes)
        return asked
    if asked == "median_frequency":
        return tuple(class_weights(_counts_apart(data), asked).tolist())
    return tuple(class_weights(data.counts["training"], asked).tolist())


def _counts_apart(data: TrainingData) -> NDArray[np.int64]:
    """Labelled pixels of each class apart by place, (C, K): by cell, or by chip."""
    if isinstance(data.training, Sampler):
        cells = sum(
            index.counts.shape[0] * index.counts.shape[1] for index in data.training.indexes
        )
        found = np.zeros((cells, data.n_classes), np.int64)
        for number, places in enumerate(data.training.by_class):
            found[places.cell, number] = np.diff(places.total, prepend=0)
        return found
    from rs_workbench.training.loader import part_batches

    chips = (labels for batch in part_batches(data, data.training) for labels in batch.labels)
    return np.array([np.bincount(one.ravel(), minlength=256)[: data.n_classes] for one in chips])
