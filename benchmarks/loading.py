"""What reading chips costs beside arrays in memory, and its memory: python -m benchmarks.loading

Chips are drawn, read from compressed GeoTIFF, scaled and turned, as in training; beside it the
same chips are cut from arrays that hold the whole scene, scaled, in memory. Both are turned and
stacked by the same threads. The first epoch decodes the files; later ones find what fits into the
cache (128 MiB). Memory is measured on plainer scenes of uint8, which are quick to write.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window as RasterWindow

from benchmarks.measure import peak_mib, print_machine, print_table
from benchmarks.prepare import FOLDER
from benchmarks.scene import N_CLASSES, STRIP, pixels_and_labels, write_scene
from rs_workbench.training.augment import augment_batch
from rs_workbench.training.chip_pixels import ChipPixels
from rs_workbench.training.chip_reader import ChipReader
from rs_workbench.training.data import TrainingData, open_data
from rs_workbench.training.loader import Batch, training_batches
from rs_workbench.training.read_ahead import one_thread_each, read_ahead
from rs_workbench.training.settings import TrainClass, TrainSettings
from tiling import Window
from tiling.chips import Chip, make_chip
from tiling.sampler import draw_chip

SIDE, SIDES = 2048, (2048, 4096, 8192, 16384)
N_PLAIN, PATCH = 3, 64
WORKERS = (1, 2, 4)
ROUNDS = 3
Batches = Callable[[int], Iterator[Batch]]


def profile(side: int, n_bands: int = 1) -> dict[str, object]:
    return {
        "driver": "GTiff", "height": side, "width": side, "count": n_bands, "dtype": "uint8",
        "crs": "EPSG:32633", "transform": from_origin(4e5, 5.8e6, 10, 10), "tiled": True,
        "blockxsize": STRIP, "blockysize": STRIP, "compress": "deflate", "zlevel": 1,
    }  # fmt: skip


def write_labels(path: Path, side: int) -> Path:
    """Write the classes of `write_scene`, if they are not there yet."""
    if path.exists():
        return path
    half = path.with_suffix(".part")
    with rasterio.open(half, "w", **profile(side)) as file:
        for row in range(0, side, STRIP):
            labels = pixels_and_labels(range(row, row + STRIP), side)[1]
            file.write(labels, 1, window=RasterWindow(0, row, side, STRIP))
    half.rename(path)
    return path


def write_plain(folder: Path, side: int) -> tuple[Path, Path]:
    """Write squares of one class under noise, strip by strip, if they are not there yet."""
    paths = tuple(folder / f"plain_{name}_{side}x{side}.tif" for name in ("scene", "labels"))
    if all(path.exists() for path in paths):
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    noise = random.integers(0, 32, (N_PLAIN, STRIP, side), np.uint8)
    halves = [path.with_suffix(".part") for path in paths]
    with (
        rasterio.open(halves[0], "w", **profile(side, N_PLAIN)) as scene,
        rasterio.open(halves[1], "w", **profile(side)) as labels,
    ):
        for row in range(0, side, STRIP):
            place = RasterWindow(0, row, side, STRIP)
            patches = random.integers(0, N_CLASSES, (STRIP // PATCH, side // PATCH), np.uint8)
            classes = patches.repeat(PATCH, axis=0).repeat(PATCH, axis=1)
            labels.write(classes, 1, window=place)
            shifted = np.roll(noise, random.integers(side), axis=2)
            scene.write(shifted + 32 * classes, window=place)
    for half, path in zip(halves, paths, strict=True):
        half.rename(path)
    return paths


def settings_of(folder: Path, side: int, **changes: object) -> TrainSettings:
    scene = write_scene(folder / f"scene_{side}x{side}.tif", side, side)
    return make_settings(
        scene, write_labels(folder / f"labels_{side}x{side}.tif", side), **changes
    )


def make_settings(scene: Path, labels: Path, **changes: object) -> TrainSettings:
    classes = tuple(TrainClass(value=k, name=f"class {k}") for k in range(N_CLASSES))
    return TrainSettings(
        scenes=(str(scene),), labels=(str(labels),), classes=classes, tile=256, **changes
    )


def in_memory(data: TrainingData) -> Batches:
    """Make the same batches from arrays that hold the whole scene, scaled."""
    whole = Window(0, 0, *data.scenes[0].shape)
    with ChipReader(data) as reader:
        scene = reader.read(make_chip(0, whole, data.scenes[0].shape))
    settings = data.settings

    def read_labels(_: int, window: Window) -> np.ndarray:
        return scene.labels[window.slices]

    def cut(chip: Chip) -> ChipPixels:
        place = chip.window.slices
        return ChipPixels(scene.image[..., *place], scene.labels[place], scene.valid[place])

    def make(epoch: int, _: object, number: int) -> Batch:
        places = range(number * settings.batch, (number + 1) * settings.batch)
        chips = [draw_chip(data.training, i, read=read_labels, epoch=epoch) for i in places]
        found = augment_batch(
            [cut(c) for c in chips], settings.augment, seeds=[c.seed for c in chips]
        )
        images, labels, valid = (np.stack(part) for part in zip(*found, strict=True))
        return Batch(images, labels, tuple(chips), valid)

    def batches(epoch: int) -> Iterator[Batch]:
        n_batches = -(-settings.chips // settings.batch)
        with one_thread_each():
            yield from read_ahead(
                nullcontext, partial(make, epoch), n_batches, n_workers=settings.workers
            )

    return batches


def cost(batches: Batches, epoch: int, use: Callable[[Batch], object]) -> tuple[float, float]:
    """Wall seconds and CPU seconds of a chip, all threads."""
    wall, cpu, n_chips = time.perf_counter(), time.process_time(), 0
    for batch in batches(epoch):
        use(batch)
        n_chips += len(batch.chips)
    return (time.perf_counter() - wall) / n_chips, (time.process_time() - cpu) / n_chips


def compare(data: TrainingData, use: Callable[[Batch], object]) -> list[str]:
    """Chips a second from files and from memory, in turns, and what they cost beside each other.

    The first epoch, which decodes the files, is left out.
    """
    files, memory = partial(training_batches, data), in_memory(data)
    found = np.array([
        [cost(batches, epoch, use) for batches in (files, memory)]
        for epoch in range(1 + ROUNDS)
    ][1:])  # fmt: skip
    (wall, cpu), (memory_wall, memory_cpu) = np.median(found, axis=0)
    return [
        f"{1 / wall:.1f}", f"{1 / memory_wall:.1f}", f"{memory_wall / wall:.2f}",
        f"{1 / cpu:.1f}", f"{1 / memory_cpu:.1f}", f"{memory_cpu / cpu:.2f}",
    ]  # fmt: skip


def measure_alone(folder: Path, side: int) -> dict[str, float]:
    """Open a scene and read chips from it in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.loading", "--folder", folder, "--alone", side]
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def run_alone(folder: Path, side: int) -> None:
    libraries = peak_mib()
    started = time.perf_counter()
    data = open_data(make_settings(*write_plain(folder, side), chips=512))
    opened = time.perf_counter() - started
    for epoch in range(2):
        cost(partial(training_batches, data), epoch, lambda _: None)
    print(json.dumps({
        "libraries": libraries, "peak": peak_mib(), "open": opened,
        "cache": data.ground.cache.n_bytes / 2**20,
    }))  # fmt: skip


def step_of_unet(data: TrainingData) -> Callable[[Batch], object]:
    from rs_workbench.training.torch_learner import make_learner

    learner = make_learner(data.settings, data.n_bands, data.n_classes, class_weights=None)
    return lambda batch: learner.step(batch.images, batch.labels, 1e-3)


def measure_speed(folder: Path, chips: int) -> None:
    rows = []
    for workers in WORKERS:
        settings = settings_of(folder, SIDE, chips=chips, workers=workers)
        rows.append([f"reading, {workers} threads", *compare(open_data(settings), lambda _: None)])
    if find_spec("torch"):
        options = {"width": 16, "depth": 3}
        settings = settings_of(folder, SIDE, chips=chips // 8, network_options=options)
        data = open_data(settings)
        rows.append(["training a small U-Net", *compare(data, step_of_unet(data))])
    header = ["", "chips/s from files", "from memory", "ratio"]
    print_table([*header, "chips/CPU s from files", "from memory", "ratio"], rows)
    print()


def measure_memory(folder: Path) -> None:
    rows = []
    for side in SIDES:
        write_plain(folder, side)
        found = measure_alone(folder, side)
        left = found["peak"] - found["cache"] - found["libraries"]
        rows.append([
            f"{side} x {side}", f"{side * side * (N_PLAIN + 2) >> 20}", f"{found['open']:.1f}",
            *(f"{found[name]:.0f}" for name in ("peak", "libraries", "cache")), f"{left:.0f}",
        ])  # fmt: skip
    header = ["scene", "MiB unpacked", "s to open", "peak MiB", "libraries", "cache", "the rest"]
    print_table(header, rows)


@click.command()
@click.option("--folder", type=Path, default=FOLDER, show_default=True)
@click.option("--chips", default=256, show_default=True, help="of an epoch")
@click.option("--memory", is_flag=True, help="only the table of memory")
@click.option("--alone", type=int, hidden=True)
def main(folder: Path, chips: int, memory: bool, alone: int | None) -> None:
    if alone:
        run_alone(folder, alone)
        return
    print_machine("numpy", "rasterio", "opencv-python-headless", "torch")
    if not memory:
        measure_speed(folder, chips)
    measure_memory(folder)


if __name__ == "__main__":
    main()
