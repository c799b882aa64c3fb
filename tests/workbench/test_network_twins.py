"""The same weights give the same scores in Keras and in PyTorch, each in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.together, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SEA_ICE = {"depth": 4, "norm": "none", "dropout": 0.5, "up": "conv"}  # 'width' is the test's


def case(network, *, n_bands=3, n_classes=4, size=(64, 96), dtype="float32", **options):
    return {
        "network": network,
        "n_bands": n_bands,
        "n_classes": n_classes,
        "size": size,
        "dtype": dtype,
        "options": options,
    }


CASES = {
    "unet": case("unet", width=8, size=(40, 56)),
    "unet_sea_ice": case("unet", n_classes=1, width=4, **SEA_ICE),
    "unet_hyperspectral": case("unet", n_bands=6, width=4, last_width=8, **SEA_ICE),
    "unet_group_transposed": case("unet", width=8, depth=2, norm="group", up="transposed"),
    "unet_bilinear_deep_blocks": case("unet", width=4, up="bilinear", convolutions=3),
    "cbrr_unet": case("cbrr_unet", n_bands=6, n_classes=5, width=8),
    "cbrr_unet_nearest": case("cbrr_unet", width=4, up="nearest", bias=False),
    "deeplab_mini": case("deeplabv3plus", n_bands=4, width=32),
    "deeplab_mini_8": case("deeplabv3plus", width=32, output_stride=8, rates=[6, 12, 18]),
    "deeplab_fine": case("deeplabv3plus", width=32, decoder="fine", image_pooling=False),
    "deeplab_fine_8": case("deeplabv3plus", width=32, decoder="fine", output_stride=8),
    # seventy layers, at whose end rounding to float32 comes to 4e-4; enlarging rounds so still
    "deeplab_course": case(
        "deeplabv3plus", backbone="xception_course", output_stride=8, dtype="float64"
    ),
}


def run(module, folder):
    command = [sys.executable, "-m", module, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("twins")
    (folder / "cases.json").write_text(json.dumps(CASES), encoding="utf-8")
    run("tests.keras_cases.network_scores", folder)
    run("tests.torch_cases.network_scores", folder)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_scores_are_the_same(folder, name):
    keras, torch = np.load(folder / f"{name}.npz"), np.load(folder / f"{name}_torch.npz")
    wanted = keras["scores"]
    assert wanted.shape == (3, CASES[name]["n_classes"], *CASES[name]["size"])
    assert wanted.std() > 0.1  # else any two networks would agree
    np.testing.assert_allclose(torch["scores"], wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_first_weights_are_drawn_alike(folder, name):
    keras, torch = np.load(folder / f"{name}.npz"), np.load(folder / f"{name}_torch.npz")
    kernels = [key for key in keras.files if key.startswith("fresh:") and keras[key].size > 200]
    assert kernels
    for key in kernels:
        layer, _, kind = key.removeprefix("fresh:").rpartition("/")
        if kind == "kernel":
            spread = float(torch[f"spread:{layer}.weight"])
            assert keras[key].std() == pytest.approx(spread, rel=0.3)
