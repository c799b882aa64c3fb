"""Learner: a network that learns, the same small protocol for both frameworks.

The loop of `rs_workbench.training.loop` knows nothing else of a framework; `keras_learner` and
`torch_learner` are its two sides.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import ModelCard
from rs_workbench.networks import NetworkFacts
from rs_workbench.types import Image, Scores

Labels = NDArray[np.uint8]


class Learner(Protocol):
    """What the loop asks of a framework; made by ``make_learner(settings, n_bands, ...)``.

    Attributes
    ----------
    facts : NetworkFacts
        Parameters and stride.
    device : str
        Where it runs, in words: "cpu", "cuda:0".
    """

    facts: NetworkFacts
    device: str

    def start_epoch(self, epoch: int) -> None:
        """Set all chance of the framework (dropout) from the seed and the epoch."""

    def step(self, images: Image, labels: Labels, rate: float) -> float:
        """Learn from one batch (N, B, H, W) and its labels (N, H, W); gives the loss."""
        ...

    def predict(self, images: Image) -> Scores:
        """Score a batch with the weights that will be kept: logits (N, K, H, W)."""
        ...

    def save(self, path: Path) -> None:
        """Write all state: weights, optimiser, running mean."""

    def restore(self, path: Path) -> None:
        """Go on from what `save` wrote."""

    def save_weights(self, path: Path) -> None:
        """Write the weights that `predict` uses."""

    def load_weights(self, path: Path) -> None:
        """Make the weights of a file those that `predict` uses and `export` writes."""

    def export(self, folder: Path, card: ModelCard) -> Path:
        """Write the model with its card: ``model.keras`` or ``model.pt2`` in the folder."""
        ...

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Tell whether an error means that memory ran out."""
        ...

    def release(self) -> None:
        """Give memory back after that."""
