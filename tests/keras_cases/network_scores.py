"""Child process: build Keras networks with random weights, save weights, pixels and scores."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from rs_workbench.networks import find_network


def write_scores(name: str, case: dict, path: Path) -> None:
    import keras

    from keras_cases.models.twin import named_weights

    keras.utils.set_random_seed(3)
    keras.config.set_dtype_policy(case["dtype"])
    net = find_network(name, "keras")(case["n_bands"], case["n_classes"], **case["options"])
    fresh = {f"fresh:{key}": value for key, value in named_weights(net).items()}
    net.set_weights([shaken(weight) for weight in net.weights])
    batch = np.random.default_rng(0).standard_normal((3, *case["size"], case["n_bands"]))
    batch = (batch + np.arange(-1, 2)[:, None, None, None]).astype(case["dtype"])  # dark to bright
    settle(net, batch)
    scores = np.asarray(net(batch, training=False))
    order = (0, 3, 1, 2)
    weights = {f"weight:{key}": value for key, value in named_weights(net).items()}
    np.savez(
        path, **weights, **fresh, batch=batch.transpose(order), scores=scores.transpose(order)
    )


def settle(net, batch: np.ndarray) -> None:
    """Let norms know the batch, as after training; else scores grow with every layer."""
    for layer in net.layers:
        if hasattr(layer, "moving_mean"):
            layer.momentum = 0.0
    net(batch, training=True)


def shaken(weight) -> np.ndarray:
    """Values for a weight that a fresh network leaves at 0 or 1."""
    rng = np.random.default_rng(len(weight.path))
    value = np.asarray(weight)
    if weight.path.endswith("kernel"):
        return value
    noise = rng.uniform(-0.3, 0.3, value.shape).astype(np.float32)
    return value + noise


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for key, case in json.loads((folder / "cases.json").read_text(encoding="utf-8")).items():
        write_scores(case["network"], case, folder / f"{key}.npz")
