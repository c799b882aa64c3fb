"""Drawing of the pictures: a row for each chip, and the legend. Sizes are in pixels."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import LegendClass
from rs_workbench.legend_text import class_label, drawable, legend_fonts
from rs_workbench.quicklook_draw import shorten
from tiling.label_index import IGNORE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 100
UNLABELLED = "#dcdcdc"
_SIDE, _GAP, _EDGE, _HEAD, _TITLE = 256, 14, 20, 40, 24
_LEGEND_WIDTH, _LEGEND_ROW = 280, 24
_INK = "#222222"


class Row(NamedTuple):
    """One chip.

    Attributes
    ----------
    scene : ndarray of uint8, shape (H, W, 3)
        Its picture.
    labels, prediction : ndarray of uint8, shape (H, W)
        Class indexes; labels are `IGNORE` where nothing is known, both where there is no data.
    """

    scene: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    prediction: NDArray[np.uint8]


def draw_rows(rows: Sequence[Row], classes: Sequence[LegendClass], *, title: str) -> bytes:
    """Draw chips below one another: scene, labels, prediction.

    Parameters
    ----------
    rows : sequence of Row
        The chips.
    classes : sequence of LegendClass
        Classes, in the order of their indexes.
    title : str
        Heads the picture.

    Returns
    -------
    bytes
        A PNG file.
    """
    # Imported here, because it costs a third of a second that other verbs need not pay.
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = 2 * _EDGE + 3 * (_SIDE + _GAP) + _LEGEND_WIDTH
    down = max(len(rows) * (_SIDE + _TITLE), _LEGEND_ROW * (len(classes) + 2))
    height = _HEAD + down + _EDGE
    with rc_context({"font.family": legend_fonts(), "font.size": 10}):
        figure = Figure((width / DPI, height / DPI), dpi=DPI, facecolor="white")
        FigureCanvasAgg(figure)
        figure.text(
            _EDGE / width,
            1 - _EDGE / height,
            drawable(title),
            va="center",
            fontsize=13,
            color=_INK,
        )
        for at, row in enumerate(rows):
            _add_row(figure, row, classes, _HEAD + at * (_SIDE + _TITLE) + _TITLE)
        _add_legend(figure, classes)
        stream = io.BytesIO()
        figure.savefig(stream, format="png")
    return stream.getvalue()


def _add_row(figure: Figure, row: Row, classes: Sequence[LegendClass], top: int) -> None:
    colors = _palette(classes)
    panels = {
        "scene": row.scene,
        "labels": colors[row.labels],
        _right_words(row): colors[row.prediction],
    }
    for at, (title, rgb) in enumerate(panels.items()):
        axes = _axes(figure, _EDGE + at * (_SIDE + _GAP), top, (_SIDE, _SIDE))
        axes.imshow(rgb, interpolation="nearest")
        axes.set_title(title, fontsize=10, color=_INK, loc="left", pad=4)
        for spine in axes.spines.values():
            spine.set(color="#888888", linewidth=0.8)


def _right_words(row: Row) -> str:
    labelled = row.labels != IGNORE
    if not labelled.any():
        return "prediction (no labels here)"
    right = (row.labels == row.prediction)[labelled].mean()
    return f"prediction, {100 * right:.1f} % right"


def _palette(classes: Sequence[LegendClass]) -> NDArray[np.uint8]:
    """Colour of every index, (256, 3)."""
    colors = np.empty((256, 3), np.uint8)
    colors[:] = tuple(bytes.fromhex(UNLABELLED[1:]))
    for index, entry in enumerate(classes):
        colors[index] = tuple(bytes.fromhex(entry.color[1:]))
    return colors


def _axes(figure: Figure, left: int, top: int, size: tuple[int, int]) -> Any:
    """Axes at a place, height and width."""
    full_width, full_height = figure.get_size_inches() * DPI
    height, width = size
    box = (
        left / full_width,
        (full_height - top - height) / full_height,
        width / full_width,
        height / full_height,
    )
    axes = figure.add_axes(box)
    axes.set(xticks=[], yticks=[])
    return axes


def _add_legend(figure: Figure, classes: Sequence[LegendClass]) -> None:
    from matplotlib.patches import Rectangle

    entries = [*((entry.color, drawable(class_label(entry))) for entry in classes)]
    entries.append((UNLABELLED, "unlabelled, no data"))
    height = _LEGEND_ROW * len(entries)
    axes = _axes(figure, _EDGE + 3 * (_SIDE + _GAP), _HEAD + _TITLE, (height, _LEGEND_WIDTH))
    axes.axis("off")
    axes.set(xlim=(0, _LEGEND_WIDTH), ylim=(height, 0))
    for at, (color, name) in enumerate(entries):
        y = at * _LEGEND_ROW + 9
        axes.add_patch(Rectangle((2, y - 8), 22, 16, facecolor=color, edgecolor="#666666"))
        axes.text(32, y, shorten(name, 30), va="center", fontsize=10, color=_INK)
