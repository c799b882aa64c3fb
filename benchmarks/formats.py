"""The same weights through .onnx, .pt2 and .keras give the same map: python -m benchmarks.formats

Each file is also run on its own framework's engine, each in a process of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import numpy as np
import rasterio

from benchmarks.measure import infer_command, print_machine, print_table, run_alone
from benchmarks.prepare import FOLDER, prepare
from benchmarks.scene import write_scene

RUNS = (
    ("onnx", "openvino"),
    ("onnx", "onnxruntime"),
    ("pt2", "auto"),
    ("pt2", "torch"),
    ("keras", "auto"),
    ("keras", "keras"),
)
TARGET = 0.9999


@click.command()
@click.option("--size", default=1500, show_default=True, help="side of the scene, px")
@click.option("--folder", type=Path, default=FOLDER, show_default=True)
def main(size: int, folder: Path) -> None:
    prepare(folder, "keras")
    scene = write_scene(folder / f"scene_{size}.tif", size, size)
    print_machine("openvino", "onnxruntime", "torch", "tensorflow", "keras")
    maps, rows = [], []
    for suffix, engine in RUNS:
        output = folder / f"formats_{suffix}_{engine}.tif"
        options = ("--overwrite", "--engine", engine)
        spent = run_alone(infer_command(scene, folder / f"unet.{suffix}", output, *options))
        report = json.loads(output.with_name(output.stem + "_report.json").read_text())
        with rasterio.open(output) as dataset:
            maps.append(dataset.read(1))
        agreement = float(np.mean(maps[-1] == maps[0]))
        rows.append(
            [f".{suffix}", engine, report["engine"], f"{agreement:.4%}", f"{spent.cpu:.1f}"]
        )
    print_table(["file", "asked for", "engine", "agreement with the first", "CPU s"], rows)
    sys.exit(any(np.mean(m == maps[0]) < TARGET for m in maps))


if __name__ == "__main__":
    main()
