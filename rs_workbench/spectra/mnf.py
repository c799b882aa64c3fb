"""Minimum noise fraction: components by falling signal-to-noise ratio, with noise made alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.errors import SceneError
from rs_workbench.spectra.cube import Cube
from rs_workbench.spectra.moments import Moments, measure_moments
from rs_workbench.spectra.noise import Noise, NoiseKind, measure_noise
from rs_workbench.spectra.transform import LinearTransform, fixed_signs
from rs_workbench.spectra.windows import Where

LEAST_NOISE = 1e-12
"""Smallest eigenvalue of the correlation of the noise that can still be divided by."""


def fit_mnf(
    cube: Cube,
    *,
    noise: NoiseKind = "shift",
    where: Where | None = None,
    side: int | None = None,
) -> LinearTransform:
    """Measure the MNF transform of a cube in two passes: covariance, then noise.

    Parameters
    ----------
    cube : Cube
        The bands in question, without bad ones.
    noise : {'shift', 'residual'}, optional
        How noise is estimated; see `measure_noise`.
    where : callable, optional
        Pixels that may be used, such as those of the training part; by default all valid ones.
    side : int, optional
        Height and width of a window, px.

    Returns
    -------
    LinearTransform
        All components. The noise in each has variance 1 and is not correlated with that of the
        others; eigenvalues are 1 + signal-to-noise ratio.

    Raises
    ------
    SceneError
        If there are too few pixels, or the noise of some bands is none or is that of others.
    UsageError
        If `side` is below 1.

    Notes
    -----
    With covariance :math:`S` of the bands and :math:`N` of the noise, the components are
    :math:`V^T (x - m)`, where :math:`S V = N V D` and :math:`V^T N V = 1`; the inverse is
    :math:`m + N V y`. The order is that of [1]_ turned round, best first.

    References
    ----------
    .. [1] A. A. Green, M. Berman, P. Switzer, M. D. Craig, "A transformation for ordering
       multispectral data in terms of image quality with implications for noise removal", IEEE
       Transactions on Geoscience and Remote Sensing 26 (1988) 65-74.
    .. [2] J. B. Lee, A. S. Woodyatt, M. Berman, "Enhancement of high spectral resolution
       remote-sensing data by a noise-adjusted principal components transform", IEEE Transactions
       on Geoscience and Remote Sensing 28 (1990) 295-304.
    """
    moments = measure_moments(cube, where=where, side=side)
    return mnf_of_moments(cube, moments, measure_noise(cube, kind=noise, where=where, side=side))


def mnf_of_moments(cube: Cube, moments: Moments, noise: Noise) -> LinearTransform:
    """Find the MNF transform from the covariances of bands and noise.

    Parameters
    ----------
    cube : Cube
        Says which bands they are.
    moments : Moments
        Of its bands.
    noise : Noise
        Of its bands.

    Returns
    -------
    LinearTransform
        All components, best first.

    Raises
    ------
    SceneError
        If the noise cannot be divided by.
    """
    whitening = _whiten(cube, noise)
    values, vectors = np.linalg.eigh(whitening.T @ moments.covariance @ whitening)
    weights = fixed_signs(whitening @ vectors[:, ::-1])
    return LinearTransform(
        kind="mnf",
        band_names=cube.band_names,
        wavelengths=cube.wavelengths,
        mean=moments.mean,
        std=np.sqrt(np.diag(moments.covariance)),
        forward=weights.T.copy(),
        inverse=noise.covariance @ weights,
        eigenvalues=values[::-1].clip(0),
        n_pixels=moments.count,
        source=cube.name,
    )


def _whiten(cube: Cube, noise: Noise) -> NDArray[np.float64]:
    """Weights (B, B) that make noise uncorrelated, with variance 1.

    Bands are brought to noise of variance 1 first, so that a band in other units, or a much
    cleaner one, costs no digits.
    """
    std = np.sqrt(np.diag(noise.covariance))
    silent = [b for b, s in zip(cube.bands, std, strict=True) if s == 0]
    if silent:
        raise SceneError(
            f"'{cube.name}' has bands without any noise, such as band {silent[0]} "
            f"({len(silent)} of {cube.n_bands}): leave out constant bands (find_bad_bands names "
            "them), or use PCA"
        )
    values, vectors = np.linalg.eigh(noise.covariance / np.outer(std, std))
    if noise.n_pairs < cube.n_bands or values[0] < LEAST_NOISE * values[-1]:
        raise SceneError(
            f"the noise of {cube.n_bands} bands of '{cube.name}' cannot be told apart (from "
            f"{noise.n_pairs} differences between neighbours): some bands are copies or mixtures "
            "of others, or there are too few pixels; take fewer bands or more pixels, or use PCA"
        )
    return vectors / np.sqrt(values) / std[:, None]


def components_above_noise(eigenvalues: ArrayLike, snr: float = 1.0) -> int:
    """Say how many MNF components have a signal-to-noise ratio of at least `snr`.

    Parameters
    ----------
    eigenvalues : array_like of float, shape (B,)
        Of an MNF, largest first: 1 + signal-to-noise ratio.
    snr : float, optional
        Ratio of variances; 1 asks for as much signal as noise.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> components_above_noise([30.0, 4.0, 1.9, 1.0])
    2
    """
    values = np.asarray(eigenvalues, np.float64)
    return max(int((values >= 1 + snr).sum()), 1)
