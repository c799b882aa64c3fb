"""Exercise 3.1: our answer passes its check; the course's way does not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.conftest import require_framework

require_framework("keras")

from keras_cases.exercises import land_cover_backbones as exercise  # noqa: E402
from keras_cases.exercises.wrong import WrongAnswerError  # noqa: E402

BACKBONE = exercise.BACKBONE


def changed(**changes):
    content = exercise.make_study() | changes
    return SimpleNamespace(make_study=lambda: content, verdict=exercise.verdict)


def more(**changes):
    return exercise.make_study()["change"] | changes


def test_our_answer_is_right():
    assert len(exercise.check(exercise)) == 3


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (changed(seeds=1), "3 backbones and 1 seeds"),
        (changed(vary={BACKBONE: ["mini", "ResNet50"]}), "2 backbones and 3 seeds"),
        (changed(change=more(split={"kind": "random"})), "split|leak"),
        (changed(change=more(framework="torch")), "torch deeplabv3plus"),
        (changed(vary={"epochs": [1, 2, 3]}, baseline={}), "rsw ablate refuses"),
        (changed(vary={BACKBONE: ["mini", "ResNet50", "VGG16"], "loss": ["dice", "focal"]}), "6"),
    ],
)
def test_the_course_s_way_is_refused(answer, sentence):
    with pytest.raises(WrongAnswerError, match=sentence):
        exercise.check(answer)


def test_a_verdict_from_the_mean_alone_is_refused():
    def verdict(by_seed, low, high):
        return "better" if sum(by_seed.values()) > 0 else "worse"

    with pytest.raises(WrongAnswerError, match="other ground may turn it round"):
        exercise.check_verdict(verdict)


@pytest.mark.slow
def test_drawn_photographs_are_named_so(tmp_path):
    s = replace(exercise.SMOKE, backbones=1, drawn=True, out=tmp_path)
    report = exercise.main(s)
    text = report.read_text(encoding="utf-8")
    assert "drawn: no figure here" in text
    assert "| commonest class everywhere | 0." in text
    assert "| course: ResNet50, last epoch |  |  | 0.8705 | **published**, not run here |" in text
    assert "| course: ResNet50, best epoch |  |  | 0.9427 |" in text
    assert "![Score and cost of each backbone](score_cost.png)" in text
    assert (report.parent / "score_cost.png").is_file()


@pytest.mark.slow
@pytest.mark.data
def test_the_runs_are_made_and_told(tmp_path, data_folder):
    report = exercise.main(replace(exercise.SMOKE, out=tmp_path))
    text = report.read_text(encoding="utf-8")
    assert "runs: 2 of 2" in text
    assert "baseline" in text
