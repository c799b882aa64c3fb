"""Scenes written from spectra: a MATLAB cube as a GeoTIFF, and components of a scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from affine import Affine

from rs_workbench.errors import OutputError, UsageError
from rs_workbench.raster_cube import write_cube
from rs_workbench.spectra.cube import Cube
from rs_workbench.spectra.raster_layers import write_layers
from rs_workbench.spectra.transform import LinearTransform
from rs_workbench.types import LabelMap


def write_scene(
    cube: Cube,
    out: str | Path,
    *,
    labels: LabelMap | None = None,
    crs: str | None = None,
    transform: Affine | None = None,
    overwrite: bool = False,
) -> tuple[Path, Path | None]:
    """Write a cube that fits in memory as a GeoTIFF that knows its wavelengths.

    So a MATLAB cube becomes a scene like any other, for `infer`, `train` and `assess`.

    Parameters
    ----------
    cube : Cube
        A cube, such as one of a MATLAB file; of it, these bands.
    out : str or Path
        The scene. Labels go beside it, as ``<name>_labels.tif``.
    labels : ndarray of uint8, shape (H, W), optional
        Codes of the classes; 0, unlabelled, becomes nodata.
    crs : str, optional
        Coordinate reference system, such as ``EPSG:32611``.
    transform : affine.Affine, optional
        From pixels (col, row) to coordinates; needed for areas in hectares.
    overwrite : bool, optional
        Replace files of these names.

    Returns
    -------
    scene : Path
        The cube: in its own type where it is in memory and has no gaps, else float32 with NaN as
        nodata.
    labels : Path or None
        The labels, one band of uint8.

    Raises
    ------
    UsageError
        If the labels have another size.
    OutputError
        If a file is there already, or cannot be written.

    Notes
    -----
    Many classic scenes are published without georeference; training and maps work without it,
    in pixels.
    """
    out = Path(out)
    label_path = out.with_name(f"{out.stem}_labels.tif")
    if labels is not None and labels.shape != cube.shape:
        raise UsageError(
            f"the labels of '{cube.name}' must have its size, {cube.shape[0]} x {cube.shape[1]} "
            f"px: got {' x '.join(map(str, labels.shape))}"
        )
    for path in (out, *([] if labels is None else [label_path])):
        if path.exists() and not overwrite:
            raise OutputError(f"'{path}' exists already: choose another name, or overwrite it")
    values, _, present, any_band = cube.read()
    whole = present is None and bool(any_band.all())
    if whole and cube.array is not None:
        pixels = cube.array[[band - 1 for band in cube.bands]]
    else:
        there = any_band if present is None else present
        pixels = np.where(there, values, np.nan).astype(np.float32)
    write_cube(
        out,
        pixels,
        crs=crs,
        transform=transform,
        wavelengths=None if np.isnan(cube.wavelengths).any() else cube.wavelengths,
        good_bands=cube.good,
        nodata=None if whole else float("nan"),
    )
    if labels is None:
        return out, None
    write_cube(label_path, labels[None], crs=crs, transform=transform, nodata=0)
    return out, label_path


def transform_scene(
    cube: Cube,
    out: str | Path,
    transform: LinearTransform,
    *,
    overwrite: bool = False,
) -> Path:
    """Write the components of a scene as a float32 raster on its grid, in bounded memory.

    Parameters
    ----------
    cube : Cube
        A scene of the sensor that the transform was measured on; its bands are found by name or
        wavelength.
    out : str or Path
        A Cloud Optimized GeoTIFF, one band a component, NaN as nodata; it appears when it is
        complete.
    transform : LinearTransform
        A PCA or MNF, best with its first components only (`LinearTransform.first`).
    overwrite : bool, optional
        Replace a file of that name.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        If a band of the transform is not in the scene, or the cube is in memory.
    OutputError
        If the file is there already, or cannot be written.
    """
    return write_layers(
        transform.bands_of(cube),
        out,
        transform.component_names,
        transform.apply,
        tags={"transform": transform.kind, "transform_source": transform.source},
        overwrite=overwrite,
    )
