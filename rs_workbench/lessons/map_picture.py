"""A scene, its map and the reference: all of it shrunk, and a place at full resolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import LegendClass
from rs_workbench.lessons.panels import add_legend, save_figure, show_picture
from rs_workbench.lessons.pictures import key_of, paint, stretched
from rs_workbench.raster_gdal import gdal_settings, open_dataset
from rs_workbench.raster_reader import SceneReader
from rs_workbench.raster_scene import Scene, describe_raster
from rs_workbench.raster_view import map_strips, read_map, read_view, reduced_shape
from rs_workbench.types import LabelMap, Mask
from tiling.windows import Window

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAP_SIDE = 700  # px
DETAIL = 304  # px: half a photograph of case 3
_PANEL = 4.0  # inches
_TALL = 1.6  # height by width: beyond, the detail stands beside the scene and not below
_TEXT = 13  # pt
_MARK = "#e0007a"  # of the detail, in the scene
_LEAST_MARK = 0.03  # share of the longer side

Panels = Mapping[str, NDArray[np.uint8]]


def picture_of_map(
    path: str | Path,
    scene: str | Path,
    class_map: str | Path,
    classes: Sequence[LegendClass],
    *,
    reference: str | Path | None = None,
    bands: Sequence[int] | None = None,
    detail: int = DETAIL,
) -> Path:
    """Draw a scene, its map and the reference side by side.

    Where they must be shrunk, a square is drawn again at full resolution: one where several
    classes meet, marked in what is shrunk. A scene too large to be shrunk is only drawn there.

    Parameters
    ----------
    path : str or Path
        The PNG file.
    scene, class_map : str or Path
        Rasters of any size.
    classes : sequence of LegendClass
        The values, colours and names of the map.
    reference : str or Path, optional
        A raster of class values.
    bands : sequence of int, optional
        Three bands of the scene for red, green and blue, or one; from 1. The first ones without.
    detail : int
        Side of the square, px; it lies at a multiple of it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    WorkbenchError
        If a raster cannot be read, or the picture not written.
    """
    found = describe_raster(scene)
    shape = reduced_shape(found.shape, MAP_SIDE, MAP_SIDE)
    shown = tuple(bands or range(1, (3 if len(found.band_names) > 2 else 1) + 1))
    maps = {"map": class_map} | ({} if reference is None else {"reference": reference})
    view = read_view(found, shown, shape)
    whole = {} if view is None else {"scene": _scene_picture(*view)}
    for name, raster in maps.items():
        whole[name] = paint(read_map(raster, shape), classes, by_value=True)
    if shape == found.shape:
        figure = _draw(whole, {}, None)
    else:
        window = find_detail(reference or class_map, detail, classes)
        near = _read_detail(found, shown, maps, window, classes)
        scale = shape[0] / found.shape[0]
        figure = _draw(whole, near, Window(*(round(scale * one) for one in window)))
    add_legend(figure, key_of(classes))
    return save_figure(figure, path)


def find_detail(class_map: str | Path, side: int, classes: Sequence[LegendClass]) -> Window:
    """Find the square of a map where most classes meet.

    Parameters
    ----------
    class_map : str or Path
        Class values of a raster of any size; it is read strip by strip.
    side : int
        Of the square, px.
    classes : sequence of LegendClass
        Whose values count as known.

    Returns
    -------
    Window
        At a multiple of `side`, of the squares that lie wholly inside the one of largest entropy
        times known share; all of a raster that is smaller.
    """
    height, width = describe_raster(class_map).shape
    best, corner = -1.0, (0, 0)
    for row, strip in map_strips(class_map, min(side, height)):
        if row and len(strip) < side:
            break
        counts = _count_squares(strip, side)[:, [entry.value for entry in classes]]
        known = counts.sum(axis=1, keepdims=True)
        shares = counts / np.maximum(known, 1)
        score = known[:, 0] * -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1)
        if score.max() > best:
            best, corner = float(score.max()), (row, side * int(score.argmax()))
    return Window(*corner, min(side, height), min(side, width))


def _count_squares(strip: LabelMap, side: int) -> NDArray[np.int64]:
    """Pixels of each value in the squares of a strip, (n, 256); columns left over are dropped."""
    n_squares = max(1, strip.shape[1] // side)
    squares = np.array_split(strip[:, : n_squares * side], n_squares, axis=1)
    return np.stack([np.bincount(square.ravel(), minlength=256) for square in squares])


def _read_detail(
    scene: Scene,
    bands: Sequence[int],
    maps: Mapping[str, str | Path],
    window: Window,
    classes: Sequence[LegendClass],
) -> Panels:
    """Scene and maps of a window, at full resolution."""
    with SceneReader(scene, bands) as reader:
        pixels, valid, *_ = reader.read(window)
    near = {"scene, detail": _scene_picture(pixels, valid)}
    rows, cols = (
        (start, start + length) for start, length in zip(window[:2], window[2:], strict=True)
    )
    for name, raster in maps.items():
        with gdal_settings(), open_dataset(str(raster)) as dataset:
            values = dataset.read(1, window=(rows, cols))
        near[f"{name}, detail"] = paint(values, classes, by_value=True)
    return near


def _scene_picture(pixels: NDArray[Any], valid: Mask) -> NDArray[np.uint8]:
    seen = np.where(valid, pixels, np.nan)
    return np.where(valid[..., None], stretched(seen), np.uint8(255))


def _draw(whole: Panels, near: Panels, mark: Window | None) -> Figure:
    """Draw the whole, and the detail below it, or beside it where the scene is tall."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from rs_workbench.legend_text import legend_fonts

    height, width = next(iter(whole.values())).shape[:2]
    ratio, tall = height / width, bool(near) and height > _TALL * width
    high = 0.9 * _PANEL * len(near) if tall else _PANEL * ratio
    wide = high / ratio * len(whole) if tall else _PANEL * max(len(whole), len(near))
    size = (wide + _PANEL * tall, high + _PANEL * (bool(near) and not tall) + 1)
    with rc_context({"font.family": legend_fonts()}):
        figure = Figure(size, dpi=110, facecolor="white", layout="constrained")
        FigureCanvasAgg(figure)
        parts: Any = [figure]
        if near and tall:
            parts = figure.subfigures(1, 2, width_ratios=(wide, _PANEL))
        elif near:
            parts = figure.subfigures(2, 1, height_ratios=(high, _PANEL))
        _fill(parts[0].subplots(1, len(whole), squeeze=False), whole, mark)
        if near:
            grid = (len(near), 1) if tall else (1, len(near))
            _fill(parts[1].subplots(*grid, squeeze=False), near, None)
    return figure


def _fill(axes: NDArray[Any], pictures: Panels, mark: Window | None) -> None:
    """Show pictures in panels, and mark a window in each."""
    from matplotlib.patches import Rectangle

    for panel, (name, picture) in zip(axes.flat, pictures.items(), strict=True):
        show_picture(panel, picture)
        panel.set_title(name, fontsize=_TEXT)
        if mark is not None:
            more = max(0.0, _LEAST_MARK * max(picture.shape) - mark.height) / 2
            corner = (mark.col - more - 0.5, mark.row - more - 0.5)
            sides = (mark.width + 2 * more, mark.height + 2 * more)
            panel.add_patch(Rectangle(corner, *sides, fill=False, edgecolor=_MARK, lw=2))
