"""The trained model as ONNX, which runs without its framework; checked against the learner."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rs_workbench.backends.conversion import convert_model
from rs_workbench.card import ModelCard, write_card
from rs_workbench.errors import ModelError

if TYPE_CHECKING:
    from rs_workbench.training.learner import Learner
    from rs_workbench.types import Image, Scores

ONNX_NAME = "model.onnx"
TOLERANCE = 1e-3
"""Largest difference of scores, by their spread."""
GPU_TOLERANCE = 3e-2
"""The same where the learner computes on a GPU, which rounds products of matrices."""


def write_onnx(model: Path, card: ModelCard, learner: Learner, chip: Image) -> Path:
    """Convert a model and give the ONNX file its card.

    Parameters
    ----------
    model : Path
        What ``learner.export`` wrote.
    card : ModelCard
        Its card.
    learner : Learner
        Knows what the scores must be.
    chip : ndarray of float32, shape (1, B, H, W)
        What the two are compared on.

    Returns
    -------
    Path
        ``model.onnx`` beside the model.

    Raises
    ------
    ModelError
        If there is no ONNX form, or it does not give the scores of the learner.
    """
    name = "keras" if model.suffix == ".keras" else "torch"
    with tempfile.TemporaryDirectory(dir=model.parent, prefix=".onnx-") as folder:
        made = convert_model(model, name, Path(folder)).onnx
        write_card(made, card)
        check_onnx(made, card, learner, chip)
        return made.replace(model.with_name(ONNX_NAME))


def check_onnx(onnx: Path, card: ModelCard, learner: Learner, chip: Image) -> None:
    """Compare the scores of an ONNX file with those of the learner.

    Parameters
    ----------
    onnx : Path
        The file.
    card : ModelCard
        Its card.
    learner : Learner
        Knows what the scores must be.
    chip : ndarray of float32, shape (1, B, H, W)
        What the two are compared on.

    Raises
    ------
    ModelError
        If they differ by more than `TOLERANCE` of their spread.
    """
    from rs_workbench.backends import onnx_backend

    found = onnx_backend.load_predictor(onnx, card, engine="onnxruntime").predict(chip)
    wanted = learner.predict(chip)
    tolerance = TOLERANCE if learner.device == "cpu" else GPU_TOLERANCE
    error = score_error(found, wanted)
    if not error <= tolerance:
        raise ModelError(
            f"its scores differ from those of the network by {error:.2g} of their spread, more "
            f"than {tolerance:g}"
        )


def score_error(found: Scores, wanted: Scores) -> float:
    """Measure how far scores lie apart.

    Parameters
    ----------
    found, wanted : ndarray of float32, shape (N, K, H, W)
        Scores of the same chips.

    Returns
    -------
    float
        Largest difference, by the standard deviation of `wanted`; infinite if shapes differ.
    """
    if found.shape != wanted.shape:
        return float("inf")
    spread = max(float(wanted.std()), 1e-6)
    return float(np.abs(found - wanted).max()) / spread
