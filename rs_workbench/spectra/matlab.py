"""Cubes and label maps from MATLAB files, as the well-known hyperspectral scenes come.

Files up to version 7 are read by SciPy, version 7.3 (which is HDF5) by h5py where it is
installed. Only plain numbers are taken: objects and functions in a file are left where they are.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import MissingDependencyError, SceneError
from rs_workbench.types import LabelMap

_WAVELENGTHS = re.compile(r"wave_?len|wavelength|^wl$|^lambda$", re.IGNORECASE)
_LARGEST_MICROMETRES = 100.0


class MatlabCube(NamedTuple):
    """A cube of a MATLAB file.

    Attributes
    ----------
    variable : str
        Its name in the file.
    array : ndarray, shape (B, H, W)
        Values as stored; MATLAB keeps them as (H, W, B).
    wavelengths : ndarray of float64, shape (B,), or None
        Centres, nm, where the file has a variable with a name like "wavelengths".
    """

    variable: str
    array: NDArray[Any]
    wavelengths: NDArray[np.float64] | None


def read_matlab_cube(path: str | Path, *, variable: str | None = None) -> MatlabCube:
    """Read a cube from a MATLAB file.

    Parameters
    ----------
    path : str or Path
        A ``.mat`` file.
    variable : str, optional
        Which variable; needed where there are several of three dimensions.

    Returns
    -------
    MatlabCube
        Values, bands first.

    Raises
    ------
    SceneError
        If the file cannot be read, or holds no cube, or several.
    MissingDependencyError
        If it is of version 7.3 and h5py is not installed.
    """
    arrays = _read_numbers(Path(path))
    name = _choose(arrays, variable, 3, f"'{Path(path).name}'")
    array = np.ascontiguousarray(arrays[name].transpose(2, 0, 1))
    return MatlabCube(name, array, _find_wavelengths(arrays, array.shape[0]))


def read_matlab_labels(path: str | Path, *, variable: str | None = None) -> LabelMap:
    """Read a label map from a MATLAB file.

    Parameters
    ----------
    path : str or Path
        A ``.mat`` file.
    variable : str, optional
        Which variable; needed where there are several of two dimensions.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        Codes as in the file; by custom, 0 is unlabelled.

    Raises
    ------
    SceneError
        If the file cannot be read, holds no such variable, or its codes are not whole numbers
        from 0 to 255.
    MissingDependencyError
        If it is of version 7.3 and h5py is not installed.
    """
    arrays = _read_numbers(Path(path))
    plain = {k: a for k, a in arrays.items() if min(a.shape) > 1}
    name = _choose(plain, variable, 2, f"'{Path(path).name}'")
    labels = arrays[name].astype(np.float64)
    if not np.isfinite(labels).all() or (labels % 1).any() or labels.min() < 0:
        raise SceneError(_not_codes(path, name, labels))
    if labels.max() > 255:
        raise SceneError(_not_codes(path, name, labels))
    return labels.astype(np.uint8)


def _not_codes(path: str | Path, name: str, labels: NDArray[np.float64]) -> str:
    return (
        f"labels must be whole numbers from 0 to 255: '{name}' in '{Path(path).name}' holds "
        f"values from {np.nanmin(labels):g} to {np.nanmax(labels):g} (give another variable)"
    )


def _read_numbers(path: Path) -> dict[str, NDArray[Any]]:
    """Read all variables that are arrays of real numbers."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if not path.is_file():
        raise SceneError(f"'{path}' was not found: check the name and the folder")
    try:
        found = loadmat(path, verify_compressed_data_integrity=True)
    except NotImplementedError:  # what SciPy raises for version 7.3
        found = _read_hdf5(path)
    except (MatReadError, ValueError, TypeError, OSError, EOFError, KeyError) as error:
        raise SceneError(_unreadable(path, error)) from error
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, np.ndarray) and value.dtype.kind in "iuf" and value.size
    }


def _read_hdf5(path: Path) -> dict[str, NDArray[Any]]:
    """Read version 7.3; HDF5 holds MATLAB's arrays with their axes in reverse order."""
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError(
            f"'{path.name}' is a MATLAB file of version 7.3, which needs h5py: run  "
            "pip install h5py  or save it in MATLAB with  save(..., '-v7')"
        ) from error
    try:
        with h5py.File(path, "r") as file:
            numbers = {
                name: item
                for name, item in file.items()
                if isinstance(item, h5py.Dataset) and item.dtype.kind in "iuf"
            }
            return {name: np.asarray(item).T for name, item in numbers.items()}
    except (OSError, RuntimeError) as error:
        raise SceneError(_unreadable(path, error)) from error


def _unreadable(path: Path, error: Exception) -> str:
    return (
        f"'{path.name}' cannot be read as a MATLAB file ({' '.join(str(error).split())}): "
        "fetch it again, or save it anew with  save(..., '-v7')"
    )


def _choose(arrays: dict[str, NDArray[Any]], variable: str | None, ndim: int, file: str) -> str:
    fitting = {name: a for name, a in arrays.items() if a.ndim == ndim}
    kind = "cube (height, width, bands)" if ndim == 3 else "label map (height, width)"
    have = ", ".join(f"{n} {'x'.join(map(str, a.shape))}" for n, a in arrays.items()) or "nothing"
    if variable is not None:
        if variable in fitting:
            return variable
        raise SceneError(f"{file} has no {kind} called '{variable}': it holds {have}")
    if len(fitting) == 1:
        return next(iter(fitting))
    count = "no" if not fitting else f"{len(fitting)} variables that may be a"
    raise SceneError(f"{file} holds {count} {kind}: name one of its variables ({have})")


def _find_wavelengths(arrays: dict[str, NDArray[Any]], n_bands: int) -> NDArray[np.float64] | None:
    for name, array in arrays.items():
        if _WAVELENGTHS.search(name) and array.size == n_bands:
            nm = array.astype(np.float64).ravel()
            return nm * 1000 if nm.max() < _LARGEST_MICROMETRES else nm
    return None
