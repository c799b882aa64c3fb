"""Opening cubes: rasters with their wavelengths, MATLAB files, arrays in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.errors import UsageError
from rs_workbench.raster import Scene, open_scene
from rs_workbench.spectra.cube import Cube
from rs_workbench.spectra.matlab import MatlabCube, read_matlab_cube
from rs_workbench.spectra.raster_good_bands import read_good_bands
from rs_workbench.types import Mask


def open_cube(
    source: str | Path | Scene,
    *,
    wavelengths: ArrayLike | None = None,
    variable: str | None = None,
    nodata: float | None = None,
) -> Cube:
    """Open a hyperspectral cube: any raster GDAL opens (GeoTIFF, ENVI ...), or a MATLAB file.

    Parameters
    ----------
    source : str, Path or Scene
        A file; ``.mat`` is read into memory.
    wavelengths : array_like of float, shape (B,), optional
        Centres of the bands, nm, where the file does not tell, or tells them wrong.
    variable : str, optional
        Which variable of a MATLAB file; needed where it holds several cubes.
    nodata : float, optional
        For a MATLAB file: pixels that have this value in every band are no data.

    Returns
    -------
    Cube
        All bands but an alpha band.

    Raises
    ------
    UsageError
        If the number of wavelengths is not that of the bands, or an option does not fit the
        file.
    SceneError
        If the file is not there or not a cube.
    MissingDependencyError
        If it is a MATLAB file of version 7.3 and h5py is not installed.
    """
    if isinstance(source, Scene) or Path(source).suffix.lower() != ".mat":
        if variable is not None or nodata is not None:
            raise UsageError(
                f"a variable and a nodata value are for MATLAB files: got '{source}' "
                "(a raster says itself what is no data)"
            )
        scene = source if isinstance(source, Scene) else open_scene(source)
        return _cube_of_scene(scene, wavelengths)
    read = read_matlab_cube(source, variable=variable)
    return _cube_of_matlab(Path(source), read, wavelengths, nodata)


def cube_of_array(
    array: ArrayLike,
    *,
    wavelengths: ArrayLike | None = None,
    name: str = "cube",
    valid: Mask | None = None,
) -> Cube:
    """Make a cube of an array in memory.

    Parameters
    ----------
    array : array_like, shape (B, H, W)
        Physical values; NaN where there is no data.
    wavelengths : array_like of float, shape (B,), optional
        Centres, nm.
    name : str, optional
        For people.
    valid : ndarray of bool, shape (H, W), optional
        False where there is no data.

    Returns
    -------
    Cube
        Bands "band 1" and so on.

    Raises
    ------
    UsageError
        If the array is not three-dimensional and of real numbers, or the number of wavelengths
        is not that of the bands.

    Examples
    --------
    >>> cube = cube_of_array(np.ones((3, 4, 5)), wavelengths=[500, 600, 700])
    >>> cube.shape, cube.n_bands, cube.with_bands([3, 1]).wavelengths.tolist()
    ((4, 5), 3, [700.0, 500.0])
    """
    values = np.asarray(array)
    if values.ndim != 3 or values.dtype.kind not in "iuf" or not values.size:
        raise UsageError(
            "a cube is an array of real numbers of shape (bands, height, width): got shape "
            f"{values.shape} and type {values.dtype}"
        )
    if valid is not None and not valid.all():
        values = np.where(valid, values.astype(np.float64), np.nan)
    n_bands = values.shape[0]
    return Cube(
        name=name,
        shape=(values.shape[1], values.shape[2]),
        bands=tuple(range(1, n_bands + 1)),
        band_names=tuple(f"band {b}" for b in range(1, n_bands + 1)),
        wavelengths=_check_wavelengths(wavelengths, n_bands, name),
        good=np.ones(n_bands, np.bool_),
        array=values,
    )


def _cube_of_scene(scene: Scene, wavelengths: ArrayLike | None) -> Cube:
    places = [band - 1 for band in scene.data_bands]
    known = [scene.wavelengths[p] for p in places]
    if wavelengths is None:
        wavelengths = [np.nan if nm is None else nm for nm in known]
    return Cube(
        name=scene.name,
        shape=scene.shape,
        bands=scene.data_bands,
        band_names=tuple(scene.band_names[p] for p in places),
        wavelengths=_check_wavelengths(wavelengths, len(places), scene.name),
        good=read_good_bands(scene)[places],
        scene=scene,
        block=scene.block,
    )


def _cube_of_matlab(
    path: Path, read: MatlabCube, wavelengths: ArrayLike | None, nodata: float | None
) -> Cube:
    valid = None if nodata is None else (read.array != nodata).any(axis=0)
    if wavelengths is None:
        wavelengths = read.wavelengths
    return cube_of_array(read.array, wavelengths=wavelengths, name=path.name, valid=valid)


def _check_wavelengths(
    wavelengths: ArrayLike | None, n_bands: int, name: str
) -> NDArray[np.float64]:
    if wavelengths is None:
        return np.full(n_bands, np.nan)
    found = np.asarray(wavelengths, np.float64)
    if found.shape != (n_bands,):
        raise UsageError(
            f"'{name}' has {n_bands} bands and needs as many wavelengths: got {found.size}"
        )
    return found
