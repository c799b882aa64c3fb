import cv2
import numpy as np
import pytest

from rs_workbench.training import pictures
from rs_workbench.training.pictures import Pictures, choose_chips, draw_best, picture_path
from rs_workbench.training.pictures_draw import UNLABELLED, Row, draw_rows
from tests.training import fakes
from tests.training.fakes import CLASSES, FakeLearner, NarrowLearner, make_data, make_epoch
from tiling.label_index import IGNORE


@pytest.fixture(autouse=True)
def _from_memory(monkeypatch):
    monkeypatch.setattr(pictures, "part_batches", fakes.part_batches)


def colors_of(path):
    found = cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1].reshape(-1, 3)
    return {f"#{r:02x}{g:02x}{b:02x}" for r, g, b in np.unique(found, axis=0)}


def test_a_picture_every_few_epochs_in_the_colours_of_the_classes(tmp_path):
    data, listener = make_data(size=64), Pictures(tmp_path, 2)
    for number in (1, 2, 3, 4):
        listener(make_epoch(number), FakeLearner(), data)
    drawn = sorted(p.name for p in (tmp_path / "pictures").iterdir())
    assert drawn == ["epoch_0002.png", "epoch_0004.png"]
    assert {c.color for c in CLASSES} <= colors_of(picture_path(tmp_path, 2))
    assert draw_best(tmp_path, NarrowLearner(), data, epoch=4).name == "best.png"


def test_no_pictures_where_none_are_wanted(tmp_path):
    Pictures(tmp_path, 0)(make_epoch(1), FakeLearner(), make_data(size=32))
    nothing = make_data(size=32, validation=())
    Pictures(tmp_path, 1)(make_epoch(1), FakeLearner(), nothing)
    assert draw_best(tmp_path, FakeLearner(), nothing, epoch=1) is None
    assert not (tmp_path / "pictures").exists()


def test_the_chips_of_a_picture_show_every_class_that_there_is():
    data = make_data(size=128)
    labels = [np.zeros_like(found) for found in data.label_maps]
    rare = data.validation[31].window
    labels[data.validation[31].scene][rare.slices] = 2
    data = make_data(size=128, label_maps=tuple(labels), validation=data.validation[:32])
    chosen = choose_chips(data)
    assert len(chosen) == 4
    assert data.validation[31] in chosen
    assert chosen == choose_chips(data)


def test_unlabelled_pixels_are_grey_and_the_share_is_of_labelled_ones(tmp_path):
    labels = np.full((16, 16), IGNORE, np.uint8)
    labels[:2] = 1
    row = Row(np.zeros((16, 16, 3), np.uint8), labels, np.ones((16, 16), np.uint8))
    (tmp_path / "a.png").write_bytes(draw_rows([row], CLASSES, title="epoch 1"))
    found = colors_of(tmp_path / "a.png")
    assert UNLABELLED in found
    assert CLASSES[1].color in found


def test_where_there_is_no_data_nothing_is_predicted(tmp_path, monkeypatch):
    data, rows = make_data(size=32), []

    def half_empty(data, chips):
        for batch in fakes.part_batches(data, chips):
            batch.valid[:, :8] = False
            yield batch

    monkeypatch.setattr(pictures, "part_batches", half_empty)
    monkeypatch.setattr(pictures, "draw_rows", lambda found, *_, **__: rows.extend(found) or b"")
    draw_best(tmp_path, FakeLearner(), data, epoch=1)
    for row in rows:
        assert (row.prediction[:8] == IGNORE).all()
        assert (row.prediction[8:] != IGNORE).all()
    assert rows


@pytest.mark.parametrize(("bands", "names"), [((2,), ("green",)), ((4, 1), ("nir", "blue"))])
def test_scenes_without_red_green_and_blue_are_shown_in_grey(tmp_path, bands, names):
    data = make_data(size=32)
    images = tuple(image[: len(bands)] for image in data.images)
    few = make_data(size=32, images=images, bands=bands, band_names=names)
    for part in ("mean", "std", "low", "high"):
        setattr(few.statistics, part, getattr(few.statistics, part)[: len(bands)])
    shown = pictures._scene_rgb(images[0], few, 0)
    assert shown.shape == (32, 32, 3)
    assert np.array_equal(shown[..., 0], shown[..., 2])
    assert shown.std() > 10
