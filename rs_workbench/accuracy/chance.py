"""Agreement beyond chance: the result that kappa and tau share, and its large-sample error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.accuracy.intervals import normal_quantile
from rs_workbench.accuracy.scores import as_matrix
from rs_workbench.errors import AccuracyError

Floats = NDArray[np.float64]

KAPPA_WARNING = (
    "Kappa is not a measure of accuracy: it adds little to overall accuracy, its chance agreement "
    "depends on how common the classes are, so values of different maps or areas do not compare, "
    "and it says nothing about areas (Pontius & Millones 2011; Foody 2020); its standard error "
    "holds for simple random samples only."
)

# What floating point leaves of a variance that is 0, relative to the squares it comes from.
_NO_SPREAD = 1e-14


@dataclass(frozen=True)
class Kappa:
    """A coefficient of agreement beyond chance, NaN where chance agreement is complete.

    Attributes
    ----------
    value : float
        1 at full agreement, 0 at that of chance.
    standard_error, null_standard_error : float
        For intervals, and for the test that there is no agreement beyond chance.
    low, high : float
        Bounds, cut at -1 and 1; NaN where the standard error is 0 and tells nothing.
    z_value, p_value : float
        value / null_standard_error, and its two-sided probability.
    n_units : int
        Units counted.
    confidence, z : float
        Level of the bounds and its normal quantile.
    warning : str
        What to say wherever the value is shown.
    """

    value: float
    standard_error: float
    null_standard_error: float
    low: float
    high: float
    z_value: float
    p_value: float
    n_units: int
    confidence: float
    z: float
    warning: str = KAPPA_WARNING


@dataclass(frozen=True)
class KappaDifference:
    """Difference of two coefficients from independent samples, with a two-sided test."""

    value: float
    standard_error: float
    z_value: float
    p_value: float


def compare_kappas(a: Kappa, b: Kappa) -> KappaDifference:
    """Test whether two coefficients of independent samples differ.

    Parameters
    ----------
    a, b : Kappa
        Of two samples with no unit in common. Two maps on one sample are not independent: use
        `rs_workbench.accuracy.compare.mcnemar`.

    Returns
    -------
    KappaDifference
        a - b.

    References
    ----------
    Cohen 1960, Educational and Psychological Measurement 20, 37-46.

    Examples
    --------
    >>> from rs_workbench.accuracy.kappa import cohen_kappa
    >>> a, b = cohen_kappa([[20, 5], [10, 15]]), cohen_kappa([[23, 2], [4, 21]])
    >>> round(compare_kappas(a, b).p_value, 3)
    0.022
    """
    error = math.hypot(a.standard_error, b.standard_error)
    difference = a.value - b.value
    z_value = difference / error if error else math.nan
    return KappaDifference(difference, error, z_value, two_sided(z_value))


def counted_shares(confusion: ArrayLike) -> tuple[Floats, int]:
    """Turn counts into shares.

    Parameters
    ----------
    confusion : array_like of int, shape (K, K), or Confusion
        Counts: rows map, columns reference.

    Returns
    -------
    shares : ndarray of float64, shape (K, K)
        NaN without counts.
    n_units : int
        Their sum.

    Raises
    ------
    AccuracyError
        If `confusion` does not hold counts.
    """
    matrix = as_matrix(confusion)
    if (matrix != np.round(matrix)).any():
        raise AccuracyError(
            "kappa and tau need the counts of a simple random sample, and these are shares or "
            f"weighted (sum {matrix.sum():g}): use overall accuracy and disagreement instead"
        )
    n_units = int(matrix.sum())
    return matrix / (n_units or math.nan), n_units


def beyond(chance: float) -> float:
    """Give what chance leaves to be agreed on.

    Parameters
    ----------
    chance : float
        Agreement expected by chance.

    Returns
    -------
    float
        1 - chance; NaN where that is nothing.
    """
    rest = 1 - chance
    return rest if rest > _NO_SPREAD else math.nan


def influence_error(shares: Floats, influence: Floats, n_units: int) -> float:
    """Compute the standard error of a coefficient from the influence of each cell.

    Parameters
    ----------
    shares : ndarray of float64, shape (K, K)
        Probability that a unit falls in a cell.
    influence : ndarray of float64, shape (K, K)
        Derivative of the coefficient by the share of each cell.
    n_units : int
        Units counted.

    Returns
    -------
    float
        Square root of the multinomial variance to first order.
    """
    mean, squares = float((shares * influence).sum()), float((shares * influence**2).sum())
    variance = squares - mean**2
    if variance <= _NO_SPREAD * squares:
        return 0.0
    return math.sqrt(variance / n_units) if n_units else math.nan


def make_kappa(
    value: float, standard_error: float, null_error: float, *, n_units: int, confidence: float
) -> Kappa:
    """Bring a coefficient together with its bounds and its test.

    Parameters
    ----------
    value : float
        The coefficient.
    standard_error, null_error : float
        For the bounds, and for the test against no agreement beyond chance.
    n_units : int
        Units counted.
    confidence : float
        Level of the bounds.

    Returns
    -------
    Kappa
        The result.
    """
    z = normal_quantile(confidence)
    half = z * standard_error if standard_error else math.nan
    z_value = value / null_error if null_error else math.nan
    return Kappa(
        value=value,
        standard_error=standard_error,
        null_standard_error=null_error,
        low=_inside(value - half),
        high=_inside(value + half),
        z_value=z_value,
        p_value=two_sided(z_value),
        n_units=n_units,
        confidence=confidence,
        z=z,
    )


def two_sided(z_value: float) -> float:
    """Give the probability of a normal deviate as far from 0, on either side.

    Parameters
    ----------
    z_value : float
        The deviate.

    Returns
    -------
    float
        0 to 1; NaN for NaN.
    """
    return math.nan if math.isnan(z_value) else 2 * NormalDist().cdf(-abs(z_value))


def _inside(bound: float) -> float:
    return bound if math.isnan(bound) else min(max(bound, -1.0), 1.0)
