"""Comparison of several maps on the same reference units.

McNemar's, Cochran's and Bowker's tests take every unit for one of a simple random sample. For any
other design, and for a difference with its interval, there is `paired_difference`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.accuracy.discordance import (
    McNemar,
    McNemarKind,
    agreement_table,
    mcnemar,
    right_or_wrong,
)
from rs_workbench.accuracy.paired import PairedDifference, paired_difference
from rs_workbench.accuracy.symmetry import ChiSquare, bowker, chi_square_tail, stuart_maxwell
from rs_workbench.errors import AccuracyError, UsageError

__all__ = [
    "ChiSquare",
    "MapComparison",
    "McNemar",
    "PairedDifference",
    "adjust_p_values",
    "agreement_table",
    "bowker",
    "cochran_q",
    "compare_maps",
    "mcnemar",
    "paired_difference",
    "stuart_maxwell",
]

Adjustment = Literal["holm", "bonferroni", "benjamini_hochberg"]


@dataclass(frozen=True)
class MapComparison:
    """Two of several maps: `difference` is the share right on the first less the second's."""

    first: str
    second: str
    difference: float
    test: McNemar
    adjusted_p_value: float
    adjustment: Adjustment


def cochran_q(correct: ArrayLike) -> ChiSquare:
    """Test whether several maps are right equally often.

    Parameters
    ----------
    correct : array_like of bool, shape (n, k)
        Whether each of `k` maps is right at each of `n` units.

    Returns
    -------
    ChiSquare
        Q with k - 1 degrees of freedom; p = 1 where the maps never differ.

    Raises
    ------
    AccuracyError
        If there are not two maps or more, or values other than right and wrong.

    References
    ----------
    Cochran 1950, Biometrika 37, 256-266.

    Examples
    --------
    >>> cochran_q([[1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 0, 0]]).statistic
    4.666666666666667
    """
    values = _several(correct)
    n_maps = values.shape[1]
    by_map, by_unit = values.sum(0).astype(float), values.sum(1).astype(float)
    spread = n_maps * (by_map**2).sum() - by_map.sum() ** 2
    differing = n_maps * by_unit.sum() - (by_unit**2).sum()
    statistic = float((n_maps - 1) * spread / differing) if differing else 0.0
    return ChiSquare(statistic, n_maps - 1, chi_square_tail(statistic, n_maps - 1))


def adjust_p_values(p_values: ArrayLike, method: Adjustment = "holm") -> NDArray[np.float64]:
    """Correct p values for the number of tests.

    Parameters
    ----------
    p_values : array_like of float, shape (m,)
        NaN stays NaN, and does not count as a test.
    method : {"holm", "bonferroni", "benjamini_hochberg"}
        The first two keep the chance of any false finding, the third the share of false ones.

    Returns
    -------
    ndarray of float64, shape (m,)
        Adjusted, at most 1.

    Raises
    ------
    AccuracyError
        If a value is not between 0 and 1.
    UsageError
        If `method` is none of the three.

    References
    ----------
    Holm 1979, Scandinavian Journal of Statistics 6, 65-70. Benjamini & Hochberg 1995, Journal of
    the Royal Statistical Society B 57, 289-300.

    Examples
    --------
    >>> adjust_p_values([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    if method not in get_args(Adjustment):
        raise UsageError(
            f"method must be one of {', '.join(get_args(Adjustment))}: got {method!r}"
        )
    p = np.asarray(p_values, np.float64)
    wrong = p[(p < 0) | (p > 1)]
    if p.ndim != 1 or wrong.size:
        raise AccuracyError(
            f"p values must be a list of numbers from 0 to 1: got {wrong.tolist() or p.shape}"
        )
    adjusted = np.full(p.shape, np.nan)
    tests = np.flatnonzero(~np.isnan(p))
    order = tests[np.argsort(p[tests], kind="stable")]
    m, rank = len(order), np.arange(1, len(order) + 1)
    if method == "bonferroni":
        steps = m * p[order]
    elif method == "holm":
        steps = np.maximum.accumulate((m - rank + 1) * p[order])
    else:
        steps = np.minimum.accumulate((m / rank * p[order])[::-1])[::-1]
    adjusted[order] = np.minimum(steps, 1)
    return adjusted


def compare_maps(
    correct: ArrayLike,
    names: Sequence[str],
    *,
    kind: McNemarKind = "exact",
    adjustment: Adjustment = "holm",
) -> tuple[MapComparison, ...]:
    """Compare every two of several maps by McNemar's test.

    Parameters
    ----------
    correct : array_like of bool, shape (n, k)
        Whether each of `k` maps is right at each of `n` units.
    names : sequence of str, length k
        Names of the maps.
    kind : {"exact", "mid_p", "corrected", "asymptotic"}
        Of McNemar's test.
    adjustment : {"holm", "bonferroni", "benjamini_hochberg"}
        Correction for the number of pairs.

    Returns
    -------
    tuple of MapComparison
        One for each pair, in the order of the names.

    Raises
    ------
    AccuracyError
        If names and maps differ in number or two names are the same.
    UsageError
        If a choice is none of those listed.

    Examples
    --------
    >>> pairs = compare_maps([[1, 1, 0], [1, 0, 0], [1, 1, 1]], ["a", "b", "c"])
    >>> [(pair.first, pair.second, round(pair.difference, 2)) for pair in pairs]
    [('a', 'b', 0.33), ('a', 'c', 0.67), ('b', 'c', 0.33)]
    """
    values = _several(correct)
    if len(names) != values.shape[1] or len(set(names)) < len(names):
        raise AccuracyError(
            f"each of {values.shape[1]} maps needs a name of its own: got {list(names)}"
        )
    pairs = list(combinations(range(len(names)), 2))
    tests = [mcnemar(agreement_table(values[:, i], values[:, j]), kind=kind) for i, j in pairs]
    adjusted = adjust_p_values([test.p_value for test in tests], adjustment)
    return tuple(
        MapComparison(
            first=names[i],
            second=names[j],
            difference=(test.b - test.c) / len(values),
            test=test,
            adjusted_p_value=float(p),
            adjustment=adjustment,
        )
        for (i, j), test, p in zip(pairs, tests, adjusted, strict=True)
    )


def _several(correct: ArrayLike) -> NDArray[np.int64]:
    values = right_or_wrong(correct)
    if values.ndim != 2 or values.shape[1] < 2 or not len(values):
        raise AccuracyError(
            "several maps are compared in a table of units x maps, two maps or more: got shape "
            f"{values.shape}"
        )
    return values
