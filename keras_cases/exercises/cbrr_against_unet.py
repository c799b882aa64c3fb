"""Exercise 4.1. Is CbrrUnet better than U-Net? A comparison that can be lost.

任务：建两个参数量相差至多五分之一的网络并成对检验；区间含 0 时只能说未显示差别。

Write

    build_networks(n_bands, n_classes, *, width=8)  # {"CbrrUnet": model, "U-Net": model}
    paired_test(first, second)                       # (value, low, high)
    verdict(low, high)                               # "first", "second" or "not shown"

`build_networks` gives two new, untrained networks at every call. They take (N, H, W, bands) with
H and W multiples of 8 and give logits (N, H, W, classes), and their numbers of parameters differ
by a fifth at most, since a larger network is another answer to another question.

`first` and `second` are counts (n, K, K) of the same n held-out tiles: rows map, columns
reference. `paired_test` gives the mean IoU of all tiles together, first less second, and a 95 %
interval from drawing tiles with replacement, the same ones for both. `verdict` says what the
interval allows to say.

The course compares 22.1 with 7.8 million parameters, one run each, where the second starts from
weights that were trained before, on a split of which 97 % leaked; and concludes from the third
digit. Check yours:

    python -m keras_cases.check cbrr_against_unet my_answer.py

`python -m keras_cases.exercises.cbrr_against_unet` (`--quick`, `--smoke`) trains both on the
folds of case 4: the same tiles, steps, settings and seeds.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import keras
import numpy as np

from keras_cases import hyperspectral_cbrr_unet as case
from keras_cases.exercises.wrong import WrongAnswerError
from keras_cases.models.cbrr_unet import cbrr_unet
from keras_cases.models.unet import unet
from keras_cases.shared import run, settings_of
from keras_cases.shared_spectra import label_images
from rs_workbench.accuracy import mean_iou
from rs_workbench.accuracy.bootstrap import bootstrap_difference
from rs_workbench.lessons.class_bars import picture_of_class_bars
from rs_workbench.lessons.course_figures import COURSE_CBRR
from rs_workbench.lessons.fold_counts import (
    count_chips,
    gather_counts,
    keep_counts,
    open_counts,
    score_lines,
)
from rs_workbench.lessons.report import write_report

FULL = case.Settings()


@dataclass(frozen=True)
class Settings:
    case: case.Settings = FULL
    seeds: tuple[int, ...] = (0, 1)
    out: Path = Path("out/cbrr_against_unet")
    drawn: bool = False


QUICK = Settings(
    case=replace(case.QUICK, run=(0, 1, 2)),
    seeds=(0,),
    out=Path("out/cbrr_against_unet_quick"),
)
SMOKE = Settings(case=case.SMOKE, seeds=(0,), out=Path("out/cbrr_against_unet_smoke"))


# %% The answer: as large as the other, and no wider view than three poolings give
def build_networks(n_bands: int, n_classes: int, *, width: int = 8) -> dict[str, keras.Model]:
    ours = cbrr_unet(n_bands, n_classes, width=width)
    sizes = [unet(n_bands, n_classes, width=w, depth=3).count_params() for w in (1, 2, 3)]
    by_width = np.poly1d(np.polyfit((1, 2, 3), sizes, 2))  # it grows with the square
    nearest = round((by_width - ours.count_params()).roots.max())
    return {"CbrrUnet": ours, "U-Net": unet(n_bands, n_classes, width=nearest, depth=3)}


# %% Every draw takes the same tiles for both: what is hard for both cancels
def paired_test(first: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    used = np.asarray(first).any(axis=(1, 2))
    found = bootstrap_difference(mean_iou, (np.asarray(first)[used], np.asarray(second)[used]))
    return found.value, found.low, found.high


def verdict(low: float, high: float) -> str:
    if low > 0:
        return "first"
    return "second" if high < 0 else "not shown"


# %% The check
def check(answer: ModuleType) -> list[str]:
    """Say what is right; raise `WrongAnswerError` at the first mistake."""
    parts = (check_sizes, check_new, check_value, check_interval, check_verdict)
    return [part(answer) for part in parts]


def check_sizes(answer: ModuleType) -> str:
    models = answer.build_networks(6, 5, width=4)
    if sorted(models) != ["CbrrUnet", "U-Net"]:
        raise WrongAnswerError(
            f"build_networks gives {sorted(models)}: name them CbrrUnet and U-Net"
        )
    image = np.random.default_rng(0).standard_normal((1, 24, 40, 6)).astype(np.float32)
    for name, model in models.items():
        try:
            scores = keras.ops.convert_to_numpy(model(image, training=False))
        except Exception as error:
            raise WrongAnswerError(
                f"{name} cannot take 24 x 40 px, multiples of 8: pool thrice"
            ) from error
        if scores.shape != (1, 24, 40, 5):
            raise WrongAnswerError(
                f"{name} gives {scores.shape} for an image of 24 x 40 px and 5 classes"
            )
        if np.allclose(scores.sum(axis=-1), 1, atol=1e-4):
            raise WrongAnswerError(
                f"{name} ends in a softmax: the loss takes logits, and would apply another"
            )
    sizes = {name: model.count_params() for name, model in models.items()}
    if max(sizes.values()) > 1.2 * min(sizes.values()):
        raise WrongAnswerError(
            f"the networks have {sizes} parameters: change the width of U-Net until they differ "
            "by a fifth at most"
        )
    return "both networks are of one size and give logits"


def check_new(answer: ModuleType) -> str:
    for model in answer.build_networks(3, 2, width=2).values():
        for weight in model.trainable_weights:
            weight.assign(keras.ops.full(weight.shape, 7.0))
    for name, model in answer.build_networks(3, 2, width=2).items():
        if float(keras.ops.max(model.trainable_weights[0])) == 7.0:
            raise WrongAnswerError(
                f"{name} comes with the weights of the last call: build it anew, or the second "
                "run starts where the first one ended"
            )
    return "every run starts from new weights"


def made_up_counts(n: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two maps of tiles that differ much from one another; the first map is a little better."""
    rng = np.random.default_rng(seed)
    hard = rng.uniform(0.05, 0.6, n)
    first, second = np.zeros((2, n, 2, 2), np.int64)
    for tile, share in enumerate(hard):
        for counts, more in ((first, 0.0), (second, 0.03)):
            wrong = round(400 * (share + more))
            counts[tile] = [[400 - wrong, 0], [wrong, 400]]
    return first, second


def check_value(answer: ModuleType) -> str:
    first, second = made_up_counts()
    wanted = mean_iou(first.sum(axis=0)) - mean_iou(second.sum(axis=0))
    found = answer.paired_test(first, second)
    if len(found) != 3 or not np.isclose(found[0], wanted, atol=1e-6):
        raise WrongAnswerError(
            f"paired_test gives {found}, but the difference is {wanted:.4f}: add up the matrices "
            "of all tiles, then take the mean IoU; the mean of the tiles' scores is another number"
        )
    if not found[1] < wanted < found[2]:
        raise WrongAnswerError(
            f"the interval {found[1]:.4f} to {found[2]:.4f} leaves out the difference"
        )
    same = answer.paired_test(first, first)
    if not np.allclose(same, 0, atol=1e-9):
        raise WrongAnswerError(
            f"a map compared with itself gives {same}, not 0: draw the same tiles for both"
        )
    return "the difference is that of all tiles together"


def check_interval(answer: ModuleType) -> str:
    first, second = made_up_counts()
    _, low, high = paired_test(first, second)
    found = answer.paired_test(first, second)
    ratio = (found[2] - found[1]) / (high - low)
    if ratio > 1.6:
        raise WrongAnswerError(
            f"the interval is {ratio:.1f} times as wide as it should be: in each draw, take the "
            "same tiles for both maps"
        )
    if ratio < 0.6:
        raise WrongAnswerError(
            f"the interval is {ratio:.2f} times as wide as it should be: draw tiles, not pixels, "
            "for pixels of a tile are right and wrong together"
        )
    return "the interval comes from drawing tiles, in pairs"


def check_verdict(answer: ModuleType) -> str:
    for (low, high), wanted in {
        (0.01, 0.04): "first",
        (-0.04, -0.01): "second",
        (-0.01, 0.03): "not shown",
    }.items():
        found = answer.verdict(low, high)
        if found != wanted:
            raise WrongAnswerError(
                f"an interval from {low} to {high} says '{wanted}', but verdict gives '{found}'"
            )
    return "an interval that holds 0 shows no difference"


# %% The comparison: the same seed, tiles, steps and settings for both
def main(s: Settings = Settings()) -> Path:
    started = time.perf_counter()
    folder = open_counts(s.out / "counts", case.key(replace(s.case, drawn=s.drawn)))
    for fold in case.folds_of(s.case):
        here = replace(s.case, fold=fold, out=s.out, drawn=s.drawn)
        data = case.load_data(here)
        n_classes = len(data.scene.classes)
        for seed in s.seeds:
            one = replace(here, seed=seed)
            keras.utils.set_random_seed(seed)
            models = build_networks(one.components, n_classes, width=one.learning.width)
            for name, model in models.items():
                case.train(model, data, one)
                found = label_images(model, data.held_out.images)
                counts = count_chips(found, data.held_out.labels, n_classes)
                keep_counts(folder, name, counts, fold=fold, seed=seed)
            print(f"fold {fold}, seed {seed}: done", flush=True)
    return report(folder, data, models, s, started)


# %% What is told
def report(
    folder: Path, data: case.Data, models: dict[str, keras.Model], s: Settings, started: float
) -> Path:
    gathered = gather_counts(folder, folds=case.folds_of(s.case), seeds=s.seeds)
    gap, low, high = paired_test(*(gathered[name].sum(axis=0) for name in models))
    by_seed = [paired_test(*pair)[0] for pair in zip(*(gathered[n] for n in models), strict=True)]
    said = {"first": "CbrrUnet is better", "second": "U-Net is better"}
    told = said.get(verdict(low, high), "no difference is shown")
    if len(by_seed) < 2 or min(by_seed) <= 0 <= max(by_seed):
        told = "no difference is shown: seeds must agree, and one may be luck"
    text = (
        f"CbrrUnet less U-Net: {gap:+.3f} mean IoU, 95 % interval {low:+.3f} to {high:+.3f} "
        f"(tiles drawn in pairs; with so few the interval is rather too narrow): **{told}**. "
        f"By seed: {', '.join(f'{one:+.3f}' for one in by_seed)}."
    )
    facts = {
        "data": f"{s.case.data}, {'real' if data.real else 'DRAWN, no real scene'}",
        "backend": f"Keras {keras.__version__} on {keras.backend.backend()}",
        "seconds of training and counting": round(time.perf_counter() - started),
        "folds": f"{len(case.folds_of(s.case))} of {s.case.folds}",
        "settings": settings_of(s.case, "fold", "seed") | {"seeds": s.seeds},
    }
    lines = score_lines({name: gathered[name] for name in models}, data.scene.classes, ())
    bars = picture_of_class_bars(s.out / "classes.png", lines, data.scene.classes)
    sizes = [{"parameters": model.count_params()} for model in models.values()]
    lines = [replace(x, figures=n | {**x.figures}) for x, n in zip(lines, sizes, strict=True)]
    return write_report(
        s.out,
        "Exercise 4.1: CbrrUnet against U-Net",
        text=text,
        lines=[*lines, *COURSE_CBRR],
        pictures={"IoU of every class on held-out tiles": bars},
        facts=facts,
    )


if __name__ == "__main__":
    run(main, Settings(), QUICK, SMOKE)
