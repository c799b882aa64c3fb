"""What a confusion matrix costs beside reading: python -m benchmarks.confusion

Reads a class map and a reference in the same windows: one after the other as a script would, both
at once in the threads of `count_pair`, and with `count_pair` itself. The three alternate in one
process, after a warm-up, so that the files lie in the system's cache.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import click
import cv2
import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window

from benchmarks.measure import print_machine, print_table, spend
from benchmarks.prepare import FOLDER
from rs_workbench.card import LegendClass, spread_color

N_CLASSES = 9
NODATA = 255
TARGET = 1.3
PEAK_MIB = 300
_ROWS = 512
_SCALES = {400: 1.0, 100: 0.5, 25: 0.3, 6: 0.2, 2: 0.1}
"""Size of patches, px, and how much each size weighs."""


class Field:
    """Smooth noise over a square of any size, given a few rows at a time."""

    def __init__(self, size: int, seed: int) -> None:
        self.size, rng = size, np.random.default_rng(seed)
        self.layers = [
            (scale, weight * rng.normal(size=(size // scale + 4,) * 2).astype(np.float32))
            for scale, weight in _SCALES.items()
        ]

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Values of some rows, in thirds of the distribution: 0, 1 or 2."""
        cols = np.arange(self.size, dtype=np.float32)[None]
        rows = np.arange(start, stop, dtype=np.float32)[:, None]
        total = np.zeros((stop - start, self.size), np.float32)
        for left in range(0, self.size, 8192):  # OpenCV takes no wider picture
            part = slice(left, left + 8192)
            for scale, layer in self.layers:
                x, y = np.broadcast_arrays(cols[:, part] / scale + 1, rows / scale + 1)
                total[:, part] += cv2.remap(layer, x.copy(), y.copy(), cv2.INTER_LINEAR)
        spread = 0.66 * np.sqrt(sum(w * w for w in _SCALES.values()))
        return np.digitize(total, [-0.43 * spread, 0.43 * spread]).astype(np.uint8)


def write_pair(folder: Path, size: int, compress: str) -> tuple[Path, Path]:
    """A map of nine classes with patches of all sizes, and a reference that differs from it."""
    paths = tuple(folder / f"{name}_{size}_{compress}.tif" for name in ("map", "reference"))
    if all(path.exists() for path in paths):
        return paths
    parts = [path.with_suffix(".part.tif") for path in paths]
    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": 1, "height": size, "width": size,
        "nodata": NODATA, "crs": "EPSG:32631", "tiled": True, "blockxsize": 512,
        "blockysize": 512, "compress": compress, "bigtiff": "if_safer",
        "transform": Affine(10, 0, 500_000, 0, -10, 5_000_000),
    }  # fmt: skip
    fields = [Field(size, seed) for seed in range(5)]
    folder.mkdir(parents=True, exist_ok=True)
    with (
        rasterio.open(parts[0], "w", **profile) as ours,
        rasterio.open(parts[1], "w", **profile) as theirs,
    ):
        for start in range(0, size, _ROWS):
            stop = min(start + _ROWS, size)
            a, b, c, d, e = (field.rows(start, stop) for field in fields)
            labels = 3 * a + b
            truth = np.where((c == 0) & (d == 0), 3 * a + d, labels)  # a ninth is another class
            labels[(e == 2) & (c == 2) & (d == 2)] = NODATA
            truth[(c == 1) & (d == 2) & (e == 0)] = NODATA
            window = Window(0, start, size, stop - start)
            ours.write(labels, 1, window=window)
            theirs.write(truth, 1, window=window)
    for part, path in zip(parts, paths, strict=True):
        part.replace(path)
    return paths


def read_plainly(paths: tuple[Path, Path], windows: list[tuple[int, int, int, int]]) -> None:
    """One file after the other, in one thread, as a script would."""
    for path in paths:
        with rasterio.open(path) as file:
            for row, col, height, width in windows:
                file.read(1, window=Window(col, row, width, height))


def compare(paths: tuple[Path, Path], rounds: int, block: int) -> list[object]:
    from rs_workbench.accuracy.reference.raster_count import count_pair
    from rs_workbench.accuracy.reference.raster_pair import iter_pair, open_pair
    from rs_workbench.accuracy.reference.raster_windows import list_windows

    pair = open_pair(*paths)
    scenes = pair.map_source.scene, pair.reference_source.scene
    windows = list_windows(scenes, side=block)
    legend = [
        LegendClass(value=k, name=f"class {k}", color=spread_color(k, N_CLASSES))
        for k in range(N_CLASSES)
    ]

    def read() -> None:
        for _ in iter_pair(pair, windows):
            pass

    def count() -> None:
        count_pair(pair, legend, block=block)

    jobs = (lambda: read_plainly(paths, windows), read, count)
    read()
    spent = [[spend(job) for job in jobs] for _ in range(rounds)]
    columns = [[*zip(*each, strict=True)] for each in zip(*spent, strict=True)]
    times = [f"{statistics.median(c[0]):.2f} ({statistics.median(c[1]):.2f})" for c in columns]
    ratios = []
    for beside in (0, 1):
        found = sorted(each[2].wall / each[beside].wall for each in spent)
        spread = f"({found[0]:.2f}-{found[-1]:.2f})"
        ratios.append(f"**{statistics.median(found):.2f}** {spread}")
    stored = paths[0].stem.rsplit("_", 1)[1]
    size = sum(p.stat().st_size for p in paths) / 1e6
    peak = max(columns[2][2])
    return [stored, f"{size:.0f}", *times, *ratios, f"{peak:.0f}"]


@click.command()
@click.option("--size", default=20_000, show_default=True, help="side of the rasters, px")
@click.option("--rounds", default=5, show_default=True)
@click.option("--block", default=2048, show_default=True, help="side of a spatial block, px")
@click.option("--folder", type=Path, default=FOLDER, show_default=True)
def main(size: int, rounds: int, block: int, folder: Path) -> None:
    print_machine("numpy", "opencv-python-headless", "rasterio")
    header = [
        "stored as", "MB", "one after the other, s (CPU)", "at once, s (CPU)",
        "count_pair, s (CPU)", "wall / one after the other", "wall / at once", "peak, MiB",
    ]  # fmt: skip
    rows = [compare(write_pair(folder, size, c), rounds, block) for c in ("deflate", "lzw")]
    print_table(header, rows)
    print(f"\n{size} x {size} pixels. Targets: wall <= {TARGET} x reading, peak <= {PEAK_MIB} MiB")
    print("above what the process held before.")


if __name__ == "__main__":
    main()
