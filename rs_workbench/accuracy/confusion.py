"""Confusion: how often the map says one class where the reference says another.

Rows are the map, columns the reference, here and in every file. Counts are int64 and are added,
never averaged, so that any order and any tiling of the pixels gives the same matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.errors import AccuracyError

AXES = ("map", "reference")
"""Names of the axes of every matrix."""


def confusion_matrix(
    map_labels: ArrayLike,
    reference: ArrayLike,
    n_classes: int,
    *,
    ignore: int | Sequence[int] | None = None,
) -> NDArray[np.int64]:
    """Count pairs of classes.

    Parameters
    ----------
    map_labels : array_like of int, any shape
        Classes of the map, 0 to `n_classes` - 1.
    reference : array_like of int, same shape
        Classes in truth.
    n_classes : int
        K.
    ignore : int or sequence of int, optional
        Values of the reference that mean unlabelled. A map that says such a value where the
        reference has a label is an error, not a skip.

    Returns
    -------
    ndarray of int64, shape (K, K)
        Rows map, columns reference.

    Raises
    ------
    AccuracyError
        If the shapes differ or a label is not a class.

    Examples
    --------
    >>> confusion_matrix([0, 1, 1, 0], [0, 1, 0, 255], 2, ignore=255)
    array([[1, 0],
           [1, 1]])
    """
    confusion = Confusion(n_classes, unlabelled_values=ignore)
    confusion.update(map_labels, reference)
    return confusion.matrix
