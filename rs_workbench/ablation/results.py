"""What the runs of a study brought, by configuration."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rs_workbench.ablation.compare import Difference, adjust, difference
from rs_workbench.ablation.measure import Cost, measure
from rs_workbench.ablation.runner import RESULT, Runner
from rs_workbench.ablation.study import Configuration, Plan, PlannedRun
from rs_workbench.accuracy import mean_iou
from rs_workbench.errors import UsageError
from rs_workbench.training.held_out_blocks import HeldOutBlocks, read_blocks

OnMeasure = Callable[[int, int], None]


@dataclass(frozen=True)
class RunResult:
    """One finished run: ``result.json`` as it is, and its held-out blocks."""

    run: PlannedRun
    facts: dict[str, Any]
    blocks: HeldOutBlocks

    @property
    def score(self) -> float:
        """Mean IoU on held-out ground."""
        return mean_iou(self.blocks.confusion.sum(axis=0))


@dataclass(frozen=True)
class Row:
    """One configuration: its finished runs, what failed, what it costs, how it compares.

    Attributes
    ----------
    configuration : Configuration
        Which.
    results : tuple of RunResult
        By seed.
    failed : tuple of (PlannedRun, str)
        Runs without a result, and why.
    waiting : tuple of PlannedRun
        Runs that were not made yet.
    cost : Cost or None
        Of the network of the first seed; None without a result.
    difference : Difference or None
        To the baseline; None for the baseline itself, and without a result.
    """

    configuration: Configuration
    results: tuple[RunResult, ...]
    failed: tuple[tuple[PlannedRun, str], ...]
    waiting: tuple[PlannedRun, ...]
    cost: Cost | None = None
    difference: Difference | None = None

    @property
    def scores(self) -> tuple[float, ...]:
        """Mean IoU on held-out ground of each seed."""
        return tuple(one.score for one in self.results)

    @property
    def mean(self) -> float:
        """Mean score over seeds; NaN without a result."""
        return statistics.fmean(self.scores) if self.scores else math.nan

    @property
    def spread(self) -> float:
        """Standard deviation of the scores over seeds; NaN for fewer than two."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else math.nan

    def average(self, key: str) -> float:
        """Average a number of ``result.json`` over seeds.

        Parameters
        ----------
        key : str
            Such as "seconds_per_epoch".

        Returns
        -------
        float
            NaN where no run has it.
        """
        found = [float(one.facts[key]) for one in self.results if one.facts.get(key) is not None]
        return statistics.fmean(found) if found else math.nan


@dataclass(frozen=True)
class Findings:
    """All that a study found.

    Attributes
    ----------
    plan : Plan
        What was to be run.
    rows : tuple of Row
        The best first; those without a score last.
    warnings : tuple of str
        What the reader must know.
    """

    plan: Plan
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]

    @property
    def done(self) -> int:
        """Finished runs."""
        return sum(len(row.results) for row in self.rows)

    @property
    def failed(self) -> tuple[tuple[PlannedRun, str], ...]:
        """Runs that failed, and why."""
        return tuple(one for row in self.rows for one in row.failed)

    @property
    def waiting(self) -> int:
        """Runs that were not made yet."""
        return sum(len(row.waiting) for row in self.rows)


def collect(
    plan: Plan, runner: Runner, *, speed: bool = True, on_measure: OnMeasure | None = None
) -> Findings:
    """Read the results of all runs, measure the networks, and compare them with the baseline.

    Parameters
    ----------
    plan : Plan
        The runs.
    runner : Runner
        Where they are.
    speed : bool
        Measure what networks cost.
    on_measure : callable, optional
        Called with (networks measured, networks).

    Returns
    -------
    Findings
        Whatever is there; a run without a readable result counts as failed.
    """
    rows = read_rows(plan, runner)
    if speed:
        for index, row in enumerate(rows):
            if row.results:
                rows[index] = replace(row, cost=_cost(row.results[0], runner))
            if on_measure:
                on_measure(index + 1, len(rows))
    rows = _compared(rows, plan.baseline)
    rows.sort(key=lambda row: (math.isnan(row.mean), -row.mean))
    return Findings(plan, tuple(rows), (*plan.warnings, *_warnings(rows)))


def read_rows(plan: Plan, runner: Runner) -> list[Row]:
    """Read the results of all runs, without measuring or comparing anything.

    Parameters
    ----------
    plan : Plan
        The runs.
    runner : Runner
        Where they are.

    Returns
    -------
    list of Row
        In the order of the configurations.
    """
    return [_row(one, plan.runs, runner) for one in plan.configurations]


def _row(configuration: Configuration, runs: Iterable[PlannedRun], runner: Runner) -> Row:
    failures = runner.failures()
    results, failed, waiting = [], [], []
    for run in (run for run in runs if run.configuration is configuration):
        if runner.is_done(run):
            try:
                results.append(_read(run, runner.run_folder(run)))
            except UsageError as error:
                failed.append((run, str(error)))
        elif run.id in failures:
            failed.append((run, failures[run.id].reason))
        else:
            waiting.append(run)
    return Row(configuration, tuple(results), tuple(failed), tuple(waiting))


def _read(run: PlannedRun, folder: Path) -> RunResult:
    try:
        facts = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(
            f"'{folder / RESULT}' is damaged ({error}): delete that folder, and the same command"
            " makes the run again"
        ) from error
    return RunResult(run, facts, read_blocks(folder))


def _cost(result: RunResult, runner: Runner) -> Cost:
    name = result.facts.get("onnx") or "model.onnx"
    model = runner.run_folder(result.run) / name
    return measure(model, result.run.settings.tile, runner.folder / "measures")


def _compared(rows: list[Row], baseline: Configuration) -> list[Row]:
    blocks = [{one.run.seed: one.blocks for one in row.results} for row in rows]
    places = [row.configuration is baseline for row in rows]
    base = blocks[places.index(True)]
    others = [i for i, row in enumerate(rows) if not places[i] and row.results]
    found = adjust([difference(blocks[i], base) for i in others])
    by_place = dict(zip(others, found, strict=True))
    return [replace(row, difference=by_place.get(i)) for i, row in enumerate(rows)]


def _warnings(rows: list[Row]) -> list[str]:
    results = [one for row in rows for one in row.results]
    warnings = []
    for key, what in (("device", "devices"), ("epochs", "numbers of epochs (early stopping)")):
        found = sorted({str(one.facts.get(key)) for one in results})
        if len(found) > 1:
            warnings.append(f"Runs have different {what}: {', '.join(found)}")
    hashes = {one.facts.get("chips_hash") for one in results if one.run.seed == _first(results)}
    if len(hashes) > 1:
        warnings.append(
            "Runs with the same seed did not see the same chips: their bands, sampling or"
            " augmentation differ, or their split"
        )
    if leaking := sum(bool(one.facts.get("leaks")) for one in results):
        warnings.append(
            f"LEAK: {leaking} of {len(results)} runs learnt from chips that overlap or lie near"
            " held-out ground; their scores are too high"
        )
    uncounted = sorted({name for row in rows if row.cost for name in row.cost.uncounted})
    if uncounted:
        warnings.append(f"MACs are too low: {', '.join(uncounted)} were not counted")
    notes = dict.fromkeys(note for row in rows if row.cost for note in row.cost.notes)
    return [*warnings, *notes]


def _first(results: list[RunResult]) -> int:
    return min((one.run.seed for one in results), default=0)
