"""A network that was trained on components, made to read the raw bands of a scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_cases.shared import predict_bands_first
from rs_workbench.card import Band
from rs_workbench.lessons.card import measure_card
from rs_workbench.spectra.pointwise import card_bands, fold_transform
from rs_workbench.spectra.transform import LinearTransform
from rs_workbench.training.keras_files import export_network


def with_transform(
    model: keras.Model, transform: LinearTransform
) -> tuple[keras.Model, tuple[Band, ...]]:
    """Put PCA or MNF in front as a fixed 1 x 1 convolution; also give the bands for the card."""
    layer = fold_transform(transform)
    bands = keras.Input((None, None, transform.n_bands), name="bands")
    pointwise = keras.layers.Conv2D(
        transform.n_components, 1, name=transform.kind, trainable=False
    )
    whole = keras.Model(bands, model(pointwise(bands)), name=f"{model.name}_of_raw_bands")
    pointwise.set_weights([layer.keras_kernel, layer.bias])
    return whole, card_bands(transform, layer)


def save_with_transform(
    model: keras.Model, transform: LinearTransform, folder: Path, **about: Any
) -> Path:
    """Write ``model.keras``, which reads raw bands, with its card; `about` as `measure_card`.

    Stride and reach are measured on the network of components: pixel by pixel, the layer in front
    changes neither.
    """
    raw, bands = with_transform(model, transform)
    components = [Band(name=name) for name in transform.component_names]
    card = measure_card(lambda batch: predict_bands_first(model, batch), bands=components, **about)
    bare = keras.models.clone_model(raw)  # without loss and optimiser, which a map never needs
    bare.set_weights(raw.get_weights())
    return export_network(bare, folder, card.model_copy(update={"bands": bands}))


def label_images(model: keras.Model, images: np.ndarray, batch: int = 16) -> np.ndarray:
    """Name the class of every pixel: the highest score, whatever it is; (N, H, W) uint8."""
    found = [
        predict_bands_first(model, images[start : start + batch]).argmax(axis=1)
        for start in range(0, len(images), batch)
    ]
    return np.concatenate(found).astype(np.uint8)
