"""A transform as the first layer of a network: a 1 x 1 convolution, as plain arrays.

A network that was trained on components can so be run on the bands of a raw scene: the transform
travels inside the model file, and no other scene can be transformed by another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.card import Band
from rs_workbench.errors import UsageError
from rs_workbench.spectra.transform import LinearTransform


class PointwiseLayer(NamedTuple):
    """A 1 x 1 convolution, and the scaling of the bands that it is made for.

    Attributes
    ----------
    weights : ndarray of float32, shape (K, B)
        From scaled bands to components.
    bias : ndarray of float32, shape (K,)
        Added to the components.
    mean, std : ndarray of float64, shape (B,)
        The layer wants bands as ``(value - mean) / std``; they belong into the model's card.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @property
    def torch_weight(self) -> NDArray[np.float32]:
        """Weights as ``torch.nn.Conv2d`` and ONNX take them, (K, B, 1, 1)."""
        return self.weights[:, :, None, None]

    @property
    def keras_kernel(self) -> NDArray[np.float32]:
        """Weights as ``keras.layers.Conv2D`` takes them, (1, 1, B, K)."""
        return self.weights.T[None, None].copy()


def fold_transform(
    transform: LinearTransform,
    *,
    component_mean: ArrayLike | None = None,
    component_std: ArrayLike | None = None,
) -> PointwiseLayer:
    """Turn a transform, and the scaling of its components, into a layer for scaled bands.

    Parameters
    ----------
    transform : LinearTransform
        A PCA or MNF with the components that the network takes.
    component_mean : array_like of float, shape (K,), optional
        Subtracted from the components before the network sees them; by default 0.
    component_std : array_like of float, shape (K,), optional
        They are divided by it; by default the square root of the eigenvalues, which gives each
        component variance 1 on the pixels it was measured on.

    Returns
    -------
    PointwiseLayer
        Weights, bias, and the scaling of the bands: their standard deviations, and the mean that
        gives 0 in every component. So bands filled with 0 where there is no data become
        components filled with 0.

    Raises
    ------
    UsageError
        If the numbers of components differ, or a standard deviation is not above 0.
    """
    k = transform.n_components
    shift = np.zeros(k) if component_mean is None else np.asarray(component_mean, np.float64)
    usual = np.sqrt(transform.eigenvalues[:k])
    scale = usual if component_std is None else np.asarray(component_std, np.float64)
    if shift.shape != (k,) or scale.shape != (k,):
        raise UsageError(
            f"the transform gives {k} components: got {shift.size} means and {scale.size} "
            "standard deviations"
        )
    if not (scale > 0).all() or not (transform.std > 0).all():
        raise UsageError(
            "components and bands must vary to be scaled: got a standard deviation of "
            f"{min(scale.min(), transform.std.min()):g} (keep fewer components, leave out "
            "constant bands)"
        )
    mean = transform.mean + transform.inverse @ shift
    weights = transform.forward * transform.std / scale[:, None]
    bias = (transform.forward @ (mean - transform.mean) - shift) / scale
    return PointwiseLayer(
        weights.astype(np.float32), bias.astype(np.float32), mean, transform.std.copy()
    )


def card_bands(transform: LinearTransform, layer: PointwiseLayer) -> tuple[Band, ...]:
    """Describe the bands that a network with the layer in front reads, for its card.

    Parameters
    ----------
    transform : LinearTransform
        Names and wavelengths.
    layer : PointwiseLayer
        Scaling.

    Returns
    -------
    tuple of Band
        In the order of the layer. A scene's bands are found by these names or wavelengths.
    """
    facts: Sequence[tuple[str, float, float, float]] = list(
        zip(transform.band_names, transform.wavelengths, layer.mean, layer.std, strict=True)
    )
    return tuple(
        Band(
            name=name,
            wavelength=None if np.isnan(nm) else float(nm),
            mean=float(mean),
            std=float(std),
        )
        for name, nm, mean, std in facts
    )
