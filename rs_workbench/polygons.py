"""Polygons of a class map of any size, unbroken where the map was cut to trace them.

The map is traced strip by strip. A polygon that touches the seam to the next strip waits for the
polygons of its class on the other side; a group that touches no open seam is joined and written.
So memory holds one strip and the groups that are still open.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import LegendClass
from rs_workbench.errors import OutputError
from rs_workbench.raster_area import scene_area_ha
from rs_workbench.raster_scene import Scene, describe_raster
from rs_workbench.raster_view import map_strips, outline
from rs_workbench.types import NODATA, LabelMap

if TYPE_CHECKING:
    from shapely import Polygon

_STRIP_PIXELS = 2_000_000
_BATCH = 50_000  # polygons; opening the file again and again costs more than writing
LAYER = "classes"


@dataclass(frozen=True)
class _Finished:
    """Whole polygons, in pixels, and their classes."""

    polygons: NDArray[Any]
    values: NDArray[np.intp]


@dataclass
class _Group:
    """Polygons of one class that belong together, and the columns where they meet the seam."""

    value: int
    parts: list[Polygon]
    columns: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))


def write_polygons(
    map_path: Path,
    gpkg_path: Path,
    classes: Sequence[LegendClass],
    *,
    strip_rows: int | None = None,
) -> Path:
    """Write the areas of a class map as polygons.

    Parameters
    ----------
    map_path : Path
        The map.
    gpkg_path : Path
        GeoPackage to write, with the columns value, name, color and area_ha (empty where the
        size of pixels on the ground is unknown).
    classes : sequence of LegendClass
        Classes of the map; other values are left out.
    strip_rows : int, optional
        Rows traced at a time; by default as many as make two million pixels.

    Returns
    -------
    Path
        `gpkg_path`.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    info = describe_raster(map_path)
    rows = strip_rows or max(64, _STRIP_PIXELS // info.shape[1])
    partial = gpkg_path.with_name(f"{gpkg_path.stem}.partial{gpkg_path.suffix}")
    partial.unlink(missing_ok=True)
    writer = _Writer(partial, info, classes)
    try:
        open_groups: list[_Group] = []
        for row, strip in map_strips(map_path, rows):
            last = row + len(strip) >= info.shape[0]
            done, open_groups = _advance(open_groups, row, strip, last=last)
            writer.write(done)
        writer.close()
        partial.replace(gpkg_path)
    finally:
        partial.unlink(missing_ok=True)
    return gpkg_path


def _advance(
    waiting: Sequence[_Group], row: int, strip: LabelMap, *, last: bool
) -> tuple[_Finished, list[_Group]]:
    """Trace one strip, join it to what waits at its upper seam, and part done from open."""
    import shapely

    traced = _trace(strip, row)
    seam = row + len(strip)
    bounds = shapely.bounds(traced.polygons).reshape(-1, 4)
    at_seam = bounds[:, 1] == row
    if not last:
        at_seam |= bounds[:, 3] == seam
    found = zip(traced.values[at_seam].tolist(), traced.polygons[at_seam], strict=True)
    groups = [*waiting, *(_Group(value, [polygon]) for value, polygon in found)]
    joined = _merge(groups, _neighbours(groups, len(waiting), row, strip.shape[1]))
    for group in joined:
        columns = [_columns_at(part, seam) for part in group.parts]
        group.columns = np.empty(0, np.intp) if last else np.concatenate(columns)
    still_open = [group for group in joined if len(group.columns)]
    closed = [group for group in joined if not len(group.columns)]
    whole = _Finished(traced.polygons[~at_seam], traced.values[~at_seam])
    return _join_all(whole, closed), still_open


def _trace(strip: LabelMap, row: int) -> _Finished:
    """Trace a strip; millions of polygons are made in three calls, not one by one."""
    import shapely

    points: list[tuple[float, float]] = []
    sizes: list[int] = []
    owners: list[int] = []
    values: list[int] = []
    for owner, (rings, value) in enumerate(outline(strip, strip != NODATA)):
        values.append(value)
        for ring in rings:
            points.extend(ring)
            sizes.append(len(ring))
            owners.append(owner)
    xy = np.array(points, np.float64).reshape(-1, 2)
    xy[:, 1] += row
    closed = shapely.linearrings(xy, indices=np.repeat(np.arange(len(sizes)), sizes))
    polygons = shapely.polygons(closed, indices=np.array(owners, np.intp))
    return _Finished(polygons, np.array(values, np.intp))


def _join_all(whole: _Finished, groups: Sequence[_Group]) -> _Finished:
    if not groups:
        return whole
    polygons = np.array([_join(group.parts) for group in groups], dtype=object)
    values = np.array([group.value for group in groups], np.intp)
    return _Finished(
        np.concatenate([whole.polygons, polygons]), np.concatenate([whole.values, values])
    )


def _columns_at(polygon: Polygon, row: int) -> NDArray[np.intp]:
    """Columns at which the border of a polygon runs along the line above `row`."""
    _, top, _, bottom = polygon.bounds
    if row not in (top, bottom):
        return np.empty(0, np.intp)
    xy = np.asarray(polygon.exterior.coords)
    along = (xy[:-1, 1] == row) & (xy[1:, 1] == row)
    starts = np.minimum(xy[:-1, 0], xy[1:, 0])[along].astype(np.intp)
    stops = np.maximum(xy[:-1, 0], xy[1:, 0])[along].astype(np.intp)
    runs = [np.arange(a, b) for a, b in zip(starts, stops, strict=True)]
    return np.concatenate(runs) if runs else np.empty(0, np.intp)


def _neighbours(
    groups: Sequence[_Group], n_waiting: int, row: int, width: int
) -> Iterable[tuple[int, int]]:
    """Pairs of groups of one class that share a piece of the seam above `row`."""
    upper, lower = np.full(width, -1), np.full(width, -1)
    for index, group in enumerate(groups):
        if index < n_waiting:
            upper[group.columns] = index
        else:
            lower[_columns_at(group.parts[0], row)] = index
    both = (upper >= 0) & (lower >= 0)
    pairs = np.unique(np.stack([upper[both], lower[both]], axis=1), axis=0)
    return [(a, b) for a, b in pairs.tolist() if groups[a].value == groups[b].value]


def _merge(groups: Sequence[_Group], pairs: Iterable[tuple[int, int]]) -> list[_Group]:
    root = list(range(len(groups)))

    def find(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = root[index]
        return index

    for a, b in pairs:
        root[find(b)] = find(a)
    merged: dict[int, _Group] = {}
    for index, group in enumerate(groups):
        top = find(index)
        if top in merged:
            merged[top].parts.extend(group.parts)
        else:
            merged[top] = _Group(group.value, list(group.parts))
    return list(merged.values())


@dataclass
class _Writer:
    """Appends finished groups to a GeoPackage."""

    path: Path
    info: Scene
    classes: Sequence[LegendClass]

    def __post_init__(self) -> None:
        self._waiting: list[_Finished] = []
        self._legend = {entry.value: entry for entry in self.classes}
        area = scene_area_ha(self.info)
        per_row = np.full(self.info.shape[0], np.nan if area is None else area)
        self._area_above = np.concatenate([[0.0], np.cumsum(per_row)])

    def write(self, finished: _Finished) -> None:
        """Append polygons of the classes in the legend."""
        wanted = np.isin(finished.values, list(self._legend))
        self._waiting.append(_Finished(finished.polygons[wanted], finished.values[wanted]))
        if sum(len(part.values) for part in self._waiting) >= _BATCH:
            self._flush()

    def close(self) -> None:
        """Write the rest; make the file even where there was nothing to write."""
        self._flush()

    def _flush(self) -> None:
        parts, self._waiting = self._waiting, []
        polygons = np.concatenate([np.empty(0, object), *(part.polygons for part in parts)])
        values = np.concatenate([np.empty(0, np.intp), *(part.values for part in parts)])
        if len(values) or not self.path.exists():
            self._append(polygons, values)

    def _to_map(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels to map coordinates; without georeference, rows count downwards from 0."""
        t = self.info.transform
        if t is None:
            return xy * (1.0, -1.0)
        x, y = xy[:, 0], xy[:, 1]
        return np.stack([t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f], axis=1)

    def _append(self, polygons: NDArray[Any], values: NDArray[np.intp]) -> None:
        import shapely
        from pyogrio.errors import DataSourceError
        from pyogrio.raw import write

        legend = [self._legend[value] for value in values.tolist()]
        columns = {
            "value": values.astype(np.int32),
            "name": np.array([entry.name for entry in legend], object),
            "color": np.array([entry.color for entry in legend], object),
            "area_ha": ground_area(polygons, self._area_above),
        }
        options = {"layer": LAYER, "driver": "GPKG", "geometry_type": "Polygon"}
        crs = self.info.crs_wkt if self.info.transform is not None else None
        wkb = shapely.to_wkb(shapely.transform(polygons, self._to_map))
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="'crs' was not provided")
                write(
                    str(self.path), wkb, list(columns.values()), list(columns),
                    crs=crs, append=self.path.exists(), **options,
                )  # fmt: skip
        except (DataSourceError, OSError) as error:
            raise OutputError(
                f"'{self.path}' cannot be written ({error}): make room or choose another folder"
            ) from error


def _join(parts: Sequence[Polygon]) -> Any:
    """Join the parts of a group; vertices that only the seams made are dropped."""
    import shapely

    return parts[0] if len(parts) == 1 else shapely.simplify(shapely.union_all(parts), 0)


def ground_area(polygons: NDArray[Any], area_above: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure polygons whose edges follow pixel borders, where pixels vary in area by row.

    Green's theorem: the integral of ``a(y) dx dy`` is the sum of ``x (A(y2) - A(y1))`` over the
    edges, `A` being the integral of `a`. Edges that follow rows add nothing.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        In pixels.
    area_above : ndarray of float64, shape (H + 1,)
        Ground area of one column of pixels above each row border, ha.

    Returns
    -------
    ndarray of float64, shape (n,)
        Hectares.
    """
    import shapely

    if not len(polygons):
        return np.zeros(0)
    rings, owner = shapely.get_rings(polygons, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    x, y = xy[:-1, 0], xy[:, 1].astype(np.intp)
    inside = ring[1:] == ring[:-1]
    steps = np.where(inside, x * (area_above[y[1:]] - area_above[y[:-1]]), 0.0)
    ring_area = np.abs(np.bincount(ring[:-1], steps, minlength=len(rings)))
    is_hole = np.concatenate([[False], owner[1:] == owner[:-1]])
    signed = np.where(is_hole, -ring_area, ring_area)
    return np.bincount(owner, signed, minlength=len(polygons)).astype(np.float64)
