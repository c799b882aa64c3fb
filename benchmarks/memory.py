"""Peak memory of three scenes, each mapped in its own process: python -m benchmarks.memory

The footprint is what the same process needs to load the libraries and the model and to predict
one batch; the rest is what the map adds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from benchmarks.measure import infer_command, print_machine, print_table, run_alone
from benchmarks.prepare import FOLDER, prepare
from benchmarks.scene import N_BANDS, write_scene

SIZES = ((2048, 2048), (2048, 16384), (16384, 2048))
FOOTPRINT = """
import numpy, sys, rasterio
from rs_workbench.backends import load_predictor
model, batch, tile, bands = sys.argv[1], *map(int, sys.argv[2:])
load_predictor(model).predictor.predict(numpy.zeros((batch, bands, tile, tile), "float32"))
"""


@click.command()
@click.option("--memory", default="1GB", show_default=True, help="as given to infer")
@click.option("--folder", type=Path, default=FOLDER, show_default=True)
@click.option("--net", default="unet", show_default=True)
def main(memory: str, folder: Path, net: str) -> None:
    model = prepare(folder) / f"{net}.onnx"
    print_machine("openvino", "rasterio", "numpy")
    rows, peaks = [], []
    for height, width in SIZES:
        scene = write_scene(folder / f"scene_{height}x{width}.tif", height, width)
        output = folder / f"memory_{height}x{width}.tif"
        options = ("--overwrite", "--memory", memory)
        peaks.append(run_alone(infer_command(scene, model, output, *options)).peak_mib)
        report = json.loads(output.with_name(output.stem + "_report.json").read_text())
        rows.append([
            f"{height} x {width}", f"{peaks[-1]:.0f}", report["peak_rss_mib"], report["tile"],
            report["batch"], report["seconds"],
        ])  # fmt: skip
    batch, tile = str(report["batch"]), str(report["tile"])
    bare = [sys.executable, "-c", FOOTPRINT, model, batch, tile, str(N_BANDS)]
    footprint = run_alone(bare).peak_mib
    print_table(["scene", "peak MiB", "peak in report", "tile px", "batch", "s"], rows)
    spread = max(peaks) / min(peaks) - 1
    print(
        f"\nspread {spread:.1%} (target 5 %); libraries, model and one batch {footprint:.0f} MiB,"
    )
    print(f"so a map adds {max(peaks) - footprint:.0f} MiB at most; --memory {memory}")
    sys.exit(spread > 0.05)


if __name__ == "__main__":
    main()
