"""How much GPU memory Keras took."""

from __future__ import annotations

import keras

MIB = 1 << 20


def peak_gpu_mib() -> float | None:
    """Largest memory that tensors took on the GPU so far.

    Returns
    -------
    float or None
        MiB; None without a GPU, and where Keras computes with neither tensorflow nor torch.
    """
    if keras.backend.backend() == "torch":
        from rs_workbench.training import torch_memory

        return torch_memory.peak_gpu_mib()
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    if not tf.config.list_logical_devices("GPU"):
        return None
    return float(tf.config.experimental.get_memory_info("GPU:0")["peak"]) / MIB
