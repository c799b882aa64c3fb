"""Pictures of how chips are cut from a scene, and of where the parts of a split lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rs_workbench.card import LegendClass
from rs_workbench.legend_text import class_label
from rs_workbench.lessons.cutting import (
    cut_by_chance,
    cut_grid,
    cut_like_the_course,
    share_covered,
)
from rs_workbench.lessons.panels import add_legend, make_panels, save_figure, show_picture
from rs_workbench.lessons.pictures import paint
from rs_workbench.training.data import TrainingData
from rs_workbench.types import LabelMap
from tiling.label_index import IGNORE
from tiling.windows import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = {"training": "#3f7d3a", "validation": "#e39b3c", "held_out": "#c8352e"}
"""Parts of a split and their colours."""
_SCENE = "#c4c4c4"
_TEXT = 13  # pt
_WIDE = 13.4  # inches


def picture_of_cutting(
    path: str | Path,
    labels: LabelMap,
    schemes: Mapping[str, Sequence[Window]],
    *,
    classes: Sequence[LegendClass],
) -> Path:
    """Draw the chips of each scheme over one label map, with what they cover.

    Parameters
    ----------
    path : str or Path
        The PNG file.
    labels : ndarray of uint8, shape (H, W)
        Class indexes, 255 where nothing is known.
    schemes : mapping of str to sequence of Window
        Chips by the name of the scheme.
    classes : sequence of LegendClass
        The classes.

    Returns
    -------
    Path
        The file.
    """
    from matplotlib.patches import Rectangle

    n_rows = -(-(len(schemes) + 1) // 3)  # the last panel is the key
    figure, grid = make_panels(n_rows, 3, width=_WIDE / 3, height=_WIDE / 3 + 0.75)
    panels = list(grid.flat)
    picture = paint(labels, classes)
    for panel, (name, windows) in zip(panels, schemes.items(), strict=False):
        show_picture(panel, picture)
        for row, col, height, width in windows:
            box = Rectangle((col, row), width, height, fill=False, edgecolor="black", lw=1.6)
            panel.add_patch(box)
        covered = share_covered(windows, (labels.shape[0], labels.shape[1]))
        said = f"{len(windows)} chips, {100 * covered:.0f} % of the pixels"
        panel.set_title(f"{name}\n{said}", fontsize=_TEXT)
    for panel in panels[len(schemes) :]:
        panel.set_axis_off()
    key = _colors_of(labels, classes) | {"outline of a chip": "none"}
    add_legend(figure, key, panel=panels[len(schemes)])
    return save_figure(figure, path)


def picture_of_schemes(
    path: str | Path, labels: LabelMap, classes: Sequence[LegendClass], *, tile: int = 128
) -> Path:
    """Draw five ways to cut one scene: two grids, an overlapping one, and two by chance.

    Parameters
    ----------
    path : str or Path
        The PNG file.
    labels : ndarray of uint8, shape (H, W)
        Class indexes, 255 where nothing is known.
    classes : sequence of LegendClass
        The classes.
    tile : int
        Side of a chip, px.

    Returns
    -------
    Path
        The file.
    """
    shape = (labels.shape[0], labels.shape[1])
    n_chips = 16
    schemes = {
        "the course's grid": cut_like_the_course(shape, tile),
        "grid to the rim": cut_grid(shape, tile),
        "overlapping grid": cut_grid(shape, tile, overlap=tile // 2),
        "random": cut_by_chance(labels, tile, n_chips),
        "balanced by class": cut_by_chance(labels, tile, n_chips, class_share=1),
    }
    return picture_of_cutting(path, labels, schemes, classes=classes)


def picture_of_splits(path: str | Path, splits: Mapping[str, TrainingData]) -> Path:
    """Draw where the chips of each part lie in the mosaic, one split below the other.

    A mosaic that is higher than wide is laid on its side.

    Parameters
    ----------
    path : str or Path
        The PNG file.
    splits : mapping of str to TrainingData
        By their names; all of scenes that lie in one grid.

    Returns
    -------
    Path
        The file.
    """
    shown = {part.replace("_", "-"): color for part, color in PARTS.items()}
    key = shown | {"photograph, in none of them": _SCENE}
    height, width = _extent(next(iter(splits.values())))
    lying, (low, high) = height > width, sorted((height, width))
    figure, panels = make_panels(len(splits), 1, width=_WIDE, height=_WIDE * low / high + 0.6)
    for panel, (name, data) in zip(panels.flat, splits.items(), strict=True):
        _draw_squares(panel, _scenes_of(data), _SCENE, lying)
        for part, color in PARTS.items():
            _draw_squares(panel, _squares_of(data, part), color, lying)
        panel.set(xticks=[], yticks=[], aspect="equal")
        panel.set_title(f"{name}: {data.leaks} chips of training leak", fontsize=_TEXT + 3)
        panel.autoscale_view()
        if lying:
            panel.set_xlabel("north is on the left", fontsize=_TEXT)
        else:
            panel.invert_yaxis()
    add_legend(figure, key, panel=panels[0, 0])
    return save_figure(figure, path)


def _scenes_of(data: TrainingData) -> list[Window]:
    """Scenes in the mosaic."""
    assert data.origins is not None
    places = zip(data.origins, data.scenes, strict=True)
    return [Window(row, col, scene.shape[0], scene.shape[1]) for (row, col), scene in places]


def _squares_of(data: TrainingData, part: str) -> list[Window]:
    """Chips in the mosaic; cells, where training draws its chips anew."""
    assert data.origins is not None
    if part == "training" and data.split is not None:
        cell = data.indexes[0].cell
        found = zip(data.split.cells("training"), data.indexes, data.origins, strict=True)
        return [
            Window(top + cell * int(row), left + cell * int(col), cell, cell)
            for cells, index, (top, left) in found
            for row, col in np.argwhere(cells & index.counts.any(axis=-1))
        ]
    cores = [(chip.core, data.origins[chip.scene]) for chip in getattr(data, part)]
    return [
        Window(row + core.row, col + core.col, core.height, core.width)
        for core, (row, col) in cores
    ]


def _extent(data: TrainingData) -> tuple[int, int]:
    """Height and width of the mosaic, px."""
    corners, sizes = np.hsplit(np.array(_scenes_of(data)), 2)
    height, width = (corners + sizes).max(axis=0) - corners.min(axis=0)
    return int(height), int(width)


def _draw_squares(panel: Axes, squares: Sequence[Window], color: str, lying: bool) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    boxes = [
        Rectangle((row, col), height, width) if lying else Rectangle((col, row), width, height)
        for row, col, height, width in squares
    ]
    panel.add_collection(PatchCollection(boxes, facecolor=color, edgecolor=color, lw=0.5))


def _colors_of(labels: LabelMap, classes: Sequence[LegendClass]) -> dict[str, str]:
    """Colours by the names of the classes that are there."""
    colors = {
        class_label(entry): entry.color
        for index, entry in enumerate(classes)
        if (labels == index).any()
    }
    unknown = bytes(paint(np.array([[IGNORE]], np.uint8), ())[0, 0]).hex()
    return colors | ({"no label": f"#{unknown}"} if (labels == IGNORE).any() else {})
