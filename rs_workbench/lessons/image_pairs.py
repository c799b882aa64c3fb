"""Pictures and their labels in memory, two classes cut once.

Labels kept as JPEG are smeared: between black and white lie values that no class has. They are
cut into two classes here, and never touched again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import SceneError
from rs_workbench.lessons.pair_files import PairFiles
from rs_workbench.types import LabelMap

THRESHOLD = 128


class ImagePairs(NamedTuple):
    """Pictures in memory.

    Attributes
    ----------
    names : tuple of str
        Of the image files.
    images : ndarray of uint8, shape (N, 3, H, W)
        Red, green, blue.
    labels : ndarray of uint8, shape (N, H, W)
        0 or 1.
    smeared : float
        Share of label pixels that were neither black nor white in the files.
    """

    names: tuple[str, ...]
    images: NDArray[np.uint8]
    labels: LabelMap
    smeared: float


def read_pairs(files: PairFiles, *, threshold: int = THRESHOLD) -> ImagePairs:
    """Read pictures of one size, and cut their labels into two classes.

    Parameters
    ----------
    files : PairFiles
        What `find_pairs` found, or a part of it.
    threshold : int
        A label pixel is 1 from this grey level on.

    Returns
    -------
    ImagePairs
        All of them.

    Raises
    ------
    SceneError
        If a file is no picture of 8 bits, an image and its label or two images differ in size, a
        label has colours, or no label reaches the threshold though some are not black.
    """
    images = [read_picture(path, colour=True) for path in files.images]
    labels = [read_picture(path, colour=False) for path in files.labels]
    sides = [one.shape[:2] for one in images]
    for path, side, label in zip(files.images, sides, labels, strict=True):
        if side != label.shape:
            raise SceneError(
                f"'{path.name}' is {_size(side)} px, but its label is {_size(label.shape)} px: "
                "both must show the same ground, pixel by pixel"
            )
        if side != sides[0]:
            raise SceneError(
                f"tiles must be of one size: '{files.images[0].name}' is {_size(sides[0])} px, "
                f"'{path.name}' {_size(side)} px (cut them alike)"
            )
    raw = np.stack(labels)
    smeared = float(np.mean((raw > 0) & (raw < 255)))
    names = tuple(path.stem for path in files.images)
    planes = np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))
    return ImagePairs(names, planes, cut_label(raw, threshold), smeared)


def cut_label(raw: NDArray[np.uint8], threshold: int = THRESHOLD) -> LabelMap:
    """Make two classes of grey levels.

    Parameters
    ----------
    raw : ndarray of uint8, any shape
        As the files hold them.
    threshold : int
        1 from here on.

    Returns
    -------
    ndarray of uint8, same shape
        0 or 1.

    Raises
    ------
    SceneError
        If no pixel reaches the threshold though some are not black: the label holds indexes.

    Examples
    --------
    >>> cut_label(np.array([0, 6, 127, 128, 249, 255], np.uint8)).tolist()
    [0, 0, 0, 1, 1, 1]
    """
    highest = int(raw.max(initial=0))
    if 0 < highest < threshold:
        raise SceneError(
            f"labels hold values up to {highest}, all below the threshold {threshold}: they are "
            "no black and white pictures (set threshold=1 where 1 means the class)"
        )
    return (raw >= threshold).astype(np.uint8)


def read_picture(path: Path, *, colour: bool) -> NDArray[np.uint8]:
    """Read a picture as its pixels lie in the file, not turned by a note of the camera.

    Parameters
    ----------
    path : Path
        PNG or JPEG of 8 bits.
    colour : bool
        Give red, green and blue; else one grey level, which a coloured picture does not have.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3) or (H, W)
        Pixels.

    Raises
    ------
    SceneError
        If it is none, or has colours where it should not.
    """
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)  # cv2 cannot open every file name
    except OSError as error:
        raise SceneError(f"'{path}' cannot be read: {error}") from error
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(content, flags) if content.size else None
    if pixels is None or pixels.dtype != np.uint8:
        found = "no picture" if pixels is None else f"a picture of {8 * pixels.itemsize} bits"
        raise SceneError(f"'{path}' is {found}: a PNG or JPEG of 8 bits is needed")
    if colour:
        return np.asarray(pixels[..., ::-1])
    if (pixels != pixels[..., :1]).any():
        raise SceneError(f"the label '{path}' has colours: save it as grey levels, 0 and 255")
    return np.asarray(pixels[..., 0])


def _size(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
