"""A trainer that learns nothing: it writes what a run leaves, from its settings alone.

    python fake_train.py SETTINGS.yaml -o FOLDER ...

The network's option `trouble` steers it: ``fail`` ends with an error, ``fail once`` only the
first time, ``hang`` never ends. It imports nothing of ours, so that it is quick.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import yaml

SIDE, N_BLOCKS, PIXELS = 64, 24, 400
PARAMETERS = {"mini": 358_428, "wide": 11_412_660}


def confusions(settings: dict) -> np.ndarray:
    """Two classes; wider backbones are right more often, hard blocks are hard for all."""
    backbone = settings["network_options"].get("backbone", "mini")
    skill = {"mini": 0.75, "wide": 0.85}.get(backbone, 0.8)
    ground = np.random.default_rng(99).normal(0, 0.05, N_BLOCKS)
    chance = np.random.default_rng([settings["seed"], len(backbone)]).normal(0, 0.01, N_BLOCKS)
    right = np.clip(skill + ground + chance, 0.05, 0.95)
    hit = np.rint(right * PIXELS / 2).astype(np.int64)
    wrong = PIXELS // 2 - hit
    return np.stack([np.stack([hit, wrong], -1), np.stack([wrong, hit], -1)], -2)


def stumble(trouble: str, starts: int) -> None:
    if trouble == "hang":
        time.sleep(600)
    if trouble == "fail" or (trouble == "fail once" and starts == 1):
        print("a line on the way\nerror: there is no ground to learn from", file=sys.stderr)
        sys.exit(1)


def main(arguments: list[str]) -> None:
    settings = yaml.safe_load(Path(arguments[0]).read_text(encoding="utf-8"))
    options = settings["network_options"]
    folder = Path(arguments[arguments.index("-o") + 1])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "starts.txt").open("a") as stream:
        stream.write(" ".join(arguments[3:]) + "\n")
    stumble(options.get("trouble", ""), len((folder / "starts.txt").read_text().splitlines()))
    random = settings["split"]["kind"] == "random"
    places = np.array([(-1, i // 6, i % 6) for i in range(N_BLOCKS)])
    counts = confusions(settings)
    side = SIDE * 2 if random else SIDE
    np.savez(folder / "held_out_blocks.npz", confusion=counts, places=places, side=side)
    (folder / "history.csv").write_text(
        "epoch,loss,rate,mean_iou\n1,1.0,0.001,0.5\n2,0.5,0.001,0.6\n"
    )
    total = counts.sum(axis=0)
    parameters = PARAMETERS.get(options.get("backbone"), 1_000_000)
    facts = {
        "framework": settings["framework"], "network": settings["network"],
        "network_options": options, "parameters": parameters, "trainable": parameters - 1000,
        "epochs": 2, "best_epoch": 2, "seconds": 8.0, "seconds_per_epoch": 4.0 + settings["seed"],
        "chips_per_second": 20.0, "peak_rss_mib": 900.0, "peak_gpu_mib": None, "device": "cpu",
        "validation_mean_iou": 0.6,
        "held_out": {"overall_accuracy": float(np.trace(total) / total.sum())},
        "baselines": {}, "leaks": int(random), "chips_hash": str(settings["seed"]),
        "warnings": [], "model": "model.pt2", "onnx": None, "seed": settings["seed"],
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(sys.argv[1:])
