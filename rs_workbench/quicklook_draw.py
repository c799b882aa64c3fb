"""Drawing of the quick look: where its parts stand, and how they look.

Sizes in this file are pixels of the picture; the origin of the layout is the top left corner.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import LegendClass
from rs_workbench.legend_text import class_label, drawable, legend_fonts
from rs_workbench.raster_scene import Scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 1200
DPI = 100
_EDGE, _GAP, _TITLE, _FOOT = 24, 20, 34, 30
_LEGEND_WIDTH, _LEGEND_ROW = 236, 26
_PANEL_HEIGHT = 820
_WIDE = 1.8
_SLOT = 150  # narrower panels stand in a slot of this width, so that titles do not meet
_TITLE_PER_CHARACTER = 7
_INK, _PAPER, _NO_DATA, _HATCH = "#222222", "#ffffff", "#f3f3f3", "#cfcfcf"


@dataclass(frozen=True)
class Layout:
    """Where the panels lie: side by side, or one above the other where they are wide."""

    count: int
    stacked: bool
    height: int = 0
    width: int = 0

    @classmethod
    def fit(cls, shape: tuple[int, int], count: int) -> Layout:
        """Give every panel as much room as the picture has; small maps are enlarged."""
        stacked = count > 1 and shape[1] > _WIDE * shape[0]
        across, down = (1, count) if stacked else (count, 1)
        room = (WIDTH - 2 * _EDGE - _LEGEND_WIDTH) // across - _GAP
        factor = min(room / shape[1], _PANEL_HEIGHT / down / shape[0])
        return cls(
            count, stacked, max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))
        )

    @property
    def slot(self) -> int:
        """Width kept for one panel."""
        return max(self.width, _SLOT)

    @property
    def across(self) -> int:
        """Width of all panels with their gaps."""
        return (1 if self.stacked else self.count) * (self.slot + _GAP)

    @property
    def down(self) -> int:
        """Height of all panels with their titles."""
        return (self.count if self.stacked else 1) * (self.height + _TITLE)

    def place(self, index: int) -> tuple[int, int, int, int]:
        """Left, top, width, height of one panel."""
        left = _EDGE + (0 if self.stacked else index * (self.slot + _GAP))
        top = _TITLE + (index * (self.height + _TITLE) if self.stacked else 0)
        return left, top, self.width, self.height


@dataclass(frozen=True)
class Panel:
    """One picture of the figure."""

    title: str
    rgba: NDArray[np.uint8]


def shorten(text: str, length: int) -> str:
    """Cut a long text in its middle.

    Parameters
    ----------
    text : str
        Any text.
    length : int
        Characters to keep.

    Returns
    -------
    str
        The text, or its ends with dots between.

    Examples
    --------
    >>> shorten("LC08_L2SP_022049_20200314_stack.tif", 24)
    'LC08_L2SP_022...tack.tif'
    """
    return text if len(text) <= length else f"{text[: length - 11]}...{text[-8:]}"


def draw(
    panels: Sequence[Panel],
    layout: Layout,
    info: Scene,
    legend: tuple[Sequence[LegendClass], Mapping[int, float]],
) -> Figure:
    """Draw the panels and the legend.

    Parameters
    ----------
    panels : sequence of Panel
        From left to right, or from top to bottom; the last one is the map.
    layout : Layout
        For as many panels.
    info : Scene
        The map; gives the scale.
    legend : tuple
        Classes, and the share of each.

    Returns
    -------
    Figure
        Ready to be saved.
    """
    # Imported here, because it costs a third of a second that other verbs need not pay.
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = max(layout.down, _TITLE + _LEGEND_ROW * (len(legend[0]) + 2)) + _FOOT
    width = 2 * _EDGE + layout.across + _LEGEND_WIDTH
    with rc_context({"font.family": legend_fonts(), "font.size": 10, "hatch.linewidth": 0.6}):
        figure = Figure((width / DPI, height / DPI), dpi=DPI, facecolor=_PAPER)
        FigureCanvasAgg(figure)
        for index, panel in enumerate(panels):
            axes = _axes(figure, layout.place(index))
            _show(axes, panel, layout.slot // _TITLE_PER_CHARACTER)
        _add_scale(axes, (layout.height, layout.width), info)
        place = (_EDGE + layout.across, _TITLE, _LEGEND_WIDTH, height - _TITLE)
        _add_legend(_axes(figure, place), height - _TITLE, *legend)
    return figure


def _axes(figure: Figure, place: tuple[int, int, int, int]) -> Axes:
    """Axes at (left, top, width, height)."""
    full_width, full_height = figure.get_size_inches() * DPI
    left, top, width, height = place
    bottom = full_height - top - height
    box = (left / full_width, bottom / full_height, width / full_width, height / full_height)
    axes = figure.add_axes(box)
    axes.set(xticks=[], yticks=[])
    return axes


def _show(axes: Axes, panel: Panel, title_length: int) -> None:
    axes.patch.set(facecolor=_NO_DATA, edgecolor=_HATCH, hatch="////")
    height, width = panel.rgba.shape[:2]
    axes.imshow(panel.rgba, interpolation="nearest", aspect="auto", extent=(0, width, height, 0))
    title = shorten(drawable(panel.title), title_length)
    axes.set_title(title, fontsize=10, color=_INK, loc="left", pad=6)
    for spine in axes.spines.values():
        spine.set(color="#888888", linewidth=0.8)


def _add_scale(axes: Axes, size: tuple[int, int], info: Scene) -> None:
    """Draw a scale bar of a round length under the map, and north where it is up."""
    if info.pixel_size is None:
        return
    metres = info.pixel_size[1] * info.shape[1]
    length = round_length(0.3 * metres)
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    below = -10 / size[0]
    share = length / metres
    plain: dict[str, Any] = {"transform": axes.transAxes, "clip_on": False, "color": _INK}
    axes.plot([0, share], [below, below], linewidth=2.5, solid_capstyle="butt", **plain)
    axes.text(
        share + 6 / size[1], below, text, va="center", fontsize=9, color=_INK,
        transform=axes.transAxes,
    )  # fmt: skip
    if info.transform is not None and info.transform.is_rectilinear and size[1] >= 2 * _SLOT:
        axes.text(
            1, below, "north up", va="center", ha="right", fontsize=9, color=_INK,
            transform=axes.transAxes,
        )  # fmt: skip


def round_length(metres: float) -> float:
    """Round a length down to 1, 2 or 5 times a power of ten.

    Parameters
    ----------
    metres : float
        Length, m.

    Returns
    -------
    float
        Length, m.

    Examples
    --------
    >>> round_length(3456.0), round_length(0.7)
    (2000.0, 0.5)
    """
    power = 10.0 ** math.floor(math.log10(metres))
    return max(step * power for step in (1, 2, 5) if step * power <= metres * (1 + 1e-9))


def _add_legend(
    axes: Axes, height: int, classes: Sequence[LegendClass], shares: Mapping[int, float]
) -> None:
    from matplotlib.patches import Rectangle

    axes.axis("off")
    axes.set(xlim=(0, _LEGEND_WIDTH), ylim=(height, 0))
    style: dict[str, Any] = {"va": "center", "fontsize": 10, "color": _INK}
    for row, entry in enumerate(classes):
        y = row * _LEGEND_ROW + 10
        axes.add_patch(Rectangle((2, y - 8), 22, 16, facecolor=entry.color, edgecolor="#666666"))
        axes.text(32, y, shorten(drawable(class_label(entry)), 21), **style)
        share = _percent(shares.get(entry.value, 0.0))
        axes.text(_LEGEND_WIDTH - 6, y, share, ha="right", **style)
    y = len(classes) * _LEGEND_ROW + 10
    patch = Rectangle(
        (2, y - 8), 22, 16, facecolor=_NO_DATA, edgecolor=_HATCH, hatch="////", linewidth=0.8
    )
    axes.add_patch(patch)
    axes.text(32, y, "no data", **style)


def _percent(share: float) -> str:
    if 0 < share < 0.001:
        return "< 0.1 %"
    return f"{100 * share:.1f} %"
