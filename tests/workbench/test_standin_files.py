"""Stand-ins as files can be read as the real ones are."""

from __future__ import annotations

import gzip
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from scipy.io import loadmat

from rs_workbench import samples_command, standin_files
from rs_workbench.errors import OutputError, UsageError
from rs_workbench.sample_registry import SampleError, load_sample_set, sample_names
from rs_workbench.standin_files import WRITERS, fetch_or_draw, write_stand_in


def test_the_registry_promises_what_can_be_drawn() -> None:
    promised = {name for name in sample_names() if load_sample_set(name).stand_in}
    assert promised == set(WRITERS)


def test_digits_are_in_the_format_of_mnist(tmp_path: Path) -> None:
    folder = write_stand_in("mnist", tmp_path / "mnist", count=60)
    names = {path.name for path in folder.iterdir()} - {"SOURCE.txt"}
    assert names == {file.path for file in load_sample_set("mnist").files}
    for part, count in (("train", 60), ("t10k", 10)):
        images = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
        labels = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
        assert np.frombuffer(images, ">u4", 4).tolist() == [2051, count, 28, 28]
        assert np.frombuffer(labels, ">u4", 2).tolist() == [2049, count]
        assert (len(images), len(labels)) == (16 + count * 784, 8 + count)


def test_ice_is_in_pairs_with_smeared_labels(tmp_path: Path) -> None:
    folder = write_stand_in("sea_ice", tmp_path / "sea_ice", count=3, seed=5)
    names = sorted(path.name for path in (folder / "image").iterdir())
    assert names == ["sea_ice_001.jpg", "sea_ice_002.jpg", "sea_ice_003.jpg"]
    known = {file.path for file in load_sample_set("sea_ice").files}
    assert all(f"{kind}/{name}" in known for kind in ("image", "label") for name in names)
    for name in names:
        image = cv2.imread(str(folder / "image" / name), cv2.IMREAD_UNCHANGED)
        label = cv2.imread(str(folder / "label" / name), cv2.IMREAD_UNCHANGED)
        assert (image.shape, label.shape) == ((256, 256, 3), (256, 256))
        assert image[label > 127].mean() > 2 * image[label <= 127].mean()
        assert len(np.unique(label)) > 2  # as in the real ones, JPEG smears them
    water = image[label < 10].mean(axis=0)
    assert water[0] > water[2]  # OpenCV reads blue first


def test_tiles_of_one_scene_touch_and_those_of_two_do_not(tmp_path: Path) -> None:
    folder = write_stand_in("dunes", tmp_path / "dunes", count=5)
    places = {}
    for path in (folder / "labels").iterdir():
        x, y = map(int, path.stem.split("_")[:2])
        places[y // 608, x // 608] = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert cv2.imread(str(folder / "images" / f"{path.stem}.jpg")).shape == (608, 608, 3)
        assert cv2.imread(str(folder / "dems" / f"{path.stem}.jpg"), -1).shape == (608, 608)
    assert sorted(places) == [(0, 0), (0, 1), (1, 0), (1, 1), (4, 0)]
    assert np.mean(places[0, 0][:, -1] == places[0, 1][:, 0]) > 0.8
    assert np.mean(places[0, 0][-1] == places[1, 0][0]) > 0.8
    assert np.mean(places[1, 0][-1] == places[4, 0][0]) < 0.6
    assert set(np.unique(places[0, 0])) <= {1, 3, 4, 6, 9, 10, 11}


def test_spectra_have_wavelengths_bad_bands_and_labels_on_their_grid(tmp_path: Path) -> None:
    folder = write_stand_in("enmap_potsdam", tmp_path / "enmap", count=3)
    paths = sorted((folder / "images").iterdir())
    assert len(paths) == 3
    for path in paths:
        with rasterio.open(path) as cube, rasterio.open(folder / "labels" / path.name) as labels:
            assert (cube.count, cube.shape, cube.nodata) == (224, (32, 32), -32768)
            assert (labels.count, labels.transform, labels.crs) == (1, cube.transform, cube.crs)
            assert cube.descriptions[0] == "band 1 (420 Nanometers)"
            assert cube.tags(1)["wavelength_units"] == "Nanometers"
            good = [cube.tags(b)["bbl"] for b in cube.indexes]
            assert 10 < good.count("0") < 45
            assert set(np.unique(labels.read())) <= set(range(7))
    with rasterio.open(paths[0]) as one, rasterio.open(paths[1]) as other:
        assert (one.bounds.right, one.bounds.top) == (other.bounds.left, other.bounds.top)


def test_the_crops_are_in_matlab_files(tmp_path: Path) -> None:
    folder = write_stand_in("salinas_a", tmp_path / "salinas")
    cube = loadmat(folder / "salinasA_corrected.mat")["salinasA_corrected"]
    truth = loadmat(folder / "salinasA_gt.mat")["salinasA_gt"]
    assert (cube.shape, cube.dtype, truth.shape) == ((83, 86, 204), np.int16, (83, 86))
    assert set(np.unique(truth)) == {0, 1, 10, 11, 12, 13, 14}


@pytest.mark.parametrize(("name", "count"), [("sea_ice", 2), ("mnist", 12), ("enmap_potsdam", 1)])
def test_the_same_seed_writes_the_same_files(tmp_path: Path, name: str, count: int) -> None:
    def written(folder: str, seed: int) -> dict[Path, bytes]:
        root = write_stand_in(name, tmp_path / folder, count=count, seed=seed)
        return {p.relative_to(root): p.read_bytes() for p in root.rglob("*.*")}

    first = written("first", 7)
    assert first == written("again", 7)
    assert first != written("other", 8)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No data, no internet; gives the folder of drawn sets."""

    def fail(name: str, *, quiet: bool) -> Path:
        raise SampleError(f"{name} cannot be had")

    monkeypatch.setattr(standin_files, "fetch", fail)
    monkeypatch.setattr(standin_files, "cache_folder", lambda: tmp_path / "ours" / "samples")
    return tmp_path / "ours" / "drawn"


def test_a_stand_in_is_drawn_once_where_the_real_set_cannot_be_had(
    nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, real = fetch_or_draw("sea_ice", count=1, seed=2)
    assert (folder, real) == (nowhere / "sea_ice-1-seed2", False)
    told = capsys.readouterr().err
    assert told == "note: drawn data stand in for sea_ice, because sea_ice cannot be had\n"
    picture = folder / "image" / "sea_ice_001.jpg"
    drawn = picture.stat().st_mtime_ns
    assert fetch_or_draw("sea_ice", count=1, seed=2, quiet=True) == (folder, False)
    assert picture.stat().st_mtime_ns == drawn
    assert capsys.readouterr().err == ""


def test_a_drawing_that_was_stopped_is_begun_again(nowhere: Path) -> None:
    folder = nowhere / "sea_ice-1-seed0"
    folder.mkdir(parents=True)
    (folder / "half.jpg").write_bytes(b"half")
    assert fetch_or_draw("sea_ice", count=1, quiet=True) == (folder, False)
    assert not (folder / "half.jpg").exists()


@pytest.mark.data
def test_the_real_set_comes_first(data_folder: Path) -> None:
    assert fetch_or_draw("salinas_a") == (data_folder / "salinas_a", True)


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no stand-in for leipzig: there is one for mnist"):
        write_stand_in("leipzig", tmp_path / "new")
    with pytest.raises(UsageError, match=r"pictures of sea_ice are to be drawn\? got 0"):
        write_stand_in("sea_ice", tmp_path / "new", count=0)
    (tmp_path / "mine.txt").write_text("dear to me")
    with pytest.raises(OutputError, match="holds files already: choose a new folder"):
        write_stand_in("sea_ice", tmp_path)


def test_the_command_draws(tmp_path: Path) -> None:
    folder = tmp_path / "ice"
    args = ["draw", "sea_ice", str(folder), "--count", "2", "--seed", "3"]
    result = CliRunner().invoke(samples_command.command, args)
    assert (result.exit_code, result.output) == (0, f"{folder}\n")
    assert "seed 3: a stand-in for sea_ice" in (folder / "SOURCE.txt").read_text()
    again = CliRunner().invoke(samples_command.command, args)
    assert again.exit_code == 1
    assert "holds files already" in again.output
