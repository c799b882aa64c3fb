"""Keras on digits: scores, a table of shapes, digits varied anew in each epoch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from rs_workbench.lessons.digits import Digits, vary_digits
from rs_workbench.lessons.digits_report import markdown_table


def logits_of(model: keras.Model, images: NDArray[np.generic]) -> NDArray[np.float32]:
    """Score digits.

    Parameters
    ----------
    model : keras.Model
        Gives one score a class.
    images : ndarray, shape (N, 28, 28, 1)
        Scaled as those it learnt from.

    Returns
    -------
    ndarray of float32, shape (N, 10)
        Scores; the largest is the answer.
    """
    if not len(images):  # which predict does not take
        return np.empty((0, model.output_shape[-1]), np.float32)
    return np.asarray(model.predict(images, batch_size=500, verbose=0), np.float32)


def table_of_shapes(model: keras.Model) -> str:
    """List what each layer gives, and how many parameters it has.

    Parameters
    ----------
    model : keras.Model
        A chain of layers.

    Returns
    -------
    str
        A table in Markdown.
    """
    rows = [
        (
            layer.name,
            type(layer).__name__,
            " x ".join(str(side) for side in layer.output.shape[1:]),
            f"{layer.count_params():,}",
        )
        for layer in model.layers
    ]
    return markdown_table(rows, ("layer", "kind", "gives", "parameters"))


class VariedDigits(keras.utils.PyDataset):
    """Batches for `model.fit`: each digit once an epoch, turned, shifted and stretched anew.

    Parameters
    ----------
    digits : Digits
        Images (N, 28, 28, 1) of float32, ground 0.
    batch : int
        Digits of a batch.
    seed : int
        Of order and changes.
    **changes : float
        As `vary_digits` takes them.
    """

    def __init__(self, digits: Digits, *, batch: int, seed: int = 0, **changes: float) -> None:
        super().__init__()
        self.digits, self.batch, self.seed = digits, batch, seed
        self.changes, self.epoch = changes, 0
        self.order = self._order()

    def on_epoch_end(self) -> None:
        """Draw a new order."""
        self.epoch += 1
        self.order = self._order()

    def _order(self) -> NDArray[np.int64]:
        rng = np.random.default_rng((self.seed, self.epoch))
        return rng.permutation(len(self.digits.labels))

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        return -(-len(self.order) // self.batch)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Give a batch.

        Parameters
        ----------
        index : int
            Its number.

        Returns
        -------
        images, labels : ndarray
            (n, 28, 28, 1) and (n,).
        """
        taken = self.order[index * self.batch : (index + 1) * self.batch]
        rng = np.random.default_rng((self.seed, self.epoch, index))
        images = np.asarray(self.digits.images[taken], np.float32)
        return vary_digits(images, rng=rng, **self.changes), self.digits.labels[taken]
