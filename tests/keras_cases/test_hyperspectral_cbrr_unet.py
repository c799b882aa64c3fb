"""Case 4: what it is made of, and the whole of it at its smallest."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

from keras_cases import hyperspectral_cbrr_unet as case  # noqa: E402
from keras_cases.shared_spectra import label_images, with_transform  # noqa: E402
from rs_workbench.card import read_card  # noqa: E402
from rs_workbench.lessons.cube_transform import raw_tiles  # noqa: E402
from rs_workbench.raster_scene import describe_raster  # noqa: E402


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return replace(case.SMOKE, drawn=True, out=tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def data(small):
    return case.load_data(small)


def test_the_course_s_network_has_its_size():
    assert case.build_model(case.COURSE).count_params() == 22_149_381


def test_no_tile_is_in_two_parts_and_all_are_held_out_once(small, data):
    assert sorted(np.concatenate(data.parts)) == list(range(18))
    again = [case.load_data(replace(small, fold=fold)).parts.held_out for fold in (1, 2)]
    assert sorted(np.concatenate([data.parts.held_out, *again])) == list(range(18))
    assert not data.real


def test_the_transform_is_of_the_training_tiles(small, data):
    other = case.load_data(replace(small, fold=1))
    assert not np.allclose(data.transform.mean, other.transform.mean)
    assert data.transform.n_pixels == len(data.parts.training) * 32 * 32


def test_a_seed_repeats_and_another_does_not(small):
    first, again, other = (
        case.build_model(replace(small, seed=seed)).get_weights()[0] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_the_network_of_raw_bands_says_what_that_of_components_says(small, data):
    model = case.build_model(small)
    raw, bands = with_transform(model, data.transform)
    cube = data.scene.cube
    tiles = raw_tiles(data.scene, data.parts.held_out[:2])
    chosen = [cube.band_names.index(band.name) for band in bands]
    mean, std = (np.array([getattr(b, k) for b in bands])[:, None, None] for k in ("mean", "std"))
    scaled = ((tiles[:, chosen] - mean) / std).astype(np.float32)
    wanted = model.predict(np.moveaxis(data.held_out.images[:2], 1, -1), verbose=0)
    found = raw.predict(np.moveaxis(scaled, 1, -1), verbose=0)
    np.testing.assert_allclose(found, wanted, atol=2e-3 * np.ptp(wanted))
    assert not raw.get_layer("mnf").trainable_weights


def test_the_highest_score_names_the_class_however_low_it_is():
    image = keras.Input((None, None, 3))
    scores = keras.layers.Conv2D(3, 1, use_bias=False)
    model = keras.Model(image, scores(image))
    scores.set_weights([np.eye(3)[None, None] * 0.01])
    found = label_images(model, np.float32([[[[0.1]], [[0.3]], [[0.2]]]]))
    assert found.tolist() == [[[1]]]


def test_weights_of_classes_are_counted_on_training_tiles(small, data):
    loss = case.make_loss(data, replace(small.learning, weights="balanced"))
    counts = data.scene.counts[data.parts.training].sum(axis=0)
    weights = np.array(loss.get_config()["class_weights"])
    np.testing.assert_allclose(weights * counts, (weights * counts)[0])
    unweighted = replace(small.learning, weights=None)
    assert case.make_loss(data, unweighted).get_config()["class_weights"] is None


def test_counts_are_added_up_over_folds_and_seeds_only(small):
    same = {case.key(replace(small, fold=f, seed=n, run=(f,))) for f in (0, 1) for n in (0, 3)}
    assert len(same) == 1
    assert case.key(replace(small, components=3)) not in same


def check_run(s, report):
    text = report.read_text(encoding="utf-8")
    figures = json.loads((s.out / "figures.json").read_text(encoding="utf-8"))
    names = [line["name"] for line in figures["lines"]]
    assert names[:4] == ["CbrrUnet", "SVM", "random forest", "commonest class"]
    assert all(line["kind"] == "published" for line in figures["lines"][4:])
    assert {"overall_accuracy", "whole_gib"} < set(figures["map"])
    assert "A warning" in text
    for name in ("spectra", "spectral_angle", "noise_undone", "few_labels"):
        assert f"({name}.png)" in text
        assert (s.out / f"{name}.png").is_file()
    assert "- **Spectral angle.** The nearest of these mean spectra" in text
    assert "nan" not in text
    card = read_card(s.out / "model" / "model.keras")
    assert card.n_bands > 190
    assert card.stride == 8
    class_map = describe_raster(s.out / "map" / "big_scene_classes.tif")
    assert class_map.shape == describe_raster(s.out / "map" / "cube_scene.tif").shape
    return text


def test_the_whole_case_on_the_stand_in(small):
    text = check_run(small, case.main(small))
    assert "DRAWN, no real scene" in text


@pytest.mark.data
def test_the_whole_case_on_real_data(data_folder, tmp_path):
    s = replace(case.SMOKE, out=tmp_path)
    text = check_run(s, case.main(s))
    assert "enmap_potsdam, real" in text
    assert "216 of 224 kept" in text


@pytest.mark.data
@pytest.mark.slow
def test_the_other_scene(data_folder, tmp_path):
    s = replace(case.SMOKE, data="salinas_a", out=tmp_path, scene=(2, 2))
    assert case.main(s).is_file()
