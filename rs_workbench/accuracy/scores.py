"""Scores of a confusion matrix: rows map, columns reference.

They describe the pixels that were counted. Whether they also describe the map depends on how the
pixels were chosen: see `rs_workbench.accuracy.area`. A class that is in neither map nor reference
has no score: NaN, left out of means.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.errors import AccuracyError

Floats = NDArray[np.float64]


def as_matrix(confusion: ArrayLike) -> Floats:
    """Check a confusion matrix and give it as floats.

    Parameters
    ----------
    confusion : array_like, shape (K, K), or Confusion
        Counts or shares: rows map, columns reference.

    Returns
    -------
    ndarray of float64, shape (K, K)
        The same numbers; counts are exact up to 2^53.

    Raises
    ------
    AccuracyError
        If it is not square, or holds a negative or missing number.
    """
    matrix = np.asarray(confusion, np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise AccuracyError(
            f"a confusion matrix has as many rows as columns: got shape {matrix.shape}"
        )
    if not (matrix >= 0).all() or not np.isfinite(matrix).all():
        raise AccuracyError("a confusion matrix holds counts from 0 up: got a negative or missing")
    return matrix


def overall_accuracy(confusion: ArrayLike) -> float:
    """Share of pixels on the diagonal.

    Parameters
    ----------
    confusion : array_like, shape (K, K), or Confusion
        Rows map, columns reference.

    Returns
    -------
    float
        0 to 1; NaN without pixels.

    Examples
    --------
    >>> overall_accuracy([[3, 1], [0, 4]])
    0.875
    """
    matrix = as_matrix(confusion)
    return float(_ratio(np.trace(matrix), matrix.sum()))


def users_accuracy(confusion: ArrayLike) -> Floats:
    """Share of each mapped class that is right (precision; 1 - commission error).

    Parameters
    ----------
    confusion : array_like, shape (K, K), or Confusion
        Rows map, columns reference.

    Returns
    -------
    ndarray of float64, shape (K,)
        NaN for a class that is not on the map.

    Examples
    --------
    >>> users_accuracy([[3, 1], [0, 4]]).tolist()
    [0.75, 1.0]
    """
    matrix = as_matrix(confusion)
    return _ratio(matrix.diagonal(), matrix.sum(axis=1))


def producers_accuracy(confusion: ArrayLike) -> Floats:
    """Share of each reference class that the map finds (recall; 1 - omission error).

    Parameters
    ----------
    confusion : array_like, shape (K, K), or Confusion
        Rows map, columns reference.

    Returns
    -------
    ndarray of float64, shape (K,)
        NaN for a class that is not in the reference.

    Examples
    --------
    >>> producers_accuracy([[3, 1], [0, 4]]).tolist()
    [1.0, 0.8]
    """
    matrix = as_matrix(confusion)
    return _ratio(matrix.diagonal(), matrix.sum(axis=0))


def f1_score(confusion: ArrayLike) -> Floats:
    """Harmonic mean of user's and producer's accuracy of each class (Dice).

    Parameters
    ----------
    confusion : array_like, shape (K, K), or Confusion
        Rows map, columns reference.

    Returns
    -------
    ndarray of float64, shape (K,)
        NaN for a class in neither map nor reference.
    """
    matrix = as_matrix(confusion)
    return _ratio(2 * matrix.diagonal(), matrix.sum(axis=0) + matrix.sum(axis=1))


def iou(confusion: ArrayLike) -> Floats:
    """Intersection over union of each class (Jaccard).

    Parameters
    ----------
    confusion : array_like, shape (K, K), or Confusion
        Rows map, columns reference.

    Returns
    -------
    ndarray of float64, shape (K,)
        NaN for a class in neither map nor reference.

    Examples
    --------
    >>> iou([[3, 1], [0, 4]]).tolist()
    [0.75, 0.8]
    """
    matrix = as_matrix(confusion)
    union = matrix.sum(axis=0) + matrix.sum(axis=1) - matrix.diagonal()
    return _ratio(matrix.diagonal(), union)


def mean_iou(confusion: ArrayLike) -> float:
    """Mean intersection over union of the classes that occur.

    Parameters
    ----------
    confusion : array_like, shape (K, K), or Confusion
        Rows map, columns reference.

    Returns
    -------
    float
        0 to 1; NaN without pixels. A class in neither map nor reference is left out.
    """
    values = iou(confusion)
    defined = ~np.isnan(values)
    return float(values[defined].mean()) if defined.any() else float("nan")


def frequency_weighted_iou(confusion: ArrayLike) -> float:
    """Mean intersection over union, each class weighted by its share of the reference.

    Parameters
    ----------
    confusion : array_like, shape (K, K), or Confusion
        Rows map, columns reference.

    Returns
    -------
    float
        0 to 1; NaN without pixels.
    """
    matrix = as_matrix(confusion)
    share = _ratio(matrix.sum(axis=0), matrix.sum())
    values = iou(matrix)
    return float(np.sum(share * np.where(share > 0, values, 0)))


def matthews_correlation(confusion: ArrayLike) -> float:
    """Correlation of map and reference over all classes (R_K).

    Parameters
    ----------
    confusion : array_like, shape (K, K), or Confusion
        Rows map, columns reference.

    Returns
    -------
    float
        -1 to 1; NaN where map or reference has one class only.

    References
    ----------
    .. [1] J. Gorodkin, "Comparing two K-category assignments by a K-category correlation
       coefficient", Computational Biology and Chemistry 28 (2004).
    """
    matrix = as_matrix(confusion)
    shares = _ratio(matrix, matrix.sum())
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    if min(np.count_nonzero(rows), np.count_nonzero(columns)) < 2 or not matrix.any():
        return float("nan")
    spread = (1 - np.sum(rows**2)) * (1 - np.sum(columns**2))
    return float((np.trace(shares) - np.sum(rows * columns)) / np.sqrt(spread))


def _ratio(part: NDArray[np.float64] | float, whole: NDArray[np.float64] | float) -> Floats:
    """Divide, with NaN where the whole is 0."""
    whole = np.asarray(whole, np.float64)
    result: Floats = np.divide(part, np.where(whole == 0, np.nan, whole))
    return result
