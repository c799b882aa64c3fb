"""Turning Keras models into ONNX: same scores, any size, few nodes, honest refusals."""

from __future__ import annotations

import collections
import json
import os
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

from keras import layers  # noqa: E402

from rs_workbench.backends import keras_backend, keras_convert  # noqa: E402
from rs_workbench.card import write_card  # noqa: E402
from rs_workbench.errors import MissingDependencyError, ModelError  # noqa: E402
from tests.backends import keras_models  # noqa: E402
from tests.backends.contract import make_batch, make_card  # noqa: E402


def save(model, tmp_path, name="model.keras"):
    path = tmp_path / name
    model.save(path)
    return path


def run_onnx(folder, batch):
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    return session.run(["scores"], {"image": batch})[0]


def operators(folder):
    graph = onnx.load(folder / "model.onnx").graph
    return collections.Counter(node.op_type for node in graph.node)


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Convert the U-Net in a child process, as the workbench does."""
    folder = tmp_path_factory.mktemp("converted")
    path = save(keras_models.unet(), folder)
    done = subprocess.run(
        [sys.executable, "-m", "rs_workbench.backends.keras_convert", path, folder / "out"],
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, "KERAS_BACKEND": "torch"},  # of no weight: conversion takes tensorflow
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return path, folder / "out"


def test_the_three_files_and_no_others(converted):
    _, folder = converted
    assert sorted(p.name for p in folder.iterdir()) == [
        "facts.json",
        "model.onnx",
        "reference.npz",
    ]


def test_facts(converted):
    facts = json.loads((converted[1] / "facts.json").read_text())
    assert facts["engine"] == "keras"
    assert 0 < facts["seconds_per_tile"] < 60
    assert facts["versions"]["keras"] == keras.__version__
    assert facts["fixed_size"] is None


def test_reference_is_kerass_own(converted):
    path, folder = converted
    reference = np.load(folder / "reference.npz")
    assert reference["tile"].shape == (1, 3, 256, 256)
    assert reference["scores"].shape == (1, 4, 256, 256)
    assert reference["scores"].dtype == np.float32
    predictor = keras_backend.load_predictor(path, None, device="cpu")
    np.testing.assert_allclose(
        predictor.predict(reference["tile"]), reference["scores"], atol=1e-5
    )
    assert len(np.unique(reference["scores"].argmax(axis=1))) > 1


@pytest.mark.parametrize("shape", [(1, 64, 64), (3, 32, 96), (2, 8, 4)])
def test_any_batch_and_size_gives_the_same_scores(converted, shape):
    path, folder = converted
    predictor = keras_backend.load_predictor(path, None, device="cpu")
    batch = make_batch(*shape)
    np.testing.assert_allclose(run_onnx(folder, batch), predictor.predict(batch), atol=1e-4)


def test_names_and_free_dimensions(converted):
    graph = onnx.load(converted[1] / "model.onnx").graph
    for value, name, layers_ in ((graph.input[0], "image", 3), (graph.output[0], "scores", 4)):
        dims = value.type.tensor_type.shape.dim
        assert value.name == name
        assert [d.dim_param or d.dim_value for d in dims] == ["batch", layers_, "height", "width"]


def test_no_transpose_is_left(converted):
    # the turn to channels last would cost more than half of the engines' speed
    assert operators(converted[1])["Transpose"] == 0
    assert operators(converted[1])["Resize"] == 1


def test_tile_is_that_of_the_card(tmp_path):
    path = save(keras_models.unet(), tmp_path)
    write_card(path, make_card(stride=4, tile=64))
    keras_convert.convert(path, tmp_path / "out")
    assert np.load(tmp_path / "out" / "reference.npz")["tile"].shape == (1, 3, 64, 64)


def test_fixed_size_stays_fixed(tmp_path):
    path = save(keras_models.unet(size=(32, 48)), tmp_path)
    keras_convert.convert(path, tmp_path / "out")
    dims = onnx.load(tmp_path / "out" / "model.onnx").graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == ["batch", 3, 32, 48]
    assert json.loads((tmp_path / "out" / "facts.json").read_text())["fixed_size"] == [32, 48]


def test_yes_or_no_network(tmp_path):
    path = save(keras_models.unet(n_classes=1), tmp_path)
    keras_convert.convert(path, tmp_path / "out")
    reference = np.load(tmp_path / "out" / "reference.npz")
    assert reference["scores"].shape[:2] == (1, 2)
    assert run_onnx(tmp_path / "out", reference["tile"]).shape[:2] == (1, 1)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("factor", [2, 4])
def test_upsampling(tmp_path, interpolation, factor):
    image = keras.Input((None, None, 3))
    small = layers.AveragePooling2D(factor)(layers.Conv2D(5, 3, padding="same")(image))
    large = layers.UpSampling2D(factor, interpolation=interpolation)(small)
    path = save(keras.Model(image, layers.Conv2D(3, 1)(large)), tmp_path)
    predictor = keras_backend.load_predictor(path, None, device="cpu")
    keras_convert.convert(path, tmp_path / "out")
    batch = make_batch(2, 24, 40)
    np.testing.assert_allclose(
        run_onnx(tmp_path / "out", batch), predictor.predict(batch), atol=1e-4
    )


def test_network_without_onnx_form_is_said_in_one_sentence(tmp_path, capsys):
    image = keras.Input((None, None, 3))
    small = layers.MaxPooling2D()(image)
    large = layers.UpSampling2D(interpolation="lanczos5")(small)
    path = save(keras.Model(image, layers.Conv2D(2, 1)(large)), tmp_path, "lanczos.keras")
    assert keras_convert.main([str(path), str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("'lanczos.keras' has no ONNX form that runs (")
    assert said.err.count("\n") == 1
    assert not (tmp_path / "out" / "facts.json").exists()


def test_disagreement_is_refused(tmp_path, monkeypatch):
    path = save(keras_models.unet(), tmp_path)
    predictor = keras_backend.load_predictor(path, None, device="cpu")
    trials = [(tile, -scores) for tile, scores in keras_convert._score_trials(predictor)]
    proto = keras_convert._to_onnx(predictor, path.name)
    with pytest.raises(ModelError, match=r"agrees with Keras in \d+\.\d\d% of the pixels only"):
        keras_convert._check_trials(proto, trials, predictor, path.name)


def test_missing_tf2onnx_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(
        keras_convert.importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else 1
    )
    with pytest.raises(
        MissingDependencyError, match=r"tf2onnx.*pip install 'rs-workbench\[keras\]'"
    ):
        keras_convert.convert(tmp_path / "model.keras", tmp_path)


def test_wrong_usage(capsys):
    assert keras_convert.main(["one"]) == 2
    assert "MODEL FOLDER" in capsys.readouterr().err


def test_missing_model_is_one_sentence(tmp_path, capsys):
    assert keras_convert.main([str(tmp_path / "nowhere.keras"), str(tmp_path)]) == 1
    assert "nowhere.keras" in capsys.readouterr().err
