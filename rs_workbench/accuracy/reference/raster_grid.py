"""How two grids lie on each other: the same, shifted by whole pixels, or different."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.transform import array_bounds
from rasterio.warp import transform_bounds

from rs_workbench.errors import AccuracyError
from rs_workbench.raster_gdal import GDAL_ERRORS
from rs_workbench.raster_scene import Scene, crs_of

_TOLERANCE_PX = 0.02
"""Grids that drift apart less than this over the whole raster are the same."""


@dataclass(frozen=True)
class Alignment:
    """Where the reference lies on the map.

    Attributes
    ----------
    row, col : int
        Pixel of the map on which the first pixel of the reference lies; may be negative.
    overlap : tuple of int, (row, col, height, width)
        Part of the map that the reference covers.
    policy : str
        How the grids were brought together, in words.
    warnings : tuple of str
        What the reader must know.
    resampled : bool
        Whether the reference must be resampled.
    """

    row: int
    col: int
    overlap: tuple[int, int, int, int]
    policy: str
    warnings: tuple[str, ...] = ()
    resampled: bool = False


def align(map_scene: Scene, reference: Scene, *, resample: str | None = None) -> Alignment:
    """Find where a reference lies on a map.

    Parameters
    ----------
    map_scene, reference : Scene
        The two rasters.
    resample : {'nearest', 'majority'}, optional
        What to do where the grids differ; without it they must not.

    Returns
    -------
    Alignment
        Offset, overlap and policy.

    Raises
    ------
    AccuracyError
        If the grids differ and `resample` is not given, one of the two has no coordinate system,
        or they do not overlap.
    """
    warnings = _check_georeference(map_scene, reference)
    if map_scene.transform is None and reference.transform is None:
        return _without_georeference(map_scene, reference, warnings)
    differences = _differences(map_scene, reference)
    if not differences:
        return _shifted(map_scene, reference, warnings)
    if resample is None:
        raise AccuracyError(
            f"'{reference.name}' and '{map_scene.name}' lie on different grids: "
            f"{'; '.join(differences)}: add --resample nearest (or majority), which brings the "
            "reference to the map's grid"
        )
    warnings += _check_overlap(map_scene, reference)
    how = {"nearest": "by nearest neighbour", "majority": "by majority"}[resample]
    policy = f"reference resampled to the map's grid {how} ({'; '.join(differences)})"
    whole = (0, 0, *map_scene.shape)
    return Alignment(0, 0, whole, policy, warnings, resampled=True)


def _check_georeference(map_scene: Scene, reference: Scene) -> tuple[str, ...]:
    for scene in (map_scene, reference):
        if scene.gcps:
            raise AccuracyError(
                f"'{scene.name}' is placed by {len(scene.gcps)} ground control points only: "
                f"rectify it first, with  gdalwarp '{scene.path}' rectified.tif"
            )
    with_crs = [s for s in (map_scene, reference) if s.crs_wkt]
    if len(with_crs) == 1:
        without = reference if with_crs[0] is map_scene else map_scene
        raise AccuracyError(
            f"'{without.name}' has no coordinate system, but '{with_crs[0].name}' has one: "
            f"say which it is, with  gdal_edit.py -a_srs EPSG:... '{without.path}'"
        )
    if with_crs:
        return ()
    return (
        f"neither '{map_scene.name}' nor '{reference.name}' has a coordinate system: their pixels "
        "are taken to lie on each other",
    )


def _without_georeference(
    map_scene: Scene, reference: Scene, warnings: tuple[str, ...]
) -> Alignment:
    if map_scene.shape != reference.shape:
        raise AccuracyError(
            f"without georeference map and reference must have one size: '{map_scene.name}' has "
            f"{_size(map_scene)} pixels and '{reference.name}' {_size(reference)}; "
            "georeference both, or cut them to the same window"
        )
    whole = (0, 0, *map_scene.shape)
    return Alignment(0, 0, whole, "same size, no georeference", warnings)


def _size(scene: Scene) -> str:
    return f"{scene.shape[1]} x {scene.shape[0]}"


def same_crs(a: CRS | None, b: CRS | None) -> bool:
    """Whether two coordinate systems are one.

    Parameters
    ----------
    a, b : CRS or None
        None is like None only.

    Returns
    -------
    bool
        True where they are equal, or have one EPSG code.
    """
    if a is None or b is None:
        return a is b
    if a == b:
        return True
    code = a.to_epsg()
    return code is not None and code == b.to_epsg()


def _differences(map_scene: Scene, reference: Scene) -> list[str]:
    """Say in which respects the reference's grid is another one."""
    ours, theirs = map_scene.transform, reference.transform
    if ours is None or theirs is None:
        return [f"only '{(map_scene if theirs is None else reference).name}' is georeferenced"]
    found = []
    if not same_crs(crs_of(map_scene), crs_of(reference)):
        names = [_crs_name(crs_of(s)) for s in (reference, map_scene)]
        return [f"coordinate system {names[0]}, map {names[1]}"]
    shift, drift = shift_and_drift(ours, theirs, reference.shape)
    if drift > _TOLERANCE_PX:
        sizes = [f"{hypot(t.a, t.d):.10g} x {hypot(t.b, t.e):.10g}" for t in (theirs, ours)]
        same = np.allclose(_directions(theirs), _directions(ours), atol=1e-6)
        turned = "" if same else " and another orientation"
        found.append(f"pixel size {sizes[0]}{turned}, map {sizes[1]}")
    elif np.abs(shift - np.rint(shift)).max() > _TOLERANCE_PX:
        origins = [f"({t.c:.10g}, {t.f:.10g})" for t in (theirs, ours)]
        row, col = shift
        found.append(
            f"origin {origins[0]}, map {origins[1]}, which is {col:.3f} columns and {row:.3f} "
            "rows off"
        )
    return found


def _directions(t: Affine) -> NDArray[np.float64]:
    """Give unit vectors along rows and columns."""
    return np.array([[t.a, t.d], [t.b, t.e]]) / [[hypot(t.a, t.d)], [hypot(t.b, t.e)]]


def shift_and_drift(
    ours: Affine, theirs: Affine, shape: tuple[int, int]
) -> tuple[np.ndarray, float]:
    """Say how a grid lies on another.

    Parameters
    ----------
    ours, theirs : affine.Affine
        From pixels to coordinates.
    shape : tuple of int, (H, W)
        Size of the raster on the second grid, px.

    Returns
    -------
    shift : ndarray of float64, shape (2,)
        Row and column of its first pixel on the first grid.
    drift : float
        How far its other pixels are off after that shift, at most, px.
    """
    onto_map = np.linalg.solve(*(np.array(t[:9]).reshape(3, 3) for t in (ours, theirs)))
    height, width = shape
    corners = np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]])
    moves = (onto_map @ corners - corners)[1::-1]
    return moves[:, 0], float(np.abs(moves - moves[:, :1]).max())


def _crs_name(crs: CRS | None) -> str:
    if crs is None:
        return "none"
    code = crs.to_epsg()
    try:
        return f"EPSG:{code}" if code else crs.to_wkt().split('"')[1]
    except (CRSError, IndexError):
        return "unknown"


def _shifted(map_scene: Scene, reference: Scene, warnings: tuple[str, ...]) -> Alignment:
    assert map_scene.transform is not None
    assert reference.transform is not None
    shift, _ = shift_and_drift(map_scene.transform, reference.transform, reference.shape)
    row, col = (int(n) for n in np.rint(shift))
    top, left = max(row, 0), max(col, 0)
    bottom = min(row + reference.shape[0], map_scene.shape[0])
    right = min(col + reference.shape[1], map_scene.shape[1])
    if bottom <= top or right <= left:
        raise AccuracyError(_apart(map_scene, reference))
    overlap = (top, left, bottom - top, right - left)
    same = overlap == (0, 0, *map_scene.shape) == (row, col, *reference.shape)
    policy = "same grid" if same else "same grid, compared where the two overlap"
    return Alignment(row, col, overlap, policy, warnings)


def bounds_in(scene: Scene, crs: CRS | None) -> tuple[float, float, float, float]:
    """Give the box of a raster in the coordinates of another.

    Parameters
    ----------
    scene : Scene
        With a transform.
    crs : CRS or None
        Coordinate system of the box; None for the raster's own.

    Returns
    -------
    tuple of float
        Left, bottom, right, top.
    """
    assert scene.transform is not None
    left, bottom, right, top = array_bounds(*scene.shape, scene.transform)
    own = crs_of(scene)
    if own is None or crs is None or same_crs(own, crs):
        return left, bottom, right, top
    found = transform_bounds(own, crs, left, min(bottom, top), right, max(bottom, top))
    return tuple(found)  # type: ignore[return-value]


def _apart(map_scene: Scene, reference: Scene) -> str:
    crs = crs_of(map_scene)
    boxes = [
        "x {:.10g} to {:.10g}, y {:.10g} to {:.10g}".format(
            *np.take(bounds_in(s, crs), [0, 2, 1, 3])
        )
        for s in (reference, map_scene)
    ]
    return (
        f"'{reference.name}' and '{map_scene.name}' do not overlap: {boxes[0]} and {boxes[1]} in "
        "the map's coordinates; give a reference of the same place"
    )


def _check_overlap(map_scene: Scene, reference: Scene) -> tuple[str, ...]:
    """Refuse rasters that lie apart; warn where part of the reference is beyond the map."""
    if map_scene.transform is None or reference.transform is None:
        raise AccuracyError(
            f"{_differences(map_scene, reference)[0]}, so that the two cannot be brought "
            "together: georeference the other one first"
        )
    crs = crs_of(map_scene)
    try:
        ours, theirs = (np.array(bounds_in(s, crs)) for s in (map_scene, reference))
    except (CRSError, *GDAL_ERRORS) as error:
        raise AccuracyError(
            f"'{reference.name}' cannot be brought to the coordinates of '{map_scene.name}' "
            f"({error}): reproject it first, with gdalwarp"
        ) from error
    ours[[1, 3]], theirs[[1, 3]] = np.sort(ours[[1, 3]]), np.sort(theirs[[1, 3]])
    if (np.maximum(ours, theirs)[:2] >= np.minimum(ours, theirs)[2:]).any():
        raise AccuracyError(_apart(map_scene, reference))
    pixel = np.abs([map_scene.transform.a, map_scene.transform.e] * 2)
    beyond = (theirs[:2] < ours[:2] - pixel[:2]) | (theirs[2:] > ours[2:] + pixel[2:])
    if not beyond.any():
        return ()
    return (f"part of '{reference.name}' lies beyond the map and was not compared",)
