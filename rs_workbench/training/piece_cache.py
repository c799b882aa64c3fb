"""PieceCache: decoded pieces of scenes, shared by threads, within a budget of bytes.

A chip of a small file costs decoding the file, since most formats cannot be entered in the middle.
Kept pieces make a second chip from there as cheap as one from memory.
"""

from __future__ import annotations

import mmap
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tiling.windows import round_up

CACHE_BYTES = 128 << 20
PIECE_BYTES = 8 << 20
"""Most bytes of a piece: a scene that has no more is one piece."""
_LEAST_SIDE = 256
"""px"""
_OWN_BYTES = 64 << 10
_T = TypeVar("_T", bound=np.generic)


class PieceCache:
    """Keep what was made last, oldest use first out.

    Parameters
    ----------
    limit : int
        Bytes to keep.
    """

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._held: OrderedDict[Hashable, Future[Any]] = OrderedDict()
        self._sizes: dict[Hashable, int] = {}
        self._bytes = 0

    @property
    def n_bytes(self) -> int:
        """Bytes that are kept."""
        return self._bytes

    def get(self, key: Hashable, make: Callable[[], tuple[Any, int]]) -> Any:
        """Give a piece; where it is not kept, make it. Others who ask for it meanwhile wait.

        Parameters
        ----------
        key : hashable
            Names the piece.
        make : callable
            Gives the piece and its bytes; its error reaches all who wait, and the next who asks
            makes the piece again.

        Returns
        -------
        object
            The piece; to be left as it is.
        """
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            else:
                mine = self._held[key] = Future()
        if found is not None:
            return found.result()
        return self._make(key, mine, make)

    def _make(self, key: Hashable, mine: Future[Any], make: Callable[[], tuple[Any, int]]) -> Any:
        try:
            piece, size = make()
        except BaseException as error:
            with self._lock:
                self._held.pop(key, None)
            mine.set_exception(error)
            raise
        mine.set_result(piece)
        with self._lock:
            self._sizes[key] = size
            self._bytes += size
            self._forget()
        return piece

    def _forget(self) -> None:
        """Drop finished pieces, oldest use first, until the budget is kept."""
        for key in list(self._held):
            if self._bytes <= self.limit:
                return
            if key in self._sizes:
                self._bytes -= self._sizes.pop(key)
                del self._held[key]


def piece_size(
    shape: tuple[int, int], block: tuple[int, int], pixel_bytes: int
) -> tuple[int, int] | None:
    """Choose the pieces that a scene is decoded in: whole blocks of its file.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the scene, px.
    block : (int, int)
        Height and width of the blocks that the file stores.
    pixel_bytes : int
        Bytes of a pixel, all bands.

    Returns
    -------
    tuple of int, or None
        Height and width of a piece; the whole scene where it is small. None where a single row
        of blocks is larger than a piece may be: then windows are read as they come.

    Examples
    --------
    >>> piece_size((608, 608), (1, 608), 3), piece_size((9000, 9000), (128, 128), 4)
    ((608, 608), (256, 256))
    """
    height, width = shape
    if height * width * pixel_bytes <= PIECE_BYTES:
        return shape
    cols = min(round_up(_LEAST_SIDE, block[1]), width)
    most = PIECE_BYTES // (cols * pixel_bytes)
    rows = min(round_up(_LEAST_SIDE, block[0]), most // block[0] * block[0])
    return (min(rows, height), cols) if rows else None


def in_own_memory(array: NDArray[_T]) -> NDArray[_T]:
    """Copy an array to memory that goes back to the system as soon as it is dropped.

    Arrays of some hundred KiB that threads make and drop leave holes among others, which no
    other array fits: with them a process grows to twice what it holds.

    Parameters
    ----------
    array : ndarray
        Any array.

    Returns
    -------
    ndarray
        The same values; the array itself where it is small.
    """
    if array.nbytes < _OWN_BYTES:
        return array
    copy = np.frombuffer(mmap.mmap(-1, array.nbytes), array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
