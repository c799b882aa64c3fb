"""count_pair: the confusion of a map and a reference raster, in one pass over both.

All sums are integers, areas too, so that any way of cutting the rasters into windows gives the
same figures to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.confusion import Confusion
from rs_workbench.accuracy.counting import ByteCounter
from rs_workbench.accuracy.reference.raster_pair import PairWindow, RasterPair, iter_pair
from rs_workbench.accuracy.reference.raster_tally import (
    AreaTally,
    class_index,
    cut_blocks,
    fold,
)
from rs_workbench.accuracy.reference.raster_windows import list_windows
from rs_workbench.card import LegendClass
from rs_workbench.errors import AccuracyError, UsageError
from rs_workbench.progress import OnProgress
from rs_workbench.raster_area import scene_area_ha

_BLOCKS_BYTES = 32 << 20


@dataclass(frozen=True)
class PairCounts:
    """What a pass over a map and its reference counted.

    Attributes
    ----------
    confusion : Confusion
        All compared pixels, and those left out.
    blocks : ndarray of int64, shape (R, C, K, K)
        Confusion of each square block of the map, in rows and columns of blocks.
    block_px : int
        Side of a block, px; those at the lower and right rim may be smaller.
    mapped_pixels : ndarray of int64, shape (K,)
        Pixels of each class on the whole map, beyond the reference, too.
    map_nodata_pixels : int
        Pixels without class on the whole map.
    mapped_area_ha : ndarray of float64, shape (K,), or None
        Area of the same; None where the size of pixels is unknown.
    area_ha : ndarray of float64, shape (K, K), or None
        Area of each cell of the matrix.
    equal_area : bool
        Whether all pixels cover the same area.
    outside : int
        Pixels of the reference beyond the map.
    """

    confusion: Confusion
    blocks: NDArray[np.int64]
    block_px: int
    mapped_pixels: NDArray[np.int64]
    map_nodata_pixels: int
    mapped_area_ha: NDArray[np.float64] | None
    area_ha: NDArray[np.float64] | None
    equal_area: bool
    outside: int


def count_pair(
    pair: RasterPair,
    legend: Sequence[LegendClass],
    *,
    block: int = 1024,
    on_progress: OnProgress | None = None,
) -> PairCounts:
    """Count how often the map says one class where the reference says another.

    Parameters
    ----------
    pair : RasterPair
        From `open_pair`.
    legend : sequence of LegendClass
        Classes, in the order of the matrix.
    block : int
        Side of a spatial block, px; doubled until the matrices of all blocks fit into 32 MiB.
        It changes no total.
    on_progress : callable, optional
        Called with (windows done, windows).

    Returns
    -------
    PairCounts
        Matrices, mapped pixels and areas.

    Raises
    ------
    AccuracyError
        If a value is no class of the legend and not declared as anything else, or the rasters
        have no labelled pixel in common.
    UsageError
        If `block` is below 1.
    """
    if block < 1:
        raise UsageError(f"a block must be at least 1 pixel wide: got --block {block}")
    tally = _Tally(pair, legend, block)
    scenes = pair.map_source.scene, pair.reference_source.scene
    windows = list_windows(scenes, side=tally.block)
    for done, part in enumerate(iter_pair(pair, windows), 1):
        tally.add(part)
        if on_progress is not None:
            on_progress(done, len(windows))
    return tally.finish()


class _Tally:
    """Sums of all windows so far."""

    def __init__(self, pair: RasterPair, legend: Sequence[LegendClass], block: int) -> None:
        self.pair, self.values = pair, tuple(c.value for c in legend)
        self.map_axis, self.reference_axis = pair.map_source.axis, pair.reference_source.axis
        self.map_index = class_index(self.map_axis, self.values)
        self.reference_index = class_index(self.reference_axis, self.values)
        self.counter = ByteCounter()
        self.joint = np.zeros((256, 256), np.int64)
        self.map_counts = np.zeros(256, np.int64)
        self.block = _block_that_fits(pair.shape, len(legend), block)
        grid = [math.ceil(side / self.block) for side in pair.shape]
        self.blocks = np.zeros((*grid, len(legend), len(legend)), np.int64)
        pixel_ha = scene_area_ha(pair.map_source.scene)
        self.pixel_ha = pixel_ha if isinstance(pixel_ha, float) else None
        self.areas = None
        if isinstance(pixel_ha, np.ndarray):
            self.areas = AreaTally(pixel_ha, pair.shape[1], len(legend))

    def add(self, part: PairWindow) -> None:
        """Count one window."""
        inside = self._count_inside(part)
        if part.inside == part.window:
            self.map_counts += inside.sum(axis=1)
        else:
            self.map_counts += np.bincount(part.map_codes.ravel(), minlength=256)
        if self.areas is not None:
            self.areas.add(part, self.map_index, self.reference_index)

    def _count_inside(self, part: PairWindow) -> NDArray[np.int64]:
        """Count the part that the reference covers, block by block."""
        total = np.zeros((256, 256), np.int64)
        if part.inside is None or part.reference is None:
            return total
        ours = part.map_inside
        top, left, height, width = part.inside
        for rows in cut_blocks(top, height, self.block):
            for cols in cut_blocks(left, width, self.block):
                here = slice(rows[0] - top, rows[1] - top), slice(cols[0] - left, cols[1] - left)
                counted = self.counter.count(ours[here], part.reference[here])
                place = rows[0] // self.block, cols[0] // self.block
                self.blocks[place] += fold(
                    counted, self.map_index, self.reference_index, len(self.values)
                )
                total += counted
        self.joint += total
        return total

    def finish(self) -> PairCounts:
        """Check what was found and give it in classes."""
        self._check_map()
        confusion = Confusion(
            len(self.values), values=self.values, nodata=np.nan, ignore=np.nan, out_of_scope=np.inf
        )
        self._check_reference()
        confusion.add_counts(self.joint, self.map_axis, self.reference_axis)
        self._check_common(confusion)
        k = len(self.values)
        mapped = np.bincount(self.map_index, self.map_counts, minlength=k + 1)[:k]
        mapped_pixels = mapped.astype(np.int64)
        mapped_ha, area_ha = self._areas(mapped_pixels, confusion.matrix)
        return PairCounts(
            confusion=confusion,
            blocks=self.blocks,
            block_px=self.block,
            mapped_pixels=mapped_pixels,
            map_nodata_pixels=int(self.map_counts[np.isnan(self.map_axis)].sum()),
            mapped_area_ha=mapped_ha,
            area_ha=area_ha,
            equal_area=self.areas is None,
            outside=self.pair.outside,
        )

    def _areas(
        self, mapped: NDArray[np.int64], matrix: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
        if self.areas is not None:
            return self.areas.mapped_ha, self.areas.matrix_ha
        if self.pixel_ha is None:
            return None, None
        ha = np.float64(self.pixel_ha)
        return np.multiply(mapped, ha), np.multiply(matrix, ha)

    def _check_map(self) -> None:
        other = (self.map_index == len(self.values)) & ~np.isnan(self.map_axis)
        strange = np.flatnonzero(other & (self.map_counts > 0))
        if strange.size:
            shown = ", ".join(
                f"{self.map_axis[code]:g} ({self.map_counts[code]} px)" for code in strange[:5]
            )
            raise AccuracyError(
                f"'{self.pair.map_source.scene.name}' holds {shown}, not in its legend "
                f"{list(self.values)}: add it with --classes, or declare it with --map-nodata"
            )

    def _check_reference(self) -> None:
        axis, n = self.reference_axis, len(self.values)
        other = (self.reference_index == n) & np.isfinite(axis)
        strange = np.flatnonzero(other & self.joint.any(axis=0))
        if strange.size:
            pixels = self.joint.sum(axis=0)
            shown = ", ".join(f"{axis[code]:g} ({pixels[code]} px)" for code in strange[:5])
            raise AccuracyError(
                f"the reference '{self.pair.reference_source.scene.name}' holds {shown}, which "
                f"are no classes of the map {list(self.values)}: declare them with --unlabelled "
                "or --out-of-scope, translate with --recode, or name all classes with --classes"
            )

    def _check_common(self, confusion: Confusion) -> None:
        if not confusion.matrix.any():
            names = [s.scene.name for s in (self.pair.map_source, self.pair.reference_source)]
            raise AccuracyError(
                f"'{names[0]}' and '{names[1]}' have no labelled pixel in common: "
                f"{confusion.unlabelled} pixels are unlabelled, {confusion.out_of_scope} out of "
                f"scope, {confusion.map_nodata} labelled ones lie on nodata of the map; check "
                "--unlabelled and the place of the reference"
            )


def _block_that_fits(shape: tuple[int, int], n_classes: int, block: int) -> int:
    while math.prod(math.ceil(n / block) for n in shape) * n_classes**2 * 8 > _BLOCKS_BYTES:
        if block >= max(shape):
            break
        block *= 2
    return block
