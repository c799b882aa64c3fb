"""The optimisers in Keras by the formulas of torch's, on plain arrays.

`test_keras_learner_on_torch` runs this file once more, with Keras on torch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.conftest import require_framework

if os.environ.get("KERAS_BACKEND") == "torch":
    from rs_workbench.backends.keras_import import import_keras

    keras = import_keras()
else:
    keras = require_framework("keras")

from rs_workbench.training.keras_optimizers import apply_gradients, make_optimizer
from rs_workbench.training.keras_place import Place
from rs_workbench.training.settings import TrainSettings

RATES = (0.02, 0.05, 0.01, 0.03, 0.03, 0.001)
SIZES = (1e-9, 1e-7, 1e-4, 1.0)  # of gradients; to the first two epsilon matters


class Weights:
    """What an optimiser asks of a model: a kernel that decays, and a bias that does not."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.trainable_variables = [
            keras.Variable(rng.normal(size=shape), dtype="float32") for shape in ((4, 5), (4,))
        ]

    def arrays(self) -> list[np.ndarray]:
        return [keras.ops.convert_to_numpy(v) for v in self.trainable_variables]


def draw(step: int) -> list[np.ndarray]:
    rng = np.random.default_rng(100 + step)
    sizes = np.array(SIZES)
    return [rng.normal(size=(4, 5)) * sizes[:, None], rng.normal(size=4) * sizes]


def adam(weights: np.ndarray, gradients: list[np.ndarray], decay: float) -> Iterator[np.ndarray]:
    """Adam and AdamW as torch's pages write them, in float64."""
    mean = square = np.zeros_like(weights)
    for t, (gradient, rate) in enumerate(zip(gradients, RATES, strict=True), 1):
        weights = weights - rate * decay * weights
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        size = np.sqrt(square / (1 - 0.999**t)) + 1e-8
        weights = weights - rate * mean / (1 - 0.9**t) / size
        yield weights


def sgd(weights: np.ndarray, gradients: list[np.ndarray], decay: float) -> Iterator[np.ndarray]:
    """Nesterov's momentum as torch's page writes it, with a decay that is decoupled."""
    velocity = np.zeros_like(weights)
    for gradient, rate in zip(gradients, RATES, strict=True):
        weights = weights - rate * decay * weights
        velocity = 0.9 * velocity + gradient
        weights = weights - rate * (gradient + 0.9 * velocity)
        yield weights


FORMULAS = {"adam": (adam, 0.0), "adamw": (adam, 0.7), "sgd": (sgd, 0.7)}


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
@pytest.mark.parametrize("name", FORMULAS)
def test_steps_are_those_of_the_formula(name: str, policy: str) -> None:
    model: Any = Weights()
    settings = TrainSettings(scenes=("a",), labels=("b",), optimizer=name, weight_decay=0.7)
    place = Place("cpu", policy)
    optimizer = make_optimizer(model, settings, place)
    scale = 2.0**10 if policy == "mixed_float16" else 1.0
    if scale > 1:
        optimizer.dynamic_scale.assign(scale)
    formula, decay = FORMULAS[name]
    steps = [draw(step) for step in range(len(RATES))]
    wanted = [
        formula(then.astype(np.float64), [step[i] for step in steps], (decay, 0.0)[i])
        for i, then in enumerate(model.arrays())
    ]
    for rate, step in zip(RATES, steps, strict=True):
        optimizer.learning_rate.assign(rate)
        tensors = [keras.ops.convert_to_tensor(g * scale, "float32") for g in step]
        apply_gradients(optimizer, model, tensors, place)
        for now, then in zip(model.arrays(), map(next, wanted), strict=True):
            np.testing.assert_allclose(now, then, rtol=0, atol=1e-6)
