"""boundary_scores: how well the borders of a map lie, over rasters of any size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.boundary import BoundaryScores, score_counts
from rs_workbench.accuracy.boundary_counts import BoundaryCounts
from rs_workbench.accuracy.reference.raster_pair import RasterPair, iter_pair
from rs_workbench.accuracy.reference.raster_tally import class_index
from rs_workbench.accuracy.reference.raster_windows import Window, intersect
from rs_workbench.card import LegendClass
from rs_workbench.errors import UsageError
from rs_workbench.progress import OnProgress
from rs_workbench.raster_ground import ground_pixel_size
from rs_workbench.raster_scene import crs_of

TOLERANCE_PX = 2
"""Distance at which two borders count as one, unless asked otherwise."""
_SIDE = 1024  # of the part that a window answers for, px
_SIDE_IN_HALOS = 4


def boundary_scores(
    pair: RasterPair,
    legend: Sequence[LegendClass],
    *,
    tolerance_m: float | None = None,
    max_distance_m: float | None = None,
    on_progress: OnProgress | None = None,
) -> tuple[BoundaryScores, ...]:
    """Compare the borders of a map and a reference raster, class by class.

    What makes a border and how distances are measured is said in
    `rs_workbench.accuracy.boundary`. Values that are no class of the legend count as nothing to
    compare; `count_pair` refuses them where they are not declared.

    Parameters
    ----------
    pair : RasterPair
        From `open_pair`. Only the part that both cover is looked at; its rim is no border.
    legend : sequence of LegendClass
        Classes, in the order of the scores.
    tolerance_m : float, optional
        Distance at which two borders count as one, and width of the inner band, m; two pixels
        of the map (their longer side) if not given.
    max_distance_m : float, optional
        Longest distance looked at, m; ten times the tolerance if not given, at most 500 pixels.
    on_progress : callable, optional
        Called with (windows done, windows).

    Returns
    -------
    tuple of BoundaryScores
        One for each class. Metres are NaN where the grid has none. A pixel has the size it has at
        the centre of the map; in degrees that is right for maps of a few degrees only.

    Raises
    ------
    UsageError
        If a distance is given in metres, but the grid has none.
    AccuracyError
        If a distance is out of range, or a raster cannot be read.
    """
    scene = pair.map_source.scene
    size = ground_pixel_size(crs_of(scene), scene.transform, scene.shape)
    if size is None and not (tolerance_m is None and max_distance_m is None):
        raise UsageError(
            f"'{scene.name}' has no coordinate system with a length, so borders are compared in "
            f"pixels: got a distance of {tolerance_m or max_distance_m:g} m; leave out "
            "--tolerance, or give the map its coordinate system"
        )
    counts = BoundaryCounts(
        len(legend),
        tolerance=TOLERANCE_PX * max(size or (1.0, 1.0)) if tolerance_m is None else tolerance_m,
        max_distance=max_distance_m,
        pixel_size_m=size,
    )
    _count(pair, legend, counts, on_progress)
    return score_counts(counts)


def _count(
    pair: RasterPair,
    legend: Sequence[LegendClass],
    counts: BoundaryCounts,
    on_progress: OnProgress | None,
) -> None:
    values = [entry.value for entry in legend]
    ours, theirs = (_index(s.axis, values) for s in (pair.map_source, pair.reference_source))
    windows = list_halo_windows(pair.alignment.overlap, counts.halo)
    read = iter_pair(pair, [outer for outer, _ in windows])
    for done, (part, (_, inner)) in enumerate(zip(read, windows, strict=True), 1):
        assert part.reference is not None
        counts.update(ours[part.map_inside], theirs[part.reference], inner)
        if on_progress is not None:
            on_progress(done, len(windows))


def _index(axis: NDArray[np.float64], values: Sequence[int]) -> NDArray[np.int16]:
    index = class_index(axis, values)
    return np.where(index == len(values), -1, index).astype(np.int16)


def list_halo_windows(
    whole: Window, halo: tuple[int, int]
) -> list[tuple[Window, tuple[slice, slice]]]:
    """Cut a part of a raster into windows that see beyond what they answer for.

    Parameters
    ----------
    whole : tuple of int, (row, col, height, width)
        The part; no window leaves it.
    halo : tuple of int, (rows, columns)
        How far a window sees beyond its inner part.

    Returns
    -------
    list of (window, inner)
        The window to read, and the rows and columns within it that it answers for. The inner
        parts cover `whole` without overlap, row after row.

    Examples
    --------
    >>> list_halo_windows((0, 0, 5, 9), (2, 2))
    [((0, 0, 5, 9), (slice(0, 5, None), slice(0, 9, None)))]
    """
    top, left, height, width = whole
    side = max(_SIDE, *(_SIDE_IN_HALOS * n for n in halo))
    found = []
    for row in range(top, top + height, side):
        for col in range(left, left + width, side):
            core = intersect((row, col, side, side), whole)
            wide = (row - halo[0], col - halo[1], side + 2 * halo[0], side + 2 * halo[1])
            outer = intersect(wide, whole)
            assert core is not None
            assert outer is not None
            start = core[0] - outer[0], core[1] - outer[1]
            inner = slice(start[0], start[0] + core[2]), slice(start[1], start[1] + core[3])
            found.append((outer, inner))
    return found
