"""The report of a study: a page, Markdown, CSV, JSON, and the plot of score against cost."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rs_workbench.ablation.compare import METHOD
from rs_workbench.ablation.made import Made, read_made
from rs_workbench.ablation.plot import draw_scores
from rs_workbench.ablation.records import as_plain, rows_csv, runs_csv
from rs_workbench.ablation.results import Findings
from rs_workbench.ablation.speed import ROUNDS
from rs_workbench.ablation.tables import costs_table, failures_table, runs_table, scores_table
from rs_workbench.accuracy.report.document import (
    Block,
    Document,
    Fact,
    Picture,
    Section,
    Table,
    Text,
    cells,
)
from rs_workbench.accuracy.report.json_file import to_plain
from rs_workbench.accuracy.report.markdown import to_markdown
from rs_workbench.accuracy.report.numbers import percent
from rs_workbench.accuracy.report.page import to_html
from rs_workbench.progress import duration
from rs_workbench.training.history import write_whole
from rs_workbench.training.settings import TrainSettings

FILES = {
    "html": "table.html",
    "markdown": "table.md",
    "csv": "table.csv",
    "runs": "runs.csv",
    "json": "table.json",
    "plot": "score_cost.png",
    "drawing": "score_cost.svg",
}
COST = (
    "Parameters and MACs are counted: MACs are multiplications with addition of convolutions and"
    " products of matrices in model.onnx, for one tile. Inference is timed on the processor with"
    " our own engine (openvino, float32) in a process of its own: the median of"
    f" {ROUNDS} rounds after two to warm up. Training time and memory are what the runs"
    " themselves measured. All times are those of the machine as busy as it was."
)
CHOSEN = (
    "The best of several configurations was partly lucky: its score here is, on average, a little"
    " higher than it would be on other ground. For a figure of how good its map is, assess the map"
    " with a sample of its own."
)


def write_study_report(findings: Findings, folder: Path) -> dict[str, Path]:
    """Write the report of a study; what is there is replaced.

    Parameters
    ----------
    findings : Findings
        What was found.
    folder : Path
        Of the study.

    Returns
    -------
    dict of str to Path
        Kind of each file and its path.

    Raises
    ------
    OutputError
        If the folder cannot be written to.
    """
    svg, png = draw_scores(findings) if findings.done else ("", b"")
    document = build_document(findings, read_made(folder), svg)
    plain = json.dumps(to_plain(as_plain(findings)), indent=2, ensure_ascii=False)
    contents = {
        "html": to_html(document).encode(),
        "markdown": to_markdown(document).encode(),
        "csv": rows_csv(findings),
        "runs": runs_csv(findings),
        "json": f"{plain}\n".encode(),
        "plot": png,
        "drawing": f"{svg.rstrip()}\n".encode() if svg else b"",
    }
    paths = {kind: folder / FILES[kind] for kind, content in contents.items() if content}
    for kind, path in paths.items():
        write_whole(path, contents[kind])
    return paths


def build_document(findings: Findings, made: Made | None, svg: str) -> Document:
    """Put the report together.

    Parameters
    ----------
    findings : Findings
        What was found.
    made : Made, optional
        How the runs were made.
    svg : str
        Plot of score against cost; empty without a score.

    Returns
    -------
    Document
        English.
    """
    plan = findings.plan
    seeds = len({run.seed for run in plan.runs})
    subtitle = (
        f"{len(plan.configurations)} configurations, {seeds} seed{'s' if seeds > 1 else ''} each;"
        f" baseline: {plan.baseline.name}"
    )
    costs: list[Block] = [costs_table(findings)]
    if svg:
        text = "Mean IoU on held-out ground against the cost of each configuration."
        costs.insert(0, Picture("score_cost", svg, text))
    sections = [
        Section("Scores", (scores_table(findings),)),
        Section("Score and cost", tuple(costs)),
    ]
    if findings.failed:
        sections.append(Section("Failures", (failures_table(findings),)))
    sections += [
        Section("Every run", (runs_table(findings),)),
        Section("The same in all runs", (_shared_table(findings),)),
        Section("How it was done", tuple(_method(findings, made))),
    ]
    return Document(
        lang="en",
        title=f"Ablation: {plan.study.name}",
        subtitle=subtitle,
        opening=tuple(_opening(findings)),
        facts=_facts(findings),
        sections=tuple(sections),
        closing=made.versions if made else "",
    )


def _opening(findings: Findings) -> Iterator[Text]:
    for warning in findings.warnings:
        yield Text(warning, "alarm" if warning.startswith("LEAK") else "warning")
    if findings.waiting:
        yield Text(
            f"{findings.waiting} of {len(findings.plan.runs)} runs are not made yet: the same"
            " command goes on.",
            "warning",
        )
    best = findings.rows[0]
    if not best.scores:
        yield Text("No run has finished yet.", "lead")
        return
    spread = f" ± {percent(best.spread)}" if len(best.scores) > 1 else ""
    n = len(best.scores)
    yield Text(
        f"Highest mean IoU: {best.configuration.name}, {percent(best.mean)}{spread} %"
        f" ({n} seed{'s' if n > 1 else ''}).",
        "lead",
    )
    if best.difference is not None:
        yield Text(f"Against the baseline, {findings.plan.baseline.name}: "
                   f"{best.difference.verdict}.")  # fmt: skip
    if n == 1:
        yield Text(
            "With one seed, a difference may be the chance of that seed: take three or more.",
            "note",
        )


def _facts(findings: Findings) -> tuple[Fact, ...]:
    results = [one for row in findings.rows for one in row.results]
    blocks = {len(one.blocks.places) for one in results}
    sides = {one.blocks.side for one in results}
    seconds = sum(float(one.facts.get("seconds") or 0) for one in results)
    failed = f"{len(findings.failed)} failed, {findings.waiting} not made yet"
    facts = [Fact("runs finished", f"{findings.done} of {len(findings.plan.runs)}", failed)]
    if len(blocks) == len(sides) == 1:
        detail = f"blocks of {sides.pop()} px, the same for all runs"
        facts.append(Fact("held-out ground", str(blocks.pop()), detail))
    if results:
        each = duration(statistics.median(float(r.facts.get("seconds") or 0) for r in results))
        facts.append(Fact("time of training", duration(seconds), f"{each} a run (median)"))
    return tuple(facts)


def _shared_table(findings: Findings) -> Table:
    settings = findings.plan.configurations[0].settings
    split = settings.split
    block = f"{split.block} px" if split.block else "chosen by the size of the scenes"
    buffer = f"{split.buffer} px" if split.buffer is not None else "one chip"
    shares = ", ".join(f"{100 * share:g} %" for share in split.shares)
    rows = [
        ("split", f"{split.kind}; training, validation and held out: {shares}; block {block}; "
                  f"buffer {buffer}; seed {split.seed}"),
        ("scenes", ", ".join(Path(one).name for one in settings.scenes)),
        ("budget", f"{settings.epochs} epochs of {settings.chips} chips, batches of "
                   f"{settings.batch}; {_patience(settings)}"),
        ("chips", f"{settings.tile} px"),
    ]  # fmt: skip
    varied = {key for one in findings.plan.axes for choice in one.choices for key in choice.values}
    for key in ("network", "framework", "loss", "optimizer", "learning_rate", "schedule"):
        if key not in varied:
            rows.append((key.replace("_", " "), str(getattr(settings, key))))
    return Table(
        "What was held, so that scores are comparable.",
        cells(["what", "value"]),
        tuple(cells(row) for row in rows),
        words=(1,),
    )


def _patience(settings: TrainSettings) -> str:
    if settings.patience is None:
        return "no early stopping"
    return f"stopped after {settings.patience} epochs without a better score"


def _method(findings: Findings, made: Made | None) -> Iterator[Text]:
    yield Text(METHOD)
    yield Text(COST)
    yield Text(CHOSEN, "note")
    if made is None:
        return
    yield Text(f"Machine: {made.machine}.")
    if made.jobs > 1:
        yield Text(
            f"{made.jobs} runs at a time shared the machine: times of training compare little.",
            "warning",
        )
    yield Text(f"Command: {made.command}")
    told: dict[str, Any] = {}
    for row in findings.rows:
        for one in row.results:
            for warning in one.facts.get("warnings") or ():
                told.setdefault(warning, []).append(one.run.title)
    for warning, runs in told.items():
        where = runs[0] if len(runs) == 1 else f"{len(runs)} runs"
        yield Text(f"{where}: {warning}", "warning")
