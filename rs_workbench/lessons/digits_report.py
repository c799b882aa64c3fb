"""What the lessons on digits put into their reports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rs_workbench.accuracy import binomial_interval
from rs_workbench.lessons.report import Line

COURSE = "the course's notebooks; its test set served as validation there"
MAP_LINE = "The map of a page of digits, and how good it is: [page/report.md](page/report.md)."


def accuracy_line(name: str, right: Sequence[int], count: int, note: str = "") -> Line:
    """Say how many test digits were right, with the interval of 95 %.

    Parameters
    ----------
    name : str
        What was tested.
    right : sequence of int
        Test digits that were right, one number a seed.
    count : int
        Test digits.
    note : str
        What the reader should know.

    Returns
    -------
    Line
        Mean over the seeds, Wilson's interval of that mean, lowest and highest seed. All seeds
        are tested on the same digits: more seeds make the interval no narrower.
    """
    shares = np.asarray(right) / count
    interval = binomial_interval(float(np.mean(right)), count)
    figures = {"test accuracy": float(shares.mean()), "low": interval.low, "high": interval.high}
    if len(right) > 1:
        figures |= {"worst seed": float(shares.min()), "best seed": float(shares.max())}
    return Line(name, figures, note=note)


def published(name: str, accuracy: float) -> Line:
    """Cite a figure of the course.

    Parameters
    ----------
    name : str
        The net.
    accuracy : float
        Of its last epoch, on the 10,000 test digits.

    Returns
    -------
    Line
        Marked as published.
    """
    return Line(name, {"test accuracy": accuracy}, kind="published", note=COURSE)


def markdown_table(rows: Sequence[Sequence[object]], head: Sequence[str]) -> str:
    """Write a table in Markdown.

    Parameters
    ----------
    rows : sequence of sequence
        Cells.
    head : sequence of str
        Names of the columns.

    Returns
    -------
    str
        The table.
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
