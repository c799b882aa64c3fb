"""Scores of a map against its reference, from the confusion: rows map, columns reference."""

from __future__ import annotations

import numpy as np

from torch_cases.dunes.tiles import IGNORED, N_CLASSES


def confusion(label_map: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Count pairs of classes where the reference is known.

    Examples
    --------
    >>> confusion(np.array([0, 1, 1]), np.array([0, 0, IGNORED]))[:2, :2].tolist()
    [[1, 0], [1, 0]]
    """
    known = reference != IGNORED
    pairs = label_map[known].astype(np.int64) * N_CLASSES + reference[known]
    return np.bincount(pairs, minlength=N_CLASSES**2).reshape(N_CLASSES, N_CLASSES)


def class_iou(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union of each class, (K,); NaN where a class is in neither."""
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - confusion.diagonal()
    return confusion.diagonal() / np.where(union == 0, np.nan, union)


def mean_iou(confusion: np.ndarray) -> float:
    """Mean intersection over union of the classes that occur."""
    return float(np.nanmean(class_iou(confusion)))


def overall_accuracy(confusion: np.ndarray) -> float:
    """Share of pixels on the diagonal."""
    return float(confusion.trace() / confusion.sum())


def users_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of each mapped class that is right (precision), (K,)."""
    return confusion.diagonal() / np.maximum(confusion.sum(axis=1), 1)


def producers_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of each reference class that the map finds (recall), (K,)."""
    return confusion.diagonal() / np.maximum(confusion.sum(axis=0), 1)
