"""`rsw samples`: list, fetch and check sample data, or draw stand-ins for them."""

from __future__ import annotations

from pathlib import Path

import click

from rs_workbench.errors import UsageError
from rs_workbench.options import explain_errors
from rs_workbench.sample_check import damaged_files
from rs_workbench.sample_registry import SampleError, load_sample_set, sample_names
from rs_workbench.samples import SampleStatus, describe, fetch, find, list_samples

NAMES = click.argument("names", nargs=-1, metavar="NAME...")


def write_table(statuses: list[SampleStatus]) -> str:
    """Write the list of sets for people.

    Parameters
    ----------
    statuses : list of SampleStatus
        The sets.

    Returns
    -------
    str
        A line for each: name, size, where it is, licence.
    """
    rows = [("name", "MB", "where", "licence")]
    rows += [
        (s.sample.name, f"{s.sample.size / 1e6:.1f}", s.place or "-", s.sample.licence)
        for s in statuses
    ]
    wide = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join(
        f"{name:<{wide[0]}}  {size:>{wide[1]}}  {place:<{wide[2]}}  {licence}"
        for name, size, place, licence in rows
    )


@click.group(invoke_without_command=True)
@click.option("--licence", is_flag=True, help="Say of each set whose it is, and on what terms.")
@click.pass_context
def command(context: click.Context, licence: bool) -> None:
    """List the sample data: name, size, where they are on this machine, licence."""
    if context.invoked_subcommand is not None:
        return
    statuses = list_samples()
    if licence:
        click.echo("\n\n".join(describe(status.sample) for status in statuses))
        return
    click.echo(write_table(statuses))


@command.command("fetch")
@NAMES
@click.option("--licence", is_flag=True, help="Only say whose they are, and on what terms.")
@click.option("--quiet", is_flag=True, help="Print nothing but the folders.")
@explain_errors
def fetch_command(names: tuple[str, ...], licence: bool, quiet: bool) -> None:
    """Download sample data that are not on this machine yet; print their folders."""
    for name in _known(names):
        click.echo(describe(load_sample_set(name)) if licence else str(fetch(name, quiet=quiet)))


@command.command("check")
@NAMES
@explain_errors
def check_command(names: tuple[str, ...]) -> None:
    """Compare every file with its checksum."""
    wrong = [problem for name in _known(names) if (problem := _check(name))]
    if wrong:
        raise SampleError("; ".join(wrong))


def _check(name: str) -> str:
    status = find(name)
    if status.folder is None:
        return f"{name} is not on this machine: run  rsw samples fetch {name}"
    damaged = damaged_files(status.sample, status.folder)
    if not damaged:
        click.echo(f"{name}: {len(status.sample.files)} files as they should be ({status.place})")
        return ""
    return (
        f"{len(damaged)} of {len(status.sample.files)} files of {name} are not as they should be, "
        f"'{damaged[0].path}' the first: remove them from '{status.folder}' and fetch {name} again"
    )


@command.command("draw")
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--count", type=click.IntRange(1), help="How many pictures, tiles or digits.")
@click.option("--seed", default=0, show_default=True, help="Another seed, other data.")
@explain_errors
def draw_command(name: str, folder: Path, count: int | None, seed: int) -> None:
    """Draw a stand-in for the set NAME into FOLDER, in files laid out like the real ones."""
    from rs_workbench.standin_files import write_stand_in

    click.echo(str(write_stand_in(name, folder, count=count, seed=seed)))


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise UsageError(f"which sample data? name one or more of {', '.join(sample_names())}")
    for name in names:
        load_sample_set(name)
    return names


if __name__ == "__main__":
    command()
