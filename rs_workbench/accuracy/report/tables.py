"""Scores by class as plain rows, and what other tables need of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rs_workbench.accuracy import scores
from rs_workbench.accuracy.estimates import Estimate
from rs_workbench.accuracy.report.document import Cell, Table, cells
from rs_workbench.accuracy.report.numbers import count, percent, span
from rs_workbench.accuracy.report.words import Words
from rs_workbench.accuracy.result import Assessment

_HARD_SPACE = "\N{NO-BREAK SPACE}"
MEASURES = ("users", "producers", "f1", "iou")
_COMPUTE = {
    "users": scores.users_accuracy,
    "producers": scores.producers_accuracy,
    "f1": scores.f1_score,
    "iou": scores.iou,
}


def class_scores(assessment: Assessment) -> dict[str, list[Estimate]]:
    """Give the scores of every class: estimates, or bare shares where there is no design.

    Parameters
    ----------
    assessment : Assessment
        What was found.

    Returns
    -------
    dict of str to list of Estimate
        For each of `MEASURES`; without a design, all but the value is NaN.
    """
    if assessment.estimate is not None:
        return {name: list(getattr(assessment.estimate, name)) for name in MEASURES}
    n = int(assessment.counts.sum())
    return {
        name: [bare(float(value), n) for value in compute(assessment.counts)]
        for name, compute in _COMPUTE.items()
    }


def bare(value: float, n_units: int) -> Estimate:
    """Wrap a share that has no uncertainty to speak of.

    Parameters
    ----------
    value : float
        The share.
    n_units : int
        Units it describes.

    Returns
    -------
    Estimate
        With NaN for standard error and bounds.
    """
    nan = float("nan")
    return Estimate(value, nan, nan, nan, n_units)


def name_cells(assessment: Assessment, words: Words) -> list[Cell]:
    """Make one cell with swatch and name for each class.

    Parameters
    ----------
    assessment : Assessment
        Has the legend.
    words : Words
        Language of the names.

    Returns
    -------
    list of Cell
        In the order of the legend.
    """
    return [Cell(words.class_name(c), color=c.color) for c in assessment.legend]


def class_table(assessment: Assessment, words: Words) -> Table:
    """Scores of each class.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    words : Words
        Language.

    Returns
    -------
    Table
        User's, producer's accuracy, F1 and IoU; intervals where there is a design.
    """
    by_measure, estimate = class_scores(assessment), assessment.estimate
    on_map, in_reference = assessment.counts.sum(axis=1), assessment.counts.sum(axis=0)
    rows = []
    for i, name in enumerate(name_cells(assessment, words)):
        units = Cell(f"{count(on_map[i])} / {count(in_reference[i])}")
        reason = _why_undefined(int(on_map[i]), int(in_reference[i]), words)
        rows.append(
            (name, units, *(score_cell(by_measure[m][i], words, reason) for m in MEASURES))
        )
    mean = mean_iou(assessment)
    label = Cell(words("classes.mean_iou"), strong=True)
    rows.append((label, *cells([""] * 4), score_cell(mean, words)))
    heads = [Cell(words(f"classes.{m}")) for m in MEASURES]
    units = Cell(words("classes.units"), below=words("classes.units_below"))
    key = "classes.caption" if estimate is not None else "classes.caption_units"
    if estimate is None and is_census(assessment):
        key = "classes.caption_census"
    confidence = confidence_text(assessment)
    caption = words(key, confidence=confidence)
    shown = [e for m in MEASURES for e in by_measure[m]] + [mean]
    notes = (*_absent_note(assessment, words), *_interval_notes(shown, words))
    return Table(caption, (Cell(words("class")), units, *heads), tuple(rows), footnotes=notes)


def mean_iou(assessment: Assessment) -> Estimate:
    """Mean IoU of the map, or of what was looked at.

    Parameters
    ----------
    assessment : Assessment
        What was found.

    Returns
    -------
    Estimate
        Over the classes where IoU is defined.
    """
    if assessment.estimate is not None:
        return assessment.estimate.mean_iou
    return bare(scores.mean_iou(assessment.counts), int(assessment.counts.sum()))


def is_census(assessment: Assessment) -> bool:
    """Tell whether every pixel of the map was compared.

    Parameters
    ----------
    assessment : Assessment
        What was found.

    Returns
    -------
    bool
        Then nothing is left to sampling.
    """
    compared = int(assessment.counts.sum())
    if assessment.held_out:
        return False
    return assessment.kind == "raster" and compared == sum(assessment.mapped_pixels) > 0


def confidence_text(assessment: Assessment) -> str:
    """Print the level of the intervals in percent.

    Parameters
    ----------
    assessment : Assessment
        What was found.

    Returns
    -------
    str
        Such as 95; that of the blocks where there is no design.
    """
    level = 0.95 if assessment.estimate is None else assessment.estimate.confidence
    return f"{100 * level:.6g}"


def score_cell(estimate: Estimate, words: Words, reason: str = "") -> Cell:
    """Cell of one score with its interval.

    Parameters
    ----------
    estimate : Estimate
        The score.
    words : Words
        Language.
    reason : str
        Why it may be undefined.

    Returns
    -------
    Cell
        Percent, and below it the interval and the standard error.
    """
    if not estimate.defined:
        return Cell(words("undefined"), below=reason)
    if np.isnan(estimate.standard_error):
        return Cell(percent(estimate.value))
    mark = ("*" if _forced_wilson(estimate) else "") + ("†" if estimate.truncated else "")
    error = words("se", se=f"{100 * estimate.standard_error:.1f}")
    below = f"{span(estimate.low, estimate.high)}{mark} · {error}"
    return Cell(percent(estimate.value), below=below.replace(" ", _HARD_SPACE))


def _forced_wilson(estimate: Estimate) -> bool:
    return estimate.interval == "wilson" and estimate.standard_error == 0


def _why_undefined(on_map: int, in_reference: int, words: Words) -> str:
    if not on_map and not in_reference:
        return words("undefined.neither")
    return words("undefined.map") if not on_map else words("undefined.reference")


def _absent_note(assessment: Assessment, words: Words) -> list[str]:
    counts = assessment.counts
    absent = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1) == 0)
    names = ", ".join(words.class_name(assessment.legend[i]) for i in absent)
    return [words("classes.undefined", names=names)] if absent.size else []


def _interval_notes(shown: Sequence[Estimate], words: Words) -> list[str]:
    notes = []
    if any(e.defined and _forced_wilson(e) for e in shown):
        notes.append(words("classes.wilson"))
    if any(e.defined and e.truncated for e in shown):
        notes.append(words("classes.truncated"))
    return notes
