"""Exercise: a multilayer perceptron in plain NumPy, with a check of its gradients.

任务：只用 NumPy 写出下列函数；梯度须与数值梯度一致，没学过的数字至少八成识别正确。

Write a file with these functions; only NumPy may be imported. `weights` is a list of
(matrix, bias) pairs, one a layer; hidden layers have ReLU, the last one gives logits.

    initial_weights(sizes, rng) -> weights
        For sizes such as (784, 256, 10). Random, and as large as the number of inputs asks for.
    forward(weights, images) -> (logits, kept)
        `images` (N, 784); `kept` is whatever `backward` needs.
    softmax_cross_entropy(logits, labels) -> (loss, gradient)
        Mean loss of (N, 10) logits and (N,) digits, and its gradient by the logits.
    backward(weights, kept, gradient) -> gradients
        Like `weights`: the gradient of the loss by each matrix and bias.
    step(weights, velocity, gradients, rate, momentum) -> (weights, velocity)
        v <- momentum v - rate g;  w <- w + v.
    batches(count, size, rng) -> iterator of index arrays
        Each of `count` digits once an epoch, in a new order each time it is called.
    train(training, validation, s) -> (weights, history)
        `training` and `validation` have `images` (N, 784), 0 to 1, and `labels`; `s` has sizes,
        epochs, batch, rate, momentum, seed. history["val_accuracy"]: one number an epoch.
    precision(predicted, labels) -> array of 10
        Of what is called k, the share that is k.

The check compares your gradients with numerical ones: the test that finds almost every mistake
of a backward pass. The course's net (a sigmoid on its output, squared error, first weights of
spread 0.01, the same order in each epoch) reached .9171 and called that "precision".

    python -m keras_cases.exercises.mnist_numpy_mlp          # --quick, --smoke
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from types import ModuleType

import numpy as np

from keras_cases import mnist
from keras_cases.exercises.wrong import WrongAnswerError, refuse
from keras_cases.shared import run
from rs_workbench.lessons import digits_report as pages
from rs_workbench.lessons import numpy_answers as faults
from rs_workbench.lessons.digits import Digits, share_right
from rs_workbench.lessons.digits_drawn import drawn_parts
from rs_workbench.lessons.digits_seeds import report_seeds
from rs_workbench.lessons.numerical_gradient import numerical_gradient
from rs_workbench.lessons.training_record import keep_training

Weights = list[tuple[np.ndarray, np.ndarray]]
GAP = "largest relative gap of all gradients"  # to numerical ones


# %% Settings: change these in class
@dataclass(frozen=True)
class Settings:
    sizes: tuple[int, ...] = (784, 256, 10)
    epochs: int = 20
    batch: int = 64
    rate: float = 0.05  # at the start; falls to 0
    momentum: float = 0.9
    digits: int | None = None
    validation: int = 5_000
    seeds: tuple[int, ...] = (0, 1, 2)
    seed: int = 0
    out: Path = Path("out/mnist_numpy_mlp")
    drawn: bool = False


# %% Settings for a lesson, and for a test of this file
QUICK = Settings(epochs=8, seeds=(0,), out=Path("out/mnist_numpy_mlp_quick"))
SMOKE = replace(
    Settings((784, 32, 10), epochs=5, batch=20, digits=1_000, validation=200, seeds=(0,)),
    out=Path("out/mnist_numpy_mlp_smoke"),
)


# %% Weights: their spread keeps signals as large behind a layer as before it
def initial_weights(sizes: tuple[int, ...], rng: np.random.Generator) -> Weights:
    return [
        (rng.normal(0, np.sqrt(2 / n_in), (n_in, n_out)), np.zeros(n_out))
        for n_in, n_out in pairwise(sizes)
    ]


# %% Forward: multiply, add, cut off what is negative
def forward(weights: Weights, images: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    kept = [images]
    for matrix, bias in weights[:-1]:
        kept.append(np.maximum(kept[-1] @ matrix + bias, 0))
    matrix, bias = weights[-1]
    return kept[-1] @ matrix + bias, kept


# %% Loss: how surprised the net is by the truth; its gradient is "says" less "is"
def softmax_cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    shifted = logits - logits.max(axis=1, keepdims=True)  # so that exp never overflows
    log_shares = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    picked = np.arange(len(labels)), labels
    gradient = np.exp(log_shares)
    gradient[picked] -= 1
    return float(-log_shares[picked].mean()), gradient / len(labels)


# %% Backward: the chain rule, from the last layer to the first
def backward(weights: Weights, kept: list[np.ndarray], gradient: np.ndarray) -> Weights:
    gradients = []
    for (matrix, _), inputs in zip(weights[::-1], kept[::-1], strict=True):
        gradients.append((inputs.T @ gradient, gradient.sum(axis=0)))
        gradient = (gradient @ matrix.T) * (inputs > 0)  # a ReLU that was shut passes nothing on
    return gradients[::-1]


# %% Is that right? Move every weight of a small net a little, and see what the loss does
def gradient_gap(images: np.ndarray, labels: np.ndarray) -> float:
    weights = initial_weights((images.shape[1], 8, 10), np.random.default_rng(1))

    def loss() -> float:
        return softmax_cross_entropy(forward(weights, images)[0], labels)[0]

    logits, kept = forward(weights, images)
    slopes = backward(weights, kept, softmax_cross_entropy(logits, labels)[1])
    pairs = zip(sum(weights, ()), sum(slopes, ()), strict=True)
    exact = [(numerical_gradient(loss, moved), slope) for moved, slope in pairs]
    return max(float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-12)) for a, b in exact)


# %% Learning: a ball that rolls downhill keeps some of its speed
def step(
    weights: Weights, velocity: Weights, gradients: Weights, rate: float, momentum: float
) -> tuple[Weights, Weights]:
    speeds = zip(velocity, gradients, strict=True)
    velocity = [(momentum * v - rate * g, momentum * u - rate * h) for (v, u), (g, h) in speeds]
    places = zip(weights, velocity, strict=True)
    moved = [(matrix + v, bias + u) for (matrix, bias), (v, u) in places]
    return moved, velocity


def batches(count: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    order = rng.permutation(count)
    for first in range(0, count, size):
        yield order[first : first + size]


# %% Training: the learning rate falls to 0 along a cosine
def train(training: Digits, validation: Digits, s: Settings) -> tuple[Weights, dict]:
    rng = np.random.default_rng(s.seed)
    weights = [tuple(w.astype("float32") for w in pair) for pair in initial_weights(s.sizes, rng)]
    velocity = [tuple(np.zeros_like(w) for w in pair) for pair in weights]
    history = {"loss": [], "val_accuracy": []}
    for epoch in range(s.epochs):
        rate, losses = s.rate * (1 + math.cos(math.pi * epoch / s.epochs)) / 2, []
        for taken in batches(len(training.labels), s.batch, rng):
            logits, kept = forward(weights, training.images[taken])
            loss, gradient = softmax_cross_entropy(logits, training.labels[taken])
            gradients = backward(weights, kept, gradient)
            weights, velocity = step(weights, velocity, gradients, rate, s.momentum)
            losses.append(loss)
        says = forward(weights, validation.images)[0].argmax(axis=1)
        history["loss"].append(float(np.mean(losses)))
        history["val_accuracy"].append(share_right(says, validation.labels))
    return weights, history


# %% Precision: of what is called 3, how much is one? Accuracy is one number for all digits
def precision(predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    called = np.bincount(predicted, minlength=10)
    right = np.bincount(predicted[predicted == labels], minlength=10)
    return right / np.maximum(called, 1)


def in_rows(digits: Digits) -> Digits:
    return Digits(digits.images.reshape(len(digits.images), -1), digits.labels)


# %% Run: validation digits while it learns, test digits once, when all seeds have learnt
def main(s: Settings) -> Path:
    data = mnist.load_data(s)
    parts = [in_rows(part) for part in (data.training, data.validation)]
    gap, started = gradient_gap(*(array[:5] for array in parts[0])), time.perf_counter()
    found = [train(*parts, replace(s, seed=seed)) for seed in s.seeds]
    keep_training(s.out, found[0][1], time.perf_counter() - started)
    test = mnist.open_test(data)
    says = [forward(weights, in_rows(test).images)[0].argmax(axis=1) for weights, _ in found]
    precise = " ".join(f"{share:.3f}" for share in precision(says[0], test.labels))
    return report_seeds(
        s.out,
        "A multilayer perceptron in plain NumPy",
        text=f"{' - '.join(map(str, s.sizes))}. Precision of 0 to 9, first seed: {precise}.",
        says=says,
        training=data.training,
        test=test,
        published=[pages.published("the course's net in NumPy", 0.9171)],
        facts={**mnist.facts(data, s), "backend": "NumPy", GAP: gap},
    )


# %% The check of an answer
def check(answer: ModuleType) -> list[str]:
    of_parts = (check_loss, check_weights, check_gradients, check_step, check_batches)
    return [part(answer) for part in (*of_parts, check_precision, check_training)]


def check_loss(answer: ModuleType) -> str:
    logits = np.array([[2.0, 0, -1], [1000, 0, -1000], [0, 3, 0.5]])
    labels = np.array([0, 1, 1])
    loss, gradient = answer.softmax_cross_entropy(logits, labels)
    wanted, slope = softmax_cross_entropy(logits, labels)
    if not np.isclose(loss, wanted, rtol=1e-6):
        raise WrongAnswerError(
            f"logits {logits.tolist()}, labels {labels}: the mean of log(sum exp) less the true "
            f"logit is {wanted:.4f}: got {loss:.4f} (squared error is another loss)"
        )
    if np.shape(gradient) != logits.shape or not np.allclose(gradient, slope, atol=1e-6):
        raise WrongAnswerError(
            "the gradient of the loss by the logits is (softmax - one hot) / N, in the first row "
            f"{slope[0].round(4)}: got {np.asarray(gradient)[0].round(4)}"
        )
    return "softmax cross-entropy is right, for large logits, too"


def check_weights(answer: ModuleType) -> str:
    weights = answer.initial_weights((784, 256, 10), np.random.default_rng(0))
    shapes = [array.shape for pair in weights for array in pair]
    if shapes != [(784, 256), (256,), (256, 10), (10,)]:
        refuse(f"weights of sizes (784, 256, 10) have shapes {shapes}: want (in, out), (out,)")
    for (matrix, _), n_in in zip(weights, (784, 256), strict=True):
        if not 1 / 3 < (ratio := matrix.std() / np.sqrt(2 / n_in)) < 3:
            raise WrongAnswerError(
                f"weights behind {n_in} inputs spread by {ratio:.2f} times sqrt(2 / {n_in}), with "
                "which signals keep their size"
            )
    return "first weights are as large as the number of inputs asks for"


def check_gradients(answer: ModuleType) -> str:
    rng = np.random.default_rng(1)
    weights = [(m * 1.0, b + 0.1) for m, b in initial_weights((12, 9, 7, 10), rng)]
    images, labels = rng.random((6, 12)), rng.integers(0, 10, 6)
    logits, kept = answer.forward(weights, images)
    if not np.allclose(logits, forward(weights, images)[0]):
        refuse("the logits are not those of ReLU layers: is there a sigmoid, or a last ReLU?")
    gradients = answer.backward(weights, kept, softmax_cross_entropy(logits, labels)[1])

    def loss() -> float:
        return softmax_cross_entropy(forward(weights, images)[0], labels)[0]

    refuse(faults.fault_of_gradients(loss, weights, gradients))
    return "all gradients agree with numerical ones"


def check_step(answer: ModuleType) -> str:
    one = [(np.ones((2, 2)), np.ones(2))]
    weights, velocity = answer.step(one, one, one, 0.5, 0.8)
    got = float(velocity[0][0][0, 0]), float(weights[0][1][0])
    if not np.allclose(got, (0.3, 1.3)):
        raise WrongAnswerError(
            "weight, velocity and gradient 1, rate 0.5, momentum 0.8: velocity becomes 0.8 - 0.5 "
            f"= 0.3 and weight 1.3: got {got[0]:.3f} and {got[1]:.3f}"
        )
    return "a step keeps its momentum"


def check_batches(answer: ModuleType) -> str:
    rng = np.random.default_rng(0)
    epochs = [list(islice(answer.batches(103, 20, rng), 104)) for _ in "ab"]
    refuse(faults.fault_of_batches(*epochs))
    return "each digit comes once an epoch, in a new order"


def check_precision(answer: ModuleType) -> str:
    predicted, labels = np.arange(12) % 10, np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2])
    wanted, got = precision(predicted, labels), np.asarray(answer.precision(predicted, labels))
    if got.shape != (10,) or not np.allclose(got, wanted):
        refuse(f"{predicted} are {labels} in truth: precision is {wanted}, one a digit: {got}")
    return "precision is that of each digit"


def check_training(answer: ModuleType) -> str:
    parts = [in_rows(part) for part in drawn_parts(1_400, 97)]
    weights, history = answer.train(*parts, replace(SMOKE, epochs=4))
    share = history["val_accuracy"][-1]
    true = share_right(forward(weights, parts[1].images)[0].argmax(axis=1), parts[1].labels)
    if not np.isclose(share, true, atol=1e-9):
        refuse(f"val_accuracy ends at {share:.4f}: of the validation digits {true:.4f} is right")
    if share < 0.8:
        refuse(f"1,400 drawn digits, 4 epochs: {share:.3f} of others is right, less than 0.8")
    return f"it learns: {share:.3f} of 97 drawn digits that it never saw"


if __name__ == "__main__":
    run(main, Settings(), QUICK, SMOKE)
