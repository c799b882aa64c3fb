"""Scores of `rs_workbench.accuracy` while a Keras model trains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras

from rs_workbench.accuracy import Confusion, mean_iou, overall_accuracy


def count_batches(
    model: keras.Model, batches: Iterable[Any], n_classes: int, *, ignore: int | None = 255
) -> Confusion:
    """Count how a model labels the pixels of all batches.

    Parameters
    ----------
    model : keras.Model
        Gives scores (N, H, W, K), or (N, K).
    batches : iterable of (images, labels)
        Images (N, H, W, B) and labels (N, H, W), or (N,); may be read again and again.
    n_classes : int
        K.
    ignore : int, optional
        Label that means unlabelled.

    Returns
    -------
    Confusion
        Rows map, columns reference.

    Raises
    ------
    AccuracyError
        If a label is not a class.
    """
    confusion = Confusion(n_classes, ignore=ignore)
    for images, labels in batches:
        scores = keras.ops.convert_to_numpy(model.predict_on_batch(images))
        truth = keras.ops.convert_to_numpy(labels).reshape(scores.shape[:-1])
        confusion.update(scores.argmax(axis=-1), truth)
    return confusion


class HeldOutScores(keras.callbacks.Callback):
    """Put mean IoU and overall accuracy on held-out chips into the logs of each epoch.

    Unlike the mean of a metric over batches, they are the scores of all pixels together. Later
    callbacks find them as ``val_mean_iou`` and ``val_overall_accuracy``, so list this one first.

    Parameters
    ----------
    batches : iterable of (images, labels)
        Held-out chips; read anew at the end of each epoch.
    n_classes : int
        Number of classes.
    ignore : int, optional
        Label that means unlabelled.

    Attributes
    ----------
    confusion : Confusion or None
        Counts of the last epoch.
    """

    def __init__(
        self, batches: Iterable[Any], n_classes: int, *, ignore: int | None = 255
    ) -> None:
        super().__init__()
        self._batches, self._n_classes, self._ignore = batches, n_classes, ignore
        self.confusion: Confusion | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Score the model.

        Parameters
        ----------
        epoch : int
            Counted from 0.
        logs : dict, optional
            Takes the scores.
        """
        confusion = count_batches(self.model, self._batches, self._n_classes, ignore=self._ignore)
        self.confusion = confusion
        if logs is not None:
            logs["val_mean_iou"] = mean_iou(confusion)
            logs["val_overall_accuracy"] = overall_accuracy(confusion)
