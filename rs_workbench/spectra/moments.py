"""Moments: mean and covariance of spectra, gathered window by window without loss of digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import SceneError
from rs_workbench.spectra.cube import Cube
from rs_workbench.spectra.windows import Where, read_windows


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and scatter of spectra.

    Attributes
    ----------
    count : int
        Number of pixels.
    mean : ndarray of float64, shape (B,)
        Mean spectrum.
    scatter : ndarray of float64, shape (B, B)
        Sum of the products of deviations from the mean.
    """

    count: int
    mean: NDArray[np.float64]
    scatter: NDArray[np.float64]

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance of the bands, (B, B)."""
        return self.scatter / max(self.count - 1, 1)

    def joined(self, other: Moments) -> Moments:
        """Join with the moments of other pixels.

        Parameters
        ----------
        other : Moments
            Of the same bands.

        Returns
        -------
        Moments
            As if all pixels had been counted together.

        Notes
        -----
        The pairwise update of [1]_: nothing large is subtracted, as it is in sums of squares.

        References
        ----------
        .. [1] T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample
           variance", The American Statistician 37 (1983) 242-247.
        """
        count = self.count + other.count
        if not other.count or not self.count:
            return self if self.count else other
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.count / count)
        between = np.outer(apart, apart) * (self.count * other.count / count)
        return Moments(count, mean, self.scatter + other.scatter + between)


def spectra_moments(spectra: NDArray[Any]) -> Moments:
    """Find the moments of spectra.

    Parameters
    ----------
    spectra : ndarray, shape (n, B)
        One spectrum a row; none is allowed.

    Returns
    -------
    Moments
        In float64.

    Examples
    --------
    >>> spectra_moments(np.array([[1.0, 2.0], [3.0, 6.0]])).covariance.tolist()
    [[2.0, 4.0], [4.0, 8.0]]
    """
    spectra = np.asarray(spectra, np.float64)
    count, n_bands = spectra.shape
    if not count:
        return Moments(0, np.zeros(n_bands), np.zeros((n_bands, n_bands)))
    mean = spectra.mean(axis=0)
    apart = spectra - mean
    return Moments(count, mean, apart.T @ apart)


def measure_moments(cube: Cube, *, where: Where | None = None, side: int | None = None) -> Moments:
    """Find mean and covariance of a cube in one pass.

    Parameters
    ----------
    cube : Cube
        The bands in question.
    where : callable, optional
        Pixels that may be used, such as those of the training part; by default all valid ones.
    side : int, optional
        Height and width of a window, px.

    Returns
    -------
    Moments
        Of all pixels that have every band.

    Raises
    ------
    SceneError
        If no pixel has every band.
    UsageError
        If `side` is below 1.
    """
    moments = spectra_moments(np.empty((0, cube.n_bands)))
    for _, values, valid, _ in read_windows(cube, where=where, side=side):
        spectra = values.reshape(cube.n_bands, -1) if valid.all() else values[:, valid]
        moments = moments.joined(spectra_moments(spectra.T))
    if not moments.count:
        raise SceneError(
            f"no pixel of '{cube.name}' has a value in all {cube.n_bands} bands: leave out bands "
            "without data (find_bad_bands names them)"
        )
    return moments
