"""Scenes and labels from what the settings name; and who belongs to whom."""

import numpy as np
import pytest

from rs_workbench.errors import SceneError, UsageError
from rs_workbench.raster_scene import describe_raster
from rs_workbench.training.scene_list import find_labels, open_scenes, pair_labels, same_bands
from tests.workbench.rasters import write_tif

PIXELS = np.ones((1, 4, 4), np.uint8)


def rasters(folder, *names, placed=False):
    folder.mkdir(exist_ok=True)
    place = {} if placed else {"crs": None, "transform": None}
    return [describe_raster(write_tif(folder / name, PIXELS, **place)) for name in names]


def names(scenes):
    return [scene.name for scene in scenes]


def pair(tmp_path, scenes, labels, **kind):
    return pair_labels(rasters(tmp_path / "s", *scenes), rasters(tmp_path / "l", *labels, **kind))


def test_scenes_come_from_folders_patterns_and_files(tmp_path):
    rasters(tmp_path, "b.tif", "a.tif", "c.png.tif")
    assert names(open_scenes([str(tmp_path)])) == ["a.tif", "b.tif", "c.png.tif"]
    assert names(open_scenes([str(tmp_path / "[ab].tif")])) == ["a.tif", "b.tif"]


@pytest.mark.data
def test_scenes_come_from_sample_data(data_folder, monkeypatch):
    monkeypatch.setenv("RSW_DATA", str(data_folder))
    assert len(open_scenes(["sample:dunes/images"])) == 86
    assert names(open_scenes(["sample:landsat7_chiapas/*1999*.gtif"]))[0].startswith("LE7022")


def test_unknown_sample_data_are_refused():
    with pytest.raises(UsageError, match="dunes"):
        open_scenes(["sample:dune/images"])


@pytest.mark.parametrize(
    ("scenes", "labels"),
    [
        (["b.tif", "a.tif"], ["a.tif", "b.tif"]),
        (["b.tif", "a.tif"], ["a_label.tif", "b_label.tif"]),
        (["ortho_b.tif", "ortho_a.tif"], ["a.tif", "b.tif"]),
        (["b1.tif", "b10.tif"], ["b10.tif", "b1.tif"]),
    ],
)
def test_names_tell_which_labels_belong_to_which_scene(tmp_path, scenes, labels):
    paired, warnings = pair(tmp_path, scenes, labels)
    assert not warnings
    for scene, label in zip(scenes, names(paired), strict=True):
        assert scene.split(".")[0].split("_")[-1] == label.split(".")[0].split("_")[0]


def test_order_decides_where_no_name_tells_and_says_so(tmp_path):
    paired, (warning,) = pair(tmp_path, ["a.tif", "b.tif"], ["x.tif", "y.tif"])
    assert names(paired) == ["x.tif", "y.tif"]
    assert "'x.tif' to 'a.tif', 'y.tif' to 'b.tif'" in warning


def test_one_georeferenced_raster_lies_over_all_scenes(tmp_path):
    paired, warnings = pair(tmp_path, ["a.tif", "b.tif"], ["map.tif"], placed=True)
    assert names(paired) == ["map.tif"] * 2
    assert not warnings


def test_labels_without_a_scene_are_left_and_named(tmp_path):
    paired, (warning,) = pair(tmp_path, ["a.tif"], ["a.tif", "b.tif"])
    assert names(paired) == ["a.tif"]
    assert "1 label raster without a scene: 'b.tif'" in warning


@pytest.mark.parametrize(
    ("scenes", "labels", "words"),
    [
        (["a.tif", "b.tif"], ["a.tif", "c.tif"], "1 scene without labels: 'b.tif'.*: 'c.tif'"),
        (["a.tif", "b.tif"], ["x.tif"], "2 scenes without labels: 'a.tif', 'b.tif'"),
        (["a.tif"], ["a_1.tif", "a_2.tif"], "2 label rasters may belong to 'a.tif'"),
        (["a_1.tif", "a_2.tif"], ["a.tif", "b.tif"], "'a.tif' may be the label raster of 2"),
    ],
)
def test_what_names_leave_open_is_refused(tmp_path, scenes, labels, words):
    with pytest.raises(UsageError, match=words):
        pair(tmp_path, scenes, labels)


def test_rasters_and_vectors_are_not_mixed(tmp_path):
    rasters(tmp_path, "a.tif")
    (tmp_path / "b.geojson").write_text("{}")
    with pytest.raises(UsageError, match=r"'a\.tif' and 'b\.geojson'"):
        find_labels([str(tmp_path / "a.tif"), str(tmp_path / "b.geojson")])
    assert find_labels([str(tmp_path / "*.geojson")]) == ([], [str(tmp_path / "b.geojson")])
    with pytest.raises(SceneError, match="matches no file"):
        find_labels([str(tmp_path / "*.gpkg")])


def test_bands_are_the_same_in_all_scenes(tmp_path):
    three, two = np.ones((3, 4, 4), np.uint8), np.ones((2, 4, 4), np.uint8)
    given = [
        write_tif(tmp_path / "a.tif", three, names=("red", "nir", "swir")),
        write_tif(tmp_path / "b.tif", two, names=("nir", "red")),
    ]
    scenes = open_scenes(given)
    assert same_bands(scenes, [2, "red"][:1]) == (2,)
    with pytest.raises(UsageError, match=r"band 2 is chosen 2 times, by bands nir, 2: name each"):
        same_bands(scenes[:1], ["nir", 2])
    with pytest.raises(SceneError, match=r"1, 2, 3, but 'b.tif' has 1, 2"):
        same_bands(scenes, None)
    with pytest.raises(SceneError, match=r"nir, red are number 2, 1 in 'a.tif', but 1, 2 in"):
        same_bands(scenes, ["nir", "red"])
