"""Tiles labelled by a model, counted one by one, and scored with an interval over tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy import bootstrap, confusion_matrix, mean_iou, overall_accuracy
from rs_workbench.card import Band
from rs_workbench.lessons.card import scale_images
from rs_workbench.lessons.report import Kind, Line
from rs_workbench.tta import Averaged
from rs_workbench.types import Image, LabelMap, Scores
from tiling.label_index import IGNORE

BATCH = 8
SCORES = {"OA": overall_accuracy, "mIoU": mean_iou}


def label_tiles(
    predict: Callable[[Image], Scores],
    images: NDArray[np.generic],
    bands: Sequence[Band],
    *,
    turned: bool = False,
) -> LabelMap:
    """Label tiles with a model, few at a time.

    Parameters
    ----------
    predict : callable
        Scores (N, K, H, W) of a scaled batch (N, B, H, W).
    images : ndarray, shape (N, B, H, W)
        Tiles in scene units.
    bands : sequence of Band
        Scaling.
    turned : bool
        Take the mean over flips and quarter turns, as ``rsw infer --tta``.

    Returns
    -------
    ndarray of uint8, shape (N, H, W)
        Class indexes.
    """
    if turned:
        predictor: Any = SimpleNamespace(predict=predict, card=None, engine=None, device=None)
        predict = Averaged(predictor).predict
    parts = [images[first : first + BATCH] for first in range(0, len(images), BATCH)]
    labelled = [predict(scale_images(part, bands)).argmax(axis=1) for part in parts]
    return np.concatenate(labelled).astype(np.uint8)


def count_tiles(found: LabelMap, labels: LabelMap, n_classes: int) -> NDArray[np.int64]:
    """Count each tile by itself.

    Parameters
    ----------
    found, labels : ndarray of uint8, shape (N, H, W)
        What a model says, and what is known; 255 where nothing is.
    n_classes : int
        K.

    Returns
    -------
    ndarray of int64, shape (N, K, K)
        Confusion of each tile: rows map, columns reference.
    """
    pairs = zip(found, labels, strict=True)
    return np.stack([confusion_matrix(*pair, n_classes, ignore=IGNORE) for pair in pairs])


def score_line(
    name: str, counts: NDArray[np.int64], *, kind: Kind = "ours", note: str = ""
) -> Line:
    """Score all tiles together, with 95 % intervals from drawing tiles again.

    Parameters
    ----------
    name : str
        What is scored.
    counts : ndarray of int64, shape (N, K, K)
        Confusion of each tile.
    kind : {"ours", "baseline", "published"}
        For the report.
    note : str
        For the report.

    Returns
    -------
    Line
        Overall accuracy and mean IoU, each with the ends of its interval; without them where
        there is one tile.
    """
    figures: dict[str, float] = {}
    for column, score in SCORES.items():
        figures[column] = float(score(counts.sum(axis=0)))
        if len(counts) > 1:
            drawn = bootstrap(score, counts)
            figures |= {f"{column} low": drawn.low, f"{column} high": drawn.high}
    return Line(name, figures, kind, note)


def spread_places(counts: NDArray[np.int64]) -> list[int]:
    """Choose tiles to show: the worst, those at a quarter, half and three quarters, the best.

    Parameters
    ----------
    counts : ndarray of int64, shape (N, K, K)
        Confusion of each tile.

    Returns
    -------
    list of int
        Up to five places, in order of overall accuracy.

    Examples
    --------
    >>> spread_places(np.array([[[4, 0], [0, 4]], [[2, 2], [2, 2]]]))
    [1, 0]
    """
    order = np.argsort([overall_accuracy(one) for one in counts], kind="stable")
    at = np.unique(np.linspace(0, len(order) - 1, 5).round().astype(int))
    return [int(order[place]) for place in at]
