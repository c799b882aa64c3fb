"""Spectra of the classes, measured on training chips: means, noise, the bands that tell most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rs_workbench.lessons.cube_chips import CubeChips, inside
from rs_workbench.spectra.angles import nearest_reference, spectral_angle
from rs_workbench.spectra.band_selection import (
    MIN_PIXELS,
    BandSelection,
    jeffries_matusita,
    measure_classes,
    select_bands,
)
from rs_workbench.spectra.cube import Cube
from rs_workbench.spectra.indices import find_band, find_index
from rs_workbench.spectra.moments import Moments
from rs_workbench.spectra.noise import measure_noise
from rs_workbench.spectra.transform import LinearTransform
from rs_workbench.types import LabelMap, Mask
from tiling.label_index import IGNORE
from tiling.windows import Window


@dataclass(frozen=True, eq=False)
class ClassSpectra:
    """What training chips say of the bands that were kept.

    Attributes
    ----------
    cube : Cube
        The whole scene, without its bad bands.
    training : ndarray of bool, shape (H, W)
        Pixels of the training chips.
    labels : ndarray of uint8, shape (H, W)
        Class indexes in the training chips, 255 elsewhere.
    moments : tuple of Moments
        Of the labelled training pixels of each class.
    noise : ndarray of float64, shape (B,)
        Standard deviation of the noise of each band, estimated from neighbouring training
        pixels; the ground differs from pixel to pixel, too, so it is rather too large.
    """

    cube: Cube
    training: Mask
    labels: LabelMap
    moments: tuple[Moments, ...]
    noise: NDArray[np.float64]

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean spectrum of each class, (K, B); NaN for a class without a training pixel."""
        return np.stack(
            [m.mean if m.count else np.full_like(m.mean, np.nan) for m in self.moments]
        )

    @property
    def spread(self) -> NDArray[np.float64]:
        """Standard deviation of each class and band, (K, B)."""
        return np.stack([np.sqrt(np.diag(m.covariance)) for m in self.moments])


def measure_spectra(
    chips: CubeChips, transform: LinearTransform, training: Sequence[int] | NDArray[np.intp]
) -> ClassSpectra:
    """Measure classes and noise in the training chips; the other chips are not looked at.

    Parameters
    ----------
    chips : CubeChips
        The scene.
    transform : LinearTransform
        Says which bands were kept.
    training : sequence or ndarray of int
        Chips that may be used.

    Returns
    -------
    ClassSpectra
        Of the bands the transform takes.

    Raises
    ------
    UsageError
        If a band of the transform is not there.
    SceneError
        If no two neighbouring training pixels have all bands.
    """
    where = inside(chips.labels.shape, [chips.windows[index] for index in training])
    mask = where(Window(0, 0, *chips.labels.shape))
    labels = np.where(mask, chips.labels, np.uint8(IGNORE))
    cube = transform.bands_of(chips.cube)
    moments = measure_classes(cube, lambda window: labels[window.slices], len(chips.classes))
    noise = np.sqrt(np.diag(measure_noise(cube, where=where).covariance))
    return ClassSpectra(cube, mask, labels, moments, noise)


def label_by_angle(found: ClassSpectra, values: NDArray[np.float64]) -> LabelMap:
    """Give each pixel the class whose mean spectrum has the smallest angle to its own.

    Parameters
    ----------
    found : ClassSpectra
        Measured on training chips.
    values : ndarray of float64, shape (B, H, W)
        Physical values of its bands.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        Class indexes; 255 where there is no data.

    Raises
    ------
    UsageError
        If the bands are not those of the means.
    """
    return nearest_reference(spectral_angle(values, found.means))


def choose_bands(found: ClassSpectra, n_bands: int) -> BandSelection | None:
    """Choose the bands that tell the classes of the training chips apart.

    Parameters
    ----------
    found : ClassSpectra
        Measured on training chips.
    n_bands : int
        How many, at most.

    Returns
    -------
    BandSelection or None
        None where fewer than two classes have pixels enough.

    Raises
    ------
    UsageError
        If fewer than one band is asked for.
    """
    if sum(moments.count >= MIN_PIXELS for moments in found.moments) < 2:
        return None
    return select_bands(found.cube, found.moments, min(n_bands, found.cube.n_bands))


def worst_pair(found: ClassSpectra, bands: Sequence[int]) -> tuple[int, int]:
    """Find the two classes that some bands tell apart worst.

    Parameters
    ----------
    found : ClassSpectra
        Measured on training chips; at least two classes have 3 pixels.
    bands : sequence of int
        Numbers in the file.

    Returns
    -------
    tuple of int
        Indexes of the two classes.
    """
    places = [found.cube.bands.index(band) for band in bands]
    few = {
        k: Moments(m.count, m.mean[places], m.scatter[np.ix_(places, places)])
        for k, m in enumerate(found.moments)
        if m.count >= MIN_PIXELS
    }
    return min(combinations(few, 2), key=lambda pair: jeffries_matusita(*(few[k] for k in pair)))


def knows_wavelengths(cube: Cube) -> bool:
    """Say whether any band has a wavelength.

    Parameters
    ----------
    cube : Cube
        A scene.

    Returns
    -------
    bool
        Without one, bands go by their numbers.
    """
    return not bool(np.isnan(cube.wavelengths).all())


def places_of(cube: Cube, bands: Sequence[int]) -> list[float]:
    """Say where bands stand in a picture.

    Parameters
    ----------
    cube : Cube
        A scene.
    bands : sequence of int
        Numbers in the file.

    Returns
    -------
    list of float
        Their wavelengths, nm; their numbers where no wavelength is known.
    """
    if not knows_wavelengths(cube):
        return [float(band) for band in bands]
    return [float(cube.wavelengths[cube.bands.index(band)]) for band in bands]


def index_of(cube: Cube, name: str) -> tuple[NDArray[np.float64], Mask]:
    """Compute a spectral index of a cube in memory, and say where it is one of nothing.

    Parameters
    ----------
    cube : Cube
        Reflectance, with wavelengths, without bad bands.
    name : str
        See `rs_workbench.spectra.indices.INDICES`.

    Returns
    -------
    index : ndarray of float64, shape (H, W)
        NaN where there is no data.
    empty : ndarray of bool, shape (H, W)
        Pixels of which a band is 0 or less, as where a correction for the atmosphere took too
        much off: a ratio says little there.

    Raises
    ------
    UsageError
        If there is no such index, or no band near enough.
    """
    index = find_index(name)
    bands = [find_band(cube, nm) for nm in index.wavelengths]
    read = cube.with_bands(bands).read()
    empty = read.valid & (read.values <= 0).any(axis=0)
    return np.where(read.valid, index.formula(*read.values), np.nan), empty


def smooth(transform: LinearTransform, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn bands into the components that are kept, and these back into bands.

    Parameters
    ----------
    transform : LinearTransform
        With the components that are kept.
    values : ndarray of float64, shape (B, ...)
        Physical values of its bands.

    Returns
    -------
    ndarray of float64, shape (B, ...)
        The same where all components are kept; else without what the others held.

    Raises
    ------
    UsageError
        If the number of bands is not its own.
    """
    return transform.invert(transform.apply(values))
