"""Xception with dilation: what DeepLabV3+ rests on, large as in the course or small for a laptop.

The twin of `torch_cases/models/xception.py`: same layers, same names, same scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers


@dataclass(frozen=True)
class Sizes:
    """Channels of every part."""

    stem: tuple[int, int]
    entry: tuple[int, int, int]
    n_middle: int  # residual blocks as wide as the last of `entry`
    exit: tuple[int, int, int]
    end: tuple[int, int, int]


XCEPTION = Sizes((32, 64), (128, 256, 728), 16, (728, 1024, 1024), (1536, 1536, 2048))
"""As in the course's land-cover case."""
MINI = Sizes((16, 24), (32, 48, 96), 2, (96, 128, 128), (160, 160, 192))
"""The same network a tenth as wide and with two middle blocks, which a laptop trains."""


def xception(
    x: keras.KerasTensor, sizes: Sizes, *, output_stride: int
) -> dict[int, keras.KerasTensor]:
    """Turn an image into features at ever smaller sizes.

    Parameters
    ----------
    x : KerasTensor, shape (N, H, W, B)
        The image.
    sizes : Sizes
        `XCEPTION` or `MINI`.
    output_stride : {8, 16}
        Full size over the size of the last features. With 8 the last parts keep their size and
        look twice as far by dilation.

    Returns
    -------
    dict of int to KerasTensor
        Features by their stride: 2, 4, 8 and, where that is the output stride, 16.

    References
    ----------
    F. Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", CVPR 2017,
    https://arxiv.org/abs/1610.02357; with the changes of L.-C. Chen et al. (DeepLabV3+),
    ECCV 2018.
    Its second entry block keeps its size here, as in the course.
    """
    dilation = 16 // output_stride
    for i, n_out in enumerate(sizes.stem):
        x = conv(x, n_out, 3, stride=2 if i == 0 else 1, name=f"backbone-stem-{i}")
    features = {2: x}  # (N, H / 2, ..., 64)
    for i, stride in enumerate((2, 1, 2)):
        wide = (sizes.entry[i],) * 3
        x = residual(x, wide, stride=stride, name=f"backbone-entry-{i}")
        features[4 if i < 2 else 8] = x  # (N, H / 4, ..., 256) is what decoders take
    for i in range(sizes.n_middle):
        x = residual(x, (sizes.entry[2],) * 3, name=f"backbone-middle-{i}")
    features[8] = x  # (N, H / 8, ..., 728)
    stride = output_stride // 8
    x = residual(x, sizes.exit, stride=stride, dilation=dilation, name="backbone-exit")
    for i, n_out in enumerate(sizes.end):
        x = layers.ReLU()(x)
        x = sep_conv(x, n_out, dilation=2 * dilation, name=f"backbone-end-{i}")
    features[output_stride] = layers.ReLU()(x)  # (N, H / output_stride, ..., 2048)
    return features


def residual(
    x: keras.KerasTensor,
    widths: tuple[int, ...],
    *,
    name: str,
    stride: int = 1,
    dilation: int = 1,
) -> keras.KerasTensor:
    """Three separable convolutions around which the input is led, and added again."""
    shortcut = x
    if stride > 1 or x.shape[-1] != widths[-1]:
        shortcut = conv(x, widths[-1], 1, stride=stride, name=f"{name}-shortcut", relu=False)
    for i, n_out in enumerate(widths):
        last = i == len(widths) - 1
        x = layers.ReLU()(x)
        step = {"stride": stride if last else 1, "dilation": dilation}
        x = sep_conv(x, n_out, name=f"{name}-separable-{i}", **step)
    return layers.Add()([x, shortcut])


def sep_conv(
    x: keras.KerasTensor,
    n_out: int,
    *,
    name: str,
    stride: int = 1,
    dilation: int = 1,
    relu: bool = False,
) -> keras.KerasTensor:
    """Look around within each channel, then mix the channels: 3 x 3 at a tenth of the cost."""
    x = layers.DepthwiseConv2D(
        3,
        strides=stride,
        dilation_rate=dilation,
        padding="valid",
        use_bias=False,
        # he_normal would count all channels, but each value comes from nine pixels
        depthwise_initializer=keras.initializers.RandomNormal(stddev=(2 / 9) ** 0.5),
        name=f"{name}-depthwise",
    )(pad(x, stride, dilation))
    if relu:  # without it, the norm after the mixing would take the shift of this one away
        x = layers.ReLU()(normalise(f"{name}-between-norm")(x))
    return conv(x, n_out, 1, name=f"{name}-pointwise", relu=relu)


def conv(
    x: keras.KerasTensor, n_out: int, kernel: int, *, name: str, stride: int = 1, relu: bool = True
) -> keras.KerasTensor:
    """Convolve, normalise and, unless told otherwise, rectify."""
    x = layers.Conv2D(
        n_out,
        kernel,
        strides=stride,
        padding="valid",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}-conv",
    )(pad(x, stride) if kernel > 1 else x)
    x = normalise(f"{name}-norm")(x)
    return layers.ReLU()(x) if relu else x


def pad(x: keras.KerasTensor, stride: int, dilation: int = 1) -> keras.KerasTensor:
    """Pad for 3 x 3 as PyTorch does: with a stride, Keras' own "same" is one pixel off.

    Said apart, the padding also lets a dilated depthwise convolution become one step in ONNX.
    """
    after = dilation if stride == 1 else 0  # an even size needs none
    return layers.ZeroPadding2D(((dilation, after), (dilation, after)))(x)


def normalise(name: str) -> keras.Layer:
    """Mean 0 and spread 1 of each channel over the batch."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-3, name=name)
