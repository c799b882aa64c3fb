"""Confusion: how often the map says one class where the reference says another.

Rows are the map, columns the reference, here and in every file. Counts are int64 and are added,
never averaged, so that any order and any tiling of the pixels gives the same matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.accuracy.counting import count_pairs
from rs_workbench.errors import AccuracyError

AXES = ("map", "reference")
"""Names of the axes of every matrix."""
_STRANGE_REFERENCE = (
    "the reference holds",
    "recode it, ignore it as unlabelled, or declare it out of scope",
)
_STRANGE_MAP = (
    "where the reference has a label, the map holds",
    "add it to the legend or declare it as nodata",
)


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
        Values of the reference that mean unlabelled. Where the map says such a value and the
        reference has a label, the map is wrong if the value is a class; else it is refused.

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
    confusion = Confusion(n_classes, ignore=ignore)
    confusion.update(map_labels, reference)
    return confusion.matrix


class Confusion:
    """Counts of pairs of classes that grow as labels come in.

    Every pixel is counted in exactly one place: `unlabelled`, where the reference says nothing;
    else `out_of_scope`, where it says a value that is not of interest; else `map_nodata`, where
    the map has no class; else `matrix`.

    Parameters
    ----------
    n_classes : int
        K.
    values : sequence of int, optional
        Value of each class in map and reference; by default 0 to K - 1.
    nodata : number or sequence of numbers, optional
        Values of the map that mean no data; NaN is allowed.
    ignore : number or sequence of numbers, optional
        Values of the reference that mean unlabelled; NaN is allowed. One may be a class of the
        map: where the map says it and the reference has another label, the map is wrong.
    out_of_scope : number or sequence of numbers, optional
        Values of the reference that are labels, but not of interest.

    Attributes
    ----------
    axes : tuple of str
        Names of the axes of `matrix`: map, reference.
    values : tuple of int
        Value of each class.
    matrix : ndarray of int64, shape (K, K)
        Rows map, columns reference.
    map_nodata, unlabelled, out_of_scope : int
        Pixels that are not in the matrix.

    Raises
    ------
    AccuracyError
        If the values of classes repeat, or one also means nodata or out of scope.

    Examples
    --------
    >>> confusion = Confusion(2, nodata=255, ignore=0, values=[1, 2])
    >>> confusion.update([1, 2, 255, 2], [1, 1, 2, 0])
    >>> confusion.matrix.tolist(), confusion.map_nodata, confusion.unlabelled
    ([[1, 0], [1, 0]], 1, 1)
    """

    axes = AXES

    def __init__(
        self,
        n_classes: int,
        *,
        values: Sequence[int] | None = None,
        nodata: float | Iterable[float] | None = None,
        ignore: float | Iterable[float] | None = None,
        out_of_scope: float | Iterable[float] | None = None,
    ) -> None:
        self.values = tuple(range(n_classes)) if values is None else tuple(map(int, values))
        self._nodata, self._ignore = _listed(nodata), _listed(ignore)
        self._beyond = _listed(out_of_scope)
        self.matrix = np.zeros((n_classes, n_classes), np.int64)
        self.map_nodata = self.unlabelled = self.out_of_scope = 0
        self._check(n_classes)

    def _check(self, n_classes: int) -> None:
        if len(self.values) != n_classes or len(set(self.values)) != n_classes:
            raise AccuracyError(
                f"{n_classes} classes need {n_classes} different values: got {list(self.values)}"
            )
        for name, listed in (("nodata", self._nodata), ("out_of_scope", self._beyond)):
            both = sorted(set(listed) & set(self.values))
            if both:
                raise AccuracyError(
                    f"{both} cannot be a class and {name} at once: classes are "
                    f"{list(self.values)}; leave it out of one"
                )

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.values)

    @property
    def seen(self) -> int:
        """Pixels that came in, wherever they were counted."""
        left_out = self.map_nodata + self.unlabelled + self.out_of_scope
        return int(self.matrix.sum()) + left_out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.matrix, dtype)

    def update(self, map_labels: ArrayLike, reference: ArrayLike) -> None:
        """Count the pixels of two label arrays.

        Parameters
        ----------
        map_labels : array_like, any shape
            Values of the map.
        reference : array_like, same shape
            Values of the reference.

        Raises
        ------
        AccuracyError
            If the shapes differ, or a value is neither a class nor to be left out; then nothing
            is counted.
        """
        labels, truth = np.asarray(map_labels), np.asarray(reference)
        if labels.shape != truth.shape:
            raise AccuracyError(
                f"map and reference must have one shape: got {labels.shape} and {truth.shape}; "
                "cut both to the same window"
            )
        if labels.size:
            self.add_counts(*_joint_counts(labels, truth))

    def add_counts(
        self, joint: NDArray[np.int64], map_values: NDArray[Any], reference_values: NDArray[Any]
    ) -> None:
        """Add pairs of values that were counted elsewhere.

        Parameters
        ----------
        joint : ndarray of int64, shape (n, m)
            How often each value of the map meets each value of the reference.
        map_values : ndarray, shape (n,)
            Values of the map.
        reference_values : ndarray, shape (m,)
            Values of the reference.

        Raises
        ------
        AccuracyError
            If a value that occurs is neither a class nor to be left out.
        """
        unlabelled = _is_in(reference_values, self._ignore)
        beyond = _is_in(reference_values, self._beyond) & ~unlabelled
        labelled = ~unlabelled & ~beyond
        nodata = _is_in(map_values, self._nodata)
        columns = _places(reference_values, self.values)
        rows = _places(map_values, self.values)
        strange = joint.sum(axis=0) * (labelled & (columns < 0))
        _refuse_strange(reference_values, strange, self.values, _STRANGE_REFERENCE)
        there = joint[:, labelled].sum(axis=1)
        strange = there * (~nodata & (rows < 0))
        _refuse_strange(map_values, strange, self.values, _STRANGE_MAP)
        known_rows, known_columns = ~nodata & (rows >= 0), labelled & (columns >= 0)
        cells = joint[known_rows][:, known_columns]
        # A value that did not occur may be unknown; its counts are zero.
        np.add.at(self.matrix, np.ix_(rows[known_rows], columns[known_columns]), cells)
        self.unlabelled += int(joint[:, unlabelled].sum())
        self.out_of_scope += int(joint[:, beyond].sum())
        self.map_nodata += int(there[nodata].sum())

    def merge(self, other: Confusion) -> None:
        """Add the counts of another confusion, such as that of another tile.

        Parameters
        ----------
        other : Confusion
            With the same classes; it stays as it is.

        Raises
        ------
        AccuracyError
            If the classes differ.
        """
        if other.values != self.values:
            raise AccuracyError(
                f"confusions of different classes cannot be merged: {list(self.values)} and "
                f"{list(other.values)}"
            )
        self.matrix += other.matrix
        self.map_nodata += other.map_nodata
        self.unlabelled += other.unlabelled
        self.out_of_scope += other.out_of_scope


def _listed(values: float | Iterable[float] | None) -> tuple[float, ...]:
    if values is None:
        return ()
    return tuple(values) if isinstance(values, Iterable) else (values,)


def _joint_counts(
    labels: NDArray[Any], truth: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]:
    """Count each pair of values; give the counts and the values of both axes."""
    rows, map_values = _coded(labels)
    columns, reference_values = _coded(truth)
    joint = count_pairs(rows, columns, len(map_values), len(reference_values))
    return joint, map_values, reference_values


def _coded(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give every pixel the place of its value in a short list of values."""
    if labels.dtype == np.uint8:
        return labels, np.arange(256)
    if labels.dtype.kind in "iu" and labels.min() >= 0 and labels.max() < 256:
        return labels.astype(np.uint8), np.arange(256)
    values, codes = np.unique(labels, return_inverse=True)
    return codes.reshape(labels.shape), values


def _is_in(values: NDArray[Any], listed: tuple[float, ...]) -> NDArray[np.bool_]:
    found = np.isin(values, [v for v in listed if v == v])
    if any(v != v for v in listed) and values.dtype.kind == "f":
        found |= np.isnan(values)
    return found


def _places(values: NDArray[Any], classes: tuple[int, ...]) -> NDArray[np.intp]:
    """Index of each value among the classes, -1 where it is none."""
    matches = values[:, None] == np.asarray(classes)[None, :]
    return np.where(matches.any(axis=1), matches.argmax(axis=1), -1)


def _refuse_strange(
    values: NDArray[Any], counts: NDArray[np.int64], classes: Sequence[int], words: tuple[str, str]
) -> None:
    if counts.any():
        raise AccuracyError(
            f"{words[0]} {_shown(values, counts)}, not among the classes {list(classes)}: "
            f"{words[1]}"
        )


def _shown(values: NDArray[Any], counts: NDArray[np.int64]) -> str:
    """Name up to five values and how many pixels have them."""
    found = [(v, c) for v, c in zip(values.tolist(), counts.tolist(), strict=True) if c]
    shown = ", ".join(f"{value:g} ({count} px)" for value, count in found[:5])
    more = f" and {len(found) - 5} more values" if len(found) > 5 else ""
    return f"{'value' if len(found) == 1 else 'values'} {shown}{more}"
