"""Handwritten digits: IDX files, validation cut off, small changes, a baseline, a page."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.card import LegendClass, spread_color
from rs_workbench.errors import UsageError
from rs_workbench.sample_registry import SampleError
from tiling.label_index import IGNORE

SIDE = 28  # px
CENTRE = 14  # px: where the centre of mass of a digit of MNIST lies, down and across
PAPER = LegendClass(value=10, name="paper", name_zh="空白", color="#f4f1e8")
CLASSES = tuple(LegendClass(value=k, name=str(k), color=spread_color(k, 10)) for k in range(10))
_BYTES = 8  # the type of IDX that MNIST has: uint8


class Digits(NamedTuple):
    """Digits with their labels.

    Attributes
    ----------
    images : ndarray, shape (N, 28, 28) or (N, 28, 28, 1)
        Grey levels as read, or scaled.
    labels : ndarray of uint8, shape (N,)
        0 to 9.
    """

    images: NDArray[np.generic]
    labels: NDArray[np.uint8]


def read_idx(path: str | Path) -> NDArray[np.uint8]:
    """Read a file in the format of MNIST, packed by gzip or not.

    Parameters
    ----------
    path : str or Path
        Such as ``train-images-idx3-ubyte.gz``.

    Returns
    -------
    ndarray of uint8
        With the axes that the file names.

    Raises
    ------
    SampleError
        If there is no such file, or it is damaged or of another format.

    Notes
    -----
    Two zeros, the type (8 is uint8), the number of axes, the length of each as four bytes with
    the highest first, then the values, the last axis fastest.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise SampleError(f"'{path}' cannot be read ({error}): copy it again") from error
    if len(content) < 4 or content[:3] != bytes((0, 0, _BYTES)):
        raise SampleError(
            f"'{path.name}' is no IDX file of bytes: it begins with {content[:3].hex(' ')}, not"
            " 00 00 08"
        )
    first = 4 + 4 * content[3]
    shape = tuple(np.frombuffer(content[4:first], ">u4").tolist())
    wanted, found = math.prod(shape), len(content) - first
    if len(shape) != content[3] or wanted != found:
        raise SampleError(
            f"'{path.name}' is damaged: its head names {wanted} values {shape}, but {found} follow"
            " it; copy it again"
        )
    return np.frombuffer(content, np.uint8, offset=first).reshape(shape)


def read_digits(folder: str | Path, part: Literal["train", "t10k"]) -> Digits:
    """Read the training digits or the test digits; never both at once.

    Parameters
    ----------
    folder : str or Path
        Of the set, with its usual file names.
    part : {"train", "t10k"}
        Which.

    Returns
    -------
    Digits
        Images (N, 28, 28) as read.

    Raises
    ------
    SampleError
        If a file is missing or damaged, or images and labels are not as many.
    """
    names = (f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte")
    images, labels = (read_idx(_with_or_without_gz(Path(folder) / name)) for name in names)
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise SampleError(
            f"images and labels of '{folder}' do not belong together: {images.shape} and"
            f" {labels.shape}"
        )
    return Digits(images, labels)


def _with_or_without_gz(path: Path) -> Path:
    return path if path.exists() else path.with_name(path.name + ".gz")


def cut_validation(digits: Digits, count: int, *, seed: int = 0) -> tuple[Digits, Digits]:
    """Cut digits for validation off the training digits, by lot.

    Parameters
    ----------
    digits : Digits
        Training digits.
    count : int
        How many are for validation.
    seed : int
        Of the lot.

    Returns
    -------
    training, validation : Digits
        No digit is in both.

    Raises
    ------
    UsageError
        If nothing would be left on one side.
    """
    if not 0 < count < len(digits.labels):
        raise UsageError(
            f"of {len(digits.labels)} digits at least 1 and at most {len(digits.labels) - 1} can"
            f" be for validation: got {count}"
        )
    order = np.random.default_rng(seed).permutation(len(digits.labels))
    parts = (order[count:], order[:count])
    training, validation = (Digits(digits.images[p], digits.labels[p]) for p in parts)
    return training, validation


def vary_digits(
    images: NDArray[np.float32],
    *,
    rng: np.random.Generator,
    turn: float = 10.0,
    shift: float = 1.5,
    grow: float = 0.1,
) -> NDArray[np.float32]:
    """Turn, shift and stretch each digit a little, as other hands would write it.

    Parameters
    ----------
    images : ndarray of float32, shape (N, 28, 28) or (N, 28, 28, 1)
        Digits, ground 0.
    rng : numpy.random.Generator
        Drawn from.
    turn, shift, grow : float
        Most that happens: degrees, px, share of the size.

    Returns
    -------
    ndarray of float32
        Of the same shape.
    """
    count = len(images)
    angle = np.radians(rng.uniform(-turn, turn, count))
    size = 1 + rng.uniform(-grow, grow, (2, count))
    middle = SIDE / 2 - 0.5
    matrices = np.empty((count, 2, 3))
    matrices[:, 0, :2] = np.stack([np.cos(angle) * size[0], -np.sin(angle) * size[1]], axis=1)
    matrices[:, 1, :2] = np.stack([np.sin(angle) * size[0], np.cos(angle) * size[1]], axis=1)
    moved = rng.uniform(-shift, shift, (count, 2)) + middle
    matrices[:, :, 2] = moved - matrices[:, :, :2].sum(axis=2) * middle
    flat = images.reshape(count, SIDE, SIDE)
    changed = np.empty_like(flat)
    for index in range(count):
        changed[index] = cv2.warpAffine(flat[index], matrices[index], (SIDE, SIDE))
    return changed.reshape(images.shape)


def nearest_mean(training: Digits, images: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Call each digit what the nearest mean digit is called: a baseline without training.

    Parameters
    ----------
    training : Digits
        The means are taken of these.
    images : ndarray, shape (N, 28, 28) or (N, 28, 28, 1)
        Scaled as the training images.

    Returns
    -------
    ndarray of uint8, shape (N,)
        Digits.
    """
    known = training.images.reshape(len(training.images), -1)
    means = np.stack([known[training.labels == k].mean(axis=0) for k in range(10)])
    flat = images.reshape(len(images), -1)
    gaps = (means**2).sum(axis=1) - 2 * flat @ means.T  # less |x|^2, which all have
    return np.asarray(gaps.argmin(axis=1), np.uint8)


def tiles_of_a_page(
    digits: Digits, *, side: int, seed: int = 0, empty: float = 0.1
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Put each digit somewhere on a tile of blank paper; label its centre and nothing else.

    Parameters
    ----------
    digits : Digits
        Images (N, 28, 28) of uint8, ground 0.
    side : int
        Of a tile, px; at least 28.
    seed : int
        Of places and of empty tiles.
    empty : float
        Share of tiles that stay empty; their centre is labelled paper.

    Returns
    -------
    images : ndarray of uint8, shape (N, 1, side, side)
        Tiles.
    labels : ndarray of uint8, shape (N, side, side)
        The digit, or 10 for paper, at one pixel of each tile; `IGNORE` at all others.

    Raises
    ------
    UsageError
        If a digit is larger than a tile.
    """
    if side < SIDE:
        raise UsageError(f"a digit has {SIDE} px a side, a tile must have at least that: {side}")
    rng, count = np.random.default_rng(seed), len(digits.labels)
    images = np.zeros((count, 1, side, side), np.uint8)
    labels = np.full((count, side, side), IGNORE, np.uint8)
    corners = rng.integers(0, side - SIDE + 1, (count, 2))
    for index, (row, col) in enumerate(corners):
        images[index, 0, row : row + SIDE, col : col + SIDE] = digits.images[index]
        labels[index, row + CENTRE, col + CENTRE] = digits.labels[index]
    blank = rng.permutation(count)[: round(empty * count)]
    images[blank], labels[blank] = 0, IGNORE
    labels[blank, side // 2, side // 2] = PAPER.value
    return images, labels


def share_right(predicted: ArrayLike, labels: ArrayLike) -> float:
    """Share of digits that are called what they are: accuracy, which is not precision.

    Parameters
    ----------
    predicted, labels : array_like of int, shape (N,)
        Digits.

    Returns
    -------
    float
        0 to 1.
    """
    return float((np.asarray(predicted) == np.asarray(labels)).mean())
