"""Fixtures of the workbench's tests that more than one module asks for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rs_workbench import samples
from rs_workbench.sample_registry import SampleSet
from tests.workbench.sample_server import FILES, SampleServer, know, make_set, serve


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SampleServer]:
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    monkeypatch.setattr(samples, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("RSW_DATA", raising=False)
    monkeypatch.delenv("RSW_SAMPLES_URL", raising=False)
    with serve() as running:
        running.files = dict(FILES)
        running.files["sub/b%20c.bin"] = running.files["sub/b c.bin"]
        yield running


@pytest.fixture
def toy(server: SampleServer, monkeypatch: pytest.MonkeyPatch) -> SampleSet:
    sample = make_set(FILES, server.address)
    know(monkeypatch, sample)
    return sample
