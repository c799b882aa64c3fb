"""Keras on torch, with tensorflow looking uninstalled; then the same model through tensorflow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

pytestmark = pytest.mark.together

ROOT = Path(__file__).parents[2]
CONTRACT = Path(__file__).with_name("keras_on_torch.py")


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    folder = tmp_path_factory.mktemp("left")
    environment = {
        **os.environ,
        "KERAS_BACKEND": "torch",
        "RSW_ABSENT": "tensorflow,tf2onnx",
        "RSW_LEAVE": str(folder),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "absent"), str(ROOT)]),
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", CONTRACT, "-q", "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        timeout=550,
        cwd=ROOT,
        env=environment,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return folder


def test_contract_holds_on_torch(left):
    assert (left / "scores.npz").exists()


def test_tensorflow_converts_what_torch_saved(left):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "rs_workbench.backends.keras_convert",
            left / "deep.keras",
            left / "out",
        ],
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert (done.returncode, done.stderr) == (0, "")
    kept = np.load(left / "scores.npz")
    session = onnxruntime.InferenceSession(left / "out" / "model.onnx")
    scores = session.run(None, {"image": kept["batch"]})[0]
    np.testing.assert_allclose(scores, kept["scores"], atol=1e-4)
