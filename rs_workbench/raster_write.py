"""finish_raster: from a flat file of pixels to a Cloud Optimized GeoTIFF on the scene's grid.

The map is written in strips to a flat file, since that can stop and go on at any byte. A COG can
only be copied from a whole raster: a VRT describes the flat file to GDAL, with georeference,
colours and names, and GDAL copies it in bounded memory.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio.shutil

from rs_workbench.errors import OutputError
from rs_workbench.raster_gdal import GDAL_ERRORS, gdal_settings, open_dataset, reason
from rs_workbench.raster_resample import native_index
from rs_workbench.raster_scene import Scene
from rs_workbench.raster_vrt import RasterSpec, raw_vrt

_LIBTIFF_LINE = re.compile(rb"_tiff(Write|Seek|Close|Size|Read)Proc: .*\r?\n")
_CACHE_BYTES = 16 * 2**20  # more makes no copy faster
_ROWS_BYTES = 16 * 2**20


def finish_raster(
    raw: Path, out: Path, scene: Scene, spec: RasterSpec, *, cache_bytes: int = _CACHE_BYTES
) -> None:
    """Write a Cloud Optimized GeoTIFF from a flat file of pixels.

    The file appears under its name only when it is complete.

    Parameters
    ----------
    raw : Path
        Pixels, little endian, band after band, each (H, W) of `scene`; its folder must be
        writable.
    out : Path
        Name of the GeoTIFF.
    scene : Scene
        Gives the georeference. If it is a view at another pixel size, the pixels are brought
        back to the grid of its `native`, each taking the value at its centre.
    spec : RasterSpec
        What the pixels are.
    cache_bytes : int
        Budget of GDAL's block cache, in bytes.

    Raises
    ------
    OutputError
        If `raw` has the wrong size, or `out` cannot be written.
    """
    _check_size(raw, scene, spec)
    partial = out.with_name(f"{out.stem}.partial{out.suffix}")
    scratch = [Path(f"{raw}{ending}") for ending in (".vrt", ".native", ".native.vrt")]
    with _removed_at_end(scratch, partial):
        if scene.native is not None:
            raw, scene = _back_to_native(raw, scene, spec), scene.native
        vrt = Path(f"{raw}.vrt")
        vrt.write_text(raw_vrt(raw, scene, spec), encoding="utf-8")
        _copy_to_cog(vrt, partial, spec, cache_bytes)
        _publish(partial, out)


def _check_size(raw: Path, scene: Scene, spec: RasterSpec) -> None:
    wanted = spec.count * scene.shape[0] * scene.shape[1] * np.dtype(spec.dtype).itemsize
    found = raw.stat().st_size if raw.is_file() else 0
    if found != wanted:
        raise OutputError(
            f"'{raw}' holds {found} bytes where {wanted} are needed "
            f"({spec.count} x {scene.shape[0]} x {scene.shape[1]} {spec.dtype}): "
            "run again with --restart"
        )


@contextmanager
def _removed_at_end(scratch: Sequence[Path], partial: Path) -> Iterator[None]:
    """Leave no scratch file behind, nor what GDAL puts beside an unfinished COG."""
    try:
        yield
    finally:
        beside = partial.parent.glob(f"{glob_escape(partial.name)}*")
        for path in [*scratch, *(beside if partial.parent.is_dir() else ())]:
            path.unlink(missing_ok=True)


def glob_escape(name: str) -> str:
    """Quote the characters of a file name that a glob would expand."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _back_to_native(raw: Path, view: Scene, spec: RasterSpec) -> Path:
    """Bring pixels of a view back to the scene's own grid, a few rows at a time."""
    native = view.native
    assert native is not None
    rows = native_index(native.shape[0], view.zoom[0], view.shape[0])
    cols = native_index(native.shape[1], view.zoom[1], view.shape[1])
    dtype = np.dtype(spec.dtype)
    step = max(1, _ROWS_BYTES // (native.shape[1] * dtype.itemsize))
    pixels = np.memmap(raw, dtype, mode="r", shape=(spec.count, *view.shape))
    out = Path(f"{raw}.native")
    with _told(out), out.open("wb") as file:
        for band in pixels:
            for start in range(0, len(rows), step):
                file.write(band[rows[start : start + step]][:, cols].tobytes())
    return out


def _copy_to_cog(vrt: Path, partial: Path, spec: RasterSpec, cache_bytes: int) -> None:
    is_float = np.dtype(spec.dtype).kind == "f"
    deflate = {"COMPRESS": "DEFLATE", "LEVEL": "1" if is_float else "6"}
    deflate["PREDICTOR"] = "FLOATING_POINT" if is_float else "STANDARD"
    # On class maps LZW is as small as DEFLATE and takes half the time.
    options = {
        **({"COMPRESS": "LZW"} if spec.colors else deflate),
        "BLOCKSIZE": "512",
        "OVERVIEW_RESAMPLING": spec.overviews.upper(),
        "BIGTIFF": "IF_SAFER",
        "NUM_THREADS": "ALL_CPUS",
    }
    settings = gdal_settings(cache_bytes, GDAL_NUM_THREADS="ALL_CPUS")
    with settings, _told(partial), _errors_raised(partial), _libtiff_silenced():
        with open_dataset(str(vrt)) as source:
            rasterio.shutil.copy(source, str(partial), driver="COG", **options)


@contextmanager
def _libtiff_silenced() -> Iterator[None]:
    """Keep libtiff from adding lines of its own to our one sentence about a full disk.

    It writes them to the process's stderr, past every handler. Whatever else is written there
    meanwhile is passed on afterwards.
    """
    try:
        real = os.dup(2)
    except OSError:  # a process without stderr
        yield
        return
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(real, 2)
            kept.seek(0)
            os.write(real, _LIBTIFF_LINE.sub(b"", kept.read()))
            os.close(real)


@contextmanager
def _told(out: Path) -> Iterator[None]:
    """Turn what the disk or GDAL says into one sentence."""
    try:
        yield
    except OutputError:
        raise
    except (OSError, *GDAL_ERRORS) as error:
        raise OutputError(_cannot_write(out, reason(error))) from error


def _cannot_write(out: Path, said: str) -> str:
    folder = out.absolute().parent
    if not folder.is_dir():
        return f"'{out}' cannot be written: there is no folder '{folder}', make it first"
    free = shutil.disk_usage(folder).free / 1e9
    return (
        f"'{out}' cannot be written ({said}): {free:.1f} GB are free in '{folder}', make room or "
        "choose another folder, then run the same command again"
    )


@contextmanager
def _errors_raised(out: Path) -> Iterator[None]:
    """Raise errors that GDAL's writing threads only log, such as a full disk."""
    seen: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("rasterio._env")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    if seen:
        raise OutputError(_cannot_write(out, seen[0].rstrip(".")))


def _publish(partial: Path, out: Path) -> None:
    """Give the finished file its name; metadata beside an older file of that name goes."""
    sidecar, fresh = Path(f"{out}.aux.xml"), Path(f"{partial}.aux.xml")
    with _told(out):
        partial.replace(out)
        sidecar.unlink(missing_ok=True)
        if fresh.exists():
            fresh.replace(sidecar)
