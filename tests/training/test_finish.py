import json
from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest

from rs_workbench import backends
from rs_workbench.card import ModelCard
from rs_workbench.errors import ModelError
from rs_workbench.networks import NetworkFacts
from rs_workbench.training import baselines, finish, held_out, pictures
from rs_workbench.training.finish import write_result
from rs_workbench.training.held_out import score_held_out
from rs_workbench.training.history import History
from rs_workbench.training.run_card import make_card
from rs_workbench.training.to_onnx import check_onnx, score_error
from rs_workbench.training.train_result import TrainResult
from tests.training import fakes
from tests.training.fakes import FakeLearner, make_data, make_epoch, make_fit

KEYS = [
    *("framework", "network", "network_options", "parameters", "trainable", "epochs"),
    *("best_epoch", "seconds", "seconds_per_epoch", "chips_per_second", "peak_rss_mib"),
    *("peak_gpu_mib", "device", "validation_mean_iou", "held_out", "baselines", "leaks"),
    *("chips_hash", "warnings", "model", "onnx", "seed"),
]


@pytest.fixture(autouse=True)
def _from_memory(monkeypatch):
    for module in (baselines, finish, held_out, pictures):
        monkeypatch.setattr(module, "part_batches", fakes.part_batches)
    monkeypatch.setattr(finish, "training_batches", fakes.training_batches)


def finished(folder, data, learner=None, **settings):
    learner = learner or FakeLearner()
    settings = data.settings.model_copy(update=settings)
    for epoch in (1, 2, 3):
        History(folder)(make_epoch(epoch), learner, data)
    fit = make_fit(learner, settings)
    return write_result(folder, data, fit, score_held_out(learner, data), settings)


def test_a_finished_run_leaves_all_its_files(tmp_path):
    result = finished(tmp_path, make_data(), pictures=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "held_out", "held_out_blocks.npz", "history.csv", "history.png", "model.pt2", "pictures",
        "result.json",
    ]  # fmt: skip
    assert (tmp_path / "held_out" / "report.html").exists()
    assert (tmp_path / "pictures" / "best.png").exists()
    assert isinstance(result, TrainResult)
    assert (result.best_epoch, result.epochs, result.seconds) == (2, 3, 6.0)
    assert result.validation_mean_iou == 0.6


def test_result_json_has_the_promised_keys_and_agrees_with_the_blocks(tmp_path):
    result = finished(tmp_path, make_data())
    text = (tmp_path / "result.json").read_text("utf-8")
    read = json.loads(text, parse_constant=lambda name: pytest.fail(f"JSON holds {name}"))
    assert list(read) == KEYS == [f.name for f in fields(result)]
    assert list(read["held_out"]) == [
        "overall_accuracy", "mean_iou", "mean_iou_interval", "classes"
    ]  # fmt: skip
    with np.load(tmp_path / "held_out_blocks.npz") as arrays:
        total = arrays["confusion"].sum(axis=0)
    assert read["held_out"]["overall_accuracy"] == pytest.approx(total.trace() / total.sum())
    assert [c["pixels"] for c in read["held_out"]["classes"]] == total.sum(axis=0).tolist()
    low, high = read["held_out"]["mean_iou_interval"]
    assert low <= read["held_out"]["mean_iou"] <= high
    gain = read["baselines"]["majority"]
    assert gain["mean_iou_gain_interval"][0] > 0
    assert gain["mean_iou_gain"] == pytest.approx(read["held_out"]["mean_iou"] - gain["mean_iou"])


def test_a_class_that_is_not_held_out_is_warned_of_once(tmp_path):
    data = make_data()
    labels = tuple(np.where(found == 2, np.uint8(255), found) for found in data.label_maps)
    said = "the held-out part has no pixel of 'forest', so its accuracy stays unknown: ..."
    for split, count in ((object(), 0), (None, 1)):  # by blocks, which warns; by chance
        few = make_data(label_maps=labels, warnings=(said,) * (split is not None), split=split)
        found = held_out.HeldOutResult(
            *(np.diag([5, 5, 0]), None, {}, "", None),
            warnings=("no held-out pixel is labelled forest: how well that is mapped cannot be "
            "said", "another"),
        )  # fmt: skip
        told = held_out.all_warnings(few, found)
        assert sum("no held-out pixel is labelled" in one for one in told) == count
        assert told[-1] == "another"
        assert (said in told) is (split is not None)


def test_what_is_undefined_is_null(tmp_path):
    data = make_data()
    labels = tuple(np.where(found == 2, np.uint8(255), found) for found in data.label_maps)
    few = make_data(label_maps=labels, held_out=data.held_out[8:14])
    finished(tmp_path, few, learner=fakes.PerfectLearner(few))
    read = json.loads((tmp_path / "result.json").read_text("utf-8"))
    assert read["held_out"]["classes"][2] == {"name": "forest", "iou": None, "pixels": 0}
    assert read["held_out"]["mean_iou_interval"] is None
    assert read["peak_gpu_mib"] is None


def test_a_network_without_onnx_form_is_a_warning(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise ModelError("no such operator")

    monkeypatch.setattr(finish, "write_onnx", refuse)
    result = finished(tmp_path, make_data(), onnx=True)
    assert result.onnx is None
    assert "there is no model.onnx: no such operator" in result.warnings


def test_the_result_is_written_last(tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise ModelError("stopped")

    monkeypatch.setattr(finish, "draw_history", fail)
    with pytest.raises(ModelError, match="stopped"):
        finished(tmp_path, make_data())
    assert not (tmp_path / "result.json").exists()


def card_of(learner, data, **settings):
    settings = data.settings.model_copy(update=settings)
    return make_card(data, make_fit(learner, settings), score_held_out(learner, data))


def test_the_card_says_what_the_model_expects():
    data = make_data()
    card = card_of(FakeLearner(), data, name="coast", license="MIT", network_options={"width": 8})
    assert ModelCard.model_validate_json(card.model_dump_json()) == card
    band = card.bands[2]
    assert (band.name, band.wavelength, band.mean, band.std) == ("red", 665.0, 33.3333, 12.3457)
    assert (band.low, band.high) == (5.0, 60.0)
    assert (card.name, card.dtype, card.nodata, card.pixel_size) == ("coast", "uint16", (0.0,), 10)
    assert card.classes == data.classes
    assert (card.stride, card.reach, card.tile) == (1, 0, 512)
    assert card.training_data.split == "blocks of 64 px, 16 px apart"
    assert card.training_data.name == "2 scenes: scene_0.tif, scene_1.tif"
    assert card.held_out.pixel_baseline_mean_iou is not None
    assert "unet(width=8), cross_entropy, epoch 2 of 3, seed 0" in card.provenance


def test_the_card_says_what_the_settings_tell_of_the_data():
    told = {"data_name": "coast", "data_source": "a shelf", "data_license": "CC0"}
    found = card_of(FakeLearner(), make_data(), **told).training_data
    assert (found.name, found.source, found.license) == ("coast", "a shelf", "CC0")
    found = card_of(FakeLearner(), make_data(), data_notes="Labels are coarse.").training_data
    assert found.name.startswith("2 scenes: ")
    assert found.notes.endswith("Labels are coarse.")
    assert "labelled training pixels" in found.notes


class Blurred(FakeLearner):
    """Reaches 2 px in every direction."""

    facts = NetworkFacts(1, 1, 8)

    def predict(self, images):
        scores = super().predict(images)
        padded = np.pad(scores, ((0, 0), (0, 0), (2, 2), (2, 2)))
        height, width = scores.shape[2:]
        moved = [
            padded[..., row : row + height, col : col + width]
            for row in (0, 2, 4)
            for col in (0, 2, 4)
        ]
        return np.mean(moved, axis=0, dtype=np.float32)


def test_stride_and_reach_are_measured_and_the_networks_own_stride_holds():
    card = card_of(Blurred(), make_data(), tile=600)
    assert card.stride == 8
    assert card.reach == 2 + 7, "a pixel may act on all of its stride cell"
    assert card.tile == 600


def test_difference_of_scores_by_their_spread():
    wanted = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    assert score_error(wanted, wanted) == 0
    assert score_error(wanted + 1e-3, wanted) == pytest.approx(1e-3 / wanted.std(), rel=1e-3)
    assert score_error(wanted[:, :1], wanted) == np.inf
    nan = np.full_like(wanted, np.nan)
    assert not score_error(nan, wanted) <= 1


def test_an_onnx_file_that_gives_no_numbers_is_refused(monkeypatch):
    class Broken(FakeLearner):
        def predict(self, images):
            return np.full_like(super().predict(images), np.nan)

    backend = SimpleNamespace(load_predictor=lambda *_, **__: Broken())
    monkeypatch.setattr(backends, "onnx_backend", backend, raising=False)
    chip = np.zeros((1, 4, 8, 8), np.float32)
    with pytest.raises(ModelError, match=r"differ .* by nan of their spread, more than 0\.001"):
        check_onnx("model.onnx", None, FakeLearner(), chip)
