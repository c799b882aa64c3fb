"""Scores against scikit-learn on random label arrays, and of tables that others have printed."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from rs_workbench.accuracy import scores
from rs_workbench.accuracy.confusion import Confusion, confusion_matrix
from rs_workbench.accuracy.kappa import cohen_kappa, conditional_kappa
from tests.accuracy.published import agrees
from tests.accuracy.published_agreement import CONGALTON, GRASS

TOLERANCE = {"rel": 1e-12, "abs": 1e-12}


def label_pair(seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Labels of a map, those in truth, and the number of classes, all of which occur."""
    rng = np.random.default_rng(seed)
    k, n = int(rng.integers(2, 9)), int(rng.integers(50, 3_000))
    skew = rng.dirichlet(np.ones(k))
    truth = np.concatenate([np.arange(k), rng.choice(k, n, p=skew)])
    noise = rng.integers(0, k, truth.size)
    labels = np.where(rng.random(truth.size) < rng.uniform(0.1, 0.95), truth, noise)
    labels[:k] = np.arange(k)
    return labels, truth, k


@pytest.fixture(params=range(12))
def labelled(request) -> tuple[np.ndarray, np.ndarray, int]:
    return label_pair(request.param)


def test_rows_are_columns_over_there(labelled) -> None:
    labels, truth, k = labelled
    theirs = metrics.confusion_matrix(truth, labels, labels=range(k))
    np.testing.assert_array_equal(confusion_matrix(labels, truth, k), theirs.T)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (scores.users_accuracy, lambda t, m: metrics.precision_score(t, m, average=None)),
        (scores.producers_accuracy, lambda t, m: metrics.recall_score(t, m, average=None)),
        (scores.f1_score, lambda t, m: metrics.f1_score(t, m, average=None)),
        (scores.iou, lambda t, m: metrics.jaccard_score(t, m, average=None)),
        (scores.mean_iou, lambda t, m: metrics.jaccard_score(t, m, average="macro")),
        (
            scores.frequency_weighted_iou,
            lambda t, m: metrics.jaccard_score(t, m, average="weighted"),
        ),
        (scores.overall_accuracy, metrics.accuracy_score),
        (scores.matthews_correlation, metrics.matthews_corrcoef),
        (lambda c: scores.producers_accuracy(c).mean(), metrics.balanced_accuracy_score),
        (lambda c: cohen_kappa(c).value, metrics.cohen_kappa_score),
    ],
    ids=[
        *("precision", "recall", "f1", "jaccard", "macro jaccard", "weighted jaccard"),
        *("accuracy", "matthews", "balanced accuracy", "kappa"),
    ],
)
def test_as_scikit_learn(labelled, ours, theirs) -> None:
    labels, truth, k = labelled
    confusion = Confusion(k)
    confusion.update(labels, truth)
    assert ours(confusion) == pytest.approx(theirs(truth, labels), **TOLERANCE)


def test_a_class_only_there_is_left_out_here_and_zero_there() -> None:
    labels, truth = np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0])
    theirs = metrics.jaccard_score(truth, labels, labels=range(3), average=None, zero_division=0.0)
    ours = scores.iou(confusion_matrix(labels, truth, 3))
    assert ours[:2] == pytest.approx(theirs[:2], **TOLERANCE)
    assert theirs[2] == 0
    assert np.isnan(ours[2])


def test_grass_with_classes_on_one_side_only() -> None:
    assert agrees(scores.overall_accuracy(GRASS.counts), str(GRASS.printed["overall"]))
    assert agrees(cohen_kappa(GRASS.counts).value, str(GRASS.printed["value"]))
    found = {
        "users": scores.users_accuracy(GRASS.counts),
        "producers": scores.producers_accuracy(GRASS.counts),
        "conditional": [kappa.value for kappa in conditional_kappa(GRASS.counts)],
    }
    for name, values in found.items():
        pairs = zip(values, GRASS.printed[name], strict=True)
        assert [text for value, text in pairs if not agrees(value, text)] == []


def test_congalton() -> None:
    assert agrees(cohen_kappa(CONGALTON.counts).value, str(CONGALTON.printed["value"]))
