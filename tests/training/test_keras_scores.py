"""The Keras callback gives the numbers of the accuracy module."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

from rs_workbench.accuracy import confusion_matrix, mean_iou, overall_accuracy  # noqa: E402
from rs_workbench.training.keras_scores import HeldOutScores, count_batches  # noqa: E402


def chips(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, (4, 6, 5)).astype(np.uint8)
    images = rng.random((4, 6, 5, 2)).astype(np.float32)
    labels[0, :2] = 255
    return images, labels


def net() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((6, 5, 2)), keras.layers.Conv2D(3, 1)])


def test_counts_are_those_of_the_whole() -> None:
    model, batches = net(), [chips(0), chips(1)]
    counted = count_batches(model, batches, 3)
    images, labels = (np.concatenate(x) for x in zip(*batches, strict=True))
    found = model.predict(images, verbose=0).argmax(axis=-1)
    expected = confusion_matrix(found, labels, 3, ignore=255)
    np.testing.assert_array_equal(counted.matrix, expected)
    assert counted.unlabelled == (labels == 255).sum() == 20


def test_the_callback_fills_the_logs_that_other_callbacks_watch() -> None:
    model, (images, labels) = net(), chips(0)
    labels = labels % 3
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    scores = HeldOutScores([(images, labels)], 3)
    stop = keras.callbacks.EarlyStopping("val_mean_iou", mode="max", patience=0, min_delta=9)
    history = model.fit(images, labels, epochs=5, verbose=0, callbacks=[scores, stop])
    assert len(history.history["val_mean_iou"]) == 2, "EarlyStopping watches the score"
    assert history.history["val_mean_iou"][-1] == pytest.approx(mean_iou(scores.confusion))
    assert history.history["val_overall_accuracy"][-1] == pytest.approx(
        overall_accuracy(scores.confusion)
    )


def test_labels_of_whole_images() -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    images, labels = np.eye(4, dtype=np.float32), np.array([[0], [1], [1], [0]])
    assert count_batches(model, [(images, labels)], 2, ignore=None).seen == 4
