"""Noise of a cube, from what neighbouring pixels do not share."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import SceneError
from rs_workbench.spectra.cube import Cube
from rs_workbench.spectra.windows import Rim, Where, read_windows
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
    rim: Rim = "after" if kind == "shift" else "around"
    differences = _shifts if kind == "shift" else _residuals
    factor = SHIFT_VARIANCE if kind == "shift" else RESIDUAL_VARIANCE
    count, scatter = 0, np.zeros((cube.n_bands, cube.n_bands))
    for _, values, valid, inner in read_windows(cube, rim=rim, where=where, side=side):
        for apart, used in differences(values, valid, inner):
            count += int(used.sum())
            if not used.all():
                apart[:, ~used] = 0
            flat = apart.reshape(cube.n_bands, -1)
            scatter += flat @ flat.T
    if not count:
        raise SceneError(
            f"the noise of '{cube.name}' cannot be estimated: no two neighbouring pixels have a "
            f"value in all {cube.n_bands} bands (leave out bands without data; find_bad_bands "
            "names them)"
        )
    return Noise(count, scatter / (factor * count))


Differences = tuple[tuple[NDArray[np.float64], Mask], ...]
"""Differences (B, h, w), and which of them are between valid pixels, (h, w)."""


def _shifts(values: NDArray[np.float64], valid: Mask, inner: tuple[slice, slice]) -> Differences:
    """Subtract the right and the lower neighbour of every pixel inside."""
    rows, cols = (part.stop for part in inner)
    found = []
    for one, other in (
        (np.s_[:rows, : valid.shape[1] - 1], np.s_[:rows, 1:]),
        (np.s_[: valid.shape[0] - 1, :cols], np.s_[1:, :cols]),
    ):
        found.append((values[:, *one] - values[:, *other], valid[one] & valid[other]))
    return tuple(found)


def _residuals(
    values: NDArray[np.float64], valid: Mask, inner: tuple[slice, slice]
) -> Differences:
    """Subtract the mean of its four neighbours from every pixel inside that has four."""
    use = np.zeros_like(valid)
    use[inner] = True
    centre = np.s_[1:-1, 1:-1]
    around = (np.s_[:-2, 1:-1], np.s_[2:, 1:-1], np.s_[1:-1, :-2], np.s_[1:-1, 2:])
    use = use[centre] & valid[centre]
    apart = values[:, *centre].copy()
    for side in around:
        use &= valid[side]
        apart -= values[:, *side] / 4
    return ((apart, use),)
