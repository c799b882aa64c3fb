"""Child process: some steps of a learner of either framework, from the same first weights.

The one of Keras goes first and leaves its weights before and after; the one of PyTorch starts from
the first of them and puts the second beside its own.

The U-Net is smoothed here: SiLU for ReLU, mean for maximum. Where a value is 0 but for rounding,
a ReLU in one framework is open and in the other shut; then twins part for good, as a network of
PyTorch parts from itself when its first weights are changed by 1e-7.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from rs_workbench.training.settings import TrainSettings

N_CHIPS, N_BANDS, N_CLASSES, SIDE = 5, 3, 4, 16
RATES = (0.005, 0.01, 0.002, 0.004) * 5
PLAIN = {"width": 4, "depth": 1, "norm": "none"}
BATCH = {**PLAIN, "norm": "batch"}
CASES: dict[str, dict[str, Any]] = {
    "sgd": {"optimizer": "sgd"},
    "adam": {"optimizer": "adam"},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.5},
    "sgd_batch_norm": {"optimizer": "sgd", "network_options": BATCH},
    "adam_batch_norm": {"optimizer": "adam", "network_options": BATCH},
    "adamw_batch_norm": {"optimizer": "adamw", "weight_decay": 0.5, "network_options": BATCH},
    "parts": {
        "optimizer": "adamw",
        "weight_decay": 0.5,
        "loss": "cross_entropy+dice",
        "accumulate": 2,
        "clip": 0.3,
        "average": 0.9,
        "network_options": {**PLAIN, "norm": "group"},
    },
}
WEIGHTED = ("sgd", "parts")


def make(framework: str, name: str) -> Any:
    base = {"device": "cpu", "batch": N_CHIPS, "network_options": PLAIN}
    settings = TrainSettings(
        scenes=("a",), labels=("b",), framework=framework, **base | CASES[name]
    )
    weights = (1.0, 0.2, 3.0, 0.5) if name in WEIGHTED else None
    make_learner = make_keras_learner if framework == "keras" else make_torch_learner
    return make_learner(settings, N_BANDS, N_CLASSES, class_weights=weights)


def make_keras_learner(*arguments: Any, **options: Any) -> Any:
    from rs_workbench.backends.keras_import import import_keras

    layers = import_keras().layers
    from rs_workbench.training.keras_learner import make_learner

    smooth = {
        "ReLU": partial(layers.Activation, "silu"),
        "MaxPooling2D": layers.AveragePooling2D,
    }
    with mock.patch.multiple(layers, **smooth):
        return make_learner(*arguments, **options)


def make_torch_learner(*arguments: Any, **options: Any) -> Any:
    from torch import nn

    from rs_workbench.training.torch_learner import make_learner

    with mock.patch.multiple(nn, ReLU=nn.SiLU, MaxPool2d=nn.AvgPool2d):
        return make_learner(*arguments, **options)


def draw(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Chips whose class is that of the brightest band, or the last; unevenly labelled."""
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(N_CHIPS, N_BANDS, SIDE, SIDE)).astype(np.float32)
    padded = np.concatenate([images, np.full_like(images[:, :1], 0.5)], axis=1)
    labels = padded.argmax(axis=1).astype(np.uint8)
    for i in range(N_CHIPS):
        labels[i, : 3 * i] = 255
    return images, labels


def learn(learner: Any) -> dict[str, np.ndarray]:
    """Losses of some steps, and the scores of other chips."""
    losses = [learner.step(*draw(i), rate) for i, rate in enumerate(RATES)]
    return {"losses": np.array(losses), "scores": learner.predict(draw(99)[0])}


def keras_steps(name: str, folder: Path) -> None:
    learner = make("keras", name)
    from keras_cases.models.twin import save_named_weights

    save_named_weights(learner._model, folder / f"{name}_before.npz")
    np.savez(folder / f"{name}_keras.npz", **learn(learner))
    save_named_weights(learner._model, folder / f"{name}_after.npz")


def torch_steps(name: str, folder: Path) -> None:
    learner, wanted = make("torch", name), make("torch", name)
    from torch_cases.models.twin import load_keras_weights

    for net in (learner._net, learner._kept):
        load_keras_weights(net, np.load(folder / f"{name}_before.npz"))
    load_keras_weights(wanted._net, np.load(folder / f"{name}_after.npz"))
    before = named_arrays(learner, "before")
    found = learn(learner)
    np.savez(
        folder / f"{name}_torch.npz",
        **found | before | named_arrays(learner, "torch") | named_arrays(wanted, "keras"),
    )


def named_arrays(learner: Any, word: str) -> dict[str, np.ndarray]:
    state = learner._net.state_dict()
    return {
        f"{word}/{key}": value.clone().numpy()
        for key, value in state.items()
        if value.is_floating_point()
    }


if __name__ == "__main__":
    steps = {"keras": keras_steps, "torch": torch_steps}[sys.argv[1]]
    for case in CASES:
        steps(case, Path(sys.argv[2]))
