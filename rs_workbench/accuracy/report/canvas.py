"""A sheet to draw on and the SVG text made of it.

Text stays text, so that the reader's browser brings the fonts: a Chinese name needs none here.
Sizes are pixels of the drawing; nothing is measured by a font, since the reader's differs.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any

from rs_workbench.accuracy.report.numbers import plain, shorten, shown_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 720
FONT = 12
INK, QUIET, LINE, OUTLINE = "#1d2733", "#5b6775", "#d5dbe1", "#4a5560"
MOST_LABEL = 17.0
"""Room for the name of a class, in units of the font size."""
_DPI = 72
_FONTS = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Helvetica Neue', Arial, "
    "'Noto Sans CJK SC', 'Noto Sans SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"
)
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "rs-workbench",
    "font.family": ["DejaVu Sans"],
    "font.size": FONT,
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "xtick.color": QUIET,
    "axes.edgecolor": LINE,
    "axes.linewidth": 1.0,
    "path.simplify": False,
}


@contextmanager
def drawing_style() -> Iterator[None]:
    """Draw with plain text; a font without Chinese characters is no reason to warn.

    Yields
    ------
    None
        While drawing and writing.
    """
    from matplotlib import rc_context

    with warnings.catch_warnings(), rc_context(_STYLE):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def make_sheet(height: float, width: float = WIDTH) -> Figure:
    """Make an empty sheet.

    Parameters
    ----------
    height, width : float
        Size, px.

    Returns
    -------
    Figure
        Without any state shared with other drawings.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    sheet = Figure((width / _DPI, height / _DPI), dpi=_DPI)
    sheet.patch.set_visible(False)
    FigureCanvasSVG(sheet)
    return sheet


def add_panel(sheet: Figure, box: tuple[float, float, float, float]) -> Axes:
    """Add axes in a place of the sheet.

    Parameters
    ----------
    sheet : Figure
        The sheet.
    box : tuple of float
        Left, top, width, height, px from the upper left corner.

    Returns
    -------
    Axes
        With a quiet frame: a grid of thin vertical lines, nothing else.
    """
    width, height = sheet.get_size_inches() * _DPI
    left, top, across, down = box
    axes = sheet.add_axes((left / width, 1 - (top + down) / height, across / width, down / height))
    axes.patch.set_visible(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, labelsize=FONT - 1.5, pad=4)
    axes.set_axisbelow(True)
    return axes


def label_room(names: Sequence[str]) -> tuple[list[str], float]:
    """Shorten the names of classes, and find the room they need.

    Parameters
    ----------
    names : sequence of str
        Any length.

    Returns
    -------
    names : list of str
        Not wider than `MOST_LABEL`.
    room : float
        Width of the widest, px.
    """
    short = [shorten(plain(name), MOST_LABEL) for name in names]
    return short, FONT * max(4.0, *(shown_width(name) for name in short)) + 14


def name_rows(axes: Axes, names: Sequence[str], reach: float) -> None:
    """Write a name left of each row of a panel, and thin lines between rows.

    Parameters
    ----------
    axes : Axes
        The leftmost panel; row 0 is at y = 0, downward.
    names : sequence of str
        One for each row.
    reach : float
        Gap between name and panel, px.
    """
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    figure: Any = axes.figure
    shift = ScaledTranslation(-reach / _DPI, 0, figure.dpi_scale_trans)
    where = blended_transform_factory(axes.transAxes, axes.transData) + shift
    style: dict[str, Any] = {"transform": where, "ha": "right", "va": "center_baseline"}
    for row, name in enumerate(names):
        axes.text(0, row, name, color=INK, fontsize=FONT, **style)


def svg_text(sheet: Figure, name: str) -> str:
    """Turn a sheet into SVG that may stand alone or inside a page.

    Parameters
    ----------
    sheet : Figure
        The drawing.
    name : str
        Begins every id, so that several drawings can share a page.

    Returns
    -------
    str
        One svg element: no declaration, no metadata, nothing loaded from elsewhere.
    """
    buffer = StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    sheet.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    used = set(re.findall(r"(?:url\(#|xlink:href=\"#)([^)\"]+)", svg))
    svg = re.sub(r' id="([^"]+)"', lambda m: _keep_id(m[1], used, name), svg)
    svg = re.sub(r"(url\(#|xlink:href=\"#)", rf"\g<1>{name}-", svg)
    return re.sub(r"'DejaVu Sans'(?=[^<>]*\">)", _FONTS, svg)


def _keep_id(found: str, used: set[str], name: str) -> str:
    return f' id="{name}-{found}"' if found in used else ""
