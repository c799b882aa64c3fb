"""Exercise 1.1: our answer passes its check; the course's mistakes, and others, do not."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

from keras import layers  # noqa: E402

from keras_cases.exercises import mnist_deeper as ours  # noqa: E402
from keras_cases.exercises.wrong import WrongAnswerError  # noqa: E402


def answer(build_model=ours.build_model, train=ours.train):
    return SimpleNamespace(build_model=build_model, train=train, SMOKE=ours.SMOKE)


def test_our_answer_is_right():
    said = ours.check(answer())
    assert "the loss is the cross-entropy of logits" in said
    assert len(said) == 4


def dense(*parts, last=(), hidden="relu", number=3):
    """Make build_model() for a chain of dense layers."""

    def build_model(s):
        middle = [layers.Dense(16, activation=hidden) for _ in range(number)]
        first = [keras.Input((28, 28, 1)), layers.Flatten()]
        return keras.Sequential([*first, *middle, *parts, layers.Dense(10), *last])

    return build_model


@pytest.mark.parametrize(
    ("build_model", "sentence"),
    [
        (dense(last=[layers.Softmax()]), "scores lie between 0.* and 0.*: a softmax or sigmoid"),
        (dense(last=[layers.Dropout(0.2)]), "while it trains .*% of the scores are exactly 0"),
        (dense(last=[layers.ReLU()]), "of the scores are exactly 0|scores lie between 0.000"),
        (dense(layers.GaussianNoise(1)), "^$"),
        (dense(number=2), "it has 2 hidden dense layers: at least 3 are wanted"),
        (dense(hidden=None), "'.*' has no activation before '.*': two linear layers are one"),
        (lambda s: keras.Sequential([keras.Input((784,)), layers.Dense(10)]), "are not taken"),
        (dense(last=[layers.Dense(9)]), r"scores \(64, 10\): got \(64, 9\)"),
    ],
)
def test_a_wrong_net_is_found(build_model, sentence):
    if sentence == "^$":  # noise while training only is no fault of the net
        assert ours.faults.fault_of_outputs(build_model(None)) == ""
        return
    with pytest.raises(WrongAnswerError, match=sentence):
        ours.check(answer(build_model))


def trained_with(loss, history=None, **options):
    """Make train() that compiles and says what it is told."""

    def train(model, data, s):
        model.compile(loss=loss, **options)
        return history or {"val_accuracy": [90 / 97]}

    return train


RIGHT = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.mark.parametrize(
    ("train", "sentence"),
    [
        (trained_with("mse"), "cross-entropy is .*, but the loss of train.. says"),
        (trained_with("sparse_categorical_crossentropy"), "cross-entropy is 2.555, but the loss"),
        (trained_with("binary_crossentropy"), "take SparseCategoricalCrossentropy"),
        (lambda model, data, s: {"val_accuracy": [1.0]}, "the model has no loss"),
        (trained_with(RIGHT, {"loss": [1.0]}), r"with val_accuracy: got \['loss'\]"),
        (trained_with(RIGHT, {"val_accuracy": [0.9681]}), "0.9681 is no share of the 97 digits"),
        (trained_with(RIGHT, {"val_accuracy": [20 / 97]}), "0.206 are right, less than 0.6"),
    ],
)
def test_a_wrong_training_is_found(train, sentence):
    with pytest.raises(WrongAnswerError, match=sentence):
        ours.check(answer(train=train))


def test_one_hot_labels_are_no_fault():
    model = ours.build_model(ours.SMOKE)
    model.compile(loss=keras.losses.CategoricalCrossentropy(from_logits=True))
    assert ours.faults.fault_of_loss(model) == ""


def test_the_average_of_the_last_steps_is_kept():
    """Weights after fit are those that the optimiser averaged."""
    model = ours.build_model(ours.SMOKE)
    parts = ours.drawn_parts(64, 7)
    ours.train(model, ours.mnist.Data(*parts, None, real=False), replace(ours.SMOKE, epochs=1))
    averages = model.optimizer._model_variables_moving_average
    for weight, average in zip(model.trainable_variables, averages, strict=True):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(weight), keras.ops.convert_to_numpy(average)
        )


@pytest.mark.data
def test_it_runs_on_real_digits(data_folder, tmp_path):
    s = replace(ours.SMOKE, out=tmp_path / "out")
    ours.main(s)
    figures = json.loads((s.out / "figures.json").read_text(encoding="utf-8"))
    assert figures["lines"][0]["figures"]["test accuracy"] > 0.7
    assert figures["lines"][-1]["figures"] == {"test accuracy": 0.9681}


def test_drawn_digits_will_do(tmp_path):
    s = replace(ours.SMOKE, out=tmp_path / "out", drawn=True, epochs=1, digits=200)
    assert "DRAWN stand-in" in ours.main(s).read_text(encoding="utf-8")
