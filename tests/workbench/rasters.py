"""Small rasters for tests, written as GDAL users meet them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine

from rs_workbench.card import Band, LegendClass, ModelCard

UTM = "EPSG:32631"
NORTH_UP = Affine(10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0)


def write_tif(path: Path, pixels: np.ndarray, **profile: Any) -> str:
    """Write (B, H, W) pixels; `crs=None` and `transform=None` leave the georeference out."""
    extra = {key: profile.pop(key) for key in ("mask", "names", "alpha", "tags") if key in profile}
    given = {"driver": "GTiff", "crs": UTM, "transform": NORTH_UP, **profile}
    given = {key: value for key, value in given.items() if value is not None}
    count, height, width = pixels.shape
    with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"):
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", count=count, height=height, width=width, dtype=pixels.dtype, **given
        ) as file:
            file.write(pixels)
            if "mask" in extra:
                file.write_mask(extra["mask"])
            if "names" in extra:
                file.descriptions = extra["names"]
            if "tags" in extra:
                file.update_tags(**extra["tags"])
    return str(path)


def ramp(count: int, height: int, width: int, dtype: str = "uint8") -> np.ndarray:
    """Pixels that differ everywhere enough to notice a wrong place, never 0."""
    size = count * height * width
    return (np.arange(size) % 199 + 1).reshape(count, height, width).astype(dtype)


def card(*names: str, **fields: Any) -> ModelCard:
    wavelengths = fields.pop("wavelengths", [None] * len(names))
    bands = tuple(Band(name=n, wavelength=w) for n, w in zip(names, wavelengths, strict=True))
    return ModelCard(name="ice", bands=bands, classes=legend(), **fields)


def legend() -> tuple[LegendClass, ...]:
    return (
        LegendClass(value=0, name="water", name_zh="水", color="#1f78b4"),
        LegendClass(value=1, name="ice & snow", name_zh="冰雪", color="#eeeeee"),
        LegendClass(value=4, name="land", color="#b15928"),
    )
