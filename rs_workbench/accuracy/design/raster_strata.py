"""count_strata: the strata of a class map of any size.

A stratum is a class, or the pixels near a class that are not of it: where the map puts the edge of
a rare class, omissions are likely, and a stratum of their own keeps them from ruling the standard
error of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.design.raster_codes import (
    MAX_BUFFER_PX,
    MAX_CLASSES,
    Buffer,
    CodeReader,
    Codes,
    whole_map,
)
from rs_workbench.errors import AccuracyError, UsageError
from rs_workbench.raster_area import scene_area_ha
from rs_workbench.raster_scene import Scene, describe_raster


class StratumKey(NamedTuple):
    """What a stratum is: class `value`, or pixels within `within_px` of it that are not of it."""

    value: int
    within_px: int = 0


@dataclass(frozen=True)
class MapStrata:
    """The strata of a map, counted.

    Attributes
    ----------
    scene : Scene
        The map.
    values : tuple of int
        Classes found on it, ascending.
    keys : tuple of StratumKey
        The strata: classes in the order of `values`, then buffers. A stratum without a pixel is
        left out.
    pixels : ndarray of int64, shape (S,)
        Pixels of each.
    area_ha : ndarray of float64, shape (S,), or None
        Area of each; None without map units.
    row_area_ha : ndarray of float64, shape (H,), or None
        Area of a pixel of each row, where rows differ in it.
    mapped_pixels : ndarray of int64, shape (S, K)
        Pixels of each class in each stratum.
    row_pixels : ndarray of int64, shape (H, S)
        Pixels of each stratum in each row.
    """

    scene: Scene
    values: tuple[int, ...]
    keys: tuple[StratumKey, ...]
    pixels: NDArray[np.int64]
    area_ha: NDArray[np.float64] | None
    row_area_ha: NDArray[np.float64] | None
    mapped_pixels: NDArray[np.int64]
    row_pixels: NDArray[np.int64]
    reader: CodeReader = field(repr=False)

    @property
    def n_population(self) -> int:
        """Pixels with data."""
        return int(self.pixels.sum())

    @property
    def weights(self) -> NDArray[np.float64]:
        """Area share of each stratum; share of pixels without map units."""
        size = self.pixels if self.area_ha is None else self.area_ha
        share: NDArray[np.float64] = size / size.sum()
        return share


def count_strata(
    map_path: str | Path,
    *,
    buffers: Mapping[int, int] | None = None,
    nodata: Sequence[float] = (),
    strip_rows: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> MapStrata:
    """Count the pixels and the area of each stratum of a class map.

    Parameters
    ----------
    map_path : str or Path
        The map; its first band holds classes. 0 may be a class.
    buffers : mapping of int to int, optional
        Class to distance, px: pixels not of the class whose centres lie within that distance of a
        pixel of it become a stratum. A pixel near two such classes goes to the first.
    nodata : sequence of float
        Values that mean no data besides those the map declares.
    strip_rows : int, optional
        Height of a strip, px; the result does not depend on it.
    on_progress : callable, optional
        Called with (strips done, strips to do).

    Returns
    -------
    MapStrata
        Pixels without data are in none.

    Raises
    ------
    SceneError
        If the map cannot be read.
    AccuracyError
        If it is no class map, has no pixel with data, or lacks a class that has a buffer.
    UsageError
        If a buffer is not from 1 to 500 px wide.
    """
    scene = describe_raster(map_path)
    wanted = [Buffer(value, pixels) for value, pixels in (buffers or {}).items()]
    _check_buffers(scene, wanted)
    reader = CodeReader(scene, Codes.of(scene, wanted), tuple(nodata))
    rows, codes, counts = _count_rows(reader, strip_rows, on_progress)
    if not len(codes):
        raise AccuracyError(
            f"'{map_path}' has no pixel with data: check its nodata value with  gdalinfo"
        )
    return _summed(reader, rows, codes, counts)


def _check_buffers(scene: Scene, buffers: Sequence[Buffer]) -> None:
    for value, pixels in buffers:
        if not 1 <= pixels <= MAX_BUFFER_PX:
            raise UsageError(
                f"a buffer must be from 1 to {MAX_BUFFER_PX} px wide: got {pixels} for class "
                f"{value}"
            )
    if "complex" in scene.dtype:
        raise AccuracyError(f"'{scene.path}' is not a class map: its values are {scene.dtype}")


def _count_rows(
    reader: CodeReader,
    strip_rows: int | None,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Row, code and number of pixels, for each code that a row has."""
    found: list[NDArray[np.int64]] = []
    seen: set[int] = set()
    spans = whole_map(reader, strip_rows)
    absent = reader.codes.absent
    for done, (first, strip) in enumerate(reader.read(spans), 1):
        for row, codes in enumerate(strip, first):
            counts = np.bincount(codes, minlength=absent)[:absent]
            present = np.flatnonzero(counts)
            found.append(np.stack([np.full(present.size, row), present, counts[present]]))
            seen.update(reader.codes.value(present).tolist())
        if len(seen) > MAX_CLASSES:
            raise AccuracyError(
                f"'{reader.scene.path}' holds more than {MAX_CLASSES} different values: give a "
                "class map, not an image"
            )
        if on_progress is not None:
            on_progress(done, len(spans))
    rows, codes, counts = np.concatenate(found, axis=1)
    return rows, codes, counts


def _summed(
    reader: CodeReader,
    rows: NDArray[np.int64],
    codes: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> MapStrata:
    values = np.unique(reader.codes.value(codes))
    missing = [b.value for b in reader.codes.buffers if b.value not in values]
    if missing:
        raise AccuracyError(
            f"class {missing[0]} has a buffer, but is not on the map '{reader.scene.path}', which "
            f"holds {', '.join(map(str, values.tolist()))}"
        )
    keys = [StratumKey(v) for v in values.tolist()]
    keys += [StratumKey(*b) for b in reader.codes.buffers]
    stratum = _stratum_of(reader.codes, values, codes)
    by_row = np.zeros((reader.scene.shape[0], len(keys)), np.int64)
    np.add.at(by_row, (rows, stratum), counts)
    mapped = np.zeros((len(keys), len(values)), np.int64)
    np.add.at(mapped, (stratum, np.searchsorted(values, reader.codes.value(codes))), counts)
    pixels = by_row.sum(axis=0)
    kept = np.flatnonzero(pixels)
    area = scene_area_ha(reader.scene)
    return MapStrata(
        scene=reader.scene,
        values=tuple(values.tolist()),
        keys=tuple(keys[i] for i in kept),
        pixels=pixels[kept],
        area_ha=_areas(area, by_row[:, kept]),
        row_area_ha=area if isinstance(area, np.ndarray) else None,
        mapped_pixels=mapped[kept],
        row_pixels=by_row[:, kept],
        reader=reader,
    )


def _areas(
    area: NDArray[np.float64] | float | None, by_row: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Area of each stratum from the area of a pixel, of each row where rows differ."""
    if area is None:
        return None
    return area @ by_row if isinstance(area, np.ndarray) else by_row.sum(axis=0) * area


def _stratum_of(
    codes: Codes, values: NDArray[np.int64], code: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Place of a code's stratum in the list of classes, then buffers."""
    layer = codes.layer(code)
    place = np.searchsorted(values, codes.value(code))
    return np.where(layer == 0, place, len(values) + layer - 1).astype(np.int64)
