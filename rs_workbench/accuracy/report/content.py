"""What the report says, in which order: one document for HTML and Markdown alike."""

from __future__ import annotations

from collections.abc import Iterator

from rs_workbench.accuracy.estimates import AccuracyEstimate
from rs_workbench.accuracy.report import areas, compare, method, tables
from rs_workbench.accuracy.report.block_plot import block_plot
from rs_workbench.accuracy.report.boundary import boundary_table
from rs_workbench.accuracy.report.document import Block, Document, Picture, Section, Text
from rs_workbench.accuracy.report.errors import errors_section
from rs_workbench.accuracy.report.matrix import counts_table, share_table
from rs_workbench.accuracy.report.numbers import plain
from rs_workbench.accuracy.report.opening import facts, opening
from rs_workbench.accuracy.report.plots import area_plot, class_plot
from rs_workbench.accuracy.report.words import Words
from rs_workbench.accuracy.result import Assessment


def build_document(assessment: Assessment, words: Words, *, errors: bool = False) -> Document:
    """Write the report.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    words : Words
        Language.
    errors : bool
        Whether the map or table of errors lies beside the report.

    Returns
    -------
    Document
        For the writers of HTML and Markdown.
    """
    title = "title.training" if assessment.training else "title"
    title = "title.held_out" if assessment.held_out else title
    return Document(
        lang=words.lang,
        title=words(title, map=plain(assessment.map_name)),
        subtitle=words("subtitle", reference=plain(assessment.reference_name)),
        opening=opening(assessment, words),
        facts=facts(assessment, words),
        sections=tuple(_sections(assessment, words, errors=errors)),
        closing=words("closing", version=plain(assessment.version)),
    )


def _sections(assessment: Assessment, words: Words, *, errors: bool) -> Iterator[Section]:
    if assessment.counts.sum():
        yield _areas(assessment, words)
        yield _classes(assessment, words)
        yield _matrices(assessment, words)
        if errors:
            yield errors_section(assessment, words)
        yield _disagreement(assessment, words)
        yield from _blocks(assessment, words)
        yield from _boundary(assessment, words)
        yield from _baselines(assessment, words)
    yield _counted(assessment, words)
    yield _design(assessment, words)
    if assessment.counts.sum():
        yield _formulas(assessment, words)
        further = (Text(words("further.text"), "note"), compare.further_table(assessment, words))
        yield Section(words("further.title"), further, folded=True)
    if assessment.settings:
        settings = method.settings_table(assessment, words)
        yield Section(words("settings.title"), (settings,), folded=True)


def _names(assessment: Assessment, words: Words) -> list[tuple[str, str]]:
    return [(words.class_name(entry), entry.color) for entry in assessment.legend]


def _areas(assessment: Assessment, words: Words) -> Section:
    title, estimate = words("areas.title"), assessment.estimate
    if estimate is None:
        key = "areas.census" if tables.is_census(assessment) else "areas.no_design"
        return Section(title, (Text(words(key), "note"),))
    blocks: list[Block] = [Text(words("areas.text"))]
    if estimate.area:
        svg = area_plot(_names(assessment, words), estimate.area, words)
        blocks.append(Picture("area", svg, words("areas.plot")))
    blocks.append(areas.area_table(assessment, estimate, words))
    return Section(title, tuple(blocks))


def _classes(assessment: Assessment, words: Words) -> Section:
    found = tables.class_scores(assessment)
    panels = [(words(f"classes.{name}"), found[name]) for name in ("users", "producers", "iou")]
    svg = class_plot(_names(assessment, words), panels, words)
    picture = Picture("classes", svg, words("classes.plot"))
    table = tables.class_table(assessment, words)
    return Section(words("classes.title"), (Text(words("classes.text")), picture, table))


def _matrices(assessment: Assessment, words: Words) -> Section:
    blocks: list[Block] = [Text(words("matrix.text")), Text(words("matrix.colors"), "page")]
    blocks.append(counts_table(assessment, words))
    if assessment.estimate is not None:
        blocks.append(share_table(assessment, assessment.estimate, words))
    return Section(words("matrix.title"), tuple(blocks))


def _disagreement(assessment: Assessment, words: Words) -> Section:
    table = areas.disagreement_table(assessment, words)
    return Section(words("disagreement.title"), (Text(words("disagreement.text")), table))


def _blocks(assessment: Assessment, words: Words) -> Iterator[Section]:
    blocks = assessment.blocks
    if blocks is None or not len(blocks.row):
        return
    height, width = blocks.block_px
    text = words(
        "blocks.text", n=len(blocks.row), height=height, width=width, min=blocks.min_pixels,
        empty=blocks.n_empty, small=blocks.n_small,
    )  # fmt: skip
    sentence, foreign = words.sentence(blocks.correlation.words)
    parts: list[Block] = [Text(text)]
    if svg := block_plot(blocks, words):
        parts.append(Picture("blocks", svg, words("blocks.plot")))
    parts.append(compare.block_table(blocks, words))
    if "mean_iou" in assessment.resampled:
        parts.append(Text(compare.resampled_sentence("mean_iou", assessment, words)))
    if worst := compare.worst_block(blocks, words):
        parts.append(Text(worst))
    stop = "." if foreign else words("stop")
    parts.append(Text(sentence[:1].upper() + sentence[1:] + stop, foreign=foreign))
    yield Section(words("blocks.title"), tuple(parts))


def _boundary(assessment: Assessment, words: Words) -> Iterator[Section]:
    table = boundary_table(assessment, words)
    if table is not None:
        yield Section(words("boundary.title"), (Text(words("boundary.text")), table))


def _baselines(assessment: Assessment, words: Words) -> Iterator[Section]:
    if assessment.baselines:
        table = compare.baseline_table(assessment, words)
        yield Section(words("baselines.title"), (Text(words("baselines.text")), table))


def _counted(assessment: Assessment, words: Words) -> Section:
    policy = words.known("grid", assessment.grid_policy)
    sentence, foreign = (policy, False) if policy else words.sentence(assessment.grid_policy)
    grid = Text(words("counted.grid", policy=sentence), foreign=foreign)
    return Section(words("counted.title"), (method.counted_table(assessment, words), grid))


def _design(assessment: Assessment, words: Words) -> Section:
    title, design, estimate = words("design.title"), assessment.design, assessment.estimate
    if design is None:
        key = "design.census" if tables.is_census(assessment) else "design.none"
        key = "design.held_out" if assessment.held_out else key
        return Section(title, (Text(words(key), "note"),))
    parts: list[Block] = [method.describe_design(design, words)]
    if table := method.strata_table(design, estimate, words):
        parts.append(table)
    if estimate is not None and (hint := method.dominant_stratum(estimate, words)):
        parts.append(hint)
    return Section(title, tuple(parts))


def _formulas(assessment: Assessment, words: Words) -> Section:
    parts: list[Block] = []
    if assessment.estimate is not None:
        parts.extend(_estimator(assessment.estimate, words))
    parts.append(method.formula_table(assessment, words))
    return Section(words("formulas.title"), tuple(parts))


def _estimator(estimate: AccuracyEstimate, words: Words) -> Iterator[Text]:
    name, foreign = words.sentence(estimate.estimator)
    yield Text(words("formulas.estimator", estimator=name), foreign=foreign)
    yield Text(
        words(
            "formulas.interval",
            confidence=f"{100 * estimate.confidence:.6g}",
            z=f"{estimate.z:.6f}",
            fpc=words("formulas.on" if estimate.fpc else "formulas.off"),
        )
    )
