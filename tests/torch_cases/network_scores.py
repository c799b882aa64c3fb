"""Child process: fill torch networks with the weights of Keras, save their scores."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch

from rs_workbench.networks import find_network
from torch_cases.models.twin import load_keras_weights


def write_scores(name: str, case: dict, source: Path, path: Path) -> None:
    torch.manual_seed(3)
    net = find_network(name, "torch")(case["n_bands"], case["n_classes"], **case["options"])
    arrays = dict(np.load(source))
    weights = {k.removeprefix("weight:"): v for k, v in arrays.items() if k.startswith("weight:")}
    spread = {
        f"spread:{k}": v.detach().std(correction=0).numpy() for k, v in net.named_parameters()
    }
    net.to(getattr(torch, case["dtype"]))
    load_keras_weights(net, weights)
    with torch.inference_mode():
        scores = net.eval()(torch.from_numpy(arrays["batch"])).numpy()
    np.savez(path, scores=scores, **spread)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for key, case in json.loads((folder / "cases.json").read_text(encoding="utf-8")).items():
        write_scores(case["network"], case, folder / f"{key}.npz", folder / f"{key}_torch.npz")
