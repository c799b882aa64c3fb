"""Exercise 2.3: our answer passes its check; other answers do not."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

from keras import layers  # noqa: E402

from keras_cases.exercises import ice_better_unet as ours  # noqa: E402
from keras_cases.exercises.wrong import WrongAnswerError  # noqa: E402
from keras_cases.models.unet import unet  # noqa: E402
from rs_workbench.accuracy import bootstrap, mean_iou  # noqa: E402
from rs_workbench.standin_files import write_stand_in  # noqa: E402

COUNTS = np.array([[[5, 1], [2, 6]]] * 2)


def small(n_bands=3, n_classes=2):
    return unet(n_bands, n_classes, width=4, depth=2)


def answer(build=small, compare=ours.compare):
    return SimpleNamespace(build_model=build, compare=compare)


def fixed_size(n_bands, n_classes):
    image = keras.Input((64, 64, n_bands))
    return keras.Model(image, layers.Conv2D(n_classes, 1)(image))


def half_size(n_bands, n_classes):
    image = keras.Input((None, None, n_bands))
    return keras.Model(image, layers.Conv2D(n_classes, 3, strides=2, padding="same")(image))


def too_large(n_bands, n_classes):
    return unet(n_bands, n_classes, width=32, depth=4)


def with_softmax(n_bands, n_classes):
    image = keras.Input((None, None, n_bands))
    x = layers.Conv2D(n_classes, 1)(image)
    return keras.Model(image, layers.Softmax()(x))


def with_a_dead_layer(n_bands, n_classes):
    image = keras.Input((None, None, n_bands))
    x = layers.Conv2D(4, 1, bias_initializer=keras.initializers.Constant(-1e6), name="dead")(image)
    x = layers.Concatenate()([image, layers.ReLU()(x)])
    return keras.Model(image, layers.Conv2D(n_classes, 1)(x))


def other_way_round(plain, better):
    value, low, high = ours.compare(plain, better)
    return -value, -high, -low


def each_by_itself(plain, better):
    """Two intervals that know nothing of each other."""
    one, two = (bootstrap(mean_iou, counts, seed=k) for k, counts in enumerate((plain, better)))
    value = two.value - one.value
    half = (
        1.96 * np.hypot(one.standard_error, two.standard_error) if (plain != better).any() else 0
    )
    return value, value - half, value + half


def mean_of_tiles(plain, better):
    gains = [mean_iou(b) - mean_iou(a) for a, b in zip(plain, better, strict=True)]
    return float(np.mean(gains)), float(np.min(gains)), float(np.max(gains))


def without_an_interval(plain, better):
    value = ours.compare(plain, better)[0]
    return value, value, value


def test_our_answer_is_right():
    right = ours.check(ours)
    assert len(right) == 4
    assert right[1] == "it has 494,434 parameters, and each weight learns"


def test_a_plain_unet_is_an_answer_too():
    assert len(ours.check(answer())) == 4


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (half_size, r"image of 64 x 64 px the model makes scores \(1, 32, 32, 2\)"),
        (too_large, r"has 7,\d+,\d+ parameters: at most 2,000,000"),
        (with_softmax, "sum to 1: leave the softmax away"),
        (with_a_dead_layer, r"2 weights do not learn, the first is 'dead/kernel'"),
    ],
)
def test_models_that_are_not_what_was_asked_are_found(build, says):
    with pytest.raises(WrongAnswerError, match=says):
        ours.check(answer(build))


@pytest.mark.parametrize(
    ("compare", "says"),
    [
        (other_way_round, "in the other order"),
        (each_by_itself, "draw the same tiles for both models"),
        (mean_of_tiles, "from sums over all tiles"),
        (without_an_interval, "is 0.0 times as wide as drawing whole tiles makes it"),
    ],
)
def test_comparisons_that_are_not_paired_are_found(compare, says):
    with pytest.raises(WrongAnswerError, match=says):
        ours.check_comparison(compare)


def test_a_model_of_one_size_only_is_found():
    with pytest.raises(WrongAnswerError, match=r"make the input keras.Input\(\(None, None, 3\)\)"):
        ours.check(answer(fixed_size))


@pytest.mark.data
def test_the_comparison_on_real_tiles(data_folder, tmp_path):
    text = ours.main(replace(ours.SMOKE, epochs=1, out=tmp_path / "out")).read_text("utf-8")
    for part in ("validation", "held-out"):
        assert f"| plain U-Net, {part} tiles |" in text
        assert f"| context U-Net, {part} tiles |" in text
    assert "| context U-Net, held-out, mean over flips and turns |" in text
    assert "one threshold, best on training tiles, held-out tiles |" in text
    assert "Gain in mean IoU on the same 2 validation tiles" in text
    assert "Gain in mean IoU on the same 4 held-out tiles" in text
    assert "scores of validation tiles are a little too high" in text
    assert "- intervals: 95 %, bootstrap over tiles" in text
    assert "- data: sea_ice, real" in text


def test_the_comparison_on_drawn_tiles(tmp_path):
    write_stand_in("sea_ice", tmp_path / "out" / "drawn_sea_ice", count=14)
    s = replace(ours.SMOKE, epochs=1, drawn=True, out=tmp_path / "out")
    report = ours.main(s)
    text = report.read_text("utf-8")
    assert "- data: DRAWN stand-in" in text
    assert "4 held out" in text
    for picture in ("unet.png", "context_unet.png", "held_out.png"):
        assert f"]({picture})" in text
        assert (report.parent / picture).stat().st_size > 1000
    scored_again = ours.score_held_out(ours.open_models(s), ours.ice.load_data(s))
    kept = json.loads((report.parent / "figures.json").read_text("utf-8"))["lines"]
    by_name = {line["name"]: line["figures"] for line in kept}
    assert len(scored_again.lines) == 8
    assert all(by_name[line.name] == pytest.approx(line.figures) for line in scored_again.lines)
    assert scored_again.gain in text


def test_held_out_tiles_are_read_only_when_both_have_learnt(monkeypatch, tmp_path):
    """Nothing that is chosen may see them: until then they raise."""

    class Sealed:
        def __getattr__(self, name):
            raise AssertionError(f"held-out {name} were read")

    s = replace(ours.SMOKE, epochs=1, drawn=True, out=tmp_path)
    data = ours.ice.load_data(s)
    monkeypatch.setattr(ours.ice, "load_data", lambda s: data._replace(held_out=Sealed()))
    learnt = []
    monkeypatch.setattr(ours, "learn", lambda m, d, s: (1.0, learnt.append(m) or COUNTS))
    with pytest.raises(AssertionError, match="held-out images were read"):
        ours.main(s)
    assert len(learnt) == 2
