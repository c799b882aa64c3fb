"""Write the chips of a training run: ``python -m rs_workbench.chips dunes -o dune_chips``."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import click

from rs_workbench import options as shared
from rs_workbench.errors import UsageError
from rs_workbench.training.command_line import changes_of, setting_options, settings_from
from rs_workbench.types import ProgressStyle

if TYPE_CHECKING:
    from rs_workbench.progress import OnProgress
    from rs_workbench.training.settings import TrainSettings
    from tiling.split import Part

PartName = Literal["training", "validation", "held_out"]


def cut_chips(
    settings: TrainSettings,
    folder: str | Path,
    *,
    parts: tuple[Part, ...] = get_args(PartName),
    epoch: int = 0,
    on_progress: OnProgress | None = None,
    log: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Write the chips that a training run would learn from and be scored on.

    Parameters
    ----------
    settings : TrainSettings
        What is learnt from, and how it is split.
    folder : str or Path
        New folder; appears when it is complete.
    parts : tuple of str
        Which parts.
    epoch : int
        Of the training chips, from 0.
    on_progress : callable, optional
        Called with (chips done, chips).
    log : callable, optional
        Takes lines for the user while the scenes are opened.

    Returns
    -------
    dict
        Folder, chips by part, split and warnings.

    Raises
    ------
    WorkbenchError
        Whatever is wrong, in one sentence.
    """
    from rs_workbench.training.chip_files import check_folder_free, write_chips
    from rs_workbench.training.opening import open_aloud

    folder = Path(folder)
    check_folder_free(folder)
    data = open_aloud(settings, log or (lambda line: None))
    chips = write_chips(data, folder, parts=parts, epoch=epoch, on_progress=on_progress)
    return {
        "folder": str(folder),
        "chips": chips,
        "split": data.split_text,
        "leaks": data.leaks,
        "warnings": list(data.warnings),
    }


@click.command(name="chips")
@click.argument("settings", required=False, metavar="[SETTINGS]")
@setting_options
@click.option("-o", "--output", required=True, metavar="FOLDER", help="new folder for the chips")
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(get_args(PartName)),
    help="repeatable [all three]",
)
@click.option(
    "--epoch",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="whose training chips",
)
@shared.as_json
@shared.progress
@shared.quiet
@click.pass_context
@shared.explain_errors
def command(
    context: click.Context,
    settings: str | None,
    output: str,
    parts: tuple[Part, ...],
    epoch: int,
    as_json: bool,
    progress: ProgressStyle,
    quiet: bool,
    **typed: Any,
) -> None:
    """Write the chips that rsw train would learn from, as GeoTIFF, for a look or for other tools.

    SETTINGS and options are those of rsw train. Images hold pixels as the scenes store them,
    labels the values of the classes, 255 where nothing is known. manifest.csv says where each chip
    is from; manifest.json holds settings, classes, statistics of the bands, and the split.
    """
    from rs_workbench.progress import show_progress

    chosen = _settings(context, settings)
    style = "none" if quiet or as_json else progress
    with show_progress(style, parts="chips") as on_folder:
        done = cut_chips(
            chosen,
            output,
            parts=parts or get_args(PartName),
            epoch=epoch,
            on_progress=on_folder(output, 1, 1),
            log=None if style == "none" else partial(click.echo, err=True),
        )
    if as_json:
        click.echo(json.dumps(done, indent=2, ensure_ascii=False))
        return
    if not quiet:
        for warning in done["warnings"]:
            click.echo(f"warning: {warning}", err=True)
        told = ", ".join(f"{n} {part.replace('_', '-')}" for part, n in done["chips"].items())
        click.echo(f"{output}: {told} chips; {done['split']}")


def _settings(context: click.Context, file: str | None) -> TrainSettings:
    changes = changes_of(context)
    if file is None and not {"scenes", "labels"} & set(changes):
        raise UsageError(
            "there is nothing to cut chips from: give a file of settings, a recipe such as dunes, "
            "or --scene and --labels"
        )
    return settings_from(file, changes)


if __name__ == "__main__":
    command()
