"""Vary one thing, hold the rest: ``python -m rs_workbench.ablate dunes --vary loss=dice``."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rs_workbench import options as shared
from rs_workbench.errors import UsageError
from rs_workbench.training.command_line import changes_of, setting_options
from rs_workbench.types import ProgressStyle

if TYPE_CHECKING:
    from rs_workbench.ablation.results import Findings
    from rs_workbench.ablation.runner import Runner, State
    from rs_workbench.ablation.study import Plan, PlannedRun, Study

Log = Callable[[str], None]


def ablate(
    study: Study,
    folder: str | Path,
    *,
    jobs: int = 1,
    trainer: Sequence[str] | None = None,
    train: bool = True,
    speed: bool = True,
    command: str = "",
    log: Log | None = None,
) -> Findings:
    """Train every configuration of a study with every seed, and compare them.

    Parameters
    ----------
    study : Study
        What is shared and what is varied.
    folder : str or Path
        Of the study: runs that are finished in it are not made again.
    jobs : int
        Runs at a time, each in a process of its own.
    trainer : sequence of str, optional
        Program that trains, instead of ``python -m rs_workbench.train``; it is called alike.
    train : bool
        Make the runs that are missing; else only the report is written.
    speed : bool
        Count multiplications and time the networks.
    command : str
        What the user typed, for the report.
    log : callable, optional
        Takes lines for the user while it goes on.

    Returns
    -------
    Findings
        All scores, costs and differences; the report lies in the folder.

    Raises
    ------
    WorkbenchError
        If the study cannot be run as asked. A run that fails is no error: the report says why.

    Examples
    --------
    >>> from rs_workbench.ablation.study_file import Asked, read_study
    >>> study = read_study("dunes", Asked(vary={"loss": ["dice", "lovasz"]}))
    >>> findings = ablate(study, "losses")  # doctest: +SKIP
    """
    from rs_workbench.ablation.made import made_now
    from rs_workbench.ablation.report import write_study_report
    from rs_workbench.ablation.results import collect
    from rs_workbench.ablation.runner import TRAIN, Runner
    from rs_workbench.ablation.study import plan_study
    from rs_workbench.ablation.study_file import SAVED, write_study
    from rs_workbench.ablation.trials import write_trials

    say = log or (lambda line: None)
    plan = plan_study(study)
    runner = Runner(Path(folder), tuple(trainer or TRAIN), jobs=jobs)
    for warning in plan.warnings:
        say(f"warning: {warning}")
    if train:
        _make_folder(runner.folder)
        write_study(study, runner.folder / SAVED)
        made_now(command, jobs).write(runner.folder)
        _train(plan, runner, say)
    findings = collect(plan, runner, speed=speed)
    write_study_report(findings, runner.folder)
    if note := write_trials(plan, findings.rows, runner):
        say(note)
    return findings


def _make_folder(folder: Path) -> None:
    from rs_workbench.ablation.study_file import SAVED
    from rs_workbench.journal import explain_disk_errors

    if folder.is_dir() and any(folder.iterdir()) and not (folder / SAVED).is_file():
        raise UsageError(f"'{folder}' holds other files than a study: choose another --output")
    with explain_disk_errors(folder.parent):
        folder.mkdir(parents=True, exist_ok=True)


def _train(plan: Plan, runner: Runner, say: Log) -> None:
    """Make the runs, and tell how far it is and how long it will take."""
    from rs_workbench.progress import duration

    there = sum(map(runner.is_done, plan.runs))
    if there:
        say(f"{there} of {len(plan.runs)} runs are finished already")
    numbers = {run.id: index for index, run in enumerate(plan.runs, start=1)}
    started: dict[str, float] = {}
    took: list[float] = []

    def on_run(run: PlannedRun, state: State) -> None:
        title = f"[{numbers[run.id]}/{len(plan.runs)}] {run.title}"
        if state == "started":
            started[run.id] = time.monotonic()
            say(f"{title}: started")
            return
        took.append(time.monotonic() - started[run.id])
        left = len(plan.runs) - there - len(took)
        ahead = duration(left * sum(took) / len(took) / runner.jobs)
        outlook = f"; {left} left, about {ahead}" if left else ""
        _tell(plan, runner, say)
        say(f"{title}: {_outcome(run, runner, state)} in {duration(took[-1])}{outlook}")

    runner.run_all(plan.runs, on_run=on_run)


def _tell(plan: Plan, runner: Runner, say: Log) -> None:
    """Let a dashboard show what has ended; that it cannot is no reason to stop."""
    from rs_workbench.ablation.results import read_rows
    from rs_workbench.ablation.trials import write_trials
    from rs_workbench.errors import OutputError

    try:
        write_trials(plan, read_rows(plan, runner), runner)
    except OutputError as error:
        say(f"warning: {error}")


def _outcome(run: PlannedRun, runner: Runner, state: State) -> str:
    if state == "failed":
        reason = runner.failures()[run.id].reason.splitlines()
        return f"failed ({reason[-1]})"
    from rs_workbench.accuracy import mean_iou
    from rs_workbench.accuracy.report.numbers import percent
    from rs_workbench.training.held_out_blocks import read_blocks

    score = mean_iou(read_blocks(runner.run_folder(run)).confusion.sum(axis=0))
    return f"mean IoU {percent(score)} %"


@click.command(name="ablate")
@click.argument("target", metavar="[STUDY]", required=False)
@click.option("-o", "--output", metavar="FOLDER", help="of the study [ablation_<name>]")
@click.option(
    "--vary", multiple=True, metavar="FIELD=A,B", help="any setting: network_options.width=16,32"
)
@click.option("--seeds", type=click.IntRange(min=1), help="trainings of each configuration")
@click.option("--baseline", metavar="FIELD=A", help="what others are compared with [the first]")
@click.option("--skip", multiple=True, metavar="FIELD=A,FIELD=B", help="leave a combination out")
@click.option("--quick", is_flag=True, help="short runs of small networks")
@click.option("--jobs", type=click.IntRange(min=1), default=1, help="runs at a time [1]")
@click.option("--dry-run", is_flag=True, help="list the runs, make none")
@click.option("--report-only", is_flag=True, help="write the report of what is there")
@click.option("--no-speed", is_flag=True, help="do not count or time the networks")
@click.option("--allow-leaks", is_flag=True, help="let the split be random, to show what it does")
@click.option("--allow-unequal", is_flag=True, help="let split or budget vary")
@setting_options
@shared.as_json
@shared.progress
@shared.quiet
@click.pass_context
@shared.explain_errors
def command(
    context: click.Context,
    target: str | None,
    output: str | None,
    dry_run: bool,
    report_only: bool,
    as_json: bool,
    progress: ProgressStyle,
    quiet: bool,
    jobs: int,
    no_speed: bool,
    **chosen: Any,
) -> None:
    """Train every combination of what is varied, with several seeds, and compare them.

    STUDY is a file or name of a study, a file or recipe of settings, or the folder of a study,
    with which it goes on. Runs that are finished are not made again.
    """
    from rs_workbench.ablation.study_file import read_study

    if target is None and report_only:
        raise UsageError(
            "which report? give the folder of a study:  rsw ablate FOLDER --report-only"
        )
    study = read_study(target, _asked(context, chosen))
    folder = _folder(target, output, study)
    if dry_run:
        _print_plan(study, folder)
        return
    silent = quiet or progress == "none"
    findings = ablate(
        study,
        folder,
        jobs=jobs,
        train=not report_only,
        speed=not no_speed,
        command=_typed(),
        log=None if silent else lambda line: click.echo(line, err=True),
    )
    if as_json:
        from rs_workbench.ablation.records import as_plain
        from rs_workbench.accuracy.report.json_file import to_plain

        click.echo(json.dumps(to_plain(as_plain(findings)), indent=2, ensure_ascii=False))
    elif not quiet:
        _print_findings(findings, folder)
    if not findings.done:
        sys.exit(1)


def _typed() -> str:
    """Give the command as it was typed, whether as ``rsw ablate`` or ``python -m``."""
    words = sys.argv[1:]
    return shlex.join(["rsw", "ablate", *(words[1:] if words[:1] == ["ablate"] else words)])


def _asked(context: click.Context, chosen: dict[str, Any]) -> Any:
    from rs_workbench.ablation.study_file import Asked, parse_choices, parse_vary

    fields: dict[str, Any] = {key: True for key in ("allow_leaks", "allow_unequal") if chosen[key]}
    if chosen["seeds"]:
        fields["seeds"] = chosen["seeds"]
    if chosen["baseline"]:
        fields["baseline"] = parse_choices("--baseline", chosen["baseline"])
    if chosen["skip"]:
        fields["skip"] = [parse_choices("--skip", text) for text in chosen["skip"]]
    return Asked(changes_of(context), chosen["quick"], parse_vary(chosen["vary"]), fields)


def _folder(target: str | None, output: str | None, study: Study) -> Path:
    if output == "":
        raise UsageError("--output must not be empty: name a folder")
    if output:
        return Path(output)
    return Path(target) if target and Path(target).is_dir() else Path(f"ablation_{study.name}")


def _print_plan(study: Study, folder: Path) -> None:
    from rs_workbench.ablation.runner import Runner
    from rs_workbench.ablation.study import plan_study

    plan, runner = plan_study(study), Runner(folder)
    for warning in plan.warnings:
        click.echo(f"warning: {warning}", err=True)
    for run in plan.runs:
        mark = " (baseline)" if run.configuration is plan.baseline else ""
        done = " finished" if runner.is_done(run) else ""
        click.echo(f"{run.id}  {run.title}{mark}{done}")
    click.echo(f"{len(plan.runs)} runs, in {folder}", err=True)


def _print_findings(findings: Findings, folder: Path) -> None:
    from rs_workbench.ablation.report import FILES
    from rs_workbench.ablation.tables import scores_table

    table = scores_table(findings)
    lines = [[cell.text for cell in row] for row in (table.head, *table.rows)]
    for line, row in zip(lines[1:], table.rows, strict=True):
        line[1] += f" ({row[1].below.partition(':')[0]})"
    wide = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        click.echo("  ".join(f"{text:<{wide[i]}}" for i, text in enumerate(line)).rstrip())
    for run, reason in findings.failed:
        click.echo(f"failed: {run.title}: {reason.splitlines()[-1]}", err=True)
    click.echo(f"{folder / FILES['html']}")


if __name__ == "__main__":
    command()
