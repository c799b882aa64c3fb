"""The card of a model that a lesson trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from rs_workbench import probe
from rs_workbench.card import Band, LegendClass, ModelCard, TrainingData
from rs_workbench.types import Image, Scores
from tiling.windows import round_up

LEAST_TILE = 256
"""Smallest tile the card proposes, px."""


def measure_card(
    predict: Callable[[Image], Scores],
    *,
    name: str,
    bands: Sequence[Band],
    classes: Sequence[LegendClass],
    dtype: str,
    nodata: Sequence[float] = (),
    pixel_size: float | None = None,
    description: str = "",
    training_data: TrainingData | None = None,
) -> ModelCard:
    """Measure the stride and the reach of a network, and write down what else a map needs.

    Parameters
    ----------
    predict : callable
        Scores (N, K, H, W) of a scaled batch (N, B, H, W): logits.
    name : str
        Of the model.
    bands : sequence of Band
        What it reads, with the scaling of training; `measure_bands` makes them.
    classes : sequence of LegendClass
        In the order of its scores.
    dtype : str
        Type of the pixels of the scenes.
    nodata : sequence of float
        Values that mean no data in scenes that declare none.
    pixel_size : float, optional
        m.
    description : str
        One sentence.
    training_data : TrainingData, optional
        What it learnt from.

    Returns
    -------
    ModelCard
        For ``save_model`` of the cases.

    Raises
    ------
    ModelError
        If the network takes none of the tile sizes tried.
    """
    found = probe.measure(predict, len(bands))
    return ModelCard(
        name=name,
        description=description,
        bands=tuple(bands),
        dtype=dtype,
        nodata=tuple(nodata),
        classes=tuple(classes),
        pixel_size=pixel_size,
        tile=round_up(LEAST_TILE, found.stride),
        stride=found.stride,
        reach=found.reach,
        effective_reach=found.effective_reach,
        training_data=training_data,
        provenance=f"a lesson of rs-workbench {version('rs-workbench')}",
    )


def measure_bands(images: NDArray[np.generic], names: Sequence[str]) -> tuple[Band, ...]:
    """Measure the scaling of each band on training tiles.

    Parameters
    ----------
    images : ndarray, shape (N, B, H, W)
        Training tiles in scene units, without nodata.
    names : sequence of str
        Names of the B bands.

    Returns
    -------
    tuple of Band
        Mean, standard deviation, 2nd and 98th percentile.
    """
    by_band = np.moveaxis(images, 1, 0).reshape(images.shape[1], -1)
    return tuple(_band(name, values) for name, values in zip(names, by_band, strict=True))


def _band(name: str, values: NDArray[np.generic]) -> Band:
    pixels = values.astype(np.float64)
    low, high = np.percentile(pixels[:: max(1, pixels.size // 1_000_000)], (2, 98))
    mean, std = (float(f"{value:.6g}") for value in (pixels.mean(), pixels.std()))
    return Band(name=name, mean=mean, std=std or 1.0, low=float(low), high=float(high))


def scale_images(images: NDArray[np.generic], bands: Sequence[Band]) -> NDArray[np.float32]:
    """Scale tiles as every map does: ``(value - mean) / std``.

    Parameters
    ----------
    images : ndarray, shape (N, B, H, W)
        In scene units.
    bands : sequence of Band
        Of the card.

    Returns
    -------
    ndarray of float32, shape (N, B, H, W)
        What the network sees.
    """
    mean, std = (
        np.array([getattr(band, key) for band in bands], np.float32)[:, None, None]
        for key in ("mean", "std")
    )
    return ((images.astype(np.float32) - mean) / std).astype(np.float32)
