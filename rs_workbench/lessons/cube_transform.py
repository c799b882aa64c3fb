"""The transform of a fold: bad bands, PCA or MNF, measured on the training chips alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import UsageError
from rs_workbench.lessons.cube_chips import CubeChips, cut, inside
from rs_workbench.spectra.bad_bands import find_bad_bands
from rs_workbench.spectra.mnf import fit_mnf
from rs_workbench.spectra.pca import fit_pca
from rs_workbench.spectra.pointwise import PointwiseLayer, fold_transform
from rs_workbench.spectra.transform import LinearTransform
from rs_workbench.types import Image

FITS = {"mnf": fit_mnf, "pca": fit_pca}


def fit_transform(
    chips: CubeChips, training: Sequence[int], *, kind: str, n_components: int
) -> LinearTransform:
    """Drop bad bands and fit a transform; the other chips are not looked at.

    Parameters
    ----------
    chips : CubeChips
        The scene.
    training : sequence of int
        Chips that may be used.
    kind : {"mnf", "pca"}
        Which transform.
    n_components : int
        Components to keep, the first ones.

    Returns
    -------
    LinearTransform
        It knows which bands it takes.

    Raises
    ------
    UsageError
        If there is no such transform, or it has not that many components.
    SceneError
        If no band is left, or the noise of the bands cannot be told apart.
    """
    if kind not in FITS:
        raise UsageError(f"there is no transform '{kind}': choose from {', '.join(FITS)}")
    where = inside(chips.labels.shape, [chips.windows[index] for index in training])
    kept = find_bad_bands(chips.cube, where=where).kept
    return FITS[kind](chips.cube.with_bands(kept), where=where).first(n_components)


def components_of(chips: CubeChips, transform: LinearTransform) -> Image:
    """Turn all chips into components, scaled as the layer scales that a map will use.

    Parameters
    ----------
    chips : CubeChips
        The scene.
    transform : LinearTransform
        Fitted on its training chips.

    Returns
    -------
    ndarray of float32, shape (N, K, h, w)
        Variance 1 on the pixels of the fit; 0 where there is no data.
    """
    layer = fold_transform(transform)
    read = transform.bands_of(chips.cube).read()
    found = np.where(read.valid, apply_layer(layer, read.values), 0)
    return cut(found.astype(np.float32), chips.windows)


def apply_layer(layer: PointwiseLayer, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Do what the layer does in a network.

    Parameters
    ----------
    layer : PointwiseLayer
        Of a transform.
    values : ndarray of float64, shape (B, H, W)
        Physical values of its bands.

    Returns
    -------
    ndarray of float64, shape (K, H, W)
        Components.
    """
    scaled = (values - layer.mean[:, None, None]) / layer.std[:, None, None]
    return np.tensordot(layer.weights, scaled, 1) + layer.bias[:, None, None]


def raw_tiles(chips: CubeChips, chosen: Sequence[int]) -> NDArray[np.float32]:
    """Cut chips with all their bands, as a sensor would deliver them.

    Parameters
    ----------
    chips : CubeChips
        The scene.
    chosen : sequence of int
        Which.

    Returns
    -------
    ndarray of float32, shape (N, B, h, w)
        In scene units; NaN where there is no data.
    """
    assert chips.cube.array is not None
    windows = [chips.windows[index] for index in chosen]
    return np.asarray(cut(chips.cube.array, windows), np.float32)
