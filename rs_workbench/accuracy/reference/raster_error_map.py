"""write_error_map: where a map is wrong, and what the reference says there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rs_workbench import maps
from rs_workbench.accuracy.reference.legend import error_legend
from rs_workbench.accuracy.reference.raster_pair import PairWindow, RasterPair, iter_pair
from rs_workbench.accuracy.reference.raster_tally import class_index
from rs_workbench.accuracy.reference.raster_windows import list_windows
from rs_workbench.card import LegendClass
from rs_workbench.errors import AccuracyError, OutputError
from rs_workbench.progress import OnProgress
from rs_workbench.raster_vrt import RasterSpec
from rs_workbench.raster_write import finish_raster
from rs_workbench.types import NODATA

_MAX_CLASSES = NODATA - 1


def write_error_map(
    pair: RasterPair,
    legend: Sequence[LegendClass],
    path: str | Path,
    *,
    on_progress: OnProgress | None = None,
) -> Path:
    """Write a map of the errors on the grid of the map, with names and style beside it.

    Parameters
    ----------
    pair : RasterPair
        From `open_pair`.
    legend : sequence of LegendClass
        Classes of the map; their order gives the values, see `error_legend`.
    path : str or Path
        Cloud Optimized GeoTIFF to write; an older one is replaced.
    on_progress : callable, optional
        Called with (windows done, windows).

    Returns
    -------
    Path
        The file; 255 where nothing can be compared.

    Raises
    ------
    AccuracyError
        If there are more than 254 classes, or a raster cannot be read.
    OutputError
        If the file cannot be written.
    """
    if len(legend) > _MAX_CLASSES:
        raise AccuracyError(
            f"an error map shows {_MAX_CLASSES} classes at most: got {len(legend)}; join some of "
            "them first"
        )
    out, classes = Path(path), error_legend(legend)
    raw = out.with_name(f"{out.name}.raw")
    try:
        _write_flat(pair, legend, raw, on_progress)
        finish_raster(raw, out, pair.map_source.scene, RasterSpec.class_map(classes))
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"'{out}' cannot be written ({error.strerror}): make room or choose another folder"
        ) from error
    finally:
        raw.unlink(missing_ok=True)
    maps.write_class_names(out, classes)
    maps.write_qml(out, classes)
    return out


def _write_flat(
    pair: RasterPair, legend: Sequence[LegendClass], raw: Path, on_progress: OnProgress | None
) -> None:
    values = [c.value for c in legend]
    tables = [
        class_index(source.axis, values).astype(np.uint8)
        for source in (pair.map_source, pair.reference_source)
    ]
    windows = list_windows([pair.map_source.scene, pair.reference_source.scene])
    width = pair.shape[1]
    with raw.open("wb") as file:
        for done, part in enumerate(iter_pair(pair, windows), 1):
            errors = _errors(part, tables, len(legend))
            top, left = part.window[:2]
            for row, line in enumerate(errors, top):
                file.seek(row * width + left)
                file.write(line.tobytes())
            if on_progress is not None:
                on_progress(done, len(windows))


def _errors(
    part: PairWindow, tables: Sequence[NDArray[np.uint8]], n_classes: int
) -> NDArray[np.uint8]:
    """Values of the error map in one window."""
    errors = np.full(part.map_codes.shape, NODATA, np.uint8)
    if part.inside is None or part.reference is None:
        return errors
    ours, theirs = tables[0][part.map_inside], tables[1][part.reference]
    found = np.where(ours == theirs, 0, theirs + 1)
    found[(ours == n_classes) | (theirs == n_classes)] = NODATA
    row, col = part.inside[0] - part.window[0], part.inside[1] - part.window[1]
    errors[row : row + part.inside[2], col : col + part.inside[3]] = found
    return errors
