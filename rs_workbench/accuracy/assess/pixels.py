"""Assess a map against a reference raster: every pixel where both have a class."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.assess.baselines import (
    MIN_PARTS,
    beside,
    enough,
    majority,
    without_class,
)
from rs_workbench.accuracy.assess.options import AssessOptions
from rs_workbench.accuracy.blocks import BlockScores, block_scores
from rs_workbench.accuracy.bootstrap import BootstrapResult, bootstrap_blocks
from rs_workbench.accuracy.boundary import BoundaryScores
from rs_workbench.accuracy.reference.raster_beside import count_beside, open_beside
from rs_workbench.accuracy.reference.raster_boundary import boundary_scores
from rs_workbench.accuracy.reference.raster_count import PairCounts, count_pair
from rs_workbench.accuracy.reference.raster_error_map import write_error_map
from rs_workbench.accuracy.reference.raster_pair import RasterPair, open_pair
from rs_workbench.accuracy.result import Assessment, Baseline
from rs_workbench.accuracy.scores import mean_iou, overall_accuracy
from rs_workbench.card import LegendClass
from rs_workbench.errors import UsageError

if TYPE_CHECKING:
    from rs_workbench.progress import OnProgress


def assess_raster(
    paths: tuple[Path, Path],
    legend: Sequence[LegendClass],
    options: AssessOptions,
    *,
    folder: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Assessment:
    """Compare a map with a reference raster.

    Parameters
    ----------
    paths : tuple of Path
        Map and reference.
    legend : sequence of LegendClass
        Classes.
    options : AssessOptions
        Everything else.
    folder : Path, optional
        Where to write the error map; without it, none is written.
    on_progress : callable, optional
        Called with (windows done, windows) of each pass.

    Returns
    -------
    Assessment
        Figures of the pixels that were compared; no estimate, since pixels of a raster are no
        sample that was drawn.

    Raises
    ------
    AccuracyError
        If the two cannot be compared.
    UsageError
        If a sampling design was named.
    """
    if options.design not in (None, "none"):
        raise UsageError(
            f"--design {options.design} needs a sample of points or polygons, but the reference "
            f"'{paths[1].name}' is a raster, of which every pixel is compared: leave it out"
        )
    pair = open_pair(*paths, resample=options.resample, values=options.values)
    block = options.block or choose_block(pair.shape)
    counts = count_pair(pair, legend, block=block, on_progress=on_progress)
    if folder is not None:
        write_error_map(pair, legend, folder / "error_map.tif", on_progress=on_progress)
    area = counts.mapped_area_ha
    baselines = tuple(_baselines(pair, legend, counts, options, on_progress))
    return Assessment(
        map_name=paths[0].name,
        reference_name=paths[1].name,
        legend=tuple(legend),
        kind="raster",
        unit="pixel",
        counts=counts.confusion.matrix,
        mapped_pixels=tuple(counts.mapped_pixels.tolist()),
        mapped_area_ha=None if area is None else tuple(area.tolist()),
        map_nodata=counts.confusion.map_nodata,
        unlabelled=counts.confusion.unlabelled,
        out_of_scope=counts.confusion.out_of_scope,
        outside=counts.outside,
        blocks=_block_scores(counts),
        resampled=resampled(_listed(counts.blocks), options),
        boundary=_boundary(pair, legend, options, on_progress),
        baselines=baselines,
        grid_policy=pair.grid_policy,
        warnings=(*pair.warnings, *without_class(baselines, int(counts.confusion.matrix.sum()))),
        settings=options.changed(),
    )


def _block_scores(counts: PairCounts) -> BlockScores:
    """Score the blocks, without those that hold next to nothing, where enough others are left."""
    pixels = counts.blocks.sum(axis=(2, 3))
    least = counts.block_px**2 // 100
    if np.count_nonzero(pixels >= least) < MIN_PARTS:
        least = 1
    sides = (counts.block_px, counts.block_px)
    return block_scores(counts.blocks, block_px=sides, min_pixels=max(1, least))


def resampled(parts: NDArray[np.int64], options: AssessOptions) -> dict[str, BootstrapResult]:
    """Tell how uncertain scores are, from whole parts drawn anew.

    Parameters
    ----------
    parts : ndarray of int64, shape (n, K, K)
        Confusion of each block or polygon.
    options : AssessOptions
        Draws, seed and level.

    Returns
    -------
    dict of str to BootstrapResult
        Overall accuracy and mean IoU; empty where there are too few parts.
    """
    if not enough(parts):
        return {}
    return {
        name: bootstrap_blocks(
            score,
            parts,
            n_draws=options.draws,
            seed=options.seed,
            confidence=options.confidence,
        )
        for name, score in (("overall_accuracy", overall_accuracy), ("mean_iou", mean_iou))
    }


def _boundary(
    pair: RasterPair,
    legend: Sequence[LegendClass],
    options: AssessOptions,
    on_progress: OnProgress | None,
) -> tuple[BoundaryScores, ...] | None:
    if not options.boundary:
        return None
    return boundary_scores(pair, legend, tolerance_m=options.tolerance_m, on_progress=on_progress)


def choose_block(shape: tuple[int, int]) -> int:
    """Choose the side of spatial blocks so that there are about a hundred.

    Parameters
    ----------
    shape : tuple of int, (H, W)
        Size of the map, px.

    Returns
    -------
    int
        Pixels; whole blocks of common files where the map is large.

    Examples
    --------
    >>> choose_block((20_000, 20_000)), choose_block((1536, 2048)), choose_block((40, 60))
    (2048, 192, 32)
    """
    side = math.sqrt(shape[0] * shape[1] / 100)
    step = 512 if side > 512 else 32
    return step * math.ceil(side / step)


def _baselines(
    pair: RasterPair,
    legend: Sequence[LegendClass],
    counts: PairCounts,
    options: AssessOptions,
    on_progress: OnProgress | None,
) -> Iterator[Baseline]:
    mine = _listed(counts.blocks)
    yield beside("majority", (mine, majority(mine)), options)
    if options.compare is None:
        return
    maps = open_beside(
        pair.map_source.scene.path,
        options.compare,
        resample=options.resample,
        map_nodata=options.values.map_nodata,
    )
    theirs = count_beside(pair, maps, legend, block=counts.block_px, on_progress=on_progress)
    yield beside(Path(options.compare).name, (mine, _listed(theirs)), options)


def _listed(blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Blocks one after another, (n, K, K)."""
    return blocks.reshape(-1, *blocks.shape[-2:])
