"""Symmetry of two maps: whether one says a class more often than the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.accuracy.scores import as_matrix
from rs_workbench.errors import AccuracyError

# Of the largest eigenvalue; what is below belongs to classes that no error connects.
_RANK = 1e-10


@dataclass(frozen=True)
class ChiSquare:
    """A test by a chi-squared statistic; with no degree of freedom there is nothing to test."""

    statistic: float
    df: int
    p_value: float


def bowker(table: ArrayLike) -> ChiSquare:
    """Test whether each pair of classes is confused equally often both ways.

    Parameters
    ----------
    table : array_like of int, shape (K, K), or Confusion
        Counts of units by the classes of two maps, or of map and reference.

    Returns
    -------
    ChiSquare
        One degree of freedom for each pair of the classes that occur.

    Raises
    ------
    AccuracyError
        If `table` is not square or holds no counts.

    References
    ----------
    Bowker 1948, Journal of the American Statistical Association 43, 572-574.

    Examples
    --------
    >>> result = bowker([[20, 5, 3], [9, 30, 4], [1, 8, 20]])
    >>> round(result.statistic, 3), result.df
    (3.476, 3)
    """
    counts = counts_of(table)
    counts = _occurring(counts)
    upper = np.triu_indices(len(counts), 1)
    above, below = counts[upper], counts.T[upper]
    seen = above + below > 0
    statistic = float(((above - below)[seen] ** 2 / (above + below)[seen]).sum())
    df = len(above)
    return ChiSquare(statistic, df, chi_square_tail(statistic, df))


def stuart_maxwell(table: ArrayLike) -> ChiSquare:
    """Test whether two maps say each class equally often.

    Parameters
    ----------
    table : array_like of int, shape (K, K), or Confusion
        Counts of units by the classes of two maps, or of map and reference.

    Returns
    -------
    ChiSquare
        As many degrees of freedom as totals can move, one less than classes where every class is
        connected to the others by confusions.

    Raises
    ------
    AccuracyError
        If `table` is not square or holds no counts.

    References
    ----------
    Stuart 1955, Biometrika 42, 412-416. Maxwell 1970, British Journal of Psychiatry 116, 651-655.

    Examples
    --------
    >>> result = stuart_maxwell([[20, 5, 3], [9, 30, 4], [1, 8, 20]])
    >>> round(result.statistic, 3), result.df
    (0.382, 2)
    """
    counts = counts_of(table)
    apart = counts.sum(1) - counts.sum(0)
    errors = counts + counts.T
    np.fill_diagonal(errors, 0)
    covariance = np.diag(errors.sum(1)) - errors
    values, vectors = np.linalg.eigh(covariance)
    kept = values > _RANK * max(values.max(), 1)
    statistic = float(((vectors[:, kept].T @ apart) ** 2 / values[kept]).sum())
    df = int(kept.sum())
    return ChiSquare(statistic, df, chi_square_tail(statistic, df))


def chi_square_tail(statistic: float, df: int) -> float:
    """Give the probability of a chi-squared value as large or larger.

    Parameters
    ----------
    statistic : float
        From 0 up.
    df : int
        Degrees of freedom; with 0 the probability is 1.

    Returns
    -------
    float
        0 to 1.
    """
    from scipy.special import chdtrc  # scipy takes longer to import than all else here

    return float(chdtrc(df, statistic)) if df else 1.0


def counts_of(table: ArrayLike) -> NDArray[np.float64]:
    """Check that a table holds counts.

    Parameters
    ----------
    table : array_like of int, shape (K, K), or Confusion
        Counts of units.

    Returns
    -------
    ndarray of float64, shape (K, K)
        The same.

    Raises
    ------
    AccuracyError
        If it is not square, or holds shares.
    """
    counts = as_matrix(table)
    if (counts != np.round(counts)).any():
        raise AccuracyError(
            "tests on a table need counts of units, and these are shares or weighted (sum "
            f"{counts.sum():g}): use paired_difference for a weighted sample"
        )
    return counts


def _occurring(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    there = np.flatnonzero(counts.sum(0) + counts.sum(1))
    return counts[np.ix_(there, there)]
