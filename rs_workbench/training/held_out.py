"""Held-out chips: scored once, when all choices have been made, beside the baselines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy import confusion_matrix, mean_iou, overall_accuracy
from rs_workbench.accuracy.assess.baselines import MIN_PARTS, beside, enough
from rs_workbench.accuracy.assess.options import AssessOptions
from rs_workbench.accuracy.assess.pixels import resampled
from rs_workbench.accuracy.blocks import BlockScores, block_scores
from rs_workbench.accuracy.result import Assessment
from rs_workbench.card import HeldOut
from rs_workbench.training.baselines import (
    NO_FOREST,
    Forest,
    fit_forest,
    has_scikit_learn,
    majority_class,
    majority_counts,
)
from rs_workbench.training.held_out_blocks import Grouping, HeldOutBlocks, group_chips
from rs_workbench.training.loader import part_batches
from rs_workbench.training.validation import score_batch
from tiling.label_index import IGNORE

if TYPE_CHECKING:
    from rs_workbench.progress import OnProgress
    from rs_workbench.training.data import TrainingData
    from rs_workbench.training.learner import Learner
    from tiling.chips import Chip

MODEL = "model"
BASELINES: tuple[str, ...] = ("majority", "forest")
LEAST_PART = 100
"""Blocks with fewer labels than one pixel in so many are not listed, where others are enough."""
Counts = dict[str, NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class HeldOutResult:
    """How the network does on ground that was kept out of training.

    Attributes
    ----------
    confusion : ndarray of int64, shape (K, K)
        Rows map, columns reference.
    blocks : HeldOutBlocks
        The same by block.
    baselines : dict of str to HeldOutBlocks
        "majority" and, where there is one, "forest", on the same pixels.
    forest : str
        What the forest is, in words; empty without one.
    assessment : Assessment
        All of it, for the report.
    warnings : tuple of str
        What the reader must know, one sentence each.
    """

    confusion: NDArray[np.int64]
    blocks: HeldOutBlocks
    baselines: dict[str, HeldOutBlocks]
    forest: str
    assessment: Assessment
    warnings: tuple[str, ...]


def score_held_out(
    learner: Learner, data: TrainingData, *, on_progress: OnProgress | None = None
) -> HeldOutResult:
    """Score the network and the baselines on the held-out chips.

    Parameters
    ----------
    learner : Learner
        With the weights that are kept.
    data : TrainingData
        Gives the chips, and the training pixels for the baselines.
    on_progress : callable, optional
        Called with (chips done, chips).

    Returns
    -------
    HeldOutResult
        Scores with intervals from whole blocks drawn anew, where there are enough of them.
    """
    forest = fit_forest(data)
    chips, counts = _count_chips(learner, data, forest, on_progress)
    counts["majority"] = majority_counts(counts[MODEL], majority_class(data))
    block = data.split.block if data.split is not None else None
    grouping = group_chips(chips, data.settings.tile, block=block, origins=data.origins)
    blocks = {name: grouping.add_up(found) for name, found in counts.items()}
    model = blocks.pop(MODEL)
    baselines = {name: blocks[name] for name in BASELINES if name in blocks}
    total = model.confusion.sum(axis=0)
    warnings = tuple(_warnings(data, model))
    return HeldOutResult(
        confusion=total,
        blocks=model,
        baselines=baselines,
        forest="" if forest is None else forest.words,
        assessment=_assessment(
            data, grouping, (model, baselines if total.any() else {}), warnings
        ),
        warnings=warnings,
    )


def _count_chips(
    learner: Learner,
    data: TrainingData,
    forest: Forest | None,
    on_progress: OnProgress | None,
) -> tuple[list[Chip], Counts]:
    """Count each chip by each map, (n_chips, K, K); chips without a label are left out."""
    chips: list[Chip] = []
    found: dict[str, list[NDArray[np.int64]]] = {MODEL: []}
    if forest is not None:
        found["forest"] = []
    done = 0
    for batch in part_batches(data, data.held_out):
        maps = {MODEL: score_batch(learner, batch.images).argmax(axis=1).astype(np.uint8)}
        labelled = batch.labels != IGNORE
        if forest is not None:
            maps["forest"] = forest.predict(batch.images, labelled)
        for at in np.flatnonzero(labelled.any(axis=(1, 2))):
            chips.append(batch.chips[at])
            for name, labels in maps.items():
                pair = labels[at], batch.labels[at]
                found[name].append(confusion_matrix(*pair, len(data.classes), ignore=IGNORE))
        done += len(batch.chips)
        if on_progress is not None:
            on_progress(done, len(data.held_out))
    shape = (-1, len(data.classes), len(data.classes))
    return chips, {name: np.array(c, np.int64).reshape(shape) for name, c in found.items()}


def _assessment(
    data: TrainingData,
    grouping: Grouping,
    counts: tuple[HeldOutBlocks, dict[str, HeldOutBlocks]],
    warnings: tuple[str, ...],
) -> Assessment:
    model, baselines = counts
    options = AssessOptions()
    total = model.confusion.sum(axis=0)
    settings = data.settings
    scenes = len({chip.scene for chip in data.held_out})
    looked_at = sum(chip.core.height * chip.core.width for chip in data.held_out)
    return Assessment(
        map_name=settings.name or settings.network,
        reference_name=f"the labels of {len(data.held_out):,} held-out chips of {_scenes(scenes)}",
        legend=data.classes,
        kind="raster",
        unit="pixel",
        counts=total,
        mapped_pixels=tuple(total.sum(axis=1).tolist()),
        mapped_area_ha=None,
        unlabelled=looked_at - int(total.sum()),
        blocks=_block_scores(model),
        resampled=resampled(model.confusion, options),
        baselines=tuple(
            beside(name, (model.confusion, other.confusion), options)
            for name, other in baselines.items()
        ),
        grid_policy="labels on the pixels of the scenes",
        held_out=True,
        warnings=warnings,
        settings={
            "split": data.split_text,
            "blocks": f"{len(grouping.places)} of {model.side} px",
            "tile": settings.tile,
            "network": settings.network,
            "framework": settings.framework,
            "seed": settings.seed,
        },
        version=version("rs-workbench"),
    )


def _scenes(number: int) -> str:
    return "1 scene" if number == 1 else f"{number:,} scenes"


def _block_scores(blocks: HeldOutBlocks) -> BlockScores | None:
    """Score block by block, where rows and columns say where a block is."""
    if not blocks.in_one_grid:
        return None
    pixels = blocks.confusion.sum(axis=(1, 2))
    least = blocks.side**2 // LEAST_PART
    if np.count_nonzero(pixels >= least) < MIN_PARTS:
        least = 1
    return block_scores(
        blocks.confusion,
        blocks.places[:, 1:],
        block_px=(blocks.side, blocks.side),
        min_pixels=max(1, least),
    )


def _warnings(data: TrainingData, model: HeldOutBlocks) -> Iterator[str]:
    if data.leaks:
        yield (
            f"{data.leaks:,} training chips leak: they share ground with held-out chips or lie "
            "next to them, so the figures tell how well the network remembers, not how well it "
            "maps"
        )
    total = model.confusion.sum(axis=0)
    if not total.sum():
        yield "no held-out pixel has a label: nothing can be said of how good the model is"
        return
    yield from _absent(data, total)
    if not enough(model.confusion):
        yield (
            f"the held-out chips lie in {len(model.places)} blocks of {model.side} px, and an "
            f"interval needs at least {MIN_PARTS}: none is given"
        )
    if data.settings.forest_pixels and not has_scikit_learn():
        yield NO_FOREST


def _absent(data: TrainingData, total: NDArray[np.int64]) -> Iterator[str]:
    """Say which classes no held-out pixel has."""
    absent = [c.name for c, n in zip(data.classes, total.sum(axis=0), strict=True) if not n]
    if absent:
        yield (
            f"no held-out pixel is labelled {' or '.join(absent)}: how well that is mapped cannot "
            "be said"
        )


def all_warnings(data: TrainingData, result: HeldOutResult) -> list[str]:
    """Join the warnings of a run, each thing said once.

    Parameters
    ----------
    data : TrainingData
        A split by blocks has warned of the classes that the held-out part lacks.
    result : HeldOutResult
        Its report warns of them again, for it stands alone.

    Returns
    -------
    list of str
        Those of the data first.
    """
    told = set(data.warnings)
    if data.split is not None:
        told |= set(_absent(data, result.confusion))
    return [*data.warnings, *(one for one in result.warnings if one not in told)]


def card_scores(result: HeldOutResult) -> HeldOut | None:
    """Put the scores into the form of a model card.

    Parameters
    ----------
    result : HeldOutResult
        What was found.

    Returns
    -------
    HeldOut or None
        None where no held-out pixel has a label.
    """
    total = result.confusion
    if not total.sum():
        return None
    scores = {
        name: round(mean_iou(found.confusion.sum(axis=0)), 4)
        for name, found in result.baselines.items()
    }
    return HeldOut(
        confusion=tuple(tuple(row) for row in total.tolist()),
        overall_accuracy=round(overall_accuracy(total), 4),
        mean_iou=round(mean_iou(total), 4),
        majority_mean_iou=scores.get("majority"),
        pixel_baseline_mean_iou=scores.get("forest"),
        pixel_baseline=result.forest or None,
        notes=_notes(result),
    )


def _notes(result: HeldOutResult) -> str:
    parts = [f"{result.assessment.reference_name}; rows map, columns reference"]
    drawn = result.assessment.resampled.get("mean_iou")
    if drawn is not None and np.isfinite(drawn.low):
        parts.append(
            f"95 % interval of the mean IoU {drawn.low:.4f} to {drawn.high:.4f}, from "
            f"{drawn.n_units} blocks of {result.blocks.side} px drawn anew"
        )
    return "; ".join((*parts, *result.warnings))
