"""CbrrUnet: a U-Net of residual, dilated blocks whose six decoder maps all vote.

The twin of `torch_cases/models/cbrr_unet.py`: same layers, same names, same scores.
"""

from __future__ import annotations

from typing import Literal, get_args

import keras
from keras import layers

from rs_workbench.networks import check_choice

Up = Literal["bilinear", "nearest"]

DEPTHS = (1, 2, 4, 8, 8, 8)
"""Channels of the six levels, in multiples of `width`."""
SIZES = (1, 2, 4, 8, 8, 8)
"""Full size over the size of each level: the last three look farther instead of shrinking."""
DILATIONS = (1, 1, 1, 1, 2, 4)
"""How far apart the taps of each level's 3 x 3 convolution are, px of that level."""


def cbrr_unet(
    n_bands: int, n_classes: int, *, width: int = 64, up: Up = "bilinear", bias: bool = True
) -> keras.Model:
    """Score every pixel with a residual dilated U-Net and six-path fusion.

    Three poolings only; below them, dilation widens the view at one eighth of the size. Each
    decoder level scores the scene at its own size, and the six scores are added up.

    Parameters
    ----------
    n_bands, n_classes : int
        Bands in, scores out.
    width : int
        Channels at full size; 64 is the course's.
    up : {"bilinear", "nearest"}
        How maps are enlarged.
    bias : bool
        Whether convolutions carry a bias, as the course's do. Batch norm takes it away again, so
        that it learns nothing; without it 12,288 parameters fewer do the same.

    Returns
    -------
    keras.Model
        Input (N, H, W, B), output (N, H, W, K), logits; `stride` is its total stride, 8 px, of
        which heights and widths are multiples.

    Raises
    ------
    UsageError
        If `up` is neither of the two.

    Notes
    -----
    The course's network of task 4, 22,149,381 parameters with 6 bands and 5 classes; no paper is
    known. Its second 3 x 3 convolution on the six fused maps (`outputs_pre`, 221,504 parameters)
    led nowhere and is left out here, as it is in the count. The course enlarges six maps of
    64 channels to full size, joins them and applies a 1 x 1 convolution. Both steps are linear,
    so that their order is free: here each map is scored first and its few scores are enlarged,
    which is the same function of the same weights with a fraction of the memory.

    Examples
    --------
    >>> cbrr_unet(n_bands=6, n_classes=5, width=8).count_params()
    353061
    """
    check_choice("upsampling", up, get_args(Up))
    image = x = keras.Input((None, None, n_bands), name="image")
    widths = [width * depth for depth in DEPTHS]
    skips = []
    for level, n_out in enumerate(widths):
        x = layers.MaxPooling2D(2)(x) if shrinks(level) else x
        x = cbrr(x, n_out, dilation=DILATIONS[level], bias=bias, name=f"encoder-{level}")
        skips.append(x)  # (N, H / SIZES[level], ..., n_out)
    votes = []
    for level in reversed(range(len(widths))):
        x = enlarge(x, 2, kind=up) if shrinks(level + 1) else x
        x = cbrr(x, widths[level], dilation=DILATIONS[level], bias=bias, name=f"decoder-{level}")
        x = layers.Concatenate()([x, skips[level]])  # (N, H / SIZES[level], ..., 2 n_out)
        path = conv(x, width, 3, bias=bias, name=f"path-{level}")
        vote = score(path, n_classes, level=level, n_joined=len(widths) * width)
        votes.append(enlarge(vote, SIZES[level], kind=up))  # (N, H, W, K)
    model = keras.Model(image, layers.Add()(votes), name="cbrr_unet")
    model.stride = max(SIZES)
    return model


def shrinks(level: int) -> bool:
    """Whether a level is half the size of the one above."""
    return 0 < level < len(SIZES) and SIZES[level] > SIZES[level - 1]


def cbrr(
    x: keras.KerasTensor, n_out: int, *, dilation: int, bias: bool, name: str
) -> keras.KerasTensor:
    """Enter by 1 x 1, look around by 3 x 3, leave by 1 x 1, and add what entered."""
    entered = conv(x, n_out, 1, bias=bias, name=f"{name}-enter")
    x = conv(entered, n_out, 3, dilation=dilation, bias=bias, name=f"{name}-look")
    x = conv(x, n_out, 1, bias=bias, name=f"{name}-leave")
    return layers.Add()([x, entered])


def conv(
    x: keras.KerasTensor, n_out: int, kernel: int, *, bias: bool, name: str, dilation: int = 1
) -> keras.KerasTensor:
    """Convolve, normalise, rectify."""
    x = layers.Conv2D(
        n_out,
        kernel,
        padding="same",
        dilation_rate=dilation,
        use_bias=bias,
        kernel_initializer="glorot_uniform",
        name=f"{name}-conv",
    )(x)
    x = layers.BatchNormalization(momentum=0.95, epsilon=1e-3, name=f"{name}-norm")(x)
    return layers.ReLU()(x)


def score(x: keras.KerasTensor, n_classes: int, *, level: int, n_joined: int) -> keras.KerasTensor:
    """One sixth of a 1 x 1 convolution on the joined maps; one sixth carries the bias."""
    limit = (6 / (n_joined + n_classes)) ** 0.5  # Glorot's, of the joined convolution
    return layers.Conv2D(
        n_classes,
        1,
        use_bias=level == 0,
        kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
        name=f"score-{level}",
    )(x)


def enlarge(x: keras.KerasTensor, factor: int, *, kind: Up) -> keras.KerasTensor:
    """`factor` times the height and width."""
    return layers.UpSampling2D(factor, interpolation=kind)(x) if factor > 1 else x


build = cbrr_unet
