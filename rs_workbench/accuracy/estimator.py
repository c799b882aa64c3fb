"""The one engine behind all design-based estimates: weighted totals and their variance.

Every score of a map is a smooth function of totals over the population, mostly a ratio of two
totals. A total is estimated by a weighted sum over the sample; the variance of a function of
totals is that of the sum of its linearised values. So one formula serves all designs: with v the
weighted values, summed within each cluster where there are clusters,

    V = sum over strata h of (1 - f_h) n_h / (n_h - 1) sum (v - mean_h v)^2

which is Stehman's (2014) equation 28 for ratios, and Olofsson's (2014) equations 5 to 7 and 10
where the strata are the classes of the map. A post-stratified simple random sample has a formula
of its own (Cochran 1977, 5A.42).

References
----------
.. [1] S. V. Stehman, "Estimating area and map accuracy for stratified random sampling when the
   strata are different from the map classes", International Journal of Remote Sensing 35 (2014).
.. [2] P. Olofsson et al., "Good practices for estimating area and assessing accuracy of land
   change", Remote Sensing of Environment 148 (2014).
.. [3] W. G. Cochran, "Sampling Techniques", 3rd edition (1977).
.. [4] R. S. Woodruff, "A simple method for approximating the variance of a complicated estimate",
   Journal of the American Statistical Association 66 (1971).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.frame import Codes, Floats, Frame
from rs_workbench.errors import AccuracyError


def variance_by_stratum(frame: Frame, values: Floats, *, fpc: bool = False) -> Floats:
    """Estimate the variance of weighted totals, stratum by stratum.

    Parameters
    ----------
    frame : Frame
        The sample.
    values : ndarray of float64, shape (m, T)
        Linearised values of a unit of each row; their weighted sum over the sample estimates a
        total.
    fpc : bool
        Apply the finite population correction.

    Returns
    -------
    ndarray of float64, shape (H, T)
        They add up to the variance of the totals.

    Raises
    ------
    AccuracyError
        If the correction is asked for and the size of the population is unknown, or units have
        unequal weights.
    """
    fraction = _sampled_fraction(frame) if fpc else np.zeros(len(frame.n_drawn))
    if frame.kind == "post_stratified":
        return _post_stratified_variance(frame, values, fraction)
    weighted, times, stratum = frame.weight[:, None] * values, frame.times, frame.stratum
    if frame.cluster is not None:
        weighted, times, stratum = _cluster_totals(frame, weighted)
    squares = _squares(weighted, times, stratum, len(frame.n_drawn))
    n = frame.n_drawn
    factor = (1 - fraction) * n / np.maximum(n - 1, 1)
    return factor[:, None] * squares


def _sampled_fraction(frame: Frame) -> Floats:
    if np.isinf(frame.n_population).any():
        raise AccuracyError(
            "the finite population correction needs the number of units in the population: give "
            "it in the design, or leave the correction off"
        )
    if frame.cluster is None and frame.kind != "post_stratified":
        low, high = (
            _by_stratum(how, frame.weight, frame.stratum, len(frame.n_drawn))
            for how in (np.minimum, np.maximum)
        )
        if not np.allclose(low, high):
            raise AccuracyError(
                "the finite population correction needs equal weights within each stratum: got "
                f"{low.min():g} to {high.max():g}; leave the correction off"
            )
    fraction: Floats = frame.n_drawn / frame.n_population
    return fraction


def _by_stratum(how: np.ufunc, values: Floats, stratum: Codes, n_strata: int) -> Floats:
    start = np.inf if how is np.minimum else -np.inf
    result = np.full(n_strata, start)
    how.at(result, stratum, values)
    return result


def _cluster_totals(frame: Frame, weighted: Floats) -> tuple[Floats, NDArray[np.int64], Codes]:
    """Add up the weighted values of each cluster."""
    assert frame.cluster is not None
    n_clusters = int(frame.cluster.max()) + 1
    totals = np.zeros((n_clusters, weighted.shape[1]))
    np.add.at(totals, frame.cluster, frame.times[:, None] * weighted)
    stratum = np.zeros(n_clusters, np.intp)
    stratum[frame.cluster] = frame.stratum
    return totals, np.ones(n_clusters, np.int64), stratum


def _squares(values: Floats, times: NDArray[np.int64], stratum: Codes, n_strata: int) -> Floats:
    """Sum of squared deviations from the mean of each stratum, (H, T)."""
    n = np.bincount(stratum, times, n_strata)
    sums = np.zeros((n_strata, values.shape[1]))
    np.add.at(sums, stratum, times[:, None] * values)
    deviations = values - (sums / np.maximum(n, 1)[:, None])[stratum]
    squares = np.zeros_like(sums)
    np.add.at(squares, stratum, times[:, None] * deviations**2)
    return squares


def _post_stratified_variance(frame: Frame, values: Floats, fraction: Floats) -> Floats:
    """Variance of totals after post-stratification (Cochran 5A.42), per stratum."""
    n, whole = int(frame.n_drawn.sum()), frame.n_population.sum()
    share = frame.n_population / whole
    squares = _squares(values, frame.times, frame.stratum, len(share))
    spread = squares / np.maximum(frame.n_drawn - 1, 1)[:, None]
    sampled = n / whole if fraction.any() else 0.0
    per_unit = (1 - sampled) / n * share + (1 - share) / n**2
    return whole**2 * per_unit[:, None] * spread
