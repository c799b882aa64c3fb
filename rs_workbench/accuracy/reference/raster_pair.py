"""RasterPair: a class map and a reference raster, read side by side in bounded memory.

Each raster is read in a thread of its own, a few windows ahead, so that reading both takes no
longer than reading the slower one where there are cores for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.reference.label_values import NOTHING, LabelValues, numbers
from rs_workbench.accuracy.reference.raster_grid import Alignment, align
from rs_workbench.accuracy.reference.raster_labels import LabelSource
from rs_workbench.accuracy.reference.raster_windows import Window, intersect, reading_ahead
from rs_workbench.errors import AccuracyError
from rs_workbench.raster_scene import Scene, describe_raster


@dataclass(frozen=True)
class RasterPair:
    """A map, a reference, and how the one lies on the other.

    Attributes
    ----------
    map_source, reference_source : LabelSource
        The two rasters and what their values mean.
    alignment : Alignment
        Offset and overlap, in pixels of the map.
    """

    map_source: LabelSource
    reference_source: LabelSource
    alignment: Alignment

    @property
    def shape(self) -> tuple[int, int]:
        """Size of the map, px."""
        return self.map_source.scene.shape

    @property
    def grid_policy(self) -> str:
        """How the two grids were brought together, in words."""
        return self.alignment.policy

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader must know, one sentence each."""
        return self.alignment.warnings

    @property
    def outside(self) -> int:
        """Pixels of the reference that lie beyond the map; 0 where it is resampled."""
        if self.alignment.resampled:
            return 0
        height, width = self.reference_source.scene.shape
        return height * width - self.alignment.overlap[2] * self.alignment.overlap[3]


class PairWindow(NamedTuple):
    """The labels of one window of the map.

    `reference` covers `inside`, the part of the window that the reference covers; both are None
    where it covers none of it. Codes are bytes, `LabelSource.axis` gives their classes.
    """

    window: Window
    map_codes: NDArray[np.uint8]
    reference: NDArray[np.uint8] | None
    inside: Window | None

    @property
    def map_inside(self) -> NDArray[np.uint8]:
        """Codes of the map where the reference covers it."""
        if self.inside is None:
            return self.map_codes[:0, :0]
        row, col = self.inside[0] - self.window[0], self.inside[1] - self.window[1]
        return self.map_codes[row : row + self.inside[2], col : col + self.inside[3]]


def open_pair(
    map_path: str | Path,
    reference_path: str | Path,
    *,
    resample: str | None = None,
    values: LabelValues | None = None,
) -> RasterPair:
    """Look at a map and a reference raster and find how to compare them.

    Parameters
    ----------
    map_path, reference_path : str or Path
        Class map and reference; one band each, beside transparency.
    resample : {'nearest', 'majority'}, optional
        How to bring the reference to the map's grid where the two differ. Without it, grids must
        be the same, or shifted by whole pixels.
    values : LabelValues, optional
        What values of the reference, and nodata of the map, mean.

    Returns
    -------
    RasterPair
        Nothing is read yet.

    Raises
    ------
    AccuracyError
        If the two cannot be compared as asked.
    SceneError
        If a file cannot be opened.
    """
    given = values or LabelValues()
    map_scene, reference = _one_band(map_path, "map"), _one_band(reference_path, "reference")
    alignment = align(map_scene, reference, resample=resample)
    return RasterPair(
        map_source(map_scene, given),
        LabelSource(
            reference,
            "reference",
            nothing=(*_declared(reference), *numbers(given.unlabelled)),
            out_of_scope=numbers(given.out_of_scope),
            recode=given.recode,
            grid=map_scene if alignment.resampled else None,
            resample=resample or "nearest",
        ),
        alignment,
    )


def map_source(scene: Scene, values: LabelValues) -> LabelSource:
    """Say how a class map is to be read.

    Parameters
    ----------
    scene : Scene
        The map.
    values : LabelValues
        Its `map_nodata` is used.

    Returns
    -------
    LabelSource
        Declared nodata, and 255, mean no data.
    """
    return LabelSource(scene, "map", nothing=(*_declared(scene), NOTHING, *values.map_nodata))


def open_map(path: str | Path) -> Scene:
    """Describe a class map.

    Parameters
    ----------
    path : str or Path
        The map.

    Returns
    -------
    Scene
        With one band of data.

    Raises
    ------
    AccuracyError
        If it has several bands.
    """
    return _one_band(path, "map")


def _one_band(path: str | Path, role: str) -> Scene:
    scene = describe_raster(path)
    if len(scene.data_bands) != 1 or scene.data_bands[0] != 1:
        raise AccuracyError(
            f"'{scene.name}' has {len(scene.data_bands)} bands, but a {role} holds one, the class "
            f"of every pixel: take it out with  gdal_translate -b 1 '{scene.path}' classes.tif"
        )
    if scene.dtypes[0].startswith("complex"):
        raise AccuracyError(f"'{scene.name}' holds complex values: give a {role} of classes")
    return scene


def _declared(scene: Scene) -> tuple[float, ...]:
    return () if scene.nodata[0] is None else (scene.nodata[0],)


def iter_pair(pair: RasterPair, windows: Sequence[Window]) -> Iterator[PairWindow]:
    """Read both rasters, window by window.

    Parameters
    ----------
    pair : RasterPair
        From `open_pair`.
    windows : sequence of tuple of int
        Windows of the map.

    Yields
    ------
    PairWindow
        In the order of `windows`; a few are read ahead.
    """
    insides = [intersect(window, pair.alignment.overlap) for window in windows]
    shift = pair.alignment.row, pair.alignment.col
    theirs = [w and (w[0] - shift[0], w[1] - shift[1], w[2], w[3]) for w in insides]
    with (
        reading_ahead(pair.map_source, windows) as map_codes,
        reading_ahead(pair.reference_source, theirs) as reference,
    ):
        for window, inside in zip(windows, insides, strict=True):
            ours = next(map_codes)
            assert ours is not None
            yield PairWindow(window, ours, next(reference), inside)
