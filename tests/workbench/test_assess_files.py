"""What rsw assess leaves behind: a whole report or nothing, and a sentence where it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from rs_workbench import assess
from rs_workbench.accuracy.assess import pixels
from rs_workbench.assess import command
from rs_workbench.errors import OutputError
from tests.workbench.rasters import UTM, write_tif

TRUTH = np.random.default_rng(0).integers(1, 4, (30, 40)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder to work in, with a map, a reference raster and points."""
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    labels = TRUTH.copy()
    labels[::7] = 2
    write_tif(place / "map.tif", labels[None])
    write_tif(place / "truth.tif", TRUTH[None])
    rows = [
        (500_005 + 10 * c, 4_999_995 - 10 * r, TRUTH[r, c]) for r in range(9) for c in range(9)
    ]
    lines = "".join("{},{},{}\n".format(*row) for row in rows)
    (place / "points.csv").write_text("x,y,class\n" + lines)
    return place


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments])


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


@pytest.mark.parametrize(
    "arguments",
    [
        ("map.tif", "truth.tif", "--classes", "1=water"),
        ("map.tif", "points.csv"),
        ("map.tif", "absent.tif"),
    ],
)
def test_nothing_is_left_of_a_run_that_fails(folder: Path, arguments: tuple[str, ...]) -> None:
    before = names(folder)
    assert run(*arguments, "-o", "a/b/c").exit_code == 1
    assert names(folder) == before
    (folder / "mine").mkdir()
    assert run(*arguments, "-o", "mine/c").exit_code == 1
    assert names(folder) == {*before, "mine"}


def test_a_report_of_another_kind_replaces_the_error_map_too(folder: Path) -> None:
    assert run("map.tif", "truth.tif", "-o", "r").exit_code == 0
    assert "error_map.tif" in names(folder / "r")
    again = ("map.tif", "points.csv", "--crs", UTM, "-o", "r")
    assert "exists already" in run(*again).stderr
    assert run(*again, "--overwrite").exit_code == 0
    assert not {n for n in names(folder / "r") if n.startswith("error_map")}
    assert "errors.gpkg" in names(folder / "r")


@pytest.mark.parametrize("name", ["error_map.tif", "errors.gpkg"])
def test_an_error_map_is_not_overwritten_unasked(folder: Path, name: str) -> None:
    (folder / "r").mkdir()
    (folder / "r" / name).write_text("precious")
    found = run("map.tif", "truth.tif", "-o", "r")
    assert found.exit_code == 1
    assert f"'r{os.sep}{name}' exists already" in found.stderr
    assert (folder / "r" / name).read_text() == "precious"


def test_leftovers_of_killed_runs_are_swept(folder: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    dead, alive = (f"r/.assess.{n}.abc.part" for n in (process.pid, os.getpid()))
    for name in (dead, alive):
        (folder / name).mkdir(parents=True)
        (folder / name / "error_map.tif.raw").write_bytes(b"0")
    assert run("map.tif", "truth.tif", "-o", "r").exit_code == 0
    assert not (folder / dead).exists()
    assert (folder / alive).exists()


def test_a_full_disk_is_told_with_the_place_of_the_report(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(pair: object, legend: object, path: Path, **options: object) -> None:
        raise OutputError(f"'{path}' cannot be written (No space left on device): make room")

    monkeypatch.setattr(pixels, "write_error_map", full)
    found = run("map.tif", "truth.tif", "-o", "r")
    assert found.exit_code == 1
    assert f"'r{os.sep}error_map.tif' cannot be written" in found.stderr
    assert not (folder / "r").exists()


def test_a_folder_below_a_file(folder: Path) -> None:
    (folder / "file").write_text("x")
    found = run("map.tif", "truth.tif", "-o", "file/r")
    assert found.exit_code == 1
    assert "cannot write to 'file" in found.stderr
    assert "goes on" not in found.stderr


def test_a_run_that_is_stopped_says_that_nothing_is_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(assess, "assess_map", stop)
    found = run("map.tif", "truth.tif", "-o", "r")
    assert (found.exit_code, found.stderr) == (1, "stopped: nothing was written\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("truth.tif", "--column", "class"), "--column does nothing with the reference 'truth"),
        (("truth.tif", "--crs", UTM), "--crs does nothing"),
        (("truth.tif", "--fpc"), "--fpc does nothing"),
        (("truth.tif", "--interval", "wilson"), "--interval does nothing"),
        (("truth.tif", "--unlabelled", "cloud"), "--unlabelled 'cloud' does nothing"),
        (("truth.tif", "--recode", "forest=1"), "--recode 'forest' does nothing"),
        (("truth.tif", "--tolerance", "5"), "add --boundary"),
        (("truth.tif", "--boundary", "--tolerance", "nan"), "--tolerance must be a length"),
        (("truth.tif", "--confidence", "nan"), "--confidence must be from 0.5 to below 1"),
        (("points.csv", "--crs", UTM, "--boundary"), "points or polygons: leave it out"),
        (("points.csv", "--crs", UTM, "--block", "9"), "--block does nothing"),
        (("points.csv", "--crs", UTM, "--resample", "nearest"), "--resample does nothing"),
        (("map.tif",), "the reference 'map.tif' is the map 'map.tif' itself or a copy"),
        (("truth.tif", "--compare", "truth.tif"), "--compare 'truth.tif' is the reference"),
    ],
)
def test_options_that_would_do_nothing(
    folder: Path, arguments: tuple[str, ...], told: str
) -> None:
    found = run("map.tif", *arguments, "-o", "r")
    assert found.exit_code == 2
    assert told in found.stderr
    assert not (folder / "r").exists()


def test_a_design_that_is_no_text(folder: Path) -> None:
    found = run("map.tif", "points.csv", "--crs", UTM, "--design", "map.tif", "-o", "r")
    assert found.exit_code == 1
    assert "'map.tif' is no design: give the .design.json" in found.stderr


def test_nodata_of_the_map_that_only_the_user_knows(folder: Path) -> None:
    labels = TRUTH.astype(np.int16)
    labels[:3] = -9999
    write_tif(folder / "map.tif", labels[None])
    found = run("map.tif", "truth.tif", "-o", "r", "--map-nodata", "-9999", "--json")
    assert found.exit_code == 0
    assert json.loads(found.stdout)["n_units"]["map_nodata"] == 120
