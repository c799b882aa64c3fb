"""Every score of a map as a function of totals, and its linearised values."""

from __future__ import annotations

import numpy as np

from rs_workbench.accuracy.disagreement import (
    exchange_gradient,
    quantity_gradient,
    shift_gradient,
)
from rs_workbench.accuracy.frame import Codes, Floats, Frame


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
    values : ndarray of float64, shape (5 + 5 K,)
        Overall accuracy, mean IoU, quantity, exchange, shift; then user's accuracy, producer's
        accuracy, F1, IoU and share of the area of each class. NaN where undefined.
    moves : ndarray of float64, shape (m, 5 + 5 K)
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


def _ratio(frame: Frame, part: Floats, whole: Floats) -> tuple[Floats, Floats]:
    """Ratio of two totals, (T,), and its linearised values, (m, T); NaN where the whole is 0."""
    expansion = frame.expansion
    below = expansion @ whole
    below = np.where(below == 0, np.nan, below)
    ratio = (expansion @ part) / below
    return ratio, frame.size[:, None] * (part - ratio * whole) / below
