"""Training ground as Keras takes it: chips are drawn anew for each epoch."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy import mean_iou
from rs_workbench.training.data import TrainingData
from rs_workbench.training.keras_scores import count_batches
from rs_workbench.training.learner import Labels
from rs_workbench.training.loader import part_batches, training_batches
from rs_workbench.types import Image
from tiling.chips import Chip

MOST_EPOCHS = 1000
"""Draws of one seed, so that those of another are others."""


class DrawnChips(keras.utils.PyDataset):
    """Chips of the training ground for `model.fit`; each epoch draws others, and varies them.

    `training_batches` makes them: of half of them the class is drawn first, so that rare ones are
    seen. They come in the order of Keras: (n, H, W, B) and (n, H, W).

    Parameters
    ----------
    data : TrainingData
        Its settings say how many chips an epoch has, and how many a batch.
    seed : int
        Another seed draws other chips.

    Attributes
    ----------
    epoch : int
        Number of the draw.
    """

    def __init__(self, data: TrainingData, *, seed: int = 0) -> None:
        super().__init__()
        self.data, self.epoch = data, seed * MOST_EPOCHS
        self._batches: list[tuple[Image, Labels]] = []

    def __len__(self) -> int:
        return -(-self.data.settings.chips // self.data.settings.batch)

    def __getitem__(self, index: int) -> tuple[Image, Labels]:
        if not self._batches:
            drawn = training_batches(self.data, self.epoch)
            self._batches = [(bands_last(one.images), one.labels) for one in drawn]
        return self._batches[index]

    def on_epoch_end(self) -> None:
        """Go on to the chips of the next epoch."""
        self.epoch += 1
        self._batches = []


def read_part(data: TrainingData, chips: Sequence[Chip]) -> tuple[Image, Labels]:
    """Read chips as they are; each labelled pixel counts in one chip only.

    Parameters
    ----------
    data : TrainingData
        From `open_data`.
    chips : sequence of Chip
        Such as ``data.validation``.

    Returns
    -------
    images : ndarray of float32, shape (N, B, H, W)
        Scaled bands.
    labels : ndarray of uint8, shape (N, H, W)
        Class indexes, 255 where a pixel does not count.
    """
    read = list(part_batches(data, chips))
    return np.concatenate([r.images for r in read]), np.concatenate([r.labels for r in read])


def bands_last(images: Image) -> NDArray[np.float32]:
    """Bring images (N, B, H, W) to the order of Keras, (N, H, W, B).

    Parameters
    ----------
    images : ndarray of float32, shape (N, B, H, W)
        Bands first.

    Returns
    -------
    ndarray of float32, shape (N, H, W, B)
        Contiguous.
    """
    return np.ascontiguousarray(np.moveaxis(images, 1, -1))


def classify(model: keras.Model, images: Image, *, batch: int = 8) -> Labels:
    """Give each pixel the class of its highest score.

    Parameters
    ----------
    model : keras.Model
        (N, H, W, B) to (N, H, W, K).
    images : ndarray of float32, shape (N, B, H, W)
        Scaled bands.
    batch : int
        Chips at a time.

    Returns
    -------
    ndarray of uint8, shape (N, H, W)
        Class indexes.
    """
    parts = [images[at : at + batch] for at in range(0, len(images), batch)]
    scores = (model.predict_on_batch(bands_last(part)) for part in parts)
    found = [keras.ops.convert_to_numpy(one).argmax(axis=-1).astype(np.uint8) for one in scores]
    return np.concatenate(found)


def score_part(model: keras.Model, data: TrainingData, chips: Sequence[Chip]) -> float:
    """Score a model on chips.

    Parameters
    ----------
    model : keras.Model
        (N, H, W, B) to (N, H, W, K).
    data : TrainingData
        What it was trained on: its scaling holds.
    chips : sequence of Chip
        Such as ``data.held_out``.

    Returns
    -------
    float
        Mean IoU; NaN where no pixel is labelled.
    """
    batches = ((bands_last(one.images), one.labels) for one in part_batches(data, chips))
    confusion = count_batches(model, batches, data.n_classes)
    return float(mean_iou(confusion)) if confusion.matrix.any() else float("nan")
