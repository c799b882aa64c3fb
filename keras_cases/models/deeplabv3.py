"""DeepLabV3+: any backbone, a pyramid of dilated convolutions, and a decoder that finds edges.

The twin of `torch_cases/models/deeplabv3.py`: same layers, same names and, with the backbones
"mini" and "xception_course", same scores.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import keras
from keras import layers

from keras_cases.models.backbones import keras_backbone
from keras_cases.models.xception import MINI, XCEPTION, conv, sep_conv, xception
from rs_workbench.errors import UsageError
from rs_workbench.networks import check_choice

Decoder = Literal["course", "fine"]
Features = dict[int, keras.KerasTensor]

OWN = {"mini": MINI, "xception_course": XCEPTION}
SKIP = 48
"""Channels to which a skip is narrowed, so that it does not outweigh what comes from below."""


def deeplabv3plus(
    n_bands: int,
    n_classes: int,
    *,
    backbone: str = "mini",
    weights: str | None = None,
    output_stride: int = 16,
    width: int = 256,
    rates: tuple[int, ...] | None = None,
    image_pooling: bool = True,
    dropout: float = 0.1,
    decoder: Decoder = "course",
) -> keras.Model:
    """Score every pixel from what lies around it at several distances.

    Parameters
    ----------
    n_bands, n_classes : int
        Bands in, scores out.
    backbone : str
        "mini" or "xception_course", which have a twin in PyTorch, or a network of
        keras.applications such as "ResNet50".
    weights : str, optional
        Trained weights of a backbone that is not ours: "imagenet", or a file that `save_weights`
        of it wrote; random where it is None.
    output_stride : {8, 16, 32}
        Full size over the size of the last features. Smaller sees finer and costs more; a
        backbone of 32 is changed to 16 or 8 by dilation, with the same weights. Heights and
        widths must be multiples of it. 32 is for backbones that end there.
    width : int
        Channels of the pyramid and the decoder.
    rates : tuple of int, optional
        Dilations of the pyramid, px of the last features. Where it is None, those of the paper,
        which look 96, 192 and 288 px far: 6, 12 and 18 at stride 16, twice as much at stride 8.
        The course takes 6, 12 and 18 at stride 8.
    image_pooling : bool
        Whether the mean of the whole tile takes part. Then the scores depend on where a tile ends,
        the reach has no bound, and a scene's map is not quite that of one pass. It needs
        batches of three or more to be trained, as batch norm finds no spread in one value.
    dropout : float
        Share of values set to zero after the pyramid, while training.
    decoder : {"course", "fine"}
        "course" joins the features of stride 4 and enlarges by 4; "fine" also joins those of
        stride 8 and 2, so that narrow things survive.

    Returns
    -------
    keras.Model
        Input (N, H, W, B), output (N, H, W, K), logits; `stride` is its total stride, px.

    Raises
    ------
    UsageError
        If there is no such backbone or decoder, or the backbone cannot be given that stride.
    ModelError
        If the weights cannot be had or do not fit.

    References
    ----------
    L.-C. Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic Image
    Segmentation", ECCV 2018, https://arxiv.org/abs/1802.02611.

    Examples
    --------
    >>> deeplabv3plus(n_bands=4, n_classes=7).stride
    16
    """
    check_choice("decoder", decoder, get_args(Decoder))
    check_choice("output stride", output_stride, (8, 16) if backbone in OWN else (8, 16, 32))
    if weights and backbone in OWN:
        raise UsageError(
            f"there are no trained weights for backbone '{backbone}', but weights='{weights}' was"
            " asked for: leave weights out or choose another backbone"
        )
    image = keras.Input((None, None, n_bands), name="image")
    if backbone in OWN:
        features = xception(image, OWN[backbone], output_stride=output_stride)
    else:
        features = keras_backbone(image, backbone, weights=weights, output_stride=output_stride)
    rates = rates or tuple(96 * i // output_stride for i in (1, 2, 3))
    x = pyramid(features[output_stride], width, rates=rates, image_pooling=image_pooling)
    x = layers.Dropout(dropout)(x)
    steps = plan(decoder, features, width)
    x = decode(x, features, steps)  # (N, H / 4, ..., width), or H / 2 where it is fine
    x = layers.Conv2D(n_classes, 1, kernel_initializer="he_normal", name="head")(x)
    # A 1 x 1 convolution and an enlargement may change places: the few scores are enlarged.
    model = keras.Model(image, enlarge(x, steps[-1][0]), name="deeplabv3plus")
    model.stride = output_stride
    return model


def pyramid(
    x: keras.KerasTensor, width: int, *, rates: tuple[int, ...], image_pooling: bool
) -> keras.KerasTensor:
    """Look at one place, at rings ever farther away, and at the whole tile; mix what was seen.

    The paper copies the tile's mean to every pixel, joins it to the other branches and mixes all
    by a 1 x 1 convolution. That equals the sum of two 1 x 1 convolutions, one of the branches and
    one of the mean, which needs no copies.
    """
    branches = [conv(x, width, 1, name="pyramid-point")]
    for i, rate in enumerate(rates):
        ring = sep_conv(x, width, dilation=rate, relu=True, name=f"pyramid-ring-{i}")
        branches.append(ring)  # (N, h, w, width)
    mixed = mix(layers.Concatenate()(branches), width, name="pyramid-mix")
    if image_pooling:
        mean = layers.GlobalAveragePooling2D(keepdims=True)(x)  # (N, 1, 1, channels)
        mean = conv(mean, width, 1, name="pyramid-mean")
        mixed = layers.Add()([mixed, mix(mean, width, name="pyramid-mix_mean")])
    mixed = layers.BatchNormalization(momentum=0.9, epsilon=1e-3, name="pyramid-norm")(mixed)
    return layers.ReLU()(mixed)


def mix(x: keras.KerasTensor, width: int, *, name: str) -> keras.KerasTensor:
    """A bare 1 x 1 convolution."""
    return layers.Conv2D(width, 1, use_bias=False, kernel_initializer="he_normal", name=name)(x)


def plan(kind: Decoder, strides: Iterable[int], width: int) -> list[tuple[int, tuple[int, ...]]]:
    """List at which strides a decoder stops, and the channels of its convolutions there."""
    if kind == "course":
        return [(4, (width, width))]
    finer = sorted((s for s in strides if 2 <= s < max(strides)), reverse=True)
    return [(s, (width if s >= 4 else width // 2,)) for s in finer]  # fewer where pixels are many


def decode(
    x: keras.KerasTensor, features: Features, steps: list[tuple[int, tuple[int, ...]]]
) -> keras.KerasTensor:
    """Enlarge, put the narrowed features of that stride beside, look around; then again."""
    above = max(features)
    for stride, widths in steps:
        skip = conv(features[stride], SKIP, 1, name=f"decoder-skip-{stride}")
        x = layers.Concatenate()([enlarge(x, above // stride), skip])
        for i, n_out in enumerate(widths):
            x = sep_conv(x, n_out, relu=True, name=f"decoder-look-{stride}-{i}")
        above = stride
    return x


def enlarge(x: keras.KerasTensor, factor: int) -> keras.KerasTensor:
    """`factor` times the height and width."""
    return layers.UpSampling2D(factor, interpolation="bilinear")(x) if factor > 1 else x


build = deeplabv3plus
