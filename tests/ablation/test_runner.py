"""Runs in processes of their own: each once, failures kept, nothing left behind."""

from __future__ import annotations

import time

import psutil
import pytest

from rs_workbench.ablation.runner import Runner
from rs_workbench.ablation.study import plan_study
from tests.ablation.studies import make_runner, make_study


def starts(runner, run) -> list[str]:
    path = runner.run_folder(run) / "starts.txt"
    return path.read_text().splitlines() if path.exists() else []


def test_finished_runs_are_not_made_again(tmp_path) -> None:
    runs = plan_study(make_study(seeds=1)).runs
    runner = make_runner(tmp_path, jobs=2)
    said = []
    runner.run_all(runs, on_run=lambda run, state: said.append((run.id, state)))
    assert sorted(said) == sorted((run.id, s) for run in runs for s in ("started", "done"))
    assert all(map(runner.is_done, runs))
    assert runner.failures() == {}
    runner.run_all(runs, on_run=lambda run, state: pytest.fail("made again"))
    assert [starts(runner, run) for run in runs] == [["--progress none --json"]] * 2


def test_a_failure_is_kept_with_its_last_words_and_tried_again(tmp_path) -> None:
    (run,) = plan_study(
        make_study(change={"network_options": {"trouble": "fail once"}}, vary={}, seeds=1)
    ).runs
    runner, said = make_runner(tmp_path), []
    runner.run_all([run], on_run=lambda run, state: said.append(state))
    assert said == ["started", "failed"]
    failure = runner.failures()[run.id]
    assert failure.status == 1
    assert failure.reason.splitlines()[-1] == "error: there is no ground to learn from"
    assert not runner.is_done(run)
    runner.run_all([run])
    assert runner.is_done(run)
    assert runner.failures() == {}


def test_one_failure_does_not_stop_the_others(tmp_path) -> None:
    vary = {
        "a": [{"name": "bad", "network_options.trouble": "fail"}, {"name": "good", "loss": "dice"}]
    }
    runs = plan_study(make_study(vary=vary, seeds=1)).runs
    runner = make_runner(tmp_path)
    runner.run_all(runs)
    assert [runner.is_done(run) for run in runs] == [False, True]
    assert list(runner.failures()) == [runs[0].id]


def test_a_program_that_writes_nothing_has_failed(tmp_path) -> None:
    (run,) = plan_study(make_study(vary={}, seeds=1)).runs
    runner = Runner(tmp_path, ("true",))
    runner.run_all([run])
    assert "ended without result.json" in runner.failures()[run.id].reason
    Runner(tmp_path, ("false",)).run_all([run])
    assert runner.failures()[run.id].reason == "exit status 1, without a word"


def test_stopping_leaves_no_process_and_loses_nothing(tmp_path) -> None:
    vary = {
        "a": [
            {"name": "quick", "loss": "dice"},
            {"name": "slow", "network_options.trouble": "hang"},
        ]
    }
    runs = plan_study(make_study(vary=vary, seeds=1)).runs
    runner = make_runner(tmp_path)

    def stop(run, state) -> None:
        if run is runs[1]:
            raise KeyboardInterrupt

    before, children = time.monotonic(), set(psutil.Process().children())
    with pytest.raises(KeyboardInterrupt):
        runner.run_all(runs, on_run=stop)
    assert time.monotonic() - before < 60  # what hangs would take ten minutes
    assert set(psutil.Process().children()) == children
    assert [runner.is_done(run) for run in runs] == [True, False]
    assert runner.failures() == {}


def test_only_random_splits_are_told_that_they_may_leak(tmp_path) -> None:
    vary = {"split.kind": ["blocks", "random"]}
    runs = plan_study(make_study(vary=vary, seeds=1, allow_leaks=True)).runs
    runner = make_runner(tmp_path, jobs=2)
    runner.run_all(runs)
    assert ["--allow-leaks" in starts(runner, run)[0] for run in runs] == [False, True]
