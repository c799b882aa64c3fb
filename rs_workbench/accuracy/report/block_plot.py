"""Drawing of the blocks: where on the map they are right, and how many are how right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rs_workbench.accuracy.report.canvas import (
    FONT,
    INK,
    LINE,
    OUTLINE,
    QUIET,
    WIDTH,
    add_panel,
    drawing_style,
    make_sheet,
    svg_text,
)
from rs_workbench.accuracy.report.words import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rs_workbench.accuracy.blocks import BlockScores

MOST_CELLS = 4000
"""Blocks up to which each is drawn in its place; beyond, only the histogram."""
_SHADES = "cividis"
_TOP, _FOOT, _SIDE = 10, 46, 300


def block_plot(blocks: BlockScores, words: Words) -> str:
    """Draw a grid of the blocks, shaded by overall accuracy, and their histogram.

    Parameters
    ----------
    blocks : BlockScores
        Scores by block.
    words : Words
        Language.

    Returns
    -------
    str
        SVG; empty where no block has a score.
    """
    shown = np.flatnonzero(np.isfinite(blocks.overall_accuracy))
    if not shown.size:
        return ""
    row, col = blocks.row[shown], blocks.col[shown]
    value = 100 * blocks.overall_accuracy[shown]
    n_rows, n_cols = int(row.max()) + 1, int(col.max()) + 1
    aspect = n_rows * blocks.block_px[0] / (n_cols * blocks.block_px[1])
    gridded = len(shown) <= MOST_CELLS
    height = float(np.clip(_SIDE * aspect, 110, 340)) if gridded else 180.0
    width = min(_SIDE, height / aspect) if gridded else 0.0
    edges = _edges(value)
    with drawing_style():
        sheet = make_sheet(_TOP + height + _FOOT)
        if gridded:
            axes = add_panel(sheet, (2, _TOP, width, min(height, width * aspect)))
            _grid(axes, (row, col, value), (n_rows, n_cols), (edges[0], edges[-1]))
        left = width + 50
        box = (left, _TOP, min(WIDTH - left - 10, 400), min(height, 180))
        _histogram(add_panel(sheet, box), value, edges, words)
        return svg_text(sheet, "blocks")


def _edges(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Choose round limits for the classes of the histogram, which the shades share."""
    reach = 100 - float(value.min())
    step = next((s for s in (0.5, 1, 2, 5) if reach / s <= 14), 10)
    low = max(0.0, step * np.floor(float(value.min()) / step))
    return np.arange(low, 100 + step, step).clip(max=100.0) if low < 100 else np.array([99.5, 100])


def _color(value: float, limits: tuple[float, float]) -> Any:
    from matplotlib import colormaps

    low, high = limits
    return colormaps[_SHADES]((value - low) / (high - low))


def _grid(
    axes: Axes,
    cells: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]],
    shape: tuple[int, int],
    limits: tuple[float, float],
) -> None:
    from matplotlib.patches import Rectangle

    for row, col, value in zip(*cells, strict=True):
        color = _color(float(value), limits)
        axes.add_patch(
            Rectangle((col, row), 1, 1, facecolor=color, edgecolor="#ffffff", linewidth=0.5)
        )
    axes.add_patch(
        Rectangle((0, 0), shape[1], shape[0], fill=False, edgecolor=OUTLINE, linewidth=0.8)
    )
    axes.set(xlim=(0, shape[1]), ylim=(shape[0], 0), xticks=[], yticks=[])


def _histogram(
    axes: Axes, value: np.ndarray[Any, Any], edges: np.ndarray[Any, Any], words: Words
) -> None:
    counts, _ = np.histogram(value, edges)
    for n, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        color = _color((low + high) / 2, (edges[0], edges[-1]))
        axes.bar(low, n, high - low, align="edge", color=color, edgecolor=OUTLINE, linewidth=0.7)
    from matplotlib.ticker import MaxNLocator

    axes.set(xlim=(edges[0], 100))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.tick_params(labelcolor=QUIET)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_xlabel(words("blocks.axis"), fontsize=FONT, color=INK, labelpad=6)
    axes.set_ylabel(words("blocks.count"), fontsize=FONT, color=INK, labelpad=6)
