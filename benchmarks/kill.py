"""Killed at ten random moments and run again, a map has the same bytes: benchmarks.kill"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import click

from benchmarks.measure import infer_command, print_table, run_alone
from benchmarks.prepare import FOLDER, prepare
from benchmarks.scene import write_scene


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def start_and_kill(command: list[str], after: float) -> bool:
    """Kill the command and its children after some seconds; False if it was done before."""
    process = subprocess.Popen(command, start_new_session=True)
    time.sleep(after)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return running


@click.command()
@click.option("--times", default=10, show_default=True)
@click.option("--size", default=3072, show_default=True, help="side of the scene, px")
@click.option("--seed", default=0, show_default=True)
@click.option("--folder", type=Path, default=FOLDER, show_default=True)
def main(times: int, size: int, seed: int, folder: Path) -> None:
    model = prepare(folder) / "unet.onnx"
    scene = write_scene(folder / f"scene_{size}.tif", size, size)
    options = ("--engine", "openvino", "--tile", "384", "--batch", "2")
    whole, broken = folder / "kill_whole.tif", folder / "kill_broken.tif"
    run_alone(infer_command(scene, model, whole, "--overwrite", "--restart", *options))
    duration = run_alone(infer_command(scene, model, whole, "--overwrite", *options)).wall
    wanted, rows = sha256(whole), []
    moments = random.Random(seed)
    for _ in range(times):
        for old in folder.glob("kill_broken*"):
            old.unlink()
        after = moments.uniform(0.05, 0.98) * duration
        command = infer_command(scene, model, broken, *options)
        killed = start_and_kill(command, after)
        early = broken.exists() and killed
        run_alone(command if killed else [*command, "--overwrite"])
        resumed = json.loads(broken.with_name("kill_broken_report.json").read_text())["resumed"]
        same = sha256(broken) == wanted
        rows.append([f"{after:.1f} of {duration:.1f}", killed, early, resumed, same])
    print_table(["killed after, s", "in time", "map finished", "resumed", "same bytes"], rows)
    sys.exit(not all(row[-1] for row in rows))


if __name__ == "__main__":
    main()
