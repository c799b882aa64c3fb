"""The difference of two maps' accuracy on one sample, by the sample's design."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from rs_workbench.accuracy.discordance import right_or_wrong
from rs_workbench.accuracy.estimator import variance_by_stratum
from rs_workbench.accuracy.frame import make_frame
from rs_workbench.accuracy.intervals import normal_quantile
from rs_workbench.accuracy.sample import Design, Sample
from rs_workbench.errors import AccuracyError


@dataclass(frozen=True)
class PairedDifference:
    """Overall accuracy of a first map less that of a second, from the same units.

    `low` and `high` never leave [-1, 1], and are NaN where the standard error is 0, since the
    maps were right and wrong together at every unit, or apart at every unit; `z_value` and
    `p_value` test for no difference, two-sided; `z` is the normal quantile of the interval.
    """

    value: float
    standard_error: float
    low: float
    high: float
    z_value: float
    p_value: float
    n_units: int
    confidence: float
    z: float


def paired_difference(
    correct_a: ArrayLike,
    correct_b: ArrayLike,
    *,
    sample: Sample,
    design: Design,
    confidence: float = 0.95,
    fpc: bool = False,
) -> PairedDifference:
    """Estimate how much more of the area a first map has right than a second.

    Parameters
    ----------
    correct_a, correct_b : array_like of bool, shape (n,)
        Whether each map is right at each unit.
    sample : Sample
        The units; of its columns, strata, clusters, weights and sizes are used.
    design : Design
        How they were chosen.
    confidence : float
        Level of the interval.
    fpc : bool
        Apply the finite population correction.

    Returns
    -------
    PairedDifference
        With a test that counts each unit by what it stands for, where McNemar's test takes all
        units for equal.

    Raises
    ------
    AccuracyError
        If the columns do not fit the sample, or the sample its design.

    References
    ----------
    Ours: the mean of the differences by the estimators of Stehman 2014, International Journal of
    Remote Sensing 35, 4923-4939, equations 2 and 25, as a ratio where units differ in area.

    Examples
    --------
    >>> from rs_workbench.accuracy.sample import make_sample
    >>> sample = make_sample([0, 1, 1, 0], [0, 1, 0, 0], 2)
    >>> result = paired_difference(
    ...     [1, 1, 0, 1], [1, 0, 0, 1], sample=sample, design=Design(kind="simple_random")
    ... )
    >>> result.value, result.standard_error
    (0.25, 0.25)
    """
    difference = right_or_wrong(correct_a) - right_or_wrong(correct_b)
    if difference.shape != (len(sample),):
        raise AccuracyError(
            f"the sample has {len(sample)} units, and each map needs one value for each: got "
            f"shapes {np.shape(correct_a)} and {np.shape(correct_b)}"
        )
    frame = make_frame(sample, design)
    whole = float(frame.expansion.sum())
    value = float(frame.expansion @ difference) / whole
    moves = (frame.size * (difference - value) / whole)[:, None]
    variance = float(variance_by_stratum(frame, moves, fpc=fpc).sum())
    # What floating point leaves of no variance.
    error = math.sqrt(variance) if variance > 1e-24 else 0.0
    z = normal_quantile(confidence)
    half = z * error if error else math.nan
    z_value = value / error if error else math.nan
    return PairedDifference(
        value=value,
        standard_error=error,
        low=max(value - half, -1.0) if error else math.nan,
        high=min(value + half, 1.0) if error else math.nan,
        z_value=z_value,
        p_value=_p_value(value, z_value),
        n_units=int(np.count_nonzero(frame.size)),
        confidence=confidence,
        z=z,
    )


def _p_value(value: float, z_value: float) -> float:
    if math.isnan(z_value):
        return 1.0 if value == 0 else math.nan
    return 2 * NormalDist().cdf(-abs(z_value))
