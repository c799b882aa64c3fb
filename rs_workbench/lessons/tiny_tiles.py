"""Tiles that can be told apart at a glance, for checks of what students wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rs_workbench.types import LabelMap


def make_tiles(count: int, side: int) -> tuple[NDArray[np.uint8], LabelMap]:
    """Make tiles whose grey level and share of ice grow with their number.

    Parameters
    ----------
    count : int
        At most 12.
    side : int
        px, at least `count` + 3.

    Returns
    -------
    images : ndarray of uint8, shape (count, side, side, 3)
        Tile k is grey, 20 (k + 1).
    labels : ndarray of uint8, shape (count, side, side)
        The first k + 3 rows of tile k are 1.
    """
    number = np.arange(1, count + 1)[:, None, None]
    rows = np.arange(side)[None, :, None] < number + 2
    labels = rows.repeat(side, axis=2).astype(np.uint8)
    grey = (20 * number + 0 * labels).astype(np.uint8)
    return grey[..., None].repeat(3, axis=-1), labels


def write_tiles(
    folder: Path, images: NDArray[np.uint8], labels: LabelMap
) -> tuple[list[Path], list[Path]]:
    """Write images as PNG, and labels as black and white JPEG, which smears them.

    Parameters
    ----------
    folder : Path
        Where to.
    images : ndarray of uint8, shape (N, H, W, 3)
        Tiles.
    labels : ndarray of uint8, shape (N, H, W)
        0 or 1.

    Returns
    -------
    image_paths, label_paths : list of Path
        In order.
    """
    paths: tuple[list[Path], list[Path]] = ([], [])
    for number, pair in enumerate(zip(images, 255 * labels, strict=True)):
        for kept, pixels, suffix in zip(paths, pair, (".png", ".jpg"), strict=True):
            kept.append(folder / f"tile_{number}{suffix}")
            kept[-1].write_bytes(cv2.imencode(suffix, pixels)[1].tobytes())
    return paths


def number_tiles(images: NDArray[Any]) -> list[int]:
    """Find out by its grey level which tile each image is.

    Parameters
    ----------
    images : ndarray, shape (N, H, W, 3)
        Tiles of `make_tiles` in any order, scaled to 0 to 1.

    Returns
    -------
    list of int
        The number of the nearest tile.

    Examples
    --------
    >>> number_tiles(make_tiles(5, 8)[0][[3, 1, 1]] / 255)
    [3, 1, 1]
    """
    return [round(255 * float(np.mean(image)) / 20) - 1 for image in images]


def fault_of_values(name: str, images: NDArray[Any], labels: NDArray[Any]) -> str:
    """Look for images that are not 0 to 1, and labels that are not 0 and 1.

    Parameters
    ----------
    name : str
        Of the generator that gave them.
    images : ndarray, shape (N, H, W, 3)
        An epoch of tiles.
    labels : ndarray, shape (N, H, W)
        Their labels.

    Returns
    -------
    str
        What is wrong, or nothing.
    """
    highest, found = float(images.max()), np.unique(labels)
    if highest > 1:
        return f"the images of {name} reach {highest:g}: divide bytes by 255"
    if highest < 0.1:
        return (
            f"the images of {name} reach only {highest:.4f}: were they divided by 255 twice? "
            "(look whether what you are given is scaled already)"
        )
    if not found.any():
        return (
            f"all labels of {name} are 0: dividing 0 and 1 by 255 once more, and taking whole "
            "numbers of it, leaves nothing"
        )
    if np.setdiff1d(found, [0, 1]).size:
        return (
            f"the labels of {name} hold {found[:6].tolist()}: wanted are 0 and 1, so cut grey "
            "levels at 128"
        )
    return ""


def fault_of_epoch(name: str, images: NDArray[Any], labels: NDArray[Any], truth: LabelMap) -> str:
    """Look for tiles that come twice or never, or with the label of another.

    Parameters
    ----------
    name : str
        Of the generator that gave them.
    images : ndarray, shape (N, H, W, 3)
        An epoch of tiles, as they came, scaled to 0 to 1.
    labels : ndarray, shape (N, H, W)
        Their labels, as they came.
    truth : ndarray of uint8, shape (count, H, W)
        Labels of the tiles by their numbers.

    Returns
    -------
    str
        What is wrong, or nothing.
    """
    numbers, wanted = number_tiles(images), list(range(len(truth)))
    if sorted(numbers) != wanted:
        return (
            f"an epoch of {name} gives {len(numbers)} samples of {len(truth)} tiles, "
            f"{len({*numbers} & {*wanted})} of them distinct: batch i takes places i * batch to "
            "(i + 1) * batch of the order; (i + 1) * (j + 1) - 1 is another number"
        )
    if not np.array_equal(labels, truth[numbers]):
        return (
            f"{name} gives tiles with the label of another: draw one order of places and take "
            "images and labels by it"
        )
    return ""
