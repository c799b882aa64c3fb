"""The end of a run with a real network: what is exported gives the scores of the learner."""

import numpy as np
import pytest

from tests.conftest import require_framework

require_framework("keras")

from rs_workbench.backends.onnx_backend import load_predictor  # noqa: E402
from rs_workbench.card import read_card  # noqa: E402
from rs_workbench.training import baselines, finish, held_out, pictures  # noqa: E402
from rs_workbench.training.held_out import score_held_out  # noqa: E402
from rs_workbench.training.keras_learner import make_learner  # noqa: E402
from rs_workbench.training.keras_memory import peak_gpu_mib  # noqa: E402
from tests.training import fakes  # noqa: E402
from tests.training.fakes import make_data, make_fit  # noqa: E402


@pytest.fixture(autouse=True)
def _from_memory(monkeypatch):
    for module in (baselines, finish, held_out, pictures):
        monkeypatch.setattr(module, "part_batches", fakes.part_batches)
    monkeypatch.setattr(finish, "training_batches", fakes.training_batches)


@pytest.mark.slow
def test_model_and_onnx_have_the_card_and_the_scores_of_the_learner(tmp_path):
    data = make_data(size=64)
    changes = {
        "framework": "keras",
        "network_options": {"width": 4, "depth": 2},
        "onnx": True,
        "device": "cpu",
    }
    settings = data.settings.model_copy(update=changes)
    learner = make_learner(settings, 4, 3, class_weights=None)
    fit = make_fit(learner, settings)
    result = finish.write_result(tmp_path, data, fit, score_held_out(learner, data), settings)
    assert (result.model, result.onnx, result.warnings) == ("model.keras", "model.onnx", ())
    card = read_card(tmp_path / "model.onnx")
    assert card == read_card(tmp_path / "model.keras")
    assert card.reach > 0
    assert card.stride == learner.facts.stride
    chip = next(fakes.part_batches(data, data.validation[:2])).images
    scores = load_predictor(tmp_path / "model.onnx", card).predict(chip)
    assert np.abs(scores - learner.predict(chip)).max() < 1e-3
    assert peak_gpu_mib() is None or peak_gpu_mib() >= 0
