"""A network that runs out of memory above a number of pixels, with any framework's own error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rs_workbench.card import ModelCard
from rs_workbench.types import Image, Scores
from tests.backends.contract import make_card

STRIDE = 4
MARGIN = 12


def smooth_scores(batch: Image) -> Scores:
    """Score like a small network: stride 4, reach below 12 px, zero padding at the rim."""
    n, _, height, width = batch.shape
    blocks = batch.reshape(n, -1, height // STRIDE, STRIDE, width // STRIDE, STRIDE)
    padded = np.pad(blocks.max(axis=(3, 5)), [(0, 0), (0, 0), (1, 1), (1, 1)])
    rows, cols = height // STRIDE, width // STRIDE
    mixed = sum(padded[:, :, r : r + rows, c : c + cols] * (1 + r + 3 * c)
                for r in range(3) for c in range(3))  # fmt: skip
    scores = batch + mixed.repeat(STRIDE, axis=2).repeat(STRIDE, axis=3)
    return np.concatenate([scores, -scores[:, :1]], axis=1).astype(np.float32)


class ShortOfMemory:
    """Predictor with room for so many pixels; raises what `fail` makes."""

    engine = "test"

    def __init__(
        self,
        room: int,
        fail: Callable[[], BaseException],
        *,
        device: str = "cuda:0",
        card: ModelCard | None = None,
    ) -> None:
        self.card = card or make_card(n_classes=4, stride=STRIDE)
        self.device = device
        self.room = room
        self.fail = fail
        self.shapes: list[tuple[int, ...]] = []

    def predict(self, batch: Image, /) -> Scores:
        self.shapes.append(batch.shape)
        if batch.shape[0] * batch.shape[2] * batch.shape[3] > self.room:
            raise self.fail()
        return smooth_scores(batch)
