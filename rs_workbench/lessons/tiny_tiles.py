"""Tiles that can be told apart at a glance, for checks of what students wrote."""

from __future__ import annotations

from pathlib import Path

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
