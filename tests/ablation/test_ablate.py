"""A whole study: table, plot, failures, Optuna's storage, and the command line."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pytest
from click.testing import CliRunner

from rs_workbench import ablate as verb
from rs_workbench.ablate import ablate
from rs_workbench.ablation import plot, runner
from rs_workbench.ablation.measure import Cost
from rs_workbench.ablation.plot import Point, cost_axis, draw_scores
from rs_workbench.ablation.results import collect
from rs_workbench.ablation.speed import Speed
from rs_workbench.ablation.study import plan_study
from rs_workbench.ablation.study_file import write_study
from rs_workbench.accuracy.report.canvas import add_panel, drawing_style, make_sheet
from rs_workbench.errors import UsageError
from tests.ablation.studies import TRAINER, make_runner, make_study

VARY = {
    "backbone": [
        {"name": "mini", "network_options.backbone": "mini"},
        {"name": "wide <b>", "network_options.backbone": "wide"},
    ],
    "broken": [{"name": "as it is"}, {"name": "broken", "network_options.trouble": "fail"}],
}
SKIP = [{"backbone": "mini", "broken": "broken"}]


class Page(HTMLParser):
    """Tags that are open, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words = ""
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.links += [value for key, value in attrs if key in ("src", "href") and value]
        if tag not in ("meta", "br", "img", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.words += data


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study of two configurations with two seeds, and a third that fails."""
    folder = tmp_path_factory.mktemp("study") / "out"
    said: list[str] = []
    study = make_study(vary=VARY, skip=SKIP)
    found = ablate(study, folder, jobs=2, trainer=TRAINER, command="rsw ablate x", log=said.append)
    return study, folder, found, said


def blocks_of(folder: Path, name: str) -> list[np.ndarray]:
    """Confusions of the runs whose backbone is so called, by seed, read without our code."""
    found = {}
    for path in (folder / "runs").glob("*/result.json"):
        facts = json.loads(path.read_text())
        if facts["network_options"]["backbone"] == name:
            with np.load(path.with_name("held_out_blocks.npz")) as arrays:
                found[facts["seed"]] = arrays["confusion"]
    return [found[seed] for seed in sorted(found)]


def miou(confusion: np.ndarray) -> float:
    both = confusion.sum(0) + confusion.sum(1) - confusion.diagonal()
    return float((confusion.diagonal() / both).mean())


def test_the_table_says_what_hand_and_files_say(made) -> None:
    _, folder, found, _ = made
    scores = {
        name: [miou(one.sum(axis=0)) for one in blocks_of(folder, name)]
        for name in ("mini", "wide")
    }
    rows = list(csv.DictReader(io.StringIO((folder / "table.csv").read_text("utf-8-sig"))))
    assert [row["backbone"] for row in rows] == ["wide <b>", "mini", "wide <b>"]
    best, base, broken = rows
    assert float(best["mean_iou"]) == pytest.approx(mean(scores["wide"]))
    assert float(best["mean_iou_sd"]) == pytest.approx(stdev(scores["wide"]))
    each = [a - b for a, b in zip(scores["wide"], scores["mini"], strict=True)]
    assert float(best["difference"]) == pytest.approx(mean(each))
    assert float(best["difference_sd_over_seeds"]) == pytest.approx(stdev(each))
    assert float(best["difference_low"]) < mean(each) < float(best["difference_high"])
    assert best["verdict"] == "better"
    assert float(best["seconds_per_epoch"]) == 4.5  # 4 s and 5 s
    assert (best["seeds_done"], best["blocks"]) == ("2", "24")
    assert (base["baseline"], base["difference"], base["verdict"]) == ("True", "", "")
    assert (broken["mean_iou"], broken["seeds_failed"]) == ("", "2")
    assert found.done == 4
    runs = list(csv.DictReader(io.StringIO((folder / "runs.csv").read_text("utf-8-sig"))))
    assert [row["state"] for row in runs] == ["done"] * 4 + ["failed"] * 2
    assert runs[-1]["reason"].endswith("error: there is no ground to learn from")
    plain = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    assert plain["configurations"][0]["scores"] == pytest.approx(
        {"0": scores["wide"][0], "1": scores["wide"][1]}
    )


def test_the_page_is_whole_and_tells_all(made) -> None:
    _, folder, found, _ = made
    page = Page((folder / "table.html").read_text(encoding="utf-8"))
    assert page.open == []
    assert [link for link in page.links if not link.startswith("#")] == []
    for words in (
        "wide <b>", "4 of 6", "2 failed", "there is no ground to learn from", "rsw ablate x",
        "bootstrap over blocks", "30 epochs of 256 chips", found.plan.runs[0].id,
    ):  # fmt: skip
        assert words in page.words
    markdown = (folder / "table.md").read_text(encoding="utf-8")
    assert "| wide \\<b\\>, as it is |" in markdown
    assert "(score_cost.svg)" in markdown


def test_the_plot_is_written_and_names_each_configuration(made) -> None:
    _, folder, _, _ = made
    assert (folder / "score_cost.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    svg = (folder / "score_cost.svg").read_text(encoding="utf-8")
    assert "mini, as it is" in svg
    assert "parameters" in svg  # nothing else is known of these


def test_the_same_command_again_runs_nothing_that_is_done(made) -> None:
    study, folder, first, _ = made
    kept = {run: path.stat().st_mtime_ns for run, path in results(folder).items()}
    again = ablate(study, folder, trainer=TRAINER)
    assert {run: path.stat().st_mtime_ns for run, path in results(folder).items()} == kept
    assert [row.scores for row in again.rows] == [row.scores for row in first.rows]


def results(folder: Path) -> dict[str, Path]:
    return {path.parent.name: path for path in (folder / "runs").glob("*/result.json")}


def test_what_is_said_on_the_way(made) -> None:
    _, _, _, said = made
    assert sum("started" in line for line in said) == 6
    assert any("mean IoU 7" in line and "left, about" in line for line in said)
    assert any("failed (error: there is no ground to learn from)" in line for line in said)


def test_a_damaged_result_counts_as_failed(tmp_path) -> None:
    plan, run_all = plan_study(make_study(seeds=1)), make_runner(tmp_path, jobs=2)
    run_all.run_all(plan.runs)
    (run_all.run_folder(plan.runs[1]) / "result.json").write_text("{")
    found = collect(plan, run_all, speed=False)
    ((run, reason),) = found.failed
    assert run is plan.runs[1]
    assert "is damaged" in reason
    assert found.done == 1


def test_a_leak_is_told_and_not_compared(tmp_path) -> None:
    vary = {"split.kind": ["blocks", "random"]}
    study = make_study(vary=vary, seeds=1, allow_leaks=True)
    found = ablate(study, tmp_path / "out", jobs=2, trainer=TRAINER, speed=False)
    page = Page((tmp_path / "out" / "table.html").read_text(encoding="utf-8"))
    assert "LEAK: 1 of 2 runs" in page.words
    (other,) = [row.difference for row in found.rows if row.difference]
    assert "share split and classes" in other.note


def test_a_folder_of_something_else_is_refused(tmp_path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other files than a study"):
        ablate(make_study(), tmp_path, trainer=TRAINER)


# The plot


def test_cost_is_what_all_configurations_have(made) -> None:
    rows = [row for row in made[2].rows if row.scores]
    speed = Speed(2e6, 2, 7, "openvino", "cpu", 100.0)
    whole = [replace(row, cost=Cost(256, 3_000_000_000, (), speed)) for row in rows]
    title, costs = cost_axis(whole)
    assert "MACs" in title
    assert "256 x 256 px" in title
    assert costs == [3.0, 3.0]
    timed = [replace(whole[0], cost=Cost(256, None, (), speed)), *whole[1:]]
    assert cost_axis(timed) == ("inference, s for 10⁶ px", [0.5, 0.5])
    assert cost_axis(rows)[0] == "parameters, 10⁶"


@pytest.mark.parametrize("seed", range(4))
def test_labels_do_not_lie_on_each_other(seed) -> None:
    rng = np.random.default_rng(seed)
    points = [
        Point(f"backbone {i}", ("torch", "keras")[i % 2], float(x), 60 + float(y), 0.4,
              (60 + float(y),), i == 0)
        for i, (x, y) in enumerate(zip(rng.uniform(1, 4, 12), rng.uniform(0, 6, 12), strict=True))
    ]  # fmt: skip
    with drawing_style():
        axes = add_panel(make_sheet(plot.HEIGHT), (plot.LEFT, plot.TOP, 640, 330))
        plot._scales(axes, points, "cost")
        places = plot._spread_out([plot._place(axes, point) for point in points])
        boxes = plot._write_labels(axes, points, places)
    obstacles = len(points) + 1  # points with their bars, and the line of the baseline
    written = boxes[obstacles:]
    assert len(written) >= 10
    for i, box in enumerate(written):
        assert not plot._hits(box, boxes[: obstacles + i])


def test_points_of_one_cost_stand_beside_each_other() -> None:
    moved = plot._spread_out([(100.0, 5.0), (300.0, 7.0), (101.0, 6.0)])
    assert moved[1] == (300.0, 7.0)
    assert moved[2][0] - moved[0][0] == pytest.approx(13)
    assert moved[0][1] == 5.0


def test_a_single_configuration_can_be_drawn(tmp_path) -> None:
    plan, run_all = plan_study(make_study(vary={}, seeds=1)), make_runner(tmp_path)
    run_all.run_all(plan.runs)
    svg, png = draw_scores(collect(plan, run_all, speed=False))
    assert svg.startswith("<svg")
    assert len(png) > 1000


# Optuna's storage


def test_each_run_is_a_trial_once(made) -> None:
    optuna = pytest.importorskip("optuna")
    study, folder, found, _ = made
    stored = optuna.load_study(study_name="small", storage=f"sqlite:///{folder / 'study.db'}")
    states = [trial.state.name for trial in stored.trials]
    assert sorted(states) == ["COMPLETE"] * 4 + ["FAIL"] * 2
    assert stored.best_value == pytest.approx(max(found.rows[0].scores))
    assert stored.best_trial.params["backbone"] == "wide <b>"
    assert stored.best_trial.intermediate_values == {1: 0.5, 2: 0.6}
    failed = next(trial for trial in stored.trials if trial.state.name == "FAIL")
    assert "no ground to learn from" in failed.user_attrs["reason"]
    ablate(study, folder, train=False)
    assert len(stored.get_trials()) == 6


def test_a_study_that_grows_begins_its_trials_anew(tmp_path) -> None:
    optuna = pytest.importorskip("optuna")
    ablate(make_study(seeds=1), tmp_path / "out", jobs=2, trainer=TRAINER)
    vary = {"network_options.backbone": ["mini", "wide", "third"]}
    ablate(make_study(vary=vary, seeds=1), tmp_path / "out", trainer=TRAINER)
    stored = optuna.load_study(
        study_name="small", storage=f"sqlite:///{tmp_path / 'out' / 'study.db'}"
    )
    assert sorted(trial.params["network_options.backbone"] for trial in stored.trials) == [
        "mini", "third", "wide",
    ]  # fmt: skip


def test_without_optuna_the_table_is_made_all_the_same(made, tmp_path, monkeypatch) -> None:
    study, folder, _, _ = made
    monkeypatch.setitem(sys.modules, "optuna", None)
    (folder / "table.csv").unlink()
    said: list[str] = []
    ablate(study, folder, train=False, log=said.append)
    assert (folder / "table.csv").is_file()
    assert [line for line in said if "optuna is not installed: run  pip install" in line]


# The command line


def test_the_command_goes_on_with_its_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(runner, "TRAIN", TRAINER)
    write_study(make_study(seeds=1), tmp_path / "mine.yaml")
    out = tmp_path / "out"
    arguments = [str(tmp_path / "mine.yaml"), "-o", str(out), "--no-speed"]
    result = CliRunner().invoke(verb.command, arguments)
    assert result.exit_code == 0, result.output
    assert "table.html" in result.output
    assert "wide" in result.output
    more = [str(out), "--seeds", "2", "--no-speed", "--json", "--quiet"]
    again = CliRunner().invoke(verb.command, more)
    assert again.exit_code == 0, again.output
    plain = json.loads(again.stdout)
    assert (plain["runs"], plain["done"]) == (4, 4)
    assert plain["configurations"][0]["seeds_done"] == 2


def test_a_study_without_a_score_exits_with_1(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(runner, "TRAIN", TRAINER)
    study = make_study(change={"network_options": {"trouble": "fail"}}, vary={}, seeds=1)
    write_study(study, tmp_path / "bad.yaml")
    result = CliRunner().invoke(
        verb.command, [str(tmp_path / "bad.yaml"), "-o", str(tmp_path / "out")]
    )
    assert result.exit_code == 1
    assert "failed: as it is, seed 0: error: there is no ground" in result.output
    assert "No run has finished yet" in (tmp_path / "out" / "table.md").read_text("utf-8")


def test_dry_run_writes_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--scene", "s.tif", "--labels", "l.tif", "--vary", "loss=dice,lovasz", "--dry-run"]
    result = CliRunner().invoke(verb.command, [*options, "--baseline", "loss=lovasz"])
    assert result.exit_code == 0, result.output
    assert "lovasz, seed 0 (baseline)" in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--report-only"], "which report? give the folder of a study"),
        (["dunes", "--vary", "los=dice"], "there is no setting 'los', did you mean 'loss'?"),
        (["dunes", "-o", ""], "--output must not be empty"),
        (["dunes", "--vary", "loss"], "--vary 'loss' is no  name=value"),
        ([], "scenes are missing"),
    ],
)
def test_wrong_usage_exits_with_2(arguments, message) -> None:
    result = CliRunner().invoke(verb.command, [*arguments, "--dry-run"])
    assert result.exit_code == 2
    assert message in result.output
