"""Which bands a raster marks as bad itself: ENVI's list ``bbl``, for the file or band by band."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from rs_workbench.raster_gdal import gdal_settings, open_dataset
from rs_workbench.raster_scene import Scene


def read_good_bands(scene: Scene) -> NDArray[np.bool_]:
    """Read the list of bad bands.

    Parameters
    ----------
    scene : Scene
        What `open_scene` returned.

    Returns
    -------
    ndarray of bool, shape (B,)
        False where a header of ENVI lists 0 (``bbl = {1, 0, ...}``), or a band has the tag
        ``bbl`` 0, as the EnMAP-Box writes GeoTIFFs; else True.
    """
    with gdal_settings(), open_dataset(scene.path) as dataset:
        listed = {k.lower(): v for k, v in dataset.tags(ns="ENVI").items()}.get("bbl", "")
        values = re.findall(r"[\d.]+", listed)
        if len(values) == dataset.count:
            return np.array([float(value) != 0 for value in values])
        tags = [dataset.tags(band) for band in dataset.indexes]
    return np.array([_says_good(tag.get("bbl", "1")) for tag in tags])


def _says_good(text: str) -> bool:
    try:
        return float(text) != 0
    except ValueError:
        return text.strip().lower() not in ("false", "no")
