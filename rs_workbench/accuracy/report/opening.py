"""The top of the report: one sentence that can be quoted, and what must be known with it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rs_workbench.accuracy import scores
from rs_workbench.accuracy.report.compare import baseline_name, resampled_sentence
from rs_workbench.accuracy.report.document import Fact, Text
from rs_workbench.accuracy.report.numbers import count, percent
from rs_workbench.accuracy.report.tables import confidence_text, is_census, mean_iou
from rs_workbench.accuracy.report.words import Words
from rs_workbench.accuracy.result import Assessment

MOST_BASELINES = 2
"""Baselines among the facts at the top; all are in their section."""
LEAST_BLOCKS = 10
"""Blocks below which no interval is told: a normal quantile is far too small for so few."""
_Z95 = 1.959964


def opening(assessment: Assessment, words: Words) -> tuple[Text, ...]:
    """Write the headline, what it rests on, and the warnings.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    words : Words
        Language.

    Returns
    -------
    tuple of Text
        Kappa is never among them.
    """
    texts = [Text(words("training.banner"), "alarm")] if assessment.training else []
    if not assessment.counts.sum():
        texts.append(Text(words("headline.nothing"), "lead"))
    elif assessment.estimate is None or assessment.training:
        texts.extend(_of_units(assessment, words))
    else:
        texts.extend(_of_map(assessment, words))
    return (*texts, *_warnings(assessment, words))


def _of_map(assessment: Assessment, words: Words) -> Iterator[Text]:
    estimate = assessment.estimate
    assert estimate is not None
    overall = estimate.overall
    yield Text(
        words(
            "headline.estimate",
            value=percent(overall.value),
            confidence=confidence_text(assessment),
            low=f"{100 * overall.low:.1f}",
            high=f"{100 * overall.high:.1f}",
        ),
        "lead",
    )
    units = words.units(int(assessment.counts.sum()), assessment.unit)
    if estimate.design == "cluster":
        n = sum(estimate.stratum_units.values())
        units = words("headline.clusters", units=units, clusters=count(n))
    design = words.known("design", estimate.design) or estimate.design
    rests = words("headline.rests", units=units, design=design)
    gap = " " if words.lang == "en" else ""
    yield Text(rests + (gap + words("headline.truncated") if overall.truncated else ""))


def _of_units(assessment: Assessment, words: Words) -> Iterator[Text]:
    n = int(assessment.counts.sum())
    yield Text(
        words(
            "headline.units",
            right=count(np.trace(assessment.counts)),
            units=words.units(n, assessment.unit),
            value=percent(scores.overall_accuracy(assessment.counts)),
        ),
        "lead",
    )
    if is_census(assessment):
        yield Text(words("headline.census"))
    elif assessment.estimate is None:
        key = "headline.held_out" if assessment.held_out else "headline.no_design"
        yield Text(words(key), "note")
    yield from _over_blocks(assessment, words)


def _is_of_map(assessment: Assessment) -> bool:
    """Whether the figures are the map's own, not those of what was looked at."""
    return (assessment.estimate is not None or is_census(assessment)) and not assessment.training


def _over_blocks(assessment: Assessment, words: Words) -> Iterator[Text]:
    """Say how much the figure depends on the places: by bootstrap, else by jackknife."""
    drawn = assessment.resampled.get("overall_accuracy")
    if drawn is not None and np.isfinite(drawn.low):
        yield Text(resampled_sentence("overall_accuracy", assessment, words))
        if assessment.blocks is None and "mean_iou" in assessment.resampled:
            yield Text(resampled_sentence("mean_iou", assessment, words))
        return
    if assessment.blocks is None:
        return
    whole = assessment.blocks.overall_accuracy_leave_out
    if np.isnan(whole.standard_error) or whole.n_blocks < LEAST_BLOCKS:
        return
    reach = _Z95 * whole.standard_error
    low, high = max(0.0, whole.value - reach), min(1.0, whole.value + reach)
    yield Text(
        words(
            "headline.blocks",
            n=whole.n_blocks,
            confidence=95,
            low=f"{100 * low:.1f}",
            high=f"{100 * high:.1f}",
        )
    )


def _warnings(assessment: Assessment, words: Words) -> Iterator[Text]:
    estimated = () if assessment.estimate is None else assessment.estimate.warnings
    for warning in dict.fromkeys((*assessment.warnings, *estimated)):
        sentence, foreign = words.sentence(warning)
        yield Text(sentence[:1].upper() + sentence[1:], "warning", foreign)


def facts(assessment: Assessment, words: Words) -> tuple[Fact, ...]:
    """Choose the figures that stand out.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    words : Words
        Language.

    Returns
    -------
    tuple of Fact
        Overall accuracy, mean IoU, units, and baselines beside them.
    """
    n = int(assessment.counts.sum())
    if not n:
        return ()
    iou = scores.iou(assessment.counts)
    classes = words("fact.classes_of", n=int(np.isfinite(iou).sum()), k=len(assessment.legend))
    found = [
        _overall(assessment, words),
        Fact(words("fact.mean_iou"), f"{percent(mean_iou(assessment).value)} %", classes),
        Fact(words("fact.units"), count(n), _drawn_how(assessment, words)),
    ]
    detail = "fact.baseline_detail" if _is_of_map(assessment) else "fact.baseline_units"
    for other in assessment.baselines[:MOST_BASELINES]:
        label = words("fact.baseline", name=baseline_name(other, words))
        value = f"{percent(other.overall_accuracy)} %"
        found.append(Fact(label, value, words(detail)))
    return tuple(found)


def _drawn_how(assessment: Assessment, words: Words) -> str:
    estimate = assessment.estimate
    if estimate is None:
        if assessment.held_out:
            return words("fact.kept_out")
        return words("fact.census" if is_census(assessment) else "fact.no_design")
    return words.known("design", estimate.design) or estimate.design


def _overall(assessment: Assessment, words: Words) -> Fact:
    estimate = assessment.estimate
    if estimate is None or assessment.training:
        value = f"{percent(scores.overall_accuracy(assessment.counts))} %"
        label = "fact.fit" if assessment.training else "fact.agreement"
        label = "fact.held_out" if assessment.held_out else label
        about = "fact.census" if is_census(assessment) else "fact.not_map"
        return Fact(words(label), value, words(about))
    overall = estimate.overall
    detail = words(
        "fact.interval",
        low=f"{100 * overall.low:.1f}",
        high=f"{100 * overall.high:.1f}",
        confidence=confidence_text(assessment),
    )
    return Fact(words("fact.overall"), f"{percent(overall.value)} %", detail)
