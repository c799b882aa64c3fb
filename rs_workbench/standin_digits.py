"""Digits as if written by hand, drawn: 28 x 28 px, grey on black."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import UsageError

SIDE = 28  # px
INK = 20 / 28  # share of the side that a digit fills
PIECES = 24  # straight pieces of a digit's line
BATCH = 128  # digits drawn at once: few enough for the cache
SHARPNESS = 3.2  # of edges, per px
FAINT = 12  # grey levels; less is left out

Line = NDArray[np.float64]


class Digits(NamedTuple):
    """Drawn digits.

    Attributes
    ----------
    images : ndarray of uint8, shape (N, 28, 28)
        Grey levels; 0 is the ground.
    labels : ndarray of uint8, shape (N,)
        The digits, 0 to 9.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def draw_digits(count: int = 1000, *, seed: int = 0) -> Digits:
    """Draw digits, each in a hand of its own.

    Realistic: size, place, mean grey level and difficulty are about those of MNIST (a logistic
    regression on 3,000 gets 0.93 of the others right); width, slant, wobble and stretch differ
    from digit to digit; there are two ways to write a 1, a 4 and a 7. Not realistic: no writer
    stands behind several digits, a wobble may close a 6 or open a 9 as no hand would, and what
    was learnt here gets only about 0.7 of the real digits right.

    Parameters
    ----------
    count : int
        How many.
    seed : int
        Another seed, other digits; the same seed and count, the same bytes.

    Returns
    -------
    Digits
        Images and labels, in random order.

    Raises
    ------
    UsageError
        If none are asked for.
    """
    if count < 1:
        raise UsageError(f"how many digits are to be drawn? got {count}")
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count, np.uint8)
    variants = rng.integers(0, 2, count)
    shapes = np.stack([[digit_line(digit, way) for way in (0, 1)] for digit in range(10)])
    lines = _write(shapes[labels, variants], rng)
    widths = rng.uniform(0.8, 1.8, (count, 1, 1)) * rng.normal(1, 0.12, (count, PIECES, 1))
    widths = widths.clip(0.4).astype(np.float32)
    images = [_ink(lines[i : i + BATCH], widths[i : i + BATCH]) for i in range(0, count, BATCH)]
    return Digits(np.concatenate(images), labels)


def digit_line(digit: int, way: int) -> NDArray[np.float64]:
    """Give the line of a digit, as one writes it.

    Parameters
    ----------
    digit : int
        0 to 9.
    way : int
        0 or 1: two ways to write it.

    Returns
    -------
    ndarray of float64, shape (25, 2)
        Columns and rows from 0 to 1, downward, in even steps; NaN before a point means that the
        pen is lifted: such a piece is not drawn.
    """
    strokes = _STROKES[digit]
    chosen = strokes[way % len(strokes)]
    lengths = np.array([np.hypot(*np.diff(line, axis=0).T).sum() for line in chosen])
    room = PIECES + 1 - (len(chosen) - 1)
    shares = np.maximum(2, np.round(room * lengths / lengths.sum())).astype(int)
    shares[lengths.argmax()] += room - shares.sum()
    points: list[Line] = []
    for line, share in zip(chosen, shares, strict=True):
        points += [np.full((1, 2), np.nan)] if points else []
        points.append(_evenly(line, int(share)))
    return np.concatenate(points)


def _evenly(line: Line, count: int) -> Line:
    along = np.r_[0, np.cumsum(np.hypot(*np.diff(line, axis=0).T))]
    at = np.linspace(0, along[-1], count)
    return np.stack([np.interp(at, along, line[:, axis]) for axis in range(2)], axis=1)


def _arc(centre: tuple[float, float], radii: tuple[float, float], turn: tuple[int, int]) -> Line:
    """Part of an ellipse; degrees, 0 is right and 90 is down."""
    angles = np.radians(np.linspace(*turn, 25))
    return np.stack(
        [centre[0] + radii[0] * np.cos(angles), centre[1] + radii[1] * np.sin(angles)], axis=1
    )


def _path(*points: tuple[float, float]) -> Line:
    return np.array(points, np.float64)


_STROKES: dict[int, list[list[Line]]] = {
    0: [[_arc((0.5, 0.5), (0.32, 0.48), (-90, 270))]],
    1: [[_path((0.5, 0.02), (0.5, 0.98))], [_path((0.3, 0.22), (0.52, 0.02), (0.52, 0.98))]],
    2: [
        [
            np.concatenate(
                [_arc((0.5, 0.28), (0.3, 0.26), (190, 390)), _path((0.2, 0.97), (0.84, 0.95))]
            )
        ]
    ],
    3: [
        [
            np.concatenate(
                [
                    _arc((0.46, 0.26), (0.28, 0.24), (200, 440)),
                    _arc((0.46, 0.73), (0.32, 0.25), (-80, 150)),
                ]
            )
        ]
    ],
    4: [
        [_path((0.62, 0.02), (0.16, 0.62), (0.86, 0.62)), _path((0.64, 0.3), (0.62, 0.98))],
        [_path((0.22, 0.04), (0.2, 0.5), (0.78, 0.5)), _path((0.78, 0.04), (0.74, 0.98))],
    ],
    5: [
        [
            _path((0.8, 0.04), (0.3, 0.04)),
            np.concatenate(
                [_path((0.3, 0.04), (0.27, 0.44)), _arc((0.46, 0.67), (0.32, 0.29), (-115, 150))]
            ),
        ]
    ],
    6: [
        [
            np.concatenate(
                [_path((0.68, 0.03), (0.36, 0.3)), _arc((0.5, 0.7), (0.28, 0.27), (-170, 190))]
            )
        ]
    ],
    7: [
        [_path((0.16, 0.06), (0.82, 0.06), (0.4, 0.98))],
        [_path((0.16, 0.06), (0.82, 0.06), (0.44, 0.98)), _path((0.36, 0.52), (0.76, 0.5))],
    ],
    8: [
        [
            np.concatenate(
                [
                    _arc((0.5, 0.26), (0.25, 0.23), (90, -270)),
                    _arc((0.5, 0.74), (0.3, 0.25), (-90, 270)),
                ]
            )
        ]
    ],
    9: [
        [
            np.concatenate(
                [_arc((0.48, 0.28), (0.28, 0.25), (0, -360)), _path((0.76, 0.3), (0.68, 0.98))]
            )
        ]
    ],
}


def _write(lines: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Slant, turn, stretch, wobble and shift lines (N, P, 2); gives columns and rows, px."""
    count = lines.shape[0]
    turn, slant = rng.normal(0, 0.11, count), rng.normal(-0.15, 0.18, count)
    cos, sin = np.cos(turn), np.sin(turn)
    grow = rng.normal(0.98, 0.11, (count, 2)).clip(0.65, 1.2) * np.array([0.82, 1.0])
    matrix = np.stack([np.stack([cos, -sin + slant], 1), np.stack([sin, cos], 1)], 1)
    bent = (lines - 0.5) * grow[:, None]
    steps = np.linspace(0, 1, lines.shape[1])
    for wave in (1, 2):
        phase = rng.uniform(0, 2 * np.pi, (count, 1, 2))
        size = rng.normal(0, 0.05 / wave, (count, 1, 2))
        bent = bent + size * np.sin(2 * np.pi * wave * steps[:, None] + phase)
    bent = np.einsum("nij,npj->npi", matrix, bent)
    middle = np.nanmean(bent, axis=1, keepdims=True)
    return np.asarray((bent - middle) * INK * SIDE + SIDE / 2 + rng.normal(0, 0.7, (count, 1, 2)))


def _ink(lines: NDArray[np.float64], widths: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Grey levels of lines (N, P + 1, 2), each piece with its half width, px."""
    x = np.arange(SIDE, dtype=np.float32) + 0.5
    y = x[:, None]
    starts = lines.astype(np.float32)[..., None, None]
    steps = np.diff(starts, axis=1)
    square = np.maximum((steps**2).sum(axis=2), 1e-6)
    darkest = np.full((lines.shape[0], SIDE, SIDE), -30, np.float32)
    for piece in range(steps.shape[1]):
        dx, dy = x - starts[:, piece, 0], y - starts[:, piece, 1]
        step_x, step_y = steps[:, piece, 0], steps[:, piece, 1]
        along = (dx * step_x + dy * step_y) / square[:, piece]
        np.clip(along, 0, 1, out=along)
        gap = np.sqrt((dx - along * step_x) ** 2 + (dy - along * step_y) ** 2)
        np.fmax(darkest, widths[:, piece, :, None] - gap, out=darkest)  # NaN: the pen is lifted
    grey = 255 / (1 + np.exp(-SHARPNESS * darkest))
    return np.asarray(np.where(grey < FAINT, 0, grey.round()), np.uint8)
