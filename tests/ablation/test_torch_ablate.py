"""A real study: networks trained by `rsw train` on a drawn scene, from files to the report."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.conftest import require_framework

torch = require_framework("torch")

from rs_workbench.ablate import ablate  # noqa: E402
from rs_workbench.ablation.study import Study  # noqa: E402
from rs_workbench.training.settings_file import plain_values  # noqa: E402
from tests.training.train_cases import small_settings  # noqa: E402


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_study_from_files_to_the_report(tmp_path: Path) -> None:
    shared = plain_values(small_settings(tmp_path, "torch", onnx=True, forest_pixels=0))
    vary = {
        "width": [
            {"name": "narrow", "network_options.width": 4},
            {"name": "wide", "network_options.width": 8},
            {"name": "impossible", "network_options.nonsense": 1},
        ]
    }
    study = Study(name="widths", settings=shared, vary=vary, seeds=1)
    said: list[str] = []
    found = ablate(study, tmp_path / "out", log=said.append)
    assert (found.done, len(found.failed), found.waiting) == (2, 1, 0)
    ((run, reason),) = found.failed
    assert run.configuration.name == "impossible"
    assert "nonsense" in reason
    rows = {
        row["configuration"]: row
        for row in csv.DictReader(io.StringIO((tmp_path / "out" / "table.csv").read_text()))
    }
    for name in ("narrow", "wide"):
        assert 0 < float(rows[name]["mean_iou"]) <= 1
        assert float(rows[name]["pixels_per_second"]) > 0
        assert float(rows[name]["peak_rss_mib"]) > 50
    assert float(rows["narrow"]["macs"]) < float(rows["wide"]["macs"])
    assert int(float(rows["narrow"]["parameters"])) < int(float(rows["wide"]["parameters"]))
    for path in (tmp_path / "out" / "runs").glob("*/result.json"):
        facts = json.loads(path.read_text())
        row = rows["narrow" if facts["network_options"]["width"] == 4 else "wide"]
        assert float(row["mean_iou"]) == pytest.approx(facts["held_out"]["mean_iou"])
    again = ablate(study, tmp_path / "out")
    assert [row.scores for row in again.rows] == [row.scores for row in found.rows]
    assert (tmp_path / "out" / "score_cost.png").stat().st_size > 5000
