"""SceneReader: pixels of a window, and which of them are data.

Reading has to cost what decoding costs. So the mask is made from the pixels already read, band by
band, and a band without a single nodata pixel costs one comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from rs_workbench.errors import SceneError
from rs_workbench.raster_gdal import (
    CACHE_BYTES,
    GDAL_ERRORS,
    gdal_settings,
    open_dataset,
    read_bands,
    reason,
)
from rs_workbench.raster_resample import read_resampled
from rs_workbench.raster_scene import Scene
from rs_workbench.types import Mask, Pixels
from tiling.windows import Window

Absent = Callable[[NDArray[Any]], Mask | None]


class ScenePixels(NamedTuple):
    """What a window holds.

    Attributes
    ----------
    pixels : ndarray, shape (B, H, W)
        As stored in the scene, without scale and offset.
    valid : ndarray of bool, shape (H, W)
        False where there is no data.
    missing : ndarray of bool, shape (B, H, W), or None
        Valid pixels that lack the value of some bands; None if there are none.
    """

    pixels: Pixels
    valid: Mask
    missing: NDArray[np.bool_] | None


class SceneReader:
    """Read windows of a scene through a dataset of its own.

    Open and use it in one thread: `with SceneReader(scene, bands) as reader:`.

    A pixel is invalid where the scene's mask or alpha band is 0, where every chosen band equals
    its nodata value or one of `nodata`, or is not finite in every band. A pixel that lacks only
    some bands is valid, and those bands are reported as missing. One exception: 0, and any value
    of a uint8 band, may be a dark or a bright pixel in one band, so there it counts as measured.

    Parameters
    ----------
    scene : Scene
        What `open_scene` or `at_pixel_size` returned.
    bands : sequence of int
        Bands to read, in this order, counted from 1.
    nodata : sequence of float
        Values that mean no data besides those the scene declares.
    any_band : bool
        Count a pixel as invalid if it lacks any of the bands.
    cache_bytes : int
        Budget of GDAL's block cache, in bytes.

    Raises
    ------
    SceneError
        If the scene can no longer be opened.
    """

    def __init__(
        self,
        scene: Scene,
        bands: Sequence[int],
        *,
        nodata: Sequence[float] = (),
        any_band: bool = False,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.scene = scene
        self.bands = tuple(bands)
        self._raster = scene.native or scene
        self._dtype = np.dtype(self._raster.dtype)
        self._any_band = any_band
        self._cache_bytes = cache_bytes
        self._alpha = self._raster.alpha if self._raster.alpha not in self.bands else None
        self._indexes = [*self.bands, self._alpha] if self._alpha else list(self.bands)
        self._absent, self._reported = self._rules(nodata)
        self._stack = ExitStack()
        self._dataset: rasterio.DatasetReader | None = None

    def __enter__(self) -> SceneReader:
        self._stack.enter_context(gdal_settings(self._cache_bytes))
        try:
            self._dataset = self._stack.enter_context(open_dataset(self._raster.path))
        except GDAL_ERRORS as error:
            self._stack.close()
            raise SceneError(
                f"'{self._raster.path}' can no longer be opened ({reason(error)}): "
                "check that the file is still there"
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._dataset = None
        self._stack.close()

    def read(self, window: Window) -> ScenePixels:
        """Read a window that lies inside the scene.

        Parameters
        ----------
        window : Window
            Rectangle in pixels of the scene.

        Returns
        -------
        ScenePixels
            Pixels, valid mask and missing values.

        Raises
        ------
        SceneError
            If the file is damaged there, or has vanished.
        """
        if self.scene.native is not None:
            return ScenePixels(*read_resampled(self._read_native, self.scene, window))
        return self._read_native(window)

    def _read_native(self, window: Window) -> ScenePixels:
        read = self._read_bands(window)
        pixels = read[: len(self.bands)]
        valid, missing = self.judge(pixels)
        mask = self._mask_band(read, window)
        if mask is not None and not mask.all():
            valid &= mask.astype(bool)
            missing = None if missing is None else missing & valid
        return ScenePixels(pixels, valid, missing)

    def _read_bands(self, window: Window) -> Pixels:
        assert self._dataset is not None, "use SceneReader as a context manager"
        read = np.empty((len(self._indexes), window.height, window.width), self._dtype)
        try:
            read_bands(self._dataset, self._indexes, read, window=_raster_window(window))
        except GDAL_ERRORS as error:
            raise self._unreadable(window, error) from error
        return read

    def _mask_band(self, read: Pixels, window: Window) -> NDArray[Any] | None:
        """Alpha or mask of the window: zero where there is no data."""
        if self._alpha:
            return read[-1]
        if self._raster.mask_kind != "mask":
            return None
        assert self._dataset is not None
        try:
            mask: NDArray[Any] = self._dataset.read_masks(1, window=_raster_window(window))
        except GDAL_ERRORS as error:
            raise self._unreadable(window, error) from error
        return mask

    def _unreadable(self, window: Window, error: BaseException) -> SceneError:
        row, col, height, width = window
        return SceneError(
            f"'{self._raster.path}' cannot be read at rows {row} to {row + height - 1}, columns "
            f"{col} to {col + width - 1} ({reason(error)}): check the file with  "
            f"gdalinfo -checksum '{self._raster.path}'  or fetch it again"
        )

    def judge(self, pixels: Pixels) -> tuple[Mask, NDArray[np.bool_] | None]:
        """Find invalid pixels and missing values, looking at no more bands than needed.

        Parameters
        ----------
        pixels : ndarray, shape (B, H, W)
            The reader's bands; mask and alpha are not looked at.

        Returns
        -------
        valid : ndarray of bool, shape (H, W)
            False where there is no data.
        missing : ndarray of bool, shape (B, H, W), or None
            Valid pixels that lack some bands.
        """
        absent: list[Mask | None] = []
        look_at_all = self._any_band or any(self._reported)
        for find, band in zip(self._absent, pixels, strict=True):
            absent.append(find(band))
            if absent[-1] is None and not look_at_all:
                break
        invalid = self._combine(absent)
        valid = np.ones(pixels.shape[1:], bool) if invalid is None else ~invalid
        return valid, None if self._any_band else self._missing(absent, valid)

    def _combine(self, absent: Sequence[Mask | None]) -> Mask | None:
        found = [mask for mask in absent if mask is not None]
        if not found or (not self._any_band and len(found) < len(self.bands)):
            return None
        join = np.logical_or if self._any_band else np.logical_and
        return join.reduce(found) if len(found) > 1 else found[0]

    def _missing(self, absent: Sequence[Mask | None], valid: Mask) -> NDArray[np.bool_] | None:
        missing = None
        for index, (mask, reported) in enumerate(zip(absent, self._reported, strict=False)):
            if mask is None or not reported:
                continue
            lacking = mask & valid
            if lacking.any():
                if missing is None:
                    missing = np.zeros((len(self.bands), *valid.shape), bool)
                missing[index] = lacking
        return missing

    def _rules(self, nodata: Sequence[float]) -> tuple[list[Absent], list[bool]]:
        """Say for each band how absent values are found, and whether they are reported."""
        finders, reported = [], []
        for band in self.bands:
            declared = self._raster.nodata[band - 1]
            asked = [*nodata, *([declared] if declared is not None else [])]
            values = [
                v for v in (_as_stored(value, self._dtype) for value in asked) if v is not None
            ]
            values = list(dict.fromkeys(values))
            finders.append(_finder(values, check_finite=self._dtype.kind == "f"))
            unmistakable = self._dtype != np.uint8 and any(v != 0 for v in values)
            reported.append(unmistakable or self._dtype.kind == "f")
        return finders, reported


def _raster_window(window: Window) -> RasterWindow:
    return RasterWindow(window.col, window.row, window.width, window.height)


def _as_stored(value: float, dtype: np.dtype[Any]) -> np.generic | None:
    """Give a nodata value in the band's own type; None if no pixel can equal it."""
    if dtype.kind == "f":
        if not np.isfinite(value):
            return None
        with np.errstate(over="ignore"):
            stored = dtype.type(value)
        return stored if np.isfinite(stored) else None
    limits = np.iinfo(dtype)
    if not float(value).is_integer() or not limits.min <= value <= limits.max:
        return None
    return dtype.type(int(value))


def _finder(values: Sequence[np.generic], *, check_finite: bool) -> Absent:
    """Build the search for absent values of one band; it gives None if there are none."""

    def find(band: NDArray[Any]) -> Mask | None:
        absent: Mask | None = None
        for value in values:
            absent = _join(absent, band == value)
        if check_finite and not _sum_is_finite(band):
            absent = _join(absent, ~np.isfinite(band))
        return absent

    return find


def _sum_is_finite(band: NDArray[Any]) -> bool:
    """Tell cheaply that all values are finite: a sum is finite only if every term is."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(band.sum()))


def _join(absent: Mask | None, more: Mask) -> Mask | None:
    if not more.any():
        return absent
    return more if absent is None else absent | more
