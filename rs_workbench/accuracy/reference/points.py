"""match_labels: which class of the map a label of a table means; and what else a table tells."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.reference.label_values import LabelValues, Value, parse_value
from rs_workbench.accuracy.reference.vector_file import VectorReference
from rs_workbench.card import LegendClass
from rs_workbench.errors import AccuracyError
from rs_workbench.maps import legend_label

UNLABELLED, OUT_OF_SCOPE = -1, -2
ALTERNATE_COLUMNS = ("alternate", "alternative", "alternate_class", "second")
_CARRIED = {
    "stratum": ("stratum", "strata"),
    "cluster": ("cluster", "cluster_id", "psu"),
    "size": ("area_ha",),
}


def match_labels(
    labels: Sequence[object] | NDArray[np.object_],
    legend: Sequence[LegendClass],
    *,
    values: LabelValues | None = None,
    source: str = "the reference",
) -> NDArray[np.intp]:
    """Find the class that each label means.

    Parameters
    ----------
    labels : sequence, shape (n,)
        Numbers or text. Text is a class name, English or Chinese, in any case; else the text of
        a class value.
    legend : sequence of LegendClass
        Classes of the map.
    values : LabelValues, optional
        Labels that mean nothing, are out of scope, or stand for another class.
    source : str
        Name of the file, for messages.

    Returns
    -------
    ndarray of intp, shape (n,)
        Index in the legend; -1 where there is no label, -2 where it is out of scope.

    Raises
    ------
    AccuracyError
        If a label is not in the legend, or the name of several classes, or `recode` names a class
        that is none.

    Examples
    --------
    >>> water = LegendClass(value=3, name="water", name_zh="水", color="#0000ff")
    >>> match_labels(["Water", "水", "3", 3.0, None], [water]).tolist()
    [0, 0, 0, 0, -1]
    """
    meaning = _Meaning(legend, values or LabelValues())
    found: dict[Any, int | None] = {}
    keys = [_key(label) for label in labels]
    for key in set(keys):
        found[key] = meaning.of(key)
    strange = Counter(key for key in keys if found[key] is None)
    if strange:
        shown = ", ".join(
            f"{_shown(key)} ({n} {'row' if n == 1 else 'rows'})"
            for key, n in strange.most_common(5)
        )
        classes = ", ".join(f"{c.value} {c.name}" for c in legend)
        raise AccuracyError(
            f"'{source}' holds labels that are not in the legend: {shown}; the map's classes are "
            f"{classes}: translate with --recode, leave out with --out-of-scope or --unlabelled, "
            "or name all classes with --classes"
        )
    return np.array([found[key] for key in keys], np.intp)


class _Meaning:
    def __init__(self, legend: Sequence[LegendClass], values: LabelValues) -> None:
        self.nothing = {_key(v) for v in values.unlabelled} | {None}
        self.beyond = {_key(v) for v in values.out_of_scope}
        self.recode = {_key(v): target for v, target in values.recode.items()}
        self.by_value = {float(c.value): place for place, c in enumerate(legend)}
        self.by_name: dict[Value, set[int]] = defaultdict(set)
        for place, entry in enumerate(legend):
            for name in filter(None, (entry.name, entry.name_zh, legend_label(entry))):
                self.by_name[" ".join(name.casefold().split())].add(place)
        strange = sorted(set(self.recode.values()) - {c.value for c in legend})
        if strange:
            raise AccuracyError(
                f"--recode gives class {strange[0]}, but the map's classes are "
                f"{[c.value for c in legend]}: name one of them, or add it with --classes"
            )

    def of(self, key: Value | None) -> int | None:
        """Index of the class, -1 or -2; None where it is nothing known."""
        if key in self.nothing:
            return UNLABELLED
        if key in self.beyond:
            return OUT_OF_SCOPE
        if key in self.recode:
            return self.by_value.get(float(self.recode[key]))
        if isinstance(key, str):
            return self._named(key)
        return self.by_value.get(key) if key is not None else None

    def _named(self, key: str) -> int | None:
        places = self.by_name.get(key, set())
        if len(places) > 1:
            raise AccuracyError(
                f"the label '{key}' is the name of {len(places)} classes of the map: label by the "
                "values of the classes, or give them other names with --classes"
            )
        return next(iter(places), None)


def _key(label: object) -> Value | None:
    """Bring a label to the form in which labels are compared."""
    if label is None or (isinstance(label, float | np.floating) and math.isnan(label)):
        return None
    value = parse_value(str(label)) if isinstance(label, str) else _number(label)
    if isinstance(value, str):
        return " ".join(value.casefold().split()) or None
    return None if math.isnan(value) else value


def _number(label: object) -> Value:
    try:
        return float(label)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return str(label)


def _rows(n: int) -> str:
    return "1 row" if n == 1 else f"{n} rows"


def _shown(key: Value | None) -> str:
    return f"'{key}'" if isinstance(key, str) else f"{key:g}"


def alternate_labels(
    reference: VectorReference, legend: Sequence[LegendClass], values: LabelValues | None = None
) -> NDArray[np.intp] | None:
    """Find the second acceptable class of each unit.

    Parameters
    ----------
    reference : VectorReference
        With a column "alternate".
    legend : sequence of LegendClass
        Classes of the map.
    values : LabelValues, optional
        As for `match_labels`.

    Returns
    -------
    ndarray of intp, shape (n,), or None
        Index in the legend, below 0 where there is none; None without such a column.

    Raises
    ------
    AccuracyError
        If a label is not in the legend.
    """
    column = next((c for c in ALTERNATE_COLUMNS if c in reference.columns), None)
    if column is None:
        return None
    return match_labels(
        reference.columns[column].astype(object), legend, values=values, source=reference.name
    )


def design_columns(reference: VectorReference) -> dict[str, NDArray[Any]]:
    """Find the columns that tell of the sampling design.

    Parameters
    ----------
    reference : VectorReference
        The table.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        Any of stratum, cluster, size (ha) and weight, as `make_sample` takes them. Columns that
        are not filled in every row are left out.

    Raises
    ------
    AccuracyError
        If an inclusion probability is not above 0 and at most 1, or a number is none.
    """
    columns = reference.columns
    found: dict[str, NDArray[Any]] = {}
    for name, candidates in _CARRIED.items():
        column = next((c for c in candidates if c in columns), None)
        if column is not None:
            found[name] = columns[column].astype(object)
    if "size" in found:
        found["size"] = _floats(reference.name, "area_ha", found["size"])
    if "weight" in columns:
        found["weight"] = _floats(reference.name, "weight", columns["weight"].astype(object))
    elif "inclusion_probability" in columns:
        found["weight"] = 1 / _probabilities(reference.name, columns)
    return {name: column for name, column in found.items() if _filled(column)}


def _probabilities(name: str, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    column = columns["inclusion_probability"].astype(object)
    chances = _floats(name, "inclusion_probability", column)
    wrong = chances[(chances <= 0) | (chances > 1)]
    if wrong.size:
        raise AccuracyError(
            f"'{name}' has an inclusion probability of {wrong[0]:g}: it must be above 0 and at "
            "most 1; write the chance with which the unit was drawn"
        )
    return chances


def _floats(name: str, column: str, cells: NDArray[np.object_]) -> NDArray[np.float64]:
    keys = [_key(cell) for cell in cells]
    text = next((key for key in keys if isinstance(key, str)), None)
    if text is not None:
        raise AccuracyError(
            f"'{name}' has {column} = '{text}', which is no number: correct it or drop the column"
        )
    return np.array([np.nan if key is None else key for key in keys], np.float64)


def _filled(column: NDArray[Any]) -> bool:
    return len(column) > 0 and all(_key(cell) is not None for cell in column)
