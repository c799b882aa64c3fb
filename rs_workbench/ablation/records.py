"""What a study found, for machines: CSV and plain values in full precision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rs_workbench.ablation.results import Findings, Row
from rs_workbench.accuracy.report.csv_tables import to_csv

NUMBERS = ("seconds_per_epoch", "chips_per_second", "peak_rss_mib", "peak_gpu_mib")


def rows_csv(findings: Findings) -> bytes:
    """Write the configurations as CSV, in full precision.

    Parameters
    ----------
    findings : Findings
        What was found.

    Returns
    -------
    bytes
        A column for each axis, then numbers: scores are shares, not percent.
    """
    axes = [axis.name for axis in findings.plan.axes]
    records = [_record(findings, row) for row in findings.rows]
    head = ["configuration", *axes, *(key for key in records[0] if key not in axes)]
    rows = [
        [row.configuration.name, *row.configuration.choices.values(), *record.values()]
        for row, record in zip(findings.rows, records, strict=True)
    ]
    return to_csv(head, rows)


def runs_csv(findings: Findings) -> bytes:
    """Write the runs as CSV, in full precision, failed ones included.

    Parameters
    ----------
    findings : Findings
        What was found.

    Returns
    -------
    bytes
        One row for each planned run.
    """
    facts = ("validation_mean_iou", "best_epoch", "epochs", "seconds", *NUMBERS, "device")
    head = ["run", "configuration", "seed", "state", "mean_iou", "overall_accuracy", *facts]
    rows: list[list[Any]] = []
    for row in findings.rows:
        name = row.configuration.name
        for one in row.results:
            accuracy = one.facts["held_out"].get("overall_accuracy")
            start = [one.run.id, name, one.run.seed, "done", one.score, _plain(accuracy)]
            rows.append([*start, *(_plain(one.facts.get(key)) for key in facts)])
        others = [(run, "failed") for run, _ in row.failed] + [(r, "waiting") for r in row.waiting]
        rows += [
            [run.id, name, run.seed, state, *[""] * (2 + len(facts))] for run, state in others
        ]
    return to_csv([*head, "reason"], [[*one, _reason(findings, one[0])] for one in rows])


def as_plain(findings: Findings) -> dict[str, Any]:
    """Give the findings as plain values.

    Parameters
    ----------
    findings : Findings
        What was found.

    Returns
    -------
    dict
        Counts, warnings and a record for each configuration; NaN where undefined.
    """
    return {
        "name": findings.plan.study.name,
        "baseline": findings.plan.baseline.name,
        "runs": len(findings.plan.runs),
        "done": findings.done,
        "failed": {run.id: reason for run, reason in findings.failed},
        "waiting": findings.waiting,
        "warnings": list(findings.warnings),
        "configurations": [
            {
                "name": row.configuration.name,
                "choices": row.configuration.choices,
                "scores": {one.run.seed: one.score for one in row.results},
                **_record(findings, row),
            }
            for row in findings.rows
        ],
    }


def _record(findings: Findings, row: Row) -> dict[str, Any]:
    nan, change, cost = math.nan, row.difference, row.cost
    speed = cost.speed if cost else None
    return {
        "baseline": row.configuration is findings.plan.baseline,
        "seeds_done": len(row.results),
        "seeds_failed": len(row.failed),
        "mean_iou": row.mean,
        "mean_iou_sd": row.spread,
        "difference": change.value if change else nan,
        "difference_low": change.low if change else nan,
        "difference_high": change.high if change else nan,
        "difference_sd_over_seeds": change.spread if change else nan,
        "p_value": change.p_value if change else nan,
        "p_value_holm": change.adjusted_p_value if change else nan,
        "blocks": change.n_blocks if change else "",
        "verdict": change.verdict if change else "",
        "parameters": row.average("parameters"),
        "trainable": row.average("trainable"),
        "macs": cost.macs if cost and cost.macs else nan,
        "pixels_per_second": speed.pixels_per_second if speed else nan,
        "inference_peak_rss_mib": speed.peak_rss_mib if speed else nan,
        **{key: row.average(key) for key in NUMBERS},
    }


def _plain(value: Any) -> Any:
    return "" if value is None else value


def _reason(findings: Findings, run_id: str) -> str:
    found: Sequence[str] = [reason for run, reason in findings.failed if run.id == run_id]
    return found[0].replace("\n", " | ") if found else ""
