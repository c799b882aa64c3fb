"""A training from files to a model that maps: the same cases for Keras and PyTorch."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from rs_workbench.errors import UsageError
from rs_workbench.train import command, train
from rs_workbench.training.run_folder import read_result
from rs_workbench.training.settings import TrainSettings
from rs_workbench.training.settings_file import make_settings, write_settings
from tests.workbench.rasters import write_tif

SIDE, TILE = 144, 16


def draw_scene(folder: Path, *, seed: int = 0) -> tuple[Path, Path]:
    """Three classes in fields of 24 px, which two noisy bands tell apart; some without label."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    fields = rng.integers(1, 4, (SIDE // 24, SIDE // 24)).astype(np.uint8)
    classes = fields.repeat(24, axis=0).repeat(24, axis=1)
    bright = np.array([[0, 40, 120, 200], [0, 150, 60, 180]])[:, classes]
    noisy = bright + rng.normal(0, 12, bright.shape)
    labels = np.where(rng.random(classes.shape) < 0.1, 0, classes).astype(np.uint8)
    write_tif(folder / "scene.tif", noisy.clip(1, 255).astype(np.uint8))
    write_tif(folder / "labels.tif", labels[None])
    return folder / "scene.tif", folder / "labels.tif"


def small_settings(folder: Path, framework: str, **changes: Any) -> TrainSettings:
    """Settings of a run of seconds; the scene is drawn where it is not there yet."""
    scene, labels = folder / "scene.tif", folder / "labels.tif"
    if not scene.exists():
        draw_scene(folder)
    return make_settings(
        {
            "scenes": [str(scene)],
            "labels": [str(labels)],
            "classes": {1: "water", 2: "sand", 3: "wood"},
            "unlabelled": [0],
            "framework": framework,
            "network_options": {"width": 4, "depth": 1},
            "tile": TILE,
            "split": {"block": 32},
            "chips": 16,
            "batch": 4,
            "epochs": 2,
            "pictures": 0,
            "forest_pixels": 0,
            "device": "cpu",
            "precision": "float32",
            "onnx": False,
            **changes,
        }
    )


class StopError(Exception):
    """Something from outside ends the run."""


def stop_after(number: int):
    def on_epoch(epoch, learner, data) -> None:
        if epoch.number == number:
            raise StopError

    return on_epoch


CTRL_C = """
import os, signal, sys

from rs_workbench.training import loop

signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
rate_at = loop.rate_at


def press(settings, past, steps):
    if past == 6:  # the third of four steps of the second epoch
        os.kill(os.getpid(), signal.SIGINT)
    return rate_at(settings, past, steps)


loop.rate_at = press
from rs_workbench.train import command

command(sys.argv[1:])
"""
"""Trains until Ctrl-C within the second epoch."""


def rsw_train(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(one) for one in arguments])


# What both frameworks must do: called by test_train_keras.py and test_train_torch.py


def check_ends_in_a_model_that_maps(tmp_path: Path, framework: str) -> None:
    from rs_workbench.infer import infer_scene

    settings = small_settings(
        tmp_path, framework, onnx=True, pictures=1, forest_pixels=300, epochs=2
    )
    lines: list[str] = []
    result = train(settings, tmp_path / "run", log=lines.append)
    found = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"settings.yaml", "history.csv", "history.png", "pictures", "held_out"} <= found
    assert {"held_out_blocks.npz", "result.json", result.model, result.onnx} <= found
    assert not {"state", "lock"} & found
    assert result.as_dict() == read_result(tmp_path / "run").as_dict()
    assert result.leaks == 0
    assert {"majority", "forest"} == set(result.baselines)
    for model in (result.model, result.onnx):
        report = infer_scene(
            settings.scenes[0], tmp_path / f"{model}.tif", model=tmp_path / "run" / str(model)
        )
        assert [entry["name"] for entry in report.classes] == ["water", "sand", "wood"]
        assert sum(entry["pixels"] for entry in report.classes) == SIDE * SIDE


def check_learns(tmp_path: Path, framework: str) -> None:
    settings = small_settings(
        tmp_path, framework, epochs=8, chips=64, batch=8, learning_rate=0.01, augment={}
    )
    result = train(settings, tmp_path / "run")
    assert result.held_out["mean_iou"] > result.baselines["majority"]["mean_iou"] + 0.2


def check_a_stopped_run_goes_on_to_the_same_end(tmp_path: Path, framework: str, weights) -> None:
    settings = small_settings(tmp_path, framework, epochs=3, average=0.9)
    whole = train(settings, tmp_path / "whole")
    for number in (1, 2):
        with pytest.raises(StopError):
            train(settings, tmp_path / "parts", on_epoch=(stop_after(number),))
    lines: list[str] = []
    parts = train(settings, tmp_path / "parts", log=lines.append)
    assert any("going on" in line for line in lines)
    _same(weights(tmp_path / "whole" / whole.model), weights(tmp_path / "parts" / parts.model))
    history = [
        [line.split(",")[:5] for line in (tmp_path / run / "history.csv").read_text().split()]
        for run in ("whole", "parts")
    ]
    assert history[0] == history[1]
    assert parts.held_out == whole.held_out


def check_ctrl_c(tmp_path: Path, framework: str, weights) -> None:
    settings = small_settings(tmp_path, framework, epochs=3)
    whole = train(settings, tmp_path / "whole")
    write_settings(settings, tmp_path / "mine.yaml")
    arguments = [str(tmp_path / "mine.yaml"), "-o", str(tmp_path / "parts")]
    done = subprocess.run(
        [sys.executable, "-c", CTRL_C, *arguments], capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1] == (
        "stopped: the same command goes on where this one stopped"
    )
    assert "epoch 1/3" in done.stderr
    assert "epoch 2/3" not in done.stderr
    assert "Traceback" not in done.stderr
    again = rsw_train(*arguments)
    assert again.exit_code == 0, again.output
    assert "going on with the run" in again.stderr
    assert "epoch 1/3" not in again.stderr
    parts = read_result(tmp_path / "parts")
    _same(weights(tmp_path / "whole" / whole.model), weights(tmp_path / "parts" / parts.model))
    assert parts.held_out == whole.held_out


def check_the_same_run_twice_gives_the_same_weights(
    tmp_path: Path, framework: str, weights
) -> None:
    one, two = (
        train(
            small_settings(tmp_path, framework, workers=workers, epochs=1),
            tmp_path / str(workers),
        )
        for workers in (1, 3)
    )
    assert one.chips_hash == two.chips_hash
    _same(weights(tmp_path / "1" / one.model), weights(tmp_path / "3" / two.model))


def _same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    assert one
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def check_what_a_leak_flatters(tmp_path: Path, framework: str) -> None:
    settings = small_settings(tmp_path, framework, split={"kind": "random"}, epochs=1)
    lines: list[str] = []
    result = train(settings, tmp_path / "run", allow_leaks=True, log=lines.append)
    assert result.leaks > 0
    apart = read_result(tmp_path / "run" / "blocks")
    assert apart.leaks == 0
    compared = json.loads((tmp_path / "run" / "leaks.json").read_text())
    assert compared["pixels"] > 0
    gap = compared["leaking_mean_iou"] - compared["blocks_mean_iou"]
    assert compared["flattered_by"] == pytest.approx(gap)
    assert lines[-1].startswith(f"on {compared['pixels']:,} pixels that both splits hold out: ")


def check_the_command(tmp_path: Path, framework: str) -> None:
    small_settings(tmp_path, framework)
    scene = ["--scene", tmp_path / "scene.tif", "--labels", tmp_path / "labels.tif"]
    small = ["--option", "width=4", "--option", "depth=1", "--tile", TILE, "--block", 32]
    short = ["--epochs", 1, "--chips", 8, "--batch", 4, "--device", "cpu", "--no-onnx"]
    rest = ["--set", "forest_pixels=0", "--set", "pictures=0", "--unlabelled", "0"]
    named = ["--framework", framework, "-o", tmp_path / "run"]
    arguments = [*scene, *small, *short, *rest, *named]
    done = rsw_train(*arguments, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    assert found == {"folder": str(tmp_path / "run"), **written}
    assert "epoch 1/1: loss " in done.stderr
    again = rsw_train(*arguments)
    assert again.exit_code == 1
    assert "holds the finished run of these settings" in again.stderr
    anew = rsw_train(*arguments, "--overwrite", "--progress", "none")
    assert anew.exit_code == 0, anew.output
    assert "held-out ground: mIoU 0." in anew.stdout
    assert f"rsw infer SCENE -m {tmp_path / 'run'}" in anew.stdout


def check_wrong_options_of_the_network(tmp_path: Path, framework: str) -> None:
    for options, said in (
        ({"widht": 3}, "there is no option of unet 'widht', did you mean 'width'?"),
        ({"width": "large"}, "option width of unet must be a whole number: got 'large'"),
        ({"width": -1}, "the network 'unet' cannot be built with width=-1 ("),
        ({"width": 4, "depth": 5}, "tile=16 px is no multiple of 32 px, the stride of unet: choo"),
    ):
        settings = small_settings(tmp_path, framework, network_options=options)
        with pytest.raises(UsageError, match=re.escape(said)):
            train(settings, tmp_path / "run")
        write_settings(settings, tmp_path / "wrong.yaml")
        tried = rsw_train(tmp_path / "wrong.yaml", "--dry-run")
        assert tried.exit_code == 2
        assert said in tried.stderr
    assert not (tmp_path / "run" / "state").exists()
    write_settings(small_settings(tmp_path, framework), tmp_path / "right.yaml")
    assert rsw_train(tmp_path / "right.yaml", "--dry-run").exit_code == 0
