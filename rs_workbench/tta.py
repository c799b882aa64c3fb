"""Test-time augmentation: the mean over flips and quarter turns."""

from __future__ import annotations

import numpy as np

from rs_workbench.backends.base import Predictor
from rs_workbench.types import Image, Scores


class Averaged:
    """A predictor that scores every tile in its eight orientations and gives the mean.

    Tiles are multiples of the network's stride on both axes, so each orientation meets the
    network on its grid and an exact margin stays exact.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self.card = predictor.card
        self.engine = predictor.engine
        self.device = predictor.device

    def predict(self, batch: Image, /) -> Scores:
        """Score a batch of shape (N, B, H, W); returns (N, K, H, W)."""
        total: Scores | None = None
        for turns in range(4):
            for flipped in (False, True):
                scores = self._oriented(batch, turns, flipped=flipped)
                total = scores.copy() if total is None else total + scores
        assert total is not None
        return total / np.float32(8)

    def _oriented(self, batch: Image, turns: int, *, flipped: bool) -> Scores:
        turned = np.rot90(batch[..., ::-1] if flipped else batch, turns, axes=(2, 3))
        scores = self._predictor.predict(np.ascontiguousarray(turned))
        scores = np.rot90(scores, -turns, axes=(2, 3))
        return scores[..., ::-1] if flipped else scores
