"""Small cubes whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rs_workbench.raster_cube import write_cube
from rs_workbench.spectra.cube import Cube
from rs_workbench.spectra.cubes import cube_of_array
from tests.workbench.rasters import NORTH_UP, UTM

NANOMETRES = np.linspace(450, 950, 6)


def smooth_signal(n_bands: int = 6, shape: tuple[int, int] = (23, 31), seed: int = 0):
    """Three smooth fields mixed into bands: neighbours are nearly alike."""
    rng = np.random.default_rng(seed)
    rows, cols = np.indices(shape) / max(shape)
    fields = np.stack([np.sin(3 * rows + cols), np.cos(2 * cols), rows * cols])
    return np.tensordot(rng.normal(size=(n_bands, 3)), fields, 1) + 3


def noisy_array(n_bands: int = 6, shape: tuple[int, int] = (23, 31), seed: int = 0) -> np.ndarray:
    """Smooth fields with correlated noise that differs from band to band."""
    rng = np.random.default_rng(seed + 1)
    mixing = np.eye(n_bands) + 0.3 * rng.normal(size=(n_bands, n_bands))
    noise = np.tensordot(mixing, rng.normal(size=(n_bands, *shape)), 1)
    spread = np.linspace(0.05, 0.3, n_bands)[:, None, None]
    return smooth_signal(n_bands, shape, seed) + spread * noise


def cube_with_gaps(seed: int = 0) -> tuple[Cube, np.ndarray, np.ndarray]:
    """Cube, its values, and where it is valid: a corner and single pixels are not."""
    array = noisy_array(seed=seed)
    valid = np.random.default_rng(seed + 2).random(array.shape[1:]) > 0.1
    valid[:5, :7] = False
    return cube_of_array(array, wavelengths=NANOMETRES, valid=valid), array, valid


def write_scene_with_gaps(path: Path, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The same as a float32 GeoTIFF; gives values and where they are valid."""
    _, array, valid = cube_with_gaps(seed)
    stored = np.where(valid, array, -99).astype(np.float32)
    write_cube(path, stored, crs=UTM, transform=NORTH_UP, wavelengths=NANOMETRES, nodata=-99)
    return stored.astype(np.float64), valid
