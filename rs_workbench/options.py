"""Every option that commands share, once: same name, same letter, same meaning.

Choices come from the `Literal` types of `rs_workbench.types`. A `ParamType` turns text into a
value and owns the complaint. `explain_errors` turns a deliberate error into its sentence and the
exit code: 0 done, 1 failed, 2 wrong usage.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable
from typing import Any, TypeVar, get_args

import click

from rs_workbench.errors import UsageError, WorkbenchError
from rs_workbench.types import Blend, Engine, Layer, ProgressStyle
from tiling import TilingError

F = TypeVar("F", bound=Callable[..., Any])


class ListOf(click.ParamType):
    """Values separated by commas."""

    def __init__(
        self, name: str, item: Callable[[str], Any], choices: tuple[str, ...] = ()
    ) -> None:
        self.name, self.item, self.choices = name, item, choices

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Any, ...]:
        """Split the text and convert each part."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",") if part.strip()]
        for part in parts:
            if self.choices and part not in self.choices:
                self.fail(f"'{part}' is not one of {', '.join(self.choices)}", param, ctx)
        try:
            return tuple(self.item(part) for part in parts)
        except ValueError:
            self.fail(f"'{value}' is not a list of numbers such as -9999,0", param, ctx)


class Device(click.ParamType):
    """Where a model runs."""

    name = "device"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Accept auto, cpu, cuda and cuda with a number."""
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", str(value)):
            self.fail(f"'{value}' is not a device: choose auto, cpu, cuda or cuda:0", param, ctx)
        return str(value)


class Parsed(click.ParamType):
    """A value that a function of the core reads, with that function's complaint."""

    def __init__(self, name: str, where: str) -> None:
        self.name, self.where = name, where

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Hand the text to the function."""
        if not isinstance(value, str):
            return value
        from rs_workbench import memory

        try:
            return getattr(memory, self.where)(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


model = click.option(
    "-m", "--model", metavar="MODEL", help=".onnx, .keras, .pt2 or an smp folder [bundled model]"
)
output = click.option(
    "-o", "--output", metavar="OUTPUT", help="class map (.tif) or folder [<scene>_classes.tif]"
)
bands = click.option(
    "-b",
    "--bands",
    type=ListOf("bands", str),
    help="bands by number or name, in the model's order: 4,3,2",
)
nodata = click.option(
    "--nodata",
    type=ListOf("values", float),
    default=(),
    help="further nodata values: -9999,0",
)
tile = click.option(
    "--tile", type=click.IntRange(min=1), help="side of a tile, px [from the model]"
)
overlap = click.option(
    "--overlap",
    type=click.IntRange(min=0),
    help="overlap of neighbouring tiles, px [twice the model's reach: exact]",
)
blend = click.option(
    "--blend",
    type=click.Choice(get_args(Blend)),
    default="crop",
    show_default=True,
    help="how tiles are joined",
)
batch = click.option("--batch", type=click.IntRange(min=1), help="tiles a forward pass [auto]")
memory = click.option(
    "--memory",
    type=Parsed("size", "parse_size"),
    help="RAM to stay within, model included: 2GB [what the model takes and 2GB]",
)
device = click.option(
    "--device",
    type=Device(),
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda:0",
    help="where to run",
)
gpu_memory = click.option(
    "--gpu-memory", type=Parsed("limit", "parse_gpu_limit"), help="GPU memory: 6GB, 80% or grow"
)
engine = click.option(
    "--engine",
    type=click.Choice(get_args(Engine)),
    default="auto",
    show_default=True,
    help="auto takes the fastest that agrees with the model's own framework",
)
save = click.option(
    "--save",
    type=ListOf("layers", str, get_args(Layer)),
    default=(),
    help=f"also write {','.join(get_args(Layer))}",
)
tta = click.option("--tta", is_flag=True, help="average over flips and quarter turns (8 x slower)")
mosaic = click.option("--mosaic", is_flag=True, help="map all scenes as one (needs GDAL programs)")
match_pixel_size = click.option(
    "--match-pixel-size",
    is_flag=True,
    help="resample to the model's pixel size on the fly; the map keeps the scene's grid",
)
any_values = click.option(
    "--any-values", is_flag=True, help="do not compare the scene's values with the training data's"
)
overwrite = click.option("--overwrite", is_flag=True, help="replace an existing map")
restart = click.option("--restart", is_flag=True, help="forget an unfinished run")
dry_run = click.option("--dry-run", is_flag=True, help="show the plan, write nothing")
as_json = click.option("--json", "as_json", is_flag=True, help="print the report as JSON")
progress = click.option(
    "--progress",
    type=click.Choice(get_args(ProgressStyle)),
    default="auto",
    show_default=True,
    help="bar on a terminal, plain lines elsewhere",
)
quiet = click.option("-q", "--quiet", is_flag=True, help="errors only")
verbose = click.option("-v", "--verbose", is_flag=True, help="say what was chosen and why")


def explain_errors(function: F) -> F:
    """Turn deliberate errors into one sentence on stderr and an exit code.

    Parameters
    ----------
    function : callable
        Body of a command.

    Returns
    -------
    callable
        The same, which exits with 1 or 2 instead of raising.
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except WorkbenchError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(error.exit_code)
        except TilingError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(UsageError.exit_code)
        except KeyboardInterrupt:
            click.echo("stopped: the same command goes on where this one stopped", err=True)
            sys.exit(1)

    return wrapped  # type: ignore[return-value]
