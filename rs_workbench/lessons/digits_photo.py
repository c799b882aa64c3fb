"""Photographs of pages of digits: opened, cut up without care, and how well they were read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import SceneError
from rs_workbench.lessons.digits import SIDE
from rs_workbench.lessons.digits_found import INK_SIDE, Found

PLAIN = 84  # px, the side of a square that is cut out plainly


class Page(NamedTuple):
    """A photograph of digits.

    Attributes
    ----------
    name : str
        Of the file.
    pixels : ndarray of uint8, shape (H, W, 3)
        Blue, green, red.
    centres : ndarray of float64, shape (N, 2), optional
        Row and column of each digit, px, where they are known.
    labels : ndarray of uint8, shape (N,), optional
        The digits.
    """

    name: str
    pixels: NDArray[np.uint8]
    centres: NDArray[np.float64] | None = None
    labels: NDArray[np.uint8] | None = None


def open_page(path: str | Path) -> Page:
    """Read a photograph.

    Parameters
    ----------
    path : str or Path
        PNG, JPEG or whatever else OpenCV reads.

    Returns
    -------
    Page
        Without knowledge of what stands where.

    Raises
    ------
    SceneError
        If there is no picture.
    """
    try:
        content = np.fromfile(path, np.uint8)  # cv2.imread takes no Chinese path on Windows
        pixels = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    except OSError as error:
        raise SceneError(f"the photograph '{path}' cannot be read: {error}") from error
    if pixels is None:
        raise SceneError(f"'{path}' is no picture: give a JPEG or PNG file")
    return Page(Path(path).name, np.asarray(pixels, np.uint8))


def cut_plainly(pixels: NDArray[np.uint8], centres: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Cut squares out of a photograph, shrink and invert them, and no more: the course's way.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
        The photograph.
    centres : ndarray of float64, shape (N, 2)
        Row and column of each square, px.

    Returns
    -------
    ndarray of uint8, shape (N, 28, 28)
        Grey, dark paper.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    cuts = [cv2.getRectSubPix(grey, (PLAIN, PLAIN), (col, row)) for row, col in centres]
    small = [cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for cut in cuts]
    return np.asarray(255 - np.reshape(small, (-1, SIDE, SIDE)), np.uint8)


def match_places(
    found: NDArray[np.float64], known: NDArray[np.float64], *, within: float
) -> NDArray[np.intp]:
    """Say which of the places found is each known place.

    Parameters
    ----------
    found, known : ndarray of float64, shape (N, 2) and (M, 2)
        Rows and columns, px.
    within : float
        Farther is not the same place, px.

    Returns
    -------
    ndarray of int, shape (M,)
        Index of `found`; -1 where a place was missed.
    """
    if not len(found):
        return np.full(len(known), -1)
    gaps = np.hypot(*(known[:, None] - found[None]).transpose(2, 0, 1))
    return np.where(gaps.min(axis=1) <= within, gaps.argmin(axis=1), -1)


def tell_reading(page: Page, found: Found, says: NDArray[Any], plainly: NDArray[Any]) -> str:
    """Say what was read on a photograph and, where it is known, how much of it is right.

    Parameters
    ----------
    page : Page
        The photograph.
    found : Found
        What `find_digits` found.
    says, plainly : ndarray of int, shape (N,)
        What a net says to `found`, and to what `cut_plainly` cuts out.

    Returns
    -------
    str
        A paragraph.
    """
    if page.centres is None or page.labels is None:
        return f"On '{page.name}' stand {len(says)} digits, line by line: {_row(says)}."
    places = match_places(found.centres, page.centres, within=INK_SIDE)
    seen = places >= 0
    right = [int((read[places[seen]] == page.labels[seen]).sum()) for read in (says, plainly)]
    return (
        f"On a photograph of {len(page.labels)} test digits, drawn with a turned page, uneven "
        f"light and noise, {int(seen.sum())} were found and {right[0]} read right: light evened "
        f"out, page turned upright, digits put where MNIST puts them. Cut out, shrunk and "
        f"inverted only, as the course did, {right[1]} are read right."
    )


def _row(says: NDArray[Any]) -> str:
    return " ".join(str(digit) for digit in says)
