"""`rsw chips`: chips as files, with a list of where they are from."""

import csv
import json

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner

from rs_workbench.chips import command, cut_chips
from rs_workbench.errors import OutputError
from rs_workbench.training.chip_reader import ChipReader
from rs_workbench.training.data import open_data
from rs_workbench.training.loader import training_batches
from rs_workbench.training.settings import TrainSettings
from tests.training.scenes import CLASSES, draw, folder_settings, write_pair
from tests.workbench.rasters import NORTH_UP


def read_list(folder):
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def run(*arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments])


def test_files_hold_what_the_scene_holds_there(tmp_path):
    write_pair(tmp_path, shape=(128, 160))
    settings = folder_settings(tmp_path)
    done = cut_chips(settings, tmp_path / "out")
    image, labels = draw((128, 160))
    rows = read_list(tmp_path / "out")
    assert len(rows) == sum(done["chips"].values())
    assert {row["part"] for row in rows} == {"training", "validation", "held_out"}
    total = np.zeros((128, 160), int)
    for row in rows:
        top, left = int(row["row"]), int(row["col"])
        place = np.s_[top : top + 16, left : left + 16]
        with rasterio.open(tmp_path / "out" / row["image"]) as file:
            np.testing.assert_array_equal(file.read(), image[:, *place])
            assert (file.transform.c, file.transform.f) == (
                NORTH_UP.c + 10 * left,
                NORTH_UP.f - 10 * top,
            )
            assert file.crs.to_epsg() == 32631
        with rasterio.open(tmp_path / "out" / row["labels"]) as file:
            found = file.read(1)
            assert file.nodata == 255
            assert file.colormap(1)[7] == (238, 238, 238, 255)
            assert file.tags(1)["class_20"] == "land"
        known = found != 255
        np.testing.assert_array_equal(found[known], labels[place][known])
        for entry in CLASSES:
            pixels = int(row[f"pixels {entry['value']} {entry['name']}"])
            assert pixels == (found == entry["value"]).sum()
        if row["part"] != "training":
            total[place] += known
    assert total.max() == 1


def test_training_chips_are_those_that_are_learnt_from(tmp_path):
    write_pair(tmp_path, shape=(128, 160))
    for kind in ("blocks", "random"):
        settings = folder_settings(tmp_path, split={"kind": kind})
        cut_chips(settings, tmp_path / kind, parts=("training",), epoch=2)
        batches = list(training_batches(open_data(settings), 2))
        chips = [chip for batch in batches for chip in batch.chips]
        rows = read_list(tmp_path / kind)
        assert len(rows) == settings.chips
        for row, chip in zip(rows, chips, strict=False):
            assert (int(row["row"]), int(row["col"])) == chip.window[:2]
            assert int(row["seed"]) == chip.seed


def test_the_manifest_tells_how_they_were_made(tmp_path):
    write_pair(tmp_path)
    settings = folder_settings(tmp_path)
    cut_chips(settings, tmp_path / "out", parts=("held_out",))
    facts = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    data = open_data(settings)
    assert facts["chips"] == {"held_out": len(data.held_out)}
    assert facts["split"] == data.split_text
    assert [band["mean"] for band in facts["bands"]] == data.statistics.mean.tolist()
    assert facts["classes"][1]["color"] == "#eeeeee"
    assert TrainSettings.model_validate(facts["settings"]) == settings


def test_chips_can_be_trained_on_again(tmp_path):
    """What is written is a data set: images and labels of one name, on one grid."""
    write_pair(tmp_path, shape=(128, 160))
    cut_chips(folder_settings(tmp_path), tmp_path / "out", parts=("held_out",))
    again = folder_settings(tmp_path, tile=8, unlabelled=()).model_copy(
        update={
            "scenes": (str(tmp_path / "out" / "images"),),
            "labels": (str(tmp_path / "out" / "labels"),),
        }
    )
    from rs_workbench.training.label_maps import open_label_maps
    from rs_workbench.training.scene_list import open_scenes

    scenes = open_scenes(again.scenes)
    sources = open_label_maps(again, scenes).sources
    assert len(sources) == len(scenes) > 1


def test_padding_and_nodata_are_written_as_nodata(tmp_path):
    scene, _ = write_pair(tmp_path, shape=(96, 96), nodata=0)
    image = draw((10, 200), seed=1)[0]
    image[:, :, 50:60] = 0
    write_pair(tmp_path, "b", shape=(10, 200), seed=1, at=(0, 500), nodata=0)
    with rasterio.open(scene.replace("a.tif", "b.tif"), "r+") as file:
        file.write(image)
    cut_chips(folder_settings(tmp_path), tmp_path / "out")
    rows = [row for row in read_list(tmp_path / "out") if row["scene"] == "b.tif"]
    assert rows
    for row in rows:
        left = int(row["col"])
        with rasterio.open(tmp_path / "out" / row["image"]) as file:
            pixels, valid = file.read(), file.dataset_mask() > 0
        np.testing.assert_array_equal(pixels[:, :10], image[:, :, left : left + 16])
        assert not pixels[:, 10:].any()
        np.testing.assert_array_equal(valid[:10], image[0, :, left : left + 16] > 0)
        with rasterio.open(tmp_path / "out" / row["labels"]) as file:
            found = file.read(1)
        assert (found[~valid] == 255).all()


def test_a_mask_says_what_has_no_data_where_no_value_does(tmp_path):
    write_pair(tmp_path, shape=(96, 96))
    write_pair(tmp_path, "b", shape=(10, 200), seed=1, at=(0, 500))
    cut_chips(folder_settings(tmp_path), tmp_path / "out")
    rows = [row for row in read_list(tmp_path / "out") if row["scene"] == "b.tif"]
    with rasterio.open(tmp_path / "out" / rows[0]["image"]) as file:
        assert file.nodata is None
        assert (file.dataset_mask()[10:] == 0).all()
        assert (file.dataset_mask()[:10] == 255).all()


def test_nothing_is_overwritten_and_nothing_half_done_is_left(tmp_path, monkeypatch):
    write_pair(tmp_path)
    settings, out = folder_settings(tmp_path), tmp_path / "out"
    out.mkdir()
    cut_chips(settings, out, parts=("held_out",))
    before = sorted(out.rglob("*"))
    with pytest.raises(OutputError, match=r"'.*out' is not empty: give a new folder"):
        cut_chips(settings, out, parts=("held_out",))
    assert sorted(out.rglob("*")) == before

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rs_workbench.training.chip_files.write_chip_labels", full)
    with pytest.raises(OutputError, match="No space left on device"):
        cut_chips(settings, tmp_path / "other", parts=("held_out",))
    assert {path.name for path in tmp_path.iterdir()} == {"scenes", "labels", "out"}


def test_the_verb_says_what_it_wrote(tmp_path):
    write_pair(tmp_path, shape=(128, 160))
    asked = [
        "--scene", tmp_path / "scenes", "--labels", tmp_path / "labels", "--tile", 16,
        "--unlabelled", 0, "--chips", 5, "-o", tmp_path / "out",
    ]  # fmt: skip
    done = run(*asked, "--progress", "none")
    assert done.exit_code == 0, done.output
    assert "5 training, " in done.output
    again = run(*asked)
    assert again.exit_code == 1
    assert "is not empty" in again.stderr
    told = run(*asked[:-1], tmp_path / "more", "--json", "--part", "training")
    assert json.loads(told.stdout)["chips"] == {"training": 5}
    nothing = run("-o", tmp_path / "x")
    assert nothing.exit_code == 2
    assert "there is nothing to cut chips from" in nothing.stderr


def test_readers_see_what_is_written(tmp_path):
    """Scaled chips of a run are the written ones, scaled by the manifest."""
    write_pair(tmp_path, shape=(128, 160))
    settings = folder_settings(tmp_path)
    cut_chips(settings, tmp_path / "out", parts=("held_out",))
    facts = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    mean, std = (
        np.array([band[name] for band in facts["bands"]])[:, None, None]
        for name in ("mean", "std")
    )
    data = open_data(settings)
    with ChipReader(data) as reader:
        for row, chip in zip(read_list(tmp_path / "out"), data.held_out, strict=True):
            with rasterio.open(tmp_path / "out" / row["image"]) as file:
                scaled = (file.read() - mean) / std
            np.testing.assert_allclose(reader.read(chip).image, scaled, atol=1e-5)
