"""Exercise 2.3. A better U-Net for the sea ice, and evidence that it is one.

任务：写一个至多 200 万参数、每个权重都在学习的网络；比较时两个模型须抽取相同的图块。

Write two functions:

    build_model(n_bands=3, n_classes=2) -> keras.Model
    compare(plain, better) -> (difference, low, high)

The model takes images (N, H, W, 3) of any size that is a multiple of 64 px and gives logits
(N, H, W, 2). It has at most two million parameters, and each of its weights learns. `compare`
takes the confusion (N, 2, 2) of the same N tiles by two models and gives the mean IoU of the
second minus that of the first, with a 95 % interval: resample tiles, the same ones for both.

The course asks this and gives no answer. Look at the data before you add layers: what does the
network have to know to label a pixel, and where does that lie? Check yours:

    python -m keras_cases.check ice_better_unet my_answer.py

`python -m keras_cases.exercises.ice_better_unet` (`--quick`, `--smoke`) trains both on one budget:
the same tiles, epochs and batches. It compares on validation tiles, and at the end, once, on
held-out ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from shutil import copyfile
from types import ModuleType
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from keras_cases import sea_ice_unet as ice
from keras_cases.exercises.wrong import WrongAnswerError
from keras_cases.models.unet import unet
from keras_cases.shared import predict_bands_first, run, settings_of
from rs_workbench.accuracy import bootstrap_difference, mean_iou
from rs_workbench.lessons.ice_report import PUBLISHED, baseline_lines, data_facts, draw_pictures
from rs_workbench.lessons.report import Line, write_report
from rs_workbench.lessons.tile_scores import count_tiles, label_tiles, score_line
from rs_workbench.lessons.training_record import CURVES
from rs_workbench.training.keras_losses import SegmentationLoss

FULL = ice.Settings(epochs=15, out=Path("out/ice_better_unet"))
QUICK = replace(FULL, tiles=120, epochs=10, out=Path("out/ice_better_unet_quick"))
SMOKE = replace(ice.SMOKE, out=Path("out/ice_better_unet_smoke"))
COARSE = 4  # px that one pixel of the context stands for


# %% The answer: context is wide and blurred, an edge is one pixel; each gets a path of its own
def build_model(n_bands: int = 3, n_classes: int = 2) -> keras.Model:
    image = keras.Input((None, None, n_bands), name="image")
    wide = unet(3 * n_bands, 8, width=8, depth=4)(shrink(image))
    wide = layers.UpSampling2D(COARSE, name="enlarge")(wide)
    wide = layers.AveragePooling2D(COARSE + 1, 1, padding="same", name="soften")(wide)
    x = layers.Concatenate(name="pixel_and_context")([image, wide])
    for number in range(2):  # on single pixels: is it brighter than its surroundings ask for?
        kernel = {"use_bias": False, "kernel_initializer": "he_normal"}
        x = layers.Conv2D(16, 1, **kernel, name=f"weigh_{number}")(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9, name=f"norm_{number}")(x))
    logits = layers.Conv2D(n_classes, 1, name="logits")(x)
    model = keras.Model(image, logits, name="context_unet")
    model.stride = COARSE * 2**4
    return model


# %% The answer, block by block: a mean alone would hide cracks and crumbs
def shrink(image: keras.KerasTensor) -> keras.KerasTensor:
    darkest = layers.Rescaling(-1.0, name="negative")(image)
    return layers.Concatenate(name="blocks")(
        [
            layers.AveragePooling2D(COARSE, name="mean")(image),
            layers.MaxPooling2D(COARSE, name="brightest")(image),
            layers.MaxPooling2D(COARSE, name="darkest")(darkest),
        ]
    )


# %% The answer: tiles differ more than models do, so the same tiles are drawn for both
def compare(plain: np.ndarray, better: np.ndarray) -> tuple[float, float, float]:
    found = bootstrap_difference(mean_iou, (better, plain))
    return found.value, found.low, found.high


# %% The check
MOST = 2_000_000
SIDE = 64


def check(answer: ModuleType) -> list[str]:
    keras.utils.set_random_seed(0)
    model = answer.build_model(n_bands=3, n_classes=2)
    check_shapes(model)
    check_logits(model)
    check_alive(model)
    check_comparison(answer.compare)
    return [
        "the model scores images of any size that is a multiple of 64",
        f"it has {model.count_params():,} parameters, and each weight learns",
        "it gives logits, not probabilities",
        "the comparison draws the same tiles for both models",
    ]


def check_shapes(model: keras.Model) -> None:
    if model.count_params() > MOST:
        raise WrongAnswerError(
            f"the model has {model.count_params():,} parameters: at most {MOST:,}, because "
            "better is not larger"
        )
    if tuple(model.input_shape) != (None, None, None, 3):
        raise WrongAnswerError(
            f"the model takes images of shape {tuple(model.input_shape)}: a map needs any size, "
            "so make the input keras.Input((None, None, 3))"
        )
    for height, width in ((SIDE, SIDE), (2 * SIDE, 3 * SIDE)):
        shape = tuple(model.predict_on_batch(np.zeros((1, height, width, 3), "float32")).shape)
        if shape != (1, height, width, 2):
            raise WrongAnswerError(
                f"of an image of {height} x {width} px the model makes scores {shape}: wanted "
                f"are (1, {height}, {width}, 2), one for each class and pixel"
            )


def check_logits(model: keras.Model) -> None:
    image = np.random.default_rng(0).normal(0, 3, (1, SIDE, SIDE, 3)).astype("float32")
    scores = keras.ops.convert_to_numpy(model.predict_on_batch(image))
    if (scores >= 0).all() and np.allclose(scores.sum(axis=-1), 1, atol=1e-4):
        raise WrongAnswerError(
            "the scores of each pixel are positive and sum to 1: leave the softmax away, the loss "
            "does it"
        )


def check_alive(model: keras.Model) -> None:
    """Take one step of gradient descent; a weight that stays as it was has no part in it."""
    rng = np.random.default_rng(1)
    images = rng.normal(size=(4, SIDE, SIDE, 3)).astype("float32")
    labels = (images.mean(axis=-1) > 0).astype("uint8")
    before = [keras.ops.convert_to_numpy(w).copy() for w in model.trainable_variables]
    model.compile(
        keras.optimizers.SGD(1.0), SegmentationLoss("cross_entropy", 2), jit_compile=False
    )
    model.train_on_batch(images, labels)
    dead = [
        weight.path
        for weight, old in zip(model.trainable_variables, before, strict=True)
        if np.array_equal(keras.ops.convert_to_numpy(weight), old)
    ]
    if dead:
        raise WrongAnswerError(
            f"{len(dead)} weights do not learn, the first is '{dead[0]}': is its layer used, and "
            "does a ReLU let anything through?"
        )


def check_comparison(compare: Any) -> None:
    plain, better = make_counts()
    same, gain, loss = (
        compare(*pair) for pair in ((plain,) * 2, (plain, better), (better, plain))
    )
    if not np.allclose(same, 0):
        raise WrongAnswerError(
            f"a model compared with itself differs by {same}: wanted are three zeros"
        )
    truth = mean_iou(better.sum(axis=0)) - mean_iou(plain.sum(axis=0))
    if not np.isclose(gain[0], truth, atol=1e-6) or not np.isclose(loss[0], -truth, atol=1e-6):
        raise WrongAnswerError(
            f"the better model gains {gain[0]:.4f}, and in the other order {loss[0]:.4f}: wanted "
            f"are {truth:.4f} and {-truth:.4f}, from sums over all tiles, second minus first"
        )
    if not 0 < gain[1] <= gain[0] <= gain[2]:
        raise WrongAnswerError(
            f"the second model is better on every tile, yet the interval is {gain[1]:.4f} to "
            f"{gain[2]:.4f}: draw the same tiles for both models"
        )
    _, low, high = globals()["compare"](plain, better)
    if not 0.6 < (share := (gain[2] - gain[1]) / (high - low)) < 1.6:
        raise WrongAnswerError(
            f"the interval {gain[1]:.4f} to {gain[2]:.4f} is {share:.1f} times as wide as drawing "
            "whole tiles makes it: draw tiles, not pixels, the same for both models"
        )


def make_counts() -> tuple[np.ndarray, np.ndarray]:
    """Forty tiles from easy to hard; the second model is a little better on each."""
    wrong = np.linspace(50, 4000, 40).round().astype(int)
    plain = np.array([[[8000 - w, w], [w, 8000 - w]] for w in wrong])
    fixed = np.array([[[1, -1], [-1, 1]]]) * (wrong // 20)[:, None, None]
    return plain, plain + fixed


# %% Both nets on one budget; held-out tiles are read when both have learnt and were compared
def main(s: ice.Settings = FULL) -> Path:
    data, models = ice.load_data(s), make_models(s)
    counts, lines = {}, []
    for name, model in models.items():
        seconds, counts[name] = learn(model, data, replace(s, out=s.out / model.name))
        line = score_line(f"{name}, validation tiles", counts[name])
        more = {"parameters": model.count_params(), "seconds": seconds}
        lines.append(replace(line, figures={**line.figures, **more}))
    found = score_held_out(models, data)
    return write_report(
        s.out,
        "Sea ice: a better U-Net",
        text=f"{ABOUT}\n{tell_gain('validation', counts)} {CHOSEN}\n\n{found.gain} {UNTOUCHED}",
        lines=[*lines, *found.lines, *PUBLISHED],
        pictures=draw(models, data, found, s),
        facts=facts(data, s),
    )


def make_models(s: ice.Settings) -> dict[str, keras.Model]:
    keras.utils.set_random_seed(s.seed)
    return {"plain U-Net": ice.build_model(s), "context U-Net": build_model()}


def open_models(s: ice.Settings) -> dict[str, keras.Model]:
    """Both nets as `main` left them in the folder, for `score_held_out`."""
    models = make_models(s)
    for model in models.values():
        model.load_weights(s.out / model.name / "best.weights.h5")
    return models


def learn(model: keras.Model, data: ice.Data, s: ice.Settings) -> tuple[float, np.ndarray]:
    ice.train(model, data, s)
    predict = partial(predict_bands_first, model)
    found = label_tiles(predict, data.validation.images, data.bands)
    facts = data_facts({"training": data.training}, real=data.real, left_aside="", folder=s.out)
    return float(facts["seconds of training"]), count_tiles(found, data.validation.labels, 2)


# %% Held-out tiles chose nothing: no epoch, no layer, no threshold
class HeldOut(NamedTuple):
    lines: list[Line]
    gain: str  # a sentence
    maps: np.ndarray  # of the context U-Net, (N, H, W)
    counts: np.ndarray  # their confusion, (N, 2, 2)


def score_held_out(models: Mapping[str, keras.Model], data: ice.Data) -> HeldOut:
    """Score trained models, the plain one first, such as `open_models` gives them."""
    held_out, counts = data.held_out, {}
    for name, model in models.items():
        predict = partial(predict_bands_first, model)
        maps = label_tiles(predict, held_out.images, data.bands)
        counts[name] = count_tiles(maps, held_out.labels, 2)
    turned = label_tiles(predict, held_out.images, data.bands, turned=True)
    lines = [score_line(f"{name}, held-out tiles", one) for name, one in counts.items()]
    title = f"{name}, held-out, mean over flips and turns"
    lines.append(score_line(title, count_tiles(turned, held_out.labels, 2)))
    baselines = baseline_lines(data.training, held_out)
    lines += [replace(line, name=f"{line.name}, held-out tiles") for line in baselines]
    return HeldOut(lines, tell_gain("held-out", counts), maps, counts[name])


# %% What is told
ABOUT = """
The label of a pixel is its brightness against a cut, and the cut depends on the whole tile. A
plain U-Net carries many channels through all pixels to find that out. Here a U-Net looks at
blocks of 4 x 4 px, so it sees four times as far for a sixteenth of the work, and two layers on
single pixels compare brightness with what it found. Nothing is pooled over a whole tile, so a map
of a large scene still has no seams.
"""
CHOSEN = "They chose the epochs, too, so scores of validation tiles are a little too high."
UNTOUCHED = "These chose nothing, and were read once, after both networks had learnt."


def tell_gain(part: str, counts: Mapping[str, np.ndarray]) -> str:
    gain, low, high = compare(*counts.values())
    said = f"Gain in mean IoU on the same {len(next(iter(counts.values())))} {part} tiles:"
    return f"{said} **{gain:.4f}** (95 %: {low:.4f} to {high:.4f})."


def draw(
    models: Mapping[str, keras.Model], data: ice.Data, found: HeldOut, s: ice.Settings
) -> dict[str, Path]:
    """Curves of both nets; tiles and maps of the second, from the worst to the best."""
    pictures = draw_pictures(s.out, data.training, data.held_out, found.maps, found.counts)
    for name, model in models.items():
        beside = s.out / f"{model.name}.png"
        pictures[f"How the {name} learnt"] = copyfile(s.out / model.name / CURVES, beside)
    return pictures


def facts(data: ice.Data, s: ice.Settings) -> dict[str, object]:
    parts = {"training": data.training, "validation": data.validation, "held out": data.held_out}
    said = data_facts(parts, real=data.real, left_aside=data.left_aside, folder=s.out)
    return said | {"intervals": "95 %, bootstrap over tiles", "settings": settings_of(s)}


if __name__ == "__main__":
    run(main, FULL, QUICK, SMOKE)
