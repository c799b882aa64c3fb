"""What every test may ask for: real data, and a framework that must or may be there."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

FRAMEWORKS = {"keras": ("tensorflow", "keras"), "torch": ("torch",)}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--runslow", action="store_true", help="run the tests marked slow, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--runslow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: run it with --runslow"))


def require_framework(name: str) -> ModuleType:
    """Import 'keras' or 'torch', or skip the module; call it above any import of ours.

    Where RSW_REQUIRE names the framework, its absence fails. One process never loads both, so
    a plain `pytest` runs the tests of the first one it meets.
    """
    required = os.environ.get("RSW_REQUIRE", "").split(",")
    other = next(f for f in FRAMEWORKS if f != name)
    if name not in required and FRAMEWORKS[other][0] in sys.modules:
        pytest.skip(f"{other} is loaded: run  RSW_REQUIRE={name} pytest", allow_module_level=True)
    for module in FRAMEWORKS[name]:
        if name not in required:
            pytest.importorskip(module)
        found = importlib.import_module(module)
    return found


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Folder of the sample data, from RSW_DATA; without it the test is skipped, in CI it fails."""
    named = os.environ.get("RSW_DATA")
    if named and Path(named).is_dir():
        return Path(named)
    reason = f"needs the sample data: RSW_DATA is {named!r}, which is no folder"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
