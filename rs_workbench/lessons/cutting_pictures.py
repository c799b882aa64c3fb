"""Pictures of how chips are cut from a scene, and of where the parts of a split lie."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rs_workbench.card import LegendClass
from rs_workbench.legend_text import class_label, drawable, legend_fonts
from rs_workbench.lessons.cutting import (
    cut_by_chance,
    cut_grid,
    cut_like_the_course,
    share_covered,
)
from rs_workbench.lessons.pictures import paint
from rs_workbench.training.data import TrainingData
from rs_workbench.training.history import write_whole
from rs_workbench.types import LabelMap
from tiling.label_index import IGNORE
from tiling.windows import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PARTS = {"training": "#3f7d3a", "validation": "#e39b3c", "held_out": "#c8352e"}
"""Parts of a split and their colours."""
_SCENE = "#c4c4c4"
_TEXT = 13  # pt
_WIDE = 14.0  # inches


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
    figure, panels = _panels(n_rows, 3, _WIDE / 3 + 0.8)
    picture = paint(labels, classes)
    for panel, (name, windows) in zip(panels, schemes.items(), strict=False):
        panel.imshow(picture, interpolation="nearest")
        for row, col, height, width in windows:
            box = Rectangle((col, row), width, height, fill=False, edgecolor="black", lw=1.6)
            panel.add_patch(box)
        panel.set(xticks=[], yticks=[])
        covered = share_covered(windows, (labels.shape[0], labels.shape[1]))
        said = f"{len(windows)} chips, {100 * covered:.0f} % of the pixels"
        panel.set_title(f"{name}\n{said}", fontsize=_TEXT)
    for panel in panels[len(schemes) :]:
        panel.set_axis_off()
    _add_key(panels[len(schemes)], _colors_of(labels, classes) | {"outline of a chip": "none"})
    return _save(figure, path)


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
    figure, panels = _panels(len(splits), 1, _WIDE * low / high + 0.9)
    for panel, (name, data) in zip(panels, splits.items(), strict=True):
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
    _add_key(panels[0], key)
    return _save(figure, path)


def _scenes_of(data: TrainingData) -> list[Window]:
    """Scenes in the mosaic."""
    assert data.origins is not None
    places = zip(data.origins, data.scenes, strict=True)
    return [Window(row, col, scene.shape[0], scene.shape[1]) for (row, col), scene in places]


def _squares_of(data: TrainingData, part: str) -> list[Window]:
    """Chips in the mosaic; cells, where training draws its chips anew."""
    assert data.origins is not None
    if part == "training" and data.split is not None:
        return [
            Window(*(place * index.cell + origin), index.cell, index.cell)
            for cells, index, origin in zip(
                data.split.cells("training"), data.indexes, data.origins, strict=True
            )
            for place in np.argwhere(cells & index.counts.any(axis=-1))
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
        drawable(class_label(entry)): entry.color
        for index, entry in enumerate(classes)
        if (labels == index).any()
    }
    unknown = bytes(paint(np.array([[IGNORE]], np.uint8), ())[0, 0]).hex()
    return colors | ({"no label": f"#{unknown}"} if (labels == IGNORE).any() else {})


def _add_key(panel: Axes, colors: Mapping[str, str]) -> None:
    from matplotlib.patches import Patch

    entries = [
        Patch(facecolor=color, edgecolor="black" if color == "none" else "#707070", label=name)
        for name, color in colors.items()
    ]
    properties = {"family": legend_fonts(), "size": _TEXT}
    panel.legend(handles=entries, loc="best", frameon=False, prop=properties)


def _panels(n_rows: int, n_cols: int, height: float) -> tuple[Figure, list[Axes]]:
    """Make a figure as wide as a page, with rows of a height in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((_WIDE, n_rows * height), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(n_rows, n_cols, squeeze=False).flat)


def _save(figure: Figure, path: str | Path) -> Path:
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    write_whole(Path(path), stream.getvalue())
    return Path(path)
