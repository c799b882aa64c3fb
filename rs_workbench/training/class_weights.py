"""Weights of classes from the number of labelled pixels of each.

Count training pixels only. The losses divide by the sum of the weights of the labelled pixels, so
only ratios matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.errors import UsageError
from rs_workbench.networks import check_choice

Floats = NDArray[np.float64]


def class_weights(counts: ArrayLike, rule: str, *, beta: float = 0.9999) -> Floats:
    r"""Weigh classes, so that rare ones are learnt too.

    Parameters
    ----------
    counts : array_like of int, shape (K,) or (C, K)
        Labelled pixels of each class; by chip in the second form.
    rule : str
        One of

        - "balanced": :math:`N / (K n_k)` with :math:`N` pixels in all, so that the mean over
          pixels is 1 [1]_.
        - "inverse_frequency": :math:`N / n_k`. K times "balanced", hence the same loss.
        - "effective_number": :math:`(1 - \beta) / (1 - \beta^{n_k})`, scaled to a mean of 1
          over the classes [2]_.
        - "median_frequency": the median of all :math:`f_k` by :math:`f_k`, the share of class k
          among the pixels of those chips that have it [3]_. Without chips, all is one.
    beta : float
        Of "effective_number": classes of many more than :math:`1 / (1 - \beta)` pixels weigh
        nearly the same, those of many fewer weigh as by "balanced".

    Returns
    -------
    ndarray of float64, shape (K,)
        Weights above 0; 0 for a class without a pixel, which counts nowhere in the rules.

    Raises
    ------
    UsageError
        If the rule is unknown, `beta` is not between 0 and 1, or there is no pixel.

    References
    ----------
    .. [1] G. King, L. Zeng, "Logistic regression in rare events data", Political Analysis 9
       (2001) 137-163; the name is scikit-learn's.
    .. [2] Y. Cui et al., "Class-balanced loss based on effective number of samples", CVPR 2019,
       9268-9277.
    .. [3] D. Eigen, R. Fergus, "Predicting depth, surface normals and semantic labels with a
       common multi-scale convolutional architecture", ICCV 2015, 2650-2658.

    Examples
    --------
    >>> class_weights([10, 90, 0], "balanced").round(3).tolist()
    [5.0, 0.556, 0.0]
    """
    check_choice("rule for class weights", rule, list(_RULES))
    if not 0 <= beta < 1:
        raise UsageError(f"beta must be at least 0 and below 1: got {beta:g} (try 0.9999)")
    by_chip = np.atleast_2d(np.asarray(counts, np.float64))
    if by_chip.ndim != 2 or not (by_chip >= 0).all() or not np.isfinite(by_chip).all():
        raise UsageError(
            "class weights need counts of pixels from 0 up, by class or by chip and class: got "
            f"shape {np.shape(counts)}" + _least(by_chip)
        )
    present = by_chip.sum(axis=0) > 0
    if not present.any():
        raise UsageError("class weights need labelled pixels: got none (check the labels)")
    weights = np.zeros(by_chip.shape[1])
    weights[present] = _RULES[rule](by_chip[:, present], beta)
    return weights


def check_weights(what: str, weights: Sequence[float], n_classes: int | None = None) -> None:
    """Refuse weights that no weighted mean can be made with.

    Parameters
    ----------
    what : str
        What they are, in the user's words.
    weights : sequence of float
        Weight of each class.
    n_classes : int, optional
        K, where it is known.

    Raises
    ------
    UsageError
        If they are not K numbers from 0 up, one at least above 0.
    """
    got = ", ".join(f"{weight:g}" for weight in weights)
    if n_classes is not None and len(weights) != n_classes:
        raise UsageError(
            f"{what} must be one for each of {n_classes} classes: got {len(weights)} ({got})"
        )
    finite = all(0 <= weight < np.inf for weight in weights)
    if not finite or not any(weights):
        raise UsageError(
            f"{what} must be numbers from 0 up, not all of them 0: got {got or 'none'}"
        )


def _least(counts: Floats) -> str:
    return f" with a least value of {counts.min():g}" if counts.size else ""


def _balanced(counts: Floats, beta: float) -> Floats:
    return _inverse_frequency(counts, beta) / counts.shape[1]


def _inverse_frequency(counts: Floats, beta: float) -> Floats:
    pixels = counts.sum(axis=0)
    return np.asarray(pixels.sum() / pixels)


def _effective_number(counts: Floats, beta: float) -> Floats:
    # 1 - beta**n without the cancellation at beta near 1; beta = 0 makes every class weigh 1
    with np.errstate(divide="ignore"):
        weights = -1 / np.expm1(counts.sum(axis=0) * np.log(beta))
    return np.asarray(weights / weights.mean())


def _median_frequency(counts: Floats, beta: float) -> Floats:
    around = np.where(counts > 0, counts.sum(axis=1, keepdims=True), 0).sum(axis=0)
    frequency = counts.sum(axis=0) / around
    return np.asarray(np.median(frequency) / frequency)


_RULES: dict[str, Callable[[Floats, float], Floats]] = {
    "balanced": _balanced,
    "inverse_frequency": _inverse_frequency,
    "effective_number": _effective_number,
    "median_frequency": _median_frequency,
}
