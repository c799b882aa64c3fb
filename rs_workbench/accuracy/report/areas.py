"""Areas and kinds of disagreement as plain rows."""

from __future__ import annotations

from collections.abc import Sequence

from rs_workbench.accuracy.disagreement import disagreement
from rs_workbench.accuracy.estimates import AccuracyEstimate, Estimate
from rs_workbench.accuracy.report.document import Cell, Table, cells
from rs_workbench.accuracy.report.numbers import area, area_digits, percent, span
from rs_workbench.accuracy.report.tables import bare, confidence_text, name_cells
from rs_workbench.accuracy.report.words import Words
from rs_workbench.accuracy.result import Assessment


def area_table(assessment: Assessment, estimate: AccuracyEstimate, words: Words) -> Table:
    """Put mapped beside adjusted area, or their shares where no area is known.

    Parameters
    ----------
    assessment : Assessment
        Has the legend.
    estimate : AccuracyEstimate
        Has the areas.
    words : Words
        Language.

    Returns
    -------
    Table
        One row for each class; in ha with a total.
    """
    confidence = confidence_text(assessment)
    names = name_cells(assessment, words)
    if not estimate.area:
        return _area_shares(estimate, names, words, confidence)
    digits = area_digits(x for a in estimate.area for x in (a.mapped_ha, a.area_ha))
    rows = [
        (
            name,
            *cells([area(a.mapped_ha, digits)]),
            Cell(area(a.area_ha, digits), strong=True),
            *cells([
                area(a.standard_error_ha, digits),
                f"{area(a.low_ha, digits)}–{area(a.high_ha, digits)}",
                _half_width(a.low_ha, a.high_ha, a.area_ha),
                percent(share.value),
            ]),
        )
        for name, a, share in zip(names, estimate.area, estimate.share, strict=True)
    ]  # fmt: skip
    sums = [sum(a.mapped_ha for a in estimate.area), sum(a.area_ha for a in estimate.area)]
    last = [words("total"), *(area(x, digits) for x in sums), "", "", "", "100.0"]
    columns = ("mapped", "adjusted", "se", "interval", "relative", "share")
    head = cells([words("class"), *(words(f"areas.{c}") for c in columns)])
    caption = words("areas.caption", confidence=confidence)
    return Table(caption, head, (*rows, tuple(Cell(t, strong=True) for t in last)))


def _half_width(low: float, high: float, value: float) -> str:
    return f"{50 * (high - low) / value:.1f}" if value > 0 else "–"


def _area_shares(
    estimate: AccuracyEstimate, names: Sequence[Cell], words: Words, confidence: str
) -> Table:
    mapped = estimate.matrix.sum(axis=1)
    rows = [
        (
            name,
            Cell(percent(min(1.0, float(on_map)))),
            Cell(percent(share.value), strong=True),
            Cell(f"{100 * share.standard_error:.1f}"),
            Cell(span(share.low, share.high)),
        )
        for name, on_map, share in zip(names, mapped, estimate.share, strict=True)
    ]
    columns = ("mapped_share", "share", "share_se", "share_interval")
    head = cells([words("class"), *(words(f"areas.{c}") for c in columns)])
    return Table(words("areas.caption_share", confidence=confidence), head, tuple(rows))


def disagreement_table(assessment: Assessment, words: Words) -> Table:
    """Quantity, exchange and shift, which add up to all disagreement.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    words : Words
        Language.

    Returns
    -------
    Table
        With intervals where there is a design.
    """
    estimate, rows = assessment.estimate, []
    for name, part in disagreement_parts(assessment).items():
        cells_ = [words(f"disagreement.{name}"), percent(part.value)]
        rows.append(cells([*cells_, *([span(part.low, part.high)] if estimate else [])]))
    total = sum(part.value for part in disagreement_parts(assessment).values())
    last = [words("disagreement.sum"), percent(total), *([""] if estimate else [])]
    rows.append(tuple(Cell(text, strong=True) for text in last))
    heads = [words("disagreement.kind"), words("disagreement.value")]
    if estimate:
        confidence = confidence_text(assessment)
        heads.append(words("disagreement.interval", confidence=confidence))
    key = "disagreement.caption" if estimate else "disagreement.caption_units"
    return Table(words(key), cells(heads), tuple(rows))


def disagreement_parts(assessment: Assessment) -> dict[str, Estimate]:
    """Quantity, exchange and shift by name.

    Parameters
    ----------
    assessment : Assessment
        What was found.

    Returns
    -------
    dict of str to Estimate
        Estimates, or bare shares of what was looked at.
    """
    names = ("quantity", "exchange", "shift")
    if assessment.estimate is not None:
        return {name: getattr(assessment.estimate, name) for name in names}
    parts = disagreement(assessment.counts)
    return {
        name: bare(float(getattr(parts, name)), int(assessment.counts.sum())) for name in names
    }
