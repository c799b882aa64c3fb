"""Gradients by moving each number a little: slow, and the judge of fast ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def numerical_gradient(
    loss: Callable[[], float], numbers: NDArray[np.float64], *, move: float = 1e-5
) -> NDArray[np.float64]:
    """Measure the gradient of a loss by some numbers that it depends on.

    Parameters
    ----------
    loss : callable
        The loss, from the numbers as they are at the moment.
    numbers : ndarray of float64, any shape
        Each is moved up and down in place, and put back.
    move : float
        How far.

    Returns
    -------
    ndarray of float64
        ``(L(w + h) - L(w - h)) / 2h``, which is wrong by about h squared.

    Examples
    --------
    >>> w = np.array([3.0, -1.0])
    >>> numerical_gradient(lambda: float((w**2).sum()), w).round(6).tolist()
    [6.0, -2.0]
    """
    gradient = np.empty_like(numbers)
    for place in np.ndindex(numbers.shape):
        kept, losses = numbers[place], []
        for moved in (kept + move, kept - move):
            numbers[place] = moved
            losses.append(loss())
        numbers[place] = kept
        gradient[place] = (losses[0] - losses[1]) / (2 * move)
    return gradient
