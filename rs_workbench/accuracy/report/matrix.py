"""The confusion matrix as a table: in counts, and in shares of the area."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy.estimates import AccuracyEstimate, Estimate
from rs_workbench.accuracy.report.document import Cell, Table
from rs_workbench.accuracy.report.numbers import count, percent
from rs_workbench.accuracy.report.tables import class_scores, is_census, name_cells
from rs_workbench.accuracy.report.words import Words
from rs_workbench.accuracy.result import Assessment

MOST_NAMED_COLUMNS = 6
"""Classes up to which the columns of a matrix bear names; beyond, the values of the classes."""


def counts_table(assessment: Assessment, words: Words) -> Table:
    """Matrix in counts; its margins bear accuracies only where no estimate gives better ones.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    words : Words
        Language.

    Returns
    -------
    Table
        Rows map, columns reference.
    """
    counts, estimate = assessment.counts, assessment.estimate
    right, n = int(np.trace(counts)), int(counts.sum())
    values = {"right": count(right), "all": count(n), "value": percent(right / n if n else np.nan)}
    if estimate is not None:
        note = words("matrix.raw_estimate", overall=percent(estimate.overall.value), **values)
    else:
        key = "matrix.raw_census" if is_census(assessment) else "matrix.raw_units"
        note = words(key, **values)
    body = [[Cell(count(x), tint=t) for x, t in _tinted(row)] for row in counts]
    bottom = [Cell(count(x)) for x in counts.sum(axis=0)]
    rows = [[*cells_, Cell(count(row.sum()))] for cells_, row in zip(body, counts, strict=True)]
    last = [*bottom, Cell(count(n))]
    shares = None if estimate is not None else class_scores(assessment)
    unit = words.units(n, assessment.unit)
    return _matrix(
        assessment, words, (rows, last), shares, (words("matrix.counts", unit=unit), [note], "")
    )


def share_table(assessment: Assessment, estimate: AccuracyEstimate, words: Words) -> Table:
    """Matrix in percent of the area, with estimated accuracies in its margins.

    Parameters
    ----------
    assessment : Assessment
        Has the legend.
    estimate : AccuracyEstimate
        Has the shares.
    words : Words
        Language.

    Returns
    -------
    Table
        Rows map, columns reference; the lower right cell is the overall accuracy.
    """
    matrix = estimate.matrix
    rows = [
        [*(Cell(_share(x), tint=t) for x, t in _tinted(row)), Cell(_share(row.sum()))]
        for row in matrix
    ]
    last = [Cell(_share(x)) for x in (*matrix.sum(axis=0), matrix.sum())]
    overall = percent(estimate.overall.value)
    text = (words("matrix.share"), [words("matrix.corner")], overall)
    return _matrix(assessment, words, (rows, last), class_scores(assessment), text)


def _matrix(
    assessment: Assessment,
    words: Words,
    body: tuple[list[list[Cell]], list[Cell]],
    margins: dict[str, list[Estimate]] | None,
    text: tuple[str, list[str], str],
) -> Table:
    """Put names, totals and margins round a matrix; `text` is caption, footnotes, corner."""
    names, (rows, last), (caption, notes, corner) = name_cells(assessment, words), body, text
    named = len(names) <= MOST_NAMED_COLUMNS
    values = [str(c.value) for c in assessment.legend]
    across = (
        names if named else [Cell(v, color=n.color) for v, n in zip(values, names, strict=True)]
    )
    if not named:
        names = [Cell(f"{v} {n.text}", color=n.color) for v, n in zip(values, names, strict=True)]
        notes = [words("matrix.numbered"), *notes]
    diagonal = [
        [_agreeing(cell, i == j) for j, cell in enumerate(row)] for i, row in enumerate(rows)
    ]
    head = [Cell(""), *across, Cell(words("total"))]
    total = [Cell(words("total"), strong=True), *last]
    lines = [[name, *row] for name, row in zip(names, diagonal, strict=True)]
    if margins is None:
        return _as_table(words, caption, (head, [*lines, total]), notes)
    head.append(Cell(words("matrix.users")))
    for line, user in zip(lines, margins["users"], strict=True):
        line.append(Cell(percent(user.value)))
    total.append(Cell(""))
    bottom = [Cell(words("matrix.producers"), strong=True)]
    bottom += [Cell(percent(p.value)) for p in margins["producers"]]
    bottom += [Cell(""), Cell(corner, strong=True)]
    return _as_table(words, caption, (head, [*lines, total, bottom]), notes)


def _as_table(
    words: Words, caption: str, grid: tuple[list[Cell], list[list[Cell]]], notes: Sequence[str]
) -> Table:
    return Table(
        caption,
        tuple(grid[0]),
        tuple(tuple(row) for row in grid[1]),
        across=words("matrix.across"),
        down=words("matrix.down"),
        footnotes=tuple(notes),
    )


def _agreeing(cell: Cell, agrees: bool) -> Cell:
    return Cell(cell.text, tint=cell.tint, agrees=agrees, strong=agrees)


def _tinted(row: NDArray[np.float64] | NDArray[np.int64]) -> list[tuple[Any, float]]:
    whole = float(row.sum()) or 1.0
    return [(x, float(x) / whole) for x in row.tolist()]


def _share(share: float) -> str:
    """Percent with two digits; the sum of shares may miss 1 by rounding."""
    return "0" if share == 0 else percent(min(1.0, round(share, 12)), 2)
