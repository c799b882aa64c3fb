"""A picture of the score of every class by each network: a mean hides the class that is lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rs_workbench.card import LegendClass
from rs_workbench.legend_text import class_label, drawable, legend_fonts
from rs_workbench.lessons.panels import make_panels, save_figure
from rs_workbench.lessons.report import Line

_COLORS = ("#1f4e79", "#e08214", "#3f7d3a", "#9970ab", "#7a7a7a", "#c9a227")
_WIDTH, _HEIGHT = 14.0, 5.4  # inches: 1600 px wide
_GROUP = 0.84  # share of its place that a class fills
_ABREAST = 3  # networks whose figures fit side by side; of more they stand upright


def picture_of_class_bars(
    path: str | Path, lines: Sequence[Line], classes: Sequence[LegendClass], *, score: str = "IoU"
) -> Path:
    """Draw a bar for every class by each network, with its figure above it.

    Parameters
    ----------
    path : str or Path
        The PNG file.
    lines : sequence of Line
        Networks; each has a figure by the name of every class, NaN where it has no score.
    classes : sequence of LegendClass
        Their names stand below the bars.
    score : str
        What is drawn, between 0 and 1.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    figure, panels = make_panels(1, 1, width=_WIDTH, height=_HEIGHT)
    panel, thick, fonts = panels[0][0], _GROUP / max(len(lines), 1), legend_fonts()
    upright = 90 if len(lines) > _ABREAST else 0
    for number, line in enumerate(lines):
        at = np.arange(len(classes)) + (number + 0.5) * thick - _GROUP / 2
        values = [float(line.figures[entry.name]) for entry in classes]
        color = _COLORS[number % len(_COLORS)]
        panel.bar(at, np.nan_to_num(values), 0.94 * thick, color=color, label=drawable(line.name))
        for place, value in zip(at, values, strict=True):
            said = "none" if math.isnan(value) else f"{value:.2f}"
            height = 0.01 + float(np.nan_to_num(value))
            panel.text(place, height, said, ha="center", va="bottom", size=13, rotation=upright)
    panel.set_xticks(range(len(classes)), map(_in_two_rows, classes), family=fonts, size=14)
    panel.set_ylim(0, 1.12)  # room for the figure of a bar that reaches 1
    panel.set_yticks(np.linspace(0, 1, 6))
    panel.tick_params(axis="y", labelsize=13)
    panel.set_ylabel(drawable(score), size=15)
    panel.spines[["top", "right"]].set_visible(False)
    names = {"family": fonts, "size": 14}
    figure.legend(loc="outside upper center", ncols=min(len(lines), 5), prop=names, frameon=False)
    return save_figure(figure, path)


def _in_two_rows(entry: LegendClass) -> str:
    """One language below the other: side by side, names of neighbours would touch."""
    bilingual = class_label(entry) != entry.name
    return f"{entry.name}\n{entry.name_zh}" if bilingual else entry.name
