"""Drawings of the report: bars with intervals by class, mapped against adjusted area, blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rs_workbench.accuracy.estimates import AreaEstimate, Estimate
from rs_workbench.accuracy.report.canvas import (
    FONT,
    INK,
    LINE,
    OUTLINE,
    QUIET,
    WIDTH,
    add_panel,
    drawing_style,
    label_room,
    make_sheet,
    name_rows,
    svg_text,
)
from rs_workbench.accuracy.report.numbers import percent
from rs_workbench.accuracy.report.words import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Names = Sequence[tuple[str, str]]
"""Name and colour of each class."""
_TOP, _FOOT, _GAP = 30, 26, 18
_ROW = 26
_BAR = 0.56
_VALUE_ROOM = 0.34
_MOST_RATIO = 250.0


def class_plot(
    names: Names, panels: Sequence[tuple[str, Sequence[Estimate]]], words: Words
) -> str:
    """Draw bars from 0 to 100 % for each class, one panel for each score.

    Parameters
    ----------
    names : sequence of (str, str)
        Name and colour of each class.
    panels : sequence of (str, sequence of Estimate)
        Title of each panel, and one score for each class.
    words : Words
        Language.

    Returns
    -------
    str
        SVG.
    """
    labels, room = label_room([name for name, _ in names])
    height = _ROW * len(names)
    with drawing_style():
        sheet = make_sheet(_TOP + height + _FOOT)
        across = (WIDTH - room - _GAP * len(panels)) / len(panels)
        for index, (title, scores) in enumerate(panels):
            left = room + index * (across + _GAP)
            axes = add_panel(sheet, (left, _TOP, across, height))
            _scale(axes, title, len(names), 1 + _VALUE_ROOM)
            axes.set_xticks([0, 0.5, 1], ["0", "50", "100 %"])
            for row, (score, (_, color)) in enumerate(zip(scores, names, strict=True)):
                _score_bar(axes, row, score, color, words)
            if not index:
                name_rows(axes, labels, 8)
        return svg_text(sheet, "classes")


def _scale(axes: Axes, title: str, n_rows: int, right: float) -> None:
    axes.set(xlim=(0, right), ylim=(n_rows - 0.5, -0.5), yticks=[])
    axes.set_title(title, fontsize=FONT, color=INK, loc="left", pad=10, fontweight="bold")
    axes.grid(axis="x", color=LINE, linewidth=0.8)


def _score_bar(axes: Axes, row: int, score: Estimate, color: str, words: Words) -> None:
    style: dict[str, Any] = {"va": "center_baseline", "fontsize": FONT - 1.5}
    if not score.defined:
        axes.text(0.03, row, words("undefined"), color=QUIET, fontstyle="italic", **style)
        return
    _bar(axes, row, score.value, color)
    end = score.value
    if not np.isnan(score.low):
        _whisker(axes, row, score.low, score.high)
        end = max(end, score.high)
    text = percent(score.value)
    axes.text(max(end, 1) + _VALUE_ROOM * 0.96, row, text, color=INK, ha="right", **style)


def _bar(axes: Axes, row: int, value: float, color: str) -> None:
    # Light colours of a legend would vanish on paper without an outline.
    axes.barh(row, value, _BAR, color=color, edgecolor=OUTLINE, linewidth=0.7)


def _whisker(axes: Axes, row: float, low: float, high: float) -> None:
    # A white halo keeps the interval visible on dark bars.
    for color, width in (("#ffffff", 4.2), (INK, 1.5)):
        axes.plot([low, high], [row, row], color=color, linewidth=width, solid_capstyle="butt")
    for end in (low, high):
        axes.plot([end, end], [row - 0.15, row + 0.15], color=INK, linewidth=1.5)


def area_plot(names: Names, areas: Sequence[AreaEstimate], words: Words) -> str:
    """Draw adjusted beside mapped area, in ha and as their ratio, which small classes need.

    Parameters
    ----------
    names : sequence of (str, str)
        Name and colour of each class.
    areas : sequence of AreaEstimate
        One for each class.
    words : Words
        Language.

    Returns
    -------
    str
        SVG.
    """
    labels, room = label_room([name for name, _ in names])
    height, across = _ROW * len(names), WIDTH - room - 2 * _GAP
    with drawing_style():
        sheet = make_sheet(_TOP + height + _FOOT + 26)
        axes = add_panel(sheet, (room, _TOP, 0.53 * across, height))
        most = max(_finite([a.high_ha for a in areas] + [a.mapped_ha for a in areas] + [0.0]))
        _scale(axes, words("plot.area"), len(names), 1.04 * most or 1.0)
        for row, (area, (_, color)) in enumerate(zip(areas, names, strict=True)):
            _area_bar(axes, row, area, color)
        axes.xaxis.set_major_locator(_few_ticks())
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.10g}")
        name_rows(axes, labels, 8)
        _area_key(axes, height, words)
        if any(a.mapped_ha > 0 for a in areas):
            left = room + 0.53 * across + 2.5 * _GAP
            panel = add_panel(sheet, (left, _TOP, 0.47 * across - _GAP, height))
            _ratio_panel(panel, names, areas, words)
        return svg_text(sheet, "area")


def _finite(values: Sequence[float]) -> list[float]:
    return [v for v in values if np.isfinite(v)]


def _few_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4, steps=[1, 2, 5, 10])


def _area_bar(axes: Axes, row: int, area: AreaEstimate, color: str) -> None:
    if np.isfinite(area.area_ha):
        _bar(axes, row, area.area_ha, color)
        _whisker(axes, row, area.low_ha, area.high_ha)
    if np.isfinite(area.mapped_ha):
        # On the upper edge of the bar, where it leaves the interval free.
        _mapped_mark(axes, area.mapped_ha, row - _BAR / 2)


def _mapped_mark(axes: Axes, x: float, row: float, **more: Any) -> None:
    style = {"color": "#ffffff", "markeredgecolor": INK, "markeredgewidth": 1.4, **more}
    axes.plot([x], [row], marker="D", markersize=5.5, linestyle="none", clip_on=False, **style)


def _area_key(axes: Axes, height: float, words: Words) -> None:
    """Say below the panel what bar and diamond are."""
    from matplotlib.patches import Rectangle

    y = 1 + 44 / height
    place: dict[str, Any] = {"transform": axes.transAxes, "clip_on": False}
    down = 1 - y
    style: dict[str, Any] = {**place, "fontsize": FONT - 1.5, "color": QUIET}
    size = 9 / height
    axes.add_patch(
        Rectangle(
            (0, down - size / 2), 0.06, size, facecolor="#b9c2cb", edgecolor=OUTLINE, **place
        )
    )
    axes.text(0.08, down, words("plot.adjusted"), va="center_baseline", **style)
    _mapped_mark(axes, 0.66, down, transform=axes.transAxes)
    axes.text(0.70, down, words("plot.mapped"), va="center_baseline", **style)


def _ratio_panel(axes: Axes, names: Names, areas: Sequence[AreaEstimate], words: Words) -> None:
    ratios = [_ratios(a) for a in areas]
    highest = max(_finite([high for _, _, high in ratios]), default=100.0)
    right = min(max(140.0, 1.05 * highest), _MOST_RATIO)
    _scale(axes, words("plot.ratio"), len(names), right)
    axes.axvline(100, color=QUIET, linewidth=1.2)
    axes.xaxis.set_major_locator(_few_ticks())
    for row, ((ratio, low, high), (_, color)) in enumerate(zip(ratios, names, strict=True)):
        if np.isnan(ratio):
            axes.text(
                right * 0.03, row, words("undefined"), color=QUIET, fontstyle="italic",
                va="center_baseline", fontsize=FONT - 1.5,
            )  # fmt: skip
            continue
        beyond = ratio > right
        if not beyond:
            _whisker(axes, row, low, min(high, right))
        axes.plot(
            [min(ratio, right)], [row], marker=">" if beyond else "o", markersize=8, color=color,
            markeredgecolor=OUTLINE, linestyle="none", clip_on=False,
        )  # fmt: skip
        if beyond:
            axes.text(
                right * 0.95, row, f"{ratio:,.0f} %", ha="right", va="center_baseline",
                fontsize=FONT - 1.5, color=INK,
            )  # fmt: skip


def _ratios(a: AreaEstimate) -> tuple[float, float, float]:
    """Give adjusted area and its bounds in percent of the mapped area."""
    whole = a.mapped_ha / 100 if a.mapped_ha > 0 else np.nan
    return a.area_ha / whole, a.low_ha / whole, a.high_ha / whole
