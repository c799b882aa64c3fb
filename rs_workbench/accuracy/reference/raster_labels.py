"""LabelReader: the labels of a raster as bytes, whatever type and mask it has.

A raster of bytes without a mask is read as it is. Any other is turned into bytes on the way, so
that counting sees one type only. `LabelSource.axis` says what each byte means.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from rs_workbench.accuracy.reference.label_values import NOTHING, Value, value_axis
from rs_workbench.errors import AccuracyError
from rs_workbench.raster_gdal import GDAL_ERRORS, gdal_settings, open_dataset, reason
from rs_workbench.raster_scene import Scene

CACHE_BYTES = 64 << 20
_BEYOND = 254
_EXACT_PX = 1e-9  # as good as 0, with which rasterio 1.4 makes no dataset
_RESAMPLING = {"nearest": Resampling.nearest, "majority": Resampling.mode}


@dataclass(frozen=True)
class LabelSource:
    """A raster of labels and how to read it.

    Attributes
    ----------
    scene : Scene
        The raster.
    role : {'map', 'reference', 'labels'}
        For messages.
    nothing : tuple of float
        Values that mean no data or no label; NaN is always among them.
    out_of_scope : tuple of float
        Values that are not of interest.
    recode : mapping
        Class that a value stands for.
    grid : Scene or None
        Grid to resample to.
    resample : {'nearest', 'majority'}
        How.
    strict : bool
        Whether values that `recode` does not name are refused. The bytes read of a raster
        `as_stored` are left as they are, for the caller to judge.
    """

    scene: Scene
    role: str
    nothing: tuple[float, ...] = ()
    out_of_scope: tuple[float, ...] = ()
    recode: Mapping[Value, int] = field(default_factory=dict)
    grid: Scene | None = None
    resample: str = "nearest"
    strict: bool = False

    @property
    def masked(self) -> bool:
        """Whether a second band must be read to tell valid pixels."""
        resampled = self.grid is not None and self.scene.nodata[0] is None
        return resampled or self.scene.mask_kind in ("mask", "alpha")

    @property
    def as_stored(self) -> bool:
        """Whether the bytes of the file are the codes."""
        return self.scene.dtypes[0] == "uint8" and not self.masked

    @property
    def axis(self) -> NDArray[np.float64]:
        """Class value of each byte read; NaN for none, infinity for out of scope."""
        if self.as_stored:
            return value_axis(self.nothing, self.out_of_scope, self.recode)
        return value_axis((NOTHING,), (_BEYOND,) if self.out_of_scope else ())


class LabelReader:
    """Reads windows of labels; to be used in one thread, which opens and closes the file.

    Parameters
    ----------
    source : LabelSource
        What to read.
    cache_bytes : int
        Budget of GDAL's block cache, in bytes.
    """

    def __init__(self, source: LabelSource, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._source, self._cache_bytes = source, cache_bytes
        self._stack = ExitStack()
        self._opened: rasterio.DatasetReader | None = None

    def read(self, window: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        """Read the labels of a window.

        Parameters
        ----------
        window : tuple of int, (row, col, height, width)
            In pixels of the raster, or of `grid` where it is resampled.

        Returns
        -------
        ndarray of uint8, shape (height, width)
            Codes, see `LabelSource.axis`.

        Raises
        ------
        AccuracyError
            If the file cannot be read, or a value cannot be a class.
        """
        row, col, height, width = window
        where = Window(col, row, width, height)
        try:
            dataset = self._dataset()
            pixels = dataset.read(1, window=where)
            valid = self._read_mask(dataset, where) if self._source.masked else None
        except GDAL_ERRORS as error:
            raise AccuracyError(
                f"'{self._source.scene.name}' cannot be read ({reason(error)}): copy it again "
                "from its source"
            ) from error
        return pixels if self._source.as_stored else encode(pixels, self._source, valid)

    def close(self) -> None:
        """Close the file."""
        self._opened = None
        self._stack.close()

    def _dataset(self) -> rasterio.DatasetReader:
        if self._opened is None:
            self._stack.enter_context(gdal_settings(self._cache_bytes))
            self._opened = self._stack.enter_context(open_dataset(self._source.scene.path))
            if self._source.grid is not None:
                warped = _warped(self._opened, self._source, self._source.grid)
                self._opened = self._stack.enter_context(warped)
        return self._opened

    def _read_mask(self, dataset: rasterio.DatasetReader, where: Window) -> NDArray[np.bool_]:
        alpha = self._source.scene.alpha
        if self._source.grid is not None:
            alpha = dataset.count
        if alpha is None:
            return np.asarray(dataset.read_masks(1, window=where)) != 0
        return np.asarray(dataset.read(alpha, window=where)) != 0


def _warped(dataset: rasterio.DatasetReader, source: LabelSource, grid: Scene) -> WarpedVRT:
    """See the reference on the map's grid; an alpha band says where it has pixels."""
    assert grid.transform is not None
    return WarpedVRT(
        dataset,
        crs=CRS.from_wkt(grid.crs_wkt) if grid.crs_wkt else dataset.crs,
        transform=grid.transform,
        height=grid.shape[0],
        width=grid.shape[1],
        resampling=_RESAMPLING[source.resample],
        tolerance=_EXACT_PX,
        add_alpha=source.masked and source.scene.alpha is None,
    )


def encode(
    pixels: NDArray[Any], source: LabelSource, valid: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """Turn labels of any type into bytes.

    Parameters
    ----------
    pixels : ndarray, shape (H, W)
        As stored.
    source : LabelSource
        Says what values mean.
    valid : ndarray of bool, shape (H, W), optional
        False where there is no label.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        The class, 254 for out of scope where the source declares such values, 255 for none.

    Raises
    ------
    AccuracyError
        If a value is a fraction or cannot be the value of a class; or, where the source is
        strict, if none names it.
    """
    codes = np.full(pixels.shape, NOTHING, np.uint8)
    left = np.ones(pixels.shape, np.bool_) if valid is None else valid.copy()
    if pixels.dtype.kind == "f":
        left &= ~np.isnan(pixels)
    for values, code in ((source.nothing, NOTHING), (source.out_of_scope, _BEYOND)):
        chosen = left & np.isin(pixels, [v for v in values if v == v])
        codes[chosen] = code
        left &= ~chosen
    recoded = [(v, c) for v, c in source.recode.items() if not isinstance(v, str)]
    for value, target in recoded:
        chosen = left & (pixels == value)
        codes[chosen] = target
        left &= ~chosen
    limit = _BEYOND if source.out_of_scope else NOTHING
    strange = left.copy() if source.strict else left & ~((pixels >= 0) & (pixels < limit))
    if pixels.dtype.kind == "f":
        strange |= left & (pixels != np.rint(pixels))
    if strange.any():
        raise AccuracyError(_strange(pixels[strange], source))
    np.copyto(codes, pixels, casting="unsafe", where=left)
    return codes


def _strange(values: NDArray[Any], source: LabelSource) -> str:
    listed = ", ".join(f"{v:g}" for v in np.unique(values)[:5].tolist())
    if source.strict:
        return not_a_class(listed, source)
    what, remedy = {
        "map": ("class map", "declare it with --map-nodata, or give another map"),
        "reference": (
            "reference",
            "recode it with --recode, or declare it with --unlabelled or --out-of-scope",
        ),
    }[source.role]
    return (
        f"'{source.scene.name}' holds {listed}, which cannot be the class of a {what} (whole "
        f"numbers from 0 to 254): {remedy}"
    )


def not_a_class(listed: str, source: LabelSource) -> str:
    """Say that values of a raster of labels mean no class.

    Parameters
    ----------
    listed : str
        The values.
    source : LabelSource
        Its `recode` names the values that do.

    Returns
    -------
    str
        One sentence.
    """
    known = ", ".join(f"{value:g}" for value in source.recode if not isinstance(value, str))
    return (
        f"'{source.scene.name}' holds {listed}, which no class names (labels of the classes are "
        f"{known or 'none'}): add a class, or the value to the labels of one, or to unlabelled"
    )
