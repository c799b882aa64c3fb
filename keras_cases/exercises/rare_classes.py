"""Exercise 4.2. Losses for classes that are rare, and the score of every class by itself.

任务：用 keras.ops 写类别权重、三种损失和各类的 IoU；数值须符合定义，无标签像素不得计入。

Soil is 1.6 % of the labelled pixels of Potsdam. A loss that counts every pixel alike gives it up.
Write, for labels (N, H, W), in which 255 means unlabelled, and logits (N, H, W, K), with
`keras.ops` only:

    effective_weights(counts, beta=0.999)          # (K,) of float; class-balanced, Cui et al. 2019
    weighted_cross_entropy(labels, logits, weights)   # a weighted mean over labelled pixels
    focal(labels, logits, gamma=2.0)               # a mean over labelled pixels
    dice(labels, logits)                           # 1 - Dice, a mean over the classes present
    class_iou(confusion)                           # (K,) of float; rows map, columns reference

`effective_weights` gives (1 - beta) / (1 - beta ** n), scaled so that the mean over the classes
that have a pixel is 1, and 0 for a class that has none. The weighted mean divides by the sum of
the weights of the labelled pixels. `class_iou` is NaN for a class in neither map nor reference.

The course asked for this and gave no answer; its network does not see its rare class (IoU .07 to
.13), and its report, overall accuracy alone, does not show it. Check yours:

    python -m keras_cases.check rare_classes my_answer.py

`python -m keras_cases.exercises.rare_classes` (`--quick`, `--smoke`) trains with each of them on
the folds of case 4, and compares them tile by tile.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_cases import hyperspectral_cbrr_unet as case
from keras_cases.exercises.wrong import WrongAnswerError
from keras_cases.shared import run, settings_of
from keras_cases.shared_spectra import label_images
from rs_workbench.accuracy import iou, mean_iou
from rs_workbench.lessons.class_bars import picture_of_class_bars
from rs_workbench.lessons.fold_counts import (
    count_chips,
    difference,
    gather_counts,
    keep_counts,
    open_counts,
    score_lines,
)
from rs_workbench.lessons.loss_cases import LABELS, LOGITS, WEIGHTS, expected_losses
from rs_workbench.lessons.report import write_report

FULL = replace(case.Settings(), learning=case.Learning(epochs=10))


@dataclass(frozen=True)
class Settings:
    case: case.Settings = FULL
    losses: tuple[tuple[str, str, str | None], ...] = (  # name, loss, weights of classes
        ("cross-entropy", "cross_entropy", None),
        ("balanced", "cross_entropy", "balanced"),
        ("effective number", "cross_entropy", "effective_number"),
        ("focal", "focal", None),
        ("cross-entropy and Dice", "cross_entropy+dice", None),
    )
    seeds: tuple[int, ...] = (0,)
    out: Path = Path("out/rare_classes")
    drawn: bool = False


QUICK = Settings(
    case=replace(case.QUICK, learning=case.Learning(epochs=6), run=(0, 1)),
    seeds=(0,),
    out=Path("out/rare_classes_quick"),
)
SMOKE = Settings(case=case.SMOKE, seeds=(0,), out=Path("out/rare_classes_smoke"))


# %% The answer: each class weighs as if it had only the pixels that say something new
def effective_weights(counts: np.ndarray, beta: float = 0.999) -> np.ndarray:
    counts = np.asarray(counts, np.float64)
    weights = np.zeros(len(counts))
    there = counts > 0
    weights[there] = (1 - beta) / (1 - beta ** counts[there])
    return weights / weights[there].mean()


# %% What is unlabelled has a share in no sum, whatever the network says of it
def log_probability(labels: Any, logits: Any) -> tuple[Any, Any, Any]:
    """Of each pixel's own class, (P,); truth (P, K), all 0 where unlabelled; and all (P, K)."""
    n_classes = logits.shape[-1]
    flat = ops.reshape(ops.cast(labels, "int32"), (-1, 1))
    truth = ops.cast(flat == ops.arange(n_classes, dtype="int32"), "float32")
    logs = ops.log_softmax(ops.reshape(logits, (-1, n_classes)), axis=-1)
    return ops.sum(truth * logs, axis=1), truth, logs


# %% A weighted mean: only the ratios of the weights matter
def weighted_cross_entropy(labels: Any, logits: Any, weights: Any) -> Any:
    log_p, truth, _ = log_probability(labels, logits)
    by_pixel = ops.sum(truth * ops.convert_to_tensor(weights, "float32"), axis=1)
    return -ops.sum(by_pixel * log_p) / ops.maximum(ops.sum(by_pixel), 1e-12)


# %% Focal: a pixel that is right already hardly counts
def focal(labels: Any, logits: Any, gamma: float = 2.0) -> Any:
    log_p, truth, _ = log_probability(labels, logits)
    losses = -((1 - ops.exp(log_p)) ** gamma) * log_p  # 0 where unlabelled
    return ops.sum(losses) / ops.maximum(ops.sum(truth), 1.0)


# %% Dice: every class of the batch counts the same, however small
def dice(labels: Any, logits: Any) -> Any:
    _, truth, logs = log_probability(labels, logits)
    labelled = ops.sum(truth, axis=1, keepdims=True)
    p, pixels = ops.exp(logs) * labelled, ops.sum(truth, axis=0)
    shares = 2 * ops.sum(p * truth, axis=0) / ops.maximum(ops.sum(p, axis=0) + pixels, 1e-12)
    present = ops.cast(pixels > 0, "float32")
    return ops.sum(present * (1 - shares)) / ops.maximum(ops.sum(present), 1.0)


# %% The score of every class: what is right of all that map or reference call so
def class_iou(confusion: np.ndarray) -> np.ndarray:
    counts = np.asarray(confusion, np.float64)
    right = counts.diagonal()
    either = counts.sum(axis=0) + counts.sum(axis=1) - right
    return np.divide(right, either, out=np.full(len(right), np.nan), where=either > 0)


# %% The check
STEP = 1e-2


def check(answer: ModuleType) -> list[str]:
    """Say what is right; raise `WrongAnswerError` at the first mistake."""
    parts = (check_weights, check_values, check_unlabelled, check_direction, check_iou)
    return [part(answer) for part in parts]


def check_weights(answer: ModuleType) -> str:
    counts, beta = np.array([2000, 100, 0, 10]), 0.99
    found = np.asarray(answer.effective_weights(counts, beta), float)
    effective = np.array([1 - beta**2000, 1 - beta**100, np.inf, 1 - beta**10])
    wanted = 3 / effective / (1 / effective).sum()
    if found.shape != (4,) or not np.allclose(found, wanted, rtol=1e-4):
        raise WrongAnswerError(
            f"effective_weights({counts.tolist()}, {beta}) gives {np.round(found, 4).tolist()}, "
            f"but should give {np.round(wanted, 4).tolist()}: (1 - beta) / (1 - beta ** n), "
            "divided by its mean over the classes that have a pixel, 0 for one that has none"
        )
    return "a class weighs as its effective number of pixels says"


def check_values(answer: ModuleType) -> str:
    wanted = expected_losses()
    for name, found in values(answer, LABELS, LOGITS).items():
        if not np.isclose(found, wanted[name], atol=1e-4):
            raise WrongAnswerError(
                f"{name} gives {found:.4f} for labels {LABELS.tolist()}, but should give "
                f"{wanted[name]:.4f}{hint(name, found)}"
            )
    plain = float(answer.focal(LABELS, LOGITS, gamma=0.0))
    even = float(answer.weighted_cross_entropy(LABELS, LOGITS, np.ones(4, np.float32)))
    if not np.isclose(plain, even, atol=1e-5):
        raise WrongAnswerError(
            f"focal with gamma 0 is {plain:.4f}, cross-entropy with weights of 1 is {even:.4f}: "
            "they are the same loss"
        )
    return "weighted cross-entropy, focal and Dice have the right values"


def values(answer: ModuleType, labels: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    found = {
        "weighted_cross_entropy": answer.weighted_cross_entropy(labels, logits, WEIGHTS),
        "focal": answer.focal(labels, logits, gamma=2.0),
        "dice": answer.dice(labels, logits),
    }
    return {name: float(ops.convert_to_numpy(value)) for name, value in found.items()}


def hint(name: str, found: float) -> str:
    if not np.isfinite(found):
        return ": use log_softmax, and keep unlabelled pixels out of every logarithm"
    if name == "dice":
        return ": one share a class over all labelled pixels, then the mean over classes present"
    return (
        ": is 255 left out, the sum divided by the weights (or number) of labelled pixels, and "
        "the softmax applied once?"
    )


def check_unlabelled(answer: ModuleType) -> str:
    changed = LOGITS.copy()
    changed[LABELS == 255] = [-4, 7, 2, 3]
    before, after = values(answer, LABELS, LOGITS), values(answer, LABELS, changed)
    none = values(answer, np.full_like(LABELS, 255), LOGITS)
    for name in before:
        if not np.isclose(before[name], after[name], atol=1e-6):
            raise WrongAnswerError(
                f"{name} goes from {before[name]:.4f} to {after[name]:.4f} when the logits of an "
                "unlabelled pixel (255) change: it must have no share in any sum"
            )
        if not np.isfinite(none[name]):
            raise WrongAnswerError(
                f"{name} gives {none[name]} for a batch without any label: do not divide by 0"
            )
    return "unlabelled pixels do not count"


def check_direction(answer: ModuleType) -> str:
    base = values(answer, LABELS, LOGITS)
    for place in np.argwhere(LABELS != 255):
        more = LOGITS.copy()
        more[(*place, LABELS[tuple(place)])] += STEP
        for name, found in values(answer, LABELS, more).items():
            if found >= base[name]:
                raise WrongAnswerError(
                    f"{name} does not fall ({base[name]:.5f} to {found:.5f}) when the network is "
                    f"surer of the right class at {place.tolist()}: check its sign"
                )
    return "every loss falls where the network gets surer of the right class"


def check_iou(answer: ModuleType) -> str:
    confusion = np.array([[50, 3, 0, 0], [2, 0, 0, 0], [0, 1, 8, 0], [0, 0, 0, 0]])
    found, wanted = np.asarray(answer.class_iou(confusion), float), [50 / 55, 0, 8 / 9, np.nan]
    if found.shape != (4,) or not np.allclose(found, wanted, equal_nan=True):
        raise WrongAnswerError(
            f"class_iou of {confusion.tolist()} gives {np.round(found, 3).tolist()}, but should "
            f"give {np.round(wanted, 3).tolist()}: diagonal / (row + column - diagonal), and NaN "
            "where there is nothing to divide by"
        )
    return "every class has its own IoU, and one that is nowhere has none"


# %% The comparison: the same tiles, folds, seeds and steps for every loss
def main(s: Settings = Settings()) -> Path:
    key = case.key(replace(s.case, drawn=s.drawn))
    started = time.perf_counter()
    folder = open_counts(s.out / "counts", f"{s.losses} {key}")
    for fold in case.folds_of(s.case):
        here = replace(s.case, fold=fold, out=s.out, drawn=s.drawn)
        data = case.load_data(here)
        for seed, (name, loss, weights) in product(s.seeds, s.losses):
            how = replace(s.case.learning, loss=loss, weights=weights)
            one = replace(here, learning=how, seed=seed)
            model = case.build_model(one)
            case.train(model, data, one)
            found = label_images(model, data.held_out.images)
            counts = count_chips(found, data.held_out.labels, model.output_shape[-1])
            keep_counts(folder, name, counts, fold=fold, seed=seed)
            print(f"fold {fold}, seed {seed}, {name}: done", flush=True)
    return report(folder, data, s, started)


# %% What is told
def report(folder: Path, data: case.Data, s: Settings, started: float) -> Path:
    gathered = gather_counts(folder, folds=case.folds_of(s.case), seeds=s.seeds)
    gathered = {name: gathered[name] for name, _, _ in s.losses}
    first = s.losses[0][0]
    rarest = int(data.scene.counts.sum(axis=0).argmin())
    scores = {
        "mean IoU": mean_iou,
        f"IoU of {data.scene.classes[rarest].name}": lambda m: iou(m)[rarest],
    }
    sentences = [
        f"- {name} less {first}: {gap.value:+.3f} {what}, 95 % interval "
        f"{gap.low:+.3f} to {gap.high:+.3f}"
        for name in list(gathered)[1:]
        for what, score in scores.items()
        for gap in [difference(gathered[name], gathered[first], score)]
    ]
    facts = {
        "data": f"{s.case.data}, {'real' if data.real else 'DRAWN, no real scene'}",
        "backend": f"Keras {keras.__version__} on {keras.backend.backend()}",
        "seconds of training and counting": round(time.perf_counter() - started),
        "folds": f"{len(case.folds_of(s.case))} of {s.case.folds}",
        "settings": settings_of(s.case, "fold", "seed") | {"seeds": s.seeds, "losses": s.losses},
    }
    text = (
        "Columns with names of classes are their IoU on held-out tiles. Pairs are compared on "
        "the same tiles, which are drawn whole. From so few tiles intervals are rather too "
        "narrow, and of many comparisons one is wide of 0 by luck:\n\n" + "\n".join(sentences)
    )
    lines = score_lines(gathered, data.scene.classes, ())
    bars = picture_of_class_bars(s.out / "classes.png", lines, data.scene.classes)
    title, said = "Exercise 4.2: losses for rare classes", "IoU of every class on held-out tiles"
    return write_report(s.out, title, text=text, lines=lines, pictures={said: bars}, facts=facts)


if __name__ == "__main__":
    run(main, Settings(), QUICK, SMOKE)
