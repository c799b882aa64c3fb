"""Whether torch works here, for `rsw doctor`; run as a child process."""

from __future__ import annotations

import importlib
import json
import warnings
from typing import Any

COMPANIONS = ("torchvision", "timm", "segmentation_models_pytorch", "onnxscript")


def report() -> dict[str, Any]:
    """Score one tile with a network of one layer on every device.

    Returns
    -------
    dict
        `versions` (None for a companion that is not installed), `devices` that torch sees,
        `gpu_build`, and `notes`.
    """
    import torch

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    conv = torch.nn.Conv2d(3, 1, 1, bias=False)
    torch.nn.init.ones_(conv.weight)
    for device in ["cpu", *(f"cuda:{i}" for i in range(n_gpus))]:
        with torch.inference_mode():
            scores = conv.to(device)(torch.ones(1, 3, 2, 2, device=device)).cpu()
        if not torch.allclose(scores, torch.tensor(3.0)):
            raise RuntimeError(f"torch does not add up three bands as it should on {device}")
    versions: dict[str, str | None] = {"torch": torch.__version__}
    versions |= {name: _version(name) for name in COMPANIONS}
    return {
        "versions": versions,
        "devices": ["CPU", *(torch.cuda.get_device_name(i) for i in range(n_gpus))],
        "gpu_build": torch.version.cuda is not None,
        "notes": [str(warning.message).splitlines()[0] for warning in heard],
    }


def _version(name: str) -> str | None:
    """Import a companion, as a version that does not fit torch shows only then."""
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            return None
        raise
    return str(module.__version__)


if __name__ == "__main__":
    print(json.dumps(report()))
