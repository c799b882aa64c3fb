"""A sample scene, so that the command can be tried without any data.

The scene is drawn, not photographed: a dune coast from the air, in the colours and textures of
the tiles that the bundled model was trained on. It has a georeference, a nodata wedge where the
flight strip ends, and small holes like those of a photogrammetric mosaic.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from affine import Affine
from numpy.typing import NDArray

from rs_workbench.errors import OutputError, UsageError, WorkbenchError
from rs_workbench.raster_image import write_image
from rs_workbench.sample_things import (
    draw_fields,
    draw_lagoon,
    draw_land,
    draw_roads,
    draw_shore,
    draw_village,
    inland_distance,
    photograph,
    without_data,
)

PIXEL_SIZE = 0.5  # m, that of the bundled model
CRS = "EPSG:32610"  # UTM zone 10 north
ORIGIN = (605_000.0, 4_062_000.0)  # m, upper left corner
NODATA = 0
MIN_SIDE = 256  # px


def write_sample_scene(
    path: str | Path, *, height: int = 1536, width: int = 2048, seed: int = 0
) -> Path:
    """Draw the sample scene and write it as a GeoTIFF.

    Parameters
    ----------
    path : str or Path
        The file; overwritten if it is there.
    height, width : int
        Size, px.
    seed : int
        Another seed, another coast.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        If the size is too small to draw a coast.
    OutputError
        If the file cannot be written.
    """
    return write_image(
        path,
        draw_scene(height, width, seed=seed),
        crs=CRS,
        transform=Affine(PIXEL_SIZE, 0, ORIGIN[0], 0, -PIXEL_SIZE, ORIGIN[1]),
        nodata=NODATA,
        band_names=("red", "green", "blue"),
    )


def draw_scene(height: int, width: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """Draw the sample scene.

    Parameters
    ----------
    height, width : int
        Size, px.
    seed : int
        Another seed, another coast.

    Returns
    -------
    ndarray of uint8, shape (3, H, W)
        Red, green, blue; 0 where there is no data, and nowhere else.

    Raises
    ------
    UsageError
        If the size is too small to draw a coast.
    """
    if min(height, width) < MIN_SIDE:
        raise UsageError(
            f"the sample scene needs at least {MIN_SIDE} x {MIN_SIDE} px, but {height} x {width} "
            "was asked for: try --size 1536x2048"
        )
    rng = np.random.default_rng(seed)
    canvas = np.zeros((height, width, 3), np.float32)
    inland = inland_distance(height, width, rng)
    draw_land(canvas, inland, rng)
    draw_fields(canvas, rng)
    draw_lagoon(canvas, inland, rng)
    draw_shore(canvas, inland, rng)
    draw_village(canvas, rng)
    draw_roads(canvas, rng)
    image = photograph(canvas, rng)
    image[:, without_data(height, width, rng)] = NODATA
    return image


class Size(click.ParamType):
    """Height and width, written ``1536x2048``, or one number for both."""

    name = "HEIGHTxWIDTH"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Turn the text into (height, width), px."""
        if isinstance(value, tuple):
            return value
        sides = str(value).lower().split("x")
        if len(sides) > 2 or not all(side.isdigit() for side in sides):
            self.fail(f"'{value}' is not a size: write height and width, such as 1536x2048")
        return int(sides[0]), int(sides[-1])


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default="sample_scene.tif")
@click.option("--size", type=Size(), default="1536x2048", show_default=True, help="In pixels.")
@click.option("--seed", default=0, show_default=True, help="Another seed, another coast.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def command(path: Path, size: tuple[int, int], seed: int, overwrite: bool) -> None:
    """Draw a sample scene of a dune coast into PATH (a GeoTIFF)."""
    try:
        _check_path(path, overwrite=overwrite)
        written = write_sample_scene(path, height=size[0], width=size[1], seed=seed)
    except WorkbenchError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    click.echo(f"sample scene: {written} ({size[0]} x {size[1]} px of {PIXEL_SIZE} m)")


def _check_path(path: Path, *, overwrite: bool) -> None:
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise OutputError(f"the sample scene is a GeoTIFF: got '{path}', choose a name in .tif")
    if path.exists() and not overwrite:
        raise OutputError(f"'{path}' exists already: choose another name, or --overwrite")


if __name__ == "__main__":
    command()
