"""The losses one by one: formula, settings and paper. How they are averaged: see `losses`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from rs_workbench.errors import UsageError
from rs_workbench.training.class_weights import check_weights


@dataclass(frozen=True)
class CrossEntropy:
    """Mean of the negative log-probability of the label.

    Attributes
    ----------
    smoothing : float
        Share of the label that is spread evenly over all K classes [1]_, 0 up to 1. A pixel of
        class y then has the loss ``-(1 - smoothing) log p[y] - smoothing mean(log p)``; the
        weight of the pixel stays that of y (torch weighs each of the K logarithms by its class).

    References
    ----------
    .. [1] C. Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR
       2016, 2818-2826.
    """

    smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 1:
            raise UsageError(
                "smoothing of cross_entropy must be at least 0 and below 1: "
                f"got {self.smoothing:g} (try 0.1)"
            )


@dataclass(frozen=True)
class Focal:
    """Cross-entropy that looks away from pixels that are right already.

    A pixel of class y has the loss ``-(1 - p[y])**gamma log p[y]`` [1]_.

    Attributes
    ----------
    gamma : float
        How fast it looks away, from 0 up; with 0 it is cross-entropy.
    alpha : tuple of float, optional
        Weight of each class. Stands in for the class weights, and is divided by its sum over the
        labelled pixels as they are, where [1]_ divides by a count.

    References
    ----------
    .. [1] T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017, 2980-2988.
    """

    gamma: float = 2.0
    alpha: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.gamma < math.inf:
            raise UsageError(f"gamma of focal must be at least 0: got {self.gamma:g} (try 2)")
        if self.alpha is not None and not isinstance(self.alpha, tuple):
            raise UsageError(
                f"alpha of focal is a weight for each class: got {self.alpha} "
                "(for two classes, try [0.25, 0.75])"
            )
        if self.alpha is not None:
            check_weights("alpha of focal", self.alpha)


@dataclass(frozen=True)
class Dice:
    """One minus the soft Dice coefficient: Tversky with ``alpha = beta = 0.5``.

    The sums are of probabilities, as in [2]_, not of their squares, as in [1]_.

    References
    ----------
    .. [1] F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net: fully convolutional neural networks for
       volumetric medical image segmentation", 3DV 2016, 565-571.
    .. [2] C. H. Sudre et al., "Generalised Dice overlap as a deep learning loss function for
       highly unbalanced segmentations", DLMIA 2017, 240-248.
    """


@dataclass(frozen=True)
class Tversky:
    """One minus the soft Tversky index, which sets the price of each kind of error.

    A class has the loss ``1 - TP / (TP + alpha FP + beta FN)`` [1]_. With p the probability of
    the class, TP is the sum of p over the pixels of the class, FN that of 1 - p over the same
    pixels, and FP that of p over all others.

    Attributes
    ----------
    alpha : float
        Price of false positives (commission), from 0 up.
    beta : float
        Price of false negatives (omission), above 0.

    References
    ----------
    .. [1] S. S. M. Salehi, D. Erdogmus, A. Gholipour, "Tversky loss function for image
       segmentation using 3D fully convolutional deep networks", MLMI 2017, 379-387; 0.3 and 0.7
       were best there.
    """

    alpha: float = 0.3
    beta: float = 0.7

    def __post_init__(self) -> None:
        if not (0 <= self.alpha < math.inf and 0 < self.beta < math.inf):
            raise UsageError(
                "alpha of tversky must be at least 0 and beta above 0: "
                f"got alpha={self.alpha:g} and beta={self.beta:g} (try 0.3 and 0.7)"
            )


@dataclass(frozen=True)
class Lovasz:
    """Lovasz-Softmax: the convex surrogate of one minus the IoU.

    It is the Lovasz extension of the Jaccard loss of each class at the errors of the pixels,
    ``1 - p`` where the class is labelled and ``p`` elsewhere [1]_, over the batch.

    References
    ----------
    .. [1] M. Berman, A. R. Triki, M. B. Blaschko, "The Lovasz-Softmax loss: a tractable surrogate
       for the optimization of the intersection-over-union measure in neural networks", CVPR 2018,
       4413-4421.
    """


Settings: TypeAlias = CrossEntropy | Focal | Dice | Tversky | Lovasz
LOSSES: dict[str, type[Settings]] = {
    "cross_entropy": CrossEntropy,
    "focal": Focal,
    "dice": Dice,
    "tversky": Tversky,
    "lovasz": Lovasz,
}
