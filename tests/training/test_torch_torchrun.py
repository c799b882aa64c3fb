"""``torchrun -m rs_workbench.train`` ends where one process does."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import require_framework

require_framework("torch")

from rs_workbench.train import train  # noqa: E402
from rs_workbench.training.settings_file import write_settings  # noqa: E402
from tests.training.train_cases import small_settings  # noqa: E402

OPTIONS = {"width": 4, "depth": 1, "norm": "group"}


def read_scores(folder: Path) -> np.ndarray:
    with (folder / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    return np.array([[float(row[k]) for k in ("loss", "rate", "mean_iou")] for row in rows])


@pytest.mark.slow
def test_two_processes_end_where_one_does(tmp_path: Path) -> None:
    settings = small_settings(tmp_path, "torch", network_options=OPTIONS, optimizer="sgd")
    write_settings(settings, tmp_path / "settings.yaml")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    verb = ["-m", "rs_workbench.train", "settings.yaml", "-o", "two", "--progress", "plain"]
    home = os.pathsep.join(path for path in sys.path if path)
    ran = subprocess.run(
        [*launch, *verb],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": home, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("epoch 1/2") == 1
    train(settings, tmp_path / "one")
    np.testing.assert_allclose(
        read_scores(tmp_path / "two"), read_scores(tmp_path / "one"), rtol=1e-4
    )
    left = [{p.name for p in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert left[0] == left[1] >= {"model.pt2", "result.json"}
