"""CodeReader: class and buffer of every pixel of a map, read rows at a time.

A pixel's code says its class and, where it lies near a class that has a buffer, which buffer.
Rows are read with as many more above and below as the widest buffer reaches, so that any cut into
strips gives the same codes as the whole map.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import AccuracyError
from rs_workbench.raster_gdal import CACHE_BYTES
from rs_workbench.raster_reader import SceneReader
from rs_workbench.raster_scene import Scene
from rs_workbench.types import Mask
from tiling.windows import Window

MAX_CLASSES = 255
MAX_BUFFER_PX = 500
_STRIP_PIXELS = 4_000_000
_CACHE_LIMIT = 256 * 2**20
_RANGES = {"uint8": (0, 256), "int8": (-128, 256), "uint16": (0, 65536), "int16": (-32768, 65536)}
_WIDEST = (-32768, 98304)


class Buffer(NamedTuple):
    """Pixels of other classes whose centres lie within `pixels` of a pixel of a class."""

    value: int
    pixels: int


@dataclass(frozen=True)
class Codes:
    """How class and buffer make one number: ``layer * size + value - low``; layer 0 is no buffer.

    The code `absent` stands for pixels without data.
    """

    low: int
    size: int
    buffers: tuple[Buffer, ...]

    @classmethod
    def of(cls, scene: Scene, buffers: Sequence[Buffer]) -> Codes:
        """Choose a range that holds the classes of a map."""
        low, size = _RANGES.get(scene.dtype, _WIDEST)
        return cls(low, size, tuple(buffers))

    @property
    def absent(self) -> int:
        """Code of no data, and number of the other codes."""
        return self.size * (len(self.buffers) + 1)

    @property
    def halo(self) -> int:
        """Rows that a strip needs beyond its own, px."""
        return max((b.pixels for b in self.buffers), default=0)

    def value(self, code: NDArray[Any]) -> NDArray[Any]:
        """Class of codes."""
        return code % self.size + self.low

    def layer(self, code: NDArray[Any]) -> NDArray[Any]:
        """Buffer of codes, counted from 1; 0 for none."""
        return code // self.size


@dataclass(frozen=True)
class CodeReader:
    """Reads a class map as codes.

    Attributes
    ----------
    scene : Scene
        The map, as `describe_raster` returned it; its first band is read.
    codes : Codes
        What the numbers mean.
    nodata : tuple of float
        Values that mean no data besides those the map declares.
    """

    scene: Scene
    codes: Codes
    nodata: tuple[float, ...] = ()

    @property
    def strip_rows(self) -> int:
        """Rows read at a time: whole blocks of the file where they fit."""
        rows = max(1, _STRIP_PIXELS // self.scene.shape[1])
        block = self.scene.block[0]
        return rows - rows % block if rows >= block else rows

    def read(
        self, spans: Sequence[tuple[int, int]]
    ) -> Generator[tuple[int, NDArray[np.int32]], None, None]:
        """Read rows.

        Parameters
        ----------
        spans : sequence of (int, int)
            First row and number of rows, each.

        Yields
        ------
        row : int
            First row.
        codes : ndarray of int32, shape (h, W)
            Their codes.

        Raises
        ------
        SceneError
            If the map cannot be read.
        AccuracyError
            If its values are not classes.
        """
        height, width = self.scene.shape
        block_row = self.scene.block[0] * width * np.dtype(self.scene.dtype).itemsize
        cache = min(max(CACHE_BYTES, 2 * block_row), _CACHE_LIMIT)
        with SceneReader(self.scene, [1], nodata=self.nodata, cache_bytes=cache) as reader:
            for row, rows in spans:
                top = max(0, row - self.codes.halo)
                bottom = min(height, row + rows + self.codes.halo)
                read = reader.read(Window(top, 0, bottom - top, width))
                codes = self._encode(read.pixels[0], read.valid)
                yield row, codes[row - top : row - top + rows]

    def _encode(self, pixels: NDArray[Any], valid: Mask) -> NDArray[np.int32]:
        values = self._classes(pixels, valid)
        codes = values - np.int32(self.codes.low)
        free = valid
        for layer, (value, reach) in enumerate(self.codes.buffers, 1):
            own = valid & (values == value)
            near = _dilate(own, reach) & free & ~own
            codes[near] += np.int32(layer * self.codes.size)
            free = free & ~near
        codes[~valid] = self.codes.absent
        return codes

    def _classes(self, pixels: NDArray[Any], valid: Mask) -> NDArray[np.int32]:
        """Values as integers, checked where a type holds more than classes can be."""
        low, size = self.codes.low, self.codes.size
        if pixels.dtype.name not in _RANGES:
            found = pixels[valid]
            wrong = found[(found != np.floor(found)) | (found < low) | (found >= low + size)]
            if wrong.size:
                raise AccuracyError(
                    f"'{self.scene.path}' is not a class map: it holds {wrong[0]:g}, and classes "
                    f"are whole numbers from {low} to {low + size - 1}"
                )
            pixels = np.where(valid, pixels, 0)
        return pixels.astype(np.int32)


def whole_map(reader: CodeReader, strip_rows: int | None) -> list[tuple[int, int]]:
    """List the strips that cover a map.

    Parameters
    ----------
    reader : CodeReader
        Reads the map.
    strip_rows : int or None
        Height of a strip, px; None takes the reader's.

    Returns
    -------
    list of (int, int)
        First row and number of rows, each.
    """
    height, step = reader.scene.shape[0], strip_rows or reader.strip_rows
    return [(row, min(step, height - row)) for row in range(0, height, step)]


def rows_of(
    reader: CodeReader, rows: NDArray[np.int64]
) -> Iterator[tuple[int, NDArray[np.int32]]]:
    """Read some rows of a map, those of one strip in one go.

    Parameters
    ----------
    reader : CodeReader
        Reads the map.
    rows : ndarray of int64
        Rows wanted, ascending, each once.

    Yields
    ------
    row : int
        Row.
    codes : ndarray of int32, shape (W,)
        Its codes.
    """
    groups = np.split(rows, np.flatnonzero(np.diff(rows // reader.strip_rows)) + 1)
    spans = [(int(g[0]), int(g[-1] - g[0]) + 1) for g in groups if g.size]
    with closing(reader.read(spans)) as strips:
        for group, (first, codes) in zip(groups, strips, strict=False):
            for row in group.tolist():
                yield row, codes[row - first]


def _dilate(mask: Mask, reach: int) -> Mask:
    """Grow a mask by a disc whose radius is `reach`, px."""
    import cv2

    offsets = np.arange(-reach, reach + 1)
    disc = (offsets[:, None] ** 2 + offsets**2 <= reach**2).astype(np.uint8)
    return cv2.dilate(mask.astype(np.uint8), disc).astype(bool)
