"""count_map: pixels and area of each class of a whole map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rs_workbench.accuracy.assess.design_choice import MappedClasses
from rs_workbench.accuracy.design.raster_strata import count_strata
from rs_workbench.accuracy.reference.label_values import NOTHING
from rs_workbench.card import LegendClass
from rs_workbench.errors import AccuracyError

if TYPE_CHECKING:
    from rs_workbench.progress import OnProgress


def count_map(
    path: Path,
    legend: Sequence[LegendClass],
    *,
    nodata: Sequence[float] = (),
    on_progress: OnProgress | None = None,
) -> MappedClasses:
    """Count the classes of a map.

    Parameters
    ----------
    path : Path
        The map.
    legend : sequence of LegendClass
        Its classes.
    nodata : sequence of float
        Values that mean no class, beside the declared one and 255.
    on_progress : callable, optional
        Called with (strips done, strips).

    Returns
    -------
    MappedClasses
        In the order of `legend`; classes that are not on the map have none.

    Raises
    ------
    AccuracyError
        If the map holds a value that is not in the legend.
    """
    strata = count_strata(path, nodata=(NOTHING, *nodata), on_progress=on_progress)
    found = dict(zip(strata.values, strata.pixels.tolist(), strict=True))
    strange = sorted(set(found) - {c.value for c in legend})
    if strange:
        raise AccuracyError(
            f"'{path.name}' holds {strange[:5]}, not in its legend "
            f"{[c.value for c in legend]}: add it with --classes, or declare it with --map-nodata"
        )
    areas = None
    if strata.area_ha is not None:
        by_value = dict(zip(strata.values, strata.area_ha.tolist(), strict=True))
        areas = np.array([by_value.get(c.value, 0.0) for c in legend])
    return MappedClasses(
        legend=tuple(legend),
        pixels=np.array([found.get(c.value, 0) for c in legend], np.int64),
        area_ha=areas,
        equal_area=strata.row_area_ha is None,
    )
