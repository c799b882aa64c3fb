"""What may be wrong with a student's classifier in Keras: a sentence each, or nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import keras
import numpy as np

_LOGITS = np.array([[2.0, -1, 0.5] + [0.0] * 7, [-3.0, 4, 0] + [1.0] * 7], np.float32)
_TRUTH = np.array([0, 2])


def fault_of_outputs(model: keras.Model) -> str:
    """Look for outputs that are no logits of ten classes.

    Parameters
    ----------
    model : keras.Model
        Of images (N, 28, 28, 1).

    Returns
    -------
    str
        What is wrong, or nothing.
    """
    images = np.random.default_rng(0).random((64, 28, 28, 1), np.float32)
    try:
        scores, again = (np.asarray(model.predict(images, verbose=0)) for _ in range(2))
    except (ValueError, TypeError) as error:
        return f"images (64, 28, 28, 1) are not taken: {str(error).splitlines()[0]}"
    if scores.shape != (64, 10):
        return f"64 images are to give scores (64, 10): got {scores.shape}"
    if not np.array_equal(scores, again):
        return "predicting the same images twice gives different scores: what is random in it?"
    if scores.min() >= 0 and scores.max() <= 1:
        return (
            f"scores lie between {scores.min():.3f} and {scores.max():.3f}: a softmax or sigmoid "
            "at the end belongs into the loss (from_logits=True), where it is done once"
        )
    noisy = keras.ops.convert_to_numpy(model(images, training=True))
    if (dropped := float((noisy == 0).mean())) > 0.02:
        return (
            f"while it trains {dropped:.0%} of the scores are exactly 0: dropout or ReLU on the "
            "output throws answers away; both belong before the last layer"
        )
    return ""


def fault_of_loss(model: keras.Model) -> str:
    """Look for a loss that is no cross-entropy of logits.

    Parameters
    ----------
    model : keras.Model
        Compiled.

    Returns
    -------
    str
        What is wrong, or nothing.
    """
    loss = keras.losses.get(getattr(model, "loss", None))
    if loss is None:
        return "the model has no loss: train() is to compile it"
    shifted = _LOGITS - np.log(np.exp(_LOGITS).sum(axis=1, keepdims=True))
    wanted = float(-shifted[[0, 1], _TRUTH].mean())
    found = [_value(loss, truth) for truth in (_TRUTH, np.eye(10, dtype="float32")[_TRUTH])]
    if any(math.isclose(one, wanted, rel_tol=1e-3) for one in found):
        return ""
    shown = next((one for one in found if math.isfinite(one)), math.nan)
    return (
        f"for the same logits cross-entropy is {wanted:.3f}, but the loss of train() says "
        f"{shown:.3f}: take SparseCategoricalCrossentropy(from_logits=True)"
    )


def _value(loss: Any, truth: Any) -> float:
    try:
        return float(np.mean(keras.ops.convert_to_numpy(loss(truth, _LOGITS))))
    except Exception:  # a loss of one-hot labels takes no numbers, and each has its own error
        return math.nan


def fault_of_depth(model: keras.Model, least: int) -> str:
    """Look for too few hidden layers, or for layers that add up to one.

    Parameters
    ----------
    model : keras.Model
        A chain of layers.
    least : int
        Hidden dense layers wanted.

    Returns
    -------
    str
        What is wrong, or nothing.
    """
    idle = (keras.layers.Dropout, keras.layers.BatchNormalization)
    working = [layer for layer in model.layers if not isinstance(layer, idle)]
    dense = [layer for layer in working if isinstance(layer, keras.layers.Dense)]
    if len(dense) - 1 < least:
        return f"it has {max(0, len(dense) - 1)} hidden dense layers: at least {least} are wanted"
    linear = keras.activations.linear
    for layer, after in pairwise(working):
        both = isinstance(layer, keras.layers.Dense) and isinstance(after, keras.layers.Dense)
        if both and layer.activation is linear:
            return (
                f"'{layer.name}' has no activation before '{after.name}': two linear layers are "
                "one linear layer"
            )
    return ""


def fault_of_history(
    history: Mapping[str, Sequence[float]], n_validation: int, least: float
) -> str:
    """Look for a validation on other digits than those, or a net that does not learn.

    Parameters
    ----------
    history : mapping of str to sequence of float
        What train() returned.
    n_validation : int
        Validation digits; best a prime.
    least : float
        Share of them to be right at the end.

    Returns
    -------
    str
        What is wrong, or nothing.
    """
    if "val_accuracy" not in history:
        return f"train() is to return a history with val_accuracy: got {sorted(history)}"
    share = history["val_accuracy"][-1]
    right = share * n_validation
    if abs(right - round(right)) > 1e-3:
        return (
            f"val_accuracy {share:.4f} is no share of the {n_validation} digits of "
            "data.validation: what was it measured on? Test digits choose nothing"
        )
    if share < least:
        return f"of drawn digits that it never saw {share:.3f} are right, less than {least}"
    return ""
