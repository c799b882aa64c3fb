"""Where the map is wrong: what the files beside the report show."""

from __future__ import annotations

import numpy as np

from rs_workbench.accuracy.reference.legend import error_legend
from rs_workbench.accuracy.report.document import Block, Cell, Section, Table, Text
from rs_workbench.accuracy.report.numbers import count
from rs_workbench.accuracy.report.words import Words
from rs_workbench.accuracy.result import Assessment


def errors_section(assessment: Assessment, words: Words) -> Section:
    """Tell what the map or table of errors shows, and what its colours mean.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    words : Words
        Language.

    Returns
    -------
    Section
        With a legend, where it is a map.
    """
    blocks: list[Block] = [Text(words(f"errors.{assessment.kind}"))]
    if assessment.kind == "raster":
        blocks.append(_legend(assessment, words))
    return Section(words("errors.title"), tuple(blocks))


def _legend(assessment: Assessment, words: Words) -> Table:
    counts = assessment.counts
    right = np.trace(counts)
    pixels = [right, *(counts.sum(axis=0) - counts.diagonal())]
    rows = [
        (
            Cell(words.class_name(entry), color=entry.color),
            Cell(str(entry.value)),
            Cell(count(n)),
        )
        for entry, n in zip(error_legend(assessment.legend), pixels, strict=True)
    ]
    head = [Cell(words(f"errors.{column}")) for column in ("meaning", "value", "pixels")]
    return Table(words("errors.caption"), tuple(head), tuple(rows))
