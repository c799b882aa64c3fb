"""Case 3. Land cover: DeepLabV3+ maps a coast of dunes, and the whole accuracy module judges it.

    python -m keras_cases.land_cover_deeplabv3 --quick

The course trained a DeepLabV3+ that ended at .8990 where the commonest class alone has .9224, on
patches dealt by chance. Here neighbours stay together, and every score stands beside that of the
commonest class, of a forest on single pixels and of a plain U-Net.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from keras_cases.models.deeplabv3 import deeplabv3plus
from keras_cases.models.unet import unet
from keras_cases.shared import (
    Batches,
    keep_best,
    rise_and_fall,
    run,
    sample_folder,
    save_model,
    settings_of,
)
from rs_workbench.lessons.accuracy_words import accuracy_text
from rs_workbench.lessons.big_scene import map_and_assess
from rs_workbench.lessons.course_figures import COURSE_LAND_COVER
from rs_workbench.lessons.cutting_pictures import picture_of_splits
from rs_workbench.lessons.dunes import bands_of, ground_facts, open_dunes
from rs_workbench.lessons.held_out_maps import (
    HeldOutGround,
    count_baselines,
    count_blocks,
    difference_sentences,
    read_held_out,
    score_line,
)
from rs_workbench.lessons.held_out_pictures import pictures_of_held_out
from rs_workbench.lessons.keras_ground import DrawnChips, classify, read_part, score_part
from rs_workbench.lessons.map_picture import picture_of_map
from rs_workbench.lessons.raster_ground_mosaic import (
    MAP_PICTURE,
    map_words,
    write_map_words,
    write_mosaic,
)
from rs_workbench.lessons.report import Line, write_report
from rs_workbench.lessons.training_record import keep_training, training_facts
from rs_workbench.training.data import TrainingData
from rs_workbench.training.keras_losses import SegmentationLoss
from rs_workbench.training.keras_scores import HeldOutScores
from rs_workbench.training.leaking import held_out_by_both


# %% Settings of what stands beside the model: rarely changed
@dataclass(frozen=True)
class Beside:
    plain_width: int = 8  # of the U-Net
    elevation: bool = False  # a fourth band
    compare_elevation: bool = True
    split: str = "blocks"  # or "random", which leaks
    leak_epochs: int = 5  # 0: the leaking split is not tried
    validation: int = 48  # chips that choose the epoch
    forest_pixels: int = 100_000
    sample: int = 700  # labelled pixels from which areas are estimated
    map_side: int | None = None  # px; None: all of the mosaic
    memory: str = "1GB"
    compiled: bool = True  # False: for a few steps, and to step through with a debugger
    n_tiles: int | None = None  # photographs; None: all


# %% Settings: change these in class
@dataclass(frozen=True)
class Settings(Beside):
    backbone: str = "mini"  # or "MobileNetV3Small", "ResNet50" ...: see models/backbones.py
    weights: str | None = None  # "imagenet" downloads trained ones; there are none for mini
    decoder: str = "fine"  # or "course"
    width: int = 64  # channels of pyramid and decoder
    rates: tuple[int, ...] = (2, 4, 6)  # px of the last features, where a chip has only 16
    tile: int = 256  # px
    class_share: float = 0.5  # of the chips whose class is drawn first
    chips: int = 96  # an epoch
    batch: int = 8
    epochs: int = 10
    learning_rate: float = 3e-3
    loss: str = "cross_entropy"
    seed: int = 0  # set by the run: change seeds
    seeds: tuple[int, ...] = (0, 1, 2)
    out: Path = Path("out/land_cover_deeplabv3")
    drawn: bool = False


# %% Settings for a lesson: minutes
QUICK = Settings(
    width=64,
    plain_width=8,
    chips=64,
    epochs=6,
    leak_epochs=0,  # so short a training remembers nothing
    seeds=(0,),
    compare_elevation=False,
    validation=16,
    forest_pixels=40_000,
    map_side=6080,
    out=Path("out/land_cover_deeplabv3_quick"),
)


# %% Settings for a test of this file: seconds
SMOKE = replace(
    QUICK,
    n_tiles=9,
    width=8,
    plain_width=2,
    decoder="course",
    rates=(1, 2),
    tile=128,
    chips=8,
    batch=4,
    epochs=1,
    leak_epochs=1,
    validation=4,
    forest_pixels=2_000,
    map_side=1216,
    compiled=False,
    out=Path("out/land_cover_deeplabv3_smoke"),
)


N_CLASSES = 7  # the recipe `dunes` merges the eleven codes of the labels


# %% 1. Data: ground that touches goes to one part, so that no score can come from remembering
class Data(NamedTuple):
    ground: TrainingData  # training ground draws its chips; validation and held-out list theirs
    validation: Batches
    real: bool


def load_data(s: Settings) -> Data:
    folder, real = sample_folder("dunes", s)
    asked = ("tile", "chips", "batch", "class_share", "forest_pixels")
    changes = {name: getattr(s, name) for name in asked} | {"split": {"kind": s.split}}
    stacks = s.out / "four_bands" if s.elevation else None
    ground = open_dunes(folder, changes, n_tiles=s.n_tiles, stacks=stacks)
    step = max(1, len(ground.validation) // s.validation)
    images, labels = read_part(ground, ground.validation[::step])
    return Data(ground, Batches(images, labels, batch=s.batch, shuffle=False), real)


# %% 2. Model: a pyramid looks far without losing detail, a decoder brings the borders back
def build_model(s: Settings) -> keras.Model:
    keras.utils.set_random_seed(s.seed)
    return deeplabv3plus(
        n_bands=4 if s.elevation else 3,
        n_classes=N_CLASSES,
        backbone=s.backbone,
        weights=s.weights,
        width=s.width,
        rates=s.rates,  # a ring wider than the chip's features would only ever see padding
        image_pooling=False,  # then a score looks a bounded way, and tiles leave no seams
        decoder=s.decoder,
    )


# %% A plain U-Net beside it: what does the larger name give?
def build_plain(s: Settings) -> keras.Model:
    keras.utils.set_random_seed(s.seed)
    return unet(n_bands=4 if s.elevation else 3, n_classes=N_CLASSES, width=s.plain_width)


# %% 3. Train: the best epoch by validation ground is kept; the course's last was .05 below it
def train(model: keras.Model, data: Data, s: Settings) -> dict[str, list[float]]:
    chips = DrawnChips(data.ground, seed=s.seed)
    rate = rise_and_fall(s.learning_rate, len(chips) * s.epochs)
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=1e-2),
        loss=SegmentationLoss(s.loss, N_CLASSES),  # leaves out pixels without a label
        run_eagerly=not s.compiled,
    )
    watch = HeldOutScores(data.validation, N_CLASSES)  # writes val_mean_iou, which `keep` reads
    keep, started = keep_best(s.out / "best.weights.h5"), time.perf_counter()
    history = model.fit(
        chips, epochs=s.epochs, validation_data=data.validation, callbacks=[watch, keep], verbose=2
    ).history
    model.load_weights(keep.filepath)
    keep_training(s.out, history, time.perf_counter() - started)
    return history


# %% The same budget for all: as many chips, and each seed draws others
Runs = list[np.ndarray]  # confusion by block of held-out ground, (n_blocks, K, K), for each seed


def train_and_count(
    build: Callable[[Settings], keras.Model], data: Data, s: Settings, seeds: tuple[int, ...]
) -> Runs:
    runs = []
    for seed in seeds:
        one = replace(s, seed=seed, out=s.out / "others")
        model = build(one)
        print(f"{model.name}, seed {seed}, {data.ground.n_bands} bands:", flush=True)
        train(model, data, one)
        ground = read_held_out(data.ground)
        runs.append(count_blocks(ground, classify(model, ground.images)))
    return runs


# %% Who is compared: the same net with other seeds, a plain one, one that also sees elevation
def count_networks(first: np.ndarray, data: Data, s: Settings) -> dict[str, Runs]:
    found = {"DeepLabV3+": [first, *train_and_count(build_model, data, s, s.seeds[1:])]}
    found["plain U-Net"] = train_and_count(build_plain, data, s, s.seeds)
    if s.compare_elevation and not s.elevation:
        high = replace(s, elevation=True)
        runs = train_and_count(build_model, load_data(high), high, s.seeds[:1])
        found["DeepLabV3+, RGB and elevation"] = runs
    return found


# %% What a leak flatters: the same net, split by chance and by blocks, each scored twice
def score_leak(s: Settings) -> tuple[list[Line], Path]:
    short = replace(s, epochs=s.leak_epochs, class_share=0.0)  # chips dealt by chance lie anywhere
    splits = {name: load_data(replace(short, split=name)) for name in ("random", "blocks")}
    grounds = {name: one.ground for name, one in splits.items()}
    both, lines = held_out_by_both(grounds["random"], grounds["blocks"]), []
    for name, one in splits.items():
        model = build_model(short)
        train(model, one, replace(short, out=s.out / "others"))
        parts = {"mean IoU": one.ground.held_out, "mean IoU where both splits hold out": both}
        figures = {column: score_part(model, one.ground, part) for column, part in parts.items()}
        note = f"{s.leak_epochs} epochs; {one.ground.leaks} training chips leak"
        lines.append(Line(f"DeepLabV3+, split {name}", figures, "ours", note))
    return lines, picture_of_splits(s.out / "splits.png", grounds)


# %% 4. Evaluate: rows are the map, columns the truth; held-out ground is read after all choices
def evaluate(model: keras.Model, data: Data, s: Settings) -> Path:
    held_out = read_held_out(data.ground)
    maps = classify(model, held_out.images)
    pictures = pictures_of_held_out(s.out, held_out, maps) | {"Curves": s.out / "curves.png"}
    said, lines = compare(count_blocks(held_out, maps), held_out, data, s)
    if s.leak_epochs:
        leaking, pictures["Split at random and by blocks"] = score_leak(s)
        lines += leaking
    text = "\n\n".join([said, map_words(s.out), accuracy_text(maps, held_out, n_units=s.sample)])
    facts = ground_facts(data.ground, real=data.real) | {"backend": keras.backend.backend()}
    facts |= {"parameters": model.count_params(), "of the U-Net": build_plain(s).count_params()}
    facts |= training_facts(s.out) | {"settings": settings_of(s, "seed")}
    return write_report(
        s.out, "Land cover", text=text, lines=lines, pictures=pictures, facts=facts
    )


# %% A score alone says nothing: the commonest class, single pixels and a plain net stand beside it
def compare(
    ours: np.ndarray, held_out: HeldOutGround, data: Data, s: Settings
) -> tuple[str, list[Line]]:
    networks = count_networks(ours, data, s)
    baselines = count_baselines(held_out)
    lines = [score_line(name, runs) for name, runs in networks.items()]
    lines += [score_line(name, [one], kind="baseline") for name, one in baselines.items()]
    return difference_sentences(networks, baselines), [*lines, *COURSE_LAND_COVER]


# %% 5. Infer: all photographs at their places make one scene, far larger than memory
def infer(model: keras.Model, data: Data, s: Settings) -> Path:
    ground = data.ground
    about = {"dtype": "uint8", "nodata": (0,), "pixel_size": ground.pixel_size}
    about |= {"bands": bands_of(ground), "classes": ground.classes}
    path = save_model(model, s.out, name="land_cover_deeplabv3", **about)
    mosaic = write_mosaic(s.out, ground, ground.held_out, side=s.map_side)
    found = map_and_assess(path, mosaic.scene, mosaic.reference, s.out, memory=s.memory)
    files, shown = (mosaic.scene, found.class_map), {"reference": mosaic.reference}
    picture = picture_of_map(s.out / MAP_PICTURE, *files, ground.classes, **shown)
    write_map_words(picture, mosaic, found)
    return found.class_map


# %% All five
def main(s: Settings = Settings()) -> Path:
    s = replace(s, seed=s.seeds[0])
    data = load_data(s)
    model = build_model(s)
    train(model, data, s)
    infer(model, data, s)
    return evaluate(model, data, s)


if __name__ == "__main__":
    run(main, Settings(), QUICK, SMOKE)
