"""How much GPU memory torch took."""

from __future__ import annotations

import torch

MIB = 1 << 20


def peak_gpu_mib() -> float | None:
    """Largest memory that tensors took on the GPU so far.

    Returns
    -------
    float or None
        MiB; None without a GPU.
    """
    if not torch.cuda.is_available():
        return None
    return float(torch.cuda.max_memory_allocated()) / MIB
