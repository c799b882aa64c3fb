"""read_reference: points or polygons with labels, from the files people keep them in.

Only four formats and CSV are opened, by what the file begins with rather than by its name, since
some drivers of GDAL would run queries or follow references on opening.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.reference.shapefile import check_parts, guess_encoding
from rs_workbench.accuracy.reference.vector_csv import Table, read_csv
from rs_workbench.errors import AccuracyError

_TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
_FOREIGN_SUFFIXES = (
    ".kml", ".kmz", ".gml", ".gpx", ".xls", ".xlsx", ".ods", ".dbf", ".shx", ".tab", ".mif",
    ".gdb", ".parquet", ".zip",
)  # fmt: skip
LABEL_COLUMNS = (
    "reference", "ref_class", "ref", "class", "label", "landcover", "land_cover", "lulc",
    "category", "class_name", "code", "类别", "地类", "标签",
)  # fmt: skip
_BEGINNINGS = {".gpkg": b"SQLite format 3\0", ".shp": b"\x00\x00\x27\x0a", ".fgb": b"fgb\x03"}
_POINT, _MULTIPOINT, _POLYGONS = 0, 4, (3, 6)


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


def is_vector(path: Path) -> bool:
    """Tell points and polygons from rasters by the name of their file.

    Parameters
    ----------
    path : Path
        A reference.

    Returns
    -------
    bool
        True, too, for formats that `read_reference` refuses with the ones it takes.

    Examples
    --------
    >>> is_vector(Path("a.GPKG")), is_vector(Path("a.kml")), is_vector(Path("a.tif"))
    (True, True, False)
    """
    known = (*_BEGINNINGS, ".geojson", ".json", *_TEXT_SUFFIXES, *_FOREIGN_SUFFIXES)
    return path.suffix.lower() in known


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
    is_text = file.suffix.lower() in _TEXT_SUFFIXES
    table = read_csv(file) if is_text else _read_layer(file, layer)
    if not len(table.geometry):
        raise AccuracyError(_nothing(file.name))
    known = f"EPSG:{crs}" if crs and crs.isdecimal() else crs or table.crs
    if not known:
        raise AccuracyError(
            f"'{file.name}' does not say in which coordinate system it is: name it with --crs, "
            "such as --crs EPSG:4326 for longitude and latitude"
        )
    named = _label_column(file.name, table.columns, column)
    return _with_geometry(file.name, table, known, named)


def _nothing(name: str) -> str:
    return f"'{name}' holds nothing with a place: give a layer with points or polygons"


def _with_geometry(name: str, table: Table, crs: str, column: str) -> VectorReference:
    import shapely

    there = ~(shapely.is_missing(table.geometry) | shapely.is_empty(table.geometry))
    geometry = _single_points(shapely.force_2d(table.geometry[there]))
    if not len(geometry):
        raise AccuracyError(_nothing(name))
    columns = {key.casefold(): values[there] for key, values in table.columns.items()}
    labels = columns[column.casefold()].astype(object)
    kind = _kind(name, geometry)
    return VectorReference(name, kind, geometry, labels, crs, columns, column, int((~there).sum()))


def _single_points(geometry: NDArray[np.object_]) -> NDArray[np.object_]:
    """Take points out of MultiPoints of one, which many programs write for points."""
    import shapely

    alone = (shapely.get_type_id(geometry) == _MULTIPOINT) & (
        shapely.get_num_geometries(geometry) == 1
    )
    geometry[alone] = shapely.get_geometry(geometry[alone], 0)
    return geometry


def _kind(name: str, geometry: NDArray[np.object_]) -> Literal["points", "polygons"]:
    import shapely

    kinds = set(shapely.get_type_id(geometry).tolist())
    if kinds == {_POINT}:
        return "points"
    if kinds <= set(_POLYGONS):
        return "polygons"
    remedy = "keep one of the two in a layer of its own"
    if kinds <= {_POINT, _MULTIPOINT}:
        remedy = "part them into single points, with 'Multipart to singleparts' in QGIS"
    found = " and ".join(sorted({g.geom_type for g in geometry}))
    raise AccuracyError(
        f"'{name}' holds {found}, but a reference is made of points, or of polygons: {remedy}"
    )


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


def _read_layer(path: Path, layer: str | None) -> Table:
    import shapely
    from pyogrio.errors import DataLayerError, DataSourceError
    from pyogrio.raw import read

    _check_beginning(path)
    encoding = None
    if path.suffix.lower() == ".shp":
        check_parts(path)
        encoding = guess_encoding(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chosen = _choose_layer(path, layer)
            meta, _, geometry, values = read(
                path, layer=chosen, datetime_as_string=True, encoding=encoding
            )
        shapes = shapely.from_wkb(geometry, on_invalid="ignore")
    except AccuracyError:
        raise
    except (DataSourceError, DataLayerError, ValueError) as error:
        raise AccuracyError(
            f"'{path.name}' cannot be read ({str(error).splitlines()[0]}): open it in QGIS and "
            "save it as a GeoPackage"
        ) from error
    columns = dict(zip(map(str, meta["fields"]), values, strict=True))
    return Table(np.asarray(shapes, object), columns, meta["crs"])


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
    if not placed:
        raise AccuracyError(_nothing(path.name))
    if len(placed) != 1 and "sample" not in placed:
        raise AccuracyError(
            f"'{path.name}' has {len(placed)} layers with geometry ({', '.join(placed)}): choose "
            "one with --layer"
        )
    return "sample" if "sample" in placed else placed[0]
