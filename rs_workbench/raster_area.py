"""scene_area_ha: how much ground one pixel covers, row by row where that varies."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS

from rs_workbench.raster_ground import linear_unit
from rs_workbench.raster_scene import Scene, crs_of

_A = 6_378_137.0  # semi-major axis of WGS 84, m
_E2 = 0.00669437999014
_M2_PER_HA = 10_000.0


def scene_area_ha(scene: Scene) -> NDArray[np.float64] | float | None:
    """Give the area of one pixel.

    In degrees, and in Web Mercator, a pixel covers less ground the nearer it is to a pole: there
    the result has one value for each row.

    Parameters
    ----------
    scene : Scene
        What `open_scene` or `at_pixel_size` returned.

    Returns
    -------
    ndarray of float64, shape (H,), or float, or None
        Hectares; None without georeference or coordinate system.

    References
    ----------
    .. [1] J. P. Snyder, "Map Projections: A Working Manual", USGS Professional Paper 1395 (1987),
       equations 4-18 and 4-19 (radii of curvature).
    """
    crs, transform = crs_of(scene), scene.transform
    if crs is None or transform is None:
        return None
    units = abs(transform.determinant)
    if not crs.is_geographic and not _is_web_mercator(crs):
        metres = linear_unit(crs)
        return None if metres is None else units * metres**2 / _M2_PER_HA
    rows = np.arange(scene.shape[0]) + 0.5
    north = transform.d * scene.shape[1] / 2 + transform.e * rows + transform.f
    if crs.is_geographic:
        latitude = np.radians(np.clip(north, -90, 90))
        return units * math.radians(1) ** 2 * _m2_per_square_radian(latitude) / _M2_PER_HA
    latitude = np.arctan(np.sinh(north / _A))
    stretch = _A**2 / np.cos(latitude)
    return units * _m2_per_square_radian(latitude) / stretch / _M2_PER_HA


def _m2_per_square_radian(latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ground area of one radian of latitude times one of longitude."""
    bulge = 1 - _E2 * np.sin(latitude) ** 2
    area: NDArray[np.float64] = _A**2 * (1 - _E2) * np.cos(latitude) / bulge**2
    return area


def _is_web_mercator(crs: CRS) -> bool:
    return crs.to_epsg() == 3857 or "Popular Visualisation Pseudo" in crs.to_wkt()
