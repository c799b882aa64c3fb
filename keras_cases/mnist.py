"""Case 1. MNIST: the framework, from numbers in a file to a map of a page of digits.

    python -m keras_cases.mnist            # minutes; --quick: less, --smoke: seconds

Writes to `out/mnist`: the trained classifier, a report with pictures, a photograph with what was
read from it, and `page/`: a large georeferenced page of test digits, mapped pixel by pixel.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from keras_cases.shared import run, sample_folder, save_model, settings_of
from rs_workbench.card import TrainingData
from rs_workbench.errors import UsageError
from rs_workbench.lessons import digits_report as pages
from rs_workbench.lessons.big_scene import map_and_assess
from rs_workbench.lessons.digits import Digits, cut_validation, read_digits
from rs_workbench.lessons.digits_drawn import draw_page
from rs_workbench.lessons.digits_found import find_digits
from rs_workbench.lessons.digits_page import (
    INK,
    PAGE_CLASSES,
    PIXEL_SIZE,
    report_page,
    write_page,
)
from rs_workbench.lessons.digits_photo import cut_plainly, open_page, tell_reading
from rs_workbench.lessons.digits_pictures import baselines, draw_pictures, draw_reading
from rs_workbench.lessons.keras_digits import logits_of, table_of_shapes
from rs_workbench.lessons.keras_every_pixel import add_blank_class, score_every_pixel
from rs_workbench.lessons.report import write_report
from rs_workbench.lessons.training_record import keep_training, training_facts

TITLE = "MNIST: the framework"


# %% Settings: change these in class
@dataclass(frozen=True)
class Settings:
    filters: tuple[int, int] = (16, 32)  # of the two convolutions
    hidden: int = 64
    dropout: float = 0.4
    batch: int = 128
    epochs: int = 12
    learning_rate: float = 2e-3  # at the start; falls to 0
    digits: int | None = None  # how many to learn from; None: all
    validation: int = 5_000  # of these, cut off by lot
    photo: Path | None = None  # a photograph of yours; None: one is drawn
    page: tuple[int, int] = (160, 160)  # tiles of 48 px, down and across
    memory: str = "1GB"  # for the map of the page
    out: Path = Path("out/mnist")
    drawn: bool = False
    seed: int = 0


# %% Settings for a lesson, and for a test of this file
QUICK = Settings(epochs=4, page=(40, 40), out=Path("out/mnist_quick"))
SMOKE = Settings(
    filters=(4, 8),
    hidden=16,
    batch=16,
    epochs=3,
    digits=800,
    validation=200,
    page=(8, 10),
    out=Path("out/mnist_smoke"),
)


# %% 1. Data: validation is cut from training; the test digits stay in their file until the end
class Data(NamedTuple):
    training: Digits
    validation: Digits
    folder: Path
    real: bool


def load_data(s: Settings) -> Data:
    folder, real = sample_folder("mnist", s)
    known = read_digits(folder, "train")
    training, validation = cut_validation(known, s.validation, seed=s.seed)
    return Data(scale(training, s.digits), scale(validation), folder, real)


# %% 1, scaling: bytes of 0 to 255 become numbers of 0 to 1, with an axis for the one band
def scale(digits: Digits, count: int | None = None) -> Digits:
    images = digits.images[:count, :, :, None].astype("float32") / 255
    return Digits(images, digits.labels[:count])


def open_test(data: Data) -> Digits:
    return scale(read_digits(data.folder, "t10k"))


# %% 2. Model: convolutions look for strokes anywhere, dense layers say which digit they make
def build_model(s: Settings) -> keras.Model:
    keras.utils.set_random_seed(s.seed)
    if len(s.filters) != 2:
        raise UsageError(f"filters must be two numbers, one a convolution: got {s.filters}")
    return build_functional(s)


def build_functional(s: Settings) -> keras.Model:
    image = keras.Input((28, 28, 1), name="image")
    x = layers.Conv2D(s.filters[0], 5, activation="relu", name="strokes")(image)
    x = layers.MaxPooling2D(name="halve")(x)
    x = layers.Conv2D(s.filters[1], 5, activation="relu", name="parts")(x)
    x = layers.MaxPooling2D(name="halve_again")(x)
    x = layers.Flatten(name="in_a_row")(x)
    x = layers.Dense(s.hidden, activation="relu", name="hidden")(x)
    x = layers.Dropout(s.dropout, name="forget_some")(x)
    logits = layers.Dense(10, name="logits")(x)  # no softmax: the loss does it, once
    return keras.Model(image, logits, name="digits")


# %% 2, the same net as a list: enough where each layer feeds the next one only
def build_sequential(s: Settings) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(s.filters[0], 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(s.filters[1], 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(s.hidden, activation="relu"),
            layers.Dropout(s.dropout),
            layers.Dense(10),
        ]
    )


# %% 2, are they the same? As many parameters and, with the same weights, the same scores
def compare_ways(model: keras.Model, images: np.ndarray, s: Settings) -> str:
    listed = build_sequential(s)
    listed.set_weights(model.get_weights())
    gap = np.abs(logits_of(model, images) - logits_of(listed, images)).max()
    return (
        f"Built layer by layer and built as a list, the net has {model.count_params():,} and "
        f"{listed.count_params():,} parameters; with the same weights their scores of "
        f"{len(images)} digits differ by {gap:.1g} at most."
    )


# %% 3. Train: where the two losses part, overfitting begins
def train(model: keras.Model, data: Data, s: Settings) -> dict[str, list[float]]:
    steps = s.epochs * -(-len(data.training.labels) // s.batch)
    model.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(s.learning_rate, steps)
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    started = time.perf_counter()
    history = model.fit(
        *data.training,
        batch_size=s.batch,
        epochs=s.epochs,
        validation_data=tuple(data.validation),
        verbose=2,
    ).history
    keep_training(s.out, history, time.perf_counter() - started)
    return history


# %% 4. Evaluate: the test digits are read here, once, when nothing is left to choose
def evaluate(model: keras.Model, data: Data, s: Settings) -> Path:
    kept = save_and_load(model, data.validation.images[:500], s)
    test = open_test(data)
    predicted = logits_of(kept, test.images).argmax(axis=1)
    right = int((predicted == test.labels).sum())
    lines = [
        pages.accuracy_line("this net", [right], len(predicted)),
        *baselines(data.training, test),
        pages.published("the course's net of this chapter, dense layers only", 0.9340),
        pages.published("the course's convolutional net, 3,333,706 parameters", 0.9924),
    ]
    told, photo = read_photograph(kept, test, s)
    alike = compare_ways(model, data.validation.images[:500], s)
    text = [alike, table_of_shapes(model), told, pages.MAP_LINE]
    pictures = draw_pictures(s.out, test, predicted) | photo
    return write_report(
        s.out, TITLE, text="\n\n".join(text), lines=lines, pictures=pictures, facts=facts(data, s)
    )


# %% 4, how it was run: without this a figure says little
def facts(data: Data, s: Settings) -> dict[str, object]:
    source = "mnist, real" if data.real else "DRAWN stand-in"
    return {
        "data": source,
        "settings": settings_of(s),
        "backend": keras.backend.backend(),
        **training_facts(s.out),
    }


# %% 4, save and load: `.keras` holds recipe and weights; safe mode runs no code of the file
def save_and_load(model: keras.Model, images: np.ndarray, s: Settings) -> keras.Model:
    model.save(s.out / "digits.keras")
    loaded = keras.models.load_model(s.out / "digits.keras", safe_mode=True)
    if not np.allclose(logits_of(loaded, images), logits_of(model, images), atol=1e-4):
        raise RuntimeError("the loaded net does not score as the one that was saved")
    return loaded


# %% 4, a photograph: a net reads only what looks like what it learnt from
def read_photograph(model: keras.Model, test: Digits, s: Settings) -> tuple[str, dict[str, Path]]:
    page = open_page(s.photo) if s.photo else draw_page(test, s.out / "photo.jpg", seed=s.seed)
    found = find_digits(page.pixels)
    says, plainly = (
        logits_of(model, images[..., None] / np.float32(255)).argmax(axis=1)
        for images in (found.images, cut_plainly(page.pixels, found.centres))
    )
    return tell_reading(page, found, says, plainly), draw_reading(s.out, found, says)


# %% 5. Infer: dense layers become convolutions, and the classifier scores every pixel at once
def infer(model: keras.Model, data: Data, s: Settings) -> Path:
    net = add_blank_class(score_every_pixel(model), side=16, least=10)
    folder = s.out / "page"
    about = {"dtype": "uint8", "pixel_size": PIXEL_SIZE, "training_data": origin(data)}
    path = save_model(net, folder, name="digits", bands=[INK], classes=PAGE_CLASSES, **about)
    digits = read_digits(data.folder, "t10k")
    rows, cols = s.page
    page = write_page(folder, digits, rows=rows, cols=cols, seed=s.seed)
    mapped = map_and_assess(path, *page, folder, memory=s.memory)
    report_page(folder, page, mapped, {"memory allowed": s.memory, **facts(data, s)})
    return mapped.class_map


def origin(data: Data) -> TrainingData:
    return TrainingData(name="MNIST" if data.real else "drawn digits")


# %% Run all five
def main(s: Settings) -> Path:
    data = load_data(s)
    model = build_model(s)
    train(model, data, s)
    report = evaluate(model, data, s)
    print(f"map: {infer(model, data, s)}")
    return report


if __name__ == "__main__":
    run(main, Settings(), QUICK, SMOKE)
