"""Spectral indices by wavelength: ratios of bands that stand for something on the ground.

Bands are found by their centres. A band farther away than the tolerance is refused, since an index
of other bands is another index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import UsageError
from rs_workbench.spectra.cube import Cube
from rs_workbench.spectra.raster_layers import write_layers

TOLERANCE = 15.0
"""Farthest centre of a band from the wavelength of an index, nm."""


def normalized_difference(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """Divide the difference of two bands by their sum.

    Parameters
    ----------
    one, other : ndarray
        Physical values, not negative.

    Returns
    -------
    ndarray of float64
        -1 to 1; NaN where the sum is 0.

    Examples
    --------
    >>> normalized_difference(np.array([3.0, 0.0]), np.array([1.0, 0.0])).tolist()
    [0.5, nan]
    """
    return band_ratio(np.subtract(one, other, dtype=np.float64), np.add(one, other))


def band_ratio(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """Divide a band by another.

    Parameters
    ----------
    one, other : ndarray
        Physical values.

    Returns
    -------
    ndarray of float64
        NaN where the second is 0.
    """
    below = np.asarray(other, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below == 0, np.nan, np.asarray(one, np.float64) / below)


@dataclass(frozen=True)
class SpectralIndex:
    """A formula of a few bands.

    Attributes
    ----------
    name : str
        By which it is asked for.
    wavelengths : tuple of float
        Centres of its bands, nm, in the order of `formula`.
    formula : callable
        Takes the bands, gives the index.
    text : str
        The formula in words, R800 being the reflectance at 800 nm.
    meaning : str
        What it stands for.
    source : str
        Where it was published.
    """

    name: str
    wavelengths: tuple[float, ...]
    formula: Callable[..., NDArray[np.float64]]
    text: str
    meaning: str
    source: str


def _cellulose(r2000: Any, r2100: Any, r2200: Any) -> NDArray[np.float64]:
    return np.asarray(0.5 * (r2000 + r2200) - r2100, np.float64)


INDICES = {
    index.name: index
    for index in (
        SpectralIndex(
            "ndvi",
            (800, 670),
            normalized_difference,
            "(R800 - R670) / (R800 + R670)",
            "green vegetation",
            "Rouse et al., Third ERTS Symposium, NASA SP-351 (1974) 309-317",
        ),
        SpectralIndex(
            "ndre",
            (790, 720),
            normalized_difference,
            "(R790 - R720) / (R790 + R720)",
            "chlorophyll in dense canopies, where NDVI is saturated",
            "Barnes et al., Fifth International Conference on Precision Agriculture (2000)",
        ),
        SpectralIndex(
            "ndwi",
            (560, 860),
            normalized_difference,
            "(R560 - R860) / (R560 + R860)",
            "open water",
            "McFeeters, International Journal of Remote Sensing 17 (1996) 1425-1432",
        ),
        SpectralIndex(
            "mndwi",
            (560, 1650),
            normalized_difference,
            "(R560 - R1650) / (R560 + R1650)",
            "open water beside built-up land",
            "Xu, International Journal of Remote Sensing 27 (2006) 3025-3033",
        ),
        SpectralIndex(
            "ndwi_gao",
            (860, 1240),
            normalized_difference,
            "(R860 - R1240) / (R860 + R1240)",
            "water in leaves",
            "Gao, Remote Sensing of Environment 58 (1996) 257-266",
        ),
        SpectralIndex(
            "ndsi",
            (560, 1650),
            normalized_difference,
            "(R560 - R1650) / (R560 + R1650)",
            "snow",
            "Hall, Riggs, Salomonson, Remote Sensing of Environment 54 (1995) 127-140",
        ),
        SpectralIndex(
            "pri",
            (531, 570),
            normalized_difference,
            "(R531 - R570) / (R531 + R570)",
            "how well leaves use light",
            "Gamon, Serrano, Surfus, Oecologia 112 (1997) 492-501",
        ),
        SpectralIndex(
            "cai",
            (2000, 2100, 2200),
            _cellulose,
            "0.5 (R2000 + R2200) - R2100",
            "dry plant matter on soil: cellulose absorbs at 2100 nm",
            "Daughtry, Agronomy Journal 93 (2001) 125-131",
        ),
        SpectralIndex(
            "clay_ratio",
            (1650, 2200),
            band_ratio,
            "R1650 / R2200",
            "clay minerals with hydroxyl, which absorb at 2200 nm",
            "Drury, Image Interpretation in Geology (1987)",
        ),
        SpectralIndex(
            "iron_ratio",
            (660, 480),
            band_ratio,
            "R660 / R480",
            "iron oxides, which absorb blue light",
            "Segal, Second Thematic Conference on Remote Sensing for Exploration Geology (1982)",
        ),
    )
}


def find_band(cube: Cube, nm: float, *, tolerance: float = TOLERANCE) -> int:
    """Find the band nearest to a wavelength.

    Parameters
    ----------
    cube : Cube
        Bands in question; leave bad ones out first.
    nm : float
        Wavelength, nm.
    tolerance : float, optional
        Farthest centre, nm.

    Returns
    -------
    int
        Its number in the file, from 1.

    Raises
    ------
    UsageError
        If no wavelength is known, or the nearest band is farther away.
    """
    apart = np.abs(cube.wavelengths - nm)
    if np.isnan(apart).all():
        raise UsageError(
            f"'{cube.name}' does not tell the wavelengths of its bands: give them to open_cube"
        )
    place = int(np.nanargmin(apart))
    if apart[place] > tolerance:
        raise UsageError(
            f"'{cube.name}' has no band within {tolerance:g} nm of {nm:g} nm: the nearest is band "
            f"{cube.bands[place]} at {cube.wavelengths[place]:g} nm (raise the tolerance, if that "
            "will do)"
        )
    return cube.bands[place]


def find_index(name: str) -> SpectralIndex:
    """Find an index by name.

    Parameters
    ----------
    name : str
        Such as ``ndvi``; upper and lower case are the same.

    Returns
    -------
    SpectralIndex
        Bands, formula and source.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    if name.lower() in INDICES:
        return INDICES[name.lower()]
    raise UsageError(f"there is no index '{name}': choose from {', '.join(INDICES)}")


def write_indices(
    cube: Cube,
    out: str | Path,
    names: Sequence[str],
    *,
    tolerance: float = TOLERANCE,
    overwrite: bool = False,
) -> Path:
    """Write maps of one or more indices, in bounded memory.

    Parameters
    ----------
    cube : Cube
        A scene that knows its wavelengths, as reflectance, without bad bands.
    out : str or Path
        A float32 GeoTIFF on the scene's grid, one band an index, NaN as nodata.
    names : sequence of str
        See `INDICES`.
    tolerance : float, optional
        Farthest centre of a band from the wavelength asked for, nm.
    overwrite : bool, optional
        Replace a file of that name.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        If an index or a band is not there, or the cube is in memory.
    OutputError
        If the file is there already, or cannot be written.
    """
    chosen = [find_index(name) for name in names]
    found = [
        [find_band(cube, nm, tolerance=tolerance) for nm in index.wavelengths] for index in chosen
    ]
    bands = tuple(dict.fromkeys(band for group in found for band in group))
    places = [[bands.index(band) for band in group] for group in found]

    def compute(spectra: NDArray[np.float64]) -> NDArray[np.float64]:
        layers = [
            index.formula(*spectra[group]) for index, group in zip(chosen, places, strict=True)
        ]
        return np.stack(layers)

    tags = {index.name: index.text for index in chosen}
    return write_layers(
        cube.with_bands(bands),
        out,
        [index.name for index in chosen],
        compute,
        tags=tags,
        overwrite=overwrite,
    )
