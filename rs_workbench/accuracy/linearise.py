"""Every score of a map as a function of totals, and its linearised values."""

from __future__ import annotations

import numpy as np

from rs_workbench.accuracy.disagreement import (
    exchange_gradient,
    quantity_gradient,
    shift_gradient,
    tied_classes,
)
from rs_workbench.accuracy.frame import Codes, Floats, Frame

QUANTITY = 2
"""Place of the quantity disagreement among the scores."""


def linearise(frame: Frame, pairs: tuple[Codes, Codes], matrix: Floats) -> tuple[Floats, Floats]:
    """Estimate every score, and how each unit moves it.

    Parameters
    ----------
    frame : Frame
        The sample.
    pairs : tuple of ndarray of intp, shape (m,)
        Class of each row on the map and in truth.
    matrix : ndarray of float64, shape (K, K)
        Estimated shares of the area: rows map, columns reference.

    Returns
    -------
    values : ndarray of float64, shape (5 + 6 K,)
        Overall accuracy, mean IoU, quantity, exchange, shift; then user's accuracy, producer's
        accuracy, F1, IoU, share of the assessed area and share of the area of the population of
        each class. NaN where undefined.
    moves : ndarray of float64, shape (m, 5 + 6 K)
        Linearised values: the variance of their weighted sum is that of the score.

    References
    ----------
    .. [1] R. S. Woodruff, Journal of the American Statistical Association 66 (1971).
    """
    k = len(matrix)
    on_map, in_truth = np.eye(k)[pairs[0]], np.eye(k)[pairs[1]]
    right, one = on_map * in_truth, np.ones((len(on_map), 1))
    overall, overall_moves = _ratio(frame, right.sum(axis=1, keepdims=True), one)
    ratios = [
        _ratio(frame, right, on_map),
        _ratio(frame, right, in_truth),
        _ratio(frame, 2 * right, on_map + in_truth),
        _ratio(frame, right, on_map + in_truth - right),
        _ratio(frame, in_truth, one),
        _cover(frame, in_truth),
    ]
    iou, iou_moves = ratios[3]
    defined = ~np.isnan(iou)
    mean_iou, mean_moves = iou[defined].mean(), iou_moves[:, defined].mean(axis=1)
    gradients = [f(matrix) for f in (quantity_gradient, exchange_gradient, shift_gradient)]
    amounts = np.array([np.sum(g * matrix) for g in gradients])
    total = frame.expansion.sum()
    moves = [
        (frame.size * (g[pairs] - a) / total) for g, a in zip(gradients, amounts, strict=True)
    ]
    values = np.concatenate([overall, [mean_iou], amounts, *(value for value, _ in ratios)])
    columns = np.column_stack([overall_moves, mean_moves, *moves, *(m for _, m in ratios)])
    return values, columns


def linearise_ties(frame: Frame, pairs: tuple[Codes, Codes], matrix: Floats) -> Floats:
    """Linearise what `linearise` leaves out of the quantity disagreement.

    A class with the same total on map and reference adds half the absolute value of a difference
    that is 0 by chance. Its slope to either side is 1/2 and -1/2, so that it adds no slope to
    that of the whole, but the variance of half the difference.

    Parameters
    ----------
    frame : Frame
        The sample.
    pairs : tuple of ndarray of intp, shape (m,)
        Class of each row on the map and in truth.
    matrix : ndarray of float64, shape (K, K)
        Estimated shares of the area: rows map, columns reference.

    Returns
    -------
    ndarray of float64, shape (m, T)
        For each of the T tied classes; the variances of their weighted sums add up.
    """
    tied = tied_classes(matrix)
    on_map, in_truth = (np.eye(len(matrix))[side][:, tied] for side in pairs)
    moves: Floats = frame.size[:, None] * (on_map - in_truth) / (2 * frame.expansion.sum())
    return moves


def effective_units(frame: Frame, pairs: tuple[Codes, Codes], n_classes: int) -> Floats:
    """Count the equally weighted, independent units that each score is worth.

    Parameters
    ----------
    frame : Frame
        The sample.
    pairs : tuple of ndarray of intp, shape (m,)
        Class of each row on the map and in truth.
    n_classes : int
        K.

    Returns
    -------
    ndarray of float64, shape (5 + 6 K,)
        (sum w)^2 / sum w^2 over the units, or clusters, that each score of `linearise` rests on;
        0 where there are none.

    References
    ----------
    .. [1] L. Kish, "Survey Sampling", Wiley (1965), section 11.7.
    """
    on_map, in_truth = np.eye(n_classes)[pairs[0]], np.eye(n_classes)[pairs[1]]
    either = np.maximum(on_map, in_truth)
    bases = np.column_stack([np.ones(len(on_map)), on_map, in_truth, either])
    weight, times = (frame.weight * frame.size)[:, None] * bases, frame.times
    if frame.cluster is not None:
        sums = np.zeros((int(frame.cluster.max()) + 1, bases.shape[1]))
        np.add.at(sums, frame.cluster, times[:, None] * weight)
        weight, times = sums, np.ones(len(sums), np.int64)
    squares = times @ weight**2
    found = (times @ weight) ** 2 / np.where(squares == 0, np.inf, squares)
    every, users, producers, both = np.split(found, 1 + n_classes * np.arange(3))
    return np.concatenate(
        [np.repeat(every, 5), users, producers, both, both, np.repeat(every, 2 * n_classes)]
    )


def _cover(frame: Frame, part: Floats) -> tuple[Floats, Floats]:
    """Share of the area of all units, assessed or not, (T,), and its linearised values, (m, T)."""
    whole = frame.whole_size[:, None]
    total = float(frame.times @ (frame.weight * frame.whole_size))
    share = (frame.expansion @ part) / total
    return share, (frame.size[:, None] * part - share * whole) / total


def _ratio(frame: Frame, part: Floats, whole: Floats) -> tuple[Floats, Floats]:
    """Ratio of two totals, (T,), and its linearised values, (m, T); NaN where the whole is 0."""
    expansion = frame.expansion
    below = expansion @ whole
    below = np.where(below == 0, np.nan, below)
    ratio = (expansion @ part) / below
    return ratio, frame.size[:, None] * (part - ratio * whole) / below
