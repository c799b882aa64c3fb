"""Principal components: directions in which the spectra of a scene vary most."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rs_workbench.errors import UsageError
from rs_workbench.spectra.cube import Cube
from rs_workbench.spectra.moments import Moments, measure_moments
from rs_workbench.spectra.transform import LinearTransform, fixed_signs
from rs_workbench.spectra.windows import Where


def fit_pca(cube: Cube, *, where: Where | None = None, side: int | None = None) -> LinearTransform:
    """Measure the principal components of a cube in one pass.

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
    LinearTransform
        All components, by falling variance; they are not correlated, and keep the units of the
        bands.

    Raises
    ------
    SceneError
        If no pixel has every band.
    UsageError
        If `side` is below 1.
    """
    return pca_of_moments(cube, measure_moments(cube, where=where, side=side))


def pca_of_moments(cube: Cube, moments: Moments) -> LinearTransform:
    """Find the principal components from mean and covariance.

    Parameters
    ----------
    cube : Cube
        Says which bands they are.
    moments : Moments
        Of its bands.

    Returns
    -------
    LinearTransform
        All components, by falling variance.
    """
    values, vectors = np.linalg.eigh(moments.covariance)
    vectors = fixed_signs(vectors[:, ::-1])
    return LinearTransform(
        kind="pca",
        band_names=cube.band_names,
        wavelengths=cube.wavelengths,
        mean=moments.mean,
        std=np.sqrt(np.diag(moments.covariance)),
        forward=vectors.T.copy(),
        inverse=vectors,
        eigenvalues=values[::-1].clip(0),
        n_pixels=moments.count,
        source=cube.name,
    )


def components_for_share(eigenvalues: ArrayLike, share: float = 0.99) -> int:
    """Say how many principal components hold a share of the variance.

    Parameters
    ----------
    eigenvalues : array_like of float, shape (B,)
        Largest first.
    share : float, optional
        Above 0, at most 1.

    Returns
    -------
    int
        The smallest number that does.

    Raises
    ------
    UsageError
        If the share is not one.

    Examples
    --------
    >>> components_for_share([6, 3, 1], 0.9), components_for_share([6, 3, 1], 0.91)
    (2, 3)
    """
    if not 0 < share <= 1:
        raise UsageError(f"the share of the variance is above 0 and at most 1: got {share:g}")
    values = np.asarray(eigenvalues, np.float64)
    held = np.cumsum(values) / values.sum()
    return int(np.searchsorted(held, share - 1e-12) + 1)
