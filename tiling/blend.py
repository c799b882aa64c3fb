"""Tapers: how two overlapping tiles are mixed.

Tiles are not summed and divided by a map of weights. Two neighbours are interpolated,
``a + w * (b - a)``, along columns first and along rows then. So weights need no normalising, a
constant in gives exactly that constant out, and the scene's rim, where no neighbour is, keeps
weight 1.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Taper = Literal["hann", "gaussian"]

GAUSSIAN_STEEPNESS = 6.0
"""Weight at the end of a gaussian ramp is 1 / (1 + exp(6)) = 0.25 %, as between two gaussian
windows with a sigma of an eighth of a tile at a quarter overlap."""


def ramp_weights(width: int, taper: Taper) -> NDArray[np.float32]:
    """Weigh the later of two tiles over their zone of mixing.

    Parameters
    ----------
    width : int
        Width of the zone, px.
    taper : {'hann', 'gaussian'}
        Hann rises as a squared sine. The quotient of two equal gaussian windows is a logistic
        curve.

    Returns
    -------
    ndarray of float32, shape (width,)
        Rising weights inside (0, 1); with the weights of the earlier tile, which are these in
        reverse, they sum to 1.

    Examples
    --------
    >>> ramp_weights(4, "hann").round(3).tolist()
    [0.03799999877810478, 0.3089999854564667, 0.6909999847412109, 0.9620000123977661]
    """
    position = (np.arange(width) + 0.5) / max(width, 1)
    if taper == "hann":
        weights = np.sin(position * np.pi / 2) ** 2
    else:
        weights = 1 / (1 + np.exp(-GAUSSIAN_STEEPNESS * (2 * position - 1)))
    return weights.astype(np.float32)
