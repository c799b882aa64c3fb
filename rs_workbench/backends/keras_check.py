"""Whether Keras works here, for `rsw doctor`; run as a child process."""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any


def report() -> dict[str, Any]:
    """Score one tile with a network of one layer on every device.

    Returns
    -------
    dict
        `versions`, `devices` that the framework sees, `gpu_build`, and `notes`.
    """
    import numpy as np

    from rs_workbench.backends import keras_backend
    from rs_workbench.backends.keras_import import import_keras

    keras = import_keras()
    backend = keras.backend.backend()
    keras_backend.apply_gpu_limit(None)
    devices, gpu_build = (_tensorflow if backend == "tensorflow" else _torch)()
    tile = np.ones((1, 2, 2, 3), np.float32)
    for device in ["cpu:0", *(f"gpu:{i}" for i in range(len(devices) - 1))]:
        with keras.device(device):
            conv = keras.layers.Conv2D(1, 1, kernel_initializer="ones", use_bias=False)
            scores = keras.ops.convert_to_numpy(conv(tile))
        if not np.allclose(scores, 3):
            raise RuntimeError(f"Keras does not add up three bands as it should on {device}")
    names = ("keras", backend, *(("tf2onnx",) if backend == "tensorflow" else ()))
    return {
        "versions": {name: _version(name) for name in names},
        "devices": devices,
        "gpu_build": gpu_build,
        "notes": [],
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _tensorflow() -> tuple[list[str], bool]:
    import tensorflow as tf

    names = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return ["CPU", *names], bool(tf.test.is_built_with_cuda())


def _torch() -> tuple[list[str], bool]:
    import torch

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ["CPU", *names], torch.version.cuda is not None


if __name__ == "__main__":
    print(json.dumps(report()))
