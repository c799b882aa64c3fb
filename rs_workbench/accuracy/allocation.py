"""allocate: how many units each stratum gets."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.accuracy.expected_errors import as_weights
from rs_workbench.errors import AccuracyError

AllocationRule = Literal["proportional", "equal", "minimum", "neyman", "power"]

MINIMUM_UNITS = 50
"""Units that the rule `minimum` gives every stratum, unless told otherwise."""
_LEAST = 2  # one unit tells nothing of the variance
_NEXT_TO_NOTHING = 1e-12


class ScarceStratumError(AccuracyError):
    """A stratum would get too few units; `index` says which, `problem` what is wrong with it."""

    def __init__(self, index: int, n_strata: int, problem: str) -> None:
        super().__init__(f"stratum {index + 1} of {n_strata} {problem}")
        self.index, self.problem = index, problem


def allocate(
    n: int,
    weights: ArrayLike,
    *,
    rule: AllocationRule = "proportional",
    minimum: int | None = None,
    deviations: ArrayLike | None = None,
    power: float = 0.5,
    populations: ArrayLike | None = None,
) -> NDArray[np.int64]:
    """Share units out among strata.

    Parameters
    ----------
    n : int
        Units in all.
    weights : array_like of float, shape (H,)
        Area shares of the strata.
    rule : {'proportional', 'equal', 'minimum', 'neyman', 'power'}
        By weight; the same for each; by weight, but no fewer than `minimum`; by weight times
        deviation; by weight to the power of `power`.
    minimum : int, optional
        Fewest units in a stratum, under any rule; 50 by default under `minimum`, else none.
    deviations : array_like of float, shape (H,), optional
        Standard deviation within each stratum, sqrt(p (1 - p)); `neyman` needs it.
    power : float
        Between 0, which is equal, and 1, which is proportional.
    populations : array_like of int, shape (H,), optional
        Units that there are; no stratum is given more, and what is over goes to the others.

    Returns
    -------
    ndarray of int64, shape (H,)
        Units for each stratum; they add up to `n`.

    Raises
    ------
    AccuracyError
        If a stratum of two units or more would get fewer than two, if the minimum takes more
        units than there are, or if `n` is more than the population.

    References
    ----------
    .. [1] P. Olofsson et al., Remote Sensing of Environment 148 (2014), section 5.1.
    .. [2] M. D. Bankier, "Power allocations: determining sample sizes for subnational areas",
       The American Statistician 42 (1988).

    Examples
    --------
    >>> allocate(641, [0.020, 0.015, 0.320, 0.645])
    array([ 13,  10, 205, 413])
    >>> allocate(641, [0.020, 0.015, 0.320, 0.645], rule="minimum", minimum=75)
    array([ 75,  75, 163, 328])
    """
    w = as_weights(weights)
    aims = _aims(rule, w, deviations, power)
    upper = _upper(populations, w.size)
    fewest = MINIMUM_UNITS if minimum is None and rule == "minimum" else minimum or 0
    lower = np.minimum(fewest, upper)
    if lower.sum() > n:
        raise AccuracyError(
            f"a minimum of {fewest} in {w.size} strata takes {int(lower.sum())} units, but n is "
            f"{n}: take more units or a lower minimum"
        )
    if upper.sum() < n:
        raise AccuracyError(
            f"n is {n}, but the population has {int(upper.sum())} units: take fewer"
        )
    units = _round(_fill(n, aims, lower, upper), n)
    _check_least(units, np.minimum(_LEAST, upper), rule)
    return units


def _aims(
    rule: AllocationRule, w: NDArray[np.float64], deviations: ArrayLike | None, power: float
) -> NDArray[np.float64]:
    """Say what each stratum should get, up to a factor."""
    if rule == "equal":
        return np.ones_like(w)
    if rule == "power":
        if not 0 <= power <= 1:
            raise AccuracyError(f"power must be between 0 and 1: got {power}")
        return w**power
    if rule != "neyman":
        return w
    if deviations is None:
        raise AccuracyError("the rule neyman needs the deviation within each stratum: got none")
    found = np.asarray(deviations, np.float64)
    if found.shape != w.shape or not (found >= 0).all() or not found.any():
        raise AccuracyError(
            f"neyman needs a deviation for each of {w.size} strata, and one above 0: got "
            f"{found.tolist()}"
        )
    return w * found


def _upper(populations: ArrayLike | None, size: int) -> NDArray[np.float64]:
    if populations is None:
        return np.full(size, np.inf)
    found = np.asarray(populations, np.float64)
    if found.shape != (size,):
        raise AccuracyError(f"got {found.size} populations for {size} strata: give one each")
    return found


def _fill(
    n: int, aims: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Units in proportion to `aims`, within bounds, that add up to `n`; bounds allow it."""
    aims = np.maximum(aims, aims.max() * _NEXT_TO_NOTHING)
    low, high = 0.0, max(n, 1) / aims.min()
    for _ in range(200):
        middle = (low + high) / 2
        if np.clip(middle * aims, lower, upper).sum() < n:
            low = middle
        else:
            high = middle
    units = np.clip(high * aims, lower, upper)
    free = (units > lower) & (units < upper)
    if free.any():
        units[free] = (n - units[~free].sum()) * aims[free] / aims[free].sum()
    return units


def _round(units: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Round by largest remainder, so that the sum stays."""
    whole = np.floor(units + 1e-9)
    over = round(float(n - whole.sum()))
    order = np.argsort(-(units - whole), kind="stable")
    whole[order[:over]] += 1
    return whole.astype(np.int64)


def _check_least(units: NDArray[np.int64], least: NDArray[np.float64], rule: str) -> None:
    scarce = np.flatnonzero(units < least)
    if scarce.size:
        n = int(units[scarce[0]])
        problem = (
            f"would get {n} unit{'' if n == 1 else 's'} by the rule {rule}, and variance needs "
            "two: take more units, set a minimum, or join the stratum with another"
        )
        raise ScarceStratumError(int(scarce[0]), units.size, problem)
