"""The things of which the sample scene is drawn: sand, plants, water, fields, houses, roads."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rs_workbench.sample_paint import (
    ASPHALT,
    BUILT,
    CARS,
    CROP,
    GARDEN,
    GREY_SHRUB,
    MARSH,
    PAVED,
    RED_MAT,
    ROOFS,
    SAND,
    SHRUB,
    SOIL,
    TRACK,
    TREE,
    TUFTED_SAND,
    WATER,
    WET_SAND,
    Canvas,
    Color,
    Plane,
    fill,
    fractal,
    inside,
    line_mask,
    noise,
    quad,
)
from rs_workbench.types import Mask

FURROW = 5.0  # px, from row to row
FURROWS = {SOIL: 1.5, CROP: 12.0}  # grey levels

# Land


def inland_distance(height: int, width: int, rng: np.random.Generator) -> Plane:
    """Distance from the shore, px; negative in the sea, which lies to the west."""
    rows, cols = np.mgrid[:height, :width].astype(np.float32)
    shore = 0.16 * width - 0.06 * width * rows / height
    shore += 14 * noise((height, width), 420, rng)
    return np.asarray(cols - shore + 3 * fractal((height, width), 64, rng), np.float32)


def draw_land(canvas: Canvas, inland: Plane, rng: np.random.Generator) -> None:
    """Cover all with shrubs, then open them: tufted sand near the shore, blowouts, red mats."""
    shape = inland.shape
    shrubs = 8 * noise(shape, 3, rng) + 6 * noise(shape, 7, rng)
    ragged = 0.22 * noise(shape, 5, rng) + 0.18 * noise(shape, 11, rng)
    fill(canvas, np.ones(shape, bool), GREY_SHRUB, shrubs)
    fill(canvas, fractal(shape, 200, rng) + 2 * ragged > 0.2, SHRUB, shrubs)
    fill(canvas, fractal(shape, 240, rng) + 2 * ragged > 1.0, RED_MAT, shrubs)
    openness = fractal(shape, 260, rng) + 2.6 * np.exp(-((np.maximum(inland - 130, 0) / 230) ** 2))
    draw_tufted(canvas, np.asarray(openness, np.float32), rng)
    draw_sand(canvas, (openness + ragged > 2.7) & (inland < 700), rng)
    trees = (fractal(shape, 120, rng) + ragged > 1.5) & (inland > 420)
    draw_trees(canvas, trees, rng)


def draw_tufted(canvas: Canvas, openness: Plane, rng: np.random.Generator) -> None:
    """Paint sand between the plants: none where openness is below 0.7, half of all at 1.5."""
    shape = openness.shape
    tufts = 0.6 * noise(shape, 3, rng) + 0.5 * noise(shape, 9, rng)
    bare = (openness - 1.45 > tufts) & (openness > 0.7)
    fill(canvas, bare, TUFTED_SAND, 8 * noise(shape, 3, rng) + 9 * noise(shape, 40, rng))


def draw_sand(canvas: Canvas, mask: Mask, rng: np.random.Generator) -> None:
    """Paint open sand, faintly marked by wind."""
    shape = mask.shape
    fill(canvas, mask, SAND, 3 * noise(shape, 3, rng) + 7 * fractal(shape, 90, rng))


def draw_trees(canvas: Canvas, mask: Mask, rng: np.random.Generator) -> None:
    """Paint crowns, dark and lumpy."""
    fill(canvas, mask, TREE, 8 * noise(mask.shape, 9, rng) + 6 * noise(mask.shape, 3, rng))


def draw_water(canvas: Canvas, mask: Mask, rng: np.random.Generator) -> None:
    """Paint calm water, smooth near by, with faint streaks."""
    shape = mask.shape
    fill(canvas, mask, WATER, 0.6 * noise(shape, 5, rng) + 1.5 * fractal(shape, 200, rng))


def draw_shore(canvas: Canvas, inland: Plane, rng: np.random.Generator) -> None:
    """Paint the beach, its wet foot and the sea."""
    shape = inland.shape
    crest = 125 + 12 * fractal(shape, 60, rng)
    draw_sand(canvas, inland < crest, rng)
    fine = 3 * noise(shape, 3, rng)
    wet = np.clip((46 - inland) / 22, 0, 1)[..., None]
    beach = inland < crest
    sand = np.asarray(WET_SAND, np.float32) + fine[..., None]
    canvas[beach, :3] = (canvas[..., :3] * (1 - wet) + sand * wet)[beach]
    draw_water(canvas, inland < 0, rng)


def draw_lagoon(canvas: Canvas, inland: Plane, rng: np.random.Generator) -> None:
    """Paint a lagoon behind the dunes, ringed by marsh, and the canal that feeds it."""
    height, width = inland.shape
    rows, cols = np.mgrid[:height, :width].astype(np.float32)
    row, col = 0.60 * height, 0.37 * width
    radius = np.hypot((rows - row) / (0.20 * height), (cols - col) / (0.06 * width))
    radius += 0.14 * fractal((height, width), 150, rng)
    canal = line_mask(inland.shape, _canal(height, width), 30)
    marsh = 5 * noise(inland.shape, 4, rng) + 7 * fractal(inland.shape, 80, rng)
    fill(canvas, radius < 1.5, MARSH, marsh)
    fill(canvas, line_mask(inland.shape, _canal(height, width), 58), GREY_SHRUB, marsh)
    draw_water(canvas, (radius < 1) | canal, rng)


def _canal(height: int, width: int) -> NDArray[np.float64]:
    """Middle line of the canal, (n, 2) rows and columns."""
    t = np.linspace(-0.02, 1, 60)
    rows = 0.55 * height * t
    return np.stack([rows, (0.44 - 0.06 * t + 0.012 * np.sin(9 * t)) * width], axis=1)


# Fields


def draw_fields(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint four fields with furrows and the tracks between them."""
    top, left, bottom, right = -0.05, 0.52, 0.40, 0.90
    middle = (0.16, 0.70)
    whole = quad(canvas.shape, (top, left, bottom, right))
    fill(canvas, inside(canvas.shape, whole), TRACK, 5 * noise(canvas.shape[:2], 4, rng))
    for field, (up, low) in enumerate(((top, middle[0]), (middle[0], bottom)) * 2):
        west, east = ((left, middle[1]), (middle[1], right))[field // 2]
        corners = quad(canvas.shape, (up, west, low, east), inset=9)
        color, angle = ((SOIL, 0.3), (CROP, 1.87), (CROP, 1.87), (SOIL, 1.87))[field]
        _draw_field(canvas, inside(canvas.shape, corners), color, angle, rng)


def _draw_field(
    canvas: Canvas, mask: Mask, color: Color, angle: float, rng: np.random.Generator
) -> None:
    rows, cols = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float32)
    across = rows * np.float32(np.cos(angle)) + cols * np.float32(np.sin(angle))
    rows_of_plants = np.sin(across * np.float32(2 * np.pi / FURROW))
    height = FURROWS[color] * (1 + 0.4 * noise(mask.shape, 4, rng))
    light = height * rows_of_plants + noise(mask.shape, 3, rng) + 2 * fractal(mask.shape, 150, rng)
    fill(canvas, mask, color, np.asarray(light, np.float32))


# Village and roads


def draw_village(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint blocks of houses with gardens, trees and streets."""
    height, width = canvas.shape[:2]
    shape = (height, width)
    corners = quad(canvas.shape, (0.50, 0.62, 0.97, 1.02))
    ground = inside(canvas.shape, corners)
    gardens = 9 * noise(shape, 5, rng) + 9 * noise(shape, 21, rng)
    fill(canvas, ground, GARDEN, gardens)
    draw_trees(canvas, ground & (noise(shape, 16, rng) > 1.35), rng)
    cell = (64, 40)  # px: a plot with its house, a house in a row
    origin = corners.min(axis=0)
    for block_row in range(origin[1], height, 2 * cell[0] + 20):
        for place in range(int(origin[0]), width, cell[1]):
            for side in (0, cell[0]):
                at = (place + 20, block_row + side + 32)
                if 0 <= at[1] < height and 0 <= at[0] < width and ground[at[1], at[0]]:
                    _draw_house(canvas, at, rng)
        _draw_street(canvas, ground, block_row - 10, None, rng)
    for street in range(int(origin[0]) - 8, width, 7 * cell[1]):
        _draw_street(canvas, ground, None, street, rng)


def _draw_house(canvas: Canvas, at: tuple[int, int], rng: np.random.Generator) -> None:
    """Draw a shadow and a roof of two slopes around a place (column, row)."""
    size = rng.integers((20, 26), (30, 42)).astype(float)
    angle = 4.0 + float(rng.normal(0, 1.5))
    jitter = rng.normal(0, 2.5, 2)
    centre = (at[0] + float(jitter[0]), at[1] + float(jitter[1]))
    roof = np.array(ROOFS[rng.integers(len(ROOFS))], float) + rng.normal(0, 6)
    shadow = cv2.boxPoints(((centre[0] + 3, centre[1] - 4), (size[0], size[1]), angle))
    cv2.fillPoly(canvas, [np.round(shadow).astype(np.int32)], (26, 28, 30, BUILT))
    for slope, share in ((0.5, 1.06), (-0.5, 0.88)):
        turn = np.deg2rad(angle)
        half = (
            centre[0] + slope * size[0] / 2 * np.cos(turn),
            centre[1] + slope * size[0] / 2 * np.sin(turn),
        )
        corners = cv2.boxPoints((half, (size[0] / 2, size[1]), angle))
        cv2.fillPoly(canvas, [np.round(corners).astype(np.int32)], (*(roof * share), BUILT))


def _draw_street(
    canvas: Canvas, ground: Mask, row: int | None, col: int | None, rng: np.random.Generator
) -> None:
    """Draw a straight street along a row or a column, with parked cars, where the village is."""
    band = np.zeros(ground.shape, bool)
    if row is not None:
        band[max(row - 9, 0) : max(row + 9, 0)] = True
    elif col is not None:
        band[:, max(col - 9, 0) : max(col + 9, 0)] = True
    fill(canvas, band & ground, ASPHALT, 4 * noise(ground.shape, 4, rng))
    places = np.argwhere(band & ground)
    for place in places[rng.integers(len(places), size=len(places) // 700)] if len(places) else ():
        if row is not None:
            _draw_car(canvas, (row + int(rng.choice((-6, 6))), int(place[1])), 0, rng)
        elif col is not None:
            _draw_car(canvas, (int(place[0]), col + int(rng.choice((-6, 6)))), 90, rng)


def _draw_car(
    canvas: Canvas, place: tuple[int, int], angle: float, rng: np.random.Generator
) -> None:
    corners = cv2.boxPoints(((float(place[1]), float(place[0])), (9.0, 4.0), angle))
    cv2.fillPoly(
        canvas, [np.round(corners).astype(np.int32)], (*CARS[rng.integers(len(CARS))], PAVED)
    )


def draw_roads(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw the coast road with a car park on it, and a sandy trail to the beach."""
    height, width = canvas.shape[:2]
    t = np.linspace(-0.02, 1.02, 200)
    road = np.stack([t * height, (0.505 - 0.02 * t + 0.010 * np.sin(7 * t)) * width], axis=1)
    shoulder = line_mask(canvas.shape[:2], road, 30)
    fill(canvas, shoulder, TRACK, 7 * noise(canvas.shape[:2], 5, rng))
    asphalt = 3 * noise(canvas.shape[:2], 3, rng) + 3 * noise(canvas.shape[:2], 60, rng)
    fill(canvas, line_mask(canvas.shape[:2], road, 20), ASPHALT, asphalt)
    points = [np.round(road[i : i + 2, ::-1]).astype(np.int32) for i in range(0, 198, 2)]
    cv2.polylines(canvas, points, False, (150, 148, 130, PAVED), 1, cv2.LINE_AA)
    _draw_trail(canvas, rng)
    _draw_car_park(canvas, asphalt, rng)


def _draw_trail(canvas: Canvas, rng: np.random.Generator) -> None:
    height, width = canvas.shape[:2]
    t = np.linspace(0, 1, 60)
    rows = (0.30 - 0.03 * np.sin(5 * t)) * height
    trail = np.stack([rows, (0.18 + 0.27 * t) * width], axis=1)
    fill(canvas, line_mask(canvas.shape[:2], trail, 8), SAND, 5 * noise((height, width), 4, rng))


def _draw_car_park(canvas: Canvas, asphalt: Plane, rng: np.random.Generator) -> None:
    corners = quad(canvas.shape, (0.25, 0.43, 0.35, 0.50))
    fill(canvas, inside(canvas.shape, corners), ASPHALT, asphalt)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    for row in range(top + 14, bottom - 10, 26):
        for col in range(left + 14, right - 14, 7):
            if rng.random() < 0.6:
                _draw_car(canvas, (row, col), 90, rng)


# Camera


def photograph(canvas: Canvas, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blur by the lens, add the sensor's noise, and store as bytes from 1 on, (3, H, W)."""
    seen = np.ascontiguousarray(canvas[..., :3])
    noisy = cv2.GaussianBlur(seen, (0, 0), 0.6) + _sensor_noise(canvas, rng)
    image = np.clip(np.round(noisy), 1, 255).astype(np.uint8)
    return np.ascontiguousarray(image.transpose(2, 0, 1))


def _sensor_noise(canvas: Canvas, rng: np.random.Generator) -> Plane:
    return 0.5 * rng.standard_normal((*canvas.shape[:2], 1), np.float32)


def without_data(height: int, width: int, rng: np.random.Generator) -> Mask:
    """Wedge where the flight strip ends, in the south-west, and a few small holes in the east."""
    missing = np.zeros((height, width), np.uint8)
    wedge = [(0, 0.45), (0.30, 1.0), (0, 1.0)]
    corners = np.array([(round(x * width), round(y * height)) for x, y in wedge], np.int32)
    cv2.fillPoly(missing, [corners], 1)
    for x, y in rng.uniform((0.6, 0.5), (0.98, 0.98), (6, 2)):
        radii = tuple(int(n) for n in rng.integers(6, 20, 2))
        centre = (int(x * width), int(y * height))
        cv2.ellipse(missing, centre, radii, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    return missing > 0
