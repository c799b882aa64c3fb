"""Make what the benchmarks need: one set of weights as .pt2, .onnx and .keras, and scenes.

Each framework works in a process of its own: python -m benchmarks.prepare torch FOLDER
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.scene import CHANNELS, MEAN, N_BANDS, N_CLASSES, STD, WIDE
from rs_workbench.card import Band, LegendClass, ModelCard

FOLDER = Path("out/benchmarks")
COLORS = ("#1f78b4", "#a6cee3", "#33a02c", "#b2df8a", "#e31a1c", "#fdbf6f")
POOLINGS = 3


def prepare(folder: Path, *frameworks: str) -> Path:
    """Make the models that are missing; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {"torch": "wide.onnx", "keras": "tiny.keras"}
    for framework in ("torch", *frameworks):
        if not (folder / made[framework]).exists():
            print(f"preparing models with {framework}", file=sys.stderr)
            command = [sys.executable, "-m", "benchmarks.prepare", framework, str(folder)]
            subprocess.run(command, check=True)
    return folder


def reach(poolings: int = POOLINGS) -> int:
    """How far an output pixel of the U-Net sees, by following its window back to the input."""
    far = 0
    for position in range(2**poolings):
        low = high = position
        for _ in range(poolings):
            low, high = (low - 2) // 2, (high + 2) // 2
        low, high = low - 2, high + 2
        for _ in range(poolings):
            low, high = 2 * low - 2, 2 * high + 1 + 2
        far = max(far, position - low, high - position)
    return far


def card(name: str, *, stride: int, reach: int) -> ModelCard:
    bands = tuple(Band(name=f"band {i + 1}", mean=MEAN, std=STD) for i in range(N_BANDS))
    classes = tuple(
        LegendClass(value=k, name=f"class {k}", color=COLORS[k]) for k in range(N_CLASSES)
    )
    return ModelCard(
        name=name, bands=bands, dtype="uint16", classes=classes, stride=stride, reach=reach
    )


def prepare_torch(folder: Path) -> None:
    from benchmarks import torch_nets

    for name in CHANNELS:
        if not (folder / f"{name}.onnx").exists():
            torch_nets.export(torch_nets.train(name), folder, name, stride=2**POOLINGS)
    torch_nets.export(torch_nets.one_layer(), folder, "conv1", stride=1)
    torch_nets.export(torch_nets.untrained("wide"), folder, "wide", stride=2**POOLINGS)
    for suffix in ("pt2", "onnx"):
        for name in (*CHANNELS, *WIDE):
            write_card(folder / f"{name}.{suffix}", stride=2**POOLINGS, reach=reach())
        write_card(folder / f"conv1.{suffix}", stride=1, reach=1)


def prepare_keras(folder: Path) -> None:
    from benchmarks import keras_nets

    for name in CHANNELS:
        keras_nets.load_unet(folder / f"{name}.npz").save(folder / f"{name}.keras")
        write_card(folder / f"{name}.keras", stride=2**POOLINGS, reach=reach())


def write_card(model: Path, *, stride: int, reach: int) -> None:
    text = card(model.stem, stride=stride, reach=reach).model_dump_json(indent=1)
    model.with_name(model.name + ".card.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    {"torch": prepare_torch, "keras": prepare_keras}[sys.argv[1]](Path(sys.argv[2]))
