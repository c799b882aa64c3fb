"""Ours and its peers on one machine in one run: python -m benchmarks.peers

Same weights, same scene, tile 256 px with 25 % overlap for the peers; ours with its defaults.
Contestants sit in processes of their own and take turns. Needs the extras torch, keras and peers.

- ratio: CPU (and wall) seconds over ours for the same framework; medians over the rounds.
- agreement: pixels with the class that one whole-image forward pass gives, in percent; near: the
  same within 8 px of tile borders or stitch lines.
- contrast: class changes across those lines against elsewhere, over the same of the whole-image
  map; 1.00 means that no seam can be found.
- MiB: peak above what the loaded process held before.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import rasterio

from benchmarks.contestants import CONTESTANTS, OVERLAP, TILE
from benchmarks.measure import Spent, print_machine, print_table
from benchmarks.prepare import FOLDER, prepare
from benchmarks.scene import CHANNELS, write_scene

OURS_OF = {"predict_loop": "ours_keras", "ours_keras": "ours_keras"}
NEAR = 8
WHOLE = "whole_image"


class Contestant:
    """A process that has loaded its model and maps a scene when told."""

    def __init__(self, name: str, net: Path, warm_up: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.contestants", name, str(net), str(warm_up)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{name} did not get ready: its message stands above")

    def run(self, scene: Path) -> Spent:
        self.process.stdin.write(f"{scene}\n")
        self.process.stdin.flush()
        return Spent(*json.loads(self.process.stdout.readline()))

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def race(names: list[str], scene: Path, net: Path, rounds: int) -> dict[str, list[Spent]]:
    warm_up = write_scene(net.with_name("scene_512.tif"), 512, 512)
    spent = {name: [] for name in names}
    contestants = {name: Contestant(name, net, warm_up) for name in names}
    for number in range(rounds):
        for name, contestant in contestants.items():
            if number == 0 or name != WHOLE:  # the reference, large and slow: once
                spent[name].append(contestant.run(scene))
    for contestant in contestants.values():
        contestant.end()
    return spent


def read_labels(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def lines_of(name: str, folder: Path, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns where tiles begin, end or are stitched together."""
    step = TILE - OVERLAP
    if name.startswith("ours"):
        report = json.loads((folder / f"peers_{name}_report.json").read_text())
        starts = np.arange(0, length, report["tile"] - 2 * report["margin"]) + report["margin"]
    elif name == "plain_loop":
        starts = np.arange(0, length, TILE)
    elif name == "predict_loop":
        starts = np.arange(0, length, step) + OVERLAP // 2
    else:
        starts = np.minimum(np.arange(0, length, step), length - TILE)
        starts = np.concatenate([starts, starts + TILE])
    if name == "torchgeo":  # counts rows upwards and pulls nothing back inside
        starts = np.arange(0, length, step)
        starts = np.concatenate([starts, starts + TILE])
        return inside(length - starts, length), inside(starts, length)
    return inside(starts, length), inside(starts, length)


def inside(lines: np.ndarray, length: int) -> np.ndarray:
    return np.unique(lines[(lines > 0) & (lines < length)])


def contrast(labels: np.ndarray, lines: tuple[np.ndarray, np.ndarray]) -> float:
    """Share of class changes across the lines, over the share elsewhere."""
    across, elsewhere = [], []
    for array, at in zip((labels, labels.T), lines, strict=True):
        changes = np.mean(np.diff(array, axis=0) != 0, axis=1)
        across.append(changes[at - 1].mean())
        elsewhere.append(np.delete(changes, at - 1).mean())
    return sum(across) / sum(elsewhere)


def near_lines(lines: tuple[np.ndarray, np.ndarray], length: int) -> np.ndarray:
    rows, cols = (np.abs(np.arange(length)[:, None] - a).min(axis=1) <= NEAR for a in lines)
    return rows[:, None] | cols


def faithfulness(name: str, folder: Path) -> tuple[float, float, float]:
    labels = read_labels(folder / f"peers_{name}.tif")
    whole = read_labels(folder / f"peers_{WHOLE}.tif")
    lines = lines_of(name, folder, len(labels))
    near = near_lines(lines, len(labels))
    same = labels == whole
    return same.mean(), same[near].mean(), contrast(labels, lines) / contrast(whole, lines)


def rows(spent: dict[str, list[Spent]], folder: Path) -> list[list[str]]:
    middle = {
        name: [statistics.median(v) for v in zip(*s, strict=True)] for name, s in spent.items()
    }
    table = []
    for name, (wall, cpu, mib) in middle.items():
        base = middle[OURS_OF.get(name, "ours")]
        row = [CONTESTANTS[name][0], f"{cpu:.2f}", f"{cpu / base[1]:.2f}", f"{wall / base[0]:.2f}"]
        if name == WHOLE:
            row += ["", "", "", f"{mib:.0f}"]
        else:
            agreement, near, seams = faithfulness(name, folder)
            row += [f"{agreement:.3%}", f"{near:.3%}", f"{seams:.2f}", f"{mib:.0f}"]
        table.append(row)
    return table


@click.command()
@click.option("--net", type=click.Choice(list(CHANNELS)), default="unet", show_default=True)
@click.option("--size", default=2048, show_default=True, help="side of the scene, px")
@click.option("--rounds", default=3, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(CONTESTANTS)))
@click.option("--folder", type=Path, default=FOLDER, show_default=True)
def main(net: str, size: int, rounds: int, only: tuple[str, ...], folder: Path) -> None:
    prepare(folder, "keras")
    scene = write_scene(folder / f"scene_{size}.tif", size, size)
    names = [n for n in CONTESTANTS if not only or n in (*only, "ours", WHOLE)]
    print_machine("torch", "monai", "torchgeo", "geoai-py", "tensorflow", "keras", "openvino")
    header = ["way", "CPU s", "CPU ratio", "wall ratio", "agreement", "near", "contrast", "MiB"]
    print_table(header, rows(race(names, scene, folder / net, rounds), folder))


if __name__ == "__main__":
    main()
