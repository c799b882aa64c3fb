"""Where places of a reference lie on a map, and what the map says there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform

from rs_workbench.accuracy.reference.raster_labels import LabelReader, LabelSource
from rs_workbench.accuracy.reference.raster_tally import class_index
from rs_workbench.accuracy.reference.vector_file import VectorReference
from rs_workbench.card import LegendClass
from rs_workbench.errors import AccuracyError
from rs_workbench.raster_gdal import GDAL_ERRORS, gdal_settings
from rs_workbench.raster_scene import Scene, crs_of

NO_MAP = -1
"""Class of a pixel without data."""
_MAX_BLOCK = 2048


def to_map(
    scene: Scene, reference: VectorReference, xy: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Bring coordinates of a reference to pixels of a map.

    Parameters
    ----------
    scene : Scene
        The map.
    reference : VectorReference
        Gives the coordinate system.
    xy : ndarray of float64, shape (n, 2)
        Coordinates.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        Row and column, counted from the upper left corner of the first pixel; infinite where a
        place cannot be brought there.

    Raises
    ------
    AccuracyError
        If the map has no georeference or coordinate system, or that of the reference is unknown
        or cannot hold its coordinates.
    """
    crs = crs_of(scene)
    if crs is None or scene.transform is None:
        what = "coordinate system" if crs is None else "georeference"
        raise AccuracyError(
            f"'{scene.name}' has no {what}, so that {reference.kind} cannot be placed on it: "
            f"set it, with  gdal_edit.py -a_srs EPSG:... '{scene.path}'"
        )
    xs, ys = _in_crs(reference, xy, crs)
    forward = np.array(scene.transform[:9]).reshape(3, 3)
    places = np.stack([xs, ys, np.ones(len(xy))])
    places[:, ~np.isfinite(places).all(axis=0)] = np.inf
    with np.errstate(invalid="ignore"):
        cols, rows, _ = np.linalg.inv(forward) @ places
    return np.where(np.isfinite(places[:1]).T, np.stack([rows, cols], axis=1), np.inf)


def _in_crs(
    reference: VectorReference, xy: NDArray[np.float64], crs: CRS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bring coordinates to another coordinate system; infinite where that cannot be."""
    with gdal_settings():
        try:
            theirs = CRS.from_user_input(reference.crs)
        except (CRSError, *GDAL_ERRORS) as error:
            raise AccuracyError(
                f"'{reference.crs}' of '{reference.name}' is no coordinate system that can be "
                "brought to the map's: name one with --crs, such as --crs EPSG:4326"
            ) from error
        if theirs == crs:
            return xy[:, 0], xy[:, 1]
        try:
            xs, ys = transform(theirs, crs, *xy.T)
        except (CRSError, *GDAL_ERRORS) as error:
            raise AccuracyError(
                f"coordinates of '{reference.name}', such as ({xy[0, 0]:g}, {xy[0, 1]:g}), cannot "
                f"be brought from {_short(reference.crs)} to the map's coordinate system: name "
                "the one that they are in with --crs"
            ) from error
    return np.asarray(xs, float), np.asarray(ys, float)


def _short(crs: str) -> str:
    """Name of a coordinate system, which may be given as WKT."""
    return crs if len(crs) < 40 else crs.split('"')[1] if '"' in crs else "its coordinate system"


def locate(
    scene: Scene, points: VectorReference, chosen: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Find the pixel under each point.

    Parameters
    ----------
    scene : Scene
        The map.
    points : VectorReference
        Points.
    chosen : ndarray of intp, shape (n,)
        Which of them.

    Returns
    -------
    row, col : ndarray of intp, shape (n,)
        Pixel; -1 outside the map.
    inside : ndarray of bool, shape (n,)
        Whether the point lies on the map.
    """
    import shapely

    places = to_map(scene, points, shapely.get_coordinates(points.geometry[chosen]))
    inside: NDArray[np.bool_] = np.all((places >= 0) & (places < scene.shape), axis=1)
    pixels = np.full(places.shape, -1, np.intp)
    pixels[inside] = np.floor(places[inside]).astype(np.intp)
    return pixels[:, 0], pixels[:, 1], inside


def map_classes(
    source: LabelSource,
    row: NDArray[np.intp],
    col: NDArray[np.intp],
    *,
    legend: Sequence[LegendClass],
) -> NDArray[np.intp]:
    """Read the class of single pixels, each block of the file once.

    Parameters
    ----------
    source : LabelSource
        The map.
    row, col : ndarray of intp, shape (n,)
        Pixels, all on the map.
    legend : sequence of LegendClass
        Classes.

    Returns
    -------
    ndarray of intp, shape (n,)
        Index in the legend; -1 on nodata.

    Raises
    ------
    AccuracyError
        If a value is not in the legend.
    """
    codes = np.zeros(len(row), np.uint8)
    shape = source.scene.shape
    size = [
        min(side, _MAX_BLOCK, whole) for side, whole in zip(source.scene.block, shape, strict=True)
    ]
    blocks = (row // size[0]) * (shape[1] // size[1] + 1) + col // size[1]
    order = np.argsort(blocks, kind="stable")
    starts = np.flatnonzero(np.diff(blocks[order], prepend=-1))
    reader = LabelReader(source)
    try:
        for members in np.split(order, starts[1:]) if len(order) else []:
            top, left = (
                int(p[members[0]]) // s * s for p, s in zip((row, col), size, strict=True)
            )
            window = (
                int(top),
                int(left),
                min(size[0], shape[0] - top),
                min(size[1], shape[1] - left),
            )
            codes[members] = reader.read(window)[row[members] - top, col[members] - left]
    finally:
        reader.close()
    refuse_strange(source, codes, legend)
    index = class_index(source.axis, [c.value for c in legend])[codes]
    return np.where(np.isnan(source.axis[codes]), NO_MAP, index)


def refuse_strange(
    source: LabelSource, codes: NDArray[np.uint8], legend: Sequence[LegendClass]
) -> None:
    """Refuse values of the map that are not in its legend.

    Parameters
    ----------
    source : LabelSource
        The map.
    codes : ndarray of uint8, shape (n,)
        Pixels under the reference.
    legend : sequence of LegendClass
        Classes.

    Raises
    ------
    AccuracyError
        If there is one.
    """
    found = source.axis[np.flatnonzero(np.bincount(codes, minlength=256))]
    strange = found[~np.isnan(found) & ~np.isin(found, [c.value for c in legend])]
    if strange.size:
        raise AccuracyError(
            f"'{source.scene.name}' holds {', '.join(f'{v:g}' for v in strange[:5])} under the "
            f"reference, not in its legend {[c.value for c in legend]}: add it with --classes, or "
            "declare it with --map-nodata"
        )
