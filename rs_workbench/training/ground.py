"""Ground: scenes and their labels, and how threads read them.

Scenes are read in pieces that all threads share (`PieceCache`); the files themselves belong to
one thread, which opens and closes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np

from rs_workbench.raster import Scene, ScenePixels, SceneReader
from rs_workbench.training.label_maps import Labels, Source
from rs_workbench.training.piece_cache import PieceCache, in_own_memory, piece_size
from rs_workbench.types import LabelMap, Mask, Pixels
from tiling.label_index import IGNORE
from tiling.windows import Window

MOST_OPEN = 64
"""Files that a reader keeps open."""
_Slices = tuple[slice, slice]
_Opened = TypeVar("_Opened")


@dataclass(frozen=True, eq=False)
class Ground:
    """What is read: scenes, their bands, and their labels.

    Attributes
    ----------
    scenes : tuple of Scene
        All scenes.
    bands : tuple of int
        From 1, the same in all scenes.
    nodata : tuple of float
        Values that mean no data besides those the scenes declare.
    sources : tuple of Source
        Labels, one a scene.
    cache : PieceCache
        Decoded pieces, shared by all readers of this ground, and by no other ground.
    """

    scenes: tuple[Scene, ...]
    bands: tuple[int, ...]
    nodata: tuple[float, ...]
    sources: tuple[Source, ...]
    cache: PieceCache = field(default_factory=PieceCache)

    def is_whole(self, scene: int) -> bool:
        """Whether a scene cannot have pixels without data."""
        one = self.scenes[scene]
        return one.mask_kind == "none" and not self.nodata and np.dtype(one.dtype).kind != "f"


class Piece(NamedTuple):
    """Part of a window.

    Attributes
    ----------
    place : tuple of slice
        Where in the window.
    pixels : ndarray, shape (B, h, w)
        As stored; NaN where a band has no value.
    valid : ndarray of bool, shape (h, w)
        False where there is no data.
    """

    place: _Slices
    pixels: Pixels
    valid: Mask


class GroundReader:
    """Reads pixels and labels of all scenes: `with GroundReader(ground) as reader:`.

    Open and use it in one thread.

    Parameters
    ----------
    ground : Ground
        What to read.
    """

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._stack = ExitStack()
        self._opened: dict[tuple[str, int], Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._opened.clear()
        self._stack.close()

    def _open(self, key: tuple[str, int], make: Callable[[], _Opened]) -> _Opened:
        """Give an open file; all are closed where there are too many."""
        if key not in self._opened:
            if len(self._opened) >= MOST_OPEN:
                self._close()
            self._opened[key] = make()
        return self._opened[key]

    def pieces(self, scene: int, window: Window) -> Iterator[Piece]:
        """Read pixels of a window that lies inside a scene.

        Parameters
        ----------
        scene : int
            Position of the scene.
        window : Window
            Pixels.

        Yields
        ------
        Piece
            Parts of the window, together the whole.

        Raises
        ------
        SceneError
            If the file cannot be read.
        """
        one, bands = self.ground.scenes[scene], self.ground.bands
        pixel_bytes = len(bands) * np.dtype(one.dtype).itemsize + 1
        size = piece_size(one.shape, one.block, pixel_bytes)
        if size is None:
            yield Piece((slice(None), slice(None)), *self._read(scene, window))
            return
        for piece, place, inside in _cut(window, one.shape, size):
            key = ("image", scene, piece.row, piece.col)
            pixels, valid = self.ground.cache.get(key, partial(self._keep, scene, piece))
            yield Piece(place, pixels[..., *inside], valid[inside])

    def stored(self, scene: int, window: Window) -> ScenePixels:
        """Read a window as the file stores it; nothing is kept.

        Parameters
        ----------
        scene : int
            Position of the scene.
        window : Window
            Pixels inside the scene.

        Returns
        -------
        ScenePixels
            Pixels, valid mask and missing values.

        Raises
        ------
        SceneError
            If the file cannot be read.
        """
        return self._open(("image", scene), lambda: self._scene_reader(scene)).read(window)

    def _read(self, scene: int, window: Window) -> tuple[Pixels, Mask]:
        """Pixels, NaN where a band has no value, and valid mask of a window."""
        pixels, valid, missing = self.stored(scene, window)
        return pixels if missing is None else np.where(missing, np.float32(np.nan), pixels), valid

    def _keep(self, scene: int, window: Window) -> tuple[tuple[Pixels, Mask], int]:
        """Give the same for the cache, and its bytes."""
        pixels, valid = (in_own_memory(part) for part in self._read(scene, window))
        return (pixels, valid), pixels.nbytes + valid.nbytes

    def _scene_reader(self, scene: int) -> SceneReader:
        one = SceneReader(self.ground.scenes[scene], self.ground.bands, nodata=self.ground.nodata)
        return self._stack.enter_context(one)

    def labels(self, scene: int, window: Window) -> LabelMap:
        """Read labels of a window that lies inside a scene.

        Parameters
        ----------
        scene : int
            Position of the scene.
        window : Window
            Pixels.

        Returns
        -------
        ndarray of uint8, shape (h, w)
            Class indexes; `IGNORE` where there is no label or no data.

        Raises
        ------
        WorkbenchError
            If a file cannot be read, or a label means no class.
        """
        out = self.stored_labels(scene, window)
        if self.ground.is_whole(scene) or (out == IGNORE).all():
            return out
        for piece in self.pieces(scene, window):
            out[piece.place][~piece.valid] = IGNORE
        return out

    def stored_labels(self, scene: int, window: Window) -> LabelMap:
        """Read labels, those without data too.

        Parameters
        ----------
        scene : int
            Position of the scene.
        window : Window
            Pixels inside the scene.

        Returns
        -------
        ndarray of uint8, shape (h, w)
            Class indexes, or `IGNORE`.

        Raises
        ------
        WorkbenchError
            If a file cannot be read, or a label means no class.
        """
        shape, block = self.ground.scenes[scene].shape, self.ground.sources[scene].block
        size = piece_size(shape, block, 1)
        if size is None:
            return self._read_labels(scene, window)
        out = np.empty((window.height, window.width), np.uint8)
        for piece, place, inside in _cut(window, shape, size):
            key = ("labels", scene, piece.row, piece.col)
            found = self.ground.cache.get(key, partial(self._keep_labels, scene, piece))
            out[place] = found[inside]
        return out

    def _read_labels(self, scene: int, window: Window) -> LabelMap:
        return self._open(("labels", scene), lambda: self._label_reader(scene)).read(window)

    def _keep_labels(self, scene: int, window: Window) -> tuple[LabelMap, int]:
        labels = in_own_memory(self._read_labels(scene, window))
        return labels, labels.nbytes

    def _label_reader(self, scene: int) -> Labels:
        reader = self.ground.sources[scene].open()
        self._stack.callback(reader.close)
        return reader


def _cut(
    window: Window, shape: tuple[int, int], size: tuple[int, int]
) -> Iterator[tuple[Window, _Slices, _Slices]]:
    """Cut a window where pieces begin: the piece, its place in the window, and the part of it."""
    for top in range(window.row // size[0] * size[0], window.row + window.height, size[0]):
        for left in range(window.col // size[1] * size[1], window.col + window.width, size[1]):
            height, width = min(size[0], shape[0] - top), min(size[1], shape[1] - left)
            first = max(top, window.row), max(left, window.col)
            stop = (
                min(top + height, window.row + window.height),
                min(left + width, window.col + window.width),
            )
            part = stop[0] - first[0], stop[1] - first[1]
            place = Window(first[0] - window.row, first[1] - window.col, *part)
            inside = Window(first[0] - top, first[1] - left, *part)
            yield Window(top, left, height, width), place.slices, inside.slices
