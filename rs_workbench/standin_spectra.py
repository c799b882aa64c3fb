"""A hyperspectral scene, drawn: spectra mixed from a small library, with noise and bad bands."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import LegendClass
from rs_workbench.errors import UsageError
from rs_workbench.sample_paint import fractal
from rs_workbench.types import LabelMap, Mask

SPECTRA_CLASSES = (
    LegendClass(value=1, name="roof", name_zh="屋顶", color="#c8352e"),
    LegendClass(value=2, name="pavement", name_zh="铺装", color="#8c8c8c"),
    LegendClass(value=3, name="low vegetation", name_zh="低矮植被", color="#c9b458"),
    LegendClass(value=4, name="tree", name_zh="树木", color="#3f7d3a"),
    LegendClass(value=5, name="soil", name_zh="裸土", color="#b07a4a"),
    LegendClass(value=6, name="water", name_zh="水体", color="#2b6fb5"),
)
UNLABELLED = 0
NODATA = np.float32(-32768)
SCALE = 10_000  # stored value of a reflectance of 1
RANGE = (420.0, 2450.0)  # nm
ABSORBED = ((1340.0, 1450.0), (1790.0, 1960.0))
"""Where water vapour leaves no light, nm: noise only, except for the middle, which is nodata."""
COMMONNESS = (0.10, 0.17, 0.28, 0.30, 0.04, 0.11)
PATCH = 14  # px, about, from one cover to the next
SMEAR = 1.2  # px, blur of the sensor: pixels near borders are mixed
MIN_SIDE = 16  # px
MIN_BANDS = 8


class SpectralScene(NamedTuple):
    """A drawn hyperspectral scene.

    Attributes
    ----------
    cube : ndarray of float32, shape (B, H, W)
        Reflectance times 10,000; -32768 in bands without data.
    wavelengths : ndarray of float64, shape (B,)
        Centres of the bands, nm.
    good_bands : ndarray of bool, shape (B,)
        False for bands in which water vapour leaves only noise, or nothing.
    label_map : ndarray of uint8, shape (H, W)
        0 unlabelled, else as in `SPECTRA_CLASSES`.
    cover : ndarray of uint8, shape (H, W)
        The class of which there is most, in every pixel.
    shares : ndarray of float32, shape (6, H, W)
        Share of every class; they sum to 1.
    library : ndarray of float64, shape (6, B)
        Reflectance of the pure classes, 0 to 1.
    """

    cube: NDArray[np.float32]
    wavelengths: NDArray[np.float64]
    good_bands: Mask
    label_map: LabelMap
    cover: LabelMap
    shares: NDArray[np.float32]
    library: NDArray[np.float64]


def draw_spectra(
    height: int = 128, width: int = 128, *, n_bands: int = 224, seed: int = 0
) -> SpectralScene:
    """Draw a hyperspectral scene whose every pixel is a known mixture.

    Realistic: spectra have the features one looks for (red edge, water and clay absorption, iron
    at 900 nm); pixels near borders are mixed; every pixel has its own brightness and every
    class its own inner variety, correlated over bands and in space; noise grows towards both
    ends; bands in the absorption of water vapour are bad, and some of them wholly nodata; few
    pixels are labelled, in patches, as a person would. Not realistic: mixing is linear, spectra
    are sums of smooth curves and not measured, there is no atmosphere, no smile, no stripes.

    Parameters
    ----------
    height, width : int
        Size, px; about 30 m each.
    n_bands : int
        Bands, evenly from 420 to 2450 nm.
    seed : int
        Another seed, another scene; the same arguments, the same bytes.

    Returns
    -------
    SpectralScene
        Cube, wavelengths, labels, and the truth behind them.

    Raises
    ------
    UsageError
        If size or bands are too few.
    """
    if min(height, width) < MIN_SIDE or n_bands < MIN_BANDS:
        raise UsageError(
            f"drawn spectra need at least {MIN_SIDE} x {MIN_SIDE} px and {MIN_BANDS} bands: got "
            f"{height} x {width} px and {n_bands}"
        )
    rng = np.random.default_rng(seed)
    wavelengths = np.linspace(*RANGE, n_bands)
    library = spectral_library(wavelengths)
    shares, cover = _draw_shares((height, width), rng)
    cube = _mix(shares, library, rng)
    absorbed = _within(wavelengths, ABSORBED)
    cube += _draw_noise(wavelengths, absorbed, cube.shape, rng)
    cube *= SCALE
    cube[_lost(wavelengths)] = NODATA
    labels = _label_some(shares, cover, rng)
    return SpectralScene(cube, wavelengths, ~absorbed, labels, cover, shares, library)


def spectral_library(wavelengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the reflectance of the six pure classes.

    Parameters
    ----------
    wavelengths : ndarray of float64, shape (B,)
        Centres of the bands, nm.

    Returns
    -------
    ndarray of float64, shape (6, B)
        In the order of `SPECTRA_CLASSES`, between 0.005 and 0.7.
    """
    x = np.asarray(wavelengths, np.float64)
    roof = 0.10 + 0.20 * _step(x, 590, 35) + 0.05 * _step(x, 1300, 300)
    roof = roof - 0.05 * _bump(x, 880, 120) - 0.03 * _bump(x, 2210, 50)
    pavement = 0.11 + 0.07 * _step(x, 700, 220) + 0.03 * _step(x, 1700, 300)
    pavement = pavement - 0.015 * _bump(x, 2320, 50)
    soil = 0.07 + 0.24 * _step(x, 750, 170) + 0.13 * _step(x, 1500, 260)
    soil = soil - 0.05 * _bump(x, 900, 90) - 0.06 * _bump(x, 1930, 80) - 0.05 * _bump(x, 2205, 40)
    water = 0.015 + 0.06 * _bump(x, 540, 90)
    spectra = [roof, pavement, _leaves(x, 0.52, 0.9), _leaves(x, 0.40, 1.25), soil, water]
    return np.clip(np.stack(spectra), 0.005, 0.7)


def _leaves(x: NDArray[np.float64], plateau: float, depth: float) -> NDArray[np.float64]:
    """Leaves: pigments, red edge, cells that scatter, and the water in them."""
    spectrum = 0.035 + 0.06 / depth * _bump(x, 550, 35) + plateau * _step(x, 718, 14)
    wet = 0.08 * _bump(x, 975, 35) + 0.12 * _bump(x, 1190, 50)
    wet = wet + 0.62 * _bump(x, 1440, 90) + 0.80 * _bump(x, 1930, 120)
    fading = 0.22 * _step(x, 1500, 120) + 0.38 * _step(x, 2100, 200)
    return np.asarray(spectrum * np.clip(1 - depth * wet - fading, 0.08, 1))


def _bump(x: NDArray[np.float64], centre: float, spread: float) -> NDArray[np.float64]:
    return np.asarray(np.exp(-0.5 * ((x - centre) / spread) ** 2))


def _step(x: NDArray[np.float64], centre: float, spread: float) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-(x - centre) / spread)))


def _within(x: NDArray[np.float64], ranges: tuple[tuple[float, float], ...]) -> Mask:
    return np.asarray(np.any([(x >= low) & (x <= high) for low, high in ranges], axis=0))


def _lost(x: NDArray[np.float64]) -> Mask:
    """Bands without any data: the middle fifth of the second gap."""
    low, high = ABSORBED[1]
    middle, reach = (low + high) / 2, (high - low) / 10
    return _within(x, ((middle - reach, middle + reach),))


def _draw_shares(
    shape: tuple[int, int], rng: np.random.Generator
) -> tuple[NDArray[np.float32], LabelMap]:
    """Shares of the classes, and the largest: patches, blurred as the sensor blurs them."""
    fields = np.stack([fractal(shape, PATCH, rng) for _ in COMMONNESS])
    fields += 0.8 * np.log(np.array(COMMONNESS, np.float32))[:, None, None]
    pure = np.exp(8 * (fields - fields.max(axis=0)))
    pure = pure / pure.sum(axis=0)
    shares = np.stack([cv2.GaussianBlur(plane, (0, 0), SMEAR) for plane in pure])
    shares = (shares / shares.sum(axis=0)).astype(np.float32)
    return shares, (shares.argmax(axis=0) + 1).astype(np.uint8)


def _mix(
    shares: NDArray[np.float32], library: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Mix the library; each class varies in space, along smooth curves of its own."""
    shape = (shares.shape[1], shares.shape[2])
    n_bands = library.shape[1]
    position = np.linspace(0, 1, n_bands)
    cube = np.zeros((n_bands, *shape), np.float32)
    for share, spectrum in zip(shares, library, strict=True):
        curve = np.cos(np.pi * rng.integers(1, 5) * position + rng.uniform(0, np.pi))
        varied = 1 + 0.16 * fractal(shape, 6, rng) * curve.astype(np.float32)[:, None, None]
        cube += spectrum.astype(np.float32)[:, None, None] * varied * share
    light = 1 + 0.18 * fractal(shape, 5, rng)
    return np.asarray(cube * light.clip(0.4, 1.8), np.float32)


def _draw_noise(
    wavelengths: NDArray[np.float64],
    absorbed: Mask,
    shape: tuple[int, ...],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Noise of the sensor, more at both ends, and much more where there is no light."""
    spread = (
        0.006 + 0.010 * _bump(wavelengths, RANGE[0], 60) + 0.012 * _step(wavelengths, 2350, 40)
    )
    spread = np.where(absorbed, 0.06, spread).astype(np.float32)
    return np.asarray(rng.standard_normal(shape, np.float32) * spread[:, None, None])


def _label_some(
    shares: NDArray[np.float32], cover: LabelMap, rng: np.random.Generator
) -> LabelMap:
    """Label patches that look pure, as a person does who knows the place; about a third."""
    shape = (cover.shape[0], cover.shape[1])
    visited = fractal(shape, 10, rng) > 0.1
    return np.where(visited & (shares.max(axis=0) > 0.5), cover, UNLABELLED).astype(np.uint8)
