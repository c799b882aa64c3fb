"""A hyperspectral scene larger than memory, laid out of tiles that no model has learnt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import UsageError
from rs_workbench.lessons.cube_chips import CubeChips, cut
from rs_workbench.lessons.cube_transform import raw_tiles
from rs_workbench.maps import write_class_names, write_qml
from rs_workbench.raster_tiles import write_tile_rows
from tiling.label_index import IGNORE

SCENE, REFERENCE = "cube_scene.tif", "cube_scene_reference.tif"


def write_cube_scene(
    folder: str | Path,
    chips: CubeChips,
    chosen: Sequence[int],
    *,
    rows: int,
    cols: int,
    seed: int = 0,
) -> tuple[Path, Path]:
    """Lay chips side by side, turned and mirrored at random, with all bands of the sensor.

    Parameters
    ----------
    folder : str or Path
        Where to.
    chips : CubeChips
        The scene they come from.
    chosen : sequence of int
        Chips to use, such as those held out.
    rows, cols : int
        Chips down and across; only one row of them is in memory.
    seed : int
        Of the order.

    Returns
    -------
    scene, reference : Path
        Two GeoTIFFs on one grid; the reference has the values of the classes, and 255 where
        nothing is known.

    Raises
    ------
    UsageError
        If there is nothing to lay, or rows or cols are below 1.
    OutputError
        If the folder cannot be written to.
    """
    if rows < 1 or cols < 1 or not len(chosen):
        raise UsageError(
            "a scene needs chips, and at least one row and column of them: got "
            f"{len(chosen)} chips, {rows} rows and {cols} columns"
        )
    folder, cube = Path(folder), chips.cube
    values = np.full(256, IGNORE, np.uint8)
    values[: len(chips.classes)] = [entry.value for entry in chips.classes]
    labels = cut(values[chips.labels], [chips.windows[index] for index in chosen])
    laid = _draw(len(chosen), (rows, cols), seed)
    scene = write_tile_rows(
        folder / SCENE,
        _rows(raw_tiles(chips, chosen), laid),
        nodata=float("nan"),
        band_names=cube.band_names,
        wavelengths=cube.wavelengths,
        n_rows=rows,
        pixel_size=chips.pixel_size,
    )
    reference = write_tile_rows(
        folder / REFERENCE,
        _rows(labels[:, None], laid),
        nodata=IGNORE,
        n_rows=rows,
        pixel_size=chips.pixel_size,
    )
    write_class_names(reference, chips.classes)
    write_qml(reference, chips.classes)
    return scene, reference


def _draw(n_tiles: int, grid: tuple[int, int], seed: int) -> NDArray[np.intp]:
    """Tile, quarter turns and mirror of each place, (rows, cols, 3); every tile as often."""
    rng = np.random.default_rng(seed)
    n = grid[0] * grid[1]
    laps = [rng.permutation(n_tiles) for _ in range(-(-n // n_tiles))]
    tiles = np.concatenate(laps)[:n]
    turns = rng.integers([4, 2], size=(n, 2))
    return np.column_stack([tiles, turns]).reshape(*grid, 3).astype(np.intp)


def _rows(tiles: NDArray[Any], laid: NDArray[np.intp]) -> Iterator[NDArray[Any]]:
    for row in laid:
        moved = [_moved(tiles[tile], turns, mirror) for tile, turns, mirror in row]
        yield np.concatenate(moved, axis=-1)


def _moved(tile: NDArray[Any], turns: int, mirror: int) -> NDArray[Any]:
    turned = np.rot90(tile, turns, (-2, -1))
    return turned[..., ::-1] if mirror else turned
