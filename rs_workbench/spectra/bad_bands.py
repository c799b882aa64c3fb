"""Bad bands: which bands of a cube to leave out, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import SceneError
from rs_workbench.spectra.cube import Cube
from rs_workbench.spectra.noise import SHIFT_VARIANCE
from rs_workbench.spectra.windows import Where, cube_windows, widen

WATER_VAPOUR = ((1350.0, 1450.0), (1800.0, 1950.0))
"""Where water vapour around 1380 and 1870 nm lets hardly any light through, nm [1]_."""
ENDS = (400.0, 2450.0)
"""Outside, sunlight and detectors are weak, nm."""
MOST_MISSING = 0.02
"""Share of the pixels that a band may lack: they would be lost in all other bands, too."""
LEAST_SIGNAL = 0.5
"""Least share of a band's variance that neighbouring pixels must have in common."""


class DroppedBand(NamedTuple):
    """A band to leave out.

    Attributes
    ----------
    band : int
        Its number in the file, from 1.
    wavelength : float
        Its centre, nm; NaN where unknown.
    reason : str
        Why, for people.
    """

    band: int
    wavelength: float
    reason: str


@dataclass(frozen=True)
class BandChoice:
    """Bands worth using, and the others with reasons.

    Attributes
    ----------
    kept : tuple of int
        Numbers in the file, from 1.
    dropped : tuple of DroppedBand
        In the order of the file.
    """

    kept: tuple[int, ...]
    dropped: tuple[DroppedBand, ...]

    def __str__(self) -> str:
        lines = [f"{len(self.kept)} bands kept, {len(self.dropped)} dropped"]
        for band, nm, reason in self.dropped:
            place = "" if np.isnan(nm) else f" ({nm:g} nm)"
            lines.append(f"  band {band}{place}: {reason}")
        return "\n".join(lines)


class BandFacts(NamedTuple):
    """What was measured of every band, each of shape (B,).

    Attributes
    ----------
    missing : ndarray of float64
        Share of the scene's valid pixels that lack the band.
    low, high : ndarray of float64
        Smallest and largest value; infinite where there is none.
    signal : ndarray of float64
        Share of the variance that neighbours have in common: 1 - noise / variance. NaN for bands
        that are constant or empty.
    """

    missing: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    signal: NDArray[np.float64]


def find_bad_bands(
    cube: Cube,
    *,
    absorbed: Sequence[tuple[float, float]] = WATER_VAPOUR,
    ends: tuple[float, float] = ENDS,
    least_signal: float = LEAST_SIGNAL,
    where: Where | None = None,
) -> BandChoice:
    """Find the bands of a cube that are not worth using, in one pass.

    A band is dropped, for the first of these that is true, if it has no data in more than 2 % of
    the valid pixels; is constant; is marked as bad in the file (``bbl``); lies where water vapour
    absorbs, or outside the ends; or is mostly noise.

    Parameters
    ----------
    cube : Cube
        All bands of the scene.
    absorbed : sequence of (float, float), optional
        Ranges without light, nm; empty for none.
    ends : (float, float), optional
        Shortest and longest wavelength to keep, nm.
    least_signal : float, optional
        Least share of the variance that neighbouring pixels must have in common; 0 switches the
        check off. In a scene whose fields are no larger than a pixel it is of no use.
    where : callable, optional
        Pixels that may be used; by default all valid ones.

    Returns
    -------
    BandChoice
        Numbers of the bands kept, and reasons for the others.

    Raises
    ------
    SceneError
        If the scene has no valid pixel, or no band is left.

    Notes
    -----
    Wavelengths that are unknown drop no band. The ranges are those commonly left out around the
    two strong absorptions; the share of noise is half the variance of differences between
    neighbours over the variance [2]_.

    References
    ----------
    .. [1] A. F. H. Goetz, K. F. Evans, M. Ferri, "Removing thin cirrus cloud effects in Hyperion
       data using the 1.38 and 1.87 um water vapor absorption bands", IGARSS 2003, vol. 1, p. 83.
    .. [2] A. A. Green et al., "A transformation for ordering multispectral data in terms of image
       quality with implications for noise removal", IEEE Transactions on Geoscience and Remote
       Sensing 26 (1988) 65-74.

    Examples
    --------
    >>> from rs_workbench.spectra.cubes import cube_of_array
    >>> ramp = np.add.outer(np.arange(9.0), np.arange(9.0))
    >>> cube = cube_of_array([ramp, 0 * ramp, ramp], wavelengths=[800, 900, 1400])
    >>> print(find_bad_bands(cube))
    1 bands kept, 2 dropped
      band 2 (900 nm): constant (0)
      band 3 (1400 nm): water vapour absorbs, 1350 to 1450 nm
    """
    facts = measure_bands(cube, where=where)
    dropped = []
    for place, (band, nm) in enumerate(zip(cube.bands, cube.wavelengths, strict=True)):
        reason = (
            _data_reason(facts, place)
            or ("marked as bad in the file (bbl)" if not cube.good[place] else None)
            or _wavelength_reason(nm, absorbed, ends)
            or _noise_reason(facts, place, least_signal)
        )
        if reason:
            dropped.append(DroppedBand(band, float(nm), reason))
    lost = {drop.band for drop in dropped}
    kept = tuple(band for band in cube.bands if band not in lost)
    if not kept:
        raise SceneError(
            f"no band of '{cube.name}' is left: all {cube.n_bands} are dropped, such as band "
            f"{dropped[0].band}: {dropped[0].reason} (ask for less, or check the file)"
        )
    return BandChoice(kept, tuple(dropped))


def _data_reason(facts: BandFacts, place: int) -> str | None:
    missing = facts.missing[place]
    if missing > MOST_MISSING:
        return f"no data in {missing:.0%} of the pixels"
    if facts.low[place] == facts.high[place]:
        return f"constant ({facts.low[place]:g})"
    return None


def _wavelength_reason(
    nm: float, absorbed: Sequence[tuple[float, float]], ends: tuple[float, float]
) -> str | None:
    for low, high in absorbed:
        if low <= nm <= high:
            return f"water vapour absorbs, {low:g} to {high:g} nm"
    if nm < ends[0] or nm > ends[1]:
        return f"outside {ends[0]:g} to {ends[1]:g} nm, where light is weak"
    return None


def _noise_reason(facts: BandFacts, place: int, least_signal: float) -> str | None:
    signal = facts.signal[place]
    if 0 < least_signal and signal < least_signal:
        return f"mostly noise: neighbours share {max(signal, 0):.0%} of the variance"
    return None


def measure_bands(cube: Cube, *, where: Where | None = None, side: int | None = None) -> BandFacts:
    """Measure range, missing values and noise of every band by itself, in one pass.

    Parameters
    ----------
    cube : Cube
        Bands in question; any of them may lack data.
    where : callable, optional
        Pixels that may be used; by default all valid ones.
    side : int, optional
        Height and width of a window, px.

    Returns
    -------
    BandFacts
        One value a band.

    Raises
    ------
    SceneError
        If the scene has no valid pixel.
    """
    sums, n_valid = _Sums(cube.n_bands), 0
    with cube.reader() as read:
        for window in cube_windows(cube, side=side):
            outer, inner = widen(window, cube.shape, "after")
            values, _, present, any_band = read(outer)
            if where is not None:
                any_band = any_band & where(outer)
            n_valid += int(any_band[inner].sum())
            sums.add(values, any_band if present is None else present & any_band, inner)
    if not n_valid:
        raise SceneError(f"'{cube.name}' has no valid pixel: check its nodata value")
    return sums.facts(n_valid)


class _Sums:
    """Running sums of every band; values are taken from a first value, to keep their digits."""

    def __init__(self, n_bands: int) -> None:
        self.low = np.full(n_bands, np.inf)
        self.high = np.full(n_bands, -np.inf)
        self.origin = np.full(n_bands, np.nan)
        self.count, self.total, self.squares = np.zeros((3, n_bands))
        self.pairs, self.differences = np.zeros((2, n_bands))

    def add(
        self,
        values: NDArray[np.float64],
        present: NDArray[np.bool_],
        inner: tuple[slice, slice],
    ) -> None:
        """Add a window, band by band."""
        for b, plane in enumerate(values):
            there = present if present.ndim == 2 else present[b]
            used = plane[inner][there[inner]]
            if not used.size:
                continue
            if np.isnan(self.origin[b]):
                self.origin[b] = used[0]
            apart = used - self.origin[b]
            self.low[b] = min(self.low[b], used.min())
            self.high[b] = max(self.high[b], used.max())
            self.count[b] += used.size
            self.total[b] += apart.sum()
            self.squares[b] += apart @ apart
            self._add_pairs(b, plane, there, inner)

    def _add_pairs(
        self,
        b: int,
        plane: NDArray[np.float64],
        there: NDArray[np.bool_],
        inner: tuple[slice, slice],
    ) -> None:
        inside = np.zeros_like(there)
        inside[inner] = True
        for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1, :], np.s_[1:, :])):
            both = there[one] & there[other] & inside[one]
            apart = plane[one][both] - plane[other][both]
            self.pairs[b] += apart.size
            self.differences[b] += apart @ apart

    def facts(self, n_valid: int) -> BandFacts:
        """Turn the sums into facts."""
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = self.squares / self.count - (self.total / self.count) ** 2
            noise = self.differences / (SHIFT_VARIANCE * self.pairs)
            signal = np.where(variance > 0, 1 - noise / variance, np.nan)
        return BandFacts(1 - self.count / n_valid, self.low, self.high, signal)
