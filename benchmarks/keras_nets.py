"""The benchmark U-Net in Keras, with the weights that PyTorch trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
from keras import layers

from benchmarks.scene import CHANNELS, N_BANDS, N_CLASSES


def block(x: keras.KerasTensor, n_out: int) -> keras.KerasTensor:
    for _ in range(2):
        x = layers.Conv2D(n_out, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(epsilon=1e-5)(x))
    return x


def unet(name: str) -> keras.Model:
    """The net of `torch_nets.UNet`, layers made in the same order."""
    channels, skips = CHANNELS[name], []
    image = x = keras.Input((None, None, N_BANDS))
    for level, n_out in enumerate(channels):
        x = block(x if level == 0 else layers.MaxPooling2D()(x), n_out)
        skips.append(x)
    for skip, n_out in zip(skips[-2::-1], channels[-2::-1], strict=True):
        x = block(layers.Concatenate()([skip, layers.UpSampling2D()(x)]), n_out)
    return keras.Model(image, layers.Conv2D(N_CLASSES, 1)(x))


def made_in_order(model: keras.Model) -> Iterator[keras.Layer]:
    """Layers with weights; their automatic names count up as they were made."""
    weighty = [layer for layer in model.layers if layer.weights]

    def order(layer: keras.Layer) -> int:
        number = layer.name.rpartition("_")[2]
        return int(number) if number.isdigit() else 0

    convolutions = sorted((x for x in weighty if isinstance(x, layers.Conv2D)), key=order)
    norms = sorted((x for x in weighty if not isinstance(x, layers.Conv2D)), key=order)
    for convolution, norm in zip(convolutions, norms, strict=False):
        yield from (convolution, norm)
    yield convolutions[-1]


def load_unet(weights: Path) -> keras.Model:
    arrays = np.load(weights)
    rest = [arrays[k] for k in arrays.files if not k.endswith("num_batches_tracked")]
    keras.utils.clear_session()
    model = unet(weights.stem)
    for layer in made_in_order(model):
        values = [rest.pop(0) for _ in layer.weights]
        if isinstance(layer, layers.Conv2D):
            values[0] = values[0].transpose(2, 3, 1, 0)
        layer.set_weights(values)
    return model
