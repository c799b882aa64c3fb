"""The loop: what is kept, when it ends, and how it goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rs_workbench.accuracy.scores import mean_iou
from rs_workbench.errors import ResumeError, TrainingError
from rs_workbench.training import loop, state
from rs_workbench.training.loop import Batches, fit
from rs_workbench.training.schedules import rate_at
from rs_workbench.training.state import EPOCHS, Epoch, State, best_epoch, open_state
from rs_workbench.training.validation import count_batches, score_batch
from tests.training.loop_cases import (
    BATCHES,
    N_CLASSES,
    FakeLearner,
    Killed,
    draw_batch,
    make_data,
    make_settings,
)


def run(folder: Path, data: Any = None, *, make: Any = FakeLearner, **how: Any) -> Any:
    return fit(make, data or make_data(), folder, **{"batches": BATCHES} | how)


def facts(epochs: Any) -> list[Any]:
    """All of some epochs but the times."""
    return [(e.number, e.loss, e.rate, e.mean_iou, e.confusion.tolist()) for e in epochs]


def make_epoch(number: int, score: float | None) -> Epoch:
    return Epoch(number, 1.0, 0.1, 1.0, 1.0, score, score, None)


# Going on


def count_down(at: int, calls: list[str]) -> Callable[[str], None]:
    """Kill the process at its n-th event."""

    def event(name: str) -> None:
        calls.append(name)
        if len(calls) == at:
            raise Killed

    return event


def test_killed_at_any_event_it_goes_on_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(tmp_path / "whole")
    replace = Path.replace
    at, done, killed = 0, False, set()
    while not done:
        at += 1
        folder, heard, calls = tmp_path / f"{at}", [], []
        event = count_down(at, calls)

        def watched(path: Path, target: Path, event: Any = event) -> Path:
            event("replace")
            return replace(path, target)

        def listen(epoch: Any, *_: Any, event: Any = event, heard: Any = heard) -> None:
            event("listener")
            heard.append(epoch.number)

        def make(settings: Any, event: Any = event) -> FakeLearner:
            return FakeLearner(settings, event)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", watched)
            try:
                run(folder, make=make, on_epoch=[listen])
                done = True
            except Killed:
                killed.add(calls[-1])
            again = run(folder, make=make, on_epoch=[listen])
        np.testing.assert_array_equal(again.learner.weights, whole.learner.weights)
        assert facts(again.epochs) == facts(whole.epochs)
        assert set(heard) == {1, 2, 3}
        assert heard == sorted(heard)
        assert again.best.number == whole.best.number
    assert killed == {"step", "predict", "save", "save_weights", "replace", "listener"}


def test_a_finished_fit_is_not_learnt_again(tmp_path: Path) -> None:
    first = run(tmp_path)
    told: list[Epoch] = []
    again = run(tmp_path, on_epoch=[lambda epoch, *_: told.append(epoch)])
    assert (first.resumed, again.resumed) == (False, True)
    assert not told
    assert again.learner.rates == []
    np.testing.assert_array_equal(again.learner.weights, first.learner.weights)


def test_only_files_of_the_last_and_the_best_epoch_are_left(tmp_path: Path) -> None:
    best = run(tmp_path).best.number
    left = sorted(path.name for path in (tmp_path / "state").iterdir())
    assert left == [f"best_{best:04d}", EPOCHS, "last_0003"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": make_settings(learning_rate=0.5)}, r"learning_rate 0\.3, this one 0\.5"),
        ({"scenes": ()}, r"files \[\['a\.tif', 100, 1\.5\]\], this one \[\]"),
        ({"counts": {}}, r"labelled pixels .*5, 6, 7.*--overwrite"),
    ],
)
def test_the_state_of_another_run_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    run(tmp_path)
    with pytest.raises(ResumeError, match=message):
        run(tmp_path, make_data(**changes))


def test_where_it_runs_may_change(tmp_path: Path) -> None:
    first = run(tmp_path)
    again = run(tmp_path, make_data(make_settings(device="cuda:1", workers=7)))
    assert facts(again.epochs) == facts(first.epochs)


@pytest.mark.parametrize("text", ["", "{}", '{"epochs": [{}]}', "[1]"])
def test_a_state_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    run(tmp_path)
    (tmp_path / "state" / EPOCHS).write_text(text)
    with pytest.raises(ResumeError, match="cannot be read: begin anew with --overwrite"):
        run(tmp_path)


def test_an_epoch_without_score_survives_the_file(tmp_path: Path) -> None:
    data = make_data()
    kept = open_state(tmp_path, data)
    kept.keep(make_epoch(1, None), FakeLearner(data.settings))
    (found,) = open_state(tmp_path, data).epochs
    assert vars(found) == vars(make_epoch(1, None))
    json.loads((tmp_path / "state" / EPOCHS).read_text(), parse_constant=pytest.fail)


# The best epoch, and the end


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([0.1, 0.5, 0.5, 0.2], 2),
        ([None, 0.0, None], 2),
        ([0.3, None], 1),
        ([None, None], 2),
        ([0.0, 0.0], 1),
    ],
)
def test_best(scores: list[float | None], best: int) -> None:
    assert best_epoch([make_epoch(i, s) for i, s in enumerate(scores, 1)]).number == best


class Scripted(FakeLearner):
    """Good in the epochs that `good` names, and knows its epoch by its weights."""

    good: tuple[int, ...] = ()

    def start_epoch(self, epoch: int) -> None:
        self.weights = np.full((N_CLASSES, 2), float(epoch))

    def step(self, images: Any, labels: Any, rate: float) -> float:
        return 1.0

    def predict(self, images: Any) -> Any:
        sign = 1 if int(self.weights[0, 0]) in self.good else -1
        truth = np.array([[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0]])
        return np.einsum("kb,nbhw->nkhw", sign * truth, images).astype(np.float32)


@pytest.mark.parametrize(
    ("good", "patience", "ended", "best"),
    [
        ((2, 4), 2, 4, 2),
        ((2, 4), 3, 5, 2),
        ((9,), 3, 4, 1),
        ((1,), None, 9, 1),
        ((9,), None, 9, 9),
    ],
)
def test_it_stops_early_and_keeps_the_first_best(
    tmp_path: Path, good: tuple[int, ...], patience: int | None, ended: int, best: int
) -> None:
    data = make_data(make_settings(epochs=9, patience=patience))
    kind = type("Good", (Scripted,), {"good": good})
    found = run(tmp_path, data, make=kind)
    assert len(found.epochs) == ended
    assert found.best.number == best == found.learner.weights[0, 0]
    again = run(tmp_path, data, make=kind)
    assert len(again.epochs) == ended


@pytest.mark.parametrize("chips", [(), (1,)])
def test_without_labels_to_validate_by_the_last_weights_are_kept(
    tmp_path: Path, chips: tuple[int, ...]
) -> None:
    def part(data: Any, chips: Any) -> Any:
        for chip in chips:
            batch = draw_batch((chip,), 2)
            batch.labels[:] = 255
            yield batch

    data = make_data(make_settings(epochs=3, patience=1), validation=chips)
    found = run(tmp_path, data, batches=Batches(BATCHES.training, part))
    assert [e.mean_iou for e in found.epochs] == [None] * 3
    assert found.epochs[0].confusion is None
    assert found.best.number == 3


def test_a_class_without_labels_does_not_count(tmp_path: Path) -> None:
    found = run(tmp_path, make_data(n_classes=9))
    counts = found.best.confusion
    assert counts.shape == (9, 9)
    assert found.best.mean_iou == mean_iou(counts[:3, :3])


# Steps


def test_every_step_has_its_rate_and_is_told(tmp_path: Path) -> None:
    data = make_data(make_settings(chips=9))  # 3 batches of 4
    steps: list[Any] = []
    found = run(tmp_path, data, on_step=lambda *step: steps.append(step))
    assert [s[:3] for s in steps] == [(e, i, 3) for e in (1, 2, 3) for i in (1, 2, 3)]
    assert found.learner.rates == [rate_at(data.settings, i, 9) for i in range(9)]
    assert found.epochs[1].rate == found.learner.rates[5]
    np.testing.assert_allclose(found.epochs[1].loss, np.mean([s[3] for s in steps[3:6]]))


def test_listeners_find_the_state_written(tmp_path: Path) -> None:
    seen: list[int] = []

    def listen(epoch: Epoch, learner: Any, data: Any) -> None:
        kept: State = open_state(tmp_path, data)
        assert kept.epochs[-1].number == epoch.number
        assert kept.last.exists()
        seen.append(epoch.number)

    run(tmp_path, on_epoch=[listen])
    assert seen == [1, 2, 3]


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_loss_that_is_no_number_ends_it_with_a_sentence(tmp_path: Path, loss: float) -> None:
    def event(name: str) -> None:
        calls.append(name)

    class Lost(FakeLearner):
        def step(self, images: Any, labels: Any, rate: float) -> float:
            super().step(images, labels, rate)
            return loss if calls.count("step") == 4 else 1.0

    calls: list[str] = []
    message = rf"became {loss} in epoch 2, step 2, at a learning rate of 0\.\d+ .*epoch 1 is kept"
    with pytest.raises(TrainingError, match=message + r".*--learning-rate.*labels and bands"):
        run(tmp_path, make=lambda settings: Lost(settings, event))
    assert len(open_state(tmp_path, make_data()).epochs) == 1


# Memory


class Narrow(FakeLearner):
    """Has memory for batches in at least `parts` parts only; in the second epoch it tells."""

    parts = 4
    made: list[int]

    def start_epoch(self, epoch: int) -> None:
        super().start_epoch(epoch)
        self.epoch = epoch

    def step(self, images: Any, labels: Any, rate: float) -> float:
        if self.epoch == 2 and self.settings.accumulate < self.parts:
            raise MemoryError
        return super().step(images, labels, rate)


def test_where_memory_runs_out_a_batch_is_computed_in_more_parts(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    lines: list[str] = []
    found = run(tmp_path / "narrow", make=Narrow, tell=lines.append)
    np.testing.assert_array_equal(found.learner.weights, whole.learner.weights)
    assert facts(found.epochs) == facts(whole.epochs)
    assert found.settings.accumulate == 4 == found.learner.settings.accumulate
    assert len(lines) == 2
    assert "a batch of 4 chips is computed in 2 parts from now on, and epoch 2 begins" in lines[0]


def test_parts_that_grew_are_kept_over_a_stop(tmp_path: Path) -> None:
    def stop(epoch: int, step: int, *_: Any) -> None:
        if epoch == 3:
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path, make=Narrow, on_step=stop)
    lines: list[str] = []
    assert run(tmp_path, make=Narrow, tell=lines.append).settings.accumulate == 4
    assert not lines


def test_where_one_chip_is_too_much_it_ends_with_a_sentence(tmp_path: Path) -> None:
    never = type("Never", (Narrow,), {"parts": 99})
    with pytest.raises(TrainingError, match=r"one chip of 8 px at a time: use a smaller --tile"):
        run(tmp_path, make=never)


def test_other_errors_pass(tmp_path: Path) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(tmp_path, on_step=fail)


class Small(FakeLearner):
    """Predicts two chips at a time and no more."""

    def predict(self, images: Any) -> Any:
        if len(images) > 2:
            raise MemoryError
        return super().predict(images)


def test_prediction_in_halves() -> None:
    images = draw_batch((1,), 5).images
    settings = make_settings()
    learners = [kind(settings) for kind in (FakeLearner, Small)]
    for learner in learners:
        learner.weights = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(*(score_batch(learner, images) for learner in learners))


def test_prediction_of_one_chip_that_is_too_much() -> None:
    class Tiny(FakeLearner):
        def predict(self, images: Any) -> Any:
            raise MemoryError

    with pytest.raises(MemoryError):
        score_batch(Tiny(make_settings()), draw_batch((1,), 4).images)


# Several processes


def test_validation_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = [draw_batch((i,), 2) for i in range(5)]
    alone = count_batches(FakeLearner(make_settings()), batches, N_CLASSES)
    total = np.zeros((N_CLASSES, N_CLASSES), np.int64)
    monkeypatch.setenv("WORLD_SIZE", "3")
    for rank in range(3):
        monkeypatch.setenv("RANK", f"{rank}")
        found = count_batches(FakeLearner(make_settings()), batches, N_CLASSES)
        assert found is not None
        assert found.sum() < total.sum() + 62  # two batches of 2 x 15 labelled pixels at most
        total += found
    np.testing.assert_array_equal(total, alone)


def test_one_process_without_memory_does_not_let_the_others_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match=r"in process 0 of 2, .* 1 parts: .*--accumulate 2"):
        run(tmp_path, make=Narrow)


def test_other_processes_write_and_tell_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(tmp_path / "0")
    for module in (loop, state):
        monkeypatch.setattr(module, "leads", lambda: False)
    heard: list[Any] = []

    class Other(FakeLearner):
        def load_weights(self, path: Path) -> None:
            super().load_weights(tmp_path / "0" / "state" / path.name)

    found = run(tmp_path / "1", make=Other, on_epoch=[lambda *args: heard.append(args)])
    np.testing.assert_array_equal(found.learner.weights, first.learner.weights)
    assert not heard
    assert not (tmp_path / "1").exists()
