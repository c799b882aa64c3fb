"""Exercise 4.2: our answer passes and agrees with the workbench; mistakes do not pass."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

from keras import ops  # noqa: E402

from keras_cases.exercises import rare_classes as exercise  # noqa: E402
from keras_cases.exercises.wrong import WrongAnswerError  # noqa: E402
from rs_workbench.accuracy import iou  # noqa: E402
from rs_workbench.training.class_weights import class_weights  # noqa: E402
from rs_workbench.training.keras_losses import SegmentationLoss  # noqa: E402

NAMES = ("effective_weights", "weighted_cross_entropy", "focal", "dice", "class_iou")


def answer_with(**changed):
    answer = ModuleType("answer")
    for name in NAMES:
        setattr(answer, name, changed.get(name, getattr(exercise, name)))
    return answer


def test_our_own_answer_is_right():
    assert len(exercise.check(exercise)) == 5


def test_it_agrees_with_the_workbench():
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 1, 2, 255], (2, 5, 6)).astype(np.uint8)
    logits = rng.normal(size=(2, 5, 6, 3)).astype(np.float32)
    weights = [0.5, 2.0, 1.0]
    ours = {
        "cross_entropy": exercise.weighted_cross_entropy(labels, logits, np.float32(weights)),
        "focal": exercise.focal(labels, logits),
        "dice": exercise.dice(labels, logits),
    }
    for name, found in ours.items():
        given = weights if name == "cross_entropy" else None
        wanted = SegmentationLoss(name, 3, class_weights=given)(labels, logits)
        assert float(found) == pytest.approx(float(wanted), abs=1e-5)
    counts = [4000, 90, 0, 7]
    np.testing.assert_allclose(
        exercise.effective_weights(counts)[[0, 1, 3]],
        class_weights([4000, 90, 7], "effective_number", beta=0.999),
        rtol=1e-6,
    )
    matrix = rng.integers(0, 50, (4, 4))
    np.testing.assert_allclose(exercise.class_iou(matrix), iou(matrix))


def softmax_twice(labels, logits, weights):
    return exercise.weighted_cross_entropy(labels, ops.softmax(logits), weights)


def divided_by_pixels(labels, logits, weights):
    log_p, truth, _ = exercise.log_probability(labels, logits)
    return -ops.mean(ops.sum(truth * weights, axis=1) * log_p)


def ignoring_nothing(labels, logits, gamma=2.0):
    labels = np.where(labels == 255, 0, labels)  # "else", as the course's argmax said
    return exercise.focal(labels, logits, gamma)


def dice_of_absent_too(labels, logits):
    """A class without a pixel counts as missed."""
    present = np.unique(labels[labels != 255])
    missing = logits.shape[-1] - len(present)
    found = exercise.dice(labels, logits)
    return (found * len(present) + missing) / logits.shape[-1]


def rising(labels, logits):
    return 2 - exercise.dice(labels, logits)


def dice_of_all(labels, logits):
    _, truth, logs = exercise.log_probability(labels, logits)
    labelled = ops.sum(truth, axis=1, keepdims=True)
    p = ops.exp(logs) * labelled
    return 1 - 2 * ops.sum(p * truth) / (ops.sum(p) + ops.sum(truth))


def inverse(counts, beta=0.999):
    weights = 1 / np.maximum(counts, 1)
    return weights / weights.mean()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"effective_weights": inverse}, "divided by its mean over the classes that have a pixel"),
        ({"weighted_cross_entropy": softmax_twice}, "the softmax applied once"),
        ({"weighted_cross_entropy": divided_by_pixels}, "divided by the weights"),
        ({"focal": ignoring_nothing}, "is 255 left out"),
        ({"dice": dice_of_all}, "one share a class"),
        ({"dice": dice_of_absent_too}, "the mean over classes present"),
        ({"dice": rising}, "dice gives"),
        ({"class_iou": lambda m: m.diagonal() / m.sum(axis=0).clip(1)}, "class_iou of"),
    ],
)
def test_mistakes_are_found(changed, sentence):
    with pytest.raises(WrongAnswerError, match=sentence):
        exercise.check(answer_with(**changed))


def test_a_loss_that_looks_at_unlabelled_pixels_is_found():
    def leaking(labels, logits):
        return exercise.dice(labels, logits) + 1e-3 * (ops.mean(logits) - LOGITS_MEAN)

    with pytest.raises(WrongAnswerError, match="must have no share in any sum"):
        exercise.check_unlabelled(answer_with(dice=leaking))


LOGITS_MEAN = float(exercise.LOGITS.mean())


def test_a_loss_of_the_wrong_sign_is_found():
    with pytest.raises(WrongAnswerError, match="check its sign"):
        exercise.check_direction(answer_with(dice=rising))


@pytest.mark.slow
@pytest.mark.data
def test_the_whole_exercise_runs_on_real_tiles(tmp_path, data_folder):
    """With the losses that the other run leaves out."""
    s = exercise.SMOKE
    text = exercise.main(replace(s, out=tmp_path, losses=s.losses[2:])).read_text("utf-8")
    assert "enmap_potsdam, real" in text
    assert "focal less effective number" in text
    assert "IoU of soil" in text


@pytest.mark.slow
def test_the_whole_exercise_runs(tmp_path):
    small = replace(exercise.SMOKE, out=tmp_path, drawn=True, losses=exercise.SMOKE.losses[:2])
    text = exercise.main(small).read_text(encoding="utf-8")
    assert "balanced less cross-entropy" in text
    assert "![IoU of every class on held-out tiles](classes.png)" in text
    assert (tmp_path / "classes.png").is_file()
