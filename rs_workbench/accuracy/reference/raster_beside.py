"""A second map on the very pixels on which the first one was compared.

Only so can two maps be set side by side: the second one is brought to the pixels of the first,
looked at where the first has a class and the reference a label, and counts as wrong where it has
none itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.reference.label_values import NOTHING, LabelValues
from rs_workbench.accuracy.reference.raster_pair import (
    PairWindow,
    RasterPair,
    iter_pair,
    open_pair,
)
from rs_workbench.accuracy.reference.raster_places import refuse_strange
from rs_workbench.accuracy.reference.raster_tally import class_index, cut_blocks
from rs_workbench.accuracy.reference.raster_windows import Window, list_windows
from rs_workbench.card import LegendClass
from rs_workbench.progress import OnProgress


def open_beside(
    map_path: str | Path,
    other_path: str | Path,
    *,
    resample: str | None = None,
    map_nodata: tuple[float, ...] = (),
) -> RasterPair:
    """Find how a second map lies on a first one.

    Parameters
    ----------
    map_path, other_path : str or Path
        Class maps.
    resample : {'nearest', 'majority'}, optional
        How to bring the second one to the grid of the first where the two differ.
    map_nodata : tuple of float
        Values of both that mean no class, beside the declared ones and 255.

    Returns
    -------
    RasterPair
        The first map, and the second one in the place of the reference.

    Raises
    ------
    AccuracyError
        If the two cannot be brought together as asked.
    SceneError
        If a file cannot be opened.
    """
    nothing = LabelValues(unlabelled=(NOTHING, *map_nodata), map_nodata=map_nodata)
    pair = open_pair(map_path, other_path, resample=resample, values=nothing)
    return replace(pair, reference_source=replace(pair.reference_source, role="map"))


class Beside:
    """Classes of a second map in windows of the first.

    Parameters
    ----------
    maps : RasterPair
        From `open_beside`.
    legend : sequence of LegendClass
        The K classes.
    """

    def __init__(self, maps: RasterPair, legend: Sequence[LegendClass]) -> None:
        values = [c.value for c in legend]
        self.maps, self.legend, self.none = maps, legend, len(values)
        self._ours = class_index(maps.map_source.axis, values).astype(np.uint8)
        self._theirs = class_index(maps.reference_source.axis, values).astype(np.uint8)

    def classes(self, part: PairWindow) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Give the classes of both maps.

        Parameters
        ----------
        part : PairWindow
            A window of both.

        Returns
        -------
        first, second : ndarray of uint8, shape (height, width)
            Indices in the legend; K where there is none.

        Raises
        ------
        AccuracyError
            If the second map holds a value that is not in the legend.
        """
        second = np.full(part.map_codes.shape, self.none, np.uint8)
        if part.inside is not None and part.reference is not None:
            refuse_strange(self.maps.reference_source, part.reference.ravel(), self.legend)
            second[_within(part)] = self._theirs[part.reference]
        return self._ours[part.map_codes], second


def _within(part: PairWindow) -> tuple[slice, slice]:
    assert part.inside is not None
    top, left = part.inside[0] - part.window[0], part.inside[1] - part.window[1]
    return slice(top, top + part.inside[2]), slice(left, left + part.inside[3])


def count_beside(
    pair: RasterPair,
    maps: RasterPair,
    legend: Sequence[LegendClass],
    *,
    block: int,
    on_progress: OnProgress | None = None,
) -> NDArray[np.int64]:
    """Count what a second map says on the pixels that the first is compared on.

    Parameters
    ----------
    pair : RasterPair
        First map and reference.
    maps : RasterPair
        First and second map, from `open_beside`.
    legend : sequence of LegendClass
        The K classes.
    block : int
        Side of a spatial block, px.
    on_progress : callable, optional
        Called with (windows done, windows).

    Returns
    -------
    ndarray of int64, shape (R, C, K + 1, K + 1)
        Confusion of the second map in each block; its last row counts the pixels where it has no
        class, its last column is 0.

    Raises
    ------
    AccuracyError
        If the second map holds a value that is not in the legend, or a raster cannot be read.
    """
    beside, k = Beside(maps, legend), len(legend)
    labels = class_index(pair.reference_source.axis, [c.value for c in legend]).astype(np.uint8)
    blocks = np.zeros((*(-(-side // block) for side in pair.shape), k + 1, k + 1), np.int64)
    scenes = [s.scene for s in (pair.map_source, pair.reference_source, maps.reference_source)]
    windows = list_windows(scenes, side=block)
    both_pairs = zip(iter_pair(pair, windows), iter_pair(maps, windows), strict=True)
    for done, (part, both) in enumerate(both_pairs, 1):
        first, second = beside.classes(both)
        if part.inside is not None and part.reference is not None:
            truth = labels[part.reference]
            compared = (first[_within(part)] < k) & (truth < k)
            cells = second[_within(part)] * np.int32(k + 1) + truth
            _add_blocks(blocks, np.where(compared, cells, -1), part.inside, block)
        if on_progress is not None:
            on_progress(done, len(windows))
    return blocks


def _add_blocks(
    blocks: NDArray[np.int64], cells: NDArray[np.int32], inside: Window, block: int
) -> None:
    """Add cells of the matrix, -1 for none, to the blocks that they lie in."""
    top, left, height, width = inside
    size = blocks.shape[-1]
    for rows in cut_blocks(top, height, block):
        for cols in cut_blocks(left, width, block):
            here = cells[rows[0] - top : rows[1] - top, cols[0] - left : cols[1] - left]
            counted = np.bincount(here.ravel() + 1, minlength=size**2 + 1)[1:]
            blocks[rows[0] // block, cols[0] // block] += counted.reshape(size, size)
