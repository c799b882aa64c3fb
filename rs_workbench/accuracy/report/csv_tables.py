"""The report for machines as CSV, in full precision."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from io import StringIO
from typing import Any

from numpy.typing import NDArray

from rs_workbench.accuracy.confusion import AXES
from rs_workbench.accuracy.report.json_file import LONG_NAMES
from rs_workbench.accuracy.report.tables import MEASURES, class_scores
from rs_workbench.accuracy.report.words import Words
from rs_workbench.accuracy.result import Assessment

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def matrix_csv(matrix: NDArray[Any], assessment: Assessment, words: Words) -> bytes:
    """Write a confusion matrix as CSV: rows map, columns reference, and the header says so.

    Parameters
    ----------
    matrix : ndarray, shape (K, K)
        Counts or shares.
    assessment : Assessment
        Has the legend.
    words : Words
        Language of the class names.

    Returns
    -------
    bytes
        See `to_csv`.
    """
    names = [words.class_name(entry) for entry in assessment.legend]
    rows = [[name, *row] for name, row in zip(names, matrix.tolist(), strict=True)]
    return to_csv([f"{AXES[0]} \\ {AXES[1]}", *names], rows)


def classes_csv(assessment: Assessment, words: Words) -> bytes:
    """Write the scores of all classes as CSV.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    words : Words
        Language of the class names.

    Returns
    -------
    bytes
        See `to_csv`. `basis` is estimate (of the map) or units (what was looked at).
    """
    parts = ("value", "standard_error", "low", "high")
    found, counts = class_scores(assessment), assessment.counts
    scored = [f"{LONG_NAMES[m]}{'' if p == 'value' else '_' + p}" for m in MEASURES for p in parts]
    head = ["class_value", "class_name", "basis", "units_on_map", "units_in_reference", *scored]
    rows = []
    for i, entry in enumerate(assessment.legend):
        numbers = [getattr(found[m][i], part) for m in MEASURES for part in parts]
        basis = "units" if assessment.estimate is None else "estimate"
        sums = [int(counts[i].sum()), int(counts[:, i].sum())]
        rows.append([entry.value, words.class_name(entry), basis, *sums, *numbers])
    return to_csv(head, rows)


def areas_csv(assessment: Assessment, words: Words) -> bytes | None:
    """Write mapped and adjusted areas as CSV.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    words : Words
        Language of the class names.

    Returns
    -------
    bytes or None
        None without an estimate: mapped areas are given beside adjusted ones only.
    """
    estimate = assessment.estimate
    if estimate is None:
        return None
    in_ha = ("mapped_ha", "area_ha", "standard_error_ha", "low_ha", "high_ha")
    shares = ("value", "standard_error", "low", "high")
    head = ["class_value", "class_name", "mapped_area_ha", "adjusted_area_ha", *in_ha[2:]]
    head += ["adjusted_share", *(f"share_{part}" for part in shares[1:])]
    rows = []
    for i, entry in enumerate(assessment.legend):
        areas = [getattr(estimate.area[i], x) if estimate.area else math.nan for x in in_ha]
        parts = [getattr(estimate.share[i], x) for x in shares]
        rows.append([entry.value, words.class_name(entry), *areas, *parts])
    return to_csv(head, rows)


def to_csv(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    r"""Write rows as CSV that a spreadsheet opens without harm.

    Parameters
    ----------
    head : sequence of str
        Names of the columns.
    rows : sequence of sequence
        Numbers in full precision, NaN as an empty cell, and texts.

    Returns
    -------
    bytes
        UTF-8. It begins with a byte order mark where anything is beyond ASCII: without one, Excel
        garbles Chinese; plain ASCII needs none. A text that a spreadsheet would take for a formula
        gets an apostrophe before it.

    Examples
    --------
    >>> to_csv(["class", "area_ha"], [["=1+1", 2.5], ["water", float("nan")]])
    b"class,area_ha\n'=1+1,2.5\nwater,\n"
    """
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([[_csv_cell(cell) for cell in row] for row in (head, *rows)])
    text = buffer.getvalue()
    return text.encode("ascii" if text.isascii() else "utf-8-sig")


def _csv_cell(cell: Any) -> Any:
    if isinstance(cell, float):
        return "" if math.isnan(cell) else repr(cell)
    if isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA_STARTS):
        return "'" + cell
    return cell
