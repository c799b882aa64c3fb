"""Exercise: a convolutional net, and what each layer does to shapes.

任务：写卷积的边长和参数量公式，再写至多 40 万参数的卷积网络；没学过的数字至少六成识别正确。

Write a file with

    conv_side(side, kernel, stride=1, padding="valid")
                       side of what a convolution (or a pooling) gives, px; "same" pads with zeros
    conv_parameters(kernel, bands, filters)
                       weights and biases of a convolution with square kernels
    SMOKE              settings for a run of seconds
    build_model(s)     a Keras model from images (N, 28, 28, 1) to logits (N, 10), with at least
                       two convolutions and at most 400,000 parameters
    train(model, data, s) -> history
                       compiles and fits, as in the exercise mnist_deeper

The course's net has 3,333,706 parameters, 3,212,288 of them in one dense layer behind 7 x 7 x 64
numbers, and reached .9924 on the digits that it was validated by. Convolutions find strokes
wherever they are, so that few weights go far: ours has a twentieth of the parameters and is to
reach .994, mean of three seeds.

    python -m keras_cases.exercises.mnist_cnn          # --quick, --smoke
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import keras
from keras import layers

from keras_cases import mnist
from keras_cases.exercises.wrong import WrongAnswerError, refuse
from keras_cases.shared import run
from rs_workbench.lessons import digits_report as pages
from rs_workbench.lessons import keras_answers as faults
from rs_workbench.lessons.digits_drawn import drawn_parts
from rs_workbench.lessons.digits_seeds import report_seeds
from rs_workbench.lessons.keras_digits import VariedDigits, logits_of, table_of_shapes
from rs_workbench.lessons.training_record import keep_training

LEAST = 0.6  # share of drawn digits that the check wants right
COURSE = [("3,333,706 parameters", 0.9924), ("30,174 parameters", 0.9899)]
MOST = 400_000  # parameters
SIDES = [(28, 5, 1, "valid"), (28, 3, 1, "same"), (24, 2, 2, "valid"), (27, 3, 2, "same")]


# %% Settings: change these in class
@dataclass(frozen=True)
class Settings:
    blocks: tuple[tuple[int, int], ...] = ((24, 24), (48, 48))  # filters, two layers a block
    hidden: int = 128
    dropout: float = 0.4
    batch: int = 128
    epochs: int = 14
    learning_rate: float = 3e-3  # at the start; falls to 0
    turn: float = 10.0  # degrees
    shift: float = 2.0  # px
    digits: int | None = None
    validation: int = 5_000
    seeds: tuple[int, ...] = (0, 1, 2)
    seed: int = 0
    out: Path = Path("out/mnist_cnn")
    drawn: bool = False


# %% Settings for a lesson, and for a test of this file
QUICK = Settings(
    blocks=((16, 16), (32, 32)),
    digits=20_000,
    epochs=5,
    seeds=(0,),
    out=Path("out/mnist_cnn_quick"),
)
SMOKE = Settings(
    blocks=((8, 8), (16, 16)),
    hidden=32,
    dropout=0.2,
    batch=16,
    epochs=3,
    digits=800,
    validation=200,
    seeds=(0,),
    out=Path("out/mnist_cnn_smoke"),
)


# %% Shapes: where a kernel fits; "same" pads so that only the stride counts
def conv_side(side: int, kernel: int, stride: int = 1, padding: str = "valid") -> int:
    places = side if padding == "same" else side - kernel + 1
    return -(-places // stride)


def conv_parameters(kernel: int, bands: int, filters: int) -> int:
    return kernel * kernel * bands * filters + filters


# %% Model: two convolutions of 3 x 3 see as far as one of 5 x 5, with a bend between and less
def build_model(s: Settings) -> keras.Model:
    keras.utils.set_random_seed(s.seed)
    image = x = keras.Input((28, 28, 1))
    for block in s.blocks:
        for filters in block:
            x = layers.Conv2D(filters, 3, use_bias=False)(x)  # the norm adds a bias of its own
            x = layers.BatchNormalization(momentum=0.9)(x)
            x = layers.ReLU()(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(s.hidden, activation="relu")(x)
    x = layers.Dropout(s.dropout)(x)
    return keras.Model(image, layers.Dense(10)(x), name="cnn")


# %% Train: no digit is seen twice as it was; the average of the last steps is kept
def train(model: keras.Model, data: mnist.Data, s: Settings) -> dict[str, list[float]]:
    varied = VariedDigits(
        data.training, batch=s.batch, seed=s.seed, turn=s.turn, shift=s.shift, grow=0.1
    )
    rate = keras.optimizers.schedules.CosineDecay(s.learning_rate, s.epochs * len(varied))
    model.compile(
        optimizer=keras.optimizers.Adam(rate, use_ema=True, ema_momentum=0.99),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    validation = tuple(data.validation)
    average = keras.callbacks.SwapEMAWeights()  # validates the average, which is what is kept
    learnt = {"epochs": s.epochs, "validation_data": validation, "verbose": 2}
    return model.fit(varied, callbacks=[average], **learnt).history


# %% Run: the test digits are opened when the nets of all seeds have learnt
def main(s: Settings) -> Path:
    data, started = mnist.load_data(s), time.perf_counter()
    models = [build_model(replace(s, seed=seed)) for seed in s.seeds]
    of_seeds = zip(models, s.seeds, strict=True)
    histories = [train(model, data, replace(s, seed=seed)) for model, seed in of_seeds]
    keep_training(s.out, histories[0], time.perf_counter() - started)
    test = mnist.open_test(data)
    says = [logits_of(model, test.images).argmax(axis=1) for model in models]
    return report_seeds(
        s.out,
        "MNIST: a convolutional net",
        text=table_of_shapes(models[0]),
        says=says,
        training=data.training,
        test=test,
        published=[pages.published(f"the course's, {name}", score) for name, score in COURSE],
        facts={**mnist.facts(data, s), "parameters": models[0].count_params()},
    )


# %% The check of an answer
def check(answer: ModuleType) -> list[str]:
    right = [check_shapes(answer)]
    model = answer.build_model(answer.SMOKE)
    refuse(faults.fault_of_outputs(model))
    refuse(fault_of_size(model))
    parts = drawn_parts(1_100, 97)
    history = answer.train(model, mnist.Data(*parts, Path(), real=False), answer.SMOKE)
    refuse(faults.fault_of_loss(model))
    refuse(faults.fault_of_history(history, 97, LEAST))
    return [
        *right,
        "the net gives logits of ten classes, the same each time",
        f"it convolves, with {model.count_params():,} parameters",
        "the loss is the cross-entropy of logits",
        f"it learns: {history['val_accuracy'][-1]:.3f} of 97 drawn digits that it never saw",
    ]


def check_shapes(answer: ModuleType) -> str:
    for side, kernel, stride, padding in SIDES:
        layer = layers.Conv2D(4, kernel, strides=stride, padding=padding)
        wanted = layer.compute_output_shape((1, side, side, 3))[1]
        got = answer.conv_side(side, kernel, stride, padding)
        if got != wanted:
            raise WrongAnswerError(
                f"{side} px, a kernel of {kernel}, stride {stride}, padding {padding!r} give "
                f"{wanted} px: got {got} (in how many places does the kernel fit?)"
            )
    if (got := answer.conv_parameters(5, 3, 16)) != 1_216:
        raise WrongAnswerError(
            "16 filters of 5 x 5 over 3 bands are 16 x 75 weights and 16 biases, 1216 in all: "
            f"got {got}"
        )
    return "sides and parameters of convolutions are those of Keras"


def fault_of_size(model: keras.Model) -> str:
    found = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    if len(found) < 2:
        return f"it has {len(found)} convolutions: at least 2 are wanted"
    if model.count_params() > MOST:
        largest = max(model.layers, key=lambda layer: layer.count_params())
        return (
            f"it has {model.count_params():,} parameters, more than {MOST:,}; "
            f"{largest.count_params():,} of them in '{largest.name}': pool once more, or have "
            "fewer numbers before the dense layer"
        )
    return ""


if __name__ == "__main__":
    run(main, Settings(), QUICK, SMOKE)
