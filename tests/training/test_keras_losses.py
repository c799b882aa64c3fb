"""Keras's losses are those of the oracle, in value and in slope.

`test_keras_losses_on_torch` runs this file once more, with Keras on torch.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from tests.conftest import require_framework

ON_TORCH = os.environ.get("KERAS_BACKEND") == "torch"
if ON_TORCH:
    from rs_workbench.backends.keras_import import import_keras

    keras = import_keras()
else:
    keras = require_framework("keras")

from rs_workbench.errors import ModelError, UsageError  # noqa: E402
from rs_workbench.training.keras_losses import make_loss  # noqa: E402
from rs_workbench.training.loss_settings import LOSSES  # noqa: E402
from rs_workbench.training.losses import parse_loss  # noqa: E402
from tests.training.loss_oracle import (  # noqa: E402
    KINDS,
    loss_slope,
    loss_value,
    make_batch,
    spec_texts,
    takes_weights,
    weights_for,
)


def run(text, labels, logits, **how):
    """Value and slope, from and to arrays."""
    loss = make_loss(parse_loss(text), logits.shape[-1], **how)
    if ON_TORCH:
        import torch

        scores = torch.tensor(logits, requires_grad=True)
        value = loss(labels, scores)
        value.backward()
        return value.item(), scores.grad.double().numpy()
    import tensorflow as tf

    scores = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        value = loss(labels, scores)
    return float(value), tape.gradient(value, scores).numpy().astype(np.float64)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_classes", [1, *range(2, 13)])
def test_values_are_those_of_the_oracle(n_classes, kind):
    labels, logits = make_batch(kind, n_classes)
    for text in spec_texts(n_classes):
        value, slope = run(text, labels, logits)
        expected = loss_value(text, labels, logits)
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-7, err_msg=text)
        assert np.isfinite(slope).all(), text
        assert (slope[labels == 255] == 0).all(), text


@pytest.mark.parametrize("kind", KINDS)
def test_class_weights_are_those_of_the_oracle(kind):
    labels, logits = make_batch(kind, 4)
    for text in filter(takes_weights, spec_texts(4)):
        value, slope = run(text, labels, logits, class_weights=weights_for(4))
        expected = loss_value(text, labels, logits, class_weights=weights_for(4))
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-7, err_msg=text)
        assert np.isfinite(slope).all(), text


@pytest.mark.parametrize("kind", ["ignored", "absent", "one class", "one pixel"])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_slopes_are_those_of_finite_differences(n_classes, kind):
    labels, logits = make_batch(kind, n_classes, shape=(2, 3, 3))
    for text in spec_texts(n_classes):
        slope = run(text, labels, logits)[1]
        np.testing.assert_allclose(
            slope, loss_slope(text, labels, logits), rtol=1e-4, atol=1e-6, err_msg=text
        )


def test_a_batch_without_a_label_has_no_loss_and_no_slope():
    labels, logits = make_batch("none", 3)
    for text in spec_texts(3):
        value, slope = run(text, labels, logits)
        assert value == 0
        assert (slope == 0).all()


def test_labelled_pixels_that_weigh_nothing_have_no_loss_and_no_slope():
    labels, logits = make_batch("one class", 3)
    value, slope = run("cross_entropy", labels, logits, class_weights=[1, 1, 0])
    assert value == 0
    assert (slope == 0).all()


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_stands_under_unlabelled_pixels_does_not_matter(wrong):
    labels, logits = make_batch("ignored", 3)
    spoiled = logits.copy()
    spoiled[labels == 255] = wrong
    for text in spec_texts(3):
        value, slope = run(text, labels, logits)
        other_value, other_slope = run(text, labels, spoiled)
        assert value == other_value
        np.testing.assert_array_equal(slope, other_slope)


def test_ignore_may_be_another_label_or_none():
    labels, logits = make_batch("ignored", 4)
    minus = np.where(labels == 255, -1, labels.astype(np.int16))
    for text in spec_texts(4):
        assert run(text, minus, logits, ignore=-1)[0] == run(text, labels, logits)[0]
    full, logits = make_batch("all", 4)
    assert run("lovasz", full, logits, ignore=None)[0] == run("lovasz", full, logits)[0]


@pytest.mark.parametrize("stray", [7, -1])
def test_a_label_that_is_no_class_makes_nan(stray):
    labels, logits = make_batch("ignored", 4)
    labels = labels.astype(np.int64)
    labels[0, 0, 0] = stray
    for text in spec_texts(4):
        assert np.isnan(run(text, labels, logits)[0])


def test_cross_entropy_is_that_of_keras():
    labels, logits = make_batch("ignored", 5)
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
    by_pixel = keras.ops.convert_to_numpy(theirs(np.where(labels == 255, 0, labels), logits))
    ours = run("cross_entropy", labels, logits)[0]
    assert ours == pytest.approx(by_pixel[labels != 255].mean(), rel=1e-6)


# Precision


def test_half_precision_is_computed_in_single():
    labels, logits = make_batch("ignored", 4)
    logits = logits.astype(np.float16)
    for text in spec_texts(4):
        value = run(text, labels, logits)[0]
        assert value == pytest.approx(loss_value(text, labels, logits), rel=1e-5)


def test_slopes_keep_their_digits_in_a_large_batch():
    """With two classes alike, the slope of the worst pixel is known: p (1 - p) / pixels of it."""
    rng = np.random.default_rng(0)
    labels = np.zeros((1, 1000, 1000), np.uint8)
    half = rng.random(labels.shape).astype(np.float32)
    logits = np.stack([half, -half], axis=-1)
    slope = run("lovasz", labels, logits)[1]
    p = 1 / (1 + np.exp(-2 * half.astype(np.float64)))
    np.testing.assert_allclose(slope[..., 0], -p * (1 - p) / labels.size, rtol=1e-4)


# Use


def chips():
    rng = np.random.default_rng(0)
    images = rng.standard_normal((8, 8, 8, 3)).astype(np.float32)
    labels = images.argmax(axis=-1).astype(np.uint8)
    labels[:, :2] = 255
    return images, labels


def net(**options):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 1, **options)])


@pytest.mark.parametrize("text", spec_texts(3))
def test_a_tiny_network_learns(text):
    images, labels = chips()
    model = net()
    model.compile(keras.optimizers.Adam(0.1), make_loss(parse_loss(text), 3))
    history = model.fit(images, labels, batch_size=4, epochs=30, shuffle=False, verbose=0)
    assert history.history["loss"][-1] < 0.75 * history.history["loss"][0]
    right = model.predict_on_batch(images).argmax(axis=-1) == labels
    assert right[labels != 255].mean() > 0.9


@pytest.mark.parametrize("how", [{"run_eagerly": True}, {"jit_compile": True}])
def test_ways_to_compile_agree(how):
    if ON_TORCH and "jit_compile" in how:
        pytest.skip("torch.compile is not ours to test")
    images, labels = chips()
    losses = []
    for options in ({"jit_compile": False}, how):
        model = net()
        loss = make_loss(parse_loss("+".join(LOSSES)), 3)
        model.compile(keras.optimizers.Adam(0.1), loss, **options)
        losses += [model.train_on_batch(images, labels) for _ in range(3)]
    np.testing.assert_allclose(losses[:3], losses[3:], rtol=1e-5)


def test_mixed_precision_learns_and_its_loss_is_that_of_its_logits():
    images, labels = chips()
    text = "cross_entropy+lovasz"
    model = net(dtype="mixed_bfloat16")
    model.compile(keras.optimizers.Adam(0.1), make_loss(parse_loss(text), 3))
    logits = keras.ops.cast(model(images), "float32")
    expected = loss_value(text, labels, keras.ops.convert_to_numpy(logits))
    assert model.evaluate(images, labels, verbose=0) == pytest.approx(expected, rel=1e-4)
    history = model.fit(images, labels, epochs=20, verbose=0)
    assert history.history["loss"][-1] < 0.75 * expected


def test_one_class_and_one_column_are_not_mistaken_for_each_other():
    """Keras drops a last axis of length 1 for functions; a loss of its own is given all axes."""
    labels, logits = make_batch("ignored", 1, shape=(2, 3, 1))
    model = keras.Sequential([keras.Input((3, 1, 1)), keras.layers.Identity()])
    model.compile(loss=make_loss(parse_loss("cross_entropy+lovasz"), 1))
    assert model.evaluate(logits, labels, verbose=0) == 0


def test_a_saved_model_keeps_its_loss(tmp_path):
    images, labels = chips()
    model = net()
    loss = make_loss(parse_loss("0.3*focal(gamma=1.5)+dice"), 3, class_weights=[1, 2, 0.1])
    model.compile("adam", loss)
    model.fit(images, labels, epochs=1, verbose=0)
    model.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras", safe_mode=True)
    assert again.loss.get_config() == loss.get_config()
    assert again.evaluate(images, labels, verbose=0) == pytest.approx(
        model.evaluate(images, labels, verbose=0), rel=1e-6
    )
    assert keras.saving.load_model(tmp_path / "net.keras", compile=False).loss is None


def test_whole_images_may_be_labelled():
    labels, logits = make_batch("ignored", 3, shape=(7,))
    assert run("focal", labels, logits)[0] == pytest.approx(
        loss_value("focal", labels, logits), rel=1e-5
    )


def test_what_does_not_fit_is_refused():
    loss = make_loss(parse_loss("dice"), 5)
    with pytest.raises(ModelError, match="scores 4 classes, but its loss is for 5"):
        loss(np.zeros((2, 4, 4)), np.zeros((2, 4, 4, 4)))
    with pytest.raises(ModelError, match="scores 2 x 4 x 4 pixels, but the labels are 2 x 8 x 8"):
        loss(np.zeros((2, 8, 8)), np.zeros((2, 4, 4, 5)))
    with pytest.raises(UsageError, match="label 3 cannot mean both"):
        make_loss(parse_loss("dice"), 5, ignore=3)
