"""What stands behind the figures, as rows: units, strata, formulas and sources, settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rs_workbench.accuracy.estimates import AccuracyEstimate
from rs_workbench.accuracy.report.document import Cell, Table, Text, cells
from rs_workbench.accuracy.report.numbers import area, area_digits, count, percent, plain
from rs_workbench.accuracy.report.words import Words
from rs_workbench.accuracy.result import Assessment
from rs_workbench.accuracy.sample import Design

DOMINANT_PART = 0.5
"""Part of the variance from which one stratum is said to dominate."""
OLOFSSON_2014 = "Olofsson et al. 2014, Remote Sensing of Environment 148, 42–57"
STEHMAN_2014 = "Stehman 2014, International Journal of Remote Sensing 35, 4923–4939"
COCHRAN_1977 = "Cochran 1977, Sampling Techniques, 3rd edition"
PONTIUS_2014 = "Pontius and Santacruz 2014, International Journal of Remote Sensing 35, 7543–7554"
WADOUX_2021 = "Wadoux et al. 2021, Ecological Modelling 457, 109692"
CHENG_2021 = (
    "Csurka et al. 2013, British Machine Vision Conference; Cheng et al. 2021, Conference on "
    "Computer Vision and Pattern Recognition"
)
WILSON_1927 = "Wilson 1927, Journal of the American Statistical Association 22, 209–212"
POST_STRATIFIED = f"{COCHRAN_1977}, 5A.42"


def counted_table(assessment: Assessment, words: Words) -> Table:
    """Units compared and units left out, by reason.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    words : Words
        Language.

    Returns
    -------
    Table
        One row for each reason, those without a unit included.
    """
    numbers = {
        "used": int(assessment.counts.sum()),
        "map_nodata": assessment.map_nodata,
        "unlabelled": assessment.unlabelled,
        "out_of_scope": assessment.out_of_scope,
        "outside": assessment.outside,
    }
    head = (words("counted.what"), words("counted.number"))
    rows = [cells([words(f"counted.{key}"), count(n)]) for key, n in numbers.items()]
    last = (words("total"), count(sum(numbers.values())))
    total = tuple(Cell(text, strong=True) for text in last)
    return Table(words("counted.caption"), cells(head), (*rows, total))


def describe_design(design: Design, words: Words) -> Text:
    """Say in words how the units were chosen.

    Parameters
    ----------
    design : Design
        The design.
    words : Words
        Language.

    Returns
    -------
    Text
        A paragraph.
    """
    kind = design.kind
    unit = words.known("unit", design.unit) or plain(design.unit)
    parts = [words(f"design.{kind}.text", unit=unit)]
    if design.allocation:
        allocation = words.known("allocation", design.allocation) or plain(design.allocation)
        parts.append(words("design.allocation", allocation=allocation))
    if design.n_population is not None:
        parts.append(words("design.population", n=count(design.n_population)))
    if design.area_ha is not None:
        digits = area_digits([design.area_ha])
        parts.append(words("design.area", area=area(design.area_ha, digits)))
    if not design.equal_area:
        parts.append(words("design.unequal"))
    if design.map:
        parts.append(words("design.map", map=plain(design.map)))
    if design.seed is not None:
        parts.append(words("design.seed", seed=design.seed))
    for note in design.notes:
        sentence, _ = words.sentence(note)
        parts.append(sentence[:1].upper() + sentence[1:].rstrip(".") + words("stop"))
    return Text((" " if words.lang == "en" else "").join(parts))


def strata_table(design: Design, estimate: AccuracyEstimate | None, words: Words) -> Table | None:
    """Strata with their sizes and what each brings to the variance.

    Parameters
    ----------
    design : Design
        Has the strata.
    estimate : AccuracyEstimate or None
        Has the parts of the variance.
    words : Words
        Language.

    Returns
    -------
    Table or None
        None where there are no strata.
    """
    if not design.strata:
        return None
    variance = {} if estimate is None else estimate.variance_share
    labelled = {} if estimate is None else estimate.stratum_units
    columns = ("stratum", "population_head", "drawn", "labelled", "probability", "variance")
    rows = []
    for stratum in design.strata:
        drawn, part = stratum.n_drawn, variance.get(stratum.name, float("nan"))
        chance = "–" if drawn is None else f"{drawn / stratum.n_population:.6f}"
        rows.append(
            cells([
                plain(stratum.name), count(stratum.n_population),
                "–" if drawn is None else count(drawn),
                count(labelled[stratum.name]) if stratum.name in labelled else "–",
                chance, percent(round(part, 9)),
            ])
        )  # fmt: skip
    head = cells([words(f"design.{column}") for column in columns])
    return Table(words("design.caption"), head, tuple(rows))


def dominant_stratum(estimate: AccuracyEstimate, words: Words) -> Text | None:
    """Name the stratum that most of the variance comes from.

    Parameters
    ----------
    estimate : AccuracyEstimate
        Has the parts of the variance.
    words : Words
        Language.

    Returns
    -------
    Text or None
        None where no stratum among several dominates.
    """
    parts = estimate.variance_share
    if len(parts) < 2:
        return None
    name, part = max(parts.items(), key=lambda item: -1.0 if item[1] != item[1] else item[1])
    if not part > DOMINANT_PART:
        return None
    return Text(words("design.dominant", name=plain(name), share=percent(part)), "note")


def formula_table(assessment: Assessment, words: Words) -> Table:
    """Formulas of the figures that the report shows, each with its paper.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    words : Words
        Language.

    Returns
    -------
    Table
        Only what was used.
    """
    rows = [
        cells([words(f"formula.{key}"), words(f"formula.{key}.how"), source])
        for key, source in _formulas(assessment)
    ]
    head = cells([words(f"formulas.{column}") for column in ("what", "how", "source")])
    return Table(words("formulas.caption"), head, tuple(rows), words=(1, 2))


def _formulas(assessment: Assessment) -> Iterator[tuple[str, str]]:
    estimate = assessment.estimate
    yield ("counts", "–") if estimate is None else ("matrix", f"{OLOFSSON_2014}; {STEHMAN_2014}")
    yield "scores", OLOFSSON_2014
    if estimate is not None:
        yield "area", OLOFSSON_2014
        if estimate.design == "post_stratified":
            yield "post", POST_STRATIFIED
        else:
            yield "variance", f"{STEHMAN_2014}; {COCHRAN_1977}"
        kind = interval_kind(estimate)
        yield kind, COCHRAN_1977 if kind == "wald" else WILSON_1927
    yield "disagreement", PONTIUS_2014
    if assessment.blocks is not None:
        yield "blocks", WADOUX_2021
    if assessment.boundary:
        yield "boundary", CHENG_2021


def interval_kind(estimate: AccuracyEstimate) -> str:
    """Find the kind of the intervals, which Wilson's replace where the standard error is 0.

    Parameters
    ----------
    estimate : AccuracyEstimate
        The figures.

    Returns
    -------
    str
        'wald', 'wilson' or 'logit'.
    """
    every = [estimate.overall, *estimate.users, *estimate.producers, *estimate.share]
    kinds = Counter(e.interval for e in every if e.defined and e.standard_error > 0)
    return kinds.most_common(1)[0][0] if kinds else estimate.overall.interval


def settings_table(assessment: Assessment, words: Words) -> Table:
    """Options of the run.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    words : Words
        Language.

    Returns
    -------
    Table
        In the order they were given.
    """
    rows = [cells([plain(str(k)), plain(str(v))]) for k, v in assessment.settings.items()]
    head = cells([words("settings.option"), words("settings.value")])
    return Table(words("settings.caption"), head, tuple(rows), words=(1,))
