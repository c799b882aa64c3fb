"""What the command line says after a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rs_workbench.infer import Outcome
    from rs_workbench.outputs import Report


def say(line: str) -> None:
    """Print one line on stderr, where progress also goes.

    Parameters
    ----------
    line : str
        A sentence.
    """
    click.echo(line, err=True)


def print_json(outcomes: Sequence[Outcome]) -> None:
    """Print the report, or a list of reports and errors, on stdout.

    Parameters
    ----------
    outcomes : sequence of Outcome
        One a scene; a single one is printed without the list.
    """
    values: list[dict[str, Any]] = [
        o.report.as_dict() if o.report else {"scene": o.scene, "error": str(o.error)}
        for o in outcomes
    ]
    click.echo(json.dumps(values[0] if len(values) == 1 else values, indent=2, ensure_ascii=False))


def print_errors(outcomes: Sequence[Outcome]) -> None:
    """Print one line on stderr for each scene that failed.

    Parameters
    ----------
    outcomes : sequence of Outcome
        One a scene.
    """
    for outcome in outcomes:
        if outcome.error is not None:
            prefix = f"{outcome.scene}: " if len(outcomes) > 1 else ""
            click.echo(f"error: {prefix}{outcome.error}", err=True)


def print_outcomes(outcomes: Sequence[Outcome], *, dry_run: bool, verbose: bool) -> None:
    """Print what became of the scenes.

    Parameters
    ----------
    outcomes : sequence of Outcome
        One a scene.
    dry_run : bool
        Show the plan in place of results.
    verbose : bool
        Also say what was chosen and why.
    """
    for outcome in outcomes:
        if outcome.report is not None:
            (_print_plan if dry_run else _print_report)(outcome.report, verbose=verbose)
    if len(outcomes) > 1:
        done = sum(outcome.report is not None for outcome in outcomes)
        click.echo(f"{done} of {len(outcomes)} scenes {'planned' if dry_run else 'mapped'}")


def _print_plan(report: Report, *, verbose: bool) -> None:
    click.echo(f"{report.scene} -> {report.output}")
    click.echo(f"  model    {report.model}, {report.engine} on {report.device}")
    click.echo(f"  bands    {', '.join(report.bands)}")
    click.echo(
        f"  tiles    {report.tiles} of {report.tile} px, overlap {report.overlap} px, batch "
        f"{report.batch}, {report.panels} panel{'s' if report.panels > 1 else ''} of columns"
    )
    click.echo(f"  exact    {_exact(report)}")
    click.echo(
        f"  memory   {report.model_rss_mib:.0f} MiB model and libraries, about "
        f"{report.planned_mib:.0f} MiB for the run; {report.scratch_gb:.2f} GB on disk meanwhile"
    )
    _print_remarks(report, verbose=verbose)


def _exact(report: Report) -> str:
    if report.exact:
        return "yes, equal to one pass over the whole scene"
    return f"no ({report.blend}, margin {report.margin} px, reach {report.reach or 'unbounded'})"


def _print_report(report: Report, *, verbose: bool) -> None:
    click.echo(
        f"{report.scene} -> {report.output}  ({report.seconds:.1f} s, {report.engine} on "
        f"{report.device}, peak {report.peak_rss_mib:.0f} MiB"
        f"{', resumed' if report.resumed else ''})"
    )
    total = sum(c["pixels"] for c in report.classes)
    for c in report.classes:
        area = "" if c["area_ha"] is None else f"{c['area_ha']:14,.2f} ha"
        click.echo(f"  {c['value']:3d} {c['name']:<24}{c['pixels'] / max(total, 1):7.1%}{area}")
    if report.nodata_pixels:
        click.echo(f"      nodata {report.nodata_pixels} pixels")
    for kind, path in report.files.items():
        click.echo(f"  {kind:<10} {path}")
    _print_remarks(report, verbose=verbose)


def _print_remarks(report: Report, *, verbose: bool) -> None:
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    for note in report.notes if verbose else ():
        click.echo(f"note: {note}", err=True)
