"""How well borders lie, as rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rs_workbench.accuracy.report.document import Cell, Table
from rs_workbench.accuracy.report.numbers import percent
from rs_workbench.accuracy.report.tables import name_cells
from rs_workbench.accuracy.report.words import Words
from rs_workbench.accuracy.result import Assessment

if TYPE_CHECKING:
    from rs_workbench.accuracy.boundary import BoundaryScores

_ABOVE_P95, _ABOVE_MEDIAN = 0.05, 0.5


def boundary_table(assessment: Assessment, words: Words) -> Table | None:
    """Scores of borders, one row for each class that was scored.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    words : Words
        Language.

    Returns
    -------
    Table or None
        Distances in metres where the grid has them, else in pixels; None without scores.
    """
    found = assessment.boundary
    if not found:
        return None
    unit = "px" if math.isnan(found[0].max_distance_m) else "m"
    names = name_cells(assessment, words)
    rows = tuple((names[score.index], *_scores(score, unit, words)) for score in found)
    shares = (
        Cell(words("boundary.f"), below=words("boundary.parts")),
        Cell(words("boundary.iou")),
    )
    distances = ("mean", "median", "p95", "hausdorff")
    heads = (*shares, *(Cell(words(f"boundary.{name}", unit=unit)) for name in distances))
    reach = {
        "unit": unit,
        "tolerance": f"{getattr(found[0], f'tolerance_{unit}'):.4g}",
        "most": f"{getattr(found[0], f'max_distance_{unit}'):.4g}",
    }
    notes = [words("boundary.beyond", **reach)] if any(_beyond(score) for score in found) else []
    caption = words("boundary.caption", **reach)
    return Table(caption, (Cell(words("class")), *heads), rows, footnotes=tuple(notes))


def _scores(score: BoundaryScores, unit: str, words: Words) -> list[Cell]:
    if not score.map_boundary_px and not score.reference_boundary_px:
        return [Cell(words("undefined"), below=words("undefined.neither")), *[Cell("–")] * 5]
    parts = f"{percent(score.precision)} / {percent(score.recall)}"
    beyond = _beyond(score)
    limits = {"mean": 0.0, "median": _ABOVE_MEDIAN, "p95": _ABOVE_P95, "hausdorff": 0.0}
    names = {"hausdorff": f"hausdorff_{unit}"}
    return [
        Cell(percent(score.f), below=parts),
        Cell(percent(score.boundary_iou)),
        *(
            _distance(getattr(score, names.get(name, f"{name}_distance_{unit}")), beyond > limit)
            for name, limit in limits.items()
        ),
    ]


def _beyond(score: BoundaryScores) -> float:
    """Give the larger share of both borders that has no counterpart within reach."""
    pairs = (
        (score.map_beyond_px, score.map_boundary_px),
        (score.reference_beyond_px, score.reference_boundary_px),
    )
    return max(part / whole if whole else 0.0 for part, whole in pairs)


def _distance(distance: float, at_least: bool) -> Cell:
    if math.isnan(distance):
        return Cell("–")
    return Cell(f"≥ {distance:.2f}" if at_least else f"{distance:.2f}")
