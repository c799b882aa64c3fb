"""Training data is told by path, by content, by the map's report, by its name and by its rows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rs_workbench.accuracy.reference.training import (
    refuse_itself,
    refuse_training,
    refuse_training_rows,
)
from rs_workbench.accuracy.reference.vector_file import read_reference
from rs_workbench.errors import AccuracyError, UsageError


@pytest.fixture
def folder(tmp_path):
    # The folders that pytest makes bear the names of the tests.
    place = tmp_path / "a" / "b" / "c"
    place.mkdir(parents=True)
    (place / "points.csv").write_text("x,y,label\n1,2,3\n")
    (place / "other.csv").write_text("x,y,label\n1,2,4\n")
    (place / "map.tif").write_bytes(b"")
    return place


def test_independent_data_is_welcome(folder):
    assert refuse_training(folder / "points.csv", folder / "map.tif") is False
    others = [folder / "other.csv"]
    assert refuse_training(folder / "points.csv", folder / "map.tif", training=others) is False


def test_by_path_and_by_content(folder):
    points, same = folder / "points.csv", folder / "copy.csv"
    with pytest.raises(AccuracyError, match=r"'points.csv' is training data: it is named with"):
        refuse_training(points, folder / "map.tif", training=[folder / ".." / "c" / "points.csv"])
    shutil.copy(points, same)
    with pytest.raises(AccuracyError, match=r"same content as 'copy\.csv'.*--allow-training"):
        refuse_training(points, folder / "map.tif", training=[same])
    assert refuse_training(points, folder / "map.tif", training=[same], allow=True) is True
    with pytest.raises(AccuracyError, match=r"absent\.csv', named with --training, was not found"):
        refuse_training(points, folder / "map.tif", training=[folder / "absent.csv"])


@pytest.mark.parametrize("where", ["map_report.json", "net.onnx.card.json"])
@pytest.mark.parametrize("source", ["data/points.csv", ["x.tif", "points.csv"]])
def test_by_the_report_or_the_card(folder, where, source):
    told = {"training_data": {"name": "ours", "source": source}}
    (folder / "map_report.json").write_text(json.dumps({"model": "net.onnx"}))
    (folder / where).write_text(json.dumps({"model": "net.onnx", **told}))
    with pytest.raises(AccuracyError, match="names it as the source of the training data"):
        refuse_training(folder / "points.csv", folder / "map.tif")
    assert refuse_training(folder / "other.csv", folder / "map.tif") is False


@pytest.mark.parametrize(
    ("name", "training"),
    [
        ("training_data.shp", True),
        ("train.gpkg", True),
        ("Train2020.gpkg", True),
        ("roiTraining.gpkg", True),
        ("训练集.csv", True),
        ("trainval/labels.tif", True),
        ("train/labels/x.tif", True),
        ("train/very/deep/x.tif", False),
        ("trains.gpkg", False),
        ("train_stations.gpkg", True),
        ("constraining.gpkg", False),
        ("non_training.gpkg", False),
        ("validation.gpkg", False),
    ],
)
def test_by_the_name(folder, name, training):
    path = folder / name
    if not training:
        assert refuse_training(path, folder / "map.tif") is False
        return
    with pytest.raises(AccuracyError, match="its path says so"):
        refuse_training(path, folder / "map.tif")
    assert refuse_training(path, folder / "map.tif", allow=True) is True


@pytest.mark.parametrize("column", ["split", "set", "Subset"])
def test_by_its_rows(folder, column):
    path = folder / "points.csv"
    path.write_text(f"x,y,label,{column}\n1,2,3,test\n1,2,3,Train\n1,2,3,val\n1,2,3,training\n")
    reference = read_reference(path, crs="EPSG:4326")
    pattern = rf"column '{column.lower()}' marks 2 of its 4 rows as training data \(rows 2, 4\)"
    with pytest.raises(AccuracyError, match=pattern):
        refuse_training_rows(reference)
    assert refuse_training_rows(reference, allow=True) is True
    path.write_text(f"x,y,label,{column}\n1,2,3,test\n1,2,3,\n")
    assert refuse_training_rows(read_reference(path, crs="EPSG:4326")) is False


@pytest.mark.data
def test_real_training_data(data_folder, folder):
    for name in ("training_data.shp", "training_data.gtif"):
        with pytest.raises(AccuracyError, match=r"its path says so \('training_data'\)"):
            refuse_training(data_folder / "landsat7_chiapas" / name, folder / "map.tif")
    leipzig = data_folder / "leipzig" / "leipzig_points.gpkg"
    assert refuse_training(leipzig, folder / "map.tif") is False
    assert np.all([not refuse_training_rows(read_reference(leipzig))])


def test_a_file_is_not_compared_with_itself(folder):
    points, other = folder / "points.csv", folder / "other.csv"
    copy = folder / "copy.csv"
    shutil.copy(points, copy)
    refuse_itself(points, other, None)
    refuse_itself(folder / "map.tif", points, other)
    for arguments, told in (
        ((points, points, None), "the reference 'points.csv' is the map 'points.csv'"),
        ((points, copy, None), "the reference 'copy.csv' is the map 'points.csv'"),
        ((points, other, copy), "--compare 'copy.csv' is the map"),
        ((other, points, copy), "--compare 'copy.csv' is the reference"),
    ):
        with pytest.raises(UsageError, match=told):
            refuse_itself(*arguments)


def test_a_map_whose_report_names_no_training_data(folder):
    (folder / "map_report.json").write_text(json.dumps({"model": "m"}))
    assert refuse_training(Path(), folder / "map.tif") is False
