"""Several maps of one held-out ground: their scores, and which differences can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy import (
    bootstrap_blocks,
    bootstrap_difference,
    confusion_matrix,
    mean_iou,
    overall_accuracy,
)
from rs_workbench.errors import UsageError
from rs_workbench.lessons.report import Kind, Line
from rs_workbench.training.baselines import fit_forest, majority_class, majority_counts
from rs_workbench.training.data import TrainingData
from rs_workbench.training.held_out_blocks import group_chips
from rs_workbench.training.loader import part_batches
from rs_workbench.types import Image, LabelMap, Mask
from tiling.label_index import IGNORE

FEWEST = 5
"""Blocks below which no interval is told."""
AT_ONCE = 16
"""Chips that the forest labels together."""


@dataclass(frozen=True, eq=False)
class HeldOutGround:
    """Held-out chips, read once.

    Attributes
    ----------
    data : TrainingData
        Where they are from.
    images : ndarray of float32, shape (N, B, H, W)
        Scaled bands.
    labels : ndarray of uint8, shape (N, H, W)
        Class indexes, 255 where a pixel does not count.
    valid : ndarray of bool, shape (N, H, W)
        False where there is no data.
    """

    data: TrainingData
    images: Image
    labels: LabelMap
    valid: Mask


def read_held_out(data: TrainingData) -> HeldOutGround:
    """Read all held-out chips.

    Parameters
    ----------
    data : TrainingData
        From `open_data`.

    Returns
    -------
    HeldOutGround
        In memory.
    """
    read = list(part_batches(data, data.held_out))
    images, labels, _, valid = zip(*read, strict=True)
    return HeldOutGround(data, *map(np.concatenate, (images, labels, valid)))


def count_blocks(ground: HeldOutGround, maps: LabelMap) -> NDArray[np.int64]:
    """Count how a map agrees with the labels, block by block.

    Parameters
    ----------
    ground : HeldOutGround
        The labels.
    maps : ndarray of uint8, shape (N, H, W)
        Class indexes.

    Returns
    -------
    ndarray of int64, shape (n_blocks, K, K)
        Rows map, columns reference. Blocks are the same for all maps of this ground.
    """
    data = ground.data
    counts = np.array(
        [
            confusion_matrix(one, labels, data.n_classes, ignore=IGNORE)
            for one, labels in zip(maps, ground.labels, strict=True)
        ]
    )
    block = None if data.split is None else data.split.block
    grouping = group_chips(data.held_out, data.settings.tile, block=block, origins=data.origins)
    return grouping.add_up(counts).confusion


def count_baselines(ground: HeldOutGround) -> dict[str, NDArray[np.int64]]:
    """Count what can be had without a network: the commonest class; a forest on single pixels.

    Parameters
    ----------
    ground : HeldOutGround
        Its data give the training pixels.

    Returns
    -------
    dict of str to ndarray of int64, shape (n_blocks, K, K)
        By their names; without a forest where scikit-learn is missing.
    """
    forest = fit_forest(ground.data)
    known = ground.labels != IGNORE
    commonest = majority_class(ground.data)
    blank = count_blocks(ground, np.full_like(ground.labels, commonest))
    found = {"commonest class": majority_counts(blank, commonest)}
    if forest is not None:
        parts = [slice(at, at + AT_ONCE) for at in range(0, len(known), AT_ONCE)]
        maps = np.concatenate([forest.predict(ground.images[p], known[p]) for p in parts])
        found["random forest on pixels"] = count_blocks(ground, np.where(known, maps, 0))
    return found


def score_line(
    name: str, runs: Sequence[NDArray[np.int64]], *, kind: Kind = "ours", note: str = ""
) -> Line:
    """Put scores into a line: mean over seeds, spread over seeds, interval over ground.

    Parameters
    ----------
    name : str
        What was scored.
    runs : sequence of ndarray of int64, shape (n_blocks, K, K)
        One for each seed.
    kind : {"ours", "baseline", "published"}
        Where the figures come from.
    note : str
        What the reader should know.

    Returns
    -------
    Line
        `mean IoU` with its 95 % interval over blocks, `sd over seeds`, `overall accuracy`.
    """
    scores = [float(mean_iou(run.sum(axis=0))) for run in runs]
    figures = {"mean IoU": float(np.mean(scores))}
    pooled = np.sum(runs, axis=0)
    if len(_told(pooled)) >= FEWEST:
        found = bootstrap_blocks(mean_iou, pooled)
        figures |= {"low": found.low, "high": found.high}
    if len(runs) > 1:
        figures["sd over seeds"] = float(np.std(scores, ddof=1))
    correct = [float(overall_accuracy(run.sum(axis=0))) for run in runs]
    return Line(name, {**figures, "overall accuracy": float(np.mean(correct))}, kind, note)


def difference_sentences(
    networks: Mapping[str, Sequence[NDArray[np.int64]]],
    baselines: Mapping[str, NDArray[np.int64]] | None = None,
) -> str:
    """Compare the first of several networks with each of the others, and with baselines.

    Parameters
    ----------
    networks : mapping of str to sequence of ndarray of int64, shape (n_blocks, K, K)
        By their names, one for each seed, of the same blocks; where one has fewer seeds, the same
        first ones of the other are taken.
    baselines : mapping of str to ndarray of int64, shape (n_blocks, K, K), optional
        By their names; a seed changes nothing in them.

    Returns
    -------
    str
        A list in Markdown: `difference_sentence` of each pair.

    Raises
    ------
    UsageError
        If two maps were not scored on the same pixels.
    """
    (name, ours), *others = networks.items()
    pairs = [(other, theirs) for other, theirs in others]
    pairs += [(other, [one] * len(ours)) for other, one in (baselines or {}).items()]
    sentences = []
    for other, theirs in pairs:
        n = min(len(ours), len(theirs))
        sentences.append(difference_sentence((name, other), ours[:n], theirs[:n]))
    return "\n".join(f"- {sentence}" for sentence in sentences)


def difference_sentence(
    names: tuple[str, str], ours: Sequence[NDArray[np.int64]], theirs: Sequence[NDArray[np.int64]]
) -> str:
    """Say whether one map is better than another: only if neither ground nor seed turns it round.

    Parameters
    ----------
    names : (str, str)
        Of ours and theirs.
    ours, theirs : sequence of ndarray of int64, shape (n_blocks, K, K)
        One for each seed, as many of both.

    Returns
    -------
    str
        A sentence, with a 95 % interval from whole blocks drawn anew for both at once.

    Raises
    ------
    UsageError
        If the two were not scored on the same pixels.
    """
    if not np.array_equal(*(one[0].sum(axis=1) for one in (ours, theirs))):
        raise UsageError(
            f"{names[0]} and {names[1]} are compared on the same pixels of the same blocks: got "
            f"{len(ours[0])} and {len(theirs[0])} blocks, or other labels in them"
        )
    pair = np.sum(ours, axis=0), np.sum(theirs, axis=0)
    if len(_told(pair[0])) < FEWEST:
        return f"{names[0]} against {names[1]}: too few blocks of held-out ground to tell."
    found = bootstrap_difference(mean_iou, pair)
    by_seed = [
        float(mean_iou(a.sum(axis=0)) - mean_iou(b.sum(axis=0)))
        for a, b in zip(ours, theirs, strict=True)
    ]
    return (
        f"{names[0]} against {names[1]}: mean IoU {found.value:+.3f} "
        f"(95 % interval over {found.n_units} blocks {found.low:+.3f} to {found.high:+.3f}; by "
        f"seed {', '.join(f'{one:+.3f}' for one in by_seed)}): "
        f"{difference_verdict(by_seed, found.low, found.high)}."
    )


def difference_verdict(by_seed: Sequence[float], low: float, high: float) -> str:
    """Judge a difference: other ground and another seed must both say the same.

    Parameters
    ----------
    by_seed : sequence of float
        Difference of each seed.
    low, high : float
        Interval over ground.

    Returns
    -------
    str
        "better", "worse", or why neither is told.
    """
    if low <= 0 <= high:
        return "no difference shown"
    if len(by_seed) < 2:
        return "one seed, which may be luck: not told"
    if min(by_seed) <= 0 <= max(by_seed):
        return "seeds disagree: no difference shown"
    return "better" if low > 0 else "worse"


def _told(blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    return blocks[blocks.any(axis=(1, 2))]
