"""What everything but the network costs: python -m benchmarks.overhead

Total CPU seconds of a map, divided by the CPU seconds of the same engine running as many batches
of the same shape and nothing else. Both alternate in one process, after a warm-up.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import click
import numpy as np

from benchmarks.measure import print_machine, print_table, spend
from benchmarks.prepare import FOLDER, prepare
from benchmarks.scene import N_BANDS, write_scene

TARGETS = {"wide": 1.05, "unet": 1.05, "conv1": 1.5}


def compare(model: Path, scene: Path, *, engine: str, rounds: int) -> list[object]:
    from rs_workbench.backends import load_predictor
    from rs_workbench.infer import Options, infer_scene

    loaded = load_predictor(model, engine=engine)
    output = scene.with_name(f"{model.stem}_overhead.tif")

    def map_scene():
        return infer_scene(scene, output, model=loaded, options=Options(overwrite=True))

    report = map_scene()
    height, width = np.broadcast_to(report.tile, 2).tolist()
    batch = np.random.default_rng(0).normal(size=(report.batch, N_BANDS, height, width))
    batch = batch.astype(np.float32)
    whole, rest = divmod(report.tiles, report.batch)

    def forward_only() -> None:
        for _ in range(whole):
            loaded.predictor.predict(batch)
        if rest:
            loaded.predictor.predict(batch[:rest])

    pairs = [(spend(forward_only).cpu, spend(map_scene).cpu) for _ in range(rounds)]
    limit, total = map(statistics.median, zip(*pairs, strict=True))
    ratios = sorted(total / limit for limit, total in pairs)
    spread = f"({ratios[0]:.2f}-{ratios[-1]:.2f})"
    tiles = f"{report.tiles} of {height} px"
    seconds = f"{limit:.2f}", f"{total:.2f}", f"**{total / limit:.3f}** {spread}"
    return [model.stem, report.engine, tiles, *seconds, f"<= {TARGETS[model.stem]}"]


@click.command()
@click.option("--size", default=3072, show_default=True, help="side of the scene, px")
@click.option("--rounds", default=3, show_default=True)
@click.option("--engine", default="openvino", show_default=True, help="or torch, onnxruntime")
@click.option("--folder", type=Path, default=FOLDER, show_default=True)
def main(size: int, rounds: int, engine: str, folder: Path) -> None:
    prepare(folder)
    scene = write_scene(folder / f"scene_{size}.tif", size, size)
    print_machine("openvino", "onnxruntime", "rasterio", "numpy")
    header = ["net", "engine", "tiles", "forward only, CPU s", "map, CPU s", "ratio", "target"]
    suffix = "pt2" if engine == "torch" else "onnx"
    models = [folder / f"{net}.{suffix}" for net in TARGETS]
    print_table(header, [compare(m, scene, engine=engine, rounds=rounds) for m in models])


if __name__ == "__main__":
    main()
