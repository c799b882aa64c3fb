"""Regions grown from a few labelled pixels, over neighbours whose spectra have the same shape."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import UsageError
from rs_workbench.types import LabelMap, Mask
from tiling.label_index import IGNORE

_STEPS = ((-1, 0), (1, 0), (0, -1), (0, 1))


def grow_regions(
    values: NDArray[Any],
    valid: Mask,
    seeds: LabelMap,
    *,
    max_angle: float = 0.05,
    max_pixels: int = 200,
) -> LabelMap:
    """Grow a region around each seed, until spectra differ or it is large enough.

    Parameters
    ----------
    values : ndarray, shape (B, H, W)
        Spectra, without bad bands; a part of the scene that fits in memory.
    valid : ndarray of bool, shape (H, W)
        Pixels that have all bands.
    seeds : ndarray of uint8, shape (H, W)
        Class indexes of the seeds, 255 elsewhere.
    max_angle : float, optional
        Largest spectral angle to the seed itself, radians; 0.05 is about 3 degrees.
    max_pixels : int, optional
        Most pixels of one region, the seed included.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        Class indexes, 255 where no region came.

    Raises
    ------
    UsageError
        If sizes differ, there is no seed on a valid pixel, or a limit makes no sense.

    Notes
    -----
    Ours. All regions grow together, the smallest angle first, over pixels that share an edge. So a
    pixel that two seeds could reach goes to the one it is more like, and the order of seeds does
    not matter but for exact ties. Angles are to the seed, not to the neighbour: a region cannot
    drift from field to field.
    """
    _check(values, valid, seeds, max_angle, max_pixels)
    units = _units(values)
    grown = np.full(seeds.shape, IGNORE, np.uint8)
    places = np.argwhere((seeds != IGNORE) & valid)
    sizes = np.zeros(len(places), int)
    # (angle, number of the seed, row, col): the smallest first.
    edge: list[tuple[float, int, int, int]] = [
        (0.0, number, int(row), int(col)) for number, (row, col) in enumerate(places)
    ]
    while edge:
        _, number, row, col = heapq.heappop(edge)
        if grown[row, col] != IGNORE or sizes[number] >= max_pixels:
            continue
        home = places[number]
        grown[row, col] = seeds[home[0], home[1]]
        sizes[number] += 1
        for r, c in _neighbours(row, col, seeds.shape):
            if valid[r, c] and grown[r, c] == IGNORE:
                angle = _angle(units[:, r, c], units[:, home[0], home[1]])
                if angle <= max_angle:
                    heapq.heappush(edge, (angle, number, r, c))
    return grown


def _neighbours(row: int, col: int, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    near = [(row + down, col + right) for down, right in _STEPS]
    return [(r, c) for r, c in near if 0 <= r < shape[0] and 0 <= c < shape[1]]


def _units(values: NDArray[Any]) -> NDArray[np.float64]:
    spectra = np.asarray(values, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return spectra / np.sqrt((spectra**2).sum(axis=0))


def _angle(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Angle of two unit vectors; NaN, which is no smaller than any limit, where one is 0."""
    return float(2 * np.arctan2(np.linalg.norm(one - other), np.linalg.norm(one + other)))


def _check(
    values: NDArray[Any], valid: Mask, seeds: LabelMap, max_angle: float, max_pixels: int
) -> None:
    if not values.shape[1:] == valid.shape == seeds.shape:
        raise UsageError(
            "spectra, valid pixels and seeds must be of one size: got "
            f"{values.shape[1:]}, {valid.shape} and {seeds.shape}"
        )
    if not 0 < max_angle <= np.pi or max_pixels < 1:
        raise UsageError(
            "max_angle must be above 0 and at most pi (radians) and max_pixels at least 1: got "
            f"{max_angle:g} and {max_pixels}"
        )
    if not ((seeds != IGNORE) & valid).any():
        raise UsageError("no seed lies on a valid pixel: label at least one pixel with data")
