"""Exercise 2.1. Vary tiles while a network learns: image and label move together.

任务：用两种方法随机变换图块；图像与标签须一起变，标签只有 0、1、255，结果只由种子决定。

Keras 3 has no ImageDataGenerator to recommend. Write two functions; both take images (N, H, W, 3)
of float32, scaled to mean 0, and labels (N, H, W) of uint8 (0 water, 1 ice, 255 unknown), and give
new arrays of the same shapes and types. They leave what they are given as it is.

    vary(images, labels, *, seed)              # with NumPy, or rs_workbench.training.augment
    vary_with_layers(images, labels, *, seed)  # with layers of Keras

Each tile is varied by itself: mirrored, turned, its light changed if you like. Labels stay 0, 1
or 255; the same seed gives the same tiles, another seed others.

What the course's way did: it turned by 0.2 *degrees*, meant as a share; it interpolated labels
and never cut them in two again, so that training accuracy could not pass 0.895; a second way read
the folders `image` and `label` as two classes of pictures. Check yours:

    python -m keras_cases.check ice_augmentation my_answer.py

`python -m keras_cases.exercises.ice_augmentation` (`--quick`, `--smoke`) trains without,
with turns, and with turns and light, and compares on validation tiles.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import keras
import numpy as np

from keras_cases import sea_ice_unet as ice
from keras_cases.exercises.wrong import WrongAnswerError
from keras_cases.shared import predict_bands_first, run, settings_of
from rs_workbench.accuracy import bootstrap_difference, mean_iou
from rs_workbench.lessons.card import scale_images
from rs_workbench.lessons.ice_report import CLASSES, PUBLISHED, data_facts
from rs_workbench.lessons.pictures import picture_of_chips
from rs_workbench.lessons.report import Line, write_report
from rs_workbench.lessons.tile_scores import count_tiles, label_tiles, score_line
from rs_workbench.lessons.training_record import training_facts
from rs_workbench.training.augment import NO_CHANGE, Augment, augment_batch
from rs_workbench.training.chip_pixels import ChipPixels

FULL = ice.Settings(tiles=250, epochs=8, out=Path("out/ice_augmentation"))
QUICK = replace(FULL, tiles=100, epochs=6, out=Path("out/ice_augmentation_quick"))
SMOKE = replace(ice.SMOKE, out=Path("out/ice_augmentation_smoke"))
WAYS = {
    "tiles as they are": NO_CHANGE,
    "flips and turns": Augment(),
    "flips, turns and light": ice.LIGHT,
}


# %% The answer, first way: arrays in memory, moved as one
def vary(images: np.ndarray, labels: np.ndarray, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    known = np.ones(labels.shape[1:], bool)
    chips = [
        ChipPixels(np.ascontiguousarray(image.transpose(2, 0, 1)), label, known)
        for image, label in zip(images, labels, strict=True)
    ]
    seeds = np.random.default_rng(seed).integers(2**32, size=len(chips)).tolist()
    varied = augment_batch(chips, ice.LIGHT, seeds=seeds)
    moved = np.stack([chip.image for chip in varied]).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(moved), np.stack([chip.labels for chip in varied])


# %% The answer, second way: layers of Keras move a mask with its image, and do not interpolate it
def vary_with_layers(
    images: np.ndarray, labels: np.ndarray, *, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    both: Any = {"images": images, "segmentation_masks": labels[..., None].astype("float32")}
    for layer in (
        keras.layers.RandomFlip(seed=seed),
        keras.layers.RandomRotation(  # a share of a full turn; new corners mirror what is there
            0.5, fill_mode="reflect", seed=seed
        ),
    ):
        both = layer(both, training=True)
    moved, masks = (keras.ops.convert_to_numpy(part) for part in both.values())
    return moved, masks[..., 0].round().astype(np.uint8)


# %% The course's way, to be measured: what it makes of labels
def course_labels(labels: np.ndarray, *, seed: int) -> np.ndarray:
    """Turn by up to 0.2 degrees, magnify by up to a tenth, interpolate; (N, H, W) of float32."""
    rng = np.random.default_rng(seed)
    height, width = labels.shape[1:]
    moved = []
    for label in labels.astype(np.float32):
        middle, angle = ((width - 1) / 2, (height - 1) / 2), rng.uniform(-0.2, 0.2)
        matrix = cv2.getRotationMatrix2D(middle, angle, rng.uniform(0.9, 1.1))
        replicate = cv2.BORDER_REPLICATE
        moved.append(cv2.warpAffine(label, matrix, (width, height), borderMode=replicate))
    return np.stack(moved)


# %% The check
COPIES, SIDE = 16, 64


def check(answer: ModuleType) -> list[str]:
    right = []
    for name in ("vary", "vary_with_layers"):
        right += check_way(name, getattr(answer, name))
    return right


def check_way(name: str, way: Any) -> list[str]:
    images, labels = make_copies()
    given = images.copy(), labels.copy()
    found, again, other = (way(*given, seed=seed) for seed in (3, 3, 4))
    if (given[0] != images).any() or (given[1] != labels).any():
        raise WrongAnswerError(f"{name} changed the arrays it was given: make new ones")
    check_form(name, found, images, labels)
    check_labels(name, found[1])
    check_together(name, *found)
    check_chance(name, found, again, other)
    return [
        f"{name} moves the label with the image",
        f"{name} leaves labels 0, 1 or 255",
        f"{name} varies each tile by itself, and gives the same tiles for the same seed",
    ]


def make_copies() -> tuple[np.ndarray, np.ndarray]:
    """One tile many times: an L of ice, a corner unknown; the image is bright where ice is."""
    label = np.zeros((SIDE, SIDE), np.uint8)
    label[6:50, 8:24] = label[34:50, 8:44] = 1
    label[:10, 52:] = 255
    labels = label[None].repeat(COPIES, axis=0)
    images = np.where(labels == 1, 1.0, -1.0)[..., None].repeat(3, axis=-1)
    return images.astype(np.float32), labels


def check_form(name: str, found: Any, images: np.ndarray, labels: np.ndarray) -> None:
    for what, got, wanted in zip(("images", "labels"), found, (images, labels), strict=True):
        form = getattr(got, "shape", None), str(getattr(got, "dtype", type(got).__name__))
        if form != (wanted.shape, str(wanted.dtype)):
            raise WrongAnswerError(
                f"{name} gives {what} {form[0]} of {form[1]}: wanted are {wanted.shape} of "
                f"{wanted.dtype}"
            )


def check_labels(name: str, labels: np.ndarray) -> None:
    found = np.unique(labels)
    if np.setdiff1d(found, [0, 1, 255]).size:
        raise WrongAnswerError(
            f"{name} makes labels {found[:8].tolist()} of 0, 1 and 255: labels must not be "
            "interpolated; take the nearest pixel"
        )
    if not np.isin([0, 1], found).all():
        raise WrongAnswerError(
            f"{name} leaves labels {found.tolist()} of 0, 1 and 255: a class was lost"
        )


def check_together(name: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Where the label says ice, the image must still be bright: the worst tile counts."""
    worst = 1.0
    for image, label in zip(images, labels, strict=True):
        known = label != 255
        worst = min(worst, float(np.corrcoef(image[known, 0], label[known] == 1)[0, 1]))
    if not worst > 0.9:
        raise WrongAnswerError(
            f"after {name}, image and label of a tile agree with correlation {worst:.2f} "
            "instead of 1: draw the movement once and apply it to both"
        )
    check_no_false_ice(name, images[..., 0], labels)


def check_no_false_ice(name: str, brightness: np.ndarray, labels: np.ndarray) -> None:
    """Between 0 and 255 lies 1: interpolated, the rim of unknown ground becomes ice."""
    low, high = (f(brightness, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    dark = brightness < low + 0.25 * (high - low)
    false = int((dark & (labels == 1)).sum())
    if false > 0.002 * labels.size:
        raise WrongAnswerError(
            f"{name} makes ice of {false} dark pixels, around unknown ground: labels are numbers "
            "of classes, and nothing lies between them; take the nearest pixel"
        )


def check_chance(name: str, found: Any, again: Any, other: Any) -> None:
    distinct = len({label.tobytes() for label in found[1]})
    if distinct < 2:
        raise WrongAnswerError(
            f"{name} makes {distinct} different labels of {COPIES} copies of a tile: vary each "
            "by itself, and enough (0.2 degrees move nothing: is an angle in degrees, radians "
            "or turns?)"
        )
    if any((a != b).any() for a, b in zip(found, again, strict=True)):
        raise WrongAnswerError(
            f"{name} gives other tiles for the same seed: let only the seed decide"
        )
    if all((a == b).all() for a, b in zip(found, other, strict=True)):
        raise WrongAnswerError(
            f"{name} gives the same tiles for seeds 3 and 4: draw from the seed"
        )


# %% Three trainings on one budget, compared on the same validation tiles
def main(s: ice.Settings = FULL) -> Path:
    data = ice.load_data(s)
    folders = {name: s.out / name.replace(" ", "_") for name in WAYS}
    counts = {
        name: learn(data, replace(s, vary=way, out=folders[name])) for name, way in WAYS.items()
    }
    plain = next(iter(counts.values()))
    lines = [compare_line(name, one, plain) for name, one in counts.items()]
    parts = {"training": data.training, "validation": data.validation}
    facts = data_facts(parts, real=data.real, left_aside=data.left_aside, folder=s.out)
    facts["intervals"] = "95 %, bootstrap over validation tiles"
    facts |= {name: training_facts(folder) for name, folder in folders.items()}
    return write_report(
        s.out,
        "Sea ice: what augmentation brings",
        text=f"{tell_course(data.validation.labels)}\n\n{CHOSEN}",
        lines=[*lines, *PUBLISHED],
        pictures={f"One tile, varied: {LIGHT_WORDS}": draw(data, s)},
        facts=facts | {"settings": settings_of(s, "vary")},
    )


CHOSEN = (
    "Scores and gains are those of validation tiles, which also chose the epoch of each training: "
    "all are a little too high, and how large a gain is on other ground, held-out tiles alone can "
    "say."
)


LIGHT_WORDS = "all with one stretch; light in standard deviations of a pixel, of the scaled tile"


def learn(data: ice.Data, s: ice.Settings) -> np.ndarray:
    model = ice.build_model(s)
    ice.train(model, data, s)
    found = label_tiles(partial(predict_bands_first, model), data.validation.images, data.bands)
    return count_tiles(found, data.validation.labels, 2)


def compare_line(name: str, counts: np.ndarray, plain: np.ndarray) -> Line:
    line = score_line(name, counts)
    gain = bootstrap_difference(mean_iou, (counts, plain))
    more = {"gain, mIoU": gain.value, "gain low": gain.low, "gain high": gain.high}
    return replace(line, figures={**line.figures, **more})


def tell_course(labels: np.ndarray) -> str:
    made = course_labels(labels, seed=0)
    share = float(np.mean((made > 0) & (made < 1)))
    return (
        f"Interpolated as in the course, {share:.1%} of the label pixels are neither 0 nor 1 any "
        "more: no prediction of a class can ever equal them."
    )


# %% One tile, as it is and varied five times: all with one stretch, so that light can be compared
def draw(data: ice.Data, s: ice.Settings) -> Path:
    tile = scale_images(data.training.images[:1], data.bands).transpose(0, 2, 3, 1)
    label = data.training.labels[:1]
    moved, labels = vary(tile.repeat(5, axis=0), label.repeat(5, axis=0), seed=s.seed)
    return picture_of_chips(
        s.out / "varied.png",
        np.concatenate([tile, moved]).transpose(0, 3, 1, 2),
        np.concatenate([label, labels]),
        classes=CLASSES,
        titles=["as it is", *(tell_change(tile[0], one) for one in moved)],
        one_stretch=True,
    )


def tell_change(tile: np.ndarray, varied: np.ndarray) -> str:
    """Find how a tile (H, W, B) was moved, by trying, and how its light was changed."""
    ways = {
        (mirror, quarters): np.rot90(tile[:, ::-1] if mirror else tile, quarters)
        for mirror in (False, True)
        for quarters in range(4)
    }
    alike = {
        way: np.corrcoef(moved.ravel(), varied.ravel())[0, 1]
        for way, moved in ways.items()
        if moved.shape == varied.shape
    }
    mirror, quarters = best = max(alike, key=alike.__getitem__)
    contrast, light = np.polyfit(ways[best].ravel(), varied.ravel(), 1).round(2) + 0.0
    moves = [*["mirrored"] * mirror, *[f"turned {90 * quarters}°"] * bool(quarters)]
    return f"{', '.join(moves) or 'not moved'}\ncontrast x {contrast:.2f}\nlight {light:+.2f}"


if __name__ == "__main__":
    run(main, FULL, QUICK, SMOKE)
