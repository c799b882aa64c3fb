"""The contract between the core and the frameworks.

A backend is a module, found by the suffix of the model file and imported only then. It turns a
file into a `Predictor`; nothing else crosses the border. Layout inside (NHWC for Keras) is the
adapter's own business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from rs_workbench.card import ModelCard
from rs_workbench.types import Image, Scores, ScoreKind


@dataclass(frozen=True)
class GpuMemory:
    """State of one GPU as one framework sees it, in MiB."""

    name: str
    total_mib: float
    free_mib: float
    used_mib: float


class Predictor(Protocol):
    """A loaded model: scaled pixels in, one score layer per class out."""

    card: ModelCard
    engine: str
    """openvino, onnxruntime, torch or keras."""
    device: str
    """cpu or cuda:0."""

    def predict(self, batch: Image, /) -> Scores:
        """Score a batch.

        Parameters
        ----------
        batch : ndarray of float32, shape (N, B, H, W)
            Scaled pixels, bands in the card's order, invalid pixels filled.

        Returns
        -------
        ndarray of float32, shape (N, K, H, W)
            One layer per class of the card.
        """
        ...


class Backend(Protocol):
    """What a backend module offers."""

    suffixes: tuple[str, ...]

    def load_predictor(
        self, path: Path, card: ModelCard, /, *, device: str, engine: str
    ) -> Predictor:
        """Load the model; raises ModelError, UnsafeModelError or MissingDependencyError."""
        ...

    def memory_state(self) -> Sequence[GpuMemory]:
        """GPUs as this framework sees them, without claiming memory on them."""
        ...

    def is_out_of_memory(self, error: BaseException, /) -> bool:
        """Whether `error` is this framework's own out-of-memory error."""
        ...


def two_class(scores: Scores, kind: ScoreKind) -> Scores:
    """Turn the one score layer of a yes-or-no network into one layer per class.

    Parameters
    ----------
    scores : ndarray of float32, shape (N, K, H, W)
        Returned as it is unless K is 1.
    kind : str
        `logits` (0 parts the classes) or `probabilities` (one half does).

    Returns
    -------
    ndarray of float32, shape (N, max(K, 2), H, W)
        For one layer: "no" first, "yes" second.
    """
    if scores.shape[1] != 1:
        return scores
    no = np.zeros_like(scores) if kind == "logits" else 1 - scores
    return np.concatenate([no, scores], axis=1)
