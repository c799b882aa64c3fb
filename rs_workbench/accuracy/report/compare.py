"""What stands beside the estimates, as rows: blocks, borders, other maps, further measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rs_workbench.accuracy import scores
from rs_workbench.accuracy.report.document import Cell, Table, cells
from rs_workbench.accuracy.report.numbers import count, p_value, percent, plain, span
from rs_workbench.accuracy.report.tables import mean_iou
from rs_workbench.accuracy.report.words import Words
from rs_workbench.accuracy.result import Assessment, Baseline

if TYPE_CHECKING:
    from rs_workbench.accuracy.blocks import BlockScores


def block_table(blocks: BlockScores, words: Words) -> Table:
    """Spread of the scores over blocks.

    Parameters
    ----------
    blocks : BlockScores
        Scores by block.
    words : Words
        Language.

    Returns
    -------
    Table
        Overall accuracy and mean IoU.
    """
    named = {
        "baselines.overall": (blocks.overall_accuracy_spread, blocks.overall_accuracy_leave_out),
        "classes.mean_iou": (blocks.mean_iou_spread, blocks.mean_iou_leave_out),
    }
    rows = []
    for key, (spread, left_out) in named.items():
        ordered = (spread.minimum, spread.lower_quartile, spread.median, spread.upper_quartile)
        numbers = (*ordered, spread.maximum, spread.sd, left_out.value, left_out.standard_error)
        rows.append(cells([words(key), *(percent(x) for x in numbers)]))
    columns = ("score", "min", "lower", "median", "upper", "max", "sd", "all", "jackknife")
    head = cells([words(f"blocks.{column}") for column in columns])
    return Table(words("blocks.caption"), head, tuple(rows))


def resampled_sentence(name: str, assessment: Assessment, words: Words) -> str:
    """Tell the interval of a score that whole blocks or polygons drawn anew give.

    Parameters
    ----------
    name : {'overall_accuracy', 'mean_iou'}
        The score.
    assessment : Assessment
        Has it among `resampled`.
    words : Words
        Language.

    Returns
    -------
    str
        A sentence.
    """
    drawn = assessment.resampled[name]
    return words(
        "headline.resampled",
        score=words(f"resampled.{name}"),
        value=percent(drawn.value),
        n=count(drawn.n_units),
        group=words(f"group.{assessment.kind}"),
        draws=count(drawn.n_draws),
        confidence=f"{100 * drawn.confidence:.6g}",
        low=f"{100 * drawn.low:.1f}",
        high=f"{100 * drawn.high:.1f}",
    )


def worst_block(blocks: BlockScores, words: Words) -> str:
    """Say where the block with the lowest overall accuracy is.

    Parameters
    ----------
    blocks : BlockScores
        Scores by block.
    words : Words
        Language.

    Returns
    -------
    str
        A sentence; empty where no block has a score.
    """
    at = blocks.overall_accuracy_spread.minimum_at
    if at is None:
        return ""
    row, col = (int(x) for x in at)
    height, width = blocks.block_px
    return words("blocks.worst", row=row, col=col, y=row * height, x=col * width)


def baseline_table(assessment: Assessment, words: Words) -> Table:
    """Put this map beside others on the same units.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    words : Words
        Language.

    Returns
    -------
    Table
        This map first.
    """
    overall = assessment.estimate.overall.value if assessment.estimate else None
    if overall is None:
        overall = scores.overall_accuracy(assessment.counts)
    this = [words("baselines.this"), percent(overall), percent(mean_iou(assessment).value), "", ""]
    rows = [tuple(Cell(text, strong=True) for text in this)]
    for other in assessment.baselines:
        scores_ = [percent(other.overall_accuracy), percent(other.mean_iou)]
        rows.append((*cells([baseline_name(other, words), *scores_]), *_difference(other, words)))
    columns = ("map", "overall", "mean_iou", "difference", "test")
    if assessment.estimate is None:
        columns = ("map", "agreement", *columns[2:])
    head = cells([words(f"baselines.{column}") for column in columns])
    return Table(words("baselines.caption"), head, tuple(rows), words=(4,))


def baseline_name(baseline: Baseline, words: Words) -> str:
    """Name a baseline in the language of the report.

    Parameters
    ----------
    baseline : Baseline
        Another map.
    words : Words
        Language.

    Returns
    -------
    str
        File names as they are.
    """
    return words.known("baseline", baseline.name) or plain(baseline.name)


def _difference(other: Baseline, words: Words) -> tuple[Cell, Cell]:
    points = Cell("–")
    if other.difference is not None and other.difference.defined:
        between = span(other.difference.low, other.difference.high)
        points = Cell(percent(other.difference.value), below=between)
    test, _ = words.sentence(other.test)
    if other.p_value is None or other.p_value != other.p_value:
        return points, Cell(test or words("baselines.none"))
    return points, Cell(f"{p_value(other.p_value)} ({test})" if test else p_value(other.p_value))


def further_table(assessment: Assessment, words: Words) -> Table:
    """Measures that some ask for, from the counts alone.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    words : Words
        Language.

    Returns
    -------
    Table
        Kappa, Matthews correlation and frequency-weighted IoU.
    """
    measures = further_measures(assessment)
    kappa = f"{measures['cohen_kappa']:.3f}"
    if measures["cohen_kappa_standard_error"] == measures["cohen_kappa_standard_error"]:
        kappa += f" ({words('se', se=format(measures['cohen_kappa_standard_error'], '.3f'))})"
    values = {
        "kappa": kappa,
        "mcc": f"{measures['matthews_correlation']:.3f}",
        "fwiou": percent(measures["frequency_weighted_iou"]),
    }
    rows = [
        cells([words(f"further.{key}"), "–" if "nan" in text else text])
        for key, text in values.items()
    ]
    head = cells([words("further.measure"), words("further.value")])
    return Table(words("further.caption"), head, tuple(rows))


def further_measures(assessment: Assessment) -> dict[str, float]:
    """Compute the further measures from the counts.

    Parameters
    ----------
    assessment : Assessment
        What was found.

    Returns
    -------
    dict of str to float
        NaN where undefined.
    """
    from rs_workbench.accuracy.kappa import cohen_kappa

    counts = assessment.counts
    nan = float("nan")
    kappa = cohen_kappa(counts) if counts.sum() else None
    return {
        "cohen_kappa": nan if kappa is None else float(kappa.value),
        "cohen_kappa_standard_error": nan if kappa is None else float(kappa.standard_error),
        "matthews_correlation": scores.matthews_correlation(counts),
        "frequency_weighted_iou": scores.frequency_weighted_iou(counts),
    }
