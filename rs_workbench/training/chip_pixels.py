"""ChipPixels: image, labels and valid pixels of a chip, and how they move together.

Labels are never interpolated, and where there was no data or no label, there is none afterwards.
Band values are interpolated from valid pixels alone, so that the fill under nodata does not bleed
into its neighbours.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import UsageError
from rs_workbench.types import Image, LabelMap, Mask
from tiling.label_index import IGNORE

_T = TypeVar("_T", bound=np.generic)


class ChipPixels(NamedTuple):
    """Pixels of a chip.

    Attributes
    ----------
    image : ndarray of float32, shape (B, H, W)
        Scaled bands: training pixels have mean 0 and standard deviation 1.
    labels : ndarray of uint8, shape (H, W)
        Class indexes, `IGNORE` where nothing is known.
    valid : ndarray of bool, shape (H, W)
        False where there is no data, and outside the scene.
    """

    image: Image
    labels: LabelMap
    valid: Mask


def magnify(chip: ChipPixels, *, scale: float, shift: tuple[int, int]) -> ChipPixels:
    """Magnify a chip around its centre and shift it.

    Parameters
    ----------
    chip : ChipPixels
        Left as it is.
    scale : float
        Magnification; below 1, ground from outside the chip comes in, of which nothing is known.
    shift : (int, int)
        Rows down and columns to the right, px.

    Returns
    -------
    ChipPixels
        Labels of the nearest pixel; band values interpolated linearly between valid pixels.
    """
    if scale == 1 and shift == (0, 0):
        return chip
    sizes = chip.labels.shape
    rows, cols = (
        (np.arange(size) - (size - 1) / 2 - moved) / scale + (size - 1) / 2
        for size, moved in zip(sizes, shift, strict=True)
    )
    nearest = tuple(np.floor(at + 0.5).astype(np.intp) for at in (rows, cols))
    inside = [(at >= 0) & (at < size) for at, size in zip(nearest, sizes, strict=True)]
    place = np.ix_(*(at.clip(0, size - 1) for at, size in zip(nearest, sizes, strict=True)))
    known = np.logical_and.outer(*inside)
    valid = chip.valid[place] & known
    labels = np.where(known, chip.labels[place], np.uint8(IGNORE))
    matrix = np.array([[1 / scale, 0, cols[0]], [0, 1 / scale, rows[0]]])
    return ChipPixels(_interpolate(chip, matrix, valid), labels, valid)


def _interpolate(chip: ChipPixels, matrix: NDArray[np.float64], valid: Mask) -> Image:
    """Interpolate linearly between valid pixels; `matrix` leads from (col, row) to the source."""

    def warp(band: NDArray[np.float32]) -> NDArray[np.float32]:
        height, width = band.shape
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(band, matrix, (width, height), flags=flags))

    weight = np.where(valid, warp(chip.valid.astype(np.float32)), np.float32(1))
    bands = np.where(chip.valid, chip.image, np.float32(0)).astype(np.float32, copy=False)
    return np.stack([warp(band) / weight for band in bands])


def turn(chip: ChipPixels, *, flips: tuple[bool, bool], quarters: int) -> ChipPixels:
    """Mirror a chip and turn it.

    Parameters
    ----------
    chip : ChipPixels
        Left as it is.
    flips : (bool, bool)
        Whether to mirror rows, and columns.
    quarters : int
        Quarter turns, counter-clockwise, after that.

    Returns
    -------
    ChipPixels
        Contiguous arrays.
    """
    axes = tuple(axis for axis, flipped in zip((-2, -1), flips, strict=True) if flipped)

    def moved(part: NDArray[_T]) -> NDArray[_T]:
        return np.ascontiguousarray(np.rot90(np.flip(part, axes), quarters, (-2, -1)))

    return ChipPixels(moved(chip.image), moved(chip.labels), moved(chip.valid))


def blank_nodata(chip: ChipPixels, fill: float) -> ChipPixels:
    """Put the fill value and the label `IGNORE` where there is no data.

    Parameters
    ----------
    chip : ChipPixels
        Left as it is.
    fill : float
        Value of every band.

    Returns
    -------
    ChipPixels
        The same pixels elsewhere.
    """
    image = np.where(chip.valid, chip.image, np.float32(fill))
    return ChipPixels(image, np.where(chip.valid, chip.labels, np.uint8(IGNORE)), chip.valid)


def check_sizes(chip: ChipPixels) -> None:
    """Refuse a chip whose parts do not lie on one another.

    Parameters
    ----------
    chip : ChipPixels
        Image, labels and valid pixels.

    Raises
    ------
    UsageError
        If they differ in height or width.
    """
    if not chip.image.shape[1:] == chip.labels.shape == chip.valid.shape:
        raise UsageError(
            "image, labels and valid pixels of a chip must be of one size: got "
            f"{size_text(chip.image)}, {size_text(chip.labels)} and {size_text(chip.valid)} "
            "(read all three from one window)"
        )


def size_text(array: NDArray[np.generic]) -> str:
    """Write the shape of an array as it is said.

    Parameters
    ----------
    array : ndarray
        Any array.

    Returns
    -------
    str
        Such as "3 x 256 x 256".
    """
    return " x ".join(map(str, array.shape))
