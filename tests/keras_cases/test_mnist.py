"""Case 1: from digits in a file to a map of a page, on real and on drawn digits."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

import rasterio  # noqa: E402

from keras_cases import mnist as case  # noqa: E402
from rs_workbench.card import read_card  # noqa: E402
from rs_workbench.lessons.digits import tiles_of_a_page  # noqa: E402
from rs_workbench.lessons.keras_digits import (  # noqa: E402
    VariedDigits,
    logits_of,
    table_of_shapes,
)
from rs_workbench.sample_registry import SampleError  # noqa: E402


@pytest.mark.data
def test_the_whole_case_on_real_digits(data_folder, tmp_path):
    s = replace(case.SMOKE, out=tmp_path / "mnist")
    report = case.main(s)
    figures = json.loads((s.out / "figures.json").read_text(encoding="utf-8"))
    assert [line["kind"] for line in figures["lines"]] == [
        "ours", "baseline", "baseline", "published", "published",
    ]  # fmt: skip
    ours, most = (line["figures"] for line in figures["lines"][:2])
    assert ours["low"] < ours["test accuracy"] < ours["high"]
    assert most["test accuracy"] == 0.1135  # the share of ones among the 10,000 test digits
    assert ours["test accuracy"] > 0.5
    assert figures["facts"]["data"] == "mnist, real"
    text = report.read_text(encoding="utf-8")
    assert "| strokes | Conv2D | 24 x 24 x 4 | 104 |" in text
    assert "On a photograph of 40 test digits" in text
    assert "](page/report.md)" in text
    for picture in ("digits.png", "curves.png", "confusion.png", "mistakes.png", "photo_read.png"):
        assert f"]({picture})" in text
        assert (s.out / picture).stat().st_size < 200_000
    check_page(s)


def check_page(s):
    """Check that the map lies on the grid of the page, and that its reach is that of a window."""
    folder = s.out / "page"
    card = read_card(folder / "model.keras")
    assert (card.stride, card.reach) == (1, 14)
    assert [entry.name for entry in card.classes] == [*"0123456789", "paper"]
    report = json.loads((folder / "big_scene_classes_report.json").read_text(encoding="utf-8"))
    assert report["exact"] is True
    with (
        rasterio.open(folder / "big_scene.tif") as scene,
        rasterio.open(folder / "big_scene_classes.tif") as found,
        rasterio.open(folder / "big_scene_reference.tif") as known,
    ):
        assert found.shape == scene.shape == (8 * 48, 10 * 48)
        assert (found.transform, found.crs) == (scene.transform, scene.crs)
        labels, truth = found.read(1), known.read(1)
    assert (truth != 255).sum() == 80
    assert (labels[truth == 10] == 10).all()  # empty tiles are paper
    assert (labels[truth < 10] != 10).all()  # and no digit is


def test_the_case_on_drawn_digits_says_that_they_are(tmp_path):
    s = replace(case.SMOKE, drawn=True, epochs=1, page=(4, 5), out=tmp_path / "mnist")
    text = case.main(s).read_text(encoding="utf-8")
    assert "- data: DRAWN stand-in" in text
    assert (s.out / "page" / "report.md").is_file()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    s = replace(case.SMOKE, drawn=True, epochs=1, out=tmp_path_factory.mktemp("mnist"))
    return s, case.load_data(s)


def test_scores_at_the_centre_of_a_digit_are_those_of_the_classifier(drawn):
    s, data = drawn
    model = case.build_model(s)
    images, labels = tiles_of_a_page(case.read_digits(data.folder, "t10k"), side=48, empty=0)
    page = np.concatenate(images[:6, 0], axis=1)[None, ..., None] / np.float32(255)
    net = case.add_blank_class(case.score_every_pixel(model), side=16, least=10)
    scores = keras.ops.convert_to_numpy(net(page))[0]
    wanted = logits_of(model, case.open_test(data).images[:6])
    for index in range(6):
        (row,), (col,) = np.nonzero(labels[index] != 255)
        at_centre = scores[row, 48 * index + col]
        np.testing.assert_allclose(at_centre[:10], wanted[index], atol=1e-4)
        assert at_centre[10] < at_centre[:10].max()


def test_the_test_digits_are_not_needed_before_the_end(drawn, tmp_path):
    s, data = drawn
    for path in data.folder.glob("t10k*"):
        path.rename(tmp_path / path.name)
    try:
        again = case.load_data(s)
        model = case.build_model(s)
        history = case.train(model, again, s)
        assert len(history["val_accuracy"]) == s.epochs
        with pytest.raises(SampleError, match="t10k"):
            case.evaluate(model, again, s)
    finally:
        for path in tmp_path.glob("t10k*"):
            path.rename(data.folder / path.name)


def test_both_ways_of_building_give_the_same_net(drawn):
    s, data = drawn
    model = case.build_model(s)
    text = case.compare_ways(model, data.validation.images[:20], s)
    assert "has 3,146 and 3,146 parameters" in text
    assert float(text.split("differ by ")[1].split()[0]) < 1e-5
    images = data.validation.images[:20]
    np.testing.assert_array_equal(logits_of(case.build_model(s), images), logits_of(model, images))


def test_digits_are_scaled_and_have_one_band(drawn):
    _, data = drawn
    images = data.training.images
    assert images.shape[1:] == (28, 28, 1)
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (0, 1)
    assert len(images) == 800
    assert len(data.validation.labels) == 200


def test_a_photograph_of_ones_own_is_read_and_an_empty_one_too(drawn):
    s, data = drawn
    model, test = case.build_model(s), case.open_test(data)
    case.read_photograph(model, test, s)  # draws photo.jpg
    own = replace(s, photo=s.out / "photo.jpg")
    text, pictures = case.read_photograph(model, test, own)
    assert text.startswith("On 'photo.jpg' stand 40 digits, line by line: ")
    assert [path.name for path in pictures.values()] == ["photo_read.png"]
    test.images[:] = 0
    text, pictures = case.read_photograph(model, test, s)
    assert "0 were found and 0 read right" in text
    assert pictures == {}


def test_shapes_are_listed(drawn):
    table = table_of_shapes(case.build_model(drawn[0]))
    assert "| halve_again | MaxPooling2D | 4 x 4 x 8 | 0 |" in table


def test_varied_digits_come_once_an_epoch_in_a_new_order(drawn):
    _, data = drawn
    numbered = data.training._replace(labels=np.arange(800) % 256)
    batches = VariedDigits(numbered, batch=64, seed=3)
    assert len(batches) == 13
    first = [batches[k] for k in range(13)]
    assert sum(len(labels) for _, labels in first) == 800
    assert first[-1][0].shape == (32, 28, 28, 1)
    np.testing.assert_array_equal(first[2][0], batches[2][0])
    batches.on_epoch_end()
    assert not np.array_equal(first[0][1], batches[0][1])
    known = np.sort(np.concatenate([labels for _, labels in first]))
    np.testing.assert_array_equal(known, np.sort(numbered.labels))
