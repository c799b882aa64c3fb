"""write_error_points: the units of a reference with what the map says there, for QGIS."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.vector_file import VectorReference
from rs_workbench.card import LegendClass
from rs_workbench.errors import OutputError
from rs_workbench.maps import legend_label

if TYPE_CHECKING:
    from rs_workbench.accuracy.raster_polygons import PolygonCounts
    from rs_workbench.accuracy.raster_reference import UnitCounts

LAYER = "errors"


def write_error_points(
    reference: VectorReference,
    counts: UnitCounts | PolygonCounts,
    legend: Sequence[LegendClass],
    path: str | Path,
) -> Path:
    """Write compared points or polygons with the classes of map and reference.

    Parameters
    ----------
    reference : VectorReference
        The units.
    counts : UnitCounts or PolygonCounts
        What was found under them.
    legend : sequence of LegendClass
        Classes.
    path : str or Path
        GeoPackage to write, in the coordinate system of the reference; an older one is replaced.

    Returns
    -------
    Path
        The file. `row` counts the rows of the reference with a geometry from 1. `correct` is 1
        or 0; of polygons it is the share of their pixels, and `map_class` their commonest class.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    out = Path(path)
    names = np.array([legend_label(c) for c in legend], object)
    columns: dict[str, NDArray[Any]] = {
        "row": counts.rows.astype(np.int32) + 1,
        "reference_class": names[counts.reference],
        **_of_map(counts, names),
    }
    for candidate in ("id", "stratum"):
        if candidate in reference.columns:
            columns[candidate] = reference.columns[candidate][counts.rows]
    partial = out.with_name(f"{out.stem}.partial{out.suffix}")
    try:
        partial.unlink(missing_ok=True)
        _write(partial, reference, counts.rows, columns)
        partial.replace(out)
    except (OSError, RuntimeError, ValueError) as error:
        partial.unlink(missing_ok=True)
        raise OutputError(
            f"'{out}' cannot be written ({str(error).splitlines()[0]}): make room or choose "
            "another folder"
        ) from error
    return out


def _of_map(
    counts: UnitCounts | PolygonCounts, names: NDArray[np.object_]
) -> dict[str, NDArray[Any]]:
    pixels = getattr(counts, "map_counts", None)
    if pixels is None:
        map_class = counts.map_class  # type: ignore[union-attr]
        right = (map_class == counts.reference).astype(np.int32)
        return {"map_class": names[map_class], "correct": right}
    right = pixels[np.arange(len(pixels)), counts.reference]
    total = pixels.sum(axis=1)
    return {
        "map_class": names[pixels.argmax(axis=1)],
        "correct": right / total,
        "pixels": total,
    }


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
