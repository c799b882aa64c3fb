"""Case 2. Sea ice: label every pixel of an aerial photograph with a U-Net.

    python -m keras_cases.sea_ice_unet            # half an hour to an hour; --quick: minutes
    python -m keras_cases.sea_ice_unet --tries    # hyper-parameters, compared on validation tiles

Writes to `out/sea_ice_unet`: `report.md` with pictures, `model/` with the model and its card, and
`map/`: a large georeferenced scene of held-out tiles, its map and how accurate that is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras
from keras import layers

from keras_cases.models.unet import SEA_ICE, unet
from keras_cases.shared import (
    Batches,
    keep_best,
    predict_bands_first,
    rise_and_fall,
    run,
    sample_folder,
    save_model,
    settings_of,
)
from rs_workbench.card import Band, TrainingData
from rs_workbench.lessons import ice_report as pages
from rs_workbench.lessons.big_scene import map_and_assess, write_big_scene
from rs_workbench.lessons.card import measure_bands, scale_images
from rs_workbench.lessons.ice_report import ABOUT_LABELS, CLASSES, PUBLISHED
from rs_workbench.lessons.image_pairs import ImagePairs, read_pairs
from rs_workbench.lessons.levels import level_table
from rs_workbench.lessons.pair_files import deal_pairs, find_pairs
from rs_workbench.lessons.report import Line, write_report
from rs_workbench.lessons.tile_scores import count_tiles, label_tiles, score_line
from rs_workbench.lessons.training_record import keep_training
from rs_workbench.training.augment import NO_CHANGE, Augment
from rs_workbench.training.keras_losses import SegmentationLoss
from rs_workbench.training.keras_scores import HeldOutScores

TILE = 256  # px
PIXEL_SIZE = 1.0  # m, made up: the tiles have no georeference

LIGHT = Augment(joint_brightness=0.2, joint_contrast=0.2)  # and flips and turns
"""Light and haze vary for all bands together: colours stay."""


# %% Settings: change these in class
@dataclass(frozen=True)
class Settings:
    network: Mapping[str, Any] = field(default_factory=lambda: {"width": 8, "depth": 4})
    tiles: int | None = None  # how many to learn from; None: all but those held out
    validation: float = 0.2  # share of these that the epoch is chosen on
    held_out: int | None = None  # how many of the last tiles to test on; None: all
    batch: int = 8
    epochs: int = 40
    learning_rate: float = 3e-3  # at its highest; falls to 0
    vary: Augment = LIGHT
    tries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # see TRIES
    scene: tuple[int, int] = (32, 32)  # tiles of the large scene, down and across
    memory: str = "1GB"  # for its map
    out: Path = Path("out/sea_ice_unet")
    drawn: bool = False
    seed: int = 0
    compiled: bool = True  # False: for a few steps, and to step through with a debugger


# %% Settings for a lesson, for a test of this file, and the course's own network, for a GPU
QUICK = Settings(epochs=5, scene=(10, 10), out=Path("out/sea_ice_unet_quick"))
SMOKE = Settings(
    network={"width": 4, "depth": 2},
    tiles=10,
    held_out=4,
    batch=4,
    epochs=2,
    scene=(2, 3),
    compiled=False,
    out=Path("out/sea_ice_unet_smoke"),
)
COURSE = replace(
    Settings(network=SEA_ICE, epochs=10, learning_rate=1e-3, vary=NO_CHANGE),
    out=Path("out/sea_ice_unet_course"),
)

# %% Settings to compare: one thing changed at a time; scored on validation tiles alone
TRIES = Settings(
    tiles=120,
    epochs=6,
    tries={
        "as it is": {},
        "rate 0.0003": {"learning_rate": 3e-4},
        "rate 0.03": {"learning_rate": 3e-2},
        "batch 2": {"batch": 2},
        "batch 24": {"batch": 24},
        "depth 2": {"network": {"width": 8, "depth": 2}},
        "width 16": {"network": {"width": 16, "depth": 4}},
        "no variation": {"vary": NO_CHANGE},
    },
    out=Path("out/sea_ice_unet_tries"),
)


# %% 1. Data: what does not pair is refused, and a smeared label is cut into two classes once
class Data(NamedTuple):
    training: ImagePairs
    validation: ImagePairs
    held_out: ImagePairs
    bands: tuple[Band, ...]  # the scaling, measured on training tiles
    real: bool
    left_aside: str


def load_data(s: Settings) -> Data:
    folder, real = sample_folder("sea_ice", s)
    files = find_pairs(folder / "image", folder / "label")
    parts = deal_pairs(
        files, validation=s.validation, seed=s.seed, tiles=s.tiles, held_out=s.held_out
    )
    training, validation, held_out = (read_pairs(part) for part in parts)
    bands = measure_bands(training.images, ("red", "green", "blue"))
    return Data(training, validation, held_out, bands, real, files.note)


# %% 2. Model: an encoder sees wider, a decoder sees sharper, skips join them
def build_model(s: Settings) -> keras.Model:
    keras.utils.set_random_seed(s.seed)
    if s.network.keys() == {"width", "depth"}:
        return build_unet(**s.network)
    return unet(n_bands=3, n_classes=len(CLASSES), **s.network)  # with layers that ours has not


# %% 2, layer by layer: what goes down is kept, and joined with what comes up
def build_unet(width: int, depth: int) -> keras.Model:
    image = x = keras.Input((None, None, 3), name="image")
    kept = []
    for level in range(depth):
        x = look(x, width * 2**level, name=f"encoder-{level}")  # (N, H / 2**level, ..., n_out)
        kept.append(x)
        x = layers.MaxPooling2D(2)(x)  # half the size: the same 3 x 3 px see twice as far
    x = look(x, width * 2**depth, name=f"encoder-{depth}")
    for level in reversed(range(depth)):
        x = layers.UpSampling2D(2)(x)  # twice the size, but blurred: edges come from `kept`
        x = layers.Concatenate()([kept[level], x])
        x = look(x, width * 2**level, name=f"decoder-{level}")
    head = layers.Conv2D(len(CLASSES), 1, kernel_initializer="he_normal", name="head")
    model = keras.Model(image, head(x), name="unet")  # a score for each class, no probability yet
    model.stride = 2**depth  # heights and widths must be multiples of it
    return model


# %% 2, one block: twice look at 3 x 3 px, bring each channel to mean 0 and spread 1, cut at 0
def look(x: keras.KerasTensor, n_out: int, *, name: str) -> keras.KerasTensor:
    for i in range(2):
        kernel: dict[str, Any] = {"use_bias": False, "kernel_initializer": "he_normal"}
        x = layers.Conv2D(n_out, 3, padding="same", **kernel, name=f"{name}-conv_{i}")(x)
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}-norm_{i}")(x)
        x = layers.ReLU()(x)
    return x


# %% 3. Train: where the two losses part, overfitting begins
def train(model: keras.Model, data: Data, s: Settings) -> dict[str, list[float]]:
    training = batches(data.training, data, s, augment=s.vary)
    validation = batches(data.validation, data, s, shuffle=False)
    steps, started = s.epochs * len(training), time.perf_counter()
    model.compile(
        optimizer=keras.optimizers.Adam(rise_and_fall(s.learning_rate, steps)),
        loss=SegmentationLoss("cross_entropy", len(CLASSES)),
        jit_compile=False,  # on a CPU, compiled by XLA, a step takes half as long again
        run_eagerly=not s.compiled,
    )
    best = keep_best(s.out / "best.weights.h5")
    scores = HeldOutScores(validation, len(CLASSES))  # first: `best` reads what it says
    history = model.fit(
        training, epochs=s.epochs, validation_data=validation, callbacks=[scores, best], verbose=2
    ).history
    model.load_weights(best.filepath)
    keep_training(s.out, history, time.perf_counter() - started)
    return history


# %% 3, batches: scaled alike for training, validation and every map; varied for training only
def batches(part: ImagePairs, data: Data, s: Settings, **how: Any) -> Batches:
    images = scale_images(part.images, data.bands)
    return Batches(images, part.labels, batch=s.batch, seed=s.seed, **how)


# %% 3, hyper-parameters: what is the rate worth, the batch, the depth? one line for each try
def compare(data: Data, s: Settings) -> Path:
    lines: list[Line] = []
    for name, changed in s.tries.items():
        print(f"{name}: {len(lines) + 1} of {len(s.tries)}", flush=True)
        one = replace(s, **changed, out=s.out / name.replace(" ", "_"))
        model, started = build_model(one), time.perf_counter()
        history = train(model, data, one)
        found = {"mIoU, validation": max(history["val_mean_iou"]), "loss": history["loss"][-1]}
        costs = {"parameters": model.count_params(), "seconds": time.perf_counter() - started}
        lines.append(Line(name, found | costs))
    text = "The best epoch of each, on validation tiles; one seed: small differences are luck."
    title = "Sea ice: hyper-parameters, one changed at a time"
    known = facts(model, data, s)
    return write_report(s.out, title, text=text, lines=lines, pictures={}, facts=known)


# %% 4. Evaluate: the held-out tiles are read here, once, by the model and by what it must beat
def evaluate(model: keras.Model, data: Data, s: Settings) -> Path:
    held_out, predict = data.held_out, partial(predict_bands_first, model)
    found = label_tiles(predict, held_out.images, data.bands)
    turned = label_tiles(predict, held_out.images, data.bands, turned=True)
    counts, counts_turned = (count_tiles(one, held_out.labels, 2) for one in (found, turned))
    lines = [
        score_line("U-Net", counts),
        score_line("U-Net, mean over flips and turns", counts_turned, note="as `rsw infer --tta`"),
        *pages.baseline_lines(data.training, held_out),
        *PUBLISHED,
    ]
    return write_report(
        s.out,
        "Sea ice with a U-Net",
        text="\n".join([ABOUT_LABELS, pages.MAP_LINE, pages.BLOCKS, level_table(model, TILE)]),
        lines=lines,
        pictures=pages.draw_pictures(s.out, data.training, held_out, found, counts),
        facts=facts(model, data, s),
    )


# %% 4, how it was run: a figure without this cannot be checked
def facts(model: keras.Model, data: Data, s: Settings) -> dict[str, object]:
    parts = {"training": data.training, "validation": data.validation, "held out": data.held_out}
    return {
        **pages.data_facts(parts, real=data.real, left_aside=data.left_aside, folder=s.out),
        "parameters": model.count_params(),
        "settings": settings_of(s),
        "backend": f"Keras {keras.__version__} on {keras.backend.backend()}",
    }


# %% 5. Infer: window by window, and where windows meet each pixel has seen all it can see
def infer(model: keras.Model, data: Data, s: Settings) -> Path:
    folder, held_out = s.out / "map", data.held_out
    saved = save_model(model, s.out / "model", bands=data.bands, classes=CLASSES, **about(data))
    scene, reference = write_big_scene(
        folder,
        held_out.images,
        held_out.labels,
        rows=s.scene[0],
        cols=s.scene[1],
        pixel_size=PIXEL_SIZE,
        classes=CLASSES,
    )
    mapped = map_and_assess(saved, scene, reference, folder, memory=s.memory)
    pages.report_map(folder, scene, reference, mapped, memory=s.memory)
    return mapped.class_map


# %% 5, the card: it travels inside the model file, so that the map needs nothing else
def about(data: Data) -> dict[str, Any]:
    learnt = f"{len(data.training.names)} tiles to learn from; the last 2 of 7 held out"
    return {
        "name": "sea_ice_unet",
        "dtype": "uint8",
        "pixel_size": PIXEL_SIZE,
        "training_data": TrainingData(name="sea_ice", split=learnt),
    }


# %% All of it
def main(s: Settings = Settings()) -> Path:
    data = load_data(s)
    if s.tries:
        return compare(data, s)
    model = build_model(s)
    train(model, data, s)
    report = evaluate(model, data, s)
    class_map = infer(model, data, s)
    print(f"map: {class_map}")
    return report


if __name__ == "__main__":
    run(main, Settings(), QUICK, SMOKE, course=COURSE, tries=TRIES)
