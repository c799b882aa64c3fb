"""The networks in Keras: published sizes, no dead layer, stride, reach, files."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

import tensorflow as tf  # noqa: E402

from keras_cases.models import unet  # noqa: E402
from keras_cases.models.twin import named_weights, save_named_weights  # noqa: E402
from rs_workbench.backends import load_predictor  # noqa: E402
from rs_workbench.card import write_card  # noqa: E402
from rs_workbench.errors import UsageError  # noqa: E402
from rs_workbench.networks import describe, find_network  # noqa: E402
from tests.backends.contract import make_batch, make_card  # noqa: E402
from tests.workbench.network_cases import (  # noqa: E402
    BOUNDED,
    CBRR_TRAINED,
    PUBLISHED,
    SHAPES,
    TRAINED,
    UNBOUNDED,
    WRONG,
    label,
    moved,
    touched,
)

DEAD = 1e-10  # a gradient below is one of rounding
MARGIN = 1e-4  # of the spread of the scores: rounding


def build(name, n_bands=3, n_classes=4, **options):
    keras.utils.set_random_seed(0)
    return find_network(name, "keras")(n_bands, n_classes, **options)


def predictor(net):
    """Scores of a batch, bands first."""

    def predict(batch):
        scores = net(np.moveaxis(batch, 1, 3), training=False)
        return np.moveaxis(keras.ops.convert_to_numpy(scores), 3, 1)

    return predict


# Size


@pytest.mark.parametrize(("name", "form", "n_bands", "n_classes", "parameters"), PUBLISHED)
def test_parameters_are_those_published(name, form, n_bands, n_classes, parameters):
    net = build(name, n_bands, n_classes, **(getattr(unet, form) if form else {}))
    facts = describe(net)
    assert facts.parameters == net.count_params() == parameters
    if name == "cbrr_unet":
        assert facts.trainable == CBRR_TRAINED


@pytest.mark.parametrize(("name", "options", "n_bands", "n_classes", "size"), SHAPES, ids=label)
def test_one_score_a_class_and_pixel(name, options, n_bands, n_classes, size):
    net = build(name, n_bands, n_classes, **options)
    scores = predictor(net)(make_batch(2, *size, n_bands=n_bands))
    assert scores.shape == (2, n_classes, *size)
    assert scores.min() < 0 or scores.max() > 1  # no probabilities


@pytest.mark.parametrize(("name", "options", "sentence"), WRONG, ids=label)
def test_wrong_options_are_answered(name, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        build(name, **options)


# Nothing is dead


@pytest.fixture
def in_float64():
    """Let rounding stay far below DEAD."""
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


def gradients(net, *, training, batch=4, size=64):
    rng = np.random.default_rng(1)
    image = rng.standard_normal((batch, size, size, 3))
    labels = rng.integers(0, net.output_shape[-1], (batch, size, size))
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with tf.GradientTape() as tape:
        loss = loss_of(labels, net(image, training=training))
    weights = net.trainable_weights
    found = tape.gradient(loss, [weight.value for weight in weights])
    return {
        weight.path: 0.0 if gradient is None else float(np.abs(gradient).max())
        for weight, gradient in zip(weights, found, strict=True)
    }


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize(("name", "options"), TRAINED, ids=label)
def test_every_parameter_learns(name, options):
    found = gradients(build(name, **options), training=True)
    assert {k: g for k, g in found.items() if g < DEAD} == {}


@pytest.mark.usefixtures("in_float64")
def test_in_cbrr_unet_only_biases_before_a_norm_do_not_learn():
    net = build("cbrr_unet", width=4)
    idle = [k for k, g in gradients(net, training=True).items() if g < DEAD]
    assert idle == [w.path for w in net.trainable_weights if w.path.endswith("-conv/bias")]
    assert min(gradients(net, training=False).values()) > DEAD


# Where tiles may be cut


@pytest.mark.parametrize(("name", "options", "stride", "reach"), BOUNDED, ids=label)
def test_scores_move_with_the_scene_by_the_stride_and_no_less(name, options, stride, reach):
    net = build(name, **options)
    assert net.stride == stride
    strip = {"reach": reach, "stride": stride}
    assert moved(predictor(net), 3, shift=stride, **strip) < MARGIN
    assert moved(predictor(net), 3, shift=stride // 2, **strip) > 1e-2


@pytest.mark.parametrize(("name", "options", "stride", "reach"), BOUNDED, ids=label)
def test_no_score_looks_farther_than_the_reach(name, options, stride, reach):
    net = build(name, **options)
    assert reach // 3 < touched(predictor(net), 3, reach=reach, stride=stride) <= reach


@pytest.mark.parametrize(("name", "options"), UNBOUNDED, ids=label)
def test_a_look_at_the_whole_tile_has_no_reach(name, options):
    net = build(name, **options)
    assert touched(predictor(net), 3, reach=600, stride=net.stride) > 600


# Files


FILED = [
    ("unet", {"width": 4}),
    ("unet", {"width": 8, "up": "conv", "norm": "group", "dropout": 0.5}),
    ("unet", {"width": 4, "up": "transposed", "norm": "none"}),
    ("cbrr_unet", {"width": 4}),
    ("deeplabv3plus", {"width": 8}),
    ("deeplabv3plus", {"width": 8, "decoder": "fine", "backbone": "MobileNetV2"}),
]


@pytest.mark.parametrize(("name", "options"), FILED, ids=label)
def test_saved_it_loads_in_safe_mode_and_scores_the_same(name, options, tmp_path):
    net = build(name, **options)
    net.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras", compile=False, safe_mode=True)
    batch = make_batch(1, 64, 32)
    np.testing.assert_array_equal(predictor(again)(batch), predictor(net)(batch))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), FILED, ids=label)
@pytest.mark.parametrize("engine", ["keras", "openvino"])
def test_the_workbench_maps_with_it(name, options, engine, tmp_path, monkeypatch):
    monkeypatch.setenv("RSW_CACHE", str(tmp_path))
    net = build(name, **options)
    path = tmp_path / "net.keras"
    net.save(path)
    write_card(path, make_card(stride=net.stride))
    loaded = load_predictor(path, device="cpu", engine=engine).predictor
    assert loaded.engine == engine
    for shape in ((1, 64, 64), (3, 32, 96)):
        batch = make_batch(*shape)
        wanted = predictor(net)(batch)
        np.testing.assert_allclose(loaded.predict(batch), wanted, atol=1e-4 * np.ptp(wanted))


def test_weights_are_named_after_their_layer(tmp_path):
    net = build("unet", width=2, depth=1, norm="none")
    save_named_weights(net, tmp_path / "weights.npz")
    saved = np.load(tmp_path / "weights.npz")
    assert sorted(saved.files) == sorted(named_weights(net))
    assert {"encoder.0.conv_0/kernel", "decoder.0.conv_1/bias", "head/bias"} < set(saved.files)
    np.testing.assert_array_equal(saved["head/kernel"], net.get_layer("head").kernel)
