"""sample_of_points: the units of a reference as the sample that their design takes them for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.assess.design_choice import MappedClasses
from rs_workbench.accuracy.design.file import stratum_names
from rs_workbench.accuracy.design.words import unique_names
from rs_workbench.accuracy.reference.raster_pair import open_map
from rs_workbench.accuracy.reference.raster_places import locate
from rs_workbench.accuracy.reference.raster_reference import UnitCounts
from rs_workbench.accuracy.reference.vector_file import VectorReference
from rs_workbench.accuracy.sample import Design, Sample, make_sample
from rs_workbench.raster_area import scene_area_ha


def sample_of_points(
    counts: UnitCounts,
    points: VectorReference,
    design: Design,
    *,
    mapped: MappedClasses,
    map_path: Path,
) -> Sample:
    """Give points the columns that their design needs.

    Parameters
    ----------
    counts : UnitCounts
        Points beside the map.
    points : VectorReference
        The points.
    design : Design
        How they were chosen.
    mapped : MappedClasses
        The map; where the table names no strata, its classes are taken for them.
    map_path : Path
        Its file.

    Returns
    -------
    Sample
        Strata by the names of the design; the area of each pixel where pixels differ in it.
    """
    columns: dict[str, NDArray[Any]] = dict(counts.columns)
    stratum = columns.pop("stratum", None)
    if design.strata:
        if stratum is None:
            names = np.array(list(unique_names(mapped.legend, "en").values()))
            columns["stratum"] = names[counts.map_class]
        else:
            columns["stratum"] = stratum_names(stratum, design)
    elif stratum is not None:
        columns["stratum"] = stratum
    if design.equal_area:
        columns.pop("size", None)
    elif "size" not in columns:
        columns["size"] = _pixel_area(points, counts, map_path)
    return make_sample(counts.map_class, counts.reference, counts.n_classes, **columns)


def _pixel_area(
    points: VectorReference, counts: UnitCounts, map_path: Path
) -> NDArray[np.float64]:
    scene = open_map(map_path)
    row, _, _ = locate(scene, points, counts.rows)
    by_row = scene_area_ha(scene)
    area: NDArray[np.float64] = np.broadcast_to(np.asarray(by_row), scene.shape[:1])[row]
    return area
