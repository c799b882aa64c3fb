"""Noise of a cube, from what neighbouring pixels do not share."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import SceneError
from rs_workbench.spectra.cube import Cube
from rs_workbench.spectra.windows import Where, read_windows
from rs_workbench.types import Mask

NoiseKind = Literal["shift", "residual"]

SHIFT_VARIANCE = 2.0
"""Variance of the difference of two independent noises of variance 1."""
RESIDUAL_VARIANCE = 1.25
"""Variance of a noise less the mean of four others."""


class Noise(NamedTuple):
    """Noise of a cube.

    Attributes
    ----------
    n_pairs : int
        Number of differences it is estimated from.
    covariance : ndarray of float64, shape (B, B)
        Of the noise of the bands; noise has no mean.
    """

    n_pairs: int
    covariance: NDArray[np.float64]


def measure_noise(
    cube: Cube,
    *,
    kind: NoiseKind = "shift",
    where: Where | None = None,
    side: int | None = None,
) -> Noise:
    """Estimate the covariance of the noise in one pass.

    Parameters
    ----------
    cube : Cube
        The bands in question.
    kind : {'shift', 'residual'}, optional
        'shift': half the products of differences between a pixel and its right neighbour, and
        its lower one. 'residual': a pixel less the mean of its four neighbours; it takes less of
        the ground for noise where brightness changes evenly, and loses pixels beside nodata.
    where : callable, optional
        Pixels that may be used; by default all valid ones.
    side : int, optional
        Height and width of a window, px.

    Returns
    -------
    Noise
        Covariance, and the number of differences.

    Raises
    ------
    SceneError
        If no two neighbours have every band.
    UsageError
        If `side` is below 1.

    Notes
    -----
    Only pixels that are both valid are compared. Ground that changes from pixel to pixel counts
    as noise, so this is an upper bound in a scene of small fields.

    References
    ----------
    .. [1] A. A. Green, M. Berman, P. Switzer, M. D. Craig, "A transformation for ordering
       multispectral data in terms of image quality with implications for noise removal", IEEE
       Transactions on Geoscience and Remote Sensing 26 (1988) 65-74.
    """
    differences = _shifts if kind == "shift" else _residuals
    factor = SHIFT_VARIANCE if kind == "shift" else RESIDUAL_VARIANCE
    count, scatter = 0, np.zeros((cube.n_bands, cube.n_bands))
    for _, values, valid, inner in read_windows(cube, rim=True, where=where, side=side):
        for found in differences(values, valid, inner):
            count += found.shape[1]
            scatter += found @ found.T
    if not count:
        raise SceneError(
            f"the noise of '{cube.name}' cannot be estimated: no two neighbouring pixels have a "
            f"value in all {cube.n_bands} bands (leave out bands without data; find_bad_bands "
            "names them)"
        )
    return Noise(count, scatter / (factor * count))


def _shifts(
    values: NDArray[np.float64], valid: Mask, inner: tuple[slice, slice]
) -> tuple[NDArray[np.float64], ...]:
    """Differences to the right and the lower neighbour of every pixel inside, (B, n) each."""
    inside = np.zeros_like(valid)
    inside[inner] = True
    found = []
    for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1, :], np.s_[1:, :])):
        both = valid[one] & valid[other] & inside[one]
        found.append(values[:, *one][:, both] - values[:, *other][:, both])
    return tuple(found)


def _residuals(
    values: NDArray[np.float64], valid: Mask, inner: tuple[slice, slice]
) -> tuple[NDArray[np.float64], ...]:
    """Pixels inside less the mean of their four neighbours, where all five are valid, (B, n)."""
    use = np.zeros_like(valid)
    use[inner] = True
    centre = np.s_[1:-1, 1:-1]
    around = (np.s_[:-2, 1:-1], np.s_[2:, 1:-1], np.s_[1:-1, :-2], np.s_[1:-1, 2:])
    use = use[centre] & valid[centre]
    for side in around:
        use &= valid[side]
    mean = sum(values[:, *side][:, use] for side in around) / 4
    return (values[:, *centre][:, use] - mean,)
