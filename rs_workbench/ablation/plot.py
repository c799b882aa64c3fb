"""Score against cost: a point for each configuration, with its spread over seeds."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rs_workbench.ablation.results import Findings, Row
from rs_workbench.accuracy.report.canvas import (
    FONT,
    INK,
    LINE,
    QUIET,
    WIDTH,
    add_panel,
    drawing_style,
    make_sheet,
    svg_text,
)
from rs_workbench.accuracy.report.numbers import plain, shorten, shown_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = {"torch": "#d55e00", "keras": "#0072b2"}
MARKS = {"torch": "o", "keras": "s"}
NAMES = {"torch": "PyTorch", "keras": "Keras"}
HEIGHT, LEFT, TOP, RIGHT, FOOT = 430, 62, 40, 20, 58
_MOST_LABEL = 20.0
_APART = 13.0
"""Points nearer than this from side to side are set beside each other, px."""
_TWIN = 45.0
"""Points of the same name nearer than this need the name once, px."""
_REACHES = (9.0, 20.0, 34.0, 50.0, 70.0, 95.0, 120.0)
_SIDES = ((1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1), (0, -1))
_DPI = 144

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, px."""


@dataclass(frozen=True)
class Point:
    """A configuration on the sheet; `x` is its cost, `mean` and `spread` are in percent."""

    label: str
    framework: str
    x: float
    mean: float
    spread: float
    scores: tuple[float, ...]
    baseline: bool


def cost_axis(rows: Sequence[Row]) -> tuple[str, list[float]]:
    """Choose what stands for cost: the first of three that all configurations have.

    Parameters
    ----------
    rows : sequence of Row
        Configurations with a score.

    Returns
    -------
    title : str
        Of the axis.
    costs : list of float
        One for each row.
    """
    tiles = {row.cost.tile for row in rows if row.cost}
    tile = f"{min(tiles)} x {min(tiles)} px" if len(tiles) == 1 else "its own size"
    macs = [row.cost.macs / 1e9 if row.cost and row.cost.macs else math.nan for row in rows]
    seconds = [
        1e6 / row.cost.speed.pixels_per_second if row.cost and row.cost.speed else math.nan
        for row in rows
    ]
    choices = [
        (f"multiplications of a tile of {tile}, 10⁹ (MACs)", macs),
        ("inference, s for 10⁶ px", seconds),
        ("parameters, 10⁶", [row.average("parameters") / 1e6 for row in rows]),
    ]
    found = (one for one in choices if all(v > 0 for v in one[1]))
    return next(found, ("", [1.0] * len(rows)))


def draw_scores(findings: Findings) -> tuple[str, bytes]:
    """Draw the scores of a study against cost.

    Parameters
    ----------
    findings : Findings
        At least one configuration with a score.

    Returns
    -------
    svg : str
        For a page.
    png : bytes
        The same as an image.
    """
    rows = [row for row in findings.rows if row.scores]
    title, costs = cost_axis(rows)
    points = [
        Point(
            _label(row), row.configuration.settings.framework, cost, 100 * row.mean,
            100 * row.spread, tuple(100 * one for one in row.scores),
            row.configuration is findings.plan.baseline,
        )
        for row, cost in zip(rows, costs, strict=True)
    ]  # fmt: skip
    with drawing_style():
        sheet = make_sheet(HEIGHT)
        box = (LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - FOOT)
        axes = add_panel(sheet, box)
        _scales(axes, points, title)
        places = _spread_out([_place(axes, point) for point in points])
        for point, place in zip(points, places, strict=True):
            _draw(axes, point, place)
        _write_labels(axes, points, places)
        _key(axes, points)
        image = io.BytesIO()
        sheet.savefig(image, format="png", dpi=_DPI, facecolor="white")
        return svg_text(sheet, "score-cost"), image.getvalue()


def _label(row: Row) -> str:
    """Name a point by its choices; its colour tells the framework."""
    choices = row.configuration.choices
    shown = [value for key, value in choices.items() if key != "framework"]
    return shorten(plain(", ".join(shown) or row.configuration.name), _MOST_LABEL)


def _scales(axes: Axes, points: Sequence[Point], title: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    low = min(min(p.scores) for p in points)
    high = max(max(*p.scores, p.mean + _or_0(p.spread)) for p in points)
    low = min(low, *(p.mean - _or_0(p.spread) for p in points))
    room = max(0.12 * (high - low), 0.5)
    axes.set_ylim(max(0.0, low - room), min(100.0, high + room))
    costs = [p.x for p in points]
    wide = max(max(costs) / min(costs), 1.5) ** 0.18
    axes.set_xscale("log")
    axes.set_xlim(min(costs) / wide, max(costs) * wide)
    axes.xaxis.set_major_locator(_log_ticks(min(costs) / wide, max(costs) * wide))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.grid(color=LINE, linewidth=0.8)
    axes.tick_params(colors=QUIET)
    axes.set_xlabel(title, fontsize=FONT, labelpad=8)
    axes.set_ylabel("mean IoU on held-out ground, %", fontsize=FONT)


def _log_ticks(low: float, high: float) -> Any:
    """Round numbers, four at least where that can be."""
    from matplotlib.ticker import FixedLocator

    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), tuple(range(10, 100, 5))):
        scale = 10 if steps[0] == 10 else 1
        ticks = [s / scale * 10.0**n for n in range(first, last + 1) for s in steps]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) >= 4:
            break
    return FixedLocator(inside)


def _or_0(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _place(axes: Axes, point: Point) -> tuple[float, float]:
    x, y = axes.transData.transform((point.x, point.mean))
    return float(x), float(y)


def _spread_out(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Move points of the same cost beside each other."""
    order = sorted(range(len(places)), key=lambda i: places[i][0])
    groups: list[list[int]] = []
    for i in order:
        if groups and places[i][0] - places[groups[-1][0]][0] < _APART:
            groups[-1].append(i)
        else:
            groups.append([i])
    moved = list(places)
    for group in groups:
        middle = sum(places[i][0] for i in group) / len(group)
        for n, i in enumerate(sorted(group)):
            moved[i] = (middle + _APART * (n - (len(group) - 1) / 2), places[i][1])
    return moved


def _draw(axes: Axes, point: Point, place: tuple[float, float]) -> None:
    inverse = axes.transData.inverted()
    x = float(inverse.transform(place)[0])
    color = COLORS[point.framework]
    if point.spread > 0:
        axes.errorbar(
            [x], [point.mean], yerr=[point.spread], color=color, capsize=4, linewidth=1.6,
            zorder=2,
        )  # fmt: skip
    if len(point.scores) > 1:
        axes.plot(
            [x] * len(point.scores), point.scores, linestyle="none", marker="o",
            markersize=4, markeredgewidth=0, color=color, alpha=0.5, zorder=2,
        )  # fmt: skip
    if point.baseline:
        axes.axhline(point.mean, color=QUIET, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.plot(
        [x], [point.mean], marker=MARKS[point.framework], markersize=8, color=color,
        markeredgecolor="#ffffff", markeredgewidth=1.2, linestyle="none", zorder=3,
    )  # fmt: skip


def _write_labels(
    axes: Axes, points: Sequence[Point], places: Sequence[tuple[float, float]]
) -> list[Box]:
    """Write each label where nothing else is, as near to its point as can be; give all boxes."""
    low, high = axes.transAxes.transform((0, 0)), axes.transAxes.transform((1, 1))
    panel: Box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    taken = [_bar_box(axes, *both) for both in zip(points, places, strict=True)]
    taken += [(panel[0], y - 2, panel[2], y + 2) for (_, y), p in zip(places, points, strict=True)
              if p.baseline]  # fmt: skip
    written: list[tuple[str, tuple[float, float]]] = []
    to_axes = axes.transAxes.inverted().transform  # px of a drawing are not those of an image
    for point, place in zip(points, places, strict=True):
        if any(point.label == text and math.dist(place, at) < _TWIN for text, at in written):
            continue
        written.append((point.label, place))
        size = (FONT * shown_width(point.label) + 4, FONT * 1.25)
        free = (b for b in _candidates(place, size) if _inside(b, panel) and not _hits(b, taken))
        box = next(free, None)
        if box is None:
            continue  # the table names it
        taken.append(box)
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        end = min(max(place[0], box[0]), box[2]), min(max(place[1], box[1]), box[3])
        if math.dist(end, place) > _REACHES[1]:
            line = to_axes([place, end])
            axes.plot(*line.T, transform=axes.transAxes, color=QUIET, linewidth=0.8, zorder=1.5)
        x, y = to_axes(middle)
        axes.text(
            x, y, point.label, transform=axes.transAxes, ha="center",
            va="center_baseline", fontsize=FONT, color=INK,
        )  # fmt: skip
    return taken


def _bar_box(axes: Axes, point: Point, place: tuple[float, float]) -> Box:
    """Room that a point and its error bar take."""
    ends = [*point.scores, point.mean - _or_0(point.spread), point.mean + _or_0(point.spread)]
    ys = [float(axes.transData.transform((point.x, y))[1]) for y in ends]
    return place[0] - 6, min(*ys, place[1] - 6), place[0] + 6, max(*ys, place[1] + 6)


def _candidates(place: tuple[float, float], size: tuple[float, float]) -> Iterator[Box]:
    width, height = size
    for reach in _REACHES:
        for across, up in _SIDES:
            x = place[0] + across * (reach + width / 2)
            y = place[1] + up * (reach + height / 2)
            yield x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _inside(box: Box, panel: Box) -> bool:
    return box[0] >= panel[0] and box[1] >= panel[1] and box[2] <= panel[2] and box[3] <= panel[3]


def _hits(box: Box, taken: Sequence[Box]) -> bool:
    return any(
        box[0] < one[2] and one[0] < box[2] and box[1] < one[3] and one[1] < box[3]
        for one in taken
    )


def _key(axes: Axes, points: Sequence[Point]) -> None:
    """Say above the panel what colours, bars and the dashed line are."""
    from matplotlib.lines import Line2D

    used = [name for name in COLORS if any(p.framework == name for p in points)]
    handles = [
        Line2D([], [], color=COLORS[name], marker=MARKS[name], markersize=8, linestyle="none")
        for name in used
    ]
    labels = [NAMES[name] for name in used]
    if any(len(p.scores) > 1 for p in points):
        handles.append(Line2D([], [], color=QUIET, marker="|", markersize=12, linestyle="none"))
        labels.append("± standard deviation over seeds; dots: each seed")
    handles.append(Line2D([], [], color=QUIET, linestyle=(0, (4, 3)), linewidth=1))
    labels.append("baseline")
    axes.legend(
        handles, labels, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(handles),
        frameon=False, fontsize=FONT - 1, handletextpad=0.4, columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip
