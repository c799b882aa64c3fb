"""Cube: many bands with their wavelengths, read window by window, from a scene or from memory.

Values are physical ones: the scale and offset of a scene are applied, so that a transform or a
reference spectrum means the same in two scenes that are stored in different ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.errors import UsageError
from rs_workbench.raster import Scene, SceneReader
from rs_workbench.raster_gdal import CACHE_BYTES
from rs_workbench.types import Mask
from tiling.windows import Window

MOST_CACHE_BYTES = 256 * 2**20
"""Most that GDAL's block cache may take, so that large blocks of many bands are decoded once."""
NEAR_NM = 5.0
"""Farthest centre of a band that counts as the same band in another scene, nm."""


class CubePixels(NamedTuple):
    """What a window of a cube holds.

    Attributes
    ----------
    values : ndarray of float64, shape (B, H, W)
        Physical values; what they are where nothing is valid is not defined.
    valid : ndarray of bool, shape (H, W)
        Pixels that have a value in every band.
    present : ndarray of bool, shape (B, H, W), or None
        Values that are there, where some pixels lack some bands; None if they are there
        wherever `any_band` says so.
    any_band : ndarray of bool, shape (H, W)
        Pixels that have a value in at least one band.
    """

    values: NDArray[np.float64]
    valid: Mask
    present: NDArray[np.bool_] | None
    any_band: Mask


Read = Callable[[Window], CubePixels]


@dataclass(frozen=True, eq=False)
class Cube:
    """A hyperspectral scene, or some of its bands.

    Attributes
    ----------
    name : str
        For people.
    shape : tuple of int, (H, W)
        Size, px.
    bands : tuple of int
        Numbers of the bands in the file, from 1.
    band_names : tuple of str
        One a band.
    wavelengths : ndarray of float64, shape (B,)
        Centres, nm; NaN where unknown.
    good : ndarray of bool, shape (B,)
        False for bands that the file itself marks as bad (ENVI's ``bbl``).
    scene : Scene or None
        The raster behind it; None for a cube in memory.
    array : ndarray, shape (B, H, W), or None
        Physical values of a cube in memory, all its bands; NaN where there is no data.
    block : tuple of int, (h, w)
        How pixels are stored, px.
    """

    name: str
    shape: tuple[int, int]
    bands: tuple[int, ...]
    band_names: tuple[str, ...]
    wavelengths: NDArray[np.float64]
    good: NDArray[np.bool_]
    scene: Scene | None = None
    array: NDArray[Any] | None = None
    block: tuple[int, int] = (1, 1)

    @property
    def n_bands(self) -> int:
        """Number of bands."""
        return len(self.bands)

    def with_bands(self, bands: Sequence[int]) -> Cube:
        """Keep some bands only.

        Parameters
        ----------
        bands : sequence of int
            Numbers in the file, as in `bands`, in the order wanted.

        Returns
        -------
        Cube
            The same pixels.

        Raises
        ------
        UsageError
            If a band is not there, or none is asked for.
        """
        missing = [band for band in bands if band not in self.bands]
        if missing or not bands:
            raise UsageError(
                f"'{self.name}' has {self.n_bands} bands, numbered {self.bands[0]} to "
                f"{self.bands[-1]}: got {', '.join(map(str, missing[:5])) or 'none'} "
                "(choose from those it has)"
            )
        places = [self.bands.index(band) for band in bands]
        return replace(
            self,
            bands=tuple(bands),
            band_names=tuple(self.band_names[p] for p in places),
            wavelengths=self.wavelengths[places],
            good=self.good[places],
        )

    def find_bands(self, names: Sequence[str], wavelengths: ArrayLike) -> tuple[int, ...]:
        """Find the same bands as another cube's: by name, else by wavelength.

        Names count only where the wavelengths do not contradict them: every sensor has a band 1.

        Parameters
        ----------
        names : sequence of str
            Names of the bands.
        wavelengths : array_like of float, shape (B,)
            Their centres, nm; NaN where unknown.

        Returns
        -------
        tuple of int
            Numbers in the file.

        Raises
        ------
        UsageError
            If a band has no fellow here, or two have the same.
        """
        centres = np.asarray(wavelengths, np.float64)
        named = {name: p for p, name in enumerate(self.band_names)}
        if len(named) == self.n_bands and all(name in named for name in names):
            places = [named[name] for name in names]
            if not (np.abs(self.wavelengths[places] - centres) > NEAR_NM).any():
                return tuple(self.bands[place] for place in places)
        found: list[int] = []
        for name, nm in zip(names, centres, strict=True):
            apart = np.nan_to_num(np.abs(self.wavelengths - nm), nan=np.inf)
            place = int(apart.argmin())
            if apart[place] > NEAR_NM or self.bands[place] in found:
                raise UsageError(
                    f"'{self.name}' has no band of its own for '{name}' ({nm:g} nm): its bands "
                    "must be those of the scene that was measured, by name or within "
                    f"{NEAR_NM:g} nm"
                )
            found.append(self.bands[place])
        return tuple(found)

    @contextmanager
    def reader(self) -> Iterator[Read]:
        """Open the cube; use it in one thread.

        Yields
        ------
        callable
            Turns a window into its `CubePixels`.
        """
        if self.scene is None:
            yield self._read_array
            return
        scale = np.array([self.scene.scales[b - 1] for b in self.bands])[:, None, None]
        offset = np.array([self.scene.offsets[b - 1] for b in self.bands])[:, None, None]
        scaled = bool((scale != 1).any() or (offset != 0).any())
        with SceneReader(self.scene, self.bands, cache_bytes=self._cache_bytes()) as reader:

            def read(window: Window) -> CubePixels:
                pixels, any_band, missing = reader.read(window)
                values = pixels.astype(np.float64)
                if scaled:
                    values *= scale
                    values += offset
                if missing is None:
                    return CubePixels(values, any_band, None, any_band)
                present = ~missing & any_band
                return _of_present(values, present, any_band)

            yield read

    def _cache_bytes(self) -> int:
        """Room for a block of every band, its neighbours at hand, within bounds."""
        assert self.scene is not None
        item = np.dtype(self.scene.dtype).itemsize
        wanted = 3 * self.block[0] * self.block[1] * self.n_bands * item
        return min(max(wanted, CACHE_BYTES), MOST_CACHE_BYTES)

    def read(self, window: Window | None = None) -> CubePixels:
        """Read one window, or everything where it fits in memory.

        Parameters
        ----------
        window : Window, optional
            Rectangle, px; by default the whole scene.

        Returns
        -------
        CubePixels
            Values and what is valid.
        """
        with self.reader() as read:
            return read(window or Window(0, 0, *self.shape))

    def _read_array(self, window: Window) -> CubePixels:
        assert self.array is not None
        places = [band - 1 for band in self.bands]
        values = self.array[:, *window.slices][places].astype(np.float64)
        present = np.isfinite(values)
        if present.all():
            valid = np.ones(values.shape[1:], np.bool_)
            return CubePixels(values, valid, None, valid)
        return _of_present(values, present, np.asarray(present.any(axis=0)))


def _of_present(
    values: NDArray[np.float64], present: NDArray[np.bool_], any_band: Mask
) -> CubePixels:
    return CubePixels(values, np.asarray(present.all(axis=0)), present, any_band)
