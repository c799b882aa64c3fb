"""Accuracy and area of a map from a sample of it, by the design of the sample.

Pixel counts of a map are not areas of classes: the map's errors do not cancel. What the sample
says about each part of the map corrects them, with a confidence interval.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.accuracy.areas import MappedArea, check_mapped, settle_area, to_areas
from rs_workbench.accuracy.cautions import find_warnings
from rs_workbench.accuracy.estimates import AccuracyEstimate, IntervalKind
from rs_workbench.accuracy.estimator import variance_by_stratum
from rs_workbench.accuracy.frame import Codes, Floats, Frame, make_frame, stratified_frame
from rs_workbench.accuracy.levels import Level, make_level, with_intervals
from rs_workbench.accuracy.linearise import QUANTITY, effective_units, linearise, linearise_ties
from rs_workbench.accuracy.sample import Design, Sample
from rs_workbench.accuracy.scores import as_matrix
from rs_workbench.errors import AccuracyError

ESTIMATORS = {
    "simple_random": "ratio of sample totals",
    "systematic": "ratio of sample totals, variance as for a simple random sample",
    "stratified": "stratified ratio estimator (Stehman 2014; where the strata are the classes of "
    "the map it is that of Olofsson et al. 2014)",
    "post_stratified": "post-stratified estimator (Cochran 1977, 5A.42)",
    "cluster": "ratio of cluster totals",
}


def stratified_estimate(
    confusion: ArrayLike,
    mapped_area_ha: ArrayLike,
    *,
    confidence: float = 0.95,
    z: float | None = None,
    interval: IntervalKind = "wald",
) -> AccuracyEstimate:
    """Estimate accuracy and area where the strata of the sample are the classes of the map.

    Parameters
    ----------
    confusion : array_like of int, shape (K, K), or Confusion
        Units of the sample: rows map (and stratum), columns reference.
    mapped_area_ha : array_like of float, shape (K,)
        Area of each class on the map, ha. Other units give `area` in those units.
    confidence : float
        Level of the intervals.
    z : float, optional
        Normal quantile of the intervals, in place of that of `confidence`.
    interval : {'wald', 'wilson', 'logit'}
        Kind of the intervals.

    Returns
    -------
    AccuracyEstimate
        Everything, with standard errors.

    Raises
    ------
    AccuracyError
        If a class on the map has fewer than two units in the sample, or a class that is not on
        the map has some.

    References
    ----------
    .. [1] P. Olofsson et al., "Making better use of accuracy data in land change studies", Remote
       Sensing of Environment 129 (2013), equations 1 to 16.
    .. [2] P. Olofsson et al., "Good practices for estimating area and assessing accuracy of land
       change", Remote Sensing of Environment 148 (2014), equations 4 to 11.

    Examples
    --------
    >>> counts = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
    >>> result = stratified_estimate(counts, [18000, 13500, 288000, 580500])
    >>> round(result.overall.value, 3), round(result.area[0].area_ha)
    (0.947, 21158)
    """
    counts = _whole_counts(as_matrix(confusion))
    mapped = check_mapped(mapped_area_ha, len(counts))
    _check_rows(counts, mapped.by_class)
    sampled = np.flatnonzero(mapped.by_class > 0)
    rows, columns = np.nonzero(counts)
    frame = stratified_frame(
        counts[rows, columns],
        np.searchsorted(sampled, rows),
        [f"class {row}" for row in sampled],
        mapped.by_class[sampled],
    )
    level = make_level(confidence, z, interval)
    estimate = _estimate(frame, (rows, columns), mapped, level, n_classes=len(counts))
    return find_warnings(estimate, frame)


def _whole_counts(matrix: Floats) -> NDArray[np.int64]:
    if (matrix != np.floor(matrix)).any():
        raise AccuracyError(
            f"the matrix must hold counts of units, not shares: got {matrix.flat[0]:g} and "
            f"{matrix.sum():g} in all"
        )
    return matrix.astype(np.int64)


def _check_rows(counts: NDArray[np.int64], mapped: Floats) -> None:
    lost = np.flatnonzero((mapped == 0) & (counts.sum(axis=1) > 0))
    if lost.size:
        raise AccuracyError(
            f"class {lost[0]} has {counts[lost[0]].sum()} units in the sample but no area on the "
            "map: check the order of the classes"
        )


def design_estimate(
    sample: Sample,
    design: Design,
    *,
    mapped_area_ha: Sequence[float] | None = None,
    confidence: float = 0.95,
    z: float | None = None,
    interval: IntervalKind = "wald",
    fpc: bool = False,
) -> AccuracyEstimate:
    """Estimate accuracy and area from a sample of any design.

    Parameters
    ----------
    sample : Sample
        Labelled units.
    design : Design
        How they were chosen; it decides the estimator.
    mapped_area_ha : sequence of float, shape (K,), optional
        Area of each class on the map, ha. Without it, and without an area in the design, areas
        are given as shares only. Where map and design differ in area, the estimates are of the
        design's population, or of the map where that is smaller; a warning says so.
    confidence : float
        Level of the intervals.
    z : float, optional
        Normal quantile of the intervals, in place of that of `confidence`.
    interval : {'wald', 'wilson', 'logit'}
        Kind of the intervals.
    fpc : bool
        Apply the finite population correction.

    Returns
    -------
    AccuracyEstimate
        Everything, with standard errors.

    Raises
    ------
    AccuracyError
        If sample and design do not fit, a stratum has fewer than two labelled units, or the
        correction needs a size that is not known.

    References
    ----------
    .. [1] S. V. Stehman, "Estimating area and map accuracy for stratified random sampling when the
       strata are different from the map classes", International Journal of Remote Sensing 35
       (2014).
    .. [2] W. G. Cochran, "Sampling Techniques", 3rd edition (1977), section 5A.9.

    Examples
    --------
    >>> from rs_workbench.accuracy import Design, make_sample
    >>> sample = make_sample([0, 0, 1, 1, 1], [0, 1, 1, 1, 1], 2)
    >>> design_estimate(sample, Design(kind="simple_random")).overall.value
    0.8
    """
    frame = make_frame(sample, design)
    level = make_level(confidence, z, interval)
    k = sample.n_classes
    mapped = None if mapped_area_ha is None else check_mapped(mapped_area_ha, k)
    estimate = _estimate(
        frame,
        (sample.map_class, sample.reference),
        settle_area(design, mapped, k, partly=sample.beyond is not None),
        level,
        fpc=fpc,
        n_classes=k,
    )
    return find_warnings(estimate, frame, design)


def _estimate(
    frame: Frame,
    pairs: tuple[Codes, Codes],
    mapped: MappedArea | None,
    level: Level,
    *,
    n_classes: int,
    fpc: bool = False,
) -> AccuracyEstimate:
    k = n_classes
    matrix = np.zeros((k, k))
    np.add.at(matrix, pairs, frame.expansion)
    matrix /= matrix.sum()
    counts = np.zeros((k, k), np.int64)
    np.add.at(counts, pairs, np.where(frame.size > 0, frame.times, 0))
    values, linearised = linearise(frame, pairs, matrix)
    parts = variance_by_stratum(frame, linearised, fpc=fpc)
    variances = parts.sum(axis=0)
    ties = linearise_ties(frame, pairs, matrix)
    variances[QUANTITY] += variance_by_stratum(frame, ties, fpc=fpc).sum()
    estimates = with_intervals(
        values.tolist(),
        variances.tolist(),
        _units(counts).tolist(),
        effective=effective_units(frame, pairs, k).tolist(),
        level=level,
        certain=fpc and bool((frame.n_drawn == frame.n_population).all()),
    )
    per_class = [tuple(estimates[5 + i * k : 5 + (i + 1) * k]) for i in range(6)]
    users, producers, f1, iou, share, cover = per_class
    return AccuracyEstimate(
        overall=estimates[0],
        mean_iou=estimates[1],
        quantity=estimates[QUANTITY],
        exchange=estimates[3],
        shift=estimates[4],
        users=users,
        producers=producers,
        f1=f1,
        iou=iou,
        share=share,
        area=to_areas(cover, mapped),
        matrix=matrix,
        counts=counts,
        variance_share=_shares_of_variance(frame, parts[:, 0]),
        stratum_units=dict(zip(frame.names, frame.n_drawn.tolist(), strict=True)),
        design=frame.kind,
        estimator=ESTIMATORS[frame.kind],
        confidence=level.confidence,
        z=level.z,
        fpc=fpc,
    )


def _units(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Units that each score rests on, in the order of `linearise`."""
    k, n = len(counts), counts.sum()
    rows, columns, right = counts.sum(axis=1), counts.sum(axis=0), counts.diagonal()
    either = rows + columns - right
    return np.concatenate([np.full(5, n), rows, columns, either, either, np.full(2 * k, n)])


def _shares_of_variance(frame: Frame, parts: Floats) -> dict[str, float]:
    total = parts.sum()
    if not total > 0:
        return dict.fromkeys(frame.names, float("nan"))
    return dict(zip(frame.names, (parts / total).tolist(), strict=True))
