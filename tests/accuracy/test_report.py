"""What the report says: every figure is the assessment's, to the printed digit."""

import re
from dataclasses import replace

import numpy as np
import pytest

from rs_workbench.accuracy.area import ESTIMATORS, design_estimate
from rs_workbench.accuracy.bootstrap import bootstrap_blocks
from rs_workbench.accuracy.boundary import score_boundaries
from rs_workbench.accuracy.report.files import render_report, write_report
from rs_workbench.accuracy.report.words import words_in
from rs_workbench.accuracy.sample import Design, Stratum, make_sample
from rs_workbench.accuracy.scores import mean_iou, overall_accuracy
from tests.accuracy.assessments import (
    COUNTS,
    compared_rasters,
    many_classes,
    olofsson,
    two_classes,
)
from tests.accuracy.pages import Page, page_of

HARD_SPACE = "\N{NO-BREAK SPACE}"


# Olofsson et al. 2014, section 5: overall accuracy 0.95 +- 0.02, deforestation 21,158 +- 6,158 ha.
def test_headline_is_one_sentence_with_its_interval_and_what_it_rests_on():
    page = page_of(olofsson())
    assert page.of_class("lead") == [
        "Overall accuracy 94.7 % (95 % confidence interval 92.8 to 96.5 %)."
    ]
    assert "640 pixels with a reference label: stratified random sample." in page.words


def test_areas_are_those_of_the_paper_beside_the_mapped_ones():
    page = page_of(olofsson())
    rows = page.table("Area by class in hectares")
    assert rows[1] == [
        "deforestation",
        "18,000",
        "21,158",
        "3,142",
        "15,000–27,315",
        "29.1",
        "2.4",
    ]
    assert round((27_315 - 15_000) / 2) == pytest.approx(6158, abs=1)
    assert rows[-1][:3] == ["Total", "900,000", "900,000"]


def test_class_table_prints_what_the_estimate_holds():
    found = olofsson()
    rows = page_of(found).table("Estimates for the map")
    for i, row in enumerate(rows[1:5]):
        for cell, name in zip(row[2:], ("users", "producers", "f1", "iou"), strict=True):
            e = getattr(found.estimate, name)[i]
            value, interval, error = re.split(r"[|·]", cell.replace(HARD_SPACE, ""))
            assert value == f"{100 * e.value:.1f}"
            assert interval.rstrip("†*") == f"{100 * e.low:.1f}–{100 * e.high:.1f}"
            assert interval.endswith("†") == e.truncated
            assert error == f"SE{100 * e.standard_error:.1f}"
    assert rows[5][-1].startswith("78.1|")


def test_matrix_in_counts_and_in_area_share_with_named_axes():
    page = page_of(olofsson())
    counts, shares = page.table("In counts: 640 pixels"), page.table("In area share")
    assert counts[0][:2] == ["Map ↓", "Reference →"]
    assert [[int(x) for x in row[1:5]] for row in counts[2:6]] == COUNTS.tolist()
    assert counts[6][1:] == ["69", "56", "175", "340", "640"]
    matrix = olofsson().estimate.matrix
    for row, expected in zip(shares[2:6], matrix, strict=True):
        assert row[1:5] == [f"{100 * x:.2f}" if x else "0" for x in expected]
    assert [row[-1] for row in shares[2:6]] == ["88.0", "73.3", "92.7", "96.3"]
    assert shares[-1] == ["Producer's, %", "74.9", "84.7", "93.5", "96.2", "", "94.7"]


def test_raw_diagonal_is_never_called_overall_accuracy():
    notes = " ".join(page_of(olofsson()).of_class("footnote"))
    assert "587 of 640 = 91.7 %. This is not the overall accuracy of the map" in notes
    notes = " ".join(page_of(compared_rasters()).of_class("footnote"))
    assert "80,430 of 86,620 = 92.9 %. It describes what was looked at" in notes


def test_without_a_design_there_is_no_interval_and_no_area():
    page = page_of(compared_rasters())
    assert "These figures describe what was looked at, not the map" in page.words
    assert "Areas are not given" in page.words
    assert not [caption for caption in page.tables if caption.startswith("Area by")]
    assert page.of_class("lead") == [
        "Map and reference agree on 80,430 of 86,620 pixels looked at: 92.9 %."
    ]
    assert page.table("Shares of what was looked at")[1][2:] == ["97.2", "95.5", "96.4", "93.0"]
    assert "SE " not in str(page.table("Shares of what was looked at"))
    assert "7,000" not in page.words + str(page.tables)


def test_interval_over_blocks_is_the_jackknife_of_the_blocks():
    found = compared_rasters()
    whole = found.blocks.overall_accuracy_leave_out
    low, high = (100 * (whole.value + s * 1.959964 * whole.standard_error) for s in (-1, 1))
    expected = f"the 95 % interval over blocks would be {low:.1f} to {high:.1f} % (jackknife)"
    assert expected in page_of(found).words


def test_bootstrap_over_blocks_is_told_where_it_was_drawn():
    blocks = np.random.default_rng(3).integers(1, 400, (30, 2, 2)) + np.diag([900, 900])
    drawn = {
        name: bootstrap_blocks(score, blocks, n_draws=200, seed=1, confidence=0.9)
        for name, score in (("overall_accuracy", overall_accuracy), ("mean_iou", mean_iou))
    }
    words = page_of(compared_rasters(resampled=drawn)).words
    for title, found in zip(("Agreement", "Mean IoU"), drawn.values(), strict=True):
        assert f"{title} {100 * found.value:.1f} %: drawing the 30 blocks anew 200 times" in words
        assert f"90 % interval of {100 * found.low:.1f} to {100 * found.high:.1f} %" in words
    assert "jackknife)" not in words


def test_difference_without_a_p_value_names_its_method():
    other = replace(compared_rasters().baselines[1], p_value=None, test="bootstrap of 63 blocks")
    found = compared_rasters(baselines=(other,))
    assert page_of(found).table("On the same units")[2][3:] == [
        "2.8|0.6–5.0", "bootstrap of 63 blocks",
    ]  # fmt: skip
    assert page_of(found, "zh").table("同一批单元")[2][4] == "63 个区块的自助法"


def test_block_spread_is_printed_and_the_worst_block_named():
    found = compared_rasters()
    page, spread = page_of(found), found.blocks.overall_accuracy_spread
    row = page.table("Spread over blocks")[1]
    assert row[1] == f"{100 * spread.minimum:.1f}"
    assert row[5] == f"{100 * spread.maximum:.1f}"
    y, x = (64 * place for place in spread.minimum_at)
    assert f"starts at pixel row {y}, column {x}." in page.words


def test_shares_only_where_no_area_is_known():
    found = olofsson(mapped_area_ha=None)
    found = replace(found, estimate=replace(found.estimate, area=()))
    rows = page_of(found).table("Share of the area by class")
    assert rows[1] == ["deforestation", "2.0", "2.4", "0.3", "1.7–3.0"]
    assert "area_plot" not in render_report(found, words_in("en"))


def test_adjusted_areas_stand_alone_where_the_mapped_ones_are_unknown():
    areas = tuple(replace(a, mapped_ha=float("nan")) for a in olofsson().estimate.area)
    found = olofsson(estimate=replace(olofsson().estimate, area=areas))
    files = render_report(found, words_in("en"))
    rows = Page(files["html"].decode()).table("Area by class in hectares")
    assert rows[1][1:3] == ["–", "21,158"]
    assert "Adjusted / mapped" not in files["area_plot"].decode()
    assert "Adjusted / mapped" in render_report(olofsson(), words_in("en"))["area_plot"].decode()


def test_undefined_class_is_said_to_be_so():
    found = many_classes(8)
    page = page_of(found)
    row = page.table("Estimates for the map")[4]
    assert row[2:] == ["undefined|in neither map nor reference"] * 4
    note = "Undefined: class 3: in neither map nor reference; left out of the mean IoU."
    assert note in page.of_class("footnote")
    assert "over 7 of 8 classes" in page.words


def test_class_missing_from_one_side_only_gets_its_own_reason():
    counts = np.array([[5, 2, 0], [1, 9, 0], [0, 3, 0]])
    found = compared_rasters(counts=counts)
    row = page_of(found).table("Shares of what was looked at")[3]
    assert row[2] == "0.0"
    assert row[3] == "undefined|not in the reference"


def test_training_data_get_a_banner_and_no_accuracy():
    found = olofsson(training=True)
    page = page_of(found)
    assert page.of_class("alarm")[0].startswith("Fit to training data, not accuracy.")
    assert "Fit of change_2000_2010.tif to training data" in page.words
    assert "Overall accuracy" not in page.of_class("lead")[0]
    assert not page_of(olofsson()).of_class("alarm")


def test_kappa_stands_only_in_the_folded_part():
    text = render_report(olofsson(), words_in("en"))["html"].decode()
    folded = text.index("<details>")
    assert "appa" not in text[:folded]
    # sklearn.metrics.cohen_kappa_score of the 640 units: 0.86996.
    assert "0.870" in text[folded:]
    assert "says nothing about area" in text[folded:]


def test_units_left_out_are_kept_apart():
    rows = page_of(olofsson()).table("Every unit of the reference")
    assert [row[1] for row in rows[1:]] == ["640", "3", "7", "2", "1", "653"]


def test_baselines_stand_beside_the_map_with_the_paired_test():
    rows = page_of(compared_rasters()).table("On the same units")
    assert rows[1][:3] == ["This map", "92.9", "82.6"]
    assert rows[2][0] == "majority class everywhere"
    assert rows[3] == ["older_map.tif", "90.1", "77.0", "2.8|0.6–5.0",
                       "p = 0.012 (McNemar test, mid-p)"]  # fmt: skip


def test_design_is_told_with_its_strata_and_the_dominant_one():
    page = page_of(olofsson())
    assert page.table("Strata")[4] == [
        "class 3", "6,450,000", "325", "325", "0.000050", "51.3",
    ]  # fmt: skip
    assert "One stratum, class 3, brings 51.3 % of the variance" in page.words
    assert "Random seed 17." in page.words
    assert "z = 1.959964; finite population correction: off." in page.words


@pytest.mark.parametrize(
    ("kind", "paper"),
    [("stratified", "Stehman 2014"), ("post_stratified", "5A.42"), ("simple_random", "Cochran")],
)
def test_formulas_follow_the_design(kind, paper):
    found = olofsson(estimate=replace(olofsson().estimate, design=kind))
    rows = page_of(found).table("How each figure was computed")
    assert paper in dict((row[0], row[2]) for row in rows[1:])["Standard errors"]


def test_truncation_and_wilsons_interval_are_said():
    page = page_of(two_classes())
    assert page.table("Estimates for the map")[1][2].replace(HARD_SPACE, " ") == (
        "100.0|92.9–100.0* · SE 0.0"
    )
    notes = page.of_class("footnote")
    assert any(note.startswith("* ") for note in notes)
    assert any(note.startswith("† ") for note in notes)


def test_borders_in_metres_with_lower_bounds_marked():
    truth = np.zeros((40, 40), int)
    truth[:, 20:] = 1
    shifted = np.roll(truth, 4, axis=1)
    shifted[:, :4] = 0
    scores = score_boundaries(shifted, truth, 3, tolerance=20.0, pixel_size_m=(10.0, 10.0))
    rows = page_of(compared_rasters(boundary=scores)).table("Borders by class")
    assert rows[0][3] == "Mean distance, m"
    assert rows[1][3:] == ["40.00"] * 4
    assert rows[3][1].startswith("undefined")
    near = score_boundaries(
        shifted, truth, 3, tolerance=20.0, max_distance=30.0, pixel_size_m=(10.0, 10.0)
    )
    page = page_of(compared_rasters(boundary=near))
    assert page.table("Borders by class")[1][3:] == ["≥ 30.00"] * 4
    assert any("no counterpart within 30 m" in note for note in page.of_class("footnote"))


def test_nothing_compared_is_a_report_that_says_so(tmp_path):
    empty = compared_rasters(counts=np.zeros((3, 3), np.int64), blocks=None, baselines=())
    files = write_report(empty, tmp_path / "r")
    assert "there is nothing to report" in files["html"].read_text("utf-8")


def test_many_classes_are_numbered_in_the_columns():
    page = page_of(many_classes(25))
    head = page.table("In counts")[1]
    assert head[1:4] == ["0", "10", "20"]
    assert page.table("In counts")[3][0] == "10 class 1"


def test_chinese_page_has_chinese_names_and_no_foreign_sentence():
    found = olofsson(estimate=_warned(), grid_policy="same grid")
    page = page_of(found, "zh")
    assert page.lang == "zh-Hans"
    assert not [attrs for tag, attrs in page.tags if attrs.get("lang") == "en"]
    assert page.table("各类面积")[1][0] == "毁林"


def _warned():
    """Estimate with the warnings of a systematic sample."""
    rows, columns = np.nonzero(COUNTS)
    times = COUNTS[rows, columns]
    sample = make_sample(np.repeat(rows, times), np.repeat(columns, times), 4)
    design = Design(kind="systematic", area_ha=900_000.0)
    return design_estimate(sample, design)


def test_every_estimator_and_warning_of_the_core_has_a_chinese_sentence():
    words = words_in("zh")
    strata = tuple(Stratum(name=n, n_population=p, n_drawn=9) for n, p in [("a", 90), ("b", 10)])
    stratum = ["a"] * 5 + ["b"] * 3
    sample = make_sample([0] * 5 + [1] * 3, [0, 0, 1, 0, 0, 1, 1, 1], 2, stratum=stratum)
    post = design_estimate(sample, Design(kind="post_stratified", strata=strata))
    sentences = [*ESTIMATORS.values(), *_warned().warnings, *post.warnings]
    assert len(post.warnings) >= 4
    assert not [s for s in sentences if words.sentence(s)[1]]


def test_an_unknown_sentence_stays_english_and_is_marked():
    text = render_report(olofsson(warnings=("beware of dogs",)), words_in("zh"))["html"].decode()
    assert "<p class='warning' lang='en'>Beware of dogs</p>" in text
