"""`rsw train --dry-run` without a framework: the plan, and how data are opened."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rs_workbench.training import opening, settings_check
from rs_workbench.training.data import open_data
from rs_workbench.training.yaml_file import parse_yaml
from tests.training.train_cases import draw_scene, rsw_train, small_settings


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    draw_scene(folder)
    return folder


def scene_of(folder: Path) -> list[object]:
    return [
        *("--scene", folder / "scene.tif", "--labels", folder / "labels.tif"),
        *("--unlabelled", "0", "--tile", "16", "--block", "32", "--classes", "1=a,2=b,3=c"),
    ]


@pytest.fixture
def no_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a dry run from loading one, which would stay for all tests of this process."""
    monkeypatch.setattr(settings_check, "is_installed", lambda framework: False)


@pytest.mark.usefixtures("no_framework")
def test_a_dry_run_prints_settings_that_repeat_it_and_writes_nothing(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [*scene_of(drawn), "--framework", "torch", "--epochs", "7", "--dry-run"]
    first = rsw_train(*arguments)
    assert first.exit_code == 0, first.output
    assert first.stderr.splitlines()[:2] == [
        "opening scenes and labels",
        "torch is not installed, so the network was not tried",
    ]
    assert "# unet in torch: 7 epochs, 224 steps of 8 chips of 16 px" in first.stdout
    assert "# 1 scene, bands 1, 2" in first.stdout
    assert "none leaks" in first.stdout
    assert parse_yaml(first.stdout, "it")["epochs"] == 7
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine.yaml").write_text(first.stdout, encoding="utf-8")
    again = rsw_train("mine.yaml", "--dry-run")
    assert again.stdout == first.stdout


@pytest.mark.usefixtures("no_framework")
def test_a_dry_run_as_json(drawn: Path) -> None:
    done = rsw_train(*scene_of(drawn), "--dry-run", "--json")
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found["settings"]["tile"] == 16
    plan = found["plan"]
    assert plan["leaks"] == 0
    assert [entry["name"] for entry in plan["classes"]] == ["a", "b", "c"]
    assert all(entry["pixels"][p] > 0 for entry in plan["classes"] for p in ("training",))


def test_a_dry_run_refuses_weights_for_fewer_classes(drawn: Path) -> None:
    done = rsw_train(*scene_of(drawn), "--class-weights", "1,2", "--dry-run")
    assert done.exit_code == 2
    assert "class weights" in done.stderr


@pytest.mark.usefixtures("no_framework")
def test_a_split_that_leaks_is_refused_with_its_numbers(drawn: Path) -> None:
    done = rsw_train(*scene_of(drawn), "--split", "random", "--dry-run")
    assert done.exit_code == 2
    data = open_data(small_settings(drawn, "torch", split={"kind": "random"}))
    assert f"{data.leaks} of {len(data.training)} training chips overlap or lie" in done.stderr
    assert "--allow-leaks" in done.stderr
    assert rsw_train(*scene_of(drawn), "--split", "random", "--dry-run", "--allow-leaks").stdout


def test_a_band_is_learnt_from_once(drawn: Path) -> None:
    done = rsw_train(*scene_of(drawn), "--bands", "2,2", "--dry-run")
    assert done.exit_code == 2
    assert "band 2 is chosen 2 times, by bands 2, 2: name each band once" in done.stderr


def test_large_scenes_are_opened_with_a_line_now_and_then(
    drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "SILENCE", 0.0)
    lines: list[str] = []
    settings = small_settings(drawn, "torch")
    found = opening.open_aloud(settings, lines.append)
    assert found.held_out == open_data(settings).held_out
    assert lines[0] == "opening scenes and labels"
    assert lines[1] == "counting labels: 50 %"
    assert all(line.startswith("measuring bands: ") for line in lines[2:])
    monkeypatch.undo()
    opening.open_aloud(settings, lines.append)
    assert lines[-1] == "opening scenes and labels"
