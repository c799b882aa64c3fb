"""Draw a sample to label from a class map: ``rsw assess design MAP -o sample.gpkg``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import click

from rs_workbench import options as shared
from rs_workbench.errors import UsageError
from rs_workbench.types import ProgressStyle

if TYPE_CHECKING:
    from rs_workbench.accuracy.design.summary import SampleReport

Kind = Literal["stratified", "simple_random", "systematic"]
Allocation = Literal["proportional", "equal", "minimum", "neyman", "power"]
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class DesignOptions:
    """How a sample is drawn; texts are as on the command line.

    `target_se` is a share; `target_area_se` is such as ``water:0.005`` or ``water:250ha``;
    `buffer` holds texts such as ``water:3``, in px.
    """

    n: int | None = None
    target_se: float | None = None
    target_area_se: str | None = None
    kind: Kind = "stratified"
    allocation: Allocation = "minimum"
    minimum: int | None = None
    power: float = 0.5
    expected_accuracy: str | None = None
    buffer: tuple[str, ...] = ()
    classes: str | None = None
    nodata: tuple[float, ...] = ()
    seed: int = 0
    show_map_class: bool = False
    overwrite: bool = False
    dry_run: bool = False
    lang: Literal["en", "zh"] = "en"


def design_sample(
    map_path: str | Path,
    output: str | Path | None = None,
    *,
    options: DesignOptions | None = None,
    on_progress: OnProgress | None = None,
) -> SampleReport:
    """Plan a sample of a class map, draw it and write it ready to label.

    Parameters
    ----------
    map_path : str or Path
        Class map of any size.
    output : str or Path, optional
        GeoPackage or folder; default is ``<map name>_sample.gpkg`` in the current folder.
    options : DesignOptions, optional
        Everything else.
    on_progress : callable, optional
        Called with (strips done, strips to do).

    Returns
    -------
    SampleReport
        What was planned, and the files written.

    Raises
    ------
    WorkbenchError
        Whatever is wrong, in one sentence.

    Examples
    --------
    >>> report = design_sample("map.tif", "sample.gpkg")  # doctest: +SKIP
    """
    from rs_workbench.accuracy.design.run import draw_and_write, prepare, report_plan
    from rs_workbench.accuracy.design.sample_file import check_output

    options = options or DesignOptions()
    _check_options(options)
    out = _place(map_path, output)
    if not options.dry_run:
        check_output(out, overwrite=options.overwrite)
    prepared = prepare(map_path, options, on_progress=on_progress)
    if options.dry_run:
        return report_plan(prepared, seed=options.seed)
    return draw_and_write(prepared, out, options)


def _check_options(options: DesignOptions) -> None:
    given = {
        "--n": options.n,
        "--target-se": options.target_se,
        "--target-area-se": options.target_area_se,
    }
    several = [name for name, value in given.items() if value is not None]
    if len(several) > 1:
        raise UsageError(f"{' and '.join(several)} contradict each other: give one of them")
    if options.n is not None and options.n < 2:
        raise UsageError(f"--n must be at least 2: got {options.n}")
    if options.buffer and options.kind != "stratified":
        raise UsageError(
            f"--buffer makes strata, but --kind is {options.kind}: leave one of them out"
        )


def _place(map_path: str | Path, output: str | Path | None) -> Path:
    from rs_workbench.raster_scene import describe_raster

    out = Path("." if output is None else output)
    if out.is_dir():
        return out / f"{describe_raster(map_path).stem}_sample.gpkg"
    if out.suffix.lower() != ".gpkg":
        raise UsageError(f"the sample is written as a GeoPackage: name it .gpkg, not '{out}'")
    return out


def _option(name: str, help_text: str, **more: Any) -> Callable[[Any], Any]:
    return click.option(name, help=help_text, **more)


@click.command(name="design")
@click.argument("map_path", metavar="MAP")
@click.option("-o", "--output", metavar="OUTPUT", help=".gpkg or folder [<map>_sample.gpkg]")
@_option("--n", "units to draw [500, or what a target needs]", type=int)
@_option("--target-se", "standard error wanted for overall accuracy: 0.01", type=float)
@_option("--target-area-se", "for the area of a class: water:0.005 or water:250ha")
@_option(
    "--kind",
    "how units are chosen",
    type=click.Choice(get_args(Kind)),
    default="stratified",
    show_default=True,
)
@_option(
    "--allocation",
    "how units are shared among strata",
    default="minimum",
    type=click.Choice(get_args(Allocation)),
    show_default=True,
)
@_option(
    "--minimum",
    "fewest units in a stratum [50 under 'minimum', else none]",
    type=click.IntRange(min=0),
)
@_option(
    "--power",
    "of the rule power: 0 equal, 1 proportional",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
)
@_option("--expected-accuracy", "0.85 for all, or forest:0.9,water:0.95 [0.8]")
@_option(
    "--buffer",
    "a stratum of the pixels within so many px of a class: water:3; repeatable",
    multiple=True,
)
@_option("--classes", 'names of the classes: "1=water,2=ice" [from the map]')
@shared.nodata
@_option(
    "--seed",
    "the same seed draws the same units",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
)
@click.option("--show-map-class", is_flag=True, help="write the map's class beside each unit")
@click.option("--overwrite", is_flag=True, help="replace an existing sample, unless labelled")
@shared.dry_run
@shared.as_json
@_option(
    "--lang",
    "language of tables and form",
    type=click.Choice(["en", "zh"]),
    default="en",
    show_default=True,
)
@shared.progress
@shared.quiet
@shared.explain_errors
def design_command(
    map_path: str,
    output: str | None,
    as_json: bool,
    progress: ProgressStyle,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Draw a sample of pixels to label from a class map.

    Writes a GeoPackage that QGIS opens with a form to choose classes in, and the sampling design,
    which rsw assess needs for its estimates. The map's class is not shown to who labels.
    """
    from rs_workbench.accuracy.design.summary import print_sample
    from rs_workbench.progress import show_progress

    options = DesignOptions(**chosen)
    style = "none" if quiet or as_json else progress
    with show_progress(style, parts="strips") as on_map:
        report = design_sample(
            map_path, output, options=options, on_progress=on_map(map_path, 1, 1)
        )
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
    elif not quiet:
        print_sample(report, lang=options.lang)
        for warning in report.warnings:
            click.echo(f"warning: {warning}", err=True)


if __name__ == "__main__":
    design_command()
