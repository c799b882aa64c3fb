"""Small studies, run by a trainer that learns nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rs_workbench.ablation.runner import Runner
from rs_workbench.ablation.study import Study

TRAINER = (sys.executable, str(Path(__file__).with_name("fake_train.py")))
SETTINGS: dict[str, Any] = {
    "scenes": ["a.tif"],
    "labels": ["b.tif"],
    "network": "deeplabv3plus",
    "framework": "torch",
    "network_options": {"width": 64},
}
BACKBONES = {"network_options.backbone": ["mini", "wide"]}


def make_study(*, change: dict[str, Any] | None = None, **fields: Any) -> Study:
    values = {"name": "small", "vary": BACKBONES, "seeds": 2, **fields}
    return Study(settings={**SETTINGS, **(change or {})}, **values)


def make_runner(folder: Path, jobs: int = 1) -> Runner:
    return Runner(folder, TRAINER, jobs=jobs)
