"""LinearTransform: bands to components and back; what PCA and MNF give, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import UsageError
from rs_workbench.spectra.cube import Cube

TransformKind = Literal["pca", "mnf"]


@dataclass(frozen=True, eq=False)
class LinearTransform:
    """A linear transform of the bands of a pixel.

    Attributes
    ----------
    kind : {'pca', 'mnf'}
        How it was found.
    band_names : tuple of str
        Bands it takes, in this order.
    wavelengths : ndarray of float64, shape (B,)
        Their centres, nm; NaN where unknown.
    mean, std : ndarray of float64, shape (B,)
        Mean and standard deviation of the bands, physical values.
    forward : ndarray of float64, shape (K, B)
        Components = `forward` @ (spectrum - `mean`).
    inverse : ndarray of float64, shape (B, K)
        Spectrum = `mean` + `inverse` @ components; exact where K is B.
    eigenvalues : ndarray of float64, shape (B,)
        Variance of each component, largest first, of those that were left out, too. For an MNF,
        where noise has variance 1, they are 1 + signal-to-noise ratio.
    n_pixels : int
        Pixels it was measured on.
    source : str
        What it was measured on, for people.
    """

    kind: TransformKind
    band_names: tuple[str, ...]
    wavelengths: NDArray[np.float64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    forward: NDArray[np.float64]
    inverse: NDArray[np.float64]
    eigenvalues: NDArray[np.float64]
    n_pixels: int
    source: str

    @property
    def n_bands(self) -> int:
        """Number of bands it takes."""
        return self.forward.shape[1]

    @property
    def n_components(self) -> int:
        """Number of components it gives."""
        return self.forward.shape[0]

    @property
    def component_names(self) -> tuple[str, ...]:
        """Names such as "MNF 1"."""
        return tuple(f"{self.kind.upper()} {k + 1}" for k in range(self.n_components))

    def first(self, n_components: int) -> LinearTransform:
        """Keep the first components only.

        Parameters
        ----------
        n_components : int
            How many.

        Returns
        -------
        LinearTransform
            The same otherwise.

        Raises
        ------
        UsageError
            If it has not that many.
        """
        if not 1 <= n_components <= self.n_components:
            raise UsageError(
                f"this {self.kind.upper()} has {self.n_components} components: got "
                f"{n_components} (choose 1 to {self.n_components})"
            )
        return replace(
            self, forward=self.forward[:n_components], inverse=self.inverse[:, :n_components]
        )

    def apply(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Turn bands into components.

        Parameters
        ----------
        values : ndarray, shape (B, ...)
            Physical values of its bands; NaN gives NaN.

        Returns
        -------
        ndarray of float64, shape (K, ...)
            Components.

        Raises
        ------
        UsageError
            If the number of bands is not its own.
        """
        flat = self._flat(values, self.n_bands, "bands")
        found = self.forward @ (flat - self.mean[:, None])
        return found.reshape(self.n_components, *np.shape(values)[1:])

    def invert(self, components: NDArray[Any]) -> NDArray[np.float64]:
        """Turn components back into bands; with fewer components than bands, without noise.

        Parameters
        ----------
        components : ndarray, shape (K, ...)
            What `apply` gave.

        Returns
        -------
        ndarray of float64, shape (B, ...)
            Physical values.

        Raises
        ------
        UsageError
            If the number of components is not its own.
        """
        flat = self._flat(components, self.n_components, "components")
        found = self.inverse @ flat + self.mean[:, None]
        return found.reshape(self.n_bands, *np.shape(components)[1:])

    def bands_of(self, cube: Cube) -> Cube:
        """Take its bands out of a cube, by name, else by wavelength.

        Parameters
        ----------
        cube : Cube
            A scene of the same sensor.

        Returns
        -------
        Cube
            With its bands, in its order.

        Raises
        ------
        UsageError
            If a band is not there.
        """
        return cube.with_bands(cube.find_bands(self.band_names, self.wavelengths))

    def _flat(self, values: NDArray[Any], wanted: int, what: str) -> NDArray[np.float64]:
        flat = np.asarray(values, np.float64)
        if flat.ndim < 1 or flat.shape[0] != wanted:
            raise UsageError(
                f"this {self.kind.upper()} takes {wanted} {what}, first axis: got an array of "
                f"shape {flat.shape}"
            )
        return flat.reshape(wanted, -1)


def fixed_signs(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn vectors so that their largest number is positive: else their sign is chance.

    Parameters
    ----------
    vectors : ndarray of float64, shape (B, K)
        One vector a column.

    Returns
    -------
    ndarray of float64, shape (B, K)
        Each as it was, or turned.

    Examples
    --------
    >>> fixed_signs(np.array([[1.0, 0.5], [-2.0, 3.0]])).tolist()
    [[-1.0, 0.5], [2.0, 3.0]]
    """
    largest = np.abs(vectors).argmax(axis=0)
    signs = np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return vectors * np.where(signs == 0, 1, signs)
