"""The Keras learner and its optimisers with Keras on torch, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.together, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


def test_keras_on_torch_learns_the_same_way():
    environment = {
        **os.environ,
        "KERAS_BACKEND": "torch",
        "OMP_NUM_THREADS": "1",  # little networks, and perhaps a busy machine
        "RSW_ABSENT": "tensorflow,tf2onnx",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "absent"), str(ROOT)]),
    }
    files = ("test_keras_learner.py", "test_keras_optimizers.py")
    checks = [Path(__file__).with_name(name) for name in files]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *checks, "-q", "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        timeout=550,
        cwd=ROOT,
        env=environment,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
