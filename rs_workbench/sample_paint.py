"""Paint for the sample scene: colours, noise, and masks of lines and polygons.

Colours are grey levels of 8 bits, near the class means of the tiles that the bundled model was
trained on. A canvas is (H, W, 4) float32: red, green, blue, and the class of what is painted, as
the bundled model's legend numbers it. A plane is (H, W); `rng` makes every draw repeatable.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rs_workbench.types import Mask

Canvas = NDArray[np.float32]
Plane = NDArray[np.float32]
Color = tuple[int, int, int]

WATER = (45, 54, 56)
WET_SAND = (116, 109, 95)
SAND = (163, 152, 133)
TUFTED_SAND = (128, 121, 106)
SHRUB = (48, 47, 39)
GREY_SHRUB = (66, 64, 55)
RED_MAT = (68, 55, 47)
MARSH = (56, 57, 38)
SOIL = (57, 56, 54)
CROP = (52, 64, 59)
TRACK = (104, 100, 92)
ASPHALT = (94, 95, 94)
GARDEN = (74, 74, 62)
TREE = (33, 38, 30)
ROOFS = (
    (118, 119, 118),
    (92, 80, 72),
    (186, 189, 188),
    (66, 67, 70),
    (128, 84, 70),
    (146, 140, 130),
)
CARS = ((190, 192, 195), (40, 42, 46), (120, 40, 38), (60, 75, 105), (150, 152, 155))
WATERS, SANDS, SPARSE, DENSE, FIELDS, PAVED, BUILT = 1, 2, 3, 4, 5, 6, 7
CLASS_OF: dict[Color, int] = {
    WATER: WATERS,
    WET_SAND: SANDS,
    SAND: SANDS,
    TUFTED_SAND: SPARSE,
    SHRUB: DENSE,
    GREY_SHRUB: DENSE,
    RED_MAT: DENSE,
    MARSH: DENSE,
    TREE: DENSE,
    SOIL: FIELDS,
    CROP: FIELDS,
    TRACK: PAVED,
    ASPHALT: PAVED,
    GARDEN: BUILT,
}
LEAN = 0.10  # columns a leaning rectangle shifts per row, in shares of the scene


def noise(shape: tuple[int, int], cell: int, rng: np.random.Generator) -> Plane:
    """Smooth noise, mean about 0 and standard deviation 1, in bumps of `cell` px."""
    coarse = rng.standard_normal((shape[0] // cell + 4, shape[1] // cell + 4)).astype(np.float32)
    size = (coarse.shape[1] * cell, coarse.shape[0] * cell)
    fine = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    fine = fine[cell : cell + shape[0], cell : cell + shape[1]]
    return np.asarray(fine / fine.std(), np.float32)


def fractal(shape: tuple[int, int], cell: int, rng: np.random.Generator) -> Plane:
    """Noise in bumps of `cell` px and three finer ones, (H, W)."""
    total = np.zeros(shape, np.float32)
    for octave in range(4):
        total += noise(shape, max(cell >> octave, 2), rng) * np.float32(0.6**octave)
    return np.asarray(total / total.std(), np.float32)


def fill(canvas: Canvas, mask: Mask, color: Color, light: Plane) -> None:
    """Paint a colour where the mask is, brighter or darker by `light` grey levels."""
    canvas[mask, :3] = np.asarray(color, np.float32) + light[mask][:, None]
    canvas[mask, 3] = CLASS_OF[color]


def line_mask(shape: tuple[int, ...], line: NDArray[np.float64], thickness: int) -> Mask:
    """Pixels within a line of rows and columns, (n, 2), that is `thickness` px wide."""
    drawn = np.zeros(shape[:2], np.uint8)
    points = np.round(line[:, ::-1]).astype(np.int32)
    cv2.polylines(drawn, [points], False, 1, thickness, cv2.LINE_AA)
    return drawn > 0


def quad(
    shape: tuple[int, ...], box: tuple[float, float, float, float], *, inset: int = 0
) -> NDArray[np.int32]:
    """Corners of a leaning rectangle, (4, 2) columns and rows, px.

    `box` is top, left, bottom and right in shares of the scene; `inset` shrinks it, px.
    """
    height, width = shape[:2]
    top, left, bottom, right = box
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    points = np.array([((x - LEAN * (y - 0.2)) * width, y * height) for x, y in corners])
    inward = np.sign(points.mean(axis=0) - points) * inset
    return np.round(points + inward).astype(np.int32)


def inside(shape: tuple[int, ...], corners: NDArray[np.int32]) -> Mask:
    """Pixels inside a polygon of columns and rows, (n, 2)."""
    drawn = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(drawn, [corners], 1)
    return drawn > 0
