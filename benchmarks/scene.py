"""Scenes of any size: four uint16 bands, classes that only a look around can tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window

N_BANDS, N_CLASSES = 4, 6
CHANNELS = {"unet": (16, 32, 64, 128), "tiny": (8, 16, 32, 64)}
WIDE = {"wide": (32, 64, 128, 256)}
"""Width of the course's hyperspectral U-Net; not trained, for it only has to cost time."""
"""Channels of the U-Nets at their four levels."""
MEAN, STD = 3000.0, 900.0
N_WAVES, STRIP = 24, 256
MIX = np.array([[0.9, -0.4], [0.2, 1.1], [-0.8, 0.6], [0.5, 0.7]])
"""Share of the two fields in each band."""


def pixels_and_labels(rows: range, width: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Bands (4, h, w) uint16 and classes (h, w) uint8 of some rows of an endless scene.

    Two smooth fields decide the class; the bands mix them under noise twice as strong, so that
    a pixel alone says little and its surroundings much.
    """
    fields = np.stack([_field(rows, width, seed=seed + k) for k in range(2)])
    noise = np.random.default_rng((seed, rows.start)).normal(size=(N_BANDS, len(rows), width))
    bands = MEAN + STD * (np.tensordot(MIX, fields, 1) + 2 * noise) / 2.5
    labels = 2 * np.digitize(fields[0], (-0.5, 0.5)) + (fields[1] > 0)
    return bands.clip(0, 10_000).astype(np.uint16), labels.astype(np.uint8)


def _field(rows: range, width: int, *, seed: int) -> np.ndarray:
    """A sum of plane waves 40 to 200 px long, variance 1; waves separate into rows x columns."""
    random = np.random.default_rng(1000 + seed)
    angle, length = random.uniform(0, 2 * np.pi, (2, N_WAVES))[0], random.uniform(40, 200, N_WAVES)
    along = np.outer(np.array(rows), 2 * np.pi * np.sin(angle) / length)
    across = np.outer(np.arange(width), 2 * np.pi * np.cos(angle) / length)
    down = np.concatenate([np.sin(along), np.cos(along)], axis=1).astype(np.float32)
    right = np.concatenate([np.cos(across), np.sin(across)], axis=1).astype(np.float32)
    return down @ right.T * np.float32(np.sqrt(2 / N_WAVES))


def write_scene(path: Path, height: int, width: int, *, seed: int = 0) -> Path:
    """Write a tiled GeoTIFF, strip by strip, if it is not there yet."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "GTiff", "height": height, "width": width, "count": N_BANDS,
        "dtype": "uint16", "crs": "EPSG:32633", "transform": from_origin(4e5, 5.8e6, 10, 10),
        "tiled": True, "blockxsize": STRIP, "blockysize": STRIP, "compress": "deflate",
    }  # fmt: skip
    half = path.with_suffix(".part")
    with rasterio.open(half, "w", **profile) as scene:
        for row in range(0, height, STRIP):
            rows = range(row, min(row + STRIP, height))
            bands, _ = pixels_and_labels(rows, width, seed=seed)
            scene.write(bands, window=Window(0, row, width, len(rows)))
    half.replace(path)
    return path
