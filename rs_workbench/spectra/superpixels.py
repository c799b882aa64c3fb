"""Superpixels: small patches of like pixels, and the labels of a few pixels spread over them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import UsageError
from rs_workbench.types import LabelMap, Mask
from tiling.label_index import IGNORE

OUTSIDE = -1
"""Segment of pixels without data."""
COMPACTNESS = 0.1
"""Weight of nearness against likeness, for components of variance 1 a band on average."""


class SpreadLabels(NamedTuple):
    """Labels spread over segments.

    Attributes
    ----------
    labels : ndarray of uint8, shape (H, W)
        Class indexes, 255 in segments without a label, or with labels that disagree.
    n_labelled : int
        Segments that got a label.
    n_mixed : int
        Segments whose labels disagree; look at these, or ask for smaller segments.
    """

    labels: LabelMap
    n_labelled: int
    n_mixed: int


def find_superpixels(
    components: NDArray[Any],
    valid: Mask,
    *,
    size: int = 30,
    compactness: float = COMPACTNESS,
) -> NDArray[np.int32]:
    """Cut a scene into patches of like pixels with SLIC.

    Parameters
    ----------
    components : ndarray, shape (K, H, W)
        First components of a PCA or MNF; a part of the scene that fits in memory. They are
        scaled by one common factor, so that the first, which says most, counts most.
    valid : ndarray of bool, shape (H, W)
        Pixels with data.
    size : int, optional
        Pixels a patch, about.
    compactness : float, optional
        Higher is squarer.

    Returns
    -------
    ndarray of int32, shape (H, W)
        Segments 0, 1, ...; -1 where there is no data. Each is connected.

    Raises
    ------
    UsageError
        If sizes differ or nothing is valid.

    References
    ----------
    .. [1] R. Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods",
       IEEE Transactions on Pattern Analysis and Machine Intelligence 34 (2012) 2274-2282.
    """
    from skimage.segmentation import slic

    if components.ndim != 3 or components.shape[1:] != valid.shape or not valid.any():
        raise UsageError(
            "components and valid pixels must be of one size, with some pixel valid: got "
            f"{components.shape} and {valid.shape}, {int(valid.sum())} valid"
        )
    if size < 1 or compactness <= 0:
        raise UsageError(
            "a superpixel has at least 1 px and a compactness above 0: got "
            f"{size} and {compactness:g}"
        )
    image = np.where(valid, np.asarray(components, np.float64), 0)
    common = np.sqrt(np.mean(image[:, valid].var(axis=1))) or 1.0
    whole = bool(valid.all())
    segments = slic(
        np.moveaxis(image / common, 0, -1),
        n_segments=max(int(valid.sum()) // size, 1),
        compactness=compactness,
        start_label=0 if whole else 1,
        mask=None if whole else valid,
        channel_axis=-1,
        convert2lab=False,
    )
    # With a mask, SLIC numbers from 1, and a few pixels it could not reach are 0.
    found = np.asarray(segments if whole else segments - 1, np.int32)
    return _numbered(np.where(valid, found, OUTSIDE), valid)


def _numbered(segments: NDArray[np.int32], valid: Mask) -> NDArray[np.int32]:
    """Give each connected patch a number of its own, from 0; every valid pixel is in one."""
    from skimage.measure import label

    patches = label(segments, background=OUTSIDE - 1, connectivity=1)
    found = np.full(segments.shape, OUTSIDE, np.int32)
    found[valid] = np.unique(patches[valid], return_inverse=True)[1]
    return found


def spread_labels(
    segments: NDArray[np.int32], labels: LabelMap, *, least_share: float = 1.0
) -> SpreadLabels:
    """Give whole segments the label of the few labelled pixels in them.

    Parameters
    ----------
    segments : ndarray of int32, shape (H, W)
        What `find_superpixels` gave.
    labels : ndarray of uint8, shape (H, W)
        Class indexes of the pixels that are known, 255 elsewhere.
    least_share : float, optional
        Share of a segment's labelled pixels that must agree, above 0.5; 1 takes no segment in
        which two classes were seen.

    Returns
    -------
    SpreadLabels
        Label map, and how many segments were labelled and refused.

    Raises
    ------
    UsageError
        If sizes differ, or the share is none.

    Examples
    --------
    >>> segments = np.array([[0, 0, 1, 1, 2]])
    >>> labels = np.array([[4, 255, 3, 4, 255]], np.uint8)
    >>> spread_labels(segments, labels)
    SpreadLabels(labels=array([[  4,   4, 255, 255, 255]], dtype=uint8), n_labelled=1, n_mixed=1)
    """
    if segments.shape != labels.shape or not 0.5 < least_share <= 1:
        raise UsageError(
            "segments and labels must be of one size, and the share above 0.5 and at most 1: got "
            f"{segments.shape}, {labels.shape} and {least_share:g}"
        )
    known = (labels != IGNORE) & (segments != OUTSIDE)
    counts = np.zeros((int(segments.max()) + 1, IGNORE), np.int64)
    np.add.at(counts, (segments[known], labels[known]), 1)
    total = counts.sum(axis=1)
    pure = (total > 0) & (counts.max(axis=1) >= least_share * total)
    by_segment = np.where(pure, counts.argmax(axis=1), IGNORE).astype(np.uint8)
    spread = np.where(segments == OUTSIDE, np.uint8(IGNORE), by_segment[segments])
    return SpreadLabels(spread, int(pure.sum()), int(((total > 0) & ~pure).sum()))
