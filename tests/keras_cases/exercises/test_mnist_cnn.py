"""Exercise 1.3: our answer passes its check; mistakes do not."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

from keras import layers  # noqa: E402

from keras_cases.exercises import mnist_cnn as ours  # noqa: E402
from keras_cases.exercises.wrong import WrongAnswerError  # noqa: E402
from rs_workbench.lessons.keras_every_pixel import score_every_pixel  # noqa: E402

NAMES = ("conv_side", "conv_parameters", "build_model", "train", "SMOKE")


def answer(**other):
    return SimpleNamespace(**{name: getattr(ours, name) for name in NAMES} | other)


def test_our_answer_is_right():
    said = ours.check(answer())
    assert "it convolves, with 12,850 parameters" in said
    assert len(said) == 5


def course(s):
    """The course's net: nine tenths of its parameters in one layer."""
    parts = [keras.Input((28, 28, 1))]
    for filters in (32, 64):
        parts += [layers.Conv2D(filters, 3, padding="same", activation="relu") for _ in range(3)]
        parts.append(layers.MaxPooling2D())
    parts += [layers.Flatten(), layers.Dense(1024, activation="relu"), layers.Dense(10)]
    return keras.Sequential(parts)


def softmax(s):
    net = ours.build_model(s)
    return keras.Model(net.input, layers.Softmax()(net.output))


def only_dense(s):
    return keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10)])


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (
            {"conv_side": lambda side, kernel, stride=1, padding="valid": side // stride},
            "28 px, a kernel of 5, stride 1, padding 'valid' give 24 px: got 28",
        ),
        (
            {"conv_side": lambda side, kernel, stride=1, padding="valid": side - kernel + 1},
            "28 px, a kernel of 3, stride 1, padding 'same' give 28 px: got 26",
        ),
        ({"conv_parameters": lambda kernel, bands, filters: 25 * filters}, "1216 in all: got 400"),
        ({"build_model": course}, "it has 3,333,706 parameters, more than 400,000; 3,212,288"),
        ({"build_model": softmax}, "a softmax or sigmoid at the end"),
        ({"build_model": only_dense}, "it has 0 convolutions: at least 2"),
    ],
)
def test_mistakes_are_found(other, sentence):
    with pytest.raises(WrongAnswerError, match=sentence):
        ours.check(answer(**other))


def test_our_net_has_a_twentieth_of_the_course_s_parameters():
    net = ours.build_model(ours.Settings())
    assert net.count_params() < course(None).count_params() / 20
    sides = [layer.output.shape[1] for layer in net.layers if "conv" in layer.name]
    assert sides == [26, 24, 10, 8]


def test_it_may_score_every_pixel_too():
    net = ours.build_model(ours.SMOKE)
    page = np.random.default_rng(0).random((1, 40, 44, 1), np.float32)
    scores = keras.ops.convert_to_numpy(score_every_pixel(net)(page))[0, 20, 22]
    window = page[:, 6:34, 8:36]
    wanted = keras.ops.convert_to_numpy(net(window))[0]
    np.testing.assert_allclose(scores, wanted, atol=1e-4)


@pytest.mark.data
def test_it_runs_on_real_digits(data_folder, tmp_path):
    s = replace(ours.SMOKE, out=tmp_path / "out")
    ours.main(s)
    figures = json.loads((s.out / "figures.json").read_text(encoding="utf-8"))
    assert figures["lines"][0]["figures"]["test accuracy"] > 0.7
    assert figures["facts"]["parameters"] == 12_850


def test_drawn_digits_will_do(tmp_path):
    s = replace(ours.SMOKE, out=tmp_path / "out", drawn=True, epochs=1, digits=200)
    assert "DRAWN stand-in" in ours.main(s).read_text(encoding="utf-8")
