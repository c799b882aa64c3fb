"""How GDAL is set up for every open, and what its errors say.

GDAL runs Python code from VRT files where its configuration allows it; here it never does.
Its block cache takes 5 % of the machine's memory unless told otherwise; here it has a budget.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Sequence
from typing import Any

import rasterio
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError

CACHE_BYTES = 16 * 2**20
GDAL_ERRORS = (RasterioError, CPLE_BaseError)
"""What GDAL raises: rasterio wraps its errors on most ways, but not on all."""

_REMOTE = ("/vsicurl", "/vsis3", "/vsigs", "/vsiaz", "/vsiadls", "/vsioss", "/vsiswift")
_open_lock = threading.Lock()

logging.getLogger("rasterio").addHandler(logging.NullHandler())


def gdal_settings(cache_bytes: int = CACHE_BYTES, **options: str | int) -> rasterio.Env:
    """Give the context in which every raster is opened, read and written.

    Parameters
    ----------
    cache_bytes : int
        Budget of GDAL's block cache, in bytes. The cache belongs to the whole process.
    **options : str or int
        Further configuration options of GDAL.

    Returns
    -------
    rasterio.Env
        Context manager; its options hold in the thread that enters it.
    """
    return rasterio.Env(
        GDAL_CACHEMAX=int(cache_bytes),
        GDAL_VRT_ENABLE_PYTHON="NO",
        GDAL_HTTP_MAX_RETRY=3,
        GDAL_HTTP_RETRY_DELAY=1,
        **options,
    )


def is_remote(name: str) -> bool:
    """Whether a GDAL name is read over the network."""
    return "://" in name or any(part in name for part in _REMOTE)


def open_dataset(name: str) -> rasterio.DatasetReader:
    """Open a raster without a warning about missing georeference.

    Parameters
    ----------
    name : str
        File or GDAL name.

    Returns
    -------
    rasterio.DatasetReader
        The caller closes it.
    """
    options = {"GDAL_DISABLE_READDIR_ON_OPEN": "TRUE"} if is_remote(name) else {}
    with _open_lock, warnings.catch_warnings(), rasterio.Env(**options):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(name)


def read_bands(
    dataset: rasterio.DatasetReader,
    bands: Sequence[int],
    out: NDArray[Any],
    **options: Any,
) -> None:
    """Read bands that may differ in type, which rasterio alone refuses.

    Parameters
    ----------
    dataset : rasterio.DatasetReader
        Open dataset.
    bands : sequence of int
        Counted from 1.
    out : ndarray, shape (B, H, W)
        Filled with the pixels; of a type that holds all of them.
    **options
        Passed to rasterio: window, resampling.
    """
    if len({dataset.dtypes[band - 1] for band in bands}) == 1:
        dataset.read(list(bands), out=out, **options)
        return
    for band, plane in zip(bands, out, strict=True):
        dataset.read(band, out=plane, **options)


def reason(error: BaseException) -> str:
    """Say what GDAL said, on one line: the innermost cause of a rasterio error.

    Parameters
    ----------
    error : BaseException
        Error raised by rasterio.

    Returns
    -------
    str
        Message without a full stop at its end.
    """
    inner = error
    while inner.__cause__ is not None or inner.__context__ is not None:
        inner = inner.__cause__ or inner.__context__  # type: ignore[assignment]
    text = getattr(inner, "errmsg", None) or str(inner) or str(error)
    return " ".join(str(text).split()).rstrip(".")
