"""Little Keras networks, written to disk; import only after `require_framework`."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers


def write_pointwise(folder: Path, weights: np.ndarray, activation: str | None = None) -> Path:
    n_classes, n_bands = weights.shape
    image = keras.Input((None, None, n_bands))
    conv = layers.Conv2D(n_classes, 1, use_bias=False, activation=activation)
    model = keras.Model(image, conv(image))
    conv.set_weights([weights.T[None, None]])
    path = folder / "pointwise.keras"
    model.save(path)
    return path


def unet(
    n_bands: int = 3, n_classes: int = 4, *, size=(None, None), width: int = 8
) -> keras.Model:
    """Make a U-Net with two poolings, so its stride is 4 px."""
    keras.utils.set_random_seed(7)
    image = keras.Input((*size, n_bands))

    def block(x, filters):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        return layers.Activation("relu")(layers.BatchNormalization()(x))

    first = block(image, width)
    second = block(layers.MaxPooling2D()(first), 2 * width)
    x = block(layers.MaxPooling2D()(second), 4 * width)
    x = layers.Conv2DTranspose(2 * width, 2, strides=2)(x)
    x = block(layers.Concatenate()([x, second]), 2 * width)
    x = layers.UpSampling2D(interpolation="bilinear")(x)
    x = block(layers.Concatenate()([x, first]), width)
    return keras.Model(image, layers.Conv2D(n_classes, 1)(x), name="unet")


def write_deep(folder: Path, n_bands: int, n_classes: int) -> Path:
    path = folder / "deep.keras"
    unet(n_bands, n_classes).save(path)
    return path
