"""write_sample: a sample as a GeoPackage that QGIS opens ready to label.

The design lies in the same file, in the table `rsw_design`, and once more beside it, so that a
sample exported to CSV keeps it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.design.file import (
    DESIGN_TABLE,
    design_beside,
    first_row,
    read_design,
    stratum_codes,
    stratum_names,
)
from rs_workbench.accuracy.design.sample_style import Language, sample_qml
from rs_workbench.accuracy.sample import Design
from rs_workbench.errors import OutputError

__all__ = [
    "LAYER",
    "SampleLook",
    "SampleTable",
    "check_output",
    "count_labels",
    "design_beside",
    "read_design",
    "stratum_codes",
    "stratum_names",
    "write_sample",
]

LAYER = "sample"
_STYLES_TABLE = "layer_styles"
_GEOMETRY = "geom"
_GPKG_VERSION = "1.2"  # of newer ones the QGIS of many a training room warns


@dataclass(frozen=True)
class SampleTable:
    """Units to label, one row each, in the order of their ids.

    Attributes
    ----------
    x, y : ndarray of float64, shape (n,)
        Centres of the pixels, in the map's coordinates.
    row, col : ndarray of int64, shape (n,)
        Pixels of the map, from 0.
    stratum : ndarray of str, shape (n,), or None
        Names of their strata; None where the design has none, then there is no such column.
    inclusion_probability : ndarray of float64, shape (n,)
        Probability with which the design takes each.
    map_class : ndarray of int64, shape (n,)
        Values of the map; written only where asked for.
    area_ha : ndarray of float64, shape (n,), or None
        Area of each pixel, where they differ.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    stratum: NDArray[np.str_] | None
    inclusion_probability: NDArray[np.float64]
    map_class: NDArray[np.int64]
    area_ha: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class SampleLook:
    """How a sample is shown to the person who labels it.

    Attributes
    ----------
    class_names : mapping of int to str
        Classes to choose from, by value.
    pixel_side : float or None
        Side of a pixel in map units, where pixels are square and lie along the axes.
    show_map_class : bool
        Write the map's class and the names of the strata; otherwise strata have codes.
    lang : {'en', 'zh'}
        Language of the form.
    """

    class_names: Mapping[int, str]
    pixel_side: float | None = None
    show_map_class: bool = False
    lang: Language = "en"


def write_sample(
    path: str | Path,
    table: SampleTable,
    *,
    design: Design,
    look: SampleLook,
    overwrite: bool = False,
) -> tuple[Path, Path]:
    """Write a sample, whole or not at all.

    Parameters
    ----------
    path : str or Path
        GeoPackage to write.
    table : SampleTable
        The units.
    design : Design
        How they were chosen; its `crs` is that of the points.
    look : SampleLook
        What the person who labels sees.
    overwrite : bool
        Replace an existing file, unless labels are in it.

    Returns
    -------
    gpkg, json : Path
        The sample, and the design beside it.

    Raises
    ------
    OutputError
        If a file is there already or cannot be written.
    """
    out, beside = Path(path), design_beside(path)
    check_output(out, overwrite=overwrite)
    partial = out.with_name(f"{out.stem}.partial{out.suffix}")
    text = design.model_dump_json(indent=2, exclude_none=True)
    columns = _columns(table, design, look)
    fields = ["fid", *columns]
    qml = sample_qml(fields, look.class_names, pixel_side=look.pixel_side, lang=look.lang)
    part = beside.with_name(f"{beside.name}.part")
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        partial.unlink(missing_ok=True)
        _write_points(partial, table, columns, design.crs)
        _write_rows(partial, DESIGN_TABLE, {"design": text})
        _write_rows(partial, _STYLES_TABLE, _style_row(qml))
        part.write_text(text + "\n", encoding="utf-8")
        partial.replace(out)
        part.replace(beside)
    except (DataSourceError, DataLayerError, OSError) as error:
        raise OutputError(
            f"'{out}' cannot be written ({error}): make room or choose another folder"
        ) from error
    finally:
        for scratch in (partial, part, *_journals(partial)):
            scratch.unlink(missing_ok=True)
    return out, beside


def check_output(out: Path, *, overwrite: bool) -> None:
    """Refuse to write where something would be lost.

    Parameters
    ----------
    out : Path
        Sample to be written.
    overwrite : bool
        An existing file may be replaced; labels never are.

    Raises
    ------
    OutputError
        If the folder is missing, the file exists, or holds labels.
    """
    if not out.absolute().parent.is_dir():
        raise OutputError(
            f"'{out}' cannot be written: there is no folder '{out.absolute().parent}', make it "
            "first"
        )
    for existing in (out, design_beside(out)):
        if existing.exists() and not overwrite:
            raise OutputError(
                f"'{existing}' exists already: choose another name, or --overwrite to replace it"
            )
    labels = count_labels(out)
    if labels:
        raise OutputError(
            f"'{out}' holds {labels} label{'' if labels == 1 else 's'}, which --overwrite would "
            "destroy: move the file away or choose another name"
        )


def count_labels(path: Path) -> int:
    """Count the units of a sample that have a label.

    Parameters
    ----------
    path : Path
        A GeoPackage as `write_sample` writes it.

    Returns
    -------
    int
        0 also where it is none.
    """
    query = f'SELECT count(*) FROM "{LAYER}" WHERE reference IS NOT NULL OR alternate IS NOT NULL'
    found = first_row(path, query)
    return int(found[0]) if found else 0


def _journals(database: Path) -> list[Path]:
    return [Path(f"{database}{ending}") for ending in ("-journal", "-wal", "-shm")]


def _columns(
    table: SampleTable, design: Design, look: SampleLook
) -> dict[str, tuple[NDArray[Any], NDArray[np.bool_] | None]]:
    """Columns with the mask of their empty cells."""
    n = len(table)
    empty = np.ones(n, bool)
    columns: dict[str, tuple[NDArray[Any], NDArray[np.bool_] | None]] = {
        "id": (np.arange(1, n + 1, dtype=np.int32), None),
        "reference": (np.zeros(n, np.int32), empty),
        "alternate": (np.zeros(n, np.int32), empty),
        "confidence": (np.full(n, None, object), None),
        "note": (np.full(n, None, object), None),
        "inclusion_probability": (table.inclusion_probability, None),
        "row": (table.row, None),
        "col": (table.col, None),
    }
    if table.stratum is not None:
        codes = stratum_codes(design)
        shown = [s if look.show_map_class else codes[s] for s in table.stratum.tolist()]
        columns["stratum"] = (np.array(shown, object), None)
    if table.area_ha is not None:
        columns["area_ha"] = (table.area_ha, None)
    if look.show_map_class:
        columns["map_class"] = (table.map_class.astype(np.int32), None)
    return columns


def _write_points(
    path: Path,
    table: SampleTable,
    columns: Mapping[str, tuple[NDArray[Any], NDArray[np.bool_] | None]],
    crs: str | None,
) -> None:
    import shapely
    from pyogrio.raw import write

    values, masks = zip(*columns.values(), strict=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="'crs' was not provided")
        write(
            str(path),
            shapely.to_wkb(shapely.points(table.x, table.y)),
            list(values),
            list(columns),
            field_mask=list(masks),
            layer=LAYER,
            driver="GPKG",
            geometry_type="Point",
            crs=crs,
            layer_options={"GEOMETRY_NAME": _GEOMETRY},
            dataset_options={"VERSION": _GPKG_VERSION},
        )


def _write_rows(path: Path, layer: str, row: Mapping[str, Any]) -> None:
    """Add a table of one row without geometry, so that GDAL enters it in the contents."""
    from pyogrio.raw import write

    values = [np.array([v], dtype=object if isinstance(v, str) else None) for v in row.values()]
    names = list(row)
    write(str(path), None, values, names, layer=layer, driver="GPKG", geometry_type=None)


def _style_row(qml: str) -> dict[str, Any]:
    """Row of the table from which QGIS takes the style of a layer."""
    return {
        "f_table_catalog": "",
        "f_table_schema": "",
        "f_table_name": LAYER,
        "f_geometry_column": _GEOMETRY,
        "styleName": LAYER,
        "styleQML": qml,
        "styleSLD": "",
        "useAsDefault": True,
        "description": "rsw assess design",
        "owner": "",
        "ui": "",
        "update_time": np.datetime64("now", "ms"),
    }
