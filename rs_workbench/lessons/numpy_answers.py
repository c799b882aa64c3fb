"""What may be wrong with a student's network in NumPy: a sentence each, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from rs_workbench.lessons.numerical_gradient import numerical_gradient

Pairs = Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]


def fault_of_gradients(loss: Callable[[], float], weights: Pairs, gradients: Pairs) -> str:
    """Look for gradients that are not those of the loss.

    Parameters
    ----------
    loss : callable
        The loss, from the weights as they are at the moment.
    weights : sequence of (ndarray, ndarray)
        Matrix and bias of each layer; moved in place, and put back.
    gradients : sequence of (ndarray, ndarray)
        What the backward pass says.

    Returns
    -------
    str
        What is wrong, or nothing.
    """
    for layer, (pair, found) in enumerate(zip(weights, gradients, strict=True)):
        for name, array, slope in zip(("matrix", "bias"), pair, found, strict=True):
            numerical = numerical_gradient(loss, array)
            gap = np.abs(slope - numerical).max()
            if np.shape(slope) != array.shape or gap > 1e-6:
                return (
                    f"the gradient of the {name} of layer {layer} differs by {gap:.2g} from the "
                    f"numerical one, whose largest value is {np.abs(numerical).max():.2g}"
                )
    return ""


def fault_of_batches(first: Sequence[NDArray[np.intp]], second: Sequence[NDArray[np.intp]]) -> str:
    """Look for digits that are lost, come twice, or always come in one order.

    Parameters
    ----------
    first, second : sequence of ndarray of int
        Batches of two epochs of 103 digits, 20 a batch: places of the digits.

    Returns
    -------
    str
        What is wrong, or nothing.
    """
    epochs = [np.concatenate(part) for part in (first, second)]
    if any(sorted(order) != list(range(103)) for order in epochs):
        return "each of 103 digits is to come once an epoch: some came twice or never"
    if (sizes := [len(one) for one in first]) != [20] * 5 + [3]:
        return f"103 digits in batches of 20 are five batches and one of 3: got sizes {sizes[:8]}"
    if (epochs[0] == epochs[1]).all() or (np.sort(epochs[0]) == epochs[0]).all():
        return "the digits come in the same order in each epoch: draw a new one from rng"
    return ""
