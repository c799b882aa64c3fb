"""read_reference: points or polygons with labels, from the files people keep them in.

Only four formats and CSV are opened, by what the file begins with rather than by its name, since
some drivers of GDAL would run queries or follow references on opening.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import AccuracyError

VECTOR_SUFFIXES = (".gpkg", ".geojson", ".json", ".shp", ".fgb", ".csv", ".tsv", ".txt")
LABEL_COLUMNS = (
    "reference", "ref_class", "ref", "class", "label", "landcover", "land_cover", "lulc",
    "category", "class_name", "code", "类别", "地类", "标签",
)  # fmt: skip
_BEGINNINGS = {".gpkg": b"SQLite format 3\0", ".shp": b"\x00\x00\x27\x0a", ".fgb": b"fgb\x03"}
_POSITIONS = (("x", "y"), ("lon", "lat"), ("longitude", "latitude"), ("easting", "northing"))
_POINT, _POLYGONS = 0, (3, 6)


@dataclass(frozen=True)
class VectorReference:
    """Points or polygons with labels.

    Attributes
    ----------
    name : str
        File name.
    kind : {'points', 'polygons'}
        What they are.
    geometry : ndarray of object, shape (n,)
        Shapely geometries, two-dimensional, none empty.
    labels : ndarray of object, shape (n,)
        Labels as stored; None where there is none.
    crs : str
        Coordinate system, as WKT or authority code.
    columns : mapping of str to ndarray, shape (n,)
        All columns of the table, by lower-case name.
    label_column : str
        Column of the labels.
    without_geometry : int
        Rows left out since they have no place.
    """

    name: str
    kind: Literal["points", "polygons"]
    geometry: NDArray[np.object_]
    labels: NDArray[np.object_]
    crs: str
    columns: Mapping[str, NDArray[Any]]
    label_column: str
    without_geometry: int = 0

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class _Table:
    """Rows as they come from a file."""

    geometry: NDArray[np.object_]
    columns: dict[str, NDArray[Any]]
    crs: str | None


def read_reference(
    path: str | Path,
    *,
    layer: str | None = None,
    column: str | None = None,
    crs: str | None = None,
) -> VectorReference:
    """Read points or polygons with labels.

    Parameters
    ----------
    path : str or Path
        GeoPackage, GeoJSON, shapefile, FlatGeobuf; or CSV with columns x and y, or lon and lat.
    layer : str, optional
        Layer of a GeoPackage; needed where several have geometry and none is called "sample".
    column : str, optional
        Column of the labels; by default the first that is called reference, class, label and
        so on.
    crs : str, optional
        Coordinate system, such as EPSG:4326; goes before the file's own.

    Returns
    -------
    VectorReference
        Rows with a geometry.

    Raises
    ------
    AccuracyError
        If the file cannot be read or is of another kind, has no coordinate system or no column
        of labels, or holds no points or polygons, or both.
    """
    file = Path(path)
    if not file.is_file():
        raise AccuracyError(f"'{path}' was not found: check the name and the folder")
    is_text = file.suffix.lower() in (".csv", ".tsv", ".txt")
    table = _read_csv(file) if is_text else _read_layer(file, layer)
    known = crs or table.crs
    if not known:
        raise AccuracyError(
            f"'{file.name}' does not say in which coordinate system it is: name it with --crs, "
            "such as --crs EPSG:4326 for longitude and latitude"
        )
    named = _label_column(file.name, table.columns, column)
    return _with_geometry(file.name, table, known, named)


def _with_geometry(name: str, table: _Table, crs: str, column: str) -> VectorReference:
    import shapely

    there = ~(shapely.is_missing(table.geometry) | shapely.is_empty(table.geometry))
    geometry = shapely.force_2d(table.geometry[there])
    kinds = set(shapely.get_type_id(geometry).tolist())
    if kinds == {_POINT}:
        kind: Literal["points", "polygons"] = "points"
    elif kinds and kinds <= set(_POLYGONS):
        kind = "polygons"
    else:
        found = sorted({g.geom_type for g in geometry}) or ["nothing with a place"]
        raise AccuracyError(
            f"'{name}' holds {' and '.join(found)}, but a reference is made of points, or of "
            "polygons: keep one of the two in a layer of its own"
        )
    columns = {key.casefold(): values[there] for key, values in table.columns.items()}
    labels = columns[column.casefold()].astype(object)
    return VectorReference(name, kind, geometry, labels, crs, columns, column, int((~there).sum()))


def _label_column(name: str, columns: Mapping[str, Any], asked: str | None) -> str:
    by_name = {key.casefold(): key for key in columns}
    wanted = LABEL_COLUMNS if asked is None else (asked.casefold(),)
    for candidate in wanted:
        if candidate in by_name:
            return by_name[candidate]
    listed = ", ".join(columns) or "none"
    missing = f"no column '{asked}'" if asked else "no column called reference, class or label"
    raise AccuracyError(
        f"'{name}' has {missing}; its columns are {listed}: name one with --column"
    )


def _check_beginning(path: Path) -> None:
    """Refuse a file whose content is not what its name says."""
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        start = file.read(64)
    if suffix in (".geojson", ".json"):
        fits = start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    else:
        fits = suffix in _BEGINNINGS and start.startswith(_BEGINNINGS[suffix])
    if not fits:
        raise AccuracyError(
            f"'{path.name}' is no {suffix or 'known'} file: give points or polygons as "
            "GeoPackage, GeoJSON, shapefile, FlatGeobuf or CSV"
        )


def _read_layer(path: Path, layer: str | None) -> _Table:
    import shapely
    from pyogrio.errors import DataLayerError, DataSourceError
    from pyogrio.raw import read

    _check_beginning(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chosen = _choose_layer(path, layer)
            meta, _, geometry, values = read(path, layer=chosen, datetime_as_string=True)
        shapes = shapely.from_wkb(geometry, on_invalid="ignore")
    except (DataSourceError, DataLayerError, ValueError) as error:
        raise AccuracyError(
            f"'{path.name}' cannot be read ({str(error).splitlines()[0]}): open it in QGIS and "
            "save it as a GeoPackage"
        ) from error
    columns = dict(zip(map(str, meta["fields"]), values, strict=True))
    return _Table(np.asarray(shapes, object), columns, meta["crs"])


def _choose_layer(path: Path, asked: str | None) -> str:
    from pyogrio import list_layers

    layers = list_layers(path)
    names = [str(name) for name, _ in layers]
    placed = [str(name) for name, kind in layers if kind is not None]
    if asked is not None and asked not in names:
        raise AccuracyError(
            f"'{path.name}' has no layer '{asked}': choose one of {', '.join(names)}"
        )
    if asked is not None:
        return asked
    if len(placed) != 1 and "sample" not in placed:
        raise AccuracyError(
            f"'{path.name}' has {len(placed)} layers with geometry ({', '.join(placed)}): choose "
            "one with --layer"
        )
    return "sample" if "sample" in placed else placed[0]


def _read_csv(path: Path) -> _Table:
    import shapely

    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        text = path.read_text(encoding="gb18030", errors="replace")
    header = text.split("\n", 1)[0]
    rows = list(csv.reader(io.StringIO(text), delimiter=max(",;\t", key=header.count)))
    names = [name.strip() for name in rows[0]] if rows else []
    body = [row for row in rows[1:] if any(cell.strip() for cell in row)]
    uneven = next((n for n, row in enumerate(body, 2) if len(row) != len(names)), None)
    if uneven is not None:
        raise AccuracyError(
            f"'{path.name}' has {len(body[uneven - 2])} cells in row {uneven}, but {len(names)} "
            "columns: put text with commas between quotes"
        )
    columns = {
        name: np.array([row[place].strip() or None for row in body], object)
        for place, name in enumerate(names)
    }
    by_name = {name.casefold(): name for name in names}
    pair = next((p for p in _POSITIONS if set(p) <= set(by_name)), None)
    if pair is None:
        raise AccuracyError(
            f"'{path.name}' has no columns x and y, or lon and lat, but {', '.join(names)}: "
            "rename the columns of the coordinates"
        )
    places = [_numbers(path.name, columns[by_name[axis]], axis) for axis in pair]
    points = shapely.points(*places)
    points[np.isnan(places).any(axis=0)] = None
    return _Table(points, columns, _csv_crs(path.name, columns, by_name.get("crs")))


def _numbers(name: str, cells: NDArray[np.object_], axis: str) -> NDArray[np.float64]:
    numbers = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        try:
            numbers[row] = np.nan if cell is None else float(cell)
        except ValueError as error:
            raise AccuracyError(
                f"'{name}' has {axis} = '{cell}' in row {row + 2}, which is no number: write "
                "coordinates as 12.345"
            ) from error
    return numbers


def _csv_crs(name: str, columns: Mapping[str, NDArray[Any]], column: str | None) -> str | None:
    found = sorted({str(v) for v in columns[column] if v is not None}) if column else []
    if len(found) > 1:
        raise AccuracyError(
            f"'{name}' is in several coordinate systems ({', '.join(found[:5])}): bring all "
            "points to one first"
        )
    return found[0] if found else None
