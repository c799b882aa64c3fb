"""A photograph of a page of digits, drawn: turned, unevenly lit, with noise."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import OutputError
from rs_workbench.lessons.digits import SIDE, Digits
from rs_workbench.lessons.digits_photo import Page, open_page
from rs_workbench.standin_digits import draw_digits

COUNT, COLS = 40, 8  # digits of a page, and of a line
CELL = 110  # px, of a digit on the page


def draw_page(digits: Digits, path: Path, *, seed: int = 0) -> Page:
    """Write a photograph of a page of digits, and open it as a user's own would be.

    Parameters
    ----------
    digits : Digits
        The first 40 are drawn; images (N, 28, 28, 1), 0 to 1.
    path : Path
        The JPEG file.
    seed : int
        Of all that `draw_photo` draws by lot.

    Returns
    -------
    Page
        With what stands where.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    images = (255 * digits.images[:COUNT, ..., 0]).round().astype(np.uint8)
    pixels, centres = draw_photo(images, cols=COLS, seed=seed)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
    except OSError as error:
        raise OutputError(f"the photograph cannot be written to '{path}': {error}") from error
    return Page(path.name, open_page(path).pixels, centres, digits.labels[:COUNT])


def draw_photo(
    images: NDArray[np.uint8], *, cols: int, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Draw a page of digits as a camera would see it: turned, in uneven light, with noise.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, 28, 28)
        Digits, grey on black.
    cols : int
        How many stand in a line.
    seed : int
        Of places, sizes, turn, light and noise.

    Returns
    -------
    pixels : ndarray of uint8, shape (H, W, 3)
        The photograph: blue, green, red.
    centres : ndarray of float64, shape (N, 2)
        Row and column of each digit, px.
    """
    rng = np.random.default_rng(seed)
    rows = -(-len(images) // cols)
    ink = np.zeros(((rows + 1) * CELL, (cols + 1) * CELL), np.float32)
    centres = np.empty((len(images), 2))
    for index, image in enumerate(images):
        side = 3 * SIDE + int(rng.integers(-12, 13))
        large = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC) / np.float32(255)
        row, col = (np.array(divmod(index, cols)) + 0.5) * CELL + (CELL - side) / 2
        top, left = (np.array([row, col]) + rng.uniform(-6, 6, 2)).astype(int)
        ink[top : top + side, left : left + side] += large
        centres[index] = top + side / 2, left + side / 2
    turn = float(rng.choice([-1, 1]) * rng.uniform(4, 8))
    matrix = cv2.getRotationMatrix2D((ink.shape[1] / 2, ink.shape[0] / 2), turn, 1.0)
    turned = cv2.warpAffine(ink, matrix, ink.shape[::-1]).clip(0, 1)
    return _photograph(turned, rng), (centres @ matrix[::-1, 1::-1].T + matrix[::-1, 2])


def _photograph(ink: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Light, blur and noise; grey paper, blue ink."""
    height, width = ink.shape
    down, right = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    slope = rng.uniform(-0.35, 0.35, 2)
    shadow = 0.3 / (1 + np.exp(-12 * (down + right * rng.uniform(-1, 1) - rng.uniform(0.3, 0.8))))
    light = 1 + slope[0] * (down - 0.5) + slope[1] * (right - 0.5) - shadow
    paper, pen = np.array([176, 182, 186]), np.array([105, 62, 48])
    pixels = light[..., None] * (paper + (pen - paper) * ink[..., None])
    pixels = cv2.GaussianBlur(pixels, (0, 0), 1.1) + rng.normal(0, 5, pixels.shape)
    return np.asarray(pixels.clip(0, 255), np.uint8)


def drawn_parts(training: int, validation: int, *, seed: int = 5) -> tuple[Digits, Digits]:
    """Draw digits that a check of an answer trains with: easy, and quick to learn.

    Parameters
    ----------
    training, validation : int
        How many.
    seed : int
        Another seed, other digits.

    Returns
    -------
    training, validation : Digits
        Images (N, 28, 28, 1) of float32, 0 to 1.
    """
    drawn = draw_digits(training + validation, seed=seed)
    images = drawn.images[..., None] / np.float32(255)
    return (
        Digits(images[:training], drawn.labels[:training]),
        Digits(images[training:], drawn.labels[training:]),
    )
