"""Scores against torchmetrics on random label arrays.

torchmetrics counts in int64, but divides in float32: its scores are right to about seven digits.
"""

from __future__ import annotations

import pytest

from tests.conftest import require_framework

torch = require_framework("torch")
classification = pytest.importorskip("torchmetrics.classification")

import numpy as np  # noqa: E402

from rs_workbench.accuracy import scores  # noqa: E402
from rs_workbench.accuracy.confusion import Confusion, confusion_matrix  # noqa: E402
from rs_workbench.accuracy.kappa import cohen_kappa  # noqa: E402

FLOAT32 = {"rel": 1e-5, "abs": 1e-6}
N_BATCHES = 5


def label_pair(seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    rng = np.random.default_rng(seed)
    k = 2 + seed % 6
    truth = rng.integers(0, k, (N_BATCHES, 40, 30))
    noise = rng.integers(0, k, truth.shape)
    return np.where(rng.random(truth.shape) < 0.7, truth, noise), truth, k


def run(metric, labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Feed a metric batch by batch."""
    for batch, labelled in zip(labels, truth, strict=True):
        metric.update(torch.from_numpy(batch), torch.from_numpy(labelled))
    return metric.compute().double().numpy()


def count(labels: np.ndarray, truth: np.ndarray, k: int, **options) -> Confusion:
    confusion = Confusion(k, **options)
    for batch, labelled in zip(labels, truth, strict=True):
        confusion.update(batch, labelled)
    return confusion


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("ignore", [None, 255])
def test_rows_are_columns_over_there(seed: int, ignore: int | None) -> None:
    labels, truth, k = label_pair(seed)
    if ignore is not None:
        truth = np.where(truth == 1, ignore, truth)
    metric = classification.MulticlassConfusionMatrix(k, ignore_index=ignore)
    ours = count(labels, truth, k, ignore=ignore)
    np.testing.assert_array_equal(ours.matrix, run(metric, labels, truth).T)
    assert ours.unlabelled == (0 if ignore is None else int((truth == ignore).sum()))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        (scores.iou, "MulticlassJaccardIndex", {"average": None}),
        (scores.mean_iou, "MulticlassJaccardIndex", {"average": "macro"}),
        (scores.frequency_weighted_iou, "MulticlassJaccardIndex", {"average": "weighted"}),
        (scores.f1_score, "MulticlassF1Score", {"average": None}),
        (scores.users_accuracy, "MulticlassPrecision", {"average": None}),
        (scores.producers_accuracy, "MulticlassRecall", {"average": None}),
        (scores.overall_accuracy, "MulticlassAccuracy", {"average": "micro"}),
        (scores.matthews_correlation, "MulticlassMatthewsCorrCoef", {}),
        (lambda c: cohen_kappa(c).value, "MulticlassCohenKappa", {}),
    ],
)
def test_as_torchmetrics(seed: int, ours, theirs: str, options) -> None:
    labels, truth, k = label_pair(seed)
    metric = getattr(classification, theirs)(k, **options)
    expected = run(metric, labels, truth)
    assert ours(count(labels, truth, k)) == pytest.approx(expected, **FLOAT32)


def test_the_score_of_the_whole_is_not_the_mean_of_batches() -> None:
    labels, truth, k = label_pair(3)
    labels[0] = truth[0] = 0  # one batch has a single class, and that right
    whole = scores.mean_iou(count(labels, truth, k))
    metric = classification.MulticlassJaccardIndex(k)
    assert whole == pytest.approx(float(run(metric, labels, truth)), **FLOAT32)
    batches = [
        scores.mean_iou(confusion_matrix(*pair, k)) for pair in zip(labels, truth, strict=True)
    ]
    assert abs(whole - np.mean(batches)) > 0.02


def test_an_absent_class_is_left_out_of_both_means_but_only_we_say_so() -> None:
    labels, truth = np.array([[0, 1, 1, 0]]), np.array([[0, 1, 0, 0]])
    ours = count(labels, truth, 3)
    per_class = run(classification.MulticlassJaccardIndex(3, average=None), labels, truth)
    mean = run(classification.MulticlassJaccardIndex(3, average="macro"), labels, truth)
    assert scores.mean_iou(ours) == pytest.approx(float(mean), **FLOAT32)
    assert per_class[2] == 0
    assert np.isnan(scores.iou(ours)[2])
