"""Tables of a study: configurations, runs and failures, for people and for machines."""

from __future__ import annotations

import math
from typing import Any

from rs_workbench.ablation.compare import Difference
from rs_workbench.ablation.results import Findings, Row
from rs_workbench.accuracy.report.document import Cell, Table, cells
from rs_workbench.accuracy.report.numbers import count, p_value, percent, span

SCORES = (
    ("configuration", ""),
    ("mean IoU, %", "± sd over seeds"),
    ("difference", "to the baseline"),
    ("95 % interval", "over ground"),
    ("sd", "over seeds"),
    ("p", "by Holm"),
    ("verdict", ""),
)
COSTS = (
    ("configuration", ""),
    ("mean IoU, %", ""),
    ("parameters", "trained"),
    ("MACs, 10⁹", "of a tile"),
    ("training", "s an epoch"),
    ("inference", "10⁶ px/s"),
    ("memory", "MiB, training"),
)


def scores_table(findings: Findings) -> Table:
    """Make the table of configurations.

    Parameters
    ----------
    findings : Findings
        What was found.

    Returns
    -------
    Table
        The best first.
    """
    baseline = findings.plan.baseline
    rows = tuple(
        (
            Cell(row.configuration.name, "baseline" if row.configuration is baseline else ""),
            _score(row),
            *_compared(row.difference),
        )
        for row in findings.rows
    )
    n = len([row for row in findings.rows if row.difference])
    notes = [
        f"p values are corrected for {n} comparisons by Holm." if n > 1 else "",
        *(
            f"{row.configuration.name}: {row.difference.note}"
            for row in findings.rows
            if row.difference and row.difference.note
        ),
    ]
    return Table(
        "Configurations, the best first. Scores are of held-out ground, differences in points.",
        tuple(Cell(*one) for one in SCORES),
        rows,
        footnotes=tuple(filter(None, notes)),
        words=(6,),
    )


def costs_table(findings: Findings) -> Table:
    """Make the table of what configurations cost.

    Parameters
    ----------
    findings : Findings
        What was found.

    Returns
    -------
    Table
        In the order of their scores.
    """
    rows = tuple(
        (
            Cell(row.configuration.name),
            Cell(percent(row.mean)),
            Cell(_whole(row.average("parameters")), _whole(row.average("trainable"))),
            Cell(f"{row.cost.macs / 1e9:.3g}" if row.cost and row.cost.macs else "–"),
            Cell(_number(row.average("seconds_per_epoch"))),
            Cell(_speed(row)),
            _memory(row),
        )
        for row in findings.rows
    )
    tiles = sorted({row.cost.tile for row in findings.rows if row.cost})
    sizes = " and ".join(f"{tile} x {tile} px" for tile in tiles)
    caption = "Cost of each configuration, means over seeds."
    return Table(
        f"{caption} Tiles are {sizes}." if tiles else caption,
        tuple(Cell(*one) for one in COSTS),
        rows,
    )


def runs_table(findings: Findings) -> Table:
    """Make the table of all finished runs, so that no seed is hidden.

    Parameters
    ----------
    findings : Findings
        What was found.

    Returns
    -------
    Table
        Configurations in the order of their scores.
    """
    rows = [
        cells(
            [
                row.configuration.name,
                str(one.run.seed),
                percent(one.score),
                percent(_float(one.facts["held_out"].get("overall_accuracy"))),
                percent(_float(one.facts.get("validation_mean_iou"))),
                f"{one.facts.get('best_epoch', '–')} of {one.facts.get('epochs', '–')}",
                _number(_float(one.facts.get("seconds"))),
                one.run.id,
            ]
        )
        for row in findings.rows
        for one in row.results
    ]
    head = (
        "configuration", "seed", "mean IoU, %", "overall accuracy, %", "validation mean IoU, %",
        "kept epoch", "training, s", "folder in runs",
    )  # fmt: skip
    return Table("Every finished run.", cells(head), tuple(rows), words=(7,))


def failures_table(findings: Findings) -> Table:
    """Make the table of failed runs.

    Parameters
    ----------
    findings : Findings
        What was found.

    Returns
    -------
    Table
        Run and reason.
    """
    rows = [
        cells([run.title, reason.replace("\n", " | "), run.id]) for run, reason in findings.failed
    ]
    head = cells(["run", "last words", "log in logs"])
    return Table(
        "Runs that failed; the same command tries again.", head, tuple(rows), words=(1, 2)
    )


def _score(row: Row) -> Cell:
    if not row.scores:
        return Cell("–", "no run finished" if row.failed else "not run yet")
    text = percent(row.mean)
    if len(row.scores) > 1:
        text += f" ± {percent(row.spread)}"
    missing = f", {len(row.failed)} failed" if row.failed else ""
    missing += f", {len(row.waiting)} not run yet" if row.waiting else ""
    each = " ".join(percent(one) for one in row.scores) if len(row.scores) > 1 else ""
    seeds = f"{len(row.scores)} seed{'s' if len(row.scores) > 1 else ''}"
    return Cell(text, f"{seeds}{': ' if each else ''}{each}{missing}")


def _compared(found: Difference | None) -> tuple[Cell, ...]:
    if found is None:
        return cells(["–", "–", "–", "–", ""])
    p = found.adjusted_p_value
    texts = ["–" if math.isnan(found.value) else _signed(found.value),
             span(found.low, found.high), percent(found.spread),
             "–" if math.isnan(p) else p_value(p).removeprefix("p = ").removeprefix("p "),
             found.verdict]  # fmt: skip
    return cells(texts)


def _signed(value: float) -> str:
    shown = f"{100 * value:+.1f}".replace("-", "−")
    return "0.0" if float(shown.replace("−", "-")) == 0 else shown


def _speed(row: Row) -> str:
    speed = row.cost.speed if row.cost else None
    return f"{speed.pixels_per_second / 1e6:.2f}" if speed else "–"


def _memory(row: Row) -> Cell:
    gpu = row.average("peak_gpu_mib")
    return Cell(
        _whole(row.average("peak_rss_mib")), "" if math.isnan(gpu) else f"{_whole(gpu)} GPU"
    )


def _whole(value: float) -> str:
    return "–" if math.isnan(value) else count(round(value))


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1f}"


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)
