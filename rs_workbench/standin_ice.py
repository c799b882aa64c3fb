"""Sea ice as seen from above, drawn: floes, brash, melt ponds and leads, with labels."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import UsageError
from rs_workbench.sample_paint import Plane, fractal, noise
from rs_workbench.types import LabelMap, Mask

WATER, ICE = 0, 1
SIZE_EXPONENT = 1.8
"""Floes wider than r become r ** -SIZE_EXPONENT as many; observed are 1 to 3 (Stern et al. 2018,
Elementa 6, 49)."""
RADII = (3.0, 60.0)  # px, smallest and largest floe
CORNERS = 20
DARK = 0.14  # share of floes that are thin and grey
CROWDING = 0.65  # found by drawing
CELL = 16  # px, over which floes are equally dense
CONCENTRATION = (0.12, 0.75)  # share of ice, smallest and largest drawn where none is asked for
MIN_SIDE = 16  # px
WATER_COLOR = np.array((0.78, 0.98, 1.08), np.float32)[:, None, None]
ICE_COLOR = np.array((0.97, 1.0, 1.03), np.float32)[:, None, None]
POND_COLOR = np.array((0.72, 1.0, 1.16), np.float32)[:, None, None]


class IceScene(NamedTuple):
    """Drawn sea ice.

    Attributes
    ----------
    image : ndarray of uint8, shape (3, H, W)
        Red, green, blue.
    label_map : ndarray of uint8, shape (H, W)
        0 water, 1 ice.
    """

    image: NDArray[np.uint8]
    label_map: LabelMap


def draw_ice(
    height: int = 256, width: int = 256, *, seed: int = 0, concentration: float | None = None
) -> IceScene:
    """Draw floes in water, as an optical sensor sees them, and say what is ice.

    Realistic: floe sizes follow a power law; floes have rims, ridges, snow of their own
    brightness and dark melt ponds; brash ice floats between them; light, haze and thin grey ice
    change over the scene. So ice may be darker than water elsewhere: the best single threshold
    gets about nine pixels in ten, as on real tiles. Not realistic: floes drift over each other
    without breaking, no clouds or their shadows, no swell, no sensor but a blur and noise.

    Parameters
    ----------
    height, width : int
        Size, px.
    seed : int
        Another seed, another scene; the same seed and size, the same bytes.
    concentration : float, optional
        Share of the floes in the area, 0 to 1; drawn from 0.12 to 0.75 by default. Brash adds a
        little.

    Returns
    -------
    IceScene
        Image and labels.

    Raises
    ------
    UsageError
        If the size is too small, or the share is none.
    """
    _check(height, width, concentration)
    rng = np.random.default_rng(seed)
    share = rng.uniform(*CONCENTRATION) if concentration is None else concentration
    shape = (height, width)
    floes, bright = _draw_floes(shape, share, rng)
    brash = _draw_brash(shape, floes, rng)
    image = _paint_water(shape, rng)
    surface, ponds = _paint_ice(floes, bright, rng)
    tint = ICE_COLOR * rng.normal(1, 0.025, (3, 1, 1))
    image = np.where(floes, np.where(ponds, POND_COLOR, tint) * surface, image)
    glow = rng.uniform(75, 130) * tint * (1 + 0.15 * noise(shape, 2, rng))
    image = np.where(brash & ~floes, glow, image)
    return IceScene(_photograph(image, rng), (floes | brash).astype(np.uint8))


def _check(height: int, width: int, concentration: float | None) -> None:
    if min(height, width) < MIN_SIDE:
        raise UsageError(
            f"drawn ice needs at least {MIN_SIDE} x {MIN_SIDE} px: got {height} x {width}"
        )
    if concentration is not None and not 0 <= concentration <= 1:
        raise UsageError(f"the concentration of ice is a share, 0 to 1: got {concentration:g}")


def _draw_floes(
    shape: tuple[int, int], share: float, rng: np.random.Generator
) -> tuple[Mask, Plane]:
    """Draw floes until they cover the share; small ones first, so that large ones hide them."""
    radii = _draw_radii(shape, share, rng)
    angles = np.sort(rng.uniform(0, 2 * np.pi, (radii.size, CORNERS)), axis=1)
    reach = radii[:, None] * rng.normal(1, 0.13, (radii.size, CORNERS)).clip(0.6, 1.4)
    stretch, turn = rng.uniform(0.65, 1, radii.size), rng.uniform(0, np.pi, radii.size)
    x, y = reach * np.cos(angles), reach * np.sin(angles) * stretch[:, None]
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    corners = np.stack([x * cos - y * sin, x * sin + y * cos], axis=2)
    corners += _draw_centres(shape, radii.size, rng)[:, None]
    dark, snowy = rng.normal(70, 12, radii.size), rng.normal(132, 22, radii.size)
    albedo = np.where(rng.random(radii.size) < DARK, dark, snowy)
    bright = np.zeros(shape, np.float32)
    points = np.round(corners * 8).astype(np.int32)
    for one, value in zip(points, albedo.clip(45, 205), strict=True):
        cv2.fillPoly(bright, [one], float(value), cv2.LINE_8, shift=3)
    bright = _roughen(bright, rng)
    return bright > 0, bright


def _draw_centres(
    shape: tuple[int, int], count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Columns and rows of floes, (count, 2): wind and current drive them together."""
    coarse = (-(-shape[0] // CELL) + 1, -(-shape[1] // CELL) + 1)
    weight = np.exp(rng.uniform(0, 1.4) * fractal(coarse, 8, rng)).ravel()
    cells = rng.choice(weight.size, count, p=weight / weight.sum())
    rows, columns = np.divmod(cells, coarse[1])
    corner = np.stack([columns, rows], axis=1) - 0.5
    return (corner + rng.random((count, 2))) * CELL


def _roughen(bright: Plane, rng: np.random.Generator) -> Plane:
    """Crumble straight outlines."""
    shape = (bright.shape[0], bright.shape[1])
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    x += 1.1 * noise(shape, 8, rng) + 0.5 * noise(shape, 3, rng)
    y += 1.1 * noise(shape, 8, rng) + 0.5 * noise(shape, 3, rng)
    rough = cv2.remap(bright, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(rough, np.float32)


def _draw_radii(
    shape: tuple[int, int], share: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Radii of a power law, ascending, whose floes cover about the share where they overlap."""
    small, large = RADII[0], min(RADII[1], min(shape) / 3)
    area = -np.log1p(-min(share, 0.995)) * shape[0] * shape[1]  # of discs thrown at random,
    area *= 1 + CROWDING * share  # and of more where they crowd
    mean = np.pi * 0.8 * _mean_square(small, large)
    count = max(int(1.6 * area / mean) + 40, 1)
    low, high = small**-SIZE_EXPONENT, large**-SIZE_EXPONENT
    radii = (low - rng.random(count) * (low - high)) ** (-1 / SIZE_EXPONENT)
    covered = np.cumsum(np.pi * 0.8 * radii**2)
    return np.sort(radii[: int(np.searchsorted(covered, area))])


def _mean_square(small: float, large: float) -> float:
    """Mean of r ** 2 where r follows the power law between two radii."""
    a = SIZE_EXPONENT
    scale = a / (small**-a - large**-a)
    return float(scale * (large ** (2 - a) - small ** (2 - a)) / (2 - a))


def _draw_brash(shape: tuple[int, int], floes: Mask, rng: np.random.Generator) -> Mask:
    """Crumbs of ice, most of them near floes."""
    near = cv2.GaussianBlur(floes.astype(np.float32), (0, 0), 9)
    crumbs = noise(shape, 3, rng) + 0.5 * noise(shape, 16, rng) + 1.6 * near
    return np.asarray(crumbs > rng.uniform(2.1, 2.9))


def _paint_water(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Dark water, here and there grey with thin new ice, which counts as water."""
    grey = 27 + 6 * fractal(shape, 64, rng) + 1.5 * noise(shape, 2, rng)
    nilas = 1 / (1 + np.exp(-6 * (fractal(shape, 96, rng) - rng.uniform(1.2, 2.6))))
    return np.asarray(
        (grey + 45 * nilas).clip(6, 120) * WATER_COLOR ** rng.uniform(0, 1.6), np.float32
    )


def _paint_ice(floes: Mask, bright: Plane, rng: np.random.Generator) -> tuple[Plane, Mask]:
    """Grey levels of the ice, and where melt ponds lie on it."""
    shape = (bright.shape[0], bright.shape[1])
    inward = cv2.distanceTransform(floes.astype(np.uint8), cv2.DIST_L2, 3)
    relief = np.gradient(fractal(shape, 8, rng), axis=1)  # lit from the side
    snow = bright * (1 + 0.08 * fractal(shape, 24, rng) + 0.14 * relief / relief.std())
    rim = 14 * np.exp(-inward / 2.0)
    ridges = 22 * (np.abs(fractal(shape, 48, rng)) < 0.035)
    ponds = (fractal(shape, 12, rng) > rng.uniform(1.5, 2.4)) & (inward > 3)
    surface = np.where(ponds, 0.52 * snow, snow + rim + ridges)
    return surface.astype(np.float32), np.asarray(ponds)


def _photograph(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Uneven light, haze, the sensor's blur and noise."""
    shape = (image.shape[1], image.shape[2])
    light = rng.uniform(0.82, 1.15) * (1 + 0.10 * noise(shape, 128, rng)).clip(0.7, 1.3)
    haze = rng.uniform(0, 10) * (1 + 0.5 * noise(shape, 128, rng)).clip(0, 3)
    seen = np.stack([cv2.GaussianBlur(plane, (0, 0), 0.7) for plane in image])
    seen = seen * light + haze + rng.normal(0, 2, image.shape)
    return np.asarray(seen.round().clip(0, 255), np.uint8)
