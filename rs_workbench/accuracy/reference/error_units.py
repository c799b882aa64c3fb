"""write_error_points, write_error_polygons: units of a reference and what the map says there."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.reference.vector_file import VectorReference
from rs_workbench.card import LegendClass
from rs_workbench.errors import OutputError
from rs_workbench.maps import legend_label

if TYPE_CHECKING:
    from rs_workbench.accuracy.reference.raster_polygons import PolygonCounts
    from rs_workbench.accuracy.reference.raster_reference import UnitCounts

LAYER = "errors"


def write_error_points(
    reference: VectorReference,
    counts: UnitCounts,
    legend: Sequence[LegendClass],
    path: str | Path,
) -> Path:
    """Write compared points with the classes of map and reference.

    Parameters
    ----------
    reference : VectorReference
        The points.
    counts : UnitCounts
        What was found under them.
    legend : sequence of LegendClass
        Classes.
    path : str or Path
        GeoPackage to write, in the coordinate system of the reference; an older one is replaced.

    Returns
    -------
    Path
        The file. `row` counts the rows of the reference with a geometry from 1; `correct` is 1
        or 0.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    names = _names(legend)
    columns: dict[str, NDArray[Any]] = {
        "reference_class": names[counts.reference],
        "map_class": names[counts.map_class],
        "correct": (counts.map_class == counts.reference).astype(np.int32),
    }
    return _publish(reference, counts.rows, columns, Path(path))


def write_error_polygons(
    reference: VectorReference,
    counts: PolygonCounts,
    legend: Sequence[LegendClass],
    path: str | Path,
) -> Path:
    """Write compared polygons with the classes of map and reference.

    Parameters
    ----------
    reference : VectorReference
        The polygons.
    counts : PolygonCounts
        What was found inside them.
    legend : sequence of LegendClass
        Classes.
    path : str or Path
        GeoPackage to write, in the coordinate system of the reference; an older one is replaced.

    Returns
    -------
    Path
        The file. `row` counts the rows of the reference with a geometry from 1; `map_class` is
        the commonest class inside, `correct` the share of pixels that are right.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    names, pixels = _names(legend), counts.map_counts
    total = pixels.sum(axis=1)
    columns: dict[str, NDArray[Any]] = {
        "reference_class": names[counts.reference],
        "map_class": names[pixels.argmax(axis=1)],
        "correct": pixels[np.arange(len(pixels)), counts.reference] / total,
        "pixels": total,
    }
    return _publish(reference, counts.rows, columns, Path(path))


def _names(legend: Sequence[LegendClass]) -> NDArray[np.object_]:
    return np.array([legend_label(c) for c in legend], object)


def _publish(
    reference: VectorReference, rows: NDArray[np.intp], columns: dict[str, NDArray[Any]], out: Path
) -> Path:
    """Write the file, whole or not at all."""
    table = {"row": rows.astype(np.int32) + 1, **columns}
    for candidate in ("id", "stratum"):
        if candidate in reference.columns:
            table[candidate] = reference.columns[candidate][rows]
    partial = out.with_name(f"{out.stem}.partial{out.suffix}")
    try:
        partial.unlink(missing_ok=True)
        _write(partial, reference, rows, table)
        partial.replace(out)
    except (OSError, RuntimeError, ValueError) as error:
        partial.unlink(missing_ok=True)
        raise OutputError(
            f"'{out}' cannot be written ({_short(error)}): make room or choose another folder"
        ) from error
    return out


def _short(error: Exception) -> str:
    """Give the end of a message of SQLite, which repeats the query before it."""
    return str(error).splitlines()[0].rpartition("failed: ")[2]


def _write(
    path: Path,
    reference: VectorReference,
    rows: NDArray[np.intp],
    columns: dict[str, NDArray[Any]],
) -> None:
    import shapely
    from pyogrio.raw import write

    kind = "Point"
    geometry = reference.geometry[rows]
    if reference.kind == "polygons":
        kind = "MultiPolygon"
        geometry = np.array([shapely.multipolygons(shapely.get_parts(g)) for g in geometry])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write(
            str(path),
            shapely.to_wkb(geometry),
            list(columns.values()),
            list(columns),
            driver="GPKG",
            layer=LAYER,
            geometry_type=kind,
            crs=reference.crs,
        )
