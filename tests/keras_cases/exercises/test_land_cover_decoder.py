"""Exercise 3.2: our answer passes its check; the course's mistakes do not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.conftest import require_framework

require_framework("keras")

import keras  # noqa: E402
from keras import layers  # noqa: E402

from keras_cases.exercises import land_cover_decoder as exercise  # noqa: E402
from keras_cases.exercises.wrong import WrongAnswerError  # noqa: E402
from keras_cases.models.deeplabv3 import deeplabv3plus  # noqa: E402


def test_our_answer_is_right():
    assert len(exercise.check(exercise)) == 3


def test_the_course_has_a_dead_ring_and_it_is_found():
    def build_model(n_bands, n_classes):
        image = keras.Input((None, None, n_bands))
        x = layers.Conv2D(4, 3, padding="same")(image)
        rings = [layers.Conv2D(4, 3, padding="same", dilation_rate=r)(x) for r in (6, 12, 24)]
        x = layers.Concatenate()(rings[:2])
        return keras.Model(image, layers.Conv2D(n_classes, 1)(x))

    answer = SimpleNamespace(build_model=build_model, dead_parts=exercise.dead_parts)
    with pytest.raises(
        WrongAnswerError, match=r"1 parts of the model are dead: conv2d\w* leads to no"
    ):
        exercise.check(answer)


def test_too_small_scores_are_answered_with_their_shape():
    def build_model(n_bands, n_classes):
        image = keras.Input((None, None, n_bands))
        return keras.Model(image, layers.Conv2D(n_classes, 3, strides=2, padding="same")(image))

    with pytest.raises(WrongAnswerError, match=r"\(1, 64, 64, 7\): got \(1, 32, 32, 7\)"):
        exercise.check(SimpleNamespace(build_model=build_model))


@pytest.mark.parametrize(
    ("find", "sentence"),
    [
        (lambda model: [], "does not find a branch of rate 24"),
        (lambda model: [*exercise.leading_nowhere(model)], "multiplied by 0"),
        (lambda model: ["ring-24 skip-relu idle"], "in a model that is sound"),
    ],
)
def test_evidence_that_is_none_is_refused(find, sentence):
    with pytest.raises(WrongAnswerError, match=sentence):
        exercise.check_evidence(find, exercise.faulty())


def test_a_bias_before_a_normalisation_is_idle_but_no_mistake():
    def build_model(n_bands, n_classes):
        image = keras.Input((None, None, n_bands))
        x = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(image))
        return keras.Model(image, layers.Conv2D(n_classes, 1)(layers.Activation("gelu")(x)))

    answer = SimpleNamespace(build_model=build_model, dead_parts=exercise.dead_parts)
    assert len(exercise.check(answer)) == 3


@pytest.mark.slow
@pytest.mark.data
def test_the_decoders_are_compared_on_real_photographs(tmp_path, data_folder):
    s = replace(exercise.SMOKE, out=tmp_path)
    text = exercise.main(s).read_text(encoding="utf-8")
    assert all(f"| {name} |" in text for name in exercise.decoders(s))
    assert "- gated decoder: " in text
    assert " 0 dead" in text


@pytest.mark.slow
def test_the_decoders_are_compared_on_drawn_photographs(tmp_path):
    text = exercise.main(replace(exercise.SMOKE, drawn=True, out=tmp_path)).read_text("utf-8")
    assert "- data: drawn" in text
    assert "| course: new decoder, last epoch |" in text
    assert "| 0.9408 | **published**, not run here | other data: trees or not" in text
    curves = [f"{name.replace(' ', '_')}.png" for name in exercise.decoders(exercise.SMOKE)]
    assert all(f"]({one})" in text for one in curves)
    assert len({(tmp_path / one).read_bytes() for one in curves}) == 3


@pytest.mark.parametrize("backbone", ["mini", "MobileNetV3Small"])
def test_nothing_of_our_deeplab_leads_nowhere(backbone):
    assert [*exercise.leading_nowhere(deeplabv3plus(3, 7, width=8, backbone=backbone))] == []
