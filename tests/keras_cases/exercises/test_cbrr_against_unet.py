"""Exercise 4.1: our answer passes, the course's mistakes do not, and the whole of it runs."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

from keras_cases.exercises import cbrr_against_unet as exercise  # noqa: E402
from keras_cases.exercises.wrong import WrongAnswerError  # noqa: E402
from keras_cases.models.cbrr_unet import cbrr_unet  # noqa: E402
from keras_cases.models.unet import unet  # noqa: E402
from rs_workbench.accuracy import mean_iou  # noqa: E402

PARTS = {
    "build_networks": (exercise.check_sizes, exercise.check_new),
    "paired_test": (exercise.check_value, exercise.check_interval),
    "verdict": (exercise.check_verdict,),
}


def answer_with(**changed):
    answer = ModuleType("answer")
    for name in ("build_networks", "paired_test", "verdict"):
        setattr(answer, name, changed.get(name, getattr(exercise, name)))
    return answer


def test_our_own_answer_is_right():
    assert len(exercise.check(exercise)) == 5


def unequal(n_bands, n_classes, *, width=8):
    """As the course compared: one network three times as large as the other."""
    return {
        "CbrrUnet": cbrr_unet(n_bands, n_classes, width=4),
        "U-Net": unet(n_bands, n_classes, width=3, depth=3),
    }


def too_deep(n_bands, n_classes, *, width=8):
    return {
        "CbrrUnet": cbrr_unet(n_bands, n_classes, width=4),
        "U-Net": unet(n_bands, n_classes, width=3, depth=4),
    }


def trained_before():
    models = {}

    def build(n_bands, n_classes, *, width=8):
        key = n_bands, n_classes, width
        models[key] = models.get(key) or exercise.build_networks(n_bands, n_classes, width=width)
        return models[key]

    return build


def with_softmax(n_bands, n_classes, *, width=8):
    found = exercise.build_networks(n_bands, n_classes, width=width)
    return {
        name: keras.Model(m.input, keras.layers.Softmax()(m.output)) for name, m in found.items()
    }


def mean_of_tiles(first, second):
    apart = [mean_iou(a) - mean_iou(b) for a, b in zip(first, second, strict=True)]
    return float(np.mean(apart)), -1.0, 1.0


def not_in_pairs(first, second):
    """Each map draws tiles of its own."""
    rng = np.random.default_rng(0)
    n = len(first)
    draws = [
        mean_iou(first[rng.integers(0, n, n)].sum(axis=0))
        - mean_iou(second[rng.integers(0, n, n)].sum(axis=0))
        for _ in range(400)
    ]
    value = mean_iou(first.sum(axis=0)) - mean_iou(second.sum(axis=0))
    same = np.array_equal(first, second)
    return (0.0, 0.0, 0.0) if same else (value, *np.quantile(draws, [0.025, 0.975]))


def too_sure(first, second):
    value, low, high = exercise.paired_test(first, second)
    return value, value - (value - low) / 5, value + (high - value) / 5


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"build_networks": unequal}, "change the width of U-Net"),
        ({"build_networks": too_deep}, "U-Net cannot take 24 x 40 px"),
        ({"build_networks": with_softmax}, "ends in a softmax"),
        ({"paired_test": mean_of_tiles}, "add up the matrices"),
        ({"paired_test": not_in_pairs}, "take the same tiles for both"),
        ({"paired_test": too_sure}, "draw tiles, not pixels"),
        ({"verdict": lambda low, high: "first" if low + high > 0 else "second"}, "'not shown'"),
    ],
)
def test_mistakes_are_found(changed, sentence):
    answer = answer_with(**changed)
    with pytest.raises(WrongAnswerError, match=sentence):
        [part(answer) for part in PARTS[next(iter(changed))]]


def test_weights_that_were_trained_before_are_found():
    with pytest.raises(WrongAnswerError, match="weights of the last call"):
        exercise.check_new(answer_with(build_networks=trained_before()))


@pytest.mark.slow
@pytest.mark.data
def test_the_whole_exercise_runs_on_real_tiles(tmp_path, data_folder):
    text = exercise.main(replace(exercise.SMOKE, out=tmp_path)).read_text(encoding="utf-8")
    assert "enmap_potsdam, real" in text
    assert "one may be luck" in text


@pytest.mark.slow
def test_the_whole_exercise_runs(tmp_path):
    small = replace(exercise.SMOKE, out=tmp_path, drawn=True)
    text = exercise.main(small).read_text(encoding="utf-8")
    assert "CbrrUnet less U-Net" in text
    assert "DRAWN" in text
    assert "| course: CbrrUnet, last epoch | 22,149,381 |" in text
    assert "| course: U-Net, last epoch | 7,807,397 |" in text
    assert "![IoU of every class on held-out tiles](classes.png)" in text
    assert (tmp_path / "classes.png").is_file()
