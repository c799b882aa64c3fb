"""Weights by name, for the twin network in PyTorch."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np


def named_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """Weights by the name of their layer, such as "encoder.0.conv_0/kernel".

    `torch_cases.models.twin.load_keras_weights` takes them. In Keras the layer is called
    "encoder-0-conv_0", as Keras on torch allows no dot.
    """
    arrays = {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.weights}
    return {path.replace("-", "."): array for path, array in arrays.items()}


def save_named_weights(model: keras.Model, path: Path) -> None:
    """Write them to an `.npz` file, as one process never loads both frameworks."""
    np.savez(path, **named_weights(model))
