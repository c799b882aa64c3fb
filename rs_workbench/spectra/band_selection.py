"""Band selection: the few bands that tell the classes apart best, from training pixels only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import UsageError
from rs_workbench.spectra.cube import Cube
from rs_workbench.spectra.moments import Moments, spectra_moments
from rs_workbench.spectra.windows import read_windows
from rs_workbench.types import LabelMap
from tiling.label_index import IGNORE
from tiling.windows import Window

SHRINKAGE = 1e-3
"""Share of each band's variance added to it, so that few pixels have a covariance, too."""
MIN_PIXELS = 3


@dataclass(frozen=True, eq=False)
class BandSelection:
    """Bands in the order they were chosen.

    Attributes
    ----------
    bands : tuple of int
        Numbers in the file, from 1.
    separability : ndarray of float64, shape (n,)
        Mean Jeffries-Matusita distance over all pairs of classes with the first band, the first
        two, and so on; 0 to 2.
    least : ndarray of float64, shape (n,)
        That of the pair that is told apart worst.
    """

    bands: tuple[int, ...]
    separability: NDArray[np.float64]
    least: NDArray[np.float64]


def measure_classes(
    cube: Cube,
    read_labels: Callable[[Window], LabelMap],
    n_classes: int,
    *,
    side: int | None = None,
) -> tuple[Moments, ...]:
    """Measure mean and covariance of each class, in one pass.

    Parameters
    ----------
    cube : Cube
        Bands in question.
    read_labels : callable
        Turns a window into its labels, (height, width) uint8: class indexes, or 255. Give those
        of the training part only; else the choice of bands has seen the pixels it is tested on.
    n_classes : int
        Number of classes.
    side : int, optional
        Height and width of a window, px.

    Returns
    -------
    tuple of Moments
        One a class.

    Raises
    ------
    UsageError
        If a label is neither a class index nor 255.
    """
    found = [spectra_moments(np.empty((0, cube.n_bands)))] * n_classes
    for window, values, valid, _ in read_windows(cube, side=side):
        labels = np.where(valid, read_labels(window), IGNORE)
        for k in np.unique(labels[labels != IGNORE]):
            if k >= n_classes:
                raise UsageError(
                    f"labels must be class indexes 0 to {n_classes - 1}, or {IGNORE} for "
                    f"unlabelled: got {k}"
                )
            found[k] = found[k].joined(spectra_moments(values[:, labels == k].T))
    return tuple(found)


def jeffries_matusita(one: Moments, other: Moments) -> float:
    """Find how well two classes can be told apart, taking both as normal distributions.

    Parameters
    ----------
    one, other : Moments
        Of the same bands.

    Returns
    -------
    float
        0 for alike to 2 for apart.

    References
    ----------
    .. [1] P. H. Swain, S. M. Davis (eds.), Remote Sensing: The Quantitative Approach (1978).

    Examples
    --------
    >>> one = Moments(3, np.zeros(1), np.array([[2.0]]))
    >>> jeffries_matusita(one, one), round(jeffries_matusita(one, Moments(3, *_far(9.0))), 3)
    (0.0, 2.0)
    """
    means = np.stack([one.mean, other.mean])
    covariances = np.stack([_regular(one), _regular(other)])
    everything = np.arange(len(one.mean))[None]
    return float(_distances(means, covariances, everything)[0])


def _far(at: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and scatter for the example above."""
    return np.array([at]), np.array([[2.0]])


def select_bands(cube: Cube, classes: tuple[Moments, ...], n_bands: int) -> BandSelection:
    """Choose bands one after another, each the one that helps most.

    Parameters
    ----------
    cube : Cube
        Says which bands they are.
    classes : tuple of Moments
        What `measure_classes` gave, from training pixels only.
    n_bands : int
        How many to choose.

    Returns
    -------
    BandSelection
        Bands in the order chosen, and how well they tell the classes apart.

    Raises
    ------
    UsageError
        If there are fewer bands than asked for, or fewer than two classes of at least 3 pixels.

    Notes
    -----
    Sequential forward selection by the mean Jeffries-Matusita distance over pairs of classes [1]_.
    It is simple and repeatable, but greedy: the best two bands need not contain the best one. A
    band much like a chosen one adds little, so neighbours are seldom chosen together.

    References
    ----------
    .. [1] L. Bruzzone, F. Roli, S. B. Serpico, "An extension of the Jeffreys-Matusita distance to
       multiclass cases for feature selection", IEEE Transactions on Geoscience and Remote Sensing
       33 (1995) 1318-1321.
    """
    if not 1 <= n_bands <= cube.n_bands:
        raise UsageError(f"'{cube.name}' has {cube.n_bands} bands: {n_bands} cannot be chosen")
    usable = [moments for moments in classes if moments.count >= MIN_PIXELS]
    if len(usable) < 2:
        raise UsageError(
            f"at least two classes need {MIN_PIXELS} training pixels or more: got "
            f"{', '.join(str(m.count) for m in classes)} pixels by class (label more)"
        )
    means = np.stack([m.mean for m in usable])
    covariances = np.stack([_regular(m) for m in usable])
    chosen: list[int] = []
    mean_by_step, least_by_step = [], []
    for _ in range(n_bands):
        left = np.setdiff1d(np.arange(cube.n_bands), chosen)
        sets = np.array([[*chosen, band] for band in left])
        by_pair = _by_pair(means, covariances, sets)
        best = int(by_pair.mean(axis=0).argmax())
        chosen.append(int(left[best]))
        mean_by_step.append(by_pair[:, best].mean())
        least_by_step.append(by_pair[:, best].min())
    bands = tuple(cube.bands[place] for place in chosen)
    return BandSelection(bands, np.array(mean_by_step), np.array(least_by_step))


def _regular(moments: Moments) -> NDArray[np.float64]:
    """Covariance that can be inverted."""
    covariance = moments.covariance
    variance = np.diag(covariance)
    floor = max(float(variance.max()), np.finfo(float).tiny) * 1e-12
    return covariance + np.diag(SHRINKAGE * variance + floor)


def _by_pair(
    means: NDArray[np.float64], covariances: NDArray[np.float64], sets: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Distances of all pairs of classes for all sets of bands, (pairs, sets)."""
    pairs = list(combinations(range(len(means)), 2))
    return np.stack([_distances(means[[i, j]], covariances[[i, j]], sets) for i, j in pairs])


def _distances(
    means: NDArray[np.float64], covariances: NDArray[np.float64], sets: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Jeffries-Matusita distance of two classes for each set of bands, (sets,)."""
    rows, cols = sets[:, :, None], sets[:, None, :]
    one, other = covariances[0][rows, cols], covariances[1][rows, cols]
    middle = (one + other) / 2
    apart = (means[0] - means[1])[sets]
    far = (apart * np.linalg.solve(middle, apart[..., None])[..., 0]).sum(axis=1) / 8
    volumes = [np.linalg.slogdet(matrix)[1] for matrix in (middle, one, other)]
    bhattacharyya = far + (volumes[0] - (volumes[1] + volumes[2]) / 2) / 2
    return np.asarray(2 * (1 - np.exp(-np.maximum(bhattacharyya, 0))))
