"""Say how good a map is: ``python -m rs_workbench.assess MAP REFERENCE``."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rs_workbench import options as shared
from rs_workbench.errors import UsageError
from rs_workbench.types import ProgressStyle

if TYPE_CHECKING:
    from rs_workbench.accuracy.assess.options import AssessOptions
    from rs_workbench.accuracy.result import Assessment
    from rs_workbench.progress import OnProgress


def assess_map(
    map_path: str | Path,
    reference_path: str | Path,
    folder: str | Path | None = None,
    *,
    options: AssessOptions | None = None,
    lang: str = "en",
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> Assessment:
    """Compare a class map with a reference, and write the report.

    Parameters
    ----------
    map_path : str or Path
        The class map.
    reference_path : str or Path
        A raster of classes; or points or polygons with a column of classes: GeoPackage, GeoJSON,
        shapefile, FlatGeobuf, or CSV with coordinates.
    folder : str or Path, optional
        Where the report and the error map go; without it, nothing is written.
    options : AssessOptions, optional
        Everything else.
    lang : {'en', 'zh'}
        Language of the report.
    overwrite : bool
        Replace an earlier report.
    on_progress : callable, optional
        Called with (windows done, windows) of each pass over the map.

    Returns
    -------
    Assessment
        What was found.

    Raises
    ------
    WorkbenchError
        Whatever went wrong, in one sentence; then no report appears.

    Examples
    --------
    >>> result = assess_map("map.tif", "points.gpkg", "report")  # doctest: +SKIP
    """
    from rs_workbench.accuracy.assess.options import AssessOptions, check_options
    from rs_workbench.accuracy.assess.work_folder import work_folder
    from rs_workbench.accuracy.reference.legend import parse_classes, read_legend
    from rs_workbench.accuracy.reference.training import refuse_itself, refuse_training
    from rs_workbench.accuracy.reference.vector_file import is_vector
    from rs_workbench.accuracy.report.files import check_report, write_report

    options = options or AssessOptions()
    paths = Path(map_path), Path(reference_path)
    check_options(options, paths[1].name, vector=is_vector(paths[1]))
    out = None if folder is None else Path(folder)
    if out is not None:
        check_report(out, overwrite=overwrite)
    training = refuse_training(
        paths[1], paths[0], training=options.training, allow=options.allow_training
    )
    refuse_itself(*paths, options.compare)
    nodata = options.values.map_nodata
    legend = (
        parse_classes(options.classes) if options.classes else read_legend(paths[0], nodata=nodata)
    )
    with work_folder(out) as work:
        compare = _comparer(vector=is_vector(paths[1]))
        found = compare(paths, legend, options, folder=work, on_progress=on_progress)
        found = replace(found, training=training or found.training, version=_version())
        if found.training:  # an estimate of the map's accuracy it is not
            found = replace(found, estimate=None)
        if out is not None:
            write_report(found, out, lang=lang, overwrite=overwrite, made=work)
    return found


def _comparer(*, vector: bool) -> Callable[..., Assessment]:
    if vector:
        from rs_workbench.accuracy.assess.units import assess_vector

        return assess_vector
    from rs_workbench.accuracy.assess.pixels import assess_raster

    return assess_raster


def _version() -> str:
    from importlib.metadata import version

    return version("rs-workbench")


def _stoppable(function: Callable[..., None]) -> Callable[..., None]:
    """Say on Ctrl-C that nothing is left to go on with."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except KeyboardInterrupt:
            click.echo("stopped: nothing was written", err=True)
            sys.exit(1)

    return wrapped


@click.command(name="map")
@click.argument("map_path", metavar="MAP")
@click.argument("reference", metavar="REFERENCE")
@click.option("-o", "--output", metavar="FOLDER", help="folder of the report [<map>_accuracy]")
@click.option("--column", help="column of classes [reference, class, label, ...]")
@click.option("--layer", help="layer of the reference [the only one]")
@click.option("--crs", help="coordinate system of a CSV, such as EPSG:4326")
@click.option("--classes", help='legend: "1=water,2=ice" [the map\'s own]')
@click.option("--recode", help='classes of the reference in those of the map: "10=1,20=2"')
@click.option(
    "--unlabelled", type=shared.ListOf("values", str), default=(), help="reference: no label"
)
@click.option(
    "--out-of-scope",
    type=shared.ListOf("values", str),
    default=(),
    help="reference: labels that are not of interest",
)
@click.option(
    "--map-nodata", type=shared.ListOf("values", float), default=(), help="map: no class"
)
@click.option(
    "--resample",
    type=click.Choice(["nearest", "majority"]),
    help="bring a reference raster to the map's grid",
)
@click.option(
    "--design",
    help="how the sample was drawn: simple_random, systematic, stratified, post_stratified, "
    "cluster, none, or the design's file [the one in or beside the sample]",
)
@click.option(
    "--accept-alternate", is_flag=True, help="a second acceptable label counts as right, too"
)
@click.option("--compare", metavar="MAP", help="a second map to stand beside this one")
@click.option(
    "--boundary", is_flag=True, help="also score how well borders lie (raster reference)"
)
@click.option(
    "--tolerance", type=click.FloatRange(min=0, min_open=True), help="of borders, m [2 px]"
)
@click.option(
    "--block",
    type=click.IntRange(min=1),
    help="side of a spatial block, px [for about 100 blocks]",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 1, max_open=True),
    default=0.95,
    show_default=True,
    help="level of all intervals",
)
@click.option(
    "--interval",
    type=click.Choice(["wald", "wilson", "logit"]),
    default="wald",
    show_default=True,
    help="kind of the intervals of a sample",
)
@click.option("--fpc", is_flag=True, help="apply the finite population correction")
@click.option(
    "--draws", type=click.IntRange(min=100), default=2000, help="of the bootstrap [2000]"
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="of the bootstrap [0]")
@click.option(
    "--training", multiple=True, metavar="FILE", help="file that the model was trained on"
)
@click.option(
    "--allow-training", is_flag=True, help="go on with training data; the report says so"
)
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", help="of the report [en]")
@click.option("--overwrite", is_flag=True, help="replace an earlier report")
@shared.as_json
@shared.progress
@shared.quiet
@shared.explain_errors
@_stoppable
def map_command(
    map_path: str,
    reference: str,
    output: str | None,
    lang: str,
    overwrite: bool,
    as_json: bool,
    progress: ProgressStyle,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Say how good a class MAP is, by a REFERENCE: a raster, points or polygons.

    The report tells matrix, accuracy and area with confidence intervals, as a page, Markdown, CSV
    and JSON. REFERENCE should be a sample that  rsw assess design  drew from the map.
    """
    from rs_workbench.accuracy.report.json_file import to_json
    from rs_workbench.accuracy.report.terminal import print_assessment
    from rs_workbench.progress import show_progress

    if "" in (map_path, reference, output):
        raise UsageError("MAP, REFERENCE and --output must not be empty")
    folder = Path(output or f"{Path(map_path).stem}_accuracy")
    with show_progress("none" if quiet else progress, parts="windows") as on_scene:
        found = assess_map(
            map_path,
            reference,
            folder,
            options=_options(chosen),
            lang=lang,
            overwrite=overwrite,
            on_progress=on_scene(map_path, 1, 1),
        )
    if as_json:
        click.echo(to_json(found), nl=False)
    elif not quiet:
        print_assessment(found, folder, lang=lang)


def _options(chosen: dict[str, Any]) -> AssessOptions:
    from rs_workbench.accuracy.assess.options import AssessOptions
    from rs_workbench.accuracy.reference.label_values import LabelValues, parse_recode, parse_value

    values = LabelValues(
        unlabelled=tuple(map(parse_value, chosen.pop("unlabelled"))),
        out_of_scope=tuple(map(parse_value, chosen.pop("out_of_scope"))),
        recode=parse_recode(recode) if (recode := chosen.pop("recode")) else {},
        map_nodata=chosen.pop("map_nodata"),
    )
    return AssessOptions(values=values, tolerance_m=chosen.pop("tolerance"), **chosen)


class _Assess(click.Group):
    """`assess MAP REFERENCE`, and `assess design MAP`, which is imported only when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["design"]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name != "design":
            return map_command if name == "map" else None
        found: click.Command = importlib.import_module("rs_workbench.assess_design").design_command
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in ("design", "--help"):
            args = ["map", *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        inner = click.Context(map_command, info_name=ctx.info_name, parent=ctx.parent)
        map_command.format_help(inner, formatter)
        with formatter.section("Also"):
            formatter.write_dl([(f"{ctx.command_path} design MAP", "draw a sample to label")])


@click.command(cls=_Assess, name="assess")
def command() -> None:
    """Say how good a map is."""


if __name__ == "__main__":
    command()
