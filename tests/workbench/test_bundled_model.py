"""The bundled model is what its card says: classes, geometry and held-out figures."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import rs_workbench
from rs_workbench.accuracy import mean_iou, overall_accuracy
from rs_workbench.backends import load_predictor
from rs_workbench.card import read_card
from rs_workbench.sample_paint import inside, quad
from rs_workbench.sample_scene import draw_scene
from rs_workbench.sample_things import inland_distance
from rs_workbench.training.data import open_data
from rs_workbench.training.held_out import score_held_out
from rs_workbench.training.label_legend import named_legend
from rs_workbench.training.recipes import find_settings
from rs_workbench.training.settings_file import read_settings

MODEL = Path(rs_workbench.__file__).parent / "models" / "dunes_unet.onnx"
RECIPE = "default_model"
N_CLASSES = 7


@pytest.fixture(scope="module")
def card():
    return read_card(MODEL)


@pytest.fixture(scope="module")
def predict():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        MODEL.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    return lambda batch: session.run(None, {session.get_inputs()[0].name: batch})[0]


@pytest.fixture(scope="module")
def recipe():
    """How it was trained; nothing is drawn or fitted here."""
    return read_settings(find_settings(RECIPE), {"forest_pixels": 0})


def scaled(image, missing, card):
    mean, std = (
        np.array([getattr(band, key) for band in card.bands])[:, None, None]
        for key in ("mean", "std")
    )
    return np.where(missing, 0, (image - mean) / std).astype(np.float32)


def test_it_is_small_and_alone():
    assert MODEL.stat().st_size <= 3_000_000
    assert [path.name for path in MODEL.parent.iterdir() if path.suffix != ".py"] == [MODEL.name]


def test_it_holds_no_trace_of_the_machine_that_made_it():
    content = MODEL.read_bytes()
    assert not [word for word in (b"site-packages", b'File "', b"stack_trace") if word in content]


def test_the_card_inside_says_what_it_needs_and_where_it_comes_from(card, recipe):
    assert [band.name for band in card.bands] == ["red", "green", "blue"]
    assert all(band.low < band.mean < band.high for band in card.bands)
    assert (card.dtype, card.scores, card.license) == ("uint8", "logits", "MIT")
    assert (card.name, card.pixel_size, card.nodata) == ("dunes_unet", 0.5, (0.0,))
    assert (card.stride, card.tile) == (8, 512)
    assert card.classes == named_legend(recipe.classes, ()).classes
    assert all(c.name_zh for c in card.classes)
    assert len({c.color for c in card.classes}) == N_CLASSES
    assert card.training_data.license == "MIT"
    assert card.training_data.notes.endswith(recipe.data_notes)
    assert "names assigned by us" in card.training_data.notes.lower()
    assert "dbuscombe-usgs" in card.training_data.source


def test_the_held_out_figures_follow_from_the_confusion(card):
    counts = np.array(card.held_out.confusion)
    assert counts.shape == (N_CLASSES, N_CLASSES)
    assert (counts.sum(axis=0) > 0).all()  # every class is in the reference
    assert card.held_out.overall_accuracy == pytest.approx(overall_accuracy(counts), abs=1e-4)
    assert card.held_out.mean_iou == pytest.approx(mean_iou(counts), abs=1e-4)


def test_it_beats_the_baselines_clearly(card):
    held_out = card.held_out
    assert held_out.mean_iou > held_out.pixel_baseline_mean_iou + 0.1
    assert held_out.pixel_baseline_mean_iou > held_out.majority_mean_iou


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 64, 96), (3, 136, 40)])
def test_it_takes_any_batch_and_any_size_on_the_stride(predict, card, shape):
    n_chips, height, width = shape
    batch = np.random.default_rng(0).standard_normal((n_chips, 3, height, width), np.float32)
    scores = predict(batch)
    assert scores.shape == (n_chips, N_CLASSES, height, width)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    alone = np.concatenate([predict(chip[None]) for chip in batch])
    assert np.allclose(scores, alone, atol=1e-4)


def test_nothing_beyond_the_reach_changes_a_score(predict, card):
    rng = np.random.default_rng(1)
    image = rng.standard_normal((1, 3, 256, 256), np.float32)
    changed = image.copy()
    changed[..., :128, :] = rng.standard_normal((1, 3, 128, 256)) * 3
    difference = np.abs(predict(image) - predict(changed)).max(axis=(0, 1, 3))
    assert np.flatnonzero(difference > 1e-4).max() < 128 + card.reach
    assert difference[128 + card.reach // 2] > 1e-4  # and the reach is no fancy


def test_scores_move_with_the_scene_by_the_stride(predict, card):
    image = np.random.default_rng(2).standard_normal((1, 3, 256, 264), np.float32)
    inner = np.s_[..., 64:-64, 64:-64]
    first, moved = predict(image[..., :256]), predict(image[..., card.stride :])
    assert np.allclose(
        first[..., card.stride :][inner], moved[..., : -card.stride][inner], atol=1e-4
    )


def test_it_maps_the_sample_scene_sensibly(predict, card):
    image = draw_scene(1024, 1536)
    missing = (image == 0).all(axis=0)
    label_map = predict(scaled(image, missing, card)[None])[0].argmax(axis=0)
    shares = np.bincount(label_map[~missing], minlength=N_CLASSES) / (~missing).sum()
    assert (shares > 0.002).all(), shares
    inland = inland_distance(1024, 1536, np.random.default_rng(0))  # px from the shore
    places = {
        "water": inland < -20,
        "bare sand": (inland > 50) & (inland < 90),
        "cropland": inside(inland.shape, quad(inland.shape, (0, 0.54, 0.36, 0.86))),
        "built-up": inside(inland.shape, quad(inland.shape, (0.54, 0.64, 0.92, 0.98))),
    }
    for name, place in places.items():
        found = np.bincount(label_map[place & ~missing], minlength=N_CLASSES)
        assert card.classes[found.argmax()].name == name
        assert found.max() > 0.6 * found.sum()


@pytest.mark.data
@pytest.mark.slow
def test_the_held_out_figures_are_true(card, recipe, data_folder, monkeypatch):
    monkeypatch.setenv("RSW_DATA", str(data_folder))
    data = open_data(recipe)
    assert data.leaks == 0
    assert all((counts > 0).all() for counts in data.counts.values())  # each class in each part
    for band, mean, std in zip(card.bands, data.statistics.mean, data.statistics.std, strict=True):
        assert (band.mean, band.std) == pytest.approx((mean, std), rel=1e-4)
    found = score_held_out(load_predictor(MODEL, device="cpu").predictor, data)
    recorded = np.array(card.held_out.confusion)
    assert found.confusion.sum(axis=0).tolist() == recorded.sum(axis=0).tolist()
    assert np.abs(found.confusion - recorded).sum() < 1e-3 * recorded.sum()
    assert mean_iou(found.confusion) == pytest.approx(card.held_out.mean_iou, abs=0.002)
    majority = found.baselines["majority"].confusion.sum(axis=0)
    assert mean_iou(majority) == pytest.approx(card.held_out.majority_mean_iou, abs=1e-4)


def test_its_card_agrees_with_the_file():
    from click.testing import CliRunner

    from rs_workbench.card_command import command

    done = CliRunner().invoke(command, ["check", str(MODEL)])
    assert done.exit_code == 0, done.output
