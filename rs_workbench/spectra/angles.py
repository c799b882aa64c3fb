"""Spectral angle: how much two spectra differ in shape, whatever their brightness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.errors import UsageError
from rs_workbench.spectra.cube import Cube
from rs_workbench.spectra.raster_layers import write_layers
from rs_workbench.spectra.windows import read_windows
from rs_workbench.types import LabelMap
from tiling.label_index import IGNORE
from tiling.windows import Window


def spectral_angle(values: NDArray[Any], references: ArrayLike) -> NDArray[np.float64]:
    """Find the angle between spectra and one or more reference spectra.

    Parameters
    ----------
    values : ndarray, shape (B, ...)
        Spectra, bands first.
    references : array_like of float, shape (R, B) or (B,)
        Reference spectra of the same bands.

    Returns
    -------
    ndarray of float64, shape (R, ...) or (...)
        Radians, 0 to pi; NaN where either spectrum is all zero, or not finite.

    Raises
    ------
    UsageError
        If the numbers of bands differ.

    Notes
    -----
    Twice the arc tangent of the two sides of a rhombus of unit vectors [2]_: the arc cosine of
    the usual formula [1]_ loses all digits of small angles.

    References
    ----------
    .. [1] F. A. Kruse et al., "The spectral image processing system (SIPS)", Remote Sensing of
       Environment 44 (1993) 145-163.
    .. [2] W. Kahan, "How futile are mindless assessments of roundoff in floating-point
       computation?" (2006), "Mangled angles".

    Examples
    --------
    >>> pixels = np.array([[1.0, 0.0, 0.0], [1.0, 2.0, 0.0]])  # three spectra of two bands
    >>> np.degrees(spectral_angle(pixels, [1, 1])).round(6).tolist()
    [0.0, 45.0, nan]
    """
    values = np.asarray(values, np.float64)
    wanted = np.asarray(references, np.float64)
    if values.ndim < 1 or wanted.ndim not in (1, 2) or wanted.shape[-1] != values.shape[0]:
        raise UsageError(
            f"spectra and references must have the same bands: got {values.shape[0]} bands and "
            f"references of shape {wanted.shape}"
        )
    units = _unit(values.reshape(values.shape[0], -1))
    rows = np.atleast_2d(wanted)
    angles = np.stack([_angle(units, _unit(row[:, None])) for row in rows])
    shape = values.shape[1:] if wanted.ndim == 1 else (len(rows), *values.shape[1:])
    return angles.reshape(shape)


def _unit(spectra: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spectra (B, n) of length 1; NaN where they have none."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        largest = np.abs(spectra).max(axis=0)
        scaled = spectra / largest
        return scaled / np.sqrt((scaled**2).sum(axis=0))


def _angle(units: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    apart = np.sqrt(((units - other) ** 2).sum(axis=0))
    together = np.sqrt(((units + other) ** 2).sum(axis=0))
    return 2 * np.arctan2(apart, together)


def nearest_reference(angles: NDArray[np.float64], *, max_angle: float | None = None) -> LabelMap:
    """Give each pixel the reference at the smallest angle: the spectral angle mapper.

    Parameters
    ----------
    angles : ndarray of float64, shape (R, ...)
        Radians.
    max_angle : float, optional
        Farther from every reference, radians, a pixel gets none.

    Returns
    -------
    ndarray of uint8, shape (...)
        Index of the reference, 255 for none.
    """
    known = np.isfinite(angles)
    found = np.where(known, angles, np.inf)
    nearest = found.argmin(axis=0).astype(np.uint8)
    limit = np.inf if max_angle is None else max_angle
    return np.where(known.any(axis=0) & (found.min(axis=0) <= limit), nearest, np.uint8(IGNORE))


def mean_spectra(
    cube: Cube, read_labels: Callable[[Window], LabelMap], n_classes: int
) -> NDArray[np.float64]:
    """Average the spectra of each class, as references, in one pass.

    Parameters
    ----------
    cube : Cube
        Bands in question.
    read_labels : callable
        Turns a window into its labels, (height, width) uint8: class indexes, or 255. Give those
        of the training part only.
    n_classes : int
        Number of classes.

    Returns
    -------
    ndarray of float64, shape (K, B)
        Physical values; NaN for a class without a valid pixel.
    """
    total, count = np.zeros((n_classes, cube.n_bands)), np.zeros(n_classes)
    for window, values, valid, _ in read_windows(cube):
        labels = np.where(valid, read_labels(window), IGNORE)
        for k in range(n_classes):
            spectra = values[:, labels == k]
            total[k] += spectra.sum(axis=1)
            count[k] += spectra.shape[1]
    with np.errstate(invalid="ignore"):
        return total / count[:, None]


def write_angles(
    cube: Cube,
    out: str | Path,
    references: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a map of the spectral angle to each reference, in bounded memory.

    Parameters
    ----------
    cube : Cube
        A scene, with the bands of the references.
    out : str or Path
        A float32 GeoTIFF on the scene's grid, one band a reference, radians, NaN as nodata.
    references : array_like of float, shape (R, B)
        Physical values.
    names : sequence of str, optional
        Of the references.
    overwrite : bool, optional
        Replace a file of that name.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        If the numbers of bands or of names differ, or the cube is in memory.
    OutputError
        If the file is there already, or cannot be written.
    """
    rows = np.atleast_2d(np.asarray(references, np.float64))
    named = [f"angle to {k + 1}" for k in range(len(rows))] if names is None else list(names)
    if rows.shape[1] != cube.n_bands or len(named) != len(rows):
        raise UsageError(
            f"'{cube.name}' has {cube.n_bands} bands: got {len(rows)} references of "
            f"{rows.shape[1]} bands, and {len(named)} names"
        )
    return write_layers(
        cube,
        out,
        named,
        lambda spectra: spectral_angle(spectra, rows),
        tags={"unit": "radians"},
        overwrite=overwrite,
    )
