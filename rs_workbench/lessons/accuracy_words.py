"""The accuracy of one map in words and tables: by class, kappa and why not, area from a sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy import (
    AccuracyEstimate,
    allocate,
    cohen_kappa,
    confusion_matrix,
    disagreement,
    iou,
    overall_accuracy,
    producers_accuracy,
    stratified_estimate,
    users_accuracy,
)
from rs_workbench.card import LegendClass
from rs_workbench.lessons.held_out_maps import HeldOutGround
from rs_workbench.types import LabelMap
from tiling.label_index import IGNORE

M2_PER_HA = 10_000


class AreaSample(NamedTuple):
    """Areas estimated from a sample of a map, beside those that the whole reference gives.

    Attributes
    ----------
    estimate : AccuracyEstimate
        By the design of the sample: strata are the classes of the map.
    true_ha : ndarray of float64, shape (K,)
        Area of each class in the whole reference, which a user would not know.
    n_units : int
        Pixels that were labelled.
    """

    estimate: AccuracyEstimate
    true_ha: NDArray[np.float64]
    n_units: int


def accuracy_text(maps: LabelMap, ground: HeldOutGround, *, n_units: int, seed: int = 0) -> str:
    """Tell all that a map's accuracy is: by class, why not kappa, and the areas with intervals.

    Parameters
    ----------
    maps : ndarray of uint8, shape (N, H, W)
        Class indexes of the map.
    ground : HeldOutGround
        The labels.
    n_units : int
        Pixels of the sample from which areas are estimated.
    seed : int
        Of the sample.

    Returns
    -------
    str
        Markdown.
    """
    data = ground.data
    confusion = confusion_matrix(maps, ground.labels, data.n_classes, ignore=IGNORE)
    sample = sample_areas(
        maps,
        ground.labels,
        data.n_classes,
        pixel_size=data.pixel_size or 1.0,
        n_units=n_units,
        seed=seed,
    )
    parts = [
        "## Accuracy by class",
        class_table(confusion, data.classes),
        "## Kappa, and why not",
        kappa_words(confusion),
        "## Areas from a sample of the map",
        area_table(sample, data.classes),
        "## All scores",
    ]
    return "\n\n".join(parts)


def class_table(confusion: NDArray[np.int64], classes: Sequence[LegendClass]) -> str:
    """Tell each class's accuracy as its map's user and its ground's producer see it.

    Parameters
    ----------
    confusion : ndarray of int64, shape (K, K)
        Rows map, columns reference.
    classes : sequence of LegendClass
        Names.

    Returns
    -------
    str
        A Markdown table; blank where a class is on neither side.
    """
    columns = (users_accuracy(confusion), producers_accuracy(confusion), iou(confusion))
    shares = confusion.sum(axis=0) / max(confusion.sum(), 1)
    lines = ["| class | share | user's accuracy | producer's accuracy | IoU |"]
    lines.append("|---|--:|--:|--:|--:|")
    for entry, *row in zip(classes, shares, *columns, strict=True):
        shown = ("" if np.isnan(value) else f"{value:.3f}" for value in row)
        lines.append(f"| {entry.name} | {' | '.join(shown)} |")
    return "\n".join(lines)


def kappa_words(confusion: NDArray[np.int64]) -> str:
    """Tell kappa, why it is no measure of accuracy, and what to say instead.

    Parameters
    ----------
    confusion : ndarray of int64, shape (K, K)
        Rows map, columns reference.

    Returns
    -------
    str
        A paragraph.
    """
    kappa, parts = cohen_kappa(confusion), disagreement(confusion)
    return (
        f"Overall accuracy {overall_accuracy(confusion):.3f}, kappa {kappa.value:.3f}. "
        f"{kappa.warning} What to say instead: of the disagreement of {parts.total:.3f}, "
        f"{parts.quantity:.3f} is quantity (too much of one class, too little of another), "
        f"{parts.exchange:.3f} exchange between two classes and {parts.shift:.3f} the rest."
    )


def sample_areas(
    maps: LabelMap, labels: LabelMap, n_classes: int, *, pixel_size: float, n_units: int, seed: int
) -> AreaSample:
    """Draw a sample stratified by the map, label it, and estimate the area of each class.

    Parameters
    ----------
    maps : ndarray of uint8, shape (N, H, W)
        Class indexes of the map.
    labels : ndarray of uint8, shape (N, H, W)
        Class indexes of the reference; pixels of 255 are no part of the map.
    n_classes : int
        K.
    pixel_size : float
        m.
    n_units : int
        Pixels to draw; no fewer than a few of each class on the map.
    seed : int
        Source of chance.

    Returns
    -------
    AreaSample
        Estimate and truth.
    """
    known = labels != IGNORE
    mapped, truth = maps[known], labels[known]
    ha = pixel_size**2 / M2_PER_HA
    pixels = np.bincount(mapped, minlength=n_classes)
    there = np.flatnonzero(pixels)
    n_units = min(n_units, int(pixels.sum()))
    fewest = min(50, n_units // (2 * len(there)))
    shares = pixels[there] / pixels.sum()
    quota = allocate(n_units, shares, rule="minimum", minimum=fewest, populations=pixels[there])
    rng = np.random.default_rng(seed)
    drawn = [
        rng.choice(np.flatnonzero(mapped == stratum), size=n, replace=False)
        for stratum, n in zip(there, quota, strict=True)
    ]
    at = np.concatenate(drawn)
    counts = confusion_matrix(mapped[at], truth[at], n_classes)
    true_ha = np.asarray(ha * np.bincount(truth, minlength=n_classes), np.float64)
    return AreaSample(stratified_estimate(counts, ha * pixels), true_ha, len(at))


def area_table(sample: AreaSample, classes: Sequence[LegendClass]) -> str:
    """Put areas side by side: counted on the map, estimated from the sample, and true.

    Parameters
    ----------
    sample : AreaSample
        From `sample_areas`.
    classes : sequence of LegendClass
        Names.

    Returns
    -------
    str
        A Markdown table and a sentence on how often the interval holds the truth.
    """
    lines = ["| class | counted on the map, ha | estimated, ha | 95 % interval, ha | true, ha |"]
    lines.append("|---|--:|--:|--:|--:|")
    held = 0
    for entry, area, true in zip(classes, sample.estimate.area, sample.true_ha, strict=True):
        held += area.low_ha <= true <= area.high_ha
        lines.append(
            f"| {entry.name} | {area.mapped_ha:.2f} | {area.area_ha:.2f} "
            f"| {area.low_ha:.2f} to {area.high_ha:.2f} | {true:.2f} |"
        )
    overall = sample.estimate.overall
    words = (
        f"From {sample.n_units} labelled pixels: overall accuracy {overall.value:.3f} "
        f"({overall.low:.3f} to {overall.high:.3f}); {held} of {len(classes)} intervals hold the "
        "true area. Counting pixels of the map has no interval, and its error does not shrink."
    )
    return "\n".join([*lines, "", words])
