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

from rs_workbench.card import read_card
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
from rs_workbench.types import LabelMap

PIXEL_SIZE = 0.5  # m, that of the bundled model
CRS = "EPSG:32610"  # UTM zone 10 north
ORIGIN = (605_000.0, 4_062_000.0)  # m, upper left corner
NODATA = 0
UNDRAWN = 255
"""Value of the reference where the scene has no data."""
MIN_SIDE = 256  # px


def write_sample_scene(
    path: str | Path,
    *,
    height: int = 1536,
    width: int = 2048,
    seed: int = 0,
    reference: str | Path | None = None,
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
    reference : str or Path, optional
        Where to write the classes that were drawn, on the same grid, with their names.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        If the size is too small to draw a coast.
    OutputError
        If a file cannot be written.
    """
    image, labels = draw_labelled_scene(height, width, seed=seed)
    place = Affine(PIXEL_SIZE, 0, ORIGIN[0], 0, -PIXEL_SIZE, ORIGIN[1])
    if reference is not None:
        _write_reference(Path(reference), labels, place)
    bands = ("red", "green", "blue")
    return write_image(path, image, crs=CRS, transform=place, nodata=NODATA, band_names=bands)


def _write_reference(path: Path, labels: LabelMap, place: Affine) -> None:
    from rs_workbench.infer import BUNDLED_MODEL
    from rs_workbench.maps import write_class_names, write_qml

    card = read_card(BUNDLED_MODEL)
    assert card is not None
    bands = ("class",)
    write_image(path, labels[None], crs=CRS, transform=place, nodata=UNDRAWN, band_names=bands)
    write_class_names(path, card.classes)
    write_qml(path, card.classes)


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
    return draw_labelled_scene(height, width, seed=seed)[0]


def draw_labelled_scene(
    height: int, width: int, *, seed: int = 0
) -> tuple[NDArray[np.uint8], LabelMap]:
    """Draw the sample scene, and say what is where.

    Parameters
    ----------
    height, width : int
        Size, px.
    seed : int
        Another seed, another coast.

    Returns
    -------
    image : ndarray of uint8, shape (3, H, W)
        Red, green, blue; 0 where there is no data, and nowhere else.
    labels : ndarray of uint8, shape (H, W)
        Classes of the bundled model; 255 where there is no data.

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
    canvas = np.zeros((height, width, 4), np.float32)
    inland = inland_distance(height, width, rng)
    draw_land(canvas, inland, rng)
    draw_fields(canvas, rng)
    draw_lagoon(canvas, inland, rng)
    draw_shore(canvas, inland, rng)
    draw_village(canvas, rng)
    draw_roads(canvas, rng)
    image, labels = photograph(canvas, rng), canvas[..., 3].astype(np.uint8)
    missing = without_data(height, width, rng)
    image[:, missing], labels[missing] = NODATA, UNDRAWN
    return image, labels


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
@click.option("--reference", type=click.Path(path_type=Path), help="Also write its classes here.")
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
def command(
    path: Path, size: tuple[int, int], seed: int, reference: Path | None, overwrite: bool
) -> None:
    """Draw a sample scene of a dune coast into PATH (a GeoTIFF)."""
    try:
        for out in filter(None, (path, reference)):
            _check_path(out, overwrite=overwrite)
        written = write_sample_scene(
            path, height=size[0], width=size[1], seed=seed, reference=reference
        )
    except WorkbenchError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    click.echo(f"sample scene: {written} ({size[0]} x {size[1]} px of {PIXEL_SIZE} m)")


def _check_path(path: Path, *, overwrite: bool) -> None:
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise OutputError(
            f"sample scene and reference are GeoTIFFs: got '{path}', choose a name in .tif"
        )
    if path.exists() and not overwrite:
        raise OutputError(f"'{path}' exists already: choose another name, or --overwrite")


if __name__ == "__main__":
    command()
