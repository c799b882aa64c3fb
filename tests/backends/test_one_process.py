"""A user's own program may load both frameworks; ours must not abort it, in either order."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.together

ROOT = Path(__file__).parents[2]
LOAD_KERAS = "from rs_workbench.backends.keras_import import import_keras; import_keras()\n"
USE_BOTH = """
import sys, tensorflow, torch, torchvision, timm, segmentation_models_pytorch
assert float(tensorflow.reduce_sum(tensorflow.ones((2, 2)))) == 4
assert float(torch.ones(2, 2).sum()) == 4
print("triton" in sys.modules)
"""


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=500, cwd=ROOT
    )


def test_torch_first():
    done = run("import torch\n" + LOAD_KERAS + USE_BOTH)
    assert (done.returncode, done.stdout.split()) == (0, ["True"]), done.stderr


def test_keras_first():
    done = run(LOAD_KERAS + USE_BOTH)
    assert (done.returncode, done.stdout.split()) == (0, ["False"]), done.stderr


def test_keras_first_and_triton_asked_for_is_a_sentence():
    done = run(LOAD_KERAS + "import triton")
    assert done.returncode == 1
    assert "triton cannot be loaded after tensorflow in one process" in done.stderr
    assert "import triton  above the first import of tensorflow" in done.stderr
