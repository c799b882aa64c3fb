"""The code on docs/spectra.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "spectra.md"


@pytest.mark.data
@pytest.mark.slow
def test_the_walk_through_runs(
    data_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    names: dict = {}
    for block in blocks:
        exec(compile(block, "docs/spectra.md", "exec"), names)
    assert names["real"]
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"mnf.json", "components.tif", "salinas.tif", "salinas_labels.tif"}
    printed = capsys.readouterr().out
    assert "216 bands kept, 8 dropped" in printed
    shares = [float(line.split()[1]) for line in printed.splitlines()[-2:]]
    assert min(shares) > 0.95


def test_pictures_and_files_on_the_page_are_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in re.findall(r"\]\((images/[^)]+)\)", text):
        assert (PAGE.parent / name).is_file()
    room = PAGE.parents[1] / "rs_workbench" / "spectra"
    for name in re.findall(r"`(\w+\.py)`", text):
        assert (room / name).is_file()
