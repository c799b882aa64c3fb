"""U-Net: an encoder sees wider, a decoder sees sharper, skips join them.

The twin of `torch_cases/models/unet.py`: same layers, same names, same scores.
"""

from __future__ import annotations

from functools import partial
from math import gcd
from typing import Any, Literal, get_args

import keras
from keras import layers

from rs_workbench.networks import check_choice

Norm = Literal["none", "batch", "group"]
Up = Literal["nearest", "bilinear", "conv", "transposed"]

SEA_ICE: dict[str, Any] = {
    "width": 64,
    "depth": 4,
    "norm": "none",
    "dropout": 0.5,
    "up": "conv",
}
"""The course's form for sea ice: 31,031,745 parameters with 3 bands and 1 class."""
HYPERSPECTRAL: dict[str, Any] = {
    "width": 32,
    "depth": 4,
    "last_width": 64,
    "norm": "none",
    "up": "conv",
}
"""The course's form for hyperspectral scenes: 7,807,397 with 6 bands and 5 classes."""


def unet(
    n_bands: int,
    n_classes: int,
    *,
    width: int = 16,
    depth: int = 3,
    last_width: int | None = None,
    convolutions: int = 2,
    norm: Norm = "batch",
    dropout: float = 0.0,
    up: Up = "nearest",
) -> keras.Model:
    """Score every pixel from what lies around it.

    All operations look a fixed number of pixels around: no attention and no global pooling. So
    the scores deeper inside a tile than the reach equal those of one pass over a whole scene.

    Parameters
    ----------
    n_bands, n_classes : int
        Bands in, scores out.
    width : int
        Channels at full size; doubled at every pooling.
    depth : int
        Number of poolings. Heights and widths must be multiples of ``2**depth``.
    last_width : int, optional
        Channels of the last decoder block; `width` where it is None.
    convolutions : int
        Of 3 x 3, in each block.
    norm : {"none", "batch", "group"}
        What follows each convolution of a block. Group norm needs no large batch, but takes its
        mean over the whole tile: the reach has no bound then.
    dropout : float
        Share of values set to zero after the two deepest encoder blocks, while training.
    up : {"nearest", "bilinear", "conv", "transposed"}
        How a map is enlarged: its pixels repeated; interpolated; repeated and convolved by
        2 x 2; or by a transposed convolution. The first two learn nothing.

    Returns
    -------
    keras.Model
        Input (N, H, W, B), output (N, H, W, K), logits; `stride` is its total stride, px.

    Raises
    ------
    UsageError
        If `norm` or `up` is none of those named.

    References
    ----------
    O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional Networks for Biomedical Image
    Segmentation", MICCAI 2015, https://arxiv.org/abs/1505.04597. Ours differs by zero padding
    (the size stays) and, unless told otherwise, by batch normalisation and upsampling without
    learned weights.

    Examples
    --------
    >>> unet(n_bands=3, n_classes=7, up="conv").count_params()
    484247
    """
    check_choice("normalisation", norm, get_args(Norm))
    check_choice("upsampling", up, get_args(Up))
    block = partial(conv_block, convolutions=convolutions, norm=norm)
    widths = [width * 2**level for level in range(depth + 1)]
    image = x = keras.Input((None, None, n_bands), name="image")
    skips = []
    for level, n_out in enumerate(widths):
        x = layers.MaxPooling2D(2)(x) if level else x
        x = block(x, n_out, name=f"encoder-{level}")  # (N, H / 2**level, ..., width * 2**level)
        x = layers.Dropout(dropout)(x) if level >= depth - 1 else x
        skips.append(x)
    x = skips.pop()
    outs = [last_width or width, *widths[1:]]
    for level in reversed(range(depth)):
        x = enlarge(x, widths[level], kind=up, name=f"up-{level}")  # twice the size
        x = layers.Concatenate()([skips.pop(), x])
        x = block(x, outs[level], name=f"decoder-{level}")
    scores = layers.Conv2D(n_classes, 1, kernel_initializer="he_normal", name="head")(x)
    model = keras.Model(image, scores, name="unet")
    model.stride = 2**depth
    return model


def conv_block(
    x: keras.KerasTensor, n_out: int, *, name: str, convolutions: int, norm: Norm
) -> keras.KerasTensor:
    """Some 3 x 3 convolutions, each normalised and rectified; the size stays."""
    for i in range(convolutions):
        x = layers.Conv2D(
            n_out,
            3,
            padding="same",
            use_bias=norm == "none",  # a norm would take the bias away again
            kernel_initializer="he_normal",
            name=f"{name}-conv_{i}",
        )(x)
        if norm != "none":
            x = normalise(norm, n_out, name=f"{name}-norm_{i}")(x)
        x = layers.ReLU()(x)
    return x


def normalise(norm: Norm, n_channels: int, *, name: str) -> keras.Layer:
    """Mean 0 and spread 1: of a channel over the batch, or of eight groups over a tile."""
    if norm == "group":
        return layers.GroupNormalization(gcd(8, n_channels), epsilon=1e-5, name=name)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)


def enlarge(x: keras.KerasTensor, n_out: int, *, kind: Up, name: str) -> keras.KerasTensor:
    """Twice the height and width; `n_out` channels where the kind learns, else as many as came."""
    if kind == "transposed":
        kernel = {"kernel_initializer": "he_normal", "name": f"{name}-conv"}
        return layers.Conv2DTranspose(n_out, 2, strides=2, **kernel)(x)
    if kind == "bilinear":
        return layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = layers.UpSampling2D(2, interpolation="nearest")(x)
    if kind == "conv":
        kernel = {"kernel_initializer": "he_normal", "name": f"{name}-conv"}
        x = layers.Conv2D(n_out, 2, padding="same", activation="relu", **kernel)(x)
    return x


build = unet
