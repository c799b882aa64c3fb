"""From scores to what is written: class map, confidence and margin, scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import ModelCard
from rs_workbench.errors import ModelError
from rs_workbench.journal import RawSpec
from rs_workbench.types import NODATA, Mask, ScoreKind, Scores

Layers = tuple[NDArray[np.generic], ...]

CONFIDENCE_STEPS = 250
"""Confidence 1.0 is stored as 250, so one step is 0.004; 255 is nodata."""


def label_scores(scores: Scores) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Choose the class with the highest score; the first of equals.

    Parameters
    ----------
    scores : ndarray of float32, shape (K, H, W)
        One layer per class.

    Returns
    -------
    labels : ndarray of uint8, shape (H, W)
        Index of the class. The same as ``scores.argmax(axis=0)``, several times faster because
        it runs along memory.
    best : ndarray of float32, shape (H, W)
        Its score; NaN where any score is.
    """
    best = scores[0].copy()
    labels = np.zeros(best.shape, np.uint8)
    higher = np.empty(best.shape, np.bool_)
    for k in range(1, len(scores)):
        np.greater(scores[k], best, out=higher)
        np.copyto(labels, np.uint8(k), where=higher)
        np.maximum(best, scores[k], out=best)
    return labels, best


def probabilities(scores: Scores, kind: ScoreKind) -> Scores:
    """Turn scores into probabilities: softmax over the classes for logits.

    Parameters
    ----------
    scores : ndarray of float32, shape (K, H, W)
        One layer per class.
    kind : {'logits', 'probabilities'}
        What the model gives.

    Returns
    -------
    ndarray of float32, shape (K, H, W)
        Sums to 1 over the classes where `kind` is logits.
    """
    if kind == "probabilities":
        return scores
    powers = np.exp(scores - scores.max(axis=0))
    return powers / powers.sum(axis=0)


def confidence_and_margin(scores: Scores, kind: ScoreKind) -> NDArray[np.uint8]:
    """Say how sure the model is: highest probability, and its lead over the second.

    Parameters
    ----------
    scores : ndarray of float32, shape (K, H, W)
        One layer per class.
    kind : {'logits', 'probabilities'}
        What the model gives.

    Returns
    -------
    ndarray of uint8, shape (2, H, W)
        Both in steps of 1/250.
    """
    ordered = np.partition(probabilities(scores, kind), -2, axis=0)
    both = np.stack([ordered[-1], ordered[-1] - ordered[-2]])
    return np.rint(both.clip(0, 1) * CONFIDENCE_STEPS).astype(np.uint8)


class Finisher:
    """Makes the output layers of a strip or tile; layers in the order of `specs`."""

    def __init__(self, card: ModelCard, saved: Sequence[str]) -> None:
        self.card = card
        self.saved = tuple(name for name in ("confidence", "scores") if name in saved)
        self.values = np.array([c.value for c in card.classes], np.uint8)
        self.plain = bool((self.values == np.arange(len(self.values))).all())

    @property
    def specs(self) -> tuple[RawSpec, ...]:
        """The layers as they lie on disk."""
        every = {
            "confidence": RawSpec("confidence", "uint8", 2),
            "scores": RawSpec("scores", "float32", self.card.n_classes),
        }
        return (RawSpec("classes", "uint8"), *(every[name] for name in self.saved))

    def finish(self, scores: Scores, valid: Mask) -> Layers:
        """Turn scores (K, h, w) into layers, nodata where not valid.

        Raises
        ------
        ModelError
            If the model gave something that is not a number.
        """
        labels, best = label_scores(scores)
        if not np.isfinite(best).all():
            raise ModelError(
                f"'{self.card.name}' gave scores that are not numbers: check its weights and the "
                "scaling in its card (rsw card show)"
            )
        if not self.plain:
            labels = self.values[labels]
        makers: dict[str, Callable[[], NDArray[np.generic]]] = {
            "confidence": lambda: confidence_and_margin(scores, self.card.scores),
            "scores": lambda: scores.copy(),
        }
        layers: list[NDArray[np.generic]] = [labels[None], *(makers[n]() for n in self.saved)]
        if not valid.all():
            for layer in layers:
                np.copyto(layer, _nothing(layer), where=~valid)
        return tuple(layers)

    def blank(self, height: int, width: int) -> Layers:
        """Make the layers of a place without data."""
        layers: list[NDArray[np.generic]] = []
        for spec in self.specs:
            layer = np.empty((spec.count, height, width), spec.dtype)
            layer[...] = _nothing(layer)
            layers.append(layer)
        return tuple(layers)


def _nothing(layer: NDArray[np.generic]) -> np.generic:
    return np.float32(np.nan) if layer.dtype == np.float32 else np.uint8(NODATA)
