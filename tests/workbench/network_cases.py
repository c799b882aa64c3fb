"""What holds for a network in either framework: published counts, strides, reaches."""

from __future__ import annotations

import numpy as np
import pytest

# name, form, bands, classes, parameters with running statistics. U-Nets: the course's sea-ice and
# hyperspectral notebooks; CbrrUnet: its task 4.
PUBLISHED = [
    ("unet", "SEA_ICE", 3, 1, 31_031_745),
    ("unet", "HYPERSPECTRAL", 6, 5, 7_807_397),
    ("unet", "HYPERSPECTRAL", 3, 2, 7_806_338),
    ("cbrr_unet", None, 6, 5, 22_149_381),
]
CBRR_TRAINED = 22_149_381 - 24_576
CBRR_LEVELS = {  # parameters of each part, from the course's task 4
    "encoder": (42_304, 173_952, 691_968, 2_760_192, 2_891_264, 2_891_264),
    "decoder": (58_304, 231_296, 921_344, 3_153_408, 3_153_408, 2_891_264),
    "path": (74_048, 147_776, 295_232, 590_144, 590_144, 590_144),
    "score": (325, 320, 320, 320, 320, 320),  # 1,925 in all
}

# name, options, total stride in px, reach in px (measured from the structure, torch)
BOUNDED = [
    ("unet", {"width": 2}, 8, 51),
    ("unet", {"width": 2, "up": "bilinear"}, 8, 58),
    ("unet", {"width": 2, "up": "conv", "norm": "none", "depth": 4}, 16, 122),
    ("unet", {"width": 2, "up": "transposed", "depth": 1}, 2, 9),
    ("cbrr_unet", {"width": 2}, 8, 141),
    ("cbrr_unet", {"width": 2, "up": "nearest"}, 8, 134),
]
NARROW = {"width": 4, "rates": (1, 2, 3), "image_pooling": False}
BOUNDED += [
    ("deeplabv3plus", {**NARROW, "output_stride": 8}, 8, 270),
    pytest.param("deeplabv3plus", NARROW, 16, 282, marks=pytest.mark.slow),
    pytest.param("deeplabv3plus", {**NARROW, "decoder": "fine"}, 16, 293, marks=pytest.mark.slow),
]
UNBOUNDED = [
    ("unet", {"width": 8, "norm": "group"}),
    ("deeplabv3plus", {"width": 4}),
]

# name, options that leave no parameter without effect in training
TRAINED = [
    ("unet", {"width": 4}),
    ("unet", {"width": 4, "norm": "none", "up": "conv", "dropout": 0.1}),
    ("unet", {"width": 4, "norm": "group", "up": "transposed", "last_width": 6}),
    ("cbrr_unet", {"width": 4, "bias": False}),
    ("deeplabv3plus", {"width": 16}),
    ("deeplabv3plus", {"width": 16, "decoder": "fine", "output_stride": 8}),
]

# name, options, bands, classes, (height, width)
SHAPES = [
    ("unet", {"width": 2}, 1, 1, (8, 8)),
    ("unet", {"width": 2, "depth": 2}, 13, 7, (36, 20)),
    ("unet", {"width": 2, "depth": 5, "up": "bilinear"}, 3, 2, (32, 96)),
    ("cbrr_unet", {"width": 2}, 6, 5, (40, 24)),
    ("cbrr_unet", {"width": 2}, 224, 1, (8, 16)),
    ("deeplabv3plus", {"width": 4}, 4, 3, (48, 80)),
    ("deeplabv3plus", {"width": 4, "output_stride": 8}, 1, 11, (24, 40)),
    ("deeplabv3plus", {"width": 4, "decoder": "fine"}, 12, 2, (16, 32)),
]

WRONG = [
    ("unet", {"norm": "layer"}, "no normalisation 'layer': choose batch, group or none"),
    ("unet", {"up": "bilinea"}, "no upsampling 'bilinea', did you mean 'bilinear'"),
    ("cbrr_unet", {"up": "conv"}, "no upsampling 'conv': choose bilinear or nearest"),
    ("deeplabv3plus", {"decoder": "fien"}, "no decoder 'fien', did you mean 'fine'"),
    ("deeplabv3plus", {"output_stride": 32}, "no output stride '32'.*16 or 8"),
    (
        "deeplabv3plus",
        {"weights": "imagenet"},
        "no trained weights for backbone 'mini', but weigh",
    ),
    (
        "deeplabv3plus",
        {"backbone": "resnett50"},
        "'resnett50', did you mean .*'(resnet|ResNet)50'",
    ),
]


def label(value):
    """Name a test by what is special about it."""
    if isinstance(value, dict):
        return ",".join(f"{k}={v}" for k, v in value.items()) or "default"
    return None


def moved(predict, n_bands, *, shift, reach, stride):
    """Largest difference between the scores of a strip and those of it moved down, by spread."""
    rows = -(-(2 * reach + 4 * stride + shift) // stride) * stride
    strip = np.random.default_rng(1).standard_normal((1, n_bands, rows + stride, 2 * stride))
    strip = strip.astype(np.float32)
    here = predict(strip[:, :, shift : rows + shift])[0, :, reach : rows - reach - shift]
    there = predict(strip[:, :, :rows])[0, :, reach + shift : rows - reach]
    return float(np.abs(here - there).max() / there.std())


def touched(predict, n_bands, *, reach, stride):
    """How far scores follow when everything above a row is changed, px."""
    row = -(-(reach + stride) // stride) * stride
    strip = np.random.default_rng(2).standard_normal((2, n_bands, 2 * row, 2 * stride))
    strip = strip.astype(np.float32)
    strip[1, :, row:] = strip[0, :, row:]
    before, after = predict(strip)
    moved = np.abs(after - before).max(axis=(0, 2)) > 1e-5 * before.std()
    return int(np.flatnonzero(moved).max()) + 1 - row
