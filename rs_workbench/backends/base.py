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
from rs_workbench.errors import ModelError
from rs_workbench.types import Image, ScoreKind, Scores


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


def check_batch(batch: Image, n_bands: int) -> None:
    """Refuse a batch that the model cannot take.

    Parameters
    ----------
    batch : ndarray, shape (N, B, H, W)
        Scaled pixels.
    n_bands : int
        Bands the model takes.

    Raises
    ------
    ModelError
        If the batch has other axes or another number of bands.
    """
    if batch.ndim != 4:
        raise ModelError(
            f"a batch has four axes (N, B, H, W): got one of shape {batch.shape}"
            " (add the axis with batch[None])"
        )
    if batch.shape[1] != n_bands:
        raise ModelError(
            f"the model takes {n_bands} bands, but the batch has {batch.shape[1]}:"
            " choose the bands the card names"
        )


def check_card(path: Path, card: ModelCard | None, *, n_bands: int, n_scores: int) -> None:
    """Refuse a card that does not fit its model file.

    Parameters
    ----------
    path : Path
        The model file.
    card : ModelCard or None
        Its card; None fits any file.
    n_bands, n_scores : int
        Bands the file takes and score layers it gives; one layer means two classes.

    Raises
    ------
    ModelError
        If the card names another number of bands or classes.
    """
    if card is None:
        return
    fix = f"correct it with  rsw card write {path}"
    if card.n_bands != n_bands:
        raise ModelError(
            f"'{path.name}' takes {n_bands} bands, but its card names {card.n_bands}: {fix}"
        )
    if card.n_classes != max(n_scores, 2):
        raise ModelError(
            f"'{path.name}' gives {max(n_scores, 2)} classes, but its card names"
            f" {card.n_classes}: {fix}"
        )
