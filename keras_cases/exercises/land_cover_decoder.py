"""Exercise 3.2. A decoder of your own for DeepLabV3+, and evidence that all of it is alive.

任务：自己写解码器，并写函数找出不通向输出的层和不学习的权重；你的模型里一个也不能有。

Write two functions:

    build_model(n_bands=3, n_classes=7) -> keras.Model
    dead_parts(model) -> list[str]

The model takes images (N, H, W, B) of any size that is a multiple of 16 px and gives logits
(N, H, W, K); the decoder is yours. `dead_parts` names layers that take something from the model
and lead to no output, and weights that do not learn; it gives an empty list for a sound model.

The course's answer claims a fourth ring of rate 24, which is built and never joined, and joins its
third skip before the ReLU that was made for it. Nobody saw it: Keras says nothing of layers that
lead nowhere, and the figures shown are copies of another exercise's. Check yours:

    python -m keras_cases.check land_cover_decoder my_answer.py

`python -m keras_cases.exercises.land_cover_decoder` (`--quick`, `--smoke`) trains three decoders
on one budget and compares them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from types import ModuleType

import keras
import numpy as np
from keras import layers

from keras_cases import land_cover_deeplabv3 as case
from keras_cases.exercises.wrong import WrongAnswerError
from keras_cases.models.deeplabv3 import enlarge, pyramid
from keras_cases.models.xception import MINI, conv, sep_conv, xception
from keras_cases.shared import run, settings_of
from rs_workbench.lessons.course_figures import COURSE_DECODERS
from rs_workbench.lessons.held_out_maps import difference_sentences, score_line
from rs_workbench.lessons.report import write_report
from rs_workbench.lessons.training_record import CURVES

FULL = replace(case.Settings(), epochs=8, seeds=(0, 1), out=Path("out/land_cover_decoder"))
QUICK = replace(case.QUICK, out=Path("out/land_cover_decoder_quick"))
SMOKE = replace(case.SMOKE, out=Path("out/land_cover_decoder_smoke"))
STEP = 100.0
"""Learning rate of the one step of the trial: large, so that small gradients are seen."""
LEAST = 1e-4
"""A weight that moves less does not learn: rounding alone moves one by up to 1e-6."""


# %% The answer: what is wide says where, what is sharp says what; a gate lets it through
def build_model(
    n_bands: int = 3, n_classes: int = 7, *, width: int = 64, rates: tuple[int, ...] = (2, 4, 6)
) -> keras.Model:
    image = keras.Input((None, None, n_bands), name="image")
    features = xception(image, MINI, output_stride=16)
    x = pyramid(features[16], width, rates=rates, image_pooling=False)
    for stride in (8, 4, 2):  # (N, H / stride, ..., width)
        x = sharpen(x, features[stride], width if stride > 2 else width // 2, stride)
    logits = layers.Conv2D(n_classes, 1, kernel_initializer="he_normal", name="head")(x)
    model = keras.Model(image, enlarge(logits, 2), name="gated_decoder")
    model.stride = 16
    return model


# %% The answer, one step of it: twice the size, and the edges that the skip has kept
def sharpen(
    x: keras.KerasTensor, skip: keras.KerasTensor, width: int, stride: int
) -> keras.KerasTensor:
    """Twice the size; add the narrowed skip, weighted by what lies around each pixel."""
    wide = enlarge(conv(x, width, 1, name=f"decoder-wide-{stride}"), 2)
    gate = layers.Conv2D(width, 1, activation="sigmoid", name=f"decoder-gate-{stride}")(wide)
    sharp = conv(skip, width, 1, name=f"decoder-sharp-{stride}")
    x = layers.Add()([wide, layers.Multiply()([gate, sharp])])
    return sep_conv(x, width, relu=True, name=f"decoder-look-{stride}")


# %% The answer: a layer is alive if it leads to the output and its weights learn
def dead_parts(model: keras.Model) -> list[str]:
    return [*leading_nowhere(model), *not_learning(model)]


# %% The answer: what takes from the model, and is not part of it
def leading_nowhere(model: keras.Model) -> Iterator[str]:
    """Follow everything that takes from the model: what is not part of it leads nowhere."""
    known = {id(operation) for operation in model.operations}
    ahead = list(model.operations)
    while ahead:
        for node in ahead.pop()._outbound_nodes:
            taker = node.operation
            if id(taker) not in known:
                known.add(id(taker))
                ahead.append(taker)
                yield f"{taker.name} leads to no output"


# %% The answer: what one step does not change
def not_learning(model: keras.Model) -> Iterator[str]:
    """Train a copy for one step of plain gradient descent: a weight that stays has no gradient."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((4, 64, 64, model.input_shape[-1])).astype(np.float32)
    labels = rng.integers(0, model.output_shape[-1], (4, 64, 64))
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    copy.compile(keras.optimizers.SGD(STEP), loss, run_eagerly=True)
    weights = [w for w in copy.trainable_weights if w.path not in taken_off_again(copy)]
    before = [keras.ops.convert_to_numpy(weight) for weight in weights]
    copy.train_on_batch(images, labels)
    for weight, old in zip(weights, before, strict=True):
        if np.abs(keras.ops.convert_to_numpy(weight) - old).max() < LEAST:
            yield f"{weight.path} does not learn"


# %% The answer: what may stay as it is
def taken_off_again(model: keras.Model) -> set[str]:
    """Biases right before a BatchNormalization, which subtracts them: idle, but no mistake."""
    return {
        layer.bias.path
        for layer in model.layers
        if getattr(layer, "bias", None) is not None
        and (takers := [node.operation for node in layer._outbound_nodes])
        and all(isinstance(taker, layers.BatchNormalization) for taker in takers)
    }


# %% The check: small nets with the course's mistakes in them, and one without
def faulty(fault: str = "") -> keras.Model:
    """A net of four layers, and what is wrong with it."""
    image = keras.Input((None, None, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same", name="stem")(image)
    skip = layers.Conv2D(8, 1, use_bias=False, name="skip")(image)
    skip = layers.BatchNormalization(name="skip-norm")(skip)
    narrow = layers.ReLU(name="skip-relu")(skip)
    joined = [x, skip if fault == "skip" else narrow]
    if fault == "ring":
        ring = layers.SeparableConv2D(8, 3, padding="same", dilation_rate=24, name="ring-24")(x)
        layers.ReLU(name="ring-24-relu")(ring)
    if fault == "weights":
        idle = layers.Conv2D(8, 1, name="idle")(x)
        joined.append(layers.Rescaling(0.0)(idle))
    x = layers.Activation("gelu")(layers.Concatenate()(joined))
    return keras.Model(image, layers.Conv2D(5, 1, name="head")(x))


FAULTS = {
    "ring": ("ring-24", "a branch of rate 24 that is built and never joined"),
    "skip": ("skip-relu", "a skip that is joined before its ReLU"),
    "weights": ("idle", "a layer whose result is multiplied by 0"),
}


def check(answer: ModuleType) -> list[str]:
    model = answer.build_model(3, 7)
    for height, width in ((64, 64), (48, 96)):
        found = model(np.zeros((1, height, width, 3), np.float32)).shape
        if tuple(found) != (1, height, width, 7):
            raise WrongAnswerError(
                f"an image of {height} x {width} px must give 7 scores a pixel, (1, {height}, "
                f"{width}, 7): got {tuple(found)}; enlarge what the decoder ends with"
            )
    right = ["each pixel gets one score a class, whatever the size"]
    if dead := dead_parts(model):
        raise WrongAnswerError(
            f"{len(dead)} parts of the model are dead: {'; '.join(dead[:3])}: join each branch "
            "after its last layer, or take it out"
        )
    right.append("every layer leads to the output, and every weight learns")
    return [*right, *check_evidence(answer.dead_parts, model)]


def check_evidence(find: Callable[[keras.Model], list[str]], model: keras.Model) -> list[str]:
    """Whether dead parts are found, and none where there is none."""
    for fault, (name, what) in FAULTS.items():
        found = list(find(faulty(fault)))
        if not any(name in one for one in found):
            raise WrongAnswerError(
                f"dead_parts does not find {what}: it gives {found}, but a text with '{name}' is "
                "missing; look at what takes from the layers, and at what one step changes"
            )
    for sound in (faulty(), model):
        if found := list(find(sound)):
            raise WrongAnswerError(
                f"dead_parts finds {found[:3]} in a model that is sound: is the least change "
                "that counts too large?"
            )
    return ["dead_parts finds the course's mistakes, and nothing in a sound model"]


# %% Three decoders on one budget
def decoders(s: case.Settings) -> dict[str, Callable[[case.Settings], keras.Model]]:
    def ours(one: case.Settings) -> keras.Model:
        keras.utils.set_random_seed(one.seed)
        return build_model(3, case.N_CLASSES, width=one.width, rates=one.rates)

    return {
        "gated decoder": ours,
        "decoder as in the paper": lambda one: case.build_model(replace(one, decoder="course")),
        "fine decoder": lambda one: case.build_model(replace(one, decoder="fine")),
    }


def main(s: case.Settings = FULL) -> Path:
    data, started = case.load_data(s), time.perf_counter()
    runs, pictures = {}, {}
    for name, build in decoders(s).items():
        runs[name] = case.train_and_count(build, data, s, s.seeds)
        beside = s.out / f"{name.replace(' ', '_')}.png"  # the next training draws over its own
        pictures[f"How the {name} learnt, last seed"] = copyfile(s.out / "others" / CURVES, beside)
    facts = {"data": "real" if data.real else "drawn", "backend": keras.backend.backend()}
    facts["seconds of all trainings"] = round(time.perf_counter() - started)
    for name, build in decoders(s).items():
        model = build(s)
        weights, dead = len(model.trainable_weights), dead_parts(model)
        facts[name] = f"{model.count_params():,} parameters; {weights} weights, {len(dead)} dead"
    return write_report(
        s.out,
        "Decoders of DeepLabV3+",
        text=difference_sentences(runs),
        lines=[*(score_line(name, found) for name, found in runs.items()), *COURSE_DECODERS],
        pictures=pictures,
        facts=facts | {"split": data.ground.split_text, "settings": settings_of(s, "seed")},
    )


if __name__ == "__main__":
    run(main, FULL, QUICK, SMOKE)
