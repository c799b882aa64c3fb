"""BandScaling: from stored pixels to what a network sees, the same in training and in maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.raster_scene import Scene
from rs_workbench.types import Image, Mask, Pixels


@dataclass(frozen=True, eq=False)
class BandScaling:
    """Scaling of each band: ``pixels * gain + bias``, and `fill` where there is no data.

    Attributes
    ----------
    gain, bias : ndarray of float32, shape (B, 1, 1)
        They join the scene's own scale and offset with mean and standard deviation.
    fill : float32
        Scaled value where there is no data.
    """

    gain: NDArray[np.float32]
    bias: NDArray[np.float32]
    fill: np.float32

    def apply(self, pixels: Pixels, valid: Mask, out: Image) -> None:
        """Scale pixels.

        Parameters
        ----------
        pixels : ndarray, shape (B, H, W)
            As stored; NaN where a band has no value.
        valid : ndarray of bool, shape (H, W)
            False where there is no data.
        out : ndarray of float32, shape (B, H, W)
            Takes the result.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            np.multiply(pixels, self.gain, out=out, casting="unsafe")
            out += self.bias
        if not valid.all():
            np.copyto(out, self.fill, where=~valid)
        if pixels.dtype.kind == "f":
            np.copyto(out, self.fill, where=~np.isfinite(out))


def make_scaling(
    scene: Scene, bands: Sequence[int], mean: ArrayLike, std: ArrayLike, *, fill: float
) -> BandScaling:
    """Join a scene's scale and offset with the mean and standard deviation of training pixels.

    Parameters
    ----------
    scene : Scene
        Says how stored values become physical ones.
    bands : sequence of int
        Bands, from 1.
    mean, std : array_like of float, shape (B,)
        Of the physical values.
    fill : float
        Scaled value where there is no data.

    Returns
    -------
    BandScaling
        For pixels as stored in the scene.
    """
    scale = np.array([scene.scales[b - 1] for b in bands])
    offset = np.array([scene.offsets[b - 1] for b in bands])
    mean, std = np.asarray(mean, np.float64), np.asarray(std, np.float64)
    gain = (scale / std).astype(np.float32)[:, None, None]
    bias = ((offset - mean) / std).astype(np.float32)[:, None, None]
    return BandScaling(gain, bias, np.float32(fill))
