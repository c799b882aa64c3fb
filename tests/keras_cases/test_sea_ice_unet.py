"""Case 2: from files to a map, on real and on drawn tiles; what each part promises."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

import rasterio  # noqa: E402

from keras_cases import sea_ice_unet as case  # noqa: E402
from keras_cases.models.unet import unet  # noqa: E402
from rs_workbench.card import read_card  # noqa: E402
from rs_workbench.lessons.levels import level_table  # noqa: E402
from rs_workbench.standin_files import write_stand_in  # noqa: E402
from rs_workbench.training.augment import NO_CHANGE  # noqa: E402


@pytest.mark.data
def test_the_whole_case_on_real_tiles(data_folder, tmp_path):
    s = replace(case.SMOKE, out=tmp_path / "ice")
    report = case.main(s)
    text = report.read_text(encoding="utf-8")
    figures = json.loads((s.out / "figures.json").read_text(encoding="utf-8"))
    kinds = [line["kind"] for line in figures["lines"]]
    assert kinds == ["ours"] * 2 + ["baseline"] * 5 + ["published"] * 2
    assert figures["facts"]["data"] == "sea_ice, real"
    rule = figures["lines"][6]
    assert rule["name"] == "three-class Otsu of each tile, lower cut"
    assert rule["figures"]["OA"] > 0.99  # the labels of these tiles are such a cut
    assert "| encoder-0 | 256 x 256 | 4 | 284 |" in text
    for picture in ("training.png", "curves.png", "held_out.png", "confusion.png"):
        assert f"]({picture})" in text
        assert (s.out / picture).is_file()
    check_map(s)


def check_map(s):
    card = read_card(s.out / "model" / "model.keras")
    assert [entry.name for entry in card.classes] == ["water", "ice"]
    assert card.stride == 4
    with (
        rasterio.open(s.out / "map" / "big_scene.tif") as scene,
        rasterio.open(s.out / "map" / "big_scene_classes.tif") as found,
    ):
        assert found.shape == scene.shape == (512, 768)
        assert found.transform == scene.transform
        assert found.crs == scene.crs
        assert set(np.unique(found.read(1))) <= {0, 1}
    assert "peak memory" in (s.out / "map" / "report.md").read_text(encoding="utf-8")


def test_the_case_on_drawn_tiles_says_that_they_are(tmp_path):
    write_stand_in("sea_ice", tmp_path / "ice" / "drawn_sea_ice", count=14)
    s = replace(case.SMOKE, drawn=True, epochs=1, out=tmp_path / "ice")
    text = case.main(s).read_text(encoding="utf-8")
    assert "- data: DRAWN stand-in" in text
    assert (s.out / "map" / "big_scene_classes.tif").exists()


def test_the_course_has_its_network():
    """One score more than the course's, which had one for ice: 64 weights and a bias."""
    assert case.build_model(case.COURSE).count_params() == 31_031_745 + 65


def test_built_layer_by_layer_it_is_the_unet_of_the_models():
    s = replace(case.Settings(), network={"width": 4, "depth": 2})
    ours = case.build_model(s)
    keras.utils.set_random_seed(s.seed)
    theirs = unet(n_bands=3, n_classes=2, **s.network)
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    assert all(map(np.array_equal, ours.get_weights(), theirs.get_weights()))
    images = np.random.default_rng(0).random((1, 16, 24, 3), np.float32)
    assert np.array_equal(ours.predict(images, verbose=0), theirs.predict(images, verbose=0))
    assert ours.stride == theirs.stride


def test_hyper_parameters_are_compared_on_validation_tiles(tmp_path):
    write_stand_in("sea_ice", tmp_path / "ice" / "drawn_sea_ice", count=14)
    tries = {"as it is": {}, "depth 1": {"network": {"width": 4, "depth": 1}}}
    s = replace(case.SMOKE, drawn=True, epochs=1, tries=tries, out=tmp_path / "ice")
    report = case.main(s)
    figures = json.loads((s.out / "figures.json").read_text(encoding="utf-8"))["lines"]
    assert [line["name"] for line in figures] == ["as it is", "depth 1"]
    assert figures[0]["figures"]["parameters"] > figures[1]["figures"]["parameters"]
    assert all(0 <= line["figures"]["mIoU, validation"] <= 1 for line in figures)
    assert "| depth 1 |" in report.read_text(encoding="utf-8")
    assert not (s.out / "map").exists()


def test_the_network_is_small_and_its_table_adds_up():
    model = case.build_model(case.Settings())
    assert 100_000 < model.count_params() < 500_000
    rows = [line.split("|")[1:-1] for line in level_table(model, 256).splitlines()[2:]]
    counts = [int(row[3].replace(",", "")) for row in rows]
    assert sum(counts[:-1]) == counts[-1] == model.count_params()
    sizes = {row[0].strip(): (row[1].strip(), int(row[2])) for row in rows[:-1]}
    assert sizes["encoder-4"] == ("16 x 16", 128)
    assert sizes["decoder-0"] == ("256 x 256", 8)
    assert sizes["head"] == ("256 x 256", 2)


def test_the_same_seed_makes_the_same_network():
    first, again, other = (
        case.build_model(replace(case.SMOKE, seed=seed)).get_weights()[0] for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_training_learns_what_a_threshold_could(tmp_path):
    """On tiles whose bright half is ice, a few steps are enough."""
    data = made_tiles()
    s = replace(
        case.SMOKE, epochs=12, batch=2, learning_rate=0.02, vary=NO_CHANGE, out=tmp_path / "ice"
    )
    model = case.build_model(s)
    history = case.train(model, data, s)
    assert len(history["loss"]) == 12
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert max(history["val_mean_iou"]) > 0.9
    assert (tmp_path / "ice" / "curves.png").exists()


def made_tiles():
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 2, (12, 8, 8)).repeat(4, axis=1).repeat(4, axis=2).astype(np.uint8)
    images = (60 + 90 * blocks[:, None] + rng.normal(0, 8, (12, 3, 32, 32))).astype(np.uint8)
    parts = [
        case.ImagePairs(tuple(map(str, range(n))), images[part], blocks[part], 0.0)
        for n, part in ((8, slice(0, 8)), (2, slice(8, 10)), (2, slice(10, 12)))
    ]
    bands = case.measure_bands(parts[0].images, ("red", "green", "blue"))
    return case.Data(*parts, bands, False, "")
