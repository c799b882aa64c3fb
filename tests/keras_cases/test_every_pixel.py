"""A classifier of windows and the net made of it give the same scores."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

from keras import layers  # noqa: E402

from rs_workbench.errors import ModelError  # noqa: E402
from rs_workbench.lessons.keras_every_pixel import (  # noqa: E402
    add_blank_class,
    score_every_pixel,
)

RNG = np.random.default_rng(0)


def chain(*parts, side=28):
    """Make a classifier whose weights and statistics are no longer those of the start."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((side, side, 1)), *parts, layers.Dense(10)])
    for weight in model.weights:
        drawn = RNG.normal(0, 0.2, weight.shape)
        weight.assign(0.5 + np.abs(drawn) if "variance" in weight.path else drawn)
    return model


def two_poolings():
    return chain(
        layers.Conv2D(6, 5, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(8, 5, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(12, activation="relu"),
        layers.Dropout(0.5),
    )


def with_norms():
    return chain(
        layers.Conv2D(4, 3, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Conv2D(4, 3, use_bias=False),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.MaxPooling2D(3),  # 24 to 8
        layers.Conv2D(5, 2),
        layers.MaxPooling2D(),  # 7 to 3: a row and a column are left over
        layers.Flatten(),
    )


def only_dense():
    return chain(layers.Flatten(), layers.Dense(16, activation="relu"))


def windows(page, side):
    before, after = side // 2, side - 1 - side // 2
    padded = np.pad(page, ((before, after), (before, after)))
    found = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    return found.reshape(-1, side, side, 1)


def scores(model, images):
    return keras.ops.convert_to_numpy(model(images, training=False))


@pytest.mark.parametrize(
    ("make", "side"), [(two_poolings, 28), (with_norms, 28), (only_dense, 28)]
)
def test_each_pixel_has_the_scores_of_its_window(make, side):
    classifier = make()
    page = RNG.random((37, 41), np.float32)
    found = scores(score_every_pixel(classifier), page[None, :, :, None])[0]
    wanted = scores(classifier, windows(page, side)).reshape(37, 41, 10)
    assert np.std(wanted) > 0.1
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_windows_may_be_odd():
    classifier = chain(layers.Conv2D(4, 4), layers.MaxPooling2D(), layers.Flatten(), side=15)
    page = RNG.random((20, 22), np.float32)
    found = scores(score_every_pixel(classifier), page[None, :, :, None])[0]
    wanted = scores(classifier, windows(page, 15)).reshape(20, 22, 10)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_weights_are_as_many():
    classifier = with_norms()
    assert score_every_pixel(classifier).count_params() == classifier.count_params()


def test_blank_paper_wins_where_there_is_no_ink_and_only_there():
    net = add_blank_class(score_every_pixel(two_poolings()), side=16, least=10)
    page = np.zeros((1, 64, 64, 1), np.float32)
    page[0, 22:42, 28:36] = 1  # 160 px of ink around pixel (32, 32)
    found = scores(net, page)[0]
    assert found.shape == (64, 64, 11)
    assert found[32, 32, 10] == pytest.approx(40 * (1 - 16 * 8 / 10), abs=1e-3)
    assert found[32, 32].argmax() != 10
    assert found[2, 2].argmax() == found[60, 5].argmax() == 10


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ((layers.Conv2D(4, 3, padding="same"), layers.Flatten()), "'.*' has strides or pads"),
        ((layers.Conv2D(4, 3, strides=2), layers.Flatten()), "'.*' has strides or pads"),
        ((layers.MaxPooling2D(3, strides=1), layers.Flatten()), "'.*' pools places that overlap"),
        ((layers.MaxPooling2D(3, padding="same"), layers.Flatten()), "'.*' pads"),
        ((layers.GlobalAveragePooling2D(),), "'.*' is a GlobalAveragePooling2D"),
        ((layers.Flatten(), layers.BatchNormalization()), "'.*' is a BatchNormalization: build"),
    ],
)
def test_what_cannot_be_turned_gets_a_sentence(parts, sentence):
    with pytest.raises(ModelError, match=sentence):
        score_every_pixel(chain(*parts))
