"""Exercise 1.2: our answer passes its check; the course's mistakes, and others, do not."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

from keras_cases.exercises import mnist_numpy_mlp as ours  # noqa: E402
from keras_cases.exercises.wrong import WrongAnswerError  # noqa: E402

NAMES = (
    "initial_weights", "forward", "softmax_cross_entropy", "backward", "step", "batches", "train",
    "precision",
)  # fmt: skip


def answer(**other):
    return SimpleNamespace(**{name: getattr(ours, name) for name in NAMES} | other)


def test_our_answer_is_right():
    said = ours.check(answer())
    assert len(said) == 7
    assert "all gradients agree with numerical ones" in said


def squared_error_of_sigmoids(logits, labels):
    """The course: sigmoid outputs and half the squared error."""
    shares = 1 / (1 + np.exp(-logits))
    gap = shares - np.eye(logits.shape[1])[labels]
    return float((gap**2).sum() / 2 / len(labels)), gap * shares * (1 - shares) / len(labels)


def not_mean(logits, labels):
    loss, gradient = ours.softmax_cross_entropy(logits, labels)
    return loss, gradient * len(labels)


def small_weights(sizes, rng):
    """The course: 0.01 times a normal number."""
    return [(0.01 * rng.normal(size=m.shape), b) for m, b in ours.initial_weights(sizes, rng)]


def no_gate(weights, kept, gradient):
    """A backward pass that forgets the ReLU."""
    return ours.backward(weights, [np.abs(part) + 1e-9 for part in kept], gradient)


def sigmoid_inside(weights, images):
    kept = [images]
    for matrix, bias in weights[:-1]:
        kept.append(1 / (1 + np.exp(-(kept[-1] @ matrix + bias))))
    return kept[-1] @ weights[-1][0] + weights[-1][1], kept


def no_momentum(weights, velocity, gradients, rate, momentum):
    return ours.step(weights, velocity, gradients, rate, 0.0)


def in_order(count, size, rng):
    """The course: the same order in each epoch."""
    return (np.arange(first, min(first + size, count)) for first in range(0, count, size))


def drop_the_rest(count, size, rng):
    order = rng.permutation(count)
    return (order[k : k + size] for k in range(0, count - size + 1, size))


def all_at_once(count, size, rng):
    yield rng.permutation(count)


def without_end(count, size, rng):
    while True:
        yield rng.permutation(count)[:size]


def accuracy_by_that_name(predicted, labels):
    """The course: accuracy, called precision."""
    return float((predicted == labels).mean())


def validated_by_what_it_learns(training, validation, s):
    return ours.train(training, training, s)


def one_step(training, validation, s):
    return ours.train(training, validation, replace(s, epochs=1, rate=1e-4))


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"softmax_cross_entropy": squared_error_of_sigmoids}, "squared error is another loss"),
        ({"softmax_cross_entropy": not_mean}, r"softmax - one hot\) / N"),
        ({"initial_weights": small_weights}, r"784 inputs spread by 0.20 times sqrt\(2 / 784\)"),
        ({"forward": sigmoid_inside}, "is there a sigmoid"),
        ({"backward": no_gate}, "gradient of the .* of layer 0 differs by .* numerical one"),
        ({"step": no_momentum}, r"becomes 0.8 - 0.5 = 0.3 .*: got -0.500 and 0.500"),
        ({"batches": in_order}, "the same order in each epoch"),
        ({"batches": drop_the_rest}, "once an epoch: some came twice or never"),
        ({"batches": all_at_once}, r"five batches and one of 3: got sizes \[103\]"),
        ({"batches": without_end}, "once an epoch: some came twice or never"),
        ({"precision": accuracy_by_that_name}, "precision is .* one a digit: 0.75"),
        ({"train": validated_by_what_it_learns}, "val_accuracy ends at .*: of the validation"),
        ({"train": one_step}, "of others is right, less than 0.8"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_mistakes_are_found(other, sentence):
    with pytest.raises(WrongAnswerError, match=sentence):
        ours.check(answer(**other))


def test_drawn_digits_will_do(tmp_path):
    s = replace(ours.SMOKE, out=tmp_path / "out", drawn=True, digits=300, epochs=2)
    assert "DRAWN stand-in" in ours.main(s).read_text(encoding="utf-8")
    facts = json.loads((s.out / "figures.json").read_text(encoding="utf-8"))["facts"]
    assert 0 < facts["largest relative gap of all gradients"] < 1e-5


def test_a_wrong_backward_pass_shows_as_a_gap(monkeypatch):
    rng = np.random.default_rng(0)
    few = rng.random((4, 12)), rng.integers(0, 10, 4)
    assert ours.gradient_gap(*few) < 1e-5
    right = ours.backward

    def without_the_last_bias(*given):
        *first, (matrix, bias) = right(*given)
        return [*first, (matrix, bias * 0.9)]

    monkeypatch.setattr(ours, "backward", without_the_last_bias)
    assert ours.gradient_gap(*few) == pytest.approx(0.1, rel=1e-3)


@pytest.mark.data
def test_it_runs_on_real_digits(data_folder, tmp_path):
    s = replace(ours.SMOKE, out=tmp_path / "out", seeds=(0, 1))
    text = ours.main(s).read_text(encoding="utf-8")
    assert "Precision of 0 to 9, first seed: 0." in text
    figures = json.loads((s.out / "figures.json").read_text(encoding="utf-8"))["lines"][0]
    assert figures["name"] == "this net, 2 seeds"
    assert figures["figures"]["worst seed"] > 0.8
