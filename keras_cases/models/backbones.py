"""Backbones by name, from keras.applications, for any bands and any output stride.

Those networks end at stride 32. Here strides beyond 16 or 8 are taken out, and what follows looks
farther by dilation, which leaves the trained weights as they are.
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Iterator

import keras
import numpy as np
from keras import layers

from rs_workbench.errors import ModelError, UsageError

EXPECTS = {
    r"ResNet\d+|VGG\d+": (57.4, 0.0, True),
    r"ResNet\d+V2|MobileNet\w*|Xception|EfficientNetV2[SML]": (0.45, -0.06, False),
    r"DenseNet\d+|EfficientNet(B|V2B)\d": (1.0, 0.0, False),
}
"""Scale and offset that turn bands of mean 0 and spread 1 into the pixels on which the ImageNet
weights were trained, and whether those came blue first."""

NAMES = {
    name.lower(): name
    for name in dir(keras.applications)
    if any(re.fullmatch(family, name) for family in EXPECTS)
}
"""Networks by their name in small letters. Inception and NASNet have borders of their own, and
ConvNeXt has layers of its own, so that a `.keras` file of it is not safe to load."""

OURS = ("mini", "xception_course")
"""Built in `deeplabv3.py`, not here."""

MOMENTUM = 0.9
"""Share of the running mean and variance that a training step keeps. Some of these networks come
with 0.999, made for a hundred thousand steps: after a few hundred steps, scores would still rest
on the first guess."""


def keras_backbone(
    image: keras.KerasTensor, name: str, *, weights: str | None = None, output_stride: int = 16
) -> dict[int, keras.KerasTensor]:
    """Turn an image into features at ever smaller sizes by a network of keras.applications.

    Parameters
    ----------
    image : KerasTensor, shape (N, H, W, B)
        Bands of mean 0 and spread 1; a first convolution trained on three is spread over them.
    name : str
        Of the network, such as "ResNet50"; capital letters do not matter.
    weights : str, optional
        "imagenet", or a file that `save_weights` of that network wrote; random where it is None.
    output_stride : {8, 16, 32}
        Full size over the size of the last features.

    Returns
    -------
    dict of int to KerasTensor
        Features by their stride: 2, 4, 8 ... up to the output stride.

    Raises
    ------
    UsageError
        If there is no such network.
    ModelError
        If the weights cannot be had or do not fit.
    """
    name = named(name)
    x, plain = image, load(name, image.shape[-1], weights)
    if weights == "imagenet":
        scale, offset, _ = expected(name)
        x = layers.Rescaling(scale, offset)(x)
    strides = dict(strides_of(plain))
    body = keras.models.clone_model(plain, clone_function=Dilation(plain, strides, output_stride))
    last_of = {}
    for old, new in zip(plain.layers, body.layers, strict=True):
        if new.weights:
            new.set_weights(old.get_weights())
        if not isinstance(new, layers.ZeroPadding2D):
            last_of[min(strides[old.name][1], output_stride)] = new.output
    last_of = {stride: features for stride, features in last_of.items() if stride > 1}
    body = keras.Model(body.input, list(last_of.values()), name="backbone")
    return dict(zip(last_of, body(x), strict=True))


def named(name: str) -> str:
    """Give a network's name as keras.applications writes it."""
    known = {one: one for one in OURS} | NAMES
    if name.lower() not in known:
        near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0)
        first, second, third = (f"'{known[one]}'" for one in near)
        raise UsageError(
            f"there is no backbone '{name}', did you mean {first}, {second} or {third}? "
            "python -m keras_cases.models.backbones  lists all"
        )
    return known[name.lower()]


def load(name: str, n_bands: int, weights: str | None) -> keras.Model:
    """Make the network as it is published, for any bands."""
    make = getattr(keras.applications, name)
    keras.utils.disable_interactive_logging()
    try:
        with warnings.catch_warnings():  # Keras wonders about other than three bands
            warnings.simplefilter("ignore", UserWarning)
            net = make(include_top=False, weights=None, input_shape=(None, None, n_bands))
        if weights == "imagenet":
            trained = make(include_top=False, weights=weights, input_shape=(None, None, 3))
            spread(trained, net, blue_first=expected(name)[2])
        elif weights:
            net.load_weights(weights)
    except Exception as error:  # Keras has many ways to say that there is no such file
        what = "ImageNet weights" if weights == "imagenet" else f"weights '{weights}'"
        raise ModelError(
            f"the {what} of '{name}' cannot be had ({str(error).splitlines()[0][:200]}): give a"
            " file that save_weights of that network wrote, or start from random weights"
        ) from error
    return net


def spread(trained: keras.Model, net: keras.Model, *, blue_first: bool) -> None:
    """Copy weights; those of the first convolution go to all bands in turn, red first."""
    first = True
    for old, new in zip(trained.layers, net.layers, strict=True):
        values = old.get_weights()
        if first and isinstance(old, layers.Conv2D):
            first, n_bands = False, new.kernel.shape[2]
            kernel = values[0][:, :, ::-1] if blue_first else values[0]
            values[0] = kernel[:, :, np.arange(n_bands) % 3] * 3 / n_bands
        if not isinstance(old, layers.Normalization):
            new.set_weights(values)


def strides_of(net: keras.Model) -> Iterator[tuple[str, tuple[int, int]]]:
    """Stride of what each layer takes and of what it gives, by its name."""
    after: dict[str, int] = {}
    for layer in net.layers:  # ordered so that inputs come first
        sources = [t._keras_history.operation.name for t in keras.tree.flatten(layer.input)]
        before = max((after[name] for name in sources if name in after), default=1)
        after[layer.name] = before * stride_of(layer)
        yield layer.name, (before, after[layer.name])


def stride_of(layer: keras.Layer) -> int:
    """Height of what a layer takes over that of what it gives."""
    return int(np.ravel(getattr(layer, "strides", 1))[0])


class Dilation:
    """Copies layers one by one so that no stride goes beyond the output stride.

    A convolution whose input is d times as dense as it was made for takes every d-th pixel of
    it: then each of its weights meets what it was trained on.
    """

    def __init__(
        self, net: keras.Model, strides: dict[str, tuple[int, int]], output_stride: int
    ) -> None:
        self.strides, self.output_stride = strides, output_stride
        self.padded = {  # layers that have a padding of their own before them, and that padding
            consumer.operation.name: layer.name
            for layer in net.layers
            if isinstance(layer, layers.ZeroPadding2D)
            for consumer in layer._outbound_nodes
        }
        self.unpadded = {
            pad for name, pad in self.padded.items() if self._changes(net.get_layer(name))
        }

    def __call__(self, layer: keras.Layer) -> keras.Layer:
        """Copy a layer, changed where it must be."""
        if isinstance(layer, layers.Rescaling | layers.Normalization):
            return layers.Activation("linear", name=layer.name)  # the card scales the bands
        config = layer.get_config()
        if isinstance(layer, layers.BatchNormalization):
            config["momentum"] = MOMENTUM
        if layer.name in self.unpadded:
            config["padding"] = 0
        elif "padding" in config and not isinstance(layer, layers.ZeroPadding2D):
            config |= self._place(layer)
        copy = type(layer).from_config(config)
        if isinstance(layer, layers.DepthwiseConv2D) and max(copy.dilation_rate) > 1:
            return padded_apart(copy)
        return copy

    def _density(self, layer: keras.Layer) -> int:
        return max(1, self.strides[layer.name][0] // self.output_stride)

    def _changes(self, layer: keras.Layer) -> bool:
        return self.strides[layer.name][1] > self.output_stride

    def _place(self, layer: keras.Layer) -> dict[str, object]:
        """Padding, stride and dilation of a convolution or a pooling."""
        changes = self._changes(layer)
        kept = layer.name in self.padded and not changes
        place: dict[str, object] = {"padding": layer.padding if kept else "same"}
        if changes:
            place["strides"] = 1
        if changes and "dilation_rate" in layer.get_config():
            place["dilation_rate"] = self._density(layer)
        return place


def padded_apart(layer: keras.Layer) -> keras.Sequential:
    """Say the padding apart: then a dilated depthwise convolution is one step in ONNX, too."""
    config = layer.get_config() | {"padding": "valid"}
    pads = [d * (k // 2) for d, k in zip(layer.dilation_rate, layer.kernel_size, strict=True)]
    steps = [layers.ZeroPadding2D(tuple(pads)), type(layer).from_config(config)]
    return keras.Sequential(steps, name=layer.name)


def expected(name: str) -> tuple[float, float, bool]:
    """Scale, offset and order of the pixels that the ImageNet weights were trained on."""
    return next(value for family, value in EXPECTS.items() if re.fullmatch(family, name))


if __name__ == "__main__":
    print(*OURS, *NAMES.values(), sep="\n")
