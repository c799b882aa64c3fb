"""compare_polygons: what the map says inside labelled polygons.

Polygons are drawn on the map's grid, window by window: a pixel belongs to the polygon that holds
its centre. Pixels of one polygon are neighbours and err together, so counts are kept by polygon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.reference.label_values import LabelValues
from rs_workbench.accuracy.reference.points import (
    OUT_OF_SCOPE,
    UNLABELLED,
    design_columns,
    match_labels,
)
from rs_workbench.accuracy.reference.raster_beside import Beside
from rs_workbench.accuracy.reference.raster_drawing import EMPTY, Drawing
from rs_workbench.accuracy.reference.raster_labels import LabelSource
from rs_workbench.accuracy.reference.raster_pair import (
    RasterPair,
    iter_pair,
    map_source,
    open_map,
)
from rs_workbench.accuracy.reference.raster_places import refuse_strange
from rs_workbench.accuracy.reference.raster_tally import class_index
from rs_workbench.accuracy.reference.raster_windows import iter_map, list_windows
from rs_workbench.accuracy.reference.vector_file import VectorReference
from rs_workbench.accuracy.sample import Sample, make_sample
from rs_workbench.card import LegendClass
from rs_workbench.errors import AccuracyError
from rs_workbench.raster_scene import Scene


@dataclass(frozen=True)
class PolygonCounts:
    """Pixels of the map inside reference polygons.

    Attributes
    ----------
    n_classes : int
        K.
    rows : ndarray of intp, shape (n,)
        Rows of the table: the polygons with compared pixels.
    reference : ndarray of intp, shape (n,)
        Class of each polygon, as index in the legend.
    map_counts : ndarray of int64, shape (n, K)
        Pixels of each polygon by class of the map.
    unlabelled, out_of_scope, map_nodata : int
        Pixels left out: in polygons without label or out of scope, or on nodata of the map.
    outside : int
        Area of labelled polygons beyond the map, in pixels of the map.
    wholly_outside : int
        Labelled polygons that lie wholly beyond the map.
    without_pixel : int
        Labelled polygons on the map that hold no centre of a pixel.
    columns : dict of str to ndarray, shape (n,)
        Stratum, cluster, size and weight of the polygons, where the table has them.
    """

    n_classes: int
    rows: NDArray[np.intp]
    reference: NDArray[np.intp]
    map_counts: NDArray[np.int64]
    unlabelled: int
    out_of_scope: int
    map_nodata: int
    outside: int
    wholly_outside: int
    without_pixel: int
    columns: dict[str, NDArray[Any]]

    @property
    def matrix(self) -> NDArray[np.int64]:
        """Compared pixels, shape (K, K); rows map, columns reference."""
        matrix = np.zeros((self.n_classes, self.n_classes), np.int64)
        np.add.at(matrix.T, self.reference, self.map_counts)
        return matrix

    @property
    def matrices(self) -> NDArray[np.int64]:
        """The same for each polygon, shape (n, K, K)."""
        matrices = np.zeros((len(self.rows), self.n_classes, self.n_classes), np.int64)
        matrices[np.arange(len(self.rows)), :, self.reference] = self.map_counts
        return matrices

    @property
    def sample(self) -> Sample:
        """Pixels with their polygon as cluster, unless the table names clusters.

        A row stands for all pixels of a polygon in one class of the map; its weight counts them.
        """
        polygon, map_class = np.nonzero(self.map_counts)
        times = self.map_counts[polygon, map_class]
        columns = {"cluster": self.rows, **self.columns}
        # An area of the table is that of the polygon, not of a pixel.
        columns.pop("size", None)
        columns = {name: column[polygon] for name, column in columns.items()}
        columns["weight"] = times * columns.get("weight", 1.0)
        return make_sample(map_class, self.reference[polygon], self.n_classes, **columns)


def compare_polygons(
    map_path: str | Path,
    polygons: VectorReference,
    legend: Sequence[LegendClass],
    *,
    values: LabelValues | None = None,
) -> PolygonCounts:
    """Compare a map with labelled polygons.

    Parameters
    ----------
    map_path : str or Path
        Class map of any size; only windows with polygons are read.
    polygons : VectorReference
        From `read_reference`.
    legend : sequence of LegendClass
        Classes, in the order of the matrix.
    values : LabelValues, optional
        What labels, and nodata of the map, mean.

    Returns
    -------
    PolygonCounts
        Compared pixels by polygon, and what was left out.

    Raises
    ------
    AccuracyError
        If coordinate systems are missing, a label or a value of the map is not in the legend,
        polygons of different classes overlap, or no pixel is left to compare.
    """
    given = values or LabelValues()
    truth = match_labels(polygons.labels, legend, values=given, source=polygons.name)
    scene = open_map(map_path)
    drawing = Drawing(polygons, scene, truth)
    tally = _count(map_source(scene, given), drawing, legend)
    compared = np.flatnonzero((truth >= 0) & tally.inside[:, :-1].any(axis=1))
    drawn = tally.inside.any(axis=1)
    on_map = drawing.touches((0, 0, *scene.shape))
    counts = PolygonCounts(
        n_classes=len(legend),
        rows=compared,
        reference=truth[compared],
        map_counts=tally.inside[compared, :-1],
        unlabelled=tally.unlabelled,
        out_of_scope=tally.out_of_scope,
        map_nodata=int(tally.inside[:, -1].sum()),
        outside=drawing.pixels_outside(scene.shape),
        wholly_outside=int(((truth >= 0) & ~on_map).sum()),
        without_pixel=int(((truth >= 0) & on_map & ~drawn).sum()),
        columns={name: column[compared] for name, column in design_columns(polygons).items()},
    )
    if not len(compared):
        raise AccuracyError(_nothing_compared(polygons, scene, counts))
    return counts


def count_polygons_beside(
    maps: RasterPair,
    polygons: VectorReference,
    legend: Sequence[LegendClass],
    *,
    values: LabelValues | None = None,
) -> NDArray[np.int64]:
    """Count what a second map says on the pixels that the first is compared on.

    Parameters
    ----------
    maps : RasterPair
        First and second map, from `open_beside`.
    polygons : VectorReference
        From `read_reference`; already compared with the first map.
    legend : sequence of LegendClass
        The K classes.
    values : LabelValues, optional
        What labels mean.

    Returns
    -------
    ndarray of int64, shape (n, K + 1)
        Pixels of every polygon by class of the second map; the last column where it has none.

    Raises
    ------
    AccuracyError
        If the second map holds a value that is not in the legend.
    """
    beside, scene = Beside(maps, legend), maps.map_source.scene
    truth = match_labels(polygons.labels, legend, values=values, source=polygons.name)
    drawing = Drawing(polygons, scene, truth)
    counts = np.zeros((len(truth), len(legend) + 1), np.int64)
    windows = [w for w in list_windows([scene], item=8) if drawing.touches(w).any()]
    for part in iter_pair(maps, windows):
        first, second = beside.classes(part)
        numbers, _ = drawing.draw(part.window)
        here = (numbers != EMPTY) & (first < len(legend))
        np.add.at(counts, (numbers[here], second[here]), 1)
    return counts


def _nothing_compared(polygons: VectorReference, scene: Scene, counts: PolygonCounts) -> str:
    return (
        f"no pixel of '{scene.name}' can be compared with the {len(polygons)} polygons of "
        f"'{polygons.name}': {counts.wholly_outside} lie outside the map, {counts.without_pixel} "
        f"hold no centre of a pixel, {counts.map_nodata} pixels are nodata, {counts.unlabelled} "
        f"unlabelled and {counts.out_of_scope} out of scope; check the column and the coordinate "
        "system"
    )


class _Tally:
    """Pixels inside polygons: by polygon and class of the map, the last column nodata."""

    def __init__(self, n_polygons: int, n_classes: int) -> None:
        self.inside = np.zeros((n_polygons, n_classes + 1), np.int64)
        self.unlabelled = self.out_of_scope = 0


def _count(source: LabelSource, drawing: Drawing, legend: Sequence[LegendClass]) -> _Tally:
    tally = _Tally(len(drawing.truth), len(legend))
    index = class_index(source.axis, [c.value for c in legend])
    windows = [w for w in list_windows([source.scene], item=8) if drawing.touches(w).any()]
    for window, codes in zip(windows, iter_map(source, windows), strict=True):
        numbers, others = drawing.draw(window)
        here = numbers != EMPTY
        refuse_strange(source, codes[here], legend)
        np.add.at(tally.inside, (numbers[here], index[codes[here]]), 1)
        left = drawing.truth[others[(others != EMPTY) & ~here]]
        tally.unlabelled += int((left == UNLABELLED).sum())
        tally.out_of_scope += int((left == OUT_OF_SCOPE).sum())
    return tally
