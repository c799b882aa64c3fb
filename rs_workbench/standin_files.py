"""Stand-ins as files, laid out like the real sets, so that an exercise reads either alike."""

from __future__ import annotations

import gzip
import shutil
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray

from rs_workbench.errors import OutputError, UsageError
from rs_workbench.sample_registry import SampleError, load_sample_set
from rs_workbench.samples import NOTICE, cache_folder, fetch
from rs_workbench.standins import draw_digits, draw_ice, draw_land, draw_spectra

ICE_SIDE = 256  # px, as the real tiles
DUNES_SIDE = 608  # px
CUBE_SIDE, CUBE_PIXEL = 32, 30  # px, m
CUBE_CRS, CUBE_ORIGIN = "EPSG:32633", (364_095.0, 5_809_965.0)  # m, upper left corner
SALINAS_SIDES, SALINAS_BANDS = (83, 86), 204
SALINAS_VALUES = (0, 1, 10, 11, 12, 13, 14)
"""Labels of the real scene; here they stand for the drawn classes, in order."""
DUNES_CODES = (1, 4, 9, 6, 3, 10, 11)
"""Labels of the real tiles for water, sand, grass, forest, cropland, road, built-up."""


class Writer(NamedTuple):
    """How a stand-in is written, and how many pictures where none are asked for."""

    write: Callable[[Path, int, int], None]
    usual: int


def write_stand_in(
    name: str, folder: str | Path, *, count: int | None = None, seed: int = 0
) -> Path:
    """Draw a stand-in for a set of sample data, in files like the real ones.

    File names, formats, sizes, value ranges and label codes are those of the real set; there are
    fewer files. What the pictures show is said by the functions that draw them.

    Parameters
    ----------
    name : str
        ``mnist``, ``fashion_mnist`` (digits, too), ``sea_ice``, ``dunes``, ``enmap_potsdam`` or
        ``salinas_a``.
    folder : str or Path
        Where to write; made where it is missing. A folder that holds files is refused.
    count : int, optional
        How many pictures, tiles, or training digits (a sixth as many for testing); one scene for
        ``salinas_a``, whatever is asked.
    seed : int
        Another seed, other data.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UsageError
        If there is no stand-in for the set, or the count is none.
    OutputError
        If the folder holds files, or cannot be written.
    """
    sample = load_sample_set(name)
    if name not in WRITERS:
        raise UsageError(f"there is no stand-in for {name}: there is one for {', '.join(WRITERS)}")
    writer, folder = WRITERS[name], Path(folder)
    count = writer.usual if count is None else count
    if count < 1:
        raise UsageError(f"how many pictures of {name} are to be drawn? got {count}")
    if folder.is_dir() and any(folder.iterdir()):
        raise OutputError(f"'{folder}' holds files already: choose a new folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writer.write(folder, count, seed)
        text = f"Drawn by rs-workbench, seed {seed}: a stand-in for {name} ({sample.title}).\n"
        (folder / NOTICE).write_text(text, encoding="utf-8")
    except (OSError, cv2.error) as error:
        raise OutputError(f"the stand-in cannot be written to '{folder}': {error}") from error
    return folder


def fetch_or_draw(
    name: str, *, count: int | None = None, seed: int = 0, quiet: bool = False
) -> tuple[Path, bool]:
    """Give the folder of a set of sample data, or of a stand-in where it cannot be had.

    Parameters
    ----------
    name : str
        A set that has a stand-in.
    count, seed : int, optional
        Of the stand-in, as `write_stand_in` takes them.
    quiet : bool
        Print neither progress nor why there is a stand-in.

    Returns
    -------
    folder : Path
        The real set, whole; or the stand-in, which is drawn once and kept beside the cache.
    real : bool
        Whether it is the real set. Say so beside every figure.

    Raises
    ------
    UsageError
        If there is no such set, or no stand-in for it.
    OutputError
        If the stand-in cannot be written.
    """
    try:
        return fetch(name, quiet=quiet), True
    except SampleError as error:
        if not quiet:
            print(f"note: drawn data stand in for {name}, because {error}", file=sys.stderr)
    size = "" if count is None else f"-{count}"
    folder = cache_folder().parent / "drawn" / f"{name}{size}-seed{seed}"
    if not (folder / NOTICE).is_file():
        shutil.rmtree(folder, ignore_errors=True)  # drawing was stopped: the notice comes last
        write_stand_in(name, folder, count=count, seed=seed)
    return folder, False


def _write_digits(folder: Path, count: int, seed: int) -> None:
    parts = (("train", count, 2 * seed), ("t10k", -(-count // 6), 2 * seed + 1))
    for part, number, own_seed in parts:
        digits = draw_digits(number, seed=own_seed)
        _write_idx(folder / f"{part}-images-idx3-ubyte.gz", digits.images)
        _write_idx(folder / f"{part}-labels-idx1-ubyte.gz", digits.labels)


def _write_idx(path: Path, values: NDArray[np.uint8]) -> None:
    """Write the format of MNIST: type and dimensions, sizes, values."""
    head = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    path.write_bytes(gzip.compress(head + values.tobytes(), 6, mtime=0))


def _write_ice(folder: Path, count: int, seed: int) -> None:
    for kind in ("image", "label"):
        (folder / kind).mkdir()
    seeds = np.random.SeedSequence(seed).generate_state(count)
    for number, own_seed in enumerate(seeds, start=1):
        scene = draw_ice(ICE_SIDE, ICE_SIDE, seed=int(own_seed))
        name = f"sea_ice_{number:03}.jpg"
        _write_picture(folder / "image" / name, scene.image.transpose(1, 2, 0)[..., ::-1])
        _write_picture(folder / "label" / name, scene.label_map * np.uint8(255))


def _write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())


def _write_dunes(folder: Path, count: int, seed: int) -> None:
    """Write tiles cut from scenes of two by two, which touch no other scene."""
    for kind in ("images", "dems", "labels"):
        (folder / kind).mkdir()
    codes = np.array(DUNES_CODES, np.uint8)
    seeds = np.random.SeedSequence(seed).generate_state(-(-count // 4))
    for number in range(count):
        scene_number, (row, column) = number // 4, divmod(number % 4, 2)
        if row == column == 0:
            own_seed = int(seeds[scene_number])
            scene = draw_land(2 * DUNES_SIDE, 2 * DUNES_SIDE, seed=own_seed)
        top, left = row * DUNES_SIDE, column * DUNES_SIDE
        part = slice(top, top + DUNES_SIDE), slice(left, left + DUNES_SIDE)
        name = f"{left}_{top + 4 * scene_number * DUNES_SIDE}_a000c"
        high = (scene.elevation[part] * 2.5).clip(0, 255).astype(np.uint8)
        image = scene.image[:, *part].transpose(1, 2, 0)[..., ::-1]
        _write_picture(folder / "images" / f"{name}.jpg", np.ascontiguousarray(image))
        _write_picture(folder / "dems" / f"{name}.jpg", high)
        _write_picture(folder / "labels" / f"{name}.png", codes[scene.label_map[part]])


def _write_enmap(folder: Path, count: int, seed: int) -> None:
    from rs_workbench.raster_cube import write_cube
    from rs_workbench.standin_spectra import NODATA

    across = int(np.ceil(np.sqrt(count)))
    side = across * CUBE_SIDE
    scene = draw_spectra(side, side, seed=seed)
    for number in range(count):
        row, column = (CUBE_SIDE * k for k in divmod(number, across))
        part = slice(row, row + CUBE_SIDE), slice(column, column + CUBE_SIDE)
        x, y = CUBE_ORIGIN[0] + column * CUBE_PIXEL, CUBE_ORIGIN[1] - row * CUBE_PIXEL
        place = Affine(CUBE_PIXEL, 0, x, 0, -CUBE_PIXEL, y)
        name = f"enmap_potsdam_tile_{row}_{column}.tif"
        write_cube(
            folder / "images" / name,
            scene.cube[:, *part],
            crs=CUBE_CRS,
            transform=place,
            wavelengths=scene.wavelengths,
            good_bands=scene.good_bands,
            nodata=float(NODATA),
        )
        labels = scene.label_map[part].astype(np.float32)[None]
        write_cube(folder / "labels" / name, labels, crs=CUBE_CRS, transform=place)


def _write_salinas(folder: Path, count: int, seed: int) -> None:
    from scipy.io import savemat

    scene = draw_spectra(*SALINAS_SIDES, n_bands=SALINAS_BANDS, seed=seed)
    cube = scene.cube.transpose(1, 2, 0).round().clip(0, 32767).astype(np.int16)
    labels = np.array(SALINAS_VALUES, np.uint8)[scene.label_map]
    savemat(folder / "salinasA_corrected.mat", {"salinasA_corrected": cube}, do_compression=True)
    savemat(folder / "salinasA_gt.mat", {"salinasA_gt": labels}, do_compression=True)


WRITERS = {
    "mnist": Writer(_write_digits, 6000),
    "fashion_mnist": Writer(_write_digits, 6000),
    "sea_ice": Writer(_write_ice, 100),
    "dunes": Writer(_write_dunes, 16),
    "enmap_potsdam": Writer(_write_enmap, 18),
    "salinas_a": Writer(_write_salinas, 1),
}
