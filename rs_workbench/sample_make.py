"""Files of sample data that are made here, from a downloaded file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from rs_workbench.sample_check import is_right
from rs_workbench.sample_registry import SampleError, SampleFile, SampleSet
from rs_workbench.types import LabelMap

SMALLEST_PATCH = 100  # px


def clean_jpeg_labels(labels: LabelMap) -> LabelMap:
    """Undo what JPEG did to a label map: values smeared along the borders of classes.

    A value is kept where it is the same over 3 x 3 px and such pixels touch, side by side, in a
    patch of at least 100; any other pixel takes the value of the nearest that is kept.

    Parameters
    ----------
    labels : ndarray of uint8, shape (H, W)
        Labels as read from a JPEG file.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        Labels without smears; unchanged where no patch is large enough.
    """
    from scipy import ndimage
    from skimage.measure import label

    flat = ndimage.minimum_filter(labels, 3) == ndimage.maximum_filter(labels, 3)
    patches = label(np.where(flat, labels.astype(np.int32) + 1, 0), background=0, connectivity=1)
    large = np.bincount(patches.ravel()) >= SMALLEST_PATCH
    large[0] = False
    kept = large[patches]
    if not kept.any():
        return labels
    nearest = ndimage.distance_transform_edt(~kept, return_distances=False, return_indices=True)
    cleaned: LabelMap = labels[tuple(nearest)]
    return cleaned


MAKERS: dict[str, Callable[[LabelMap], LabelMap]] = {"clean_jpeg_labels": clean_jpeg_labels}


def make_file(sample: SampleSet, file: SampleFile, *, folder: Path) -> None:
    """Make one file of a set from another one, and check it.

    Parameters
    ----------
    sample : SampleSet
        The set.
    file : SampleFile
        A file that the set says is made here.
    folder : Path
        Folder of the set; holds the file that it is made from.

    Raises
    ------
    SampleError
        If the pixels are not those they should be; the file is not left behind.
    """
    import cv2

    made = sample.made_from(file)
    assert made is not None
    origin, maker = made
    pixels = cv2.imread(str(folder / origin), cv2.IMREAD_UNCHANGED)
    path = folder / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}")
    if pixels is not None:
        cleaned = MAKERS[maker](pixels.astype(np.uint8))
        draft.write_bytes(cv2.imencode(path.suffix, cleaned)[1].tobytes())
        if is_right(draft, file):
            draft.replace(path)
            return
        draft.unlink()
    raise SampleError(
        f"'{file.path}' of {sample.name}, made from '{origin}', is not as it should be: another "
        f"JPEG library reads '{origin}' differently; set RSW_DATA to a folder with {sample.name}/"
    )
