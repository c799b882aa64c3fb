"""The photographs of a training set at their places in one large raster, and its reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from affine import Affine

from rs_workbench.errors import OutputError, UsageError
from rs_workbench.lessons.big_scene import Mapped
from rs_workbench.maps import write_class_names, write_qml
from rs_workbench.raster_tiles import BLOCK, CRS, ORIGIN
from rs_workbench.training.data import TrainingData
from rs_workbench.training.ground import GroundReader
from tiling.chips import Chip
from tiling.label_index import IGNORE
from tiling.windows import Window

SCENE, REFERENCE, MAP_PICTURE = "mosaic.tif", "mosaic_reference.tif", "map.png"


class Mosaic(NamedTuple):
    """A large scene.

    Attributes
    ----------
    scene, reference : Path
        Two GeoTIFFs on one grid; the reference is 255 wherever ground is not held out.
    n_tiles : int
        Photographs in it.
    shape : (int, int)
        Height and width, px.
    """

    scene: Path
    reference: Path
    n_tiles: int
    shape: tuple[int, int]


def write_mosaic(
    folder: str | Path, data: TrainingData, chips: Sequence[Chip], *, side: int | None = None
) -> Mosaic:
    """Lay the photographs out as they lay on the ground; what lies between them stays nodata.

    Only blocks with pixels are stored, so that a raster of many gigabytes is a small file.

    Parameters
    ----------
    folder : str or Path
        Where to; made where it is missing.
    data : TrainingData
        Scenes that lie in one grid.
    chips : sequence of Chip
        The ground whose labels become the reference: their cores.
    side : int, optional
        Take only the square of this side, px, that holds most of these chips; without it, all.

    Returns
    -------
    Mosaic
        The files.

    Raises
    ------
    UsageError
        If it is not known where the scenes lie.
    OutputError
        If the disk is full, or the folder cannot be written to.
    """
    if data.origins is None:
        raise UsageError("the places of the scenes are not known: set positions")
    scenes = dict(enumerate(data.origins))
    window = find_window(data, chips, side)
    places = {n: _place(o, data.scenes[n].shape, window) for n, o in scenes.items()}
    inside = {number: place for number, place in places.items() if place is not None}
    cores = [chip for chip in chips if chip.scene in inside]
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scene = _write_scene(folder / SCENE, data, inside, window)
        reference = _write_reference(folder / REFERENCE, data, cores, (inside, window))
    except (OSError, rasterio.errors.RasterioError) as error:
        raise OutputError(f"the mosaic cannot be written to '{folder}': {error}") from error
    write_class_names(reference, data.classes)
    write_qml(reference, data.classes)
    return Mosaic(scene, reference, len(inside), (window.height, window.width))


def find_window(data: TrainingData, chips: Sequence[Chip], side: int | None) -> Window:
    """Find the window of the common grid that is to be written.

    Parameters
    ----------
    data : TrainingData
        Scenes that lie in one grid.
    chips : sequence of Chip
        Of which as many as possible are to lie inside.
    side : int or None
        Side of a square, px; None for all scenes.

    Returns
    -------
    Window
        In px of the common grid.
    """
    assert data.origins is not None
    places = np.array(data.origins)
    ends = places + [scene.shape for scene in data.scenes]
    if side is None:
        (top, left), (bottom, right) = places.min(axis=0), ends.max(axis=0)
        return Window(int(top), int(left), int(bottom - top), int(right - left))
    weight = np.bincount([chip.scene for chip in chips], minlength=len(places))
    best, corner = -1, (0, 0)
    for top, left in {(row, col) for row in places[:, 0] for col in places[:, 1]}:
        within = (places >= (top, left)).all(axis=1) & (ends <= (top + side, left + side)).all(1)
        if (found := int(weight[within].sum())) > best:
            best, corner = found, (int(top), int(left))
    return Window(*corner, side, side)


def _place(origin: tuple[int, int], shape: tuple[int, int], window: Window) -> Window | None:
    """Where a scene lies in the mosaic; None where it is not wholly inside."""
    row, col = origin[0] - window.row, origin[1] - window.col
    inside = row >= 0 and col >= 0
    inside &= row + shape[0] <= window.height and col + shape[1] <= window.width
    return Window(row, col, *shape) if inside else None


def _write_scene(
    path: Path, data: TrainingData, inside: Mapping[int, Window], window: Window
) -> Path:
    profile = _profile(data, window) | {"count": data.n_bands, "dtype": "uint8", "nodata": 0}
    profile["photometric"] = "RGB" if data.n_bands == 3 else "MINISBLACK"  # band 4 is no alpha
    with rasterio.open(path, "w", **profile) as out, GroundReader(data.ground) as reader:
        out.descriptions = data.band_names
        for number, place in inside.items():
            whole = Window(0, 0, place.height, place.width)
            pixels = reader.stored(number, whole)
            blank = np.where(pixels.valid, np.maximum(pixels.pixels, 1), 0)
            out.write(blank.astype(np.uint8), window=_raster(place))
    return path


def _write_reference(
    path: Path,
    data: TrainingData,
    chips: Sequence[Chip],
    where: tuple[Mapping[int, Window], Window],
) -> Path:
    inside, window = where
    values = np.full(256, IGNORE, np.uint8)
    values[: data.n_classes] = [entry.value for entry in data.classes]
    profile = _profile(data, window) | {"count": 1, "dtype": "uint8", "nodata": IGNORE}
    with rasterio.open(path, "w", **profile) as out, GroundReader(data.ground) as reader:
        for number, place in inside.items():
            labels = np.full((place.height, place.width), IGNORE, np.uint8)
            for chip in (chip for chip in chips if chip.scene == number):
                labels[chip.core.slices] = reader.labels(number, chip.core)
            out.write(values[labels][None], window=_raster(place))
    return path


def _profile(data: TrainingData, window: Window) -> dict[str, object]:
    size = data.pixel_size or 1.0
    return {
        "driver": "GTiff",
        "height": window.height,
        "width": window.width,
        "crs": CRS,
        "transform": Affine(size, 0, ORIGIN[0], 0, -size, ORIGIN[1]),
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "lzw",
        "interleave": "pixel",
        "sparse_ok": True,
        "BIGTIFF": "IF_SAFER",
    }


def _raster(place: Window) -> rasterio.windows.Window:
    return rasterio.windows.Window(place.col, place.row, place.width, place.height)


def write_map_words(picture: Path, mosaic: Mosaic, mapped: Mapped) -> Path:
    """Say beside the picture of a map what the map took and how good it is.

    Parameters
    ----------
    picture : Path
        ``map.png``.
    mosaic : Mosaic
        The scene.
    mapped : Mapped
        Of `map_and_assess`.

    Returns
    -------
    Path
        A text file, which `map_words` reads.
    """
    height, width = mosaic.shape
    words = (
        f"The map: {mosaic.n_tiles} photographs at their places in {height:,} x {width:,} px. "
        f"`rsw infer` held {mapped.peak_mib:,.0f} MiB at most, where scene and scores at once "
        f"take {mapped.whole_gib:.1f} GiB. By `rsw assess` on held-out ground: overall accuracy "
        f"{mapped.overall_accuracy:.3f}, mean IoU {mapped.mean_iou:.3f}."
    )
    path = picture.with_suffix(".txt")
    path.write_text(words, encoding="utf-8")
    return path


def map_words(folder: str | Path) -> str:
    """Give what `write_map_words` said, with the picture.

    Parameters
    ----------
    folder : str or Path
        Of the report.

    Returns
    -------
    str
        Markdown; empty where no map was made.
    """
    path = Path(folder) / MAP_PICTURE
    if not path.with_suffix(".txt").is_file():
        return ""
    words = path.with_suffix(".txt").read_text(encoding="utf-8")
    return f"{words}\n\n![The scene and its map]({path.name})"
