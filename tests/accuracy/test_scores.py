"""Scores: definitions by hand, undefined classes, large counts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rs_workbench.accuracy import scores
from rs_workbench.accuracy.confusion import Confusion
from rs_workbench.errors import AccuracyError

# Congalton & Green's teaching matrix: rows map, columns reference.
MATRIX = np.array([[65, 4, 22, 24], [6, 81, 5, 8], [0, 11, 85, 19], [4, 7, 3, 90]])
# Class 2 is in neither map nor reference; class 1 is on the map only.
GAPS = np.array([[5, 0, 0, 1], [2, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 4]])


def test_scores_by_hand() -> None:
    assert scores.overall_accuracy(MATRIX) == pytest.approx(321 / 434, abs=1e-15)
    np.testing.assert_allclose(
        scores.users_accuracy(MATRIX), [65 / 115, 81 / 100, 85 / 115, 90 / 104]
    )
    np.testing.assert_allclose(
        scores.producers_accuracy(MATRIX), [65 / 75, 81 / 103, 85 / 115, 90 / 141]
    )
    np.testing.assert_allclose(scores.f1_score(MATRIX)[0], 130 / 190)
    np.testing.assert_allclose(scores.iou(MATRIX)[0], 65 / 125)
    assert scores.mean_iou(MATRIX) == pytest.approx(np.mean(scores.iou(MATRIX)))


def test_frequency_weighted_iou_weights_by_the_reference() -> None:
    weights = MATRIX.sum(axis=0) / MATRIX.sum()
    assert scores.frequency_weighted_iou(MATRIX) == pytest.approx(weights @ scores.iou(MATRIX))


def test_matthews_of_two_classes_is_the_phi_coefficient() -> None:
    a, b, c, d = 90, 4, 1, 5
    phi = (a * d - b * c) / math.sqrt((a + b) * (c + d) * (a + c) * (b + d))
    assert scores.matthews_correlation([[a, b], [c, d]]) == pytest.approx(phi, abs=1e-14)


def test_an_absent_class_is_undefined_and_left_out_of_the_mean() -> None:
    assert np.isnan(scores.iou(GAPS)).tolist() == [False, False, True, False]
    assert np.isnan(scores.users_accuracy(GAPS)).tolist() == [False, False, True, False]
    assert np.isnan(scores.producers_accuracy(GAPS)).tolist() == [False, True, True, False]
    assert scores.f1_score(GAPS)[1] == 0
    assert scores.mean_iou(GAPS) == pytest.approx((5 / 8 + 0 + 4 / 5) / 3)
    assert scores.frequency_weighted_iou(GAPS) == pytest.approx(7 / 12 * 5 / 8 + 5 / 12 * 4 / 5)


def test_nothing_counted_has_no_score() -> None:
    empty = np.zeros((2, 2), int)
    for name in ("overall_accuracy", "mean_iou", "frequency_weighted_iou", "matthews_correlation"):
        assert math.isnan(getattr(scores, name)(empty))


def test_one_class_only_has_no_correlation() -> None:
    assert math.isnan(scores.matthews_correlation([[5, 3], [0, 0]]))
    assert math.isnan(scores.matthews_correlation([[5, 0], [0, 0]]))


def test_perfect_map() -> None:
    perfect = np.diag([3, 4, 5])
    for name in ("overall_accuracy", "mean_iou", "frequency_weighted_iou", "matthews_correlation"):
        assert getattr(scores, name)(perfect) == 1


def test_counts_beyond_four_thousand_million_keep_their_scores() -> None:
    small = scores.matthews_correlation(MATRIX), scores.overall_accuracy(MATRIX)
    large = MATRIX.astype(np.int64) * 10**13
    assert scores.matthews_correlation(large) == pytest.approx(small[0], abs=1e-14)
    assert scores.overall_accuracy(large) == pytest.approx(small[1], abs=1e-15)


def test_a_confusion_is_taken_as_it_is() -> None:
    confusion = Confusion(2)
    confusion.update([0, 1, 1], [0, 1, 0])
    assert scores.overall_accuracy(confusion) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("matrix", "told"),
    [([[1, 2]], r"\(1, 2\)"), ([[1, -1], [0, 1]], "negative"), ([[1, np.nan], [0, 1]], "missing")],
)
def test_no_confusion_matrix(matrix, told) -> None:
    with pytest.raises(AccuracyError, match=told):
        scores.iou(matrix)
