"""McNemar's test of whether two maps are right equally often on the same units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.accuracy.symmetry import chi_square_tail, counts_of
from rs_workbench.errors import AccuracyError, UsageError

McNemarKind = Literal["exact", "mid_p", "corrected", "asymptotic"]


@dataclass(frozen=True)
class McNemar:
    """McNemar's test.

    `statistic` is chi-squared with one degree of freedom, or the smaller of `b` and `c` for the
    exact and the mid-p test. `b` counts the units where only the first map is right, `c` those
    where only the second is.
    """

    statistic: float
    p_value: float
    b: int
    c: int
    kind: McNemarKind


def agreement_table(correct_a: ArrayLike, correct_b: ArrayLike) -> NDArray[np.int64]:
    """Count units by which of two maps is right.

    Parameters
    ----------
    correct_a, correct_b : array_like of bool, shape (n,)
        Whether each map is right at each unit.

    Returns
    -------
    ndarray of int64, shape (2, 2)
        Rows first map, columns second: right, wrong.

    Raises
    ------
    AccuracyError
        If they differ in length or hold more than right and wrong.

    Examples
    --------
    >>> agreement_table([1, 1, 0, 0, 1], [1, 0, 1, 0, 1])
    array([[2, 1],
           [1, 1]])
    """
    a, b = right_or_wrong(correct_a), right_or_wrong(correct_b)
    if a.ndim != 1 or a.shape != b.shape:
        raise AccuracyError(
            "two maps are compared on the same units, one value each: got shapes "
            f"{a.shape} and {b.shape}"
        )
    cells = 2 * (1 - a) + (1 - b)
    table: NDArray[np.int64] = np.bincount(cells, minlength=4).reshape(2, 2).astype(np.int64)
    return table


def right_or_wrong(correct: ArrayLike) -> NDArray[np.int64]:
    """Check that values say right or wrong and nothing else.

    Parameters
    ----------
    correct : array_like of bool or of 0 and 1, any shape
        Whether a map is right.

    Returns
    -------
    ndarray of int64, same shape
        1 right, 0 wrong.

    Raises
    ------
    AccuracyError
        If there is any other value.
    """
    values = np.asarray(correct)
    other = values[(values != 0) & (values != 1)]
    if other.size:
        raise AccuracyError(
            "correct must be true or false for each unit, such as map == reference: got "
            f"{sorted(set(other.tolist()))[:5]}"
        )
    return values.astype(np.int64)


def mcnemar(table: ArrayLike, *, kind: McNemarKind = "exact") -> McNemar:
    """Test whether two maps are right equally often.

    Parameters
    ----------
    table : array_like of int, shape (2, 2)
        As `agreement_table` counts: rows first map, columns second; right, wrong.
    kind : {"exact", "mid_p", "corrected", "asymptotic"}
        Exact never rejects too often, and rejects too seldom; mid-p is close to its level even
        with few units; the other two are chi-squared with and without Edwards' correction.

    Returns
    -------
    McNemar
        With p = 1 where both are right alone equally often.

    Raises
    ------
    AccuracyError
        If `table` is not two by two, or holds no counts.
    UsageError
        If `kind` is none of the four.

    References
    ----------
    McNemar 1947, Psychometrika 12, 153-157; Edwards 1948, the same journal 13, 185-187.
    Fagerland, Lydersen & Laake 2013, BMC Medical Research Methodology 13:91, for mid-p.

    Examples
    --------
    >>> result = mcnemar([[1, 1], [7, 12]], kind="mid_p")
    >>> result.b, result.c, round(result.p_value, 3)
    (1, 7, 0.039)
    """
    if kind not in get_args(McNemarKind):
        raise UsageError(f"kind must be one of {', '.join(get_args(McNemarKind))}: got {kind!r}")
    counts = np.asarray(table)
    if counts.shape != (2, 2):
        raise AccuracyError(
            f"McNemar's test needs a table of 2 x 2, right and wrong of two maps: got shape "
            f"{counts.shape}; make one with agreement_table, or test a table of classes with "
            "bowker or stuart_maxwell"
        )
    counts_of(counts)
    b, c = int(counts[0, 1]), int(counts[1, 0])
    statistic = float(min(b, c))
    if kind in ("corrected", "asymptotic"):
        apart = max(abs(b - c) - (kind == "corrected"), 0)
        statistic = apart**2 / (b + c) if b + c else 0.0
        return McNemar(statistic, chi_square_tail(statistic, 1), b, c, kind)
    return McNemar(statistic, _binomial_p(b, c, mid=kind == "mid_p"), b, c, kind)


def _binomial_p(b: int, c: int, *, mid: bool) -> float:
    fewer, n = min(b, c), b + c
    if b == c:
        return 1.0
    upto = _coin_tail(fewer, n)
    # The mid-p: twice the tail, less the probability of the value itself.
    return upto + _coin_tail(fewer - 1, n) if mid else min(2 * upto, 1.0)


def _coin_tail(at_most: int, n: int) -> float:
    """Probability of so few heads; scipy's bdtr would cut n to 32 bits."""
    from scipy.special import betainc  # scipy takes longer to import than all else here

    return float(betainc(n - at_most, at_most + 1, 0.5)) if at_most >= 0 else 0.0
