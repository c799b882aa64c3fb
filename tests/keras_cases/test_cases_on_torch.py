"""The same cases with torch beneath Keras, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.keras_cases.test_shape import CASES

pytestmark = pytest.mark.together


@pytest.mark.parametrize("case", CASES)
def test_a_case_runs_on_torch(case, tmp_path):
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    command = [sys.executable, "-m", f"keras_cases.{case}", "--smoke"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (report,) = tmp_path.glob("out/*/report.md")
    assert "torch" in report.read_text(encoding="utf-8")  # the facts name what computed
