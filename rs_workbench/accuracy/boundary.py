"""How well the borders of a map lie: boundary F, boundary IoU and distances between borders.

What counts, here and in every figure:

* Only pixels that are valid in map and reference are looked at; all others are blanked in both.
* A pixel of a class lies on its border if one of its four neighbours is a valid pixel of another
  class. The rim of the image and blanked neighbours make no border.
* Distances run from pixel centre to pixel centre, with the height and width of a pixel each in
  its own right, and are exact up to a longest distance. Pixels farther off are counted as beyond.
* A class without any border in map and reference has no score: NaN. With a border in one of the
  two only, F is 0 and distances are undefined.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.accuracy.boundary_counts import BoundaryCounts

_NAN = float("nan")


@dataclass(frozen=True)
class BoundaryScores:
    """How well the border of one class lies.

    Distances are given in metres and in pixels: ``_m`` is NaN where the grid has no metre, ``_px``
    where pixels are not square. Pixels of the border that find no counterpart within
    `max_distance` enter distances with `max_distance`; figures are then lower bounds, quantiles
    only where the share beyond exceeds what they leave above them.

    Attributes
    ----------
    index : int
        Place of the class in the legend.
    map_boundary_px, reference_boundary_px : int
        Pixels on the border of the class in the map, and in the reference.
    precision, recall : float
        Share of the map's border within the tolerance of the reference's, and the reverse.
    f : float
        Boundary F: harmonic mean of the two.
    boundary_iou : float
        Intersection over union of the two inner bands, which are all pixels of the class closer
        than the tolerance to its border; a straight band is as wide as the tolerance.
    mean_distance_m, mean_distance_px : float
        Average symmetric surface distance: mean over the pixels of both borders.
    median_distance_m, median_distance_px : float
        Median over the pixels of both borders.
    p95_distance_m, p95_distance_px : float
        Larger of the two directions' 95th percentiles (robust Hausdorff distance).
    hausdorff_m, hausdorff_px : float
        Larger of the two directions' largest distances.
    map_beyond_px, reference_beyond_px : int
        Pixels of the border without counterpart within `max_distance`.
    map_band_px, reference_band_px, shared_band_px : int
        Pixels of the inner bands and of their intersection.
    tolerance_m, tolerance_px : float
        Of F and of the bands.
    max_distance_m, max_distance_px : float
        Longest distance looked at.
    """

    index: int
    map_boundary_px: int
    reference_boundary_px: int
    precision: float
    recall: float
    f: float
    boundary_iou: float
    mean_distance_m: float
    median_distance_m: float
    p95_distance_m: float
    hausdorff_m: float
    mean_distance_px: float
    median_distance_px: float
    p95_distance_px: float
    hausdorff_px: float
    map_beyond_px: int
    reference_beyond_px: int
    map_band_px: int
    reference_band_px: int
    shared_band_px: int
    tolerance_m: float
    tolerance_px: float
    max_distance_m: float
    max_distance_px: float


def score_boundaries(
    map_labels: ArrayLike,
    reference: ArrayLike,
    n_classes: int,
    *,
    tolerance: float = 2.0,
    max_distance: float | None = None,
    pixel_size_m: tuple[float, float] | None = None,
) -> tuple[BoundaryScores, ...]:
    """Compare the borders of two label arrays, class by class.

    Parameters
    ----------
    map_labels, reference : array_like of int, shape (H, W)
        Classes from 0 to K - 1; -1 where there is nothing to compare.
    n_classes : int
        K.
    tolerance : float, default 2
        Distance at which two borders count as one, and width of the inner band: m, or px without
        `pixel_size_m`.
    max_distance : float, optional
        Longest distance looked at, same unit; ten times the tolerance if not given.
    pixel_size_m : tuple of float, (height, width), optional
        Size of a pixel, m. Without it a pixel is 1 px high and wide.

    Returns
    -------
    tuple of BoundaryScores
        One for each class.

    Raises
    ------
    AccuracyError
        If shapes, labels or distances are not as said.

    References
    ----------
    .. [1] G. Csurka et al., "What is a good evaluation measure for semantic segmentation?",
       BMVC (2013). Boundary F of a class.
    .. [2] D. R. Martin, C. C. Fowlkes, J. Malik, "Learning to detect natural image boundaries
       using local brightness, color, and texture cues", IEEE TPAMI 26 (2004).
    .. [3] B. Cheng et al., "Boundary IoU: improving object-centric image segmentation
       evaluation", CVPR (2021). There distances count 8-neighbours and the rim of the image is a
       contour; here they are Euclidean and it is none.

    Examples
    --------
    >>> score = score_boundaries([[0, 0, 1, 1, 1]], [[0, 0, 0, 1, 1]], 2, tolerance=1)[1]
    >>> score.f, score.boundary_iou, score.mean_distance_px
    (1.0, 0.0, 1.0)
    """
    counts = BoundaryCounts(
        n_classes, tolerance=tolerance, max_distance=max_distance, pixel_size_m=pixel_size_m
    )
    counts.update(map_labels, reference)
    return score_counts(counts)


def boundary_f(
    map_labels: ArrayLike,
    reference: ArrayLike,
    n_classes: int,
    *,
    tolerance: float = 2.0,
    pixel_size_m: tuple[float, float] | None = None,
) -> NDArray[np.float64]:
    """Boundary F of each class: how many border pixels find a counterpart nearby.

    Parameters
    ----------
    map_labels, reference, n_classes, tolerance, pixel_size_m
        See `score_boundaries`.

    Returns
    -------
    ndarray of float64, shape (K,)
        0 to 1; NaN for a class without border in map and reference.
    """
    scores = score_boundaries(
        map_labels,
        reference,
        n_classes,
        tolerance=tolerance,
        max_distance=tolerance,
        pixel_size_m=pixel_size_m,
    )
    return np.array([s.f for s in scores], np.float64)


def boundary_iou(
    map_labels: ArrayLike,
    reference: ArrayLike,
    n_classes: int,
    *,
    tolerance: float = 2.0,
    pixel_size_m: tuple[float, float] | None = None,
) -> NDArray[np.float64]:
    """Boundary IoU of each class: intersection over union of inner bands along the border.

    Parameters
    ----------
    map_labels, reference, n_classes, tolerance, pixel_size_m
        See `score_boundaries`; the tolerance is the width of the band.

    Returns
    -------
    ndarray of float64, shape (K,)
        0 to 1; NaN for a class without border in map and reference.
    """
    scores = score_boundaries(
        map_labels,
        reference,
        n_classes,
        tolerance=tolerance,
        max_distance=tolerance,
        pixel_size_m=pixel_size_m,
    )
    return np.array([s.boundary_iou for s in scores], np.float64)


def score_counts(counts: BoundaryCounts) -> tuple[BoundaryScores, ...]:
    """Turn counts of borders into scores.

    Parameters
    ----------
    counts : BoundaryCounts
        Of the whole image, or of all parts merged.

    Returns
    -------
    tuple of BoundaryScores
        One for each class.
    """
    within = counts.rings.count_within(counts.tolerance)
    return tuple(_score_class(counts, k, within) for k in range(counts.n_classes))


def _score_class(counts: BoundaryCounts, k: int, within: int) -> BoundaryScores:
    ours, theirs = counts.distances[:, k]
    map_band, reference_band, shared = counts.bands[:, k].tolist()
    sizes = [int(side.sum()) for side in (ours, theirs)]
    precision, recall = (
        _ratio(int(side[:within].sum()), n) for side, n in zip((ours, theirs), sizes, strict=True)
    )
    return BoundaryScores(
        index=k,
        map_boundary_px=sizes[0],
        reference_boundary_px=sizes[1],
        precision=precision,
        recall=recall,
        f=_f(precision, recall, sizes),
        boundary_iou=_ratio(shared, map_band + reference_band - shared),
        map_beyond_px=int(ours[-1]),
        reference_beyond_px=int(theirs[-1]),
        map_band_px=map_band,
        reference_band_px=reference_band,
        shared_band_px=shared,
        **_in_both_units(_distances(counts, k), counts.pixel_size_m),
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else _NAN


def _f(precision: float, recall: float, sizes: list[int]) -> float:
    if not all(sizes):
        return 0.0 if any(sizes) else _NAN
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _distances(counts: BoundaryCounts, k: int) -> dict[str, float]:
    """Figures in the unit of the counts."""
    figures = {"tolerance": counts.tolerance, "max_distance": counts.max_distance}
    sides = counts.distances[:, k]
    if not sides.sum(axis=1).all():
        names = ("mean_distance", "median_distance", "p95_distance", "hausdorff")
        return {**figures, **dict.fromkeys(names, _NAN)}
    length = np.append(counts.rings.length, counts.max_distance)
    both = sides.sum(axis=0)
    figures["mean_distance"] = float(both @ length) / int(both.sum())
    figures["median_distance"] = _quantile(both, length, 50)
    figures["p95_distance"] = max(_quantile(side, length, 95) for side in sides)
    figures["hausdorff"] = max(_quantile(side, length, 100) for side in sides)
    return figures


def _quantile(histogram: NDArray[np.int64], length: NDArray[np.float64], percent: int) -> float:
    """Shortest length that `percent` of the pixels or more do not exceed."""
    rank = -(-percent * int(histogram.sum()) // 100)
    return float(length[np.searchsorted(np.cumsum(histogram), rank)])


def _in_both_units(
    figures: dict[str, float], pixel_size_m: tuple[float, float] | None
) -> dict[str, float]:
    per_m, per_px = _NAN, 1.0
    if pixel_size_m is not None:
        per_m = 1.0
        per_px = 1 / pixel_size_m[0] if math.isclose(*pixel_size_m, rel_tol=1e-6) else _NAN
    return {f"{name}_m": value * per_m for name, value in figures.items()} | {
        f"{name}_px": value * per_px for name, value in figures.items()
    }
