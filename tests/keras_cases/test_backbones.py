"""Backbones by name in Keras: strides taken out, bands added, weights loaded, refusals."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

from keras import layers  # noqa: E402

from keras_cases.models import backbones  # noqa: E402
from keras_cases.models.backbones import EXPECTS, NAMES, expected, keras_backbone, spread  # noqa: E402
from rs_workbench.errors import ModelError, UsageError  # noqa: E402


def build(name, n_bands=3, **options):
    """Model that gives features, and their strides."""
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, n_bands))
    features = keras_backbone(image, name, **options)
    return keras.Model(image, list(features.values())), list(features)


def pixels(n_bands, height, width):
    return np.random.default_rng(0).standard_normal((1, height, width, n_bands), dtype=np.float32)


@pytest.mark.parametrize(
    "name",
    [
        "MobileNetV2",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                "resnet50 resnet50v2 vgg16 densenet121 mobilenet mobilenetv3small xception"
                " efficientnetb0 efficientnetv2b0 efficientnetv2s"
            ).split()
        ),
    ],
)
@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_features_have_the_size_of_their_stride(name, output_stride):
    net, strides = build(name, n_bands=5, output_stride=output_stride)
    assert strides == [s for s in (2, 4, 8, 16, 32) if s <= output_stride]
    features = net(pixels(5, 64, 96))
    assert [tuple(f.shape[1:3]) for f in features] == [(64 // s, 96 // s) for s in strides]
    assert all(np.std(f) > 0 for f in features)


@pytest.mark.slow
def test_dilation_gives_what_the_stride_gave_and_all_between():
    plain, _ = build("ResNet50", output_stride=32)
    dense, _ = build("ResNet50", output_stride=8)
    dense.set_weights(plain.get_weights())
    image = pixels(3, 96, 64)
    wanted, found = plain(image)[-1], dense(image)[-1][:, ::4, ::4]
    np.testing.assert_allclose(found, wanted, atol=1e-4 * np.std(wanted))


def test_bands_are_scaled_by_the_card_and_not_again():
    net, _ = build("efficientnetb0", n_bands=4, output_stride=32)
    kinds = {type(layer) for layer in net.get_layer("backbone").layers}
    assert not kinds & {layers.Rescaling, layers.Normalization}


def test_each_network_is_of_one_family():
    assert len(NAMES) > 30
    for name in NAMES.values():
        assert sum(bool(re.fullmatch(family, name)) for family in EXPECTS) == 1
    assert expected("ResNet50")[2]
    assert not expected("ResNet50V2")[2]


def small(n_bands):
    image = keras.Input((None, None, n_bands))
    return keras.Model(image, layers.Conv2D(4, 3, padding="same", use_bias=False)(image))


@pytest.mark.parametrize("blue_first", [True, False])
def test_trained_weights_are_spread_over_other_bands(blue_first):
    trained, net = small(3), small(6)
    spread(trained, net, blue_first=blue_first)
    grey = np.full((1, 8, 8, 1), 0.5, np.float32)
    wanted = trained(np.repeat(grey, 3, axis=3))
    np.testing.assert_allclose(net(np.repeat(grey, 6, axis=3)), wanted, atol=1e-5)
    ours, theirs = net.layers[-1].kernel[:, :, 3], trained.layers[-1].kernel
    np.testing.assert_allclose(ours, theirs[:, :, 2 if blue_first else 0] / 2)


def test_imagenet_weights_meet_pixels_as_they_were_trained_on(monkeypatch):
    made = keras.applications.MobileNet

    def offline(*, weights, **options):
        keras.utils.set_random_seed(7)
        return made(weights=None, **options)

    monkeypatch.setattr(keras.applications, "MobileNet", offline)
    net, _ = build("MobileNet", n_bands=4, weights="imagenet", output_stride=32)
    (scaling,) = [layer for layer in net.layers if isinstance(layer, layers.Rescaling)]
    # ImageNet's mean is 118 and its spread 57.4 of 255; these weights know -1 to 1
    np.testing.assert_allclose(scaling(np.zeros(1)), (118 - 127.5) / 127.5, atol=0.02)
    np.testing.assert_allclose(scaling(np.ones(1)), (118 + 57.4 - 127.5) / 127.5, atol=0.02)
    first = net.get_layer("backbone").get_layer("conv1").kernel
    trained = offline(weights=None, include_top=False, input_shape=(None, None, 3))
    np.testing.assert_allclose(first[:, :, 3], trained.get_layer("conv1").kernel[:, :, 0] * 3 / 4)


def test_weights_come_from_a_file(tmp_path):
    keras.utils.set_random_seed(5)
    trained = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(None, None, 3)
    )
    path = tmp_path / "mobilenet.weights.h5"
    trained.save_weights(path)
    net, _ = build("mobilenet", weights=str(path), output_stride=8)
    body = net.get_layer("backbone")
    for name in ("conv1", "conv_pw_13"):
        np.testing.assert_array_equal(body.get_layer(name).kernel, trained.get_layer(name).kernel)


def test_a_file_that_is_not_there_is_said(tmp_path):
    path = tmp_path / "nothing.weights.h5"
    with pytest.raises(
        ModelError, match=r"weights '.*nothing\.weights\.h5' of 'MobileNet' cannot"
    ):
        build("mobilenet", weights=str(path))


def test_weights_that_cannot_be_fetched_are_said(monkeypatch):
    made = keras.applications.MobileNet

    def offline(*, weights, **options):
        if weights:
            raise Exception("URL fetch failure\nand much more")
        return made(weights=None, **options)

    monkeypatch.setattr(keras.applications, "MobileNet", offline)
    sentence = r"ImageNet weights of 'MobileNet' cannot be had \(URL fetch failure\): give a file"
    with pytest.raises(ModelError, match=sentence):
        build("mobilenet", weights="imagenet")


def test_networks_that_would_not_load_safely_are_not_offered():
    sentence = r"no backbone 'ConvNeXtTiny', did you mean '\w+', '\w+' or '\w+'\? python -m"
    with pytest.raises(UsageError, match=sentence):
        build("ConvNeXtTiny")
    assert backbones.NAMES["resnet50"] == "ResNet50"


def test_a_slip_of_the_pen_gets_the_nearest_names():
    with pytest.raises(UsageError) as refused:
        build("ResNet50V3")
    assert "'ResNet50V2', 'ResNet50' or" in str(refused.value)
    assert len(str(refused.value)) < 180


def test_running_statistics_follow_within_a_few_hundred_steps():
    image = keras.Input((64, 64, 3))
    net = keras.Model(image, keras_backbone(image, "MobileNetV3Small"))
    norms = [one for one in net._flatten_layers() if isinstance(one, layers.BatchNormalization)]
    assert len(norms) > 10
    assert {norm.momentum for norm in norms} == {0.9}
