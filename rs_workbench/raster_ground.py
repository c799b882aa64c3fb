"""How large a pixel is on the ground, from its coordinate system and transform."""

from __future__ import annotations

import math

from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError

_METRES_PER_DEGREE = 111_319.490793  # on the equator of WGS 84
_WGS84_E2 = 0.00669437999014


def metres_per_degree(latitude: float) -> tuple[float, float]:
    """Give the length of a degree on WGS 84.

    Parameters
    ----------
    latitude : float
        Degrees.

    Returns
    -------
    north, east : float
        Metres along the meridian and along the parallel.

    Examples
    --------
    >>> [round(m) for m in metres_per_degree(0.0)]
    [110574, 111319]
    """
    sine = math.sin(math.radians(max(-90.0, min(90.0, latitude))))
    bulge = 1 - _WGS84_E2 * sine**2
    north = _METRES_PER_DEGREE * (1 - _WGS84_E2) / bulge**1.5
    east = _METRES_PER_DEGREE * math.sqrt(max(0.0, 1 - sine**2)) / math.sqrt(bulge)
    return north, east


def linear_unit(crs: CRS) -> float | None:
    """Give the unit of a projected coordinate system.

    Parameters
    ----------
    crs : CRS
        Any coordinate system.

    Returns
    -------
    float or None
        Metres; None where it is not projected.
    """
    try:
        return float(crs.linear_units_factor[1]) if crs.is_projected else None
    except CRSError:
        return None


def ground_pixel_size(
    crs: CRS | None, transform: Affine | None, shape: tuple[int, int]
) -> tuple[float, float] | None:
    """Measure a pixel at the centre of a raster.

    Parameters
    ----------
    crs : CRS or None
        Coordinate system.
    transform : affine.Affine or None
        Pixel to map coordinates.
    shape : tuple of int, (H, W)
        Size in pixels.

    Returns
    -------
    tuple of float or None
        Height and width of the pixel, m; None where the unit is unknown.
    """
    if not crs or transform is None:
        return None
    if crs.is_geographic:
        latitude = transform.d * shape[1] / 2 + transform.e * shape[0] / 2 + transform.f
        north, east = metres_per_degree(latitude)
    else:
        metres = linear_unit(crs)
        if metres is None:
            return None
        north = east = metres
    rows = math.hypot(transform.b * east, transform.e * north)
    cols = math.hypot(transform.a * east, transform.d * north)
    return rows, cols
