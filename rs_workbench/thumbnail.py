"""A small picture of the scene, taken while its pixels pass by.

A quick look of a large scene without overviews would otherwise decode the whole scene again. The
picture lies in the work folder of the run, so it is whole after a stop, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from rs_workbench.journal import RawLayer, RawSpec, explain_disk_errors
from rs_workbench.types import Mask, Pixels
from tiling import Window, round_up

SIDE = 1600
"""Longest side kept, px: a few pixels for each of the picture's."""


class Thumbnail:
    """Every n-th row and column of some bands of a scene.

    Parameters
    ----------
    folder : Path
        Where it is kept.
    shape : (int, int)
        Height and width of the scene, px.
    bands : sequence of int
        Which of the bands read are kept, from 0.
    dtype : str
        Pixel type of the scene.
    """

    def __init__(
        self, folder: Path, shape: tuple[int, int], bands: Sequence[int], dtype: str
    ) -> None:
        self.bands = list(bands)
        self.step = max(1, -(-max(shape) // SIDE))
        self.shape = (-(-shape[0] // self.step), -(-shape[1] // self.step))
        specs = RawSpec("view", dtype, len(self.bands)), RawSpec("view_valid", "uint8")
        self.folder = folder
        with explain_disk_errors(folder):
            self._pixels, self._valid = (
                RawLayer(folder / f"{spec.name}.raw", spec, self.shape) for spec in specs
            )

    def take(self, window: Window, pixels: Pixels, valid: Mask) -> None:
        """Keep what falls on the thumbnail of a window just read.

        Parameters
        ----------
        window : Window
            Where it lies in the scene.
        pixels : ndarray, shape (B, h, w)
            Pixels as read.
        valid : ndarray of bool, shape (h, w)
            Which of them are data.
        """
        top, left = round_up(window.row, self.step), round_up(window.col, self.step)
        if top >= window.row + window.height or left >= window.col + window.width:
            return
        rows = slice(top - window.row, None, self.step)
        cols = slice(left - window.col, None, self.step)
        kept = valid[rows, cols]
        place = Window(top // self.step, left // self.step, *kept.shape)
        with explain_disk_errors(self.folder):
            self._pixels.write(place, pixels[self.bands, rows, cols])
            self._valid.write(place, kept[None])
            self._pixels.flush()
            self._valid.flush()

    def close(self) -> None:
        """Close the files."""
        self._pixels.close()
        self._valid.close()

    def reduced(self, shape: tuple[int, int]) -> tuple[Pixels, Mask]:
        """Average it down to the size of a picture; the files must be closed.

        Parameters
        ----------
        shape : (int, int)
            Height and width wanted, px.

        Returns
        -------
        pixels : ndarray of float32, shape (B, H, W)
            Means of the valid pixels.
        valid : ndarray of bool, shape (H, W)
            False where there is no data.
        """
        dtype = np.dtype(self._pixels.spec.dtype)
        pixels = np.fromfile(self._pixels.path, dtype).reshape(-1, *self.shape)
        valid = np.fromfile(self._valid.path, np.uint8).reshape(self.shape) > 0
        valid &= np.isfinite(pixels).all(axis=0)
        weight = _reduce(valid.astype(np.float32), shape)
        bands = [_reduce(np.where(valid, band, 0).astype(np.float32), shape) for band in pixels]
        seen = weight > 0
        return np.stack(bands) / np.where(seen, weight, 1), seen


def _reduce(band: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return cv2.resize(band, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
