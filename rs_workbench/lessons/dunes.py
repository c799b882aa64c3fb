"""The dunes as the lessons on land cover take them: by the recipe, with or without elevation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rs_workbench.card import Band
from rs_workbench.errors import SceneError
from rs_workbench.raster_cube import write_cube
from rs_workbench.training.data import TrainingData, open_data
from rs_workbench.training.ground import GroundReader
from rs_workbench.training.recipes import find_settings
from rs_workbench.training.settings_file import read_settings
from rs_workbench.types import LabelMap
from tiling.windows import Window

RECIPE = "dunes"


def open_dunes(
    folder: str | Path,
    changes: Mapping[str, Any],
    *,
    n_tiles: int | None = None,
    stacks: str | Path | None = None,
) -> TrainingData:
    """Open photographs and labels, split by place, as the recipe `dunes` says.

    Parameters
    ----------
    folder : str or Path
        Of the sample data or of their stand-in.
    changes : mapping
        Settings of ``rsw train`` that hold instead of the recipe's, such as `tile` and `split`.
    n_tiles : int, optional
        Take so many photographs, evenly from all; without it, all.
    stacks : str or Path, optional
        Write photograph and elevation together as rasters of four bands there, and take these.

    Returns
    -------
    TrainingData
        Training, validation and held-out ground.

    Raises
    ------
    WorkbenchError
        Whatever is wrong with the files, in one sentence.
    """
    images = choose_tiles(Path(folder), n_tiles)
    scenes = images if stacks is None else [stack_elevation(one, stacks) for one in images]
    labels = [one.parents[1] / "labels" / f"{one.stem}.png" for one in images]
    paths = {"scenes": list(map(str, scenes)), "labels": list(map(str, labels))}
    return open_data(read_settings(find_settings(RECIPE), {**paths, **changes}))


def choose_tiles(folder: Path, n_tiles: int | None = None) -> Sequence[Path]:
    """List photographs; where not all are wanted, evenly from the sorted list.

    Parameters
    ----------
    folder : Path
        Has the folder `images`.
    n_tiles : int, optional
        How many at most.

    Returns
    -------
    sequence of Path
        Sorted by name.

    Raises
    ------
    SceneError
        If there is none.
    """
    found = sorted((folder / "images").glob("*.jpg"))
    if not found:
        raise SceneError(f"there is no photograph (*.jpg) in '{folder / 'images'}'")
    if n_tiles is None or n_tiles >= len(found):
        return found
    return [found[at] for at in np.linspace(0, len(found) - 1, n_tiles).round().astype(int)]


def stack_elevation(image: Path, folder: str | Path) -> Path:
    """Write red, green, blue and elevation of one photograph as a GeoTIFF of four bands.

    Elevation is of 8 bits and mostly saturated: three quarters of the pixels are 0 or 255. Where
    the photograph has no data, elevation is set to 0, too.

    Parameters
    ----------
    image : Path
        The photograph; the elevation of the same name lies in the folder `dems` beside its own.
    folder : str or Path
        Where the GeoTIFF goes, under the name of the photograph.

    Returns
    -------
    Path
        The file; an earlier one is kept.

    Raises
    ------
    SceneError
        If a file is missing, or the two differ in size.
    """
    stacked = Path(folder) / f"{image.stem}.tif"
    if stacked.is_file():
        return stacked
    color = cv2.imread(str(image), cv2.IMREAD_COLOR)
    dem = image.parents[1] / "dems" / image.name
    height = cv2.imread(str(dem), cv2.IMREAD_GRAYSCALE)
    if color is None or height is None or color.shape[:2] != height.shape:
        raise SceneError(
            f"'{image.name}' and its elevation '{dem}' must be two pictures of one size"
        )
    known = color.any(axis=-1)
    bands = [*np.moveaxis(color[..., ::-1], -1, 0), np.where(known, height, 0)]
    names = ("red", "green", "blue", "elevation")
    return write_cube(stacked, np.stack(bands).astype(np.uint8), band_names=names)


def bands_of(data: TrainingData) -> tuple[Band, ...]:
    """Give the bands with the scaling that training measured, for the card of a model.

    Parameters
    ----------
    data : TrainingData
        From `open_dunes`.

    Returns
    -------
    tuple of Band
        In their order.
    """
    found = data.statistics
    columns = (found.mean, found.std, found.low, found.high)
    rows = zip(data.band_names, *(column.tolist() for column in columns), strict=True)
    return tuple(
        Band(name=name, mean=mean, std=std, low=low, high=high)
        for name, mean, std, low, high in rows
    )


def varied_labels(data: TrainingData) -> LabelMap:
    """Read the labels of the photograph whose classes vary most, for a picture.

    Parameters
    ----------
    data : TrainingData
        From `open_dunes`.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        Class indexes, 255 where nothing is known.
    """
    pixels = [index.counts.reshape(-1, data.n_classes).sum(axis=0) for index in data.indexes]
    number = int(np.argmax([np.sqrt(counts).sum() for counts in pixels]))
    with GroundReader(data.ground) as reader:
        return reader.labels(number, Window(0, 0, *data.scenes[number].shape))


def ground_facts(data: TrainingData, *, real: bool) -> dict[str, object]:
    """Say what was learnt from, for a report.

    Parameters
    ----------
    data : TrainingData
        From `open_dunes`.
    real : bool
        Whether it is the sample data, not their stand-in.

    Returns
    -------
    dict of str to object
        Data, split and chips.
    """
    settings = data.settings
    return {
        "data": "real" if real else "drawn: no figure here says anything of real ground",
        "bands": ", ".join(data.band_names),
        "split": data.split_text,
        "chips": f"{settings.chips} an epoch, {settings.tile} px",
    }
