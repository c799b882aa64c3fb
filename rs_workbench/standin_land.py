"""Land cover as seen from the air, drawn: image, elevation and labels of seven classes."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import LegendClass
from rs_workbench.errors import UsageError
from rs_workbench.sample_paint import Plane, fractal, noise
from rs_workbench.types import LabelMap, Mask

WATER, SAND, GRASS, FOREST, CROPS, ROAD, BUILT = range(7)
LAND_CLASSES = (
    LegendClass(value=WATER, name="water", name_zh="水体", color="#2b6fb5"),
    LegendClass(value=SAND, name="bare sand", name_zh="裸沙", color="#f3e3a1"),
    LegendClass(value=GRASS, name="grass", name_zh="草地", color="#c9b458"),
    LegendClass(value=FOREST, name="forest", name_zh="森林", color="#3f7d3a"),
    LegendClass(value=CROPS, name="cropland", name_zh="耕地", color="#e39b3c"),
    LegendClass(value=ROAD, name="road", name_zh="道路", color="#8c8c8c"),
    LegendClass(value=BUILT, name="built-up", name_zh="建筑用地", color="#c8352e"),
)
COLORS = {
    WATER: (48, 62, 66),
    SAND: (158, 146, 124),
    GRASS: (98, 102, 70),
    FOREST: (46, 58, 40),
    ROAD: (112, 110, 106),
    BUILT: (92, 94, 78),
}
FIELDS = (
    (96, 104, 66),
    (130, 116, 84),
    (70, 88, 48),
    (118, 112, 92),
    (58, 76, 46),
    (142, 132, 98),
)
ROOFS = ((122, 78, 66), (150, 146, 140), (92, 90, 92), (176, 172, 166), (104, 70, 58))
TEXTURE = {WATER: 3.0, SAND: 8.0, GRASS: 10.0, FOREST: 15.0, CROPS: 6.0, ROAD: 5.0, BUILT: 9.0}
RELIEF = 80.0  # m, about, between valley and hills
MIN_SIDE = 64  # px
BLUR = 0.7  # px


class LandScene(NamedTuple):
    """Drawn land.

    Attributes
    ----------
    image : ndarray of uint8, shape (3, H, W)
        Red, green, blue.
    elevation : ndarray of float32, shape (H, W)
        Height of the ground, m.
    label_map : ndarray of uint8, shape (H, W)
        Class of every pixel, as in `LAND_CLASSES`.
    """

    image: NDArray[np.uint8]
    elevation: NDArray[np.float32]
    label_map: LabelMap


def draw_land(height: int = 512, width: int = 512, *, seed: int = 0) -> LandScene:
    """Draw a stretch of land from the air, and say what is where.

    Realistic: classes lie where they lie outdoors (water lowest, sand along it, fields on flat
    ground, forest on hills, houses by the road), so neighbours and elevation help; several
    classes share colours (crops and grass, roofs and sand, roads and bare fields), so colour
    alone does not tell them apart; fields have rows, forest has crowns, light falls from one
    side. Not realistic: nothing casts a shadow but the relief, seasons and clouds are missing,
    and borders are as sharp as the blur of the sensor lets them be.

    Parameters
    ----------
    height, width : int
        Size, px; about half a metre each.
    seed : int
        Another seed, another place; the same seed and size, the same bytes.

    Returns
    -------
    LandScene
        Image, elevation and labels.

    Raises
    ------
    UsageError
        If the size is too small for land.
    """
    if min(height, width) < MIN_SIDE:
        raise UsageError(
            f"drawn land needs at least {MIN_SIDE} x {MIN_SIDE} px: got {height} x {width}"
        )
    rng = np.random.default_rng(seed)
    shape = (height, width)
    ground = _draw_ground(shape, rng)
    labels = _draw_cover(ground, rng)
    fields, rows = _draw_fields(shape, rng)
    _draw_roads(labels, rng)
    roofs = _draw_houses(labels, rng)
    image = _paint(labels, fields, rng)
    image = np.where((labels == CROPS) & (rows > 0.4), image * 0.9, image)
    image = np.where(roofs >= 0, np.array(ROOFS, np.float32).T[:, roofs], image)
    elevation = (ground - ground.min()) * RELIEF / 4
    return LandScene(_photograph(image, elevation, rng), elevation.astype(np.float32), labels)


def _draw_ground(shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    """Relief with a valley through it, standard deviation about 1."""
    size = max(shape)
    tilt = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    across = (x - shape[1] / 2) * np.cos(tilt) + (y - shape[0] / 2) * np.sin(tilt)
    cell = int(np.clip(size / 3, 24, 320))
    bends = fractal(shape, cell, rng) * cell * 0.3
    valley = np.tanh(np.abs(across + bends - rng.uniform(-0.2, 0.2) * size) / (0.25 * size))
    ground = 1.6 * valley + 0.55 * fractal(shape, cell, rng)
    return np.asarray((ground - ground.mean()) / ground.std(), np.float32)


def _draw_cover(ground: Plane, rng: np.random.Generator) -> LabelMap:
    """Let grow or lie there what height and chance allow."""
    shape = (ground.shape[0], ground.shape[1])
    chance = fractal(shape, 48, rng)
    water, shore = np.quantile(ground, (rng.uniform(0.08, 0.16), rng.uniform(0.20, 0.28)))
    labels = np.full(shape, GRASS, np.uint8)
    labels[(ground + 0.35 * chance) > 0.75] = FOREST
    flat = np.abs(ground - 0.1 * noise(shape, 96, rng)) < 0.55
    labels[flat & (chance < 0.9)] = CROPS
    labels[ground < shore + 0.12 * chance] = GRASS
    labels[ground < (water + shore) / 2 + 0.10 * chance] = SAND
    labels[ground < water] = WATER
    return labels


def _draw_fields(shape: tuple[int, int], rng: np.random.Generator) -> tuple[LabelMap, Plane]:
    """Kind of field of every pixel, and how its rows rise and fall."""
    angle, side = rng.uniform(0, np.pi / 2), rng.uniform(50, 90)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    u = (x * np.cos(angle) + y * np.sin(angle)) / side
    v = (y * np.cos(angle) - x * np.sin(angle)) / (1.6 * side)
    v = v + 0.37 * np.floor(u)  # fields are not in step with their neighbours
    column, row = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    column, row = column - column.min(), row - row.min()
    kinds = rng.integers(0, len(FIELDS), (column.max() + 1, row.max() + 1), np.uint8)
    return kinds[column, row], np.asarray(np.sin(2 * np.pi * u * side / 6), np.float32)


def _draw_roads(labels: LabelMap, rng: np.random.Generator) -> None:
    """Roads across the scene; bridges where they cross water are left out."""
    height, width = labels.shape
    drawn = np.zeros(labels.shape, np.uint8)
    for number in range(max(2, round(np.sqrt(height * width) / 220))):
        along = np.linspace(-0.05, 1.05, 40)
        wander = np.cumsum(rng.normal(0, 0.012, 40)) + rng.uniform(0.1, 0.9)
        points = np.stack([along * width, wander * height], axis=1)
        if number % 2:
            points = np.stack([wander * width, along * height], axis=1)
        thick = int(rng.integers(4, 8))
        cv2.polylines(drawn, [np.round(points).astype(np.int32)], False, 1, thick)
    labels[(drawn > 0) & (labels != WATER)] = ROAD


def _draw_houses(labels: LabelMap, rng: np.random.Generator) -> NDArray[np.int64]:
    """Make villages along roads; gives the kind of roof, -1 where there is none."""
    shape = labels.shape
    by_road = cv2.distanceTransform((labels != ROAD).astype(np.uint8), cv2.DIST_L2, 3)
    village = fractal((shape[0], shape[1]), 80, rng) > 0.35
    lots: Mask = (by_road < 45) & village & np.isin(labels, (GRASS, CROPS, FOREST))
    labels[lots] = BUILT
    roofs = np.full(shape, -1, np.int32)
    rows, columns = np.nonzero(lots & (by_road > 8))
    count = rows.size // 420
    for at in rng.integers(0, max(rows.size, 1), count):
        box = ((float(columns[at]), float(rows[at])), tuple(rng.uniform(9, 18, 2)))
        corners = cv2.boxPoints((*box, float(rng.uniform(0, 90))))
        cv2.fillPoly(roofs, [corners.astype(np.int32)], int(rng.integers(len(ROOFS))))
    roofs[labels != BUILT] = -1
    return roofs.astype(np.int64)


def _paint(labels: LabelMap, fields: LabelMap, rng: np.random.Generator) -> NDArray[np.float32]:
    """Colours of the classes, each with its own texture, and drier or lusher places."""
    shape = (labels.shape[0], labels.shape[1])
    palette = np.array([COLORS.get(k, (0, 0, 0)) for k in range(7)], np.float32)
    image = palette.T[:, labels]
    image = np.where(labels == CROPS, np.array(FIELDS, np.float32).T[:, fields], image)
    rough = np.array([TEXTURE[k] for k in range(7)], np.float32)[labels]
    grain = 0.7 * noise(shape, 4, rng) + 0.5 * noise(shape, 2, rng) + 0.5 * fractal(shape, 40, rng)
    lush = 6 * fractal(shape, 120, rng) * np.isin(labels, (GRASS, FOREST, CROPS))
    tint = np.stack([-0.6 * lush, 0.5 * lush, -0.4 * lush])
    return np.asarray(image + rough * grain + tint, np.float32)


def _photograph(
    image: NDArray[np.float32], elevation: Plane, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Light from one side, uneven exposure, blur and noise."""
    slope = np.gradient(cv2.GaussianBlur(elevation, (0, 0), 4), axis=1)
    light = 1 + 0.5 * np.clip(slope, -0.5, 0.5) + 0.04 * fractal(elevation.shape[:2], 160, rng)
    seen = np.stack([cv2.GaussianBlur(plane, (0, 0), BLUR) for plane in image])
    seen = seen * light * rng.uniform(0.92, 1.08) + rng.normal(0, 2.5, image.shape)
    return np.asarray(seen.round().clip(1, 255), np.uint8)
