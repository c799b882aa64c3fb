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
from rs_workbench.errors import MissingDependencyError, OutputError
from rs_workbench.raster_area import scene_area_ha
from rs_workbench.raster_scene import Scene, describe_raster
from rs_workbench.raster_view import map_strips, outline
from rs_workbench.types import NODATA, LabelMap

if TYPE_CHECKING:
    from shapely import Polygon

_STRIP_PIXELS = 4_000_000
LAYER = "classes"


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
        Rows traced at a time; by default as many as make four million pixels.

    Returns
    -------
    Path
        `gpkg_path`.

    Raises
    ------
    MissingDependencyError
        If the `vector` extra is not installed.
    OutputError
        If the file cannot be written.
    """
    _require_vector()
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
        writer.write(open_groups, even_if_empty=True)
        partial.replace(gpkg_path)
    finally:
        partial.unlink(missing_ok=True)
    return gpkg_path


def _require_vector() -> None:
    try:
        import pyogrio  # noqa: F401
        import shapely  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"polygons need {error.name}, which is not installed: run  "
            "pip install 'rs-workbench[vector]'"
        ) from error


def _advance(
    waiting: Sequence[_Group], row: int, strip: LabelMap, *, last: bool
) -> tuple[list[_Group], list[_Group]]:
    """Trace one strip, join it to what waits at its upper seam, and part done from open."""
    groups = [*waiting, *_trace(strip, row)]
    upper = np.full(strip.shape[1], -1)
    lower = np.full(strip.shape[1], -1)
    for index, group in enumerate(groups):
        if index < len(waiting):
            upper[group.columns] = index
        else:
            lower[_columns_at(group.parts[0], row)] = index
    joined = _merge(groups, _neighbours(groups, upper, lower))
    seam = row + len(strip)
    for group in joined:
        found = [_columns_at(part, seam) for part in group.parts]
        group.columns = np.concatenate(found) if not last else np.empty(0, np.intp)
    done = [group for group in joined if not len(group.columns)]
    return done, [group for group in joined if len(group.columns)]


def _trace(strip: LabelMap, row: int) -> Iterable[_Group]:
    from shapely import Polygon

    for rings, value in outline(strip, strip != NODATA):
        moved = [[(x, y + row) for x, y in ring] for ring in rings]
        yield _Group(value, [Polygon(moved[0], moved[1:])])


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
    groups: Sequence[_Group], upper: NDArray[np.intp], lower: NDArray[np.intp]
) -> Iterable[tuple[int, int]]:
    """Pairs of groups of one class that share a piece of the seam."""
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
        self._legend = {entry.value: entry for entry in self.classes}
        area = scene_area_ha(self.info)
        per_row = np.full(self.info.shape[0], np.nan if area is None else area)
        self._area_above = np.concatenate([[0.0], np.cumsum(per_row)])

    def write(self, groups: Sequence[_Group], *, even_if_empty: bool = False) -> None:
        import shapely

        wanted = [group for group in groups if group.value in self._legend]
        if not wanted and (not even_if_empty or self.path.exists()):
            return
        polygons = np.array([_join(group.parts) for group in wanted], dtype=object)
        area = np.zeros(0) if not wanted else ground_area(polygons, self._area_above)
        legend = [self._legend[group.value] for group in wanted]
        self._append(
            shapely.to_wkb(shapely.transform(polygons, self._to_map)),
            {
                "value": np.array([entry.value for entry in legend], np.int32),
                "name": np.array([entry.name for entry in legend], object),
                "color": np.array([entry.color for entry in legend], object),
                "area_ha": area,
            },
        )

    def _to_map(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels to map coordinates; without georeference, rows count downwards from 0."""
        t = self.info.transform
        if t is None:
            return xy * (1.0, -1.0)
        x, y = xy[:, 0], xy[:, 1]
        return np.stack([t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f], axis=1)

    def _append(self, wkb: NDArray[Any], columns: dict[str, NDArray[Any]]) -> None:
        from pyogrio.errors import DataSourceError
        from pyogrio.raw import write

        crs = self.info.crs_wkt if self.info.transform is not None else None
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="'crs' was not provided")
                write(
                    str(self.path),
                    wkb,
                    list(columns.values()),
                    list(columns),
                    layer=LAYER,
                    driver="GPKG",
                    geometry_type="Polygon",
                    crs=crs,
                    append=self.path.exists(),
                )
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

    rings, owner = shapely.get_rings(polygons, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    x, y = xy[:-1, 0], xy[:, 1].astype(np.intp)
    inside = ring[1:] == ring[:-1]
    steps = np.where(inside, x * (area_above[y[1:]] - area_above[y[:-1]]), 0.0)
    ring_area = np.abs(np.bincount(ring[:-1], steps, minlength=len(rings)))
    is_hole = np.concatenate([[False], owner[1:] == owner[:-1]])
    signed = np.where(is_hole, -ring_area, ring_area)
    return np.bincount(owner, signed, minlength=len(polygons)).astype(np.float64)
