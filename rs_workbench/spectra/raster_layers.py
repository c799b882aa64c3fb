"""write_layers: a float32 raster computed from the spectra of a scene, window by window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.errors import OutputError, UsageError
from rs_workbench.journal import explain_disk_errors
from rs_workbench.raster_vrt import RasterSpec
from rs_workbench.raster_write import finish_raster
from rs_workbench.spectra.cube import Cube
from rs_workbench.spectra.windows import read_windows

Compute = Callable[[NDArray[np.float64]], NDArray[Any]]
"""Turns spectra (B, n) into layers (K, n)."""


def write_layers(
    cube: Cube,
    out: str | Path,
    names: Sequence[str],
    compute: Compute,
    *,
    tags: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Compute layers from every pixel that has all bands; the rest is NaN, which is nodata.

    Parameters
    ----------
    cube : Cube
        A scene; one in memory must be written first, with `write_scene`.
    out : str or Path
        A Cloud Optimized GeoTIFF on the scene's grid; it appears when it is complete.
    names : sequence of str
        One a layer.
    compute : callable
        Turns spectra (B, n) into layers (K, n); each pixel by itself.
    tags : mapping of str to str, optional
        Metadata of the file.
    overwrite : bool, optional
        Replace a file of that name.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        If the cube is in memory.
    OutputError
        If the file is there already, or cannot be written.
    """
    out = Path(out)
    if cube.scene is None:
        raise UsageError(
            f"'{cube.name}' is a cube in memory: write it as a scene first, with write_scene"
        )
    if out.exists() and not overwrite:
        raise OutputError(f"'{out}' exists already: choose another name, or overwrite it")
    spec = RasterSpec(
        "float32",
        count=len(names),
        nodata=float("nan"),
        descriptions=tuple(names),
        tags=tags or {},
        overviews="average",
    )
    with explain_disk_errors(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
            raw = Path(folder) / "layers.raw"
            _compute_raw(cube, raw, len(names), compute)
            finish_raster(raw, out, cube.scene, spec)
    return out


def _compute_raw(cube: Cube, raw: Path, count: int, compute: Compute) -> None:
    """Fill a flat file, layer after layer; mapped anew for each window, to hold no more of it."""
    shape, dtype = (count, *cube.shape), np.dtype("<f4")
    with raw.open("wb") as file:
        file.truncate(int(np.prod(shape)) * dtype.itemsize)
    for window, values, valid, _ in read_windows(cube):
        found = np.full((count, *valid.shape), np.nan, np.float32)
        found[:, valid] = compute(values[:, valid])
        np.memmap(raw, dtype, mode="r+", shape=shape)[:, *window.slices] = found
