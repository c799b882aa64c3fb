"""expected_errors: the standard errors of a sample before anyone goes to the field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.errors import AccuracyError


@dataclass(frozen=True)
class ExpectedErrors:
    """Standard errors that a sample will have, if the map is as good as expected.

    Attributes
    ----------
    n_units : tuple of float
        Units in each stratum.
    overall_accuracy, overall_standard_error : float
        Shares of the area.
    accuracy, accuracy_standard_error : tuple of float
        Of each stratum; user's accuracy where strata are classes. NaN without units.
    share, share_standard_error : tuple of float
        Of the area that each class covers in truth.
    area_ha, area_standard_error_ha : tuple of float
        The same in ha; empty where the area of the map is unknown.
    variance_share : ndarray of float64, shape (H, K)
        Part of the variance of each class's area that each stratum contributes.
    """

    n_units: tuple[float, ...]
    overall_accuracy: float
    overall_standard_error: float
    accuracy: tuple[float, ...]
    accuracy_standard_error: tuple[float, ...]
    share: tuple[float, ...]
    share_standard_error: tuple[float, ...]
    area_ha: tuple[float, ...]
    area_standard_error_ha: tuple[float, ...]
    variance_share: NDArray[np.float64]


def expected_errors(
    n_units: ArrayLike,
    weights: ArrayLike,
    *,
    accuracy: ArrayLike | None = None,
    shares: ArrayLike | None = None,
    area_ha: float | None = None,
) -> ExpectedErrors:
    """Work out the standard errors of a sample before it is labelled.

    Parameters
    ----------
    n_units : array_like of float, shape (H,)
        Units in each stratum.
    weights : array_like of float, shape (H,)
        Area shares of the strata.
    accuracy : array_like of float, shape (H,), optional
        Share of each stratum where the map is expected to be right; by default the diagonal of
        `shares`.
    shares : array_like of float, shape (H, K), optional
        Share of each stratum that each class is expected to cover in truth; by default strata
        are classes, and errors fall on the other classes by their weight.
    area_ha : float, optional
        Area of the map.

    Returns
    -------
    ExpectedErrors
        Without finite population correction: p (1 - p) / n in each stratum.

    Raises
    ------
    AccuracyError
        If neither `accuracy` nor `shares` is given, or they do not fit the strata.

    Examples
    --------
    >>> errors = expected_errors([100, 300], [0.2, 0.8], accuracy=[0.8, 0.9])
    >>> round(errors.overall_standard_error, 4)
    0.016
    """
    w = as_weights(weights)
    n = np.asarray(n_units, np.float64)
    right, cover = _expected(w, accuracy, shares)
    if n.shape != w.shape or right.shape != w.shape or len(cover) != w.size:
        raise AccuracyError(
            f"strata must agree: got {n.size} numbers of units, {w.size} weights, {right.size} "
            f"accuracies and {len(cover)} rows of shares"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        own = right * (1 - right) / n
        parts = w[:, None] ** 2 * cover * (1 - cover) / n[:, None]
        variance = parts.sum(axis=0)
        variance_share = parts / variance
    own[n <= 0] = np.nan
    share, error = w @ cover, np.sqrt(variance)
    return ExpectedErrors(
        n_units=_plain(n),
        overall_accuracy=float(w @ right),
        overall_standard_error=float(np.sqrt(w**2 @ own)),
        accuracy=_plain(right),
        accuracy_standard_error=_plain(np.sqrt(own)),
        share=_plain(share),
        share_standard_error=_plain(error),
        area_ha=() if area_ha is None else _plain(share * area_ha),
        area_standard_error_ha=() if area_ha is None else _plain(error * area_ha),
        variance_share=variance_share,
    )


def spread_errors(
    accuracy: ArrayLike, mapped: ArrayLike, class_weights: ArrayLike
) -> NDArray[np.float64]:
    """Guess what strata hold in truth: errors fall on the other classes by their weight.

    Parameters
    ----------
    accuracy : array_like of float, shape (H,)
        Share of each stratum where the map is right.
    mapped : array_like of float, shape (H, K)
        Share of each stratum that each class covers on the map; rows add up to 1.
    class_weights : array_like of float, shape (K,)
        Area shares of the classes on the map.

    Returns
    -------
    ndarray of float64, shape (H, K)
        Share of each stratum that each class covers in truth; rows add up to 1.

    Examples
    --------
    >>> spread_errors([0.8, 0.9], np.eye(2), [0.2, 0.8])
    array([[0.8, 0.2],
           [0.1, 0.9]])
    """
    right, on_map = as_shares("accuracy", accuracy), np.asarray(mapped, np.float64)
    w = np.asarray(class_weights, np.float64)
    wrong = np.tile(w, (w.size, 1))
    np.fill_diagonal(wrong, 0.0)
    total = wrong.sum(axis=1, keepdims=True)
    # A class that is alone on the map can be mistaken for none that is known.
    wrong = np.where(total > 0, wrong / np.where(total > 0, total, 1.0), np.eye(w.size))
    return right[:, None] * on_map + (1 - right)[:, None] * (on_map @ wrong)


def _plain(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(values.tolist())


def _expected(
    w: NDArray[np.float64], accuracy: ArrayLike | None, shares: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if shares is None:
        if accuracy is None:
            raise AccuracyError("nothing is expected of the map: give accuracy or shares")
        right = as_shares("accuracy", accuracy)
        if right.size != w.size:
            raise AccuracyError(f"got {right.size} accuracies for {w.size} strata: give one each")
        return right, spread_errors(right, np.eye(w.size), w)
    cover = np.atleast_2d(as_shares("shares", shares))
    sums = cover.sum(axis=1)
    if not np.allclose(sums, 1, atol=1e-6):
        raise AccuracyError(f"each row of shares must add up to 1: got {sums.tolist()}")
    if accuracy is not None:
        return as_shares("accuracy", accuracy), cover
    if cover.shape[0] != cover.shape[1]:
        raise AccuracyError(
            f"strata that are not classes need their accuracy: got shares of shape {cover.shape} "
            "alone"
        )
    return np.diagonal(cover).copy(), cover


def as_shares(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Check shares.

    Parameters
    ----------
    name : str
        What they are, for messages.
    values : float or array_like of float
        Between 0 and 1.

    Returns
    -------
    ndarray of float64
        At least one dimension.

    Raises
    ------
    AccuracyError
        If one is outside [0, 1].
    """
    found = np.atleast_1d(np.asarray(values, np.float64))
    wrong = found[~((found >= 0) & (found <= 1))]
    if wrong.size:
        raise AccuracyError(f"{name} must be between 0 and 1: got {wrong[:5].tolist()}")
    return found


def as_weights(values: ArrayLike) -> NDArray[np.float64]:
    """Bring weights to a sum of 1.

    Parameters
    ----------
    values : float or array_like of float, shape (H,)
        Area shares of the strata, or their areas.

    Returns
    -------
    ndarray of float64, shape (H,)
        They add up to 1.

    Raises
    ------
    AccuracyError
        If one is not above 0.
    """
    found = np.atleast_1d(np.asarray(values, np.float64))
    if found.ndim != 1 or not found.size or not (np.isfinite(found) & (found > 0)).all():
        raise AccuracyError(f"the weights of strata must be above 0: got {found[:8].tolist()}")
    return found / found.sum()
