"""From the same weights both learners take the same steps, each in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.training.learner_steps import CASES, N_CHIPS, RATES, SIDE

pytestmark = [pytest.mark.together, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
KEPT = 0.9 ** len(RATES)  # what is left of the 1 that a running variance starts from


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learners")
    for framework in ("keras", "torch"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.training.learner_steps", framework, str(folder)],
            capture_output=True,
            text=True,
            timeout=280,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},  # little networks, maybe a busy machine
        )
        assert done.returncode == 0, done.stderr[-3000:]
    return folder


def unbiased(key: str, variance: np.ndarray) -> np.ndarray:
    """A running variance of Keras, which divides by n, as torch's, which divides by n - 1."""
    level = int(key.split(".")[1])  # of "encoder.1.norm_0.running_var"
    n = N_CHIPS * (SIDE // 2**level) ** 2
    return KEPT + (variance - KEPT) * n / (n - 1)


@pytest.mark.parametrize("name", CASES)
def test_losses_and_scores_are_the_same(folder: Path, name: str) -> None:
    keras, torch = np.load(folder / f"{name}_keras.npz"), np.load(folder / f"{name}_torch.npz")
    assert keras["losses"][:4].mean() - keras["losses"][-4:].mean() > 0.1
    np.testing.assert_allclose(torch["losses"], keras["losses"], rtol=0, atol=5e-6)
    # running variances differ, see `unbiased`; n is 320 in the deepest layer here
    tolerance = 0.01 if "batch_norm" in name else 1e-5
    wanted = keras["scores"]
    np.testing.assert_allclose(torch["scores"], wanted, rtol=0, atol=tolerance * np.ptp(wanted))


@pytest.mark.parametrize("name", CASES)
def test_weights_move_alike(folder: Path, name: str) -> None:
    found = np.load(folder / f"{name}_torch.npz")
    keys = [key.removeprefix("before/") for key in found.files if key.startswith("before/")]
    assert len(keys) > 8
    for key in keys:
        before, ours, theirs = (found[f"{word}/{key}"] for word in ("before", "torch", "keras"))
        assert np.abs(ours - before).max() > 2e-3, key
        if key.endswith("running_var"):
            theirs = unbiased(key, theirs)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5, err_msg=key)
