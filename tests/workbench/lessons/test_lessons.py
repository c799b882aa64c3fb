"""Report, pictures, card and the large scene of the lessons."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio

from rs_workbench.card import Band, LegendClass
from rs_workbench.errors import UsageError
from rs_workbench.lessons.big_scene import write_big_scene
from rs_workbench.lessons.card import measure_bands, measure_card, scale_images
from rs_workbench.lessons.confusion_picture import picture_of_confusion
from rs_workbench.lessons.map_picture import find_detail, picture_of_map
from rs_workbench.lessons.pictures import (
    paint,
    picture_of_chips,
    picture_of_curves,
)
from rs_workbench.lessons.report import Line, write_report
from rs_workbench.lessons.training_record import CURVES, keep_training, training_facts

CLASSES = (
    LegendClass(value=3, name="water", name_zh="水体", color="#2b6fb5"),
    LegendClass(value=7, name="ice", color="#ffffff"),
)


@pytest.fixture
def tiles():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 200, (5, 3, 32, 48)).astype(np.uint8)
    images += np.arange(5, dtype=np.uint8)[:, None, None, None]
    labels = rng.integers(0, 2, (5, 32, 48)).astype(np.uint8)
    labels[:, :4] = 255
    return images, labels


def test_report_keeps_ours_baselines_and_published_apart(tmp_path):
    elsewhere = tmp_path / "curves.png"
    cv2.imwrite(str(elsewhere), np.zeros((4, 4), np.uint8))
    page = write_report(
        tmp_path / "report",
        "Ice",
        text="What was done.",
        lines=[
            Line("U-Net", {"OA": 0.97, "parameters": 1234567}),
            Line("threshold", {"OA": 0.94}, "baseline"),
            Line("course", {"OA": 0.9354}, "published", "notebook of the course"),
        ],
        pictures={"Curves": elsewhere},
        facts={"data": "drawn", "seconds": 1.23456789},
    )
    text = page.read_text(encoding="utf-8")
    assert "|  | OA | parameters | whose | note |" in text
    assert "| U-Net | 0.9700 | 1,234,567 | ours |  |" in text
    assert "| threshold | 0.9400 |  | baseline |  |" in text
    assert "| course | 0.9354 |  | **published**, not run here | notebook of the course |" in text
    assert "![Curves](curves.png)" in text
    assert (page.parent / "curves.png").is_file()
    assert "- seconds: 1.23457" in text
    content = json.loads((page.parent / "figures.json").read_text(encoding="utf-8"))
    assert content["lines"][2]["figures"] == {"OA": 0.9354}
    assert "processors" in content["facts"]["machine"]


@dataclass(frozen=True)
class Asked:
    rate: float = 0.003
    vary: tuple[bool, bool] = (True, False)
    network: dict = field(default_factory=lambda: {"width": 8, "deep": None})


def test_settings_are_told_in_words(tmp_path):
    facts = {
        "settings": {"asked": Asked(), "tries": {}, "name": "a b"},
        "learning": Asked(network={}),
        "seeds": (0, 1, 2),
        "seconds": {"plain": 1.23456789},
        "path": Path("a.txt"),
    }
    page = write_report(tmp_path, "Ice", text="", lines=[], pictures={}, facts=facts)
    said = page.read_text(encoding="utf-8").split("## How it was run\n\n")[1].splitlines()
    assert said[:5] == [
        "- settings: asked (rate 0.003, vary (True, False), network (width 8, deep None)), "
        "tries none, name a b",
        "- learning: rate 0.003, vary (True, False), network none",
        "- seeds: 0, 1, 2",
        "- seconds: plain 1.23457",
        "- path: a.txt",
    ]


def test_a_big_scene_is_its_tiles_each_once_before_any_twice(tmp_path, tiles):
    images, labels = tiles
    scene, reference = write_big_scene(
        tmp_path, images, labels, rows=5, cols=2, pixel_size=2.5, classes=CLASSES, nodata=0
    )
    with rasterio.open(scene) as image, rasterio.open(reference) as truth:
        assert image.shape == truth.shape == (160, 96)
        assert (image.transform, image.crs) == (truth.transform, truth.crs)
        assert image.res == (2.5, 2.5)
        assert (image.nodata, truth.nodata) == (0, 255)
        pixels, values = image.read(), truth.read(1)
    assert set(np.unique(values)) == {3, 7, 255}
    codes = np.array([3, 7])
    seen = []
    for row in range(5):
        for col in range(2):
            place = np.s_[32 * row : 32 * row + 32, 48 * col : 48 * col + 48]
            (found,) = [i for i in range(5) if (pixels[(slice(None), *place)] == images[i]).all()]
            seen.append(found)
            known = labels[found] != 255
            assert (values[place][known] == codes[labels[found][known]]).all()
            assert (values[place][~known] == 255).all()
    assert sorted(seen[:5]) == sorted(seen[5:]) == list(range(5))
    assert not list(tmp_path.glob("*.part*"))


def test_tiles_without_their_labels_are_refused(tmp_path, tiles):
    images, labels = tiles
    with pytest.raises(UsageError, match=r"\(5, 3, 32, 48\) and labels \(4, 32, 48\)"):
        write_big_scene(
            tmp_path, images, labels[1:], rows=1, cols=1, pixel_size=1, classes=CLASSES
        )
    with pytest.raises(UsageError, match="at least one row and column of tiles: got 0, 3"):
        write_big_scene(tmp_path, images, labels, rows=0, cols=3, pixel_size=1, classes=CLASSES)


def test_bands_scale_to_mean_0_and_deviation_1(tiles):
    bands = measure_bands(tiles[0], ("red", "green", "blue"))
    scaled = scale_images(tiles[0], bands)
    assert scaled.dtype == np.float32
    assert np.allclose(scaled.mean(axis=(0, 2, 3)), 0, atol=1e-4)
    assert np.allclose(scaled.std(axis=(0, 2, 3)), 1, atol=1e-4)
    assert all(band.low < band.mean < band.high for band in bands)
    flat = measure_bands(np.full((1, 1, 4, 4), 7), ("flat",))
    assert (flat[0].mean, flat[0].std) == (7, 1)


def test_a_card_holds_the_reach_that_was_measured():
    def blur(batch):
        """Means of 5 x 5 pixels, as two classes."""
        mean = np.stack([[cv2.blur(band, (5, 5)) for band in chip] for chip in batch])
        return np.concatenate([mean, -mean], axis=1).astype(np.float32)

    card = measure_card(
        blur, name="blur", bands=[Band(name="grey")], classes=CLASSES, dtype="uint8"
    )
    assert (card.stride, card.reach, card.tile) == (1, 2, 256)
    assert card.scores == "logits"


def test_pictures_show_what_they_are_given(tmp_path, tiles):
    images, labels = tiles
    chips = picture_of_chips(
        tmp_path / "chips.png", images, labels, 1 - labels, classes=CLASSES, titles=["水 a", "b"]
    )
    curves = picture_of_curves(
        tmp_path / "curves.png",
        {"loss": [2, 1], "val_loss": [2, 1.5], "accuracy": [0.5, 0.7], "learning_rate": [1, 1]},
    )
    matrix = picture_of_confusion(tmp_path / "matrix.png", [[5, 1], [0, 4]], CLASSES)
    scene, reference = write_big_scene(
        tmp_path, images, labels, rows=2, cols=2, pixel_size=1, classes=CLASSES
    )
    drawn = picture_of_map(tmp_path / "map.png", scene, reference, CLASSES, reference=reference)
    blue, white = (0xB5, 0x6F, 0x2B), (255, 255, 255)
    for path, color in ((chips, blue), (drawn, blue), (curves, white), (matrix, white)):
        picture = cv2.imread(str(path))
        assert min(picture.shape[:2]) > 100
        assert (picture == color).all(axis=-1).sum() > 200
        assert picture.std() > 5


@pytest.mark.parametrize(
    ("count", "shape"), [(6, (286, 1386)), (12, (506, 1386)), (7, (506, 1386))]
)
def test_no_row_of_chips_is_wider_than_a_projector_shows(tmp_path, count, shape):
    path = picture_of_chips(tmp_path / "chips.png", np.ones((count, 8, 8)), titles=["a"] * count)
    picture = cv2.imread(str(path))
    assert picture.shape[:2] == shape
    black = (picture < 9).all(axis=-1).any(axis=0)  # chips of one grey are drawn black
    assert black[-100:].any()


def test_chips_go_on_below_with_their_labels(tmp_path, tiles):
    images, labels = (np.concatenate([one, one[:3]]) for one in tiles)
    path = picture_of_chips(tmp_path / "chips.png", images, labels, classes=CLASSES)
    picture = cv2.imread(str(path))
    blue = (picture == (0xB5, 0x6F, 0x2B)).all(axis=-1)
    upper, lower = np.array_split(blue, 2)
    assert upper[:, 900:].any()
    assert lower[:, :400].sum() > 200
    assert not lower[:200, 900:].any()


def test_one_stretch_shows_which_image_is_darker(tmp_path):
    image = np.tile(np.linspace(0, 1, 64), (64, 1))
    pair = np.stack([image, image / 4])

    def mean_of_halves(one_stretch):
        path = picture_of_chips(tmp_path / "chips.png", pair, one_stretch=one_stretch)
        return [half.mean() for half in np.array_split(cv2.imread(str(path)), 2, axis=1)]

    light, same = mean_of_halves(one_stretch=False)
    assert abs(light - same) < 3
    light, dark = mean_of_halves(one_stretch=True)
    assert light > dark + 30


def test_a_shrunk_map_is_shown_again_where_classes_meet(tmp_path, monkeypatch):
    labels = np.zeros((12, 64, 64), np.uint8)
    labels[5, :, 20:] = 1
    labels[7] = 255
    images = np.random.default_rng(0).integers(1, 255, (12, 3, 64, 64)).astype(np.uint8)
    scene, reference = write_big_scene(
        tmp_path, images, labels, rows=3, cols=4, pixel_size=1, classes=CLASSES
    )
    with rasterio.open(reference) as raster:
        mixed = np.argwhere(raster.read(1) == 7).min(axis=0)
    row, col = 64 * (mixed // 64)
    assert find_detail(reference, 64, CLASSES) == (row, col, 64, 64)
    assert find_detail(reference, 1000, CLASSES) == (0, 0, 192, 256)

    def draw(name):
        path = picture_of_map(
            tmp_path / name, scene, reference, CLASSES, reference=reference, detail=64
        )
        return cv2.imread(str(path))

    whole = draw("whole.png")
    monkeypatch.setattr("rs_workbench.lessons.map_picture.MAP_SIDE", 100)
    near = draw("near.png")
    assert len(near) > len(whole) + 300
    monkeypatch.setattr("rs_workbench.raster_view._DECODE_LIMIT", 1000)
    less = draw("less.png")  # no scene above, but below
    assert less.shape == near.shape
    monkeypatch.setattr("rs_workbench.lessons.map_picture._TALL", 0.1)
    assert draw("tall.png").shape[0] > near.shape[0]


def test_rings_mark_pixels_of_chips(tmp_path):
    rings = [[(4, 4, "#00ff00")], [(5, 5, "#ff0000"), (2, 2, "#ff0000")]]
    path = picture_of_chips(tmp_path / "chips.png", np.ones((2, 9, 9)), rings=rings, found="rule")
    picture = cv2.imread(str(path))
    for color, half in (((0, 255, 0), 0), ((0, 0, 255), 1)):
        halves = np.array_split((picture == color).all(axis=-1), 2, axis=1)
        assert halves[half].sum() > 20
        assert not halves[1 - half].any()


def test_curves_mark_the_epoch_whose_weights_are_kept(tmp_path):
    def dark_columns(name, **history):
        path = picture_of_curves(tmp_path / name, {"loss": [3.0, 2, 1, 0], **history})
        dark = (cv2.imread(str(path))[:, 600:].max(axis=-1) < 80).mean(axis=0)
        return np.flatnonzero(dark > 0.4)  # axes, and the line, which is dashed

    last = dark_columns("a.png", val_accuracy=[0.2, 0.9, 0.4, 0.5])
    marked = dark_columns("b.png", val_mean_iou=[0.2, 0.9, 0.4, 0.5])
    later = dark_columns("c.png", val_mean_iou=[0.2, np.nan, 0.4, 0.9])
    none = dark_columns("d.png", val_mean_iou=[np.nan] * 4)
    assert not last.size
    assert not none.size
    assert marked.max() < later.max()


def test_one_huge_loss_leaves_the_others_readable(tmp_path):
    def blue_rows(name, first):
        losses = [first, 3.0, 0.9, 0.3]
        path = picture_of_curves(tmp_path / name, {"loss": losses, "val_accuracy": [0.5] * 4})
        blue = (cv2.imread(str(path))[60:-60, 60:500] == (0x79, 0x4E, 0x1F)).all(axis=-1)
        rows = np.flatnonzero(blue[:, 200:].any(axis=1))  # the epochs after the first
        return np.ptp(rows)

    assert blue_rows("even.png", 4.0) > 80
    assert blue_rows("huge.png", 2.8e3) > 50  # of some 300; on a linear axis, 1
    assert picture_of_curves(tmp_path / "none.png", {"loss": [np.nan, 0.0]}).is_file()
    assert picture_of_curves(tmp_path / "scores.png", {"val_accuracy": [0.5]}).is_file()


def test_paint_by_index_and_by_value():
    labels = np.array([[0, 1, 255]], np.uint8)
    by_index = paint(labels, CLASSES)
    assert by_index[0].tolist() == [[43, 111, 181], [255, 255, 255], [220, 220, 220]]
    values = np.array([[3, 7, 255]], np.uint8)
    assert (paint(values, CLASSES, by_value=True) == by_index).all()


def test_a_training_is_kept(tmp_path):
    assert training_facts(tmp_path) == {}
    keep_training(tmp_path, {"loss": [2.0, 1.0], "val_accuracy": [0.5, 0.8]}, 12.34)
    assert training_facts(tmp_path) == {
        "epochs": 2,
        "seconds of training": 12.3,
        "validation accuracy": 0.8,
    }
    assert (tmp_path / CURVES).is_file()
    keep_training(tmp_path, {"loss": [1.0], "val_mean_iou": [0.5]}, 1)
    assert training_facts(tmp_path) == {"epochs": 1, "seconds of training": 1}
