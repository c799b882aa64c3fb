"""read_csv: points from a table of text, as spreadsheets and field tools write it."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import AccuracyError

_POSITIONS = (
    ("x", "y"), ("lon", "lat"), ("longitude", "latitude"), ("long", "lat"), ("lng", "lat"),
    ("easting", "northing"), ("point_x", "point_y"), ("xcoord", "ycoord"), ("经度", "纬度"),
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Rows as they come from a file.

    Attributes
    ----------
    geometry : ndarray of object, shape (n,)
        Shapely geometries; None where there is none.
    columns : dict of str to ndarray, shape (n,)
        By name as written.
    crs : str or None
        Coordinate system that the file tells.
    """

    geometry: NDArray[np.object_]
    columns: dict[str, NDArray[Any]]
    crs: str | None


def read_csv(path: Path) -> Table:
    """Read points from text with commas, semicolons or tabs between cells.

    Parameters
    ----------
    path : Path
        UTF-8, UTF-16 with a byte order mark, or GB 18030. Decimal commas are understood where
        commas do not part the cells.

    Returns
    -------
    Table
        Cells as text without surrounding blanks, None where empty.

    Raises
    ------
    AccuracyError
        If it is no table, or its columns of coordinates are missing or hold text.
    """
    names, body, delimiter = _rows(path)
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
    comma = delimiter != ","
    places = [
        _numbers(path.name, columns[by_name[axis]], axis, decimal_comma=comma) for axis in pair
    ]
    return Table(_points(places), columns, _crs(path.name, columns, by_name.get("crs")))


def _points(places: list[NDArray[np.float64]]) -> NDArray[np.object_]:
    import shapely

    points = np.asarray(shapely.points(*places), object)
    points[np.isnan(places).any(axis=0)] = None
    return points


def _text(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030", errors="replace")


def _rows(path: Path) -> tuple[list[str], list[list[str]], str]:
    """Names of the columns, rows with as many cells, and what parts the cells."""
    text = _text(path).replace("\r\n", "\n").replace("\r", "\n")
    header = text.lstrip().split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error as error:
        raise AccuracyError(
            f"'{path.name}' cannot be read as a table ({error}): save it as CSV again"
        ) from error
    filled = [(n, row) for n, row in enumerate(rows, 1) if any(cell.strip() for cell in row)]
    if not filled:
        raise AccuracyError(f"'{path.name}' is empty: give a table with a row of column names")
    names = [name.strip() for name in filled[0][1]]
    _refuse_repeated(path.name, names)
    uneven = next(((n, row) for n, row in filled if len(row) != len(names)), None)
    if uneven is not None:
        raise AccuracyError(
            f"'{path.name}' has {len(uneven[1])} cells in row {uneven[0]}, but {len(names)} "
            "columns: put text with commas between quotes"
        )
    return names, [row for _, row in filled[1:]], delimiter


def _refuse_repeated(name: str, names: Sequence[str]) -> None:
    times = Counter(column.casefold() for column in names if column)
    twice = [column for column, n in times.items() if n > 1]
    if twice:
        raise AccuracyError(
            f"'{name}' has several columns called '{twice[0]}': rename all but one of them"
        )


def _numbers(
    name: str, cells: NDArray[np.object_], axis: str, *, decimal_comma: bool
) -> NDArray[np.float64]:
    numbers = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        text = cell.replace(",", ".") if cell is not None and decimal_comma else cell
        try:
            numbers[row] = np.nan if text is None else float(text)
        except ValueError as error:
            raise AccuracyError(
                f"'{name}' has {axis} = '{cell}' in row {row + 2}, which is no number: write "
                "coordinates as 12.345"
            ) from error
    return numbers


def _crs(name: str, columns: Mapping[str, NDArray[Any]], column: str | None) -> str | None:
    found = sorted({str(v) for v in columns[column] if v is not None}) if column else []
    if len(found) > 1:
        raise AccuracyError(
            f"'{name}' is in several coordinate systems ({', '.join(found[:5])}): bring all "
            "points to one first"
        )
    return found[0] if found else None
