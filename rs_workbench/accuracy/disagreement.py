"""Disagreement: how much of it is a wrong amount, and how much a wrong place.

Quantity is what the totals of the classes cannot explain away; the rest, the allocation, is either
exchange (two classes swapped one for one) or shift (swapped round three or more). All are shares
of the whole area, and quantity + exchange + shift = 1 - overall accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.accuracy.scores import as_matrix
from rs_workbench.errors import AccuracyError

Floats = NDArray[np.float64]

# Differences of shares below this are what floating point leaves of none.
_TIE = 1e-12


@dataclass(frozen=True)
class Disagreement:
    """Components of disagreement, all as shares of the whole area, NaN where nothing was counted.

    Attributes
    ----------
    total : float
        1 - overall accuracy.
    quantity, allocation, exchange, shift : float
        quantity + allocation = total; exchange + shift = allocation.
    class_quantity, class_exchange, class_shift : ndarray of float64, shape (K,)
        The same by class. Each error has two classes, so these add up to twice the overall.
    omission, commission : ndarray of float64, shape (K,)
        Area of the class that the map misses, and that the map gives it wrongly.
    pair_exchange : ndarray of float64, shape (K, K)
        Exchange between two classes, symmetric; a row adds up to its class's exchange.
    matrix : ndarray of float64, shape (K, K)
        Shares of the area they were computed from: rows map, columns reference; sums to 1.
    """

    total: float
    quantity: float
    allocation: float
    exchange: float
    shift: float
    class_quantity: Floats
    class_exchange: Floats
    class_shift: Floats
    omission: Floats
    commission: Floats
    pair_exchange: Floats
    matrix: Floats


def disagreement(matrix: ArrayLike, *, map_share: ArrayLike | None = None) -> Disagreement:
    """Split the disagreement of map and reference.

    Parameters
    ----------
    matrix : array_like, shape (K, K), or Confusion
        Counts or shares: rows map, columns reference.
    map_share : array_like of float, shape (K,), optional
        Share of the map that each class covers, or its area: only the proportions count. To be
        given where the reference was sampled by map class; left out, the counts themselves are
        taken for the shares, which holds for a full count and a simple random sample.

    Returns
    -------
    Disagreement
        Overall, by class and by pair of classes.

    Raises
    ------
    AccuracyError
        If `map_share` does not fit the matrix.

    References
    ----------
    Pontius & Millones 2011, International Journal of Remote Sensing 32(15), 4407-4429, eq. 1 for
    `map_share`. Pontius & Santacruz 2014, the same journal 35(21), 7543-7554, eqs. 2-8.

    Examples
    --------
    >>> parts = disagreement([[4, 2], [1, 3]])
    >>> round(parts.quantity, 3), round(parts.exchange, 3), round(parts.shift, 3)
    (0.1, 0.2, 0.0)
    """
    shares = _shares(as_matrix(matrix), map_share)
    mapped, reference, agreed = shares.sum(1), shares.sum(0), np.diag(shares)
    pairs = 2 * np.minimum(shares, shares.T)
    np.fill_diagonal(pairs, 0)
    quantity, exchange = np.abs(mapped - reference), pairs.sum(1)
    shift = _without_rounding(mapped + reference - 2 * agreed - quantity - exchange)
    total = float(shares.sum() - agreed.sum())
    overall = [float(x.sum() / 2) for x in (quantity, exchange, shift)]
    return Disagreement(
        total=total,
        quantity=overall[0],
        allocation=overall[1] + overall[2],
        exchange=overall[1],
        shift=overall[2],
        class_quantity=quantity,
        class_exchange=exchange,
        class_shift=shift,
        omission=reference - agreed,
        commission=mapped - agreed,
        pair_exchange=pairs,
        matrix=shares,
    )


def quantity_gradient(shares: ArrayLike) -> Floats:
    """Take the derivative of the quantity disagreement by each share.

    Parameters
    ----------
    shares : array_like, shape (K, K)
        Shares of the area: rows map, columns reference.

    Returns
    -------
    ndarray of float64, shape (K, K)
        Where a class has the same total on both sides, the middle of the possible derivatives.

    References
    ----------
    Ours; the measure is that of Pontius & Millones 2011.

    Examples
    --------
    >>> quantity_gradient([[0.4, 0.2], [0.1, 0.3]])
    array([[ 0.,  1.],
           [-1.,  0.]])
    """
    matrix = as_matrix(shares)
    sign = _sign(matrix.sum(1) - matrix.sum(0))
    gradient: Floats = (sign[:, None] - sign[None, :]) / 2
    return gradient


def tied_classes(shares: ArrayLike) -> NDArray[np.bool_]:
    """Find the classes that have the same total on map and reference.

    Parameters
    ----------
    shares : array_like, shape (K, K)
        Shares of the area: rows map, columns reference.

    Returns
    -------
    ndarray of bool, shape (K,)
        Where the quantity disagreement has a kink, and `quantity_gradient` says 0.
    """
    matrix = as_matrix(shares)
    tied: NDArray[np.bool_] = _sign(matrix.sum(1) - matrix.sum(0)) == 0
    return tied


def exchange_gradient(shares: ArrayLike) -> Floats:
    """Take the derivative of the exchange by each share.

    Parameters
    ----------
    shares : array_like, shape (K, K)
        Shares of the area: rows map, columns reference.

    Returns
    -------
    ndarray of float64, shape (K, K)
        2 for the smaller one of a pair, 0 for the larger, 1 for both of an equal pair.

    References
    ----------
    Ours; the measure is that of Pontius & Santacruz 2014.

    Examples
    --------
    >>> exchange_gradient([[0.4, 0.2], [0.1, 0.3]])
    array([[0., 0.],
           [2., 0.]])
    """
    matrix = as_matrix(shares)
    gradient: Floats = 1 - _sign(matrix - matrix.T)
    np.fill_diagonal(gradient, 0)
    return gradient


def shift_gradient(shares: ArrayLike) -> Floats:
    """Take the derivative of the shift by each share.

    Parameters
    ----------
    shares : array_like, shape (K, K)
        Shares of the area: rows map, columns reference.

    Returns
    -------
    ndarray of float64, shape (K, K)
        That of all disagreement, less those of quantity and exchange.

    References
    ----------
    Ours; the measure is that of Pontius & Santacruz 2014.

    Examples
    --------
    >>> shift_gradient([[0.4, 0.2], [0.1, 0.3]])
    array([[0., 0.],
           [0., 0.]])
    """
    off_diagonal = 1 - np.eye(len(as_matrix(shares)))
    return off_diagonal - quantity_gradient(shares) - exchange_gradient(shares)


def _shares(matrix: Floats, map_share: ArrayLike | None) -> Floats:
    if map_share is None:
        total = matrix.sum()
        return matrix / total if total else np.full_like(matrix, np.nan)
    weight = np.asarray(map_share, np.float64)
    if weight.shape != matrix.shape[:1]:
        raise AccuracyError(
            f"map_share needs one number for each of {len(matrix)} classes: got shape "
            f"{weight.shape}"
        )
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.sum() > 0):
        raise AccuracyError(
            f"map_share must hold shares or areas from 0 up: got {weight.tolist()}"
        )
    mapped = matrix.sum(1)
    wrong = np.flatnonzero((mapped > 0) != (weight > 0))
    if wrong.size:
        raise AccuracyError(
            f"classes {wrong.tolist()} are in only one of the map's shares "
            f"({weight[wrong].tolist()}) and the sample's map classes ({mapped[wrong].tolist()}): "
            "sample every class that the map has, or merge the rare ones"
        )
    rows: Floats = np.where(mapped > 0, weight / weight.sum() / np.where(mapped > 0, mapped, 1), 0)
    return matrix * rows[:, None]


def _sign(difference: Floats) -> Floats:
    sign: Floats = np.sign(np.where(np.abs(difference) < _TIE, 0, difference))
    return sign


def _without_rounding(values: Floats) -> Floats:
    kept: Floats = np.where(np.abs(values) < _TIE, 0, values)
    return kept
