"""compare_points: what the map says where the reference has points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.confusion import confusion_matrix
from rs_workbench.accuracy.reference.label_values import LabelValues
from rs_workbench.accuracy.reference.points import (
    OUT_OF_SCOPE,
    UNLABELLED,
    alternate_labels,
    design_columns,
    match_labels,
)
from rs_workbench.accuracy.reference.raster_pair import map_source, open_map
from rs_workbench.accuracy.reference.raster_places import NO_MAP, locate, map_classes
from rs_workbench.accuracy.reference.vector_file import VectorReference
from rs_workbench.accuracy.sample import Sample, make_sample
from rs_workbench.card import LegendClass
from rs_workbench.errors import AccuracyError
from rs_workbench.raster_scene import Scene


@dataclass(frozen=True)
class UnitCounts:
    """Reference units beside the map.

    Every unit is counted in one place: `unlabelled`, else `out_of_scope`, else `outside` the map,
    else `map_nodata`, else it is compared.

    Attributes
    ----------
    n_classes : int
        K.
    rows : ndarray of intp, shape (n,)
        Rows of the table that were compared.
    map_class, reference : ndarray of intp, shape (n,)
        Their classes, as indices in the legend.
    unlabelled, out_of_scope, outside, map_nodata : int
        Units left out.
    columns : dict of str to ndarray, shape (n,)
        Stratum, cluster, size and weight of the compared units, where the table has them.
    alternates_used : int
        Units that count as right by their second label.
    """

    n_classes: int
    rows: NDArray[np.intp]
    map_class: NDArray[np.intp]
    reference: NDArray[np.intp]
    unlabelled: int
    out_of_scope: int
    outside: int
    map_nodata: int
    columns: dict[str, NDArray[Any]]
    alternates_used: int = 0

    @property
    def matrix(self) -> NDArray[np.int64]:
        """Compared units, shape (K, K); rows map, columns reference."""
        return confusion_matrix(self.map_class, self.reference, self.n_classes)

    @property
    def sample(self) -> Sample:
        """The compared units with the columns of their design."""
        return make_sample(self.map_class, self.reference, self.n_classes, **self.columns)


def compare_points(
    map_path: str | Path,
    points: VectorReference,
    legend: Sequence[LegendClass],
    *,
    values: LabelValues | None = None,
    accept_alternate: bool = False,
) -> UnitCounts:
    """Compare a map with labelled points.

    Parameters
    ----------
    map_path : str or Path
        Class map of any size; only the blocks under points are read.
    points : VectorReference
        From `read_reference`.
    legend : sequence of LegendClass
        Classes, in the order of the matrix.
    values : LabelValues, optional
        What labels, and nodata of the map, mean.
    accept_alternate : bool
        Whether the map is right where it agrees with the second label.

    Returns
    -------
    UnitCounts
        Compared points and those left out.

    Raises
    ------
    AccuracyError
        If coordinate systems are missing, a label or a value of the map is not in the legend, or
        no labelled point lies on the map.
    """
    given = values or LabelValues()
    truth = match_labels(points.labels, legend, values=given, source=points.name)
    scene = open_map(map_path)
    labelled = np.flatnonzero(truth >= 0)
    row, col, inside = locate(scene, points, labelled)
    on_map = labelled[inside]
    found = map_classes(map_source(scene, given), row[inside], col[inside], legend=legend)
    compared, map_class = on_map[found != NO_MAP], found[found != NO_MAP]
    reference, used = truth[compared], 0
    if accept_alternate:
        reference, used = _accept_alternate(
            points, legend, given, (compared, map_class, reference)
        )
    counts = UnitCounts(
        n_classes=len(legend),
        rows=compared,
        map_class=map_class,
        reference=reference,
        unlabelled=int((truth == UNLABELLED).sum()),
        out_of_scope=int((truth == OUT_OF_SCOPE).sum()),
        outside=int((~inside).sum()),
        map_nodata=int((found == NO_MAP).sum()),
        columns={name: column[compared] for name, column in design_columns(points).items()},
        alternates_used=used,
    )
    if not len(compared):
        raise AccuracyError(nothing_compared(points, scene, counts))
    return counts


def nothing_compared(reference: VectorReference, scene: Scene, counts: UnitCounts) -> str:
    """Say why no unit could be compared.

    Parameters
    ----------
    reference : VectorReference
        The units.
    scene : Scene
        The map.
    counts : UnitCounts
        How many were left out, and why.

    Returns
    -------
    str
        A sentence.
    """
    return (
        f"none of the {len(reference)} {reference.kind} of '{reference.name}' can be compared "
        f"with '{scene.name}': {counts.unlabelled} without label, {counts.out_of_scope} out of "
        f"scope, {counts.outside} outside the map, {counts.map_nodata} on nodata; check the "
        "column and the coordinate system"
    )


def _accept_alternate(
    points: VectorReference,
    legend: Sequence[LegendClass],
    values: LabelValues,
    compared: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]],
) -> tuple[NDArray[np.intp], int]:
    rows, map_class, reference = compared
    alternates = alternate_labels(points, legend, values)
    if alternates is None:
        raise AccuracyError(
            f"'{points.name}' has no column 'alternate' with second labels: leave out "
            "--accept-alternate, or add the column"
        )
    second = alternates[rows]
    used = (second >= 0) & (second == map_class) & (reference != map_class)
    return np.where(used, second, reference), int(used.sum())
