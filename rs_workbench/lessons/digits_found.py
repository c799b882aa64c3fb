"""Digits found on a photographed page, and made like those of MNIST.

A photograph is not 28 x 28 px, black and evenly lit, and a net that is shown a shrunk photograph
guesses. So its light is evened out, the page turned upright, and each digit is put where the
digits of MNIST are: 20 px long, its centre of mass at pixel (14, 14), grey on black.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rs_workbench.lessons.digits import CENTRE, SIDE

INK_SIDE = 20  # px, the longer side of a digit of MNIST
LARGEST_TURN = 20.0  # degrees that a page may be turned
FAINTEST = 0.12  # ink, as share of the paper's light; paper and noise stay below
SMALLEST = 0.35  # of the median height of what was found; less is a speck
LARGEST_PHOTO = 1600  # px, the longer side; a larger one is shrunk

Grey = NDArray[np.float32]


class Found(NamedTuple):
    """Digits found on a photograph, line by line.

    Attributes
    ----------
    images : ndarray of uint8, shape (N, 28, 28)
        Like digits of MNIST.
    centres : ndarray of float64, shape (N, 2)
        Row and column on the photograph, px.
    """

    images: NDArray[np.uint8]
    centres: NDArray[np.float64]


def find_digits(pixels: NDArray[np.uint8]) -> Found:
    """Find the digits on a photograph: dark ink on light paper, no two digits touching.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3) or (H, W)
        The photograph, turned by up to 20 degrees.

    Returns
    -------
    Found
        Empty where there is only paper.
    """
    shrink = min(1.0, LARGEST_PHOTO / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    ink = even_light(small)
    threshold = ink_threshold(ink)
    if threshold is None:
        return Found(np.empty((0, SIDE, SIDE), np.uint8), np.empty((0, 2)))
    upright, matrix = _turn_upright(ink, threshold)
    mask = cv2.morphologyEx(
        np.asarray(upright > threshold, np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)
    )
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    chosen = in_reading_order(boxes, _digit_boxes(boxes))
    images = [like_mnist(_cut(upright, labels, boxes[k], k)) for k in chosen]
    middles = boxes[chosen][:, [1, 0]] + boxes[chosen][:, [3, 2]] / 2
    centres = _move(middles, cv2.invertAffineTransform(matrix)) / shrink
    return Found(np.reshape(images, (-1, SIDE, SIDE)).astype(np.uint8), centres)


def even_light(pixels: NDArray[Any]) -> Grey:
    """Say how much darker than the paper around it each pixel is.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3) or (H, W)
        A photograph.

    Returns
    -------
    ndarray of float32, shape (H, W)
        0 is paper, 1 would be black.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY) if pixels.ndim == 3 else pixels
    smooth = cv2.medianBlur(np.ascontiguousarray(grey), 5)
    wide = max(15, min(grey.shape) // 8) | 1  # wider than any stroke
    paper = cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, np.ones((wide, wide), np.uint8))
    paper = cv2.GaussianBlur(paper.astype(np.float32), (0, 0), wide / 4)
    return np.asarray((1 - smooth / np.maximum(paper, 1)).clip(0, 1), np.float32)


def ink_threshold(ink: Grey) -> float | None:
    """Choose how dark ink is, by Otsu's rule.

    Parameters
    ----------
    ink : ndarray of float32, shape (H, W)
        As `even_light` gives it.

    Returns
    -------
    float or None
        None where nothing is dark enough.
    """
    levels = np.asarray(255 * ink, np.uint8)
    found, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return found / 255 if found / 255 >= FAINTEST else None


def like_mnist(ink: Grey) -> NDArray[np.uint8]:
    """Put one digit where and how the digits of MNIST are.

    Parameters
    ----------
    ink : ndarray of float32, shape (h, w)
        The digit, cut out; 0 is paper.

    Returns
    -------
    ndarray of uint8, shape (28, 28)
        20 px long, the centre of mass at pixel (14, 14).
    """
    scale = INK_SIDE / max(ink.shape)
    height, width = (max(1, round(scale * side)) for side in ink.shape)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(ink, (width, height), interpolation=way)
    dark = np.percentile(small[small > small.max() / 2], 70)
    small = (small / dark).clip(0, 1)
    mass = small.sum()
    middle = small.sum(axis=1) @ np.arange(height), small.sum(axis=0) @ np.arange(width)
    top, left = (round(CENTRE - float(m / mass)) for m in middle)
    top, left = np.clip(top, 0, SIDE - height), np.clip(left, 0, SIDE - width)
    digit = np.zeros((SIDE, SIDE), np.uint8)
    digit[top : top + height, left : left + width] = (255 * small).round()
    return digit


def in_reading_order(boxes: NDArray[Any], chosen: NDArray[np.intp]) -> NDArray[np.intp]:
    """Sort boxes line by line, then from left to right.

    Parameters
    ----------
    boxes : ndarray of int, shape (N, 5)
        Left, top, width, height, area.
    chosen : ndarray of int, shape (n,)
        Which of them.

    Returns
    -------
    ndarray of int, shape (n,)
        The same, in order.
    """
    if not len(chosen):
        return chosen
    heights = boxes[chosen, 3]
    middles = boxes[chosen, 1] + heights / 2
    down = np.argsort(middles)
    new_line = np.diff(middles[down]) > 0.6 * np.median(heights)
    line = np.empty(len(chosen), int)
    line[down] = np.concatenate([[0], np.cumsum(new_line)])
    return chosen[np.lexsort((boxes[chosen, 0], line))]


def _turn_upright(ink: Grey, threshold: float) -> tuple[Grey, NDArray[Any]]:
    """Turn the page so that its lines lie level: their ink then fills few rows."""
    dark = np.asarray(ink > threshold, np.float32)
    small = cv2.resize(dark, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    turns = np.arange(-LARGEST_TURN, LARGEST_TURN + 0.1, 0.5)
    uneven = [_turned(small, turn)[0].sum(axis=1).var() for turn in turns]
    return _turned(ink, float(turns[int(np.argmax(uneven))]))


def _turned(ink: NDArray[Any], turn: float) -> tuple[Grey, NDArray[Any]]:
    height, width = ink.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1.0)
    return np.asarray(cv2.warpAffine(ink, matrix, (width, height)), np.float32), matrix


def _digit_boxes(boxes: NDArray[Any]) -> NDArray[np.intp]:
    """Leave out the ground and specks."""
    heights = boxes[1:, 3]
    tall = heights[heights >= 8]
    if not tall.size:
        return np.empty(0, np.intp)
    typical = float(np.median(np.sort(tall)[tall.size // 4 :]))
    return 1 + np.flatnonzero(heights >= max(8.0, SMALLEST * typical))


def _cut(ink: Grey, labels: NDArray[Any], box: NDArray[Any], index: int) -> Grey:
    """Cut one digit out, with the soft edge of its strokes and without its neighbours."""
    left, top, width, height = box[:4]
    place = slice(top, top + height), slice(left, left + width)
    return np.asarray(np.where(labels[place] == index, ink[place], 0), np.float32)


def _move(points: NDArray[Any], matrix: NDArray[Any]) -> NDArray[np.float64]:
    """Move rows and columns by a matrix of OpenCV, which has columns first."""
    moved = points[:, ::-1] @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(moved[:, ::-1])
