"""Chips of a hyperspectral scene: one cube, its labels, and squares of it that stay together.

A transform of the bands is fitted on the squares of the training part only, and the squares are
dealt to folds whole: neighbouring pixels are alike, and a pixel whose neighbours were learnt by
heart says nothing about a map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import LegendClass
from rs_workbench.errors import UsageError
from rs_workbench.raster_scene import open_scene
from rs_workbench.spectra.cube import Cube
from rs_workbench.spectra.cubes import cube_of_array, open_cube
from rs_workbench.spectra.matlab import read_matlab_labels
from rs_workbench.spectra.windows import Where
from rs_workbench.standin_spectra import SPECTRA_CLASSES
from rs_workbench.types import LabelMap
from tiling.label_index import IGNORE
from tiling.windows import Window

SALINAS_CLASSES = (
    LegendClass(value=1, name="broccoli", name_zh="西兰花", color="#3f7d3a"),
    LegendClass(value=10, name="corn, senesced", name_zh="枯黄玉米", color="#e0b03c"),
    LegendClass(value=11, name="romaine, 4 weeks", name_zh="四周龄生菜", color="#c9e2b3"),
    LegendClass(value=12, name="romaine, 5 weeks", name_zh="五周龄生菜", color="#8fc06a"),
    LegendClass(value=13, name="romaine, 6 weeks", name_zh="六周龄生菜", color="#3b9ab2"),
    LegendClass(value=14, name="romaine, 7 weeks", name_zh="七周龄生菜", color="#7b5ea7"),
)
LEGENDS = {"enmap_potsdam": SPECTRA_CLASSES, "salinas_a": SALINAS_CLASSES}
"""Classes of the two scenes."""
SALINAS_PIXEL, SALINAS_TILE = 3.7, 16  # m, px


@dataclass(frozen=True, eq=False)
class CubeChips:
    """A labelled cube in memory, and the squares it is cut into.

    Attributes
    ----------
    cube : Cube
        All bands; NaN where there is no data.
    labels : ndarray of uint8, shape (H, W)
        Class indexes, 255 where nothing is known.
    windows : tuple of Window
        Squares of one size, side by side; together they hold every label.
    classes : tuple of LegendClass
        In the order of the indexes.
    pixel_size : float
        m.
    """

    cube: Cube
    labels: LabelMap
    windows: tuple[Window, ...]
    classes: tuple[LegendClass, ...]
    pixel_size: float

    @property
    def counts(self) -> NDArray[np.int64]:
        """Labelled pixels of each chip by class, (N, K)."""
        found = [
            np.bincount(labels[labels != IGNORE], minlength=len(self.classes))
            for labels in cut(self.labels, self.windows)
        ]
        return np.stack(found).astype(np.int64)

    def only(self, names: Sequence[str]) -> CubeChips:
        """Keep some classes; the pixels of others count as unlabelled.

        Parameters
        ----------
        names : sequence of str
            Classes to tell apart, in the order wanted; none means all.

        Returns
        -------
        CubeChips
            With new indexes.

        Raises
        ------
        UsageError
            If a class is not there.
        """
        if not names:
            return self
        kept = choose_classes(self.classes, names)
        codes = np.full(256, IGNORE, np.uint8)
        for index, entry in enumerate(kept):
            codes[self.classes.index(entry)] = index
        return replace(self, labels=codes[self.labels], classes=kept)


def choose_classes(
    classes: Sequence[LegendClass], names: Sequence[str]
) -> tuple[LegendClass, ...]:
    """Find classes by their names.

    Parameters
    ----------
    classes : sequence of LegendClass
        Those there are.
    names : sequence of str
        Those wanted; none means all.

    Returns
    -------
    tuple of LegendClass
        In the order of the names.

    Raises
    ------
    UsageError
        If a class is not there.
    """
    have = {entry.name: entry for entry in classes}
    missing = [name for name in names if name not in have]
    if missing:
        raise UsageError(f"there is no class '{missing[0]}': choose from {', '.join(have)}")
    return tuple(have[name] for name in names) if names else tuple(classes)


def read_cube_chips(name: str, folder: str | Path) -> CubeChips:
    """Read one of the two labelled hyperspectral scenes, or its stand-in.

    Parameters
    ----------
    name : str
        ``enmap_potsdam``, GeoTIFF tiles of 32 px; or ``salinas_a``, MATLAB files, which is cut
        into squares of 16 px.
    folder : str or Path
        What `rs_workbench.standin_files.fetch_or_draw` gave.

    Returns
    -------
    CubeChips
        Everything in memory.

    Raises
    ------
    UsageError
        If there is no such scene.
    """
    readers = {"enmap_potsdam": _read_enmap, "salinas_a": _read_salinas}
    if name not in readers:
        raise UsageError(f"there is no labelled cube '{name}': choose from {', '.join(readers)}")
    return readers[name](Path(folder))


def _read_enmap(folder: Path) -> CubeChips:
    """Lay the tiles where they belong, in one cube with gaps."""
    paths = sorted((folder / "images").glob("*.tif"))
    if not paths:
        raise UsageError(f"'{folder}' holds no tiles: 'images/*.tif' was looked for")
    scenes = [open_scene(path) for path in paths]
    first = open_cube(scenes[0])
    pixel = abs(scenes[0].transform.a) if scenes[0].transform else 1.0
    windows = _places(scenes, pixel)
    shape = max(w.row + w.height for w in windows), max(w.col + w.width for w in windows)
    array = np.full((first.n_bands, *shape), np.nan, np.float32)
    labels = np.full(shape, IGNORE, np.uint8)
    for path, scene, window in zip(paths, scenes, windows, strict=True):
        read = open_cube(scene).read()
        there = read.any_band if read.present is None else read.present
        array[:, *window.slices] = np.where(there, read.values, np.nan)
        codes = open_cube(folder / "labels" / path.name).read().values[0]
        labels[window.slices] = _indexes(codes, SPECTRA_CLASSES)
    cube = cube_of_array(array, wavelengths=first.wavelengths, name="enmap_potsdam")
    cube = replace(cube, band_names=first.band_names, good=first.good)
    return CubeChips(cube, labels, windows, SPECTRA_CLASSES, pixel)


def _places(scenes: Sequence[Any], pixel: float) -> tuple[Window, ...]:
    corners = np.array([[-scene.transform.f, scene.transform.c] for scene in scenes])
    places = np.rint((corners - corners.min(axis=0)) / pixel).astype(int)
    return tuple(
        Window(int(row), int(col), *scene.shape)
        for (row, col), scene in zip(places, scenes, strict=True)
    )


def _read_salinas(folder: Path) -> CubeChips:
    """Cut the scene into squares; those at the rim go beyond it, into nothing."""
    cube = open_cube(folder / "salinasA_corrected.mat")
    codes = read_matlab_labels(folder / "salinasA_gt.mat")
    side = SALINAS_TILE
    height, width = (-(-size // side) * side for size in cube.shape)
    more = (0, height - cube.shape[0]), (0, width - cube.shape[1])
    values = cube.read().values.astype(np.float32)
    array = np.pad(values, ((0, 0), *more), constant_values=np.nan)
    labels = np.pad(_indexes(codes, SALINAS_CLASSES), more, constant_values=IGNORE)
    windows = tuple(
        Window(row, col, side, side)
        for row in range(0, height, side)
        for col in range(0, width, side)
    )
    padded = cube_of_array(array, wavelengths=cube.wavelengths, name="salinas_a")
    return CubeChips(padded, labels, windows, SALINAS_CLASSES, SALINAS_PIXEL)


def _indexes(codes: NDArray[Any], classes: Sequence[LegendClass]) -> LabelMap:
    labels = np.full(codes.shape, IGNORE, np.uint8)
    for index, entry in enumerate(classes):
        labels[codes == entry.value] = index
    return labels


def cut(array: NDArray[Any], windows: Sequence[Window]) -> NDArray[Any]:
    """Cut windows of one size out of an array.

    Parameters
    ----------
    array : ndarray, shape (..., H, W)
        Bands or labels.
    windows : sequence of Window
        Of one size.

    Returns
    -------
    ndarray, shape (N, ..., h, w)
        One after the other.
    """
    return np.stack([array[..., *window.slices] for window in windows])


def inside(shape: tuple[int, int], windows: Sequence[Window]) -> Where:
    """Say which pixels lie in one of the windows, as fits of transforms ask it.

    Parameters
    ----------
    shape : (int, int)
        Of the scene, px.
    windows : sequence of Window
        Such as those of the training part.

    Returns
    -------
    callable
        Turns a window into a mask of it.
    """
    mask = np.zeros(shape, np.bool_)
    for window in windows:
        mask[window.slices] = True
    return lambda window: mask[window.slices]
