"""bootstrap: the uncertainty of any score, by drawing the sample again as it was drawn.

Units are drawn with replacement within their strata; where they came in clusters or spatial
blocks, these are drawn whole, because neighbours repeat each other. By default each stratum gives
one unit fewer than it has, each weighted up by n / (n - 1): then the variance of a sum is unbiased
however few units a stratum has [1]_. The plain bootstrap is too small by (n - 1) / n.

The bootstrap knows no finite population correction: for samples of a large part of the population
it is on the safe side.

References
----------
.. [1] J. N. K. Rao, C. F. J. Wu, "Resampling inference with complex survey data", Journal of the
   American Statistical Association 83 (1988), with n - 1 draws.
"""

from __future__ import annotations

from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.accuracy.blocks import Score
from rs_workbench.accuracy.bootstrap_run import BootstrapOptions, BootstrapResult, run_bootstrap
from rs_workbench.accuracy.frame import Frame, make_frame
from rs_workbench.accuracy.resample import Floats, Total, Units, make_units
from rs_workbench.accuracy.sample import Design, Sample
from rs_workbench.errors import AccuracyError


def bootstrap(
    statistic: Score,
    units: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    **options: Unpack[BootstrapOptions],
) -> BootstrapResult:
    """Tell how uncertain a score is, by resampling.

    Parameters
    ----------
    statistic : callable
        Turns a matrix (K, K) of float into a number, such as `overall_accuracy`.
    units : array_like of float, shape (n, K, K)
        What each unit adds to the matrix: rows map, columns reference. Where units stand for
        parts of different size, weighted by it.
    strata : array_like, shape (n,), optional
        Stratum of each unit; units are drawn within strata.
    clusters : array_like, shape (n,), optional
        Cluster of each unit; clusters are drawn whole.
    **options : BootstrapOptions
        How many draws, seed, confidence, kind of interval, rescaling.

    Returns
    -------
    BootstrapResult
        Value, standard error and interval.

    Raises
    ------
    AccuracyError
        If units, strata and clusters do not fit together, a stratum has fewer than two units or
        clusters, or an option is out of range.

    Examples
    --------
    >>> units = np.zeros((50, 2, 2))
    >>> units[:40, 0, 0], units[40:, 0, 1] = 1, 1
    >>> result = bootstrap(lambda m: m.trace() / m.sum(), units)
    >>> result.value, round(result.standard_error, 2)  # sqrt(0.8 * 0.2 / 49) = 0.057
    (0.8, 0.06)
    """
    matrices = _matrices(units)
    drawn = make_units(
        matrices.reshape(-1, matrices.shape[1] ** 2), strata=strata, clusters=clusters
    )
    return run_bootstrap(drawn, _on_matrix(statistic, matrices.shape[1]), options)


def bootstrap_sample(
    statistic: Score, sample: Sample, *, design: Design, **options: Unpack[BootstrapOptions]
) -> BootstrapResult:
    """Tell how uncertain a score of the whole map is, by resampling a sample as it was drawn.

    Parameters
    ----------
    statistic : callable
        Turns a matrix (K, K) of area shares into a number.
    sample : Sample
        Labelled units.
    design : Design
        How they were chosen: it gives strata, clusters and weights.
    **options : BootstrapOptions
        See `bootstrap`.

    Returns
    -------
    BootstrapResult
        Of the statistic of the design-weighted matrix.

    Raises
    ------
    AccuracyError
        If the sample does not fit its design, or the design is post-stratified: its weights
        would have to be made anew in every draw, which `design_estimate` does in closed form.
    """
    if design.kind == "post_stratified":
        raise AccuracyError(
            "a post_stratified sample cannot be resampled within strata that it was not drawn "
            "from: take the standard errors of design_estimate"
        )
    pairs = sample.map_class * sample.n_classes + sample.reference
    units = _units_of(make_frame(sample, design), pairs, sample.n_classes**2)
    return run_bootstrap(units, _on_matrix(statistic, sample.n_classes), options)


def _units_of(frame: Frame, pairs: NDArray[np.intp], n_cells: int) -> Units:
    """Weighted units; without clusters, one row stands for all equal ones."""
    cells, place = np.unique(pairs, return_inverse=True)
    share = frame.expansion / frame.expansion.sum()
    if frame.cluster is not None:
        parts = np.zeros((len(pairs), n_cells))
        parts[np.arange(len(pairs)), pairs] = share
        return make_units(parts, strata=frame.stratum, clusters=frame.cluster)
    keys = np.column_stack([frame.stratum, place, share])
    rows, times = np.unique(keys, axis=0, return_counts=True)
    parts = np.zeros((len(rows), len(cells)))
    parts[np.arange(len(rows)), rows[:, 1].astype(np.intp)] = rows[:, 2]
    return Units(parts, cells, n_cells, times.astype(np.int64), rows[:, 0].astype(np.intp))


def bootstrap_blocks(
    statistic: Score, matrices: ArrayLike, **options: Unpack[BootstrapOptions]
) -> BootstrapResult:
    """Tell how uncertain a score is over space, by resampling whole blocks.

    Blocks have to be larger than the range over which errors go together; see `BlockScores`.

    Parameters
    ----------
    statistic : callable
        Turns a matrix (K, K) into a number.
    matrices : array_like of int, shape (n, K, K) or (R, C, K, K)
        Confusion of each block. Blocks without any compared pixel are left out.
    **options : BootstrapOptions
        See `bootstrap`.

    Returns
    -------
    BootstrapResult
        Value of all blocks together, and its uncertainty.

    Raises
    ------
    AccuracyError
        As `bootstrap`.
    """
    counts = np.asarray(matrices, np.float64)
    counts = counts.reshape(-1, *counts.shape[-2:])
    return bootstrap(statistic, counts[counts.any(axis=(1, 2))], **options)


def bootstrap_difference(
    statistic: Score,
    pair: tuple[ArrayLike, ArrayLike],
    *,
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    **options: Unpack[BootstrapOptions],
) -> BootstrapResult:
    """Tell how uncertain the difference of two maps' scores is, both seen on the same units.

    Every draw takes the same units (blocks, clusters) for both maps, so that what is hard for
    both cancels.

    Parameters
    ----------
    statistic : callable
        Turns a matrix (K, K) into a number.
    pair : tuple of array_like of float, shape (n, K, K)
        What each unit adds to the matrix of the first map, and of the second.
    strata, clusters : array_like, shape (n,), optional
        See `bootstrap`.
    **options : BootstrapOptions
        See `bootstrap`.

    Returns
    -------
    BootstrapResult
        Score of the first minus score of the second.

    Raises
    ------
    AccuracyError
        As `bootstrap`; and if the two differ in shape.
    """
    first, second = (_matrices(one) for one in pair)
    if first.shape != second.shape:
        raise AccuracyError(
            "two maps are compared on the same units and classes: got matrices of shape "
            f"{first.shape} and {second.shape}"
        )
    n, k = first.shape[:2]
    both = np.concatenate([first.reshape(n, -1), second.reshape(n, -1)], axis=1)
    one = _on_matrix(statistic, k)
    units = make_units(both, strata=strata, clusters=clusters)
    return run_bootstrap(units, lambda total: one(total[: k * k]) - one(total[k * k :]), options)


def _matrices(units: ArrayLike) -> Floats:
    matrices = np.asarray(units, np.float64)
    if matrices.ndim != 3 or matrices.shape[1] != matrices.shape[2]:
        raise AccuracyError(
            f"units to resample need matrices of shape (n, K, K): got shape {matrices.shape}"
        )
    return matrices


def _on_matrix(statistic: Score, k: int) -> Total:
    return lambda total: float(statistic(total.reshape(k, k)))
