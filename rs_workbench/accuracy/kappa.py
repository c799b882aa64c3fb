"""Kappa and tau: agreement beyond chance, offered because people ask, with the warning it needs.

All standard errors are large-sample ones of a simple random sample: the spread of the influence
that one unit has on the coefficient (delta method), which for kappa is the formula of Fleiss,
Cohen & Everitt 1969.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.accuracy.chance import (
    KAPPA_WARNING,
    Kappa,
    KappaDifference,
    beyond,
    compare_kappas,
    counted_shares,
    influence_error,
    make_kappa,
)
from rs_workbench.accuracy.scores import as_matrix
from rs_workbench.errors import AccuracyError, UsageError

__all__ = [
    "KAPPA_WARNING",
    "Kappa",
    "KappaDifference",
    "cohen_kappa",
    "compare_kappas",
    "conditional_kappa",
    "tau",
    "weighted_kappa",
]

Floats = NDArray[np.float64]


def cohen_kappa(confusion: ArrayLike, *, confidence: float = 0.95) -> Kappa:
    """Compute Cohen's kappa.

    Parameters
    ----------
    confusion : array_like of int, shape (K, K), or Confusion
        Counts of a simple random sample: rows map, columns reference.
    confidence : float
        Level of the bounds.

    Returns
    -------
    Kappa
        The coefficient, NaN where both sides have a single class.

    Raises
    ------
    AccuracyError
        If `confusion` does not hold counts.

    References
    ----------
    Cohen 1960, Educational and Psychological Measurement 20, 37-46. Fleiss, Cohen & Everitt 1969,
    Psychological Bulletin 72, 323-327.

    Examples
    --------
    >>> kappa = cohen_kappa([[20, 5], [10, 15]])
    >>> round(kappa.value, 4), round(kappa.standard_error, 4)
    (0.4, 0.127)
    """
    return weighted_kappa(confusion, np.eye(len(as_matrix(confusion))), confidence=confidence)


def weighted_kappa(
    confusion: ArrayLike,
    weights: Literal["linear", "quadratic"] | ArrayLike = "linear",
    *,
    confidence: float = 0.95,
) -> Kappa:
    """Compute kappa with credit for errors that are half right.

    Parameters
    ----------
    confusion : array_like of int, shape (K, K), or Confusion
        Counts of a simple random sample: rows map, columns reference.
    weights : {"linear", "quadratic"} or array_like, shape (K, K)
        Credit for each pair of classes, 1 on the diagonal. The two names are for ordered classes.
    confidence : float
        Level of the bounds.

    Returns
    -------
    Kappa
        The coefficient.

    Raises
    ------
    AccuracyError
        If `confusion` does not hold counts, or the weights do not fit it.
    UsageError
        If `weights` is another name.

    References
    ----------
    Cohen 1968, Psychological Bulletin 70, 213-220. Fleiss, Cohen & Everitt 1969, the same journal
    72, 323-327.

    Examples
    --------
    >>> round(weighted_kappa([[5, 2, 0], [1, 6, 2], [0, 1, 8]], "quadratic").value, 4)
    0.8087
    """
    shares, n_units = counted_shares(confusion)
    credit = _credit(weights, len(shares))
    by_chance = np.outer(shares.sum(1), shares.sum(0))
    agreed, chance = float((credit * shares).sum()), float((credit * by_chance).sum())
    margins = (credit @ shares.sum(0))[:, None] + (shares.sum(1) @ credit)[None, :]
    rest = beyond(chance)
    influence = (credit * rest - margins * (1 - agreed)) / rest**2
    error = influence_error(shares, influence, n_units)
    null_error = influence_error(by_chance, (credit - margins) / rest, n_units)
    return make_kappa(
        (agreed - chance) / rest, error, null_error, n_units=n_units, confidence=confidence
    )


def conditional_kappa(
    confusion: ArrayLike,
    axis: Literal["users", "producers"] = "users",
    *,
    confidence: float = 0.95,
) -> tuple[Kappa, ...]:
    """Compute kappa of each class by itself.

    Parameters
    ----------
    confusion : array_like of int, shape (K, K), or Confusion
        Counts of a simple random sample: rows map, columns reference.
    axis : {"users", "producers"}
        Given the class on the map, or given the class in the reference.
    confidence : float
        Level of the bounds.

    Returns
    -------
    tuple of Kappa
        One for each class, NaN for a class that is not there, or that is all the other side has.

    Raises
    ------
    AccuracyError
        If `confusion` does not hold counts.
    UsageError
        If `axis` is neither.

    References
    ----------
    Bishop, Fienberg & Holland 1975, Discrete Multivariate Analysis, section 11.4.2.

    Examples
    --------
    >>> [round(kappa.value, 4) for kappa in conditional_kappa([[20, 5], [10, 15]])]
    [0.5, 0.3333]
    """
    if axis not in ("users", "producers"):
        raise UsageError(f"axis must be users or producers: got {axis!r}")
    shares, n_units = counted_shares(confusion)
    if axis == "producers":
        shares = shares.T
    by_chance = np.outer(shares.sum(1), shares.sum(0))
    kappas = []
    for index in range(len(shares)):
        given, other = float(shares[index].sum()), float(shares[:, index].sum())
        right = float(shares[index, index]) / given if given else math.nan
        rest = beyond(other)
        error = influence_error(shares, _class_influence(shares, index, right), n_units)
        null = influence_error(by_chance, _class_influence(shares, index, other), n_units)
        kappas.append(
            make_kappa((right - other) / rest, error, null, n_units=n_units, confidence=confidence)
        )
    return tuple(kappas)


def tau(
    confusion: ArrayLike, priors: ArrayLike | None = None, *, confidence: float = 0.95
) -> Kappa:
    """Compute tau: kappa with the chance agreement of a map drawn by prior probabilities.

    Parameters
    ----------
    confusion : array_like of int, shape (K, K), or Confusion
        Counts of a simple random sample: rows map, columns reference.
    priors : array_like of float, shape (K,), optional
        Probability of each class before mapping; adds up to 1. Equal where it is left out.
    confidence : float
        Level of the bounds.

    Returns
    -------
    Kappa
        The coefficient. With equal priors its standard error is that of Ma & Redmond; with
        others, that the classes' shares in the reference were estimated is counted too.

    Raises
    ------
    AccuracyError
        If `confusion` does not hold counts, or the priors do not fit it.

    References
    ----------
    Ma & Redmond 1995, Photogrammetric Engineering & Remote Sensing 61(4), 435-439.

    Examples
    --------
    >>> round(tau([[20, 5], [10, 15]]).value, 4)
    0.4
    """
    shares, n_units = counted_shares(confusion)
    prior = _priors(priors, len(shares))
    reference, same = shares.sum(0), np.eye(len(shares))
    agreed, chance = float(np.trace(shares)), float(prior @ reference)
    rest = beyond(chance)
    influence = (same * rest - (1 - agreed) * prior[None, :]) / rest**2
    error = influence_error(shares, influence, n_units)
    null_error = influence_error(
        np.outer(prior, reference), (same - prior[None, :]) / rest, n_units
    )
    return make_kappa(
        (agreed - chance) / rest, error, null_error, n_units=n_units, confidence=confidence
    )


def _credit(weights: str | ArrayLike, n_classes: int) -> Floats:
    if isinstance(weights, str):
        powers = {"linear": 1, "quadratic": 2}
        if weights not in powers:
            raise UsageError(f"weights must be linear, quadratic or a matrix: got {weights!r}")
        distance = np.abs(np.subtract.outer(np.arange(n_classes), np.arange(n_classes)))
        named: Floats = 1 - (distance / max(n_classes - 1, 1)) ** powers[weights]
        return named
    credit = np.asarray(weights, np.float64)
    if credit.shape != (n_classes, n_classes):
        raise AccuracyError(
            f"weights must have the shape of the matrix, {n_classes} x {n_classes}: got shape "
            f"{credit.shape}"
        )
    if not ((credit <= 1).all() and np.isfinite(credit).all() and (np.diag(credit) == 1).all()):
        raise AccuracyError(
            "weights must be 1 on the diagonal and at most 1 elsewhere: got "
            f"{np.diag(credit).tolist()} on the diagonal and at most {credit.max()}"
        )
    return credit


def _priors(priors: ArrayLike | None, n_classes: int) -> Floats:
    if priors is None:
        return np.full(n_classes, 1 / n_classes)
    prior = np.asarray(priors, np.float64)
    fits = prior.shape == (n_classes,) and (prior >= 0).all() and abs(prior.sum() - 1) < 1e-6
    if not fits:
        raise AccuracyError(
            f"priors must be {n_classes} probabilities that add up to 1: got {prior.tolist()}"
        )
    return prior


def _class_influence(shares: Floats, index: int, right: float) -> Floats:
    given, other = float(shares[index].sum()), float(shares[:, index].sum())
    rest = beyond(other)
    influence = np.zeros_like(shares)
    influence[index] -= right / (given or math.nan) / rest
    influence[index, index] += 1 / (given or math.nan) / rest
    influence[:, index] -= (1 - right) / rest**2
    return influence
