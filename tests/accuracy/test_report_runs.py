"""Reports of whole runs: complete in Chinese, the same numbers in every file, errors explained."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from pyogrio.raw import write as write_layer
from shapely import box, points, to_wkb

from rs_workbench.accuracy.assess.options import AssessOptions
from rs_workbench.accuracy.estimates import Estimate
from rs_workbench.accuracy.reference.label_values import LabelValues
from rs_workbench.accuracy.report.words import words_in
from rs_workbench.assess import assess_map
from tests.accuracy.assessments import compared_rasters, many_classes, olofsson
from tests.accuracy.pages import Page, page_of
from tests.workbench.rasters import NORTH_UP, UTM, write_tif

CLASSES = "1=water 水,2=ice 冰,3=land 陆地"
RNG = np.random.default_rng(4)
TRUTH = RNG.integers(1, 4, (40, 60)).astype(np.uint8)
OURS = np.where(RNG.random(TRUTH.shape) < 0.8, TRUTH, RNG.integers(1, 4, TRUTH.shape))
OURS = OURS.astype(np.uint8)


@pytest.fixture
def maps(tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    write_tif(folder / "map.tif", OURS[None], nodata=255)
    worse = np.where(RNG.random(TRUTH.shape) < 0.5, TRUTH, 1).astype(np.uint8)
    worse[:3] = 255
    write_tif(folder / "worse.tif", worse[None], nodata=255)
    write_tif(folder / "truth.tif", TRUTH[None], nodata=255)
    fine = np.kron(TRUTH, np.ones((2, 2), np.uint8))
    write_tif(
        folder / "fine.tif", fine[None], nodata=255, transform=NORTH_UP @ NORTH_UP.scale(0.5)
    )
    write_tif(folder / "moved.tif", TRUTH[None], nodata=255,
              transform=NORTH_UP @ NORTH_UP.translation(0.5, 0))  # fmt: skip
    return folder


def save(path, shapes, labels, kind, **columns):
    table = {"label": np.array(labels), **columns}
    write_layer(
        path, to_wkb(np.array(shapes, object)), list(table.values()), list(table),
        driver="GPKG", geometry_type=kind, crs=UTM,
    )  # fmt: skip
    return path


def some_points(path):
    pixels = [(r, c) for r in range(0, 40, 2) for c in range(0, 60, 3)]
    xy = [(500_005 + 10 * c, 4_999_995 - 10 * r) for r, c in pixels]
    labels = [int(TRUTH[p]) for p in pixels]
    second = [int(OURS[p]) for p in pixels]
    shapes = [*points(np.array(xy)), None]
    return save(path, shapes, [*labels, 1], "Point", alternate=np.array([*second, 1]))


def some_polygons(path):
    corners = [(r, c) for r in range(0, 36, 5) for c in range(0, 56, 6)]
    shapes = [box(500_000 + 10 * c, 4_999_960 - 10 * r, 500_040 + 10 * c, 5_000_000 - 10 * r)
              for r, c in corners]  # fmt: skip
    labels = [int(TRUTH[p]) for p in corners]
    shapes += [box(500_001, 4_999_998, 500_002, 4_999_999), box(0, 0, 10, 10), None]
    return save(path, shapes, [*labels, 1, 1, 1], "Polygon")


RUNS = {
    "census": ("truth.tif", {"compare": "worse.tif", "block": 8}),
    "fine": ("fine.tif", {"resample": "majority"}),
    "moved": ("moved.tif", {"resample": "nearest"}),
    "points": ("points", {"compare": "worse.tif", "accept_alternate": True}),
    "stratified": ("points", {"design": "stratified", "compare": "worse.tif"}),
    "systematic": ("points", {"design": "systematic"}),
    "post": ("points", {"design": "post_stratified"}),
    "polygons": ("polygons", {"compare": "worse.tif"}),
    "cluster": ("polygons", {"design": "cluster"}),
}


def report(maps, out, run, lang="zh", **more):
    name, options = RUNS[run]
    options = {**options, **more}
    if "compare" in options:
        options["compare"] = str(maps / options["compare"])
    reference = maps / name
    if name in ("points", "polygons"):
        make = some_points if name == "points" else some_polygons
        reference = make(maps / f"{name}.gpkg")
    chosen = AssessOptions(classes=CLASSES, **options)
    found = assess_map(maps / "map.tif", reference, out, options=chosen, lang=lang)
    return found, Page((out / "report.html").read_text("utf-8"))


@pytest.mark.parametrize("run", list(RUNS))
def test_a_chinese_page_is_chinese(maps, tmp_path, run):
    found, page = report(maps, tmp_path / "r", run)
    assert not [attrs for _, attrs in page.tags if attrs.get("lang") == "en"]
    for other in found.baselines:
        assert not words_in("zh").sentence(other.test)[1] or not other.test
    # Sentences of English are at least four words long; names, papers and options are not.
    papers = ("Sensing", "Techniques", "Journal", "Modelling", "Conference", "Pontius", "Olofsson")
    english = re.findall(r"[a-z]+(?: [a-z]+){3,}", page.words)
    assert not [e for e in english if not any(p.lower() in e for p in papers)]


def test_without_georeference_in_chinese(tmp_path):
    for name, labels in (("a.png", OURS), ("b.png", TRUTH)):
        write_tif(tmp_path / name, labels[None], driver="PNG", crs=None, transform=None)
    options = AssessOptions(classes=CLASSES, values=LabelValues(map_nodata=(255.0,)))
    assess_map(tmp_path / "a.png", tmp_path / "b.png", tmp_path / "r", options=options, lang="zh")
    page = Page((tmp_path / "r" / "report.html").read_text("utf-8"))
    assert "“a.png”和“b.png”都没有坐标系：假定两者的像元一一重合" in page.words
    assert "大小相同，无地理参考" in page.words


@pytest.mark.parametrize("run", ["census", "stratified", "cluster"])
def test_all_files_say_the_same(maps, tmp_path, run):
    _, page = report(maps, tmp_path / "r", run, lang="en")
    written = json.loads((tmp_path / "r" / "accuracy.json").read_text("utf-8"))
    markdown = (tmp_path / "r" / "report.md").read_text("utf-8")
    rows = list(csv.DictReader((tmp_path / "r" / "classes.csv").open(encoding="utf-8-sig")))
    counts = list(csv.reader((tmp_path / "r" / "confusion_counts.csv").open("r")))[1:]
    assert [[int(x) for x in row[1:]] for row in counts] == written["confusion_counts"]
    estimate = written["estimate"]
    for number, (row, entry) in enumerate(zip(rows, written["classes"], strict=True), 1):
        users = (
            entry["users_accuracy"]["value"] if estimate else entry["of_units"]["users_accuracy"]
        )
        assert float(row["users_accuracy"]) == users
        caption = "Estimates for the map" if estimate else "Of all compared pixels"
        shown = page.table(caption)[number][2].split("|")[0]
        assert shown == f"{100 * users:.1f}"
        assert f"| {shown} " in markdown
    whole = estimate["overall_accuracy"] if estimate else None
    value = whole["value"] if whole else written["of_units"]["diagonal_share"]
    assert f"{100 * value:.1f} %" in page.of_class("lead")[0]
    assert f"**{100 * value:.1f} %**" in markdown


def test_the_error_map_is_explained_with_its_colours(maps, tmp_path):
    _, page = report(maps, tmp_path / "r", "census", lang="en")
    assert "error_map.tif, beside this page, shows every compared pixel" in page.words
    right = int((OURS == TRUTH).sum())
    missed = [int(((OURS != TRUTH) & (TRUTH == k)).sum()) for k in (1, 2, 3)]
    table = page.table("Values of error_map.tif")
    assert table[1] == ["correct", "0", f"{right:,}"]
    assert [row[2] for row in table[2:]] == [str(n) for n in missed]
    assert table[2][:2] == ["should be water", "1"]
    colors = [a.get("style") for tag, a in page.tags if tag == "i"]
    assert "background:#e6e6e6" in colors


def test_the_table_of_errors_is_explained(maps, tmp_path):
    assert "含每个比较过的点" in report(maps, tmp_path / "p", "points")[1].words
    assert "every compared polygon" in report(maps, tmp_path / "q", "polygons", "en")[1].words
    assert "error_map.tif" not in page_of(compared_rasters()).words  # none was written


def test_clusters_are_told_beside_their_pixels(maps, tmp_path):
    found, page = report(maps, tmp_path / "r", "cluster", lang="en")
    pixels = int(found.counts.sum())
    assert f"from {pixels:,} pixels in 80 clusters with a reference label" in page.words


def test_a_share_of_units_is_not_called_the_accuracy_of_a_map(maps, tmp_path):
    _, page = report(maps, tmp_path / "r", "points", lang="en")
    head = page.table("On the same units")[0]
    assert head[1] == "Agreement"
    shown = " ".join(
        [page.words, *(" ".join(row) for rows in page.tables.values() for row in rows)]
    )
    hits = [m.start() for m in re.finditer("[Oo]verall accuracy", shown)]
    for at in hits:
        around = shown[max(0, at - 60) : at]
        assert "no estimate of the " in around or "adds nothing to " in around, around


def test_areas_of_a_census_need_no_estimate(maps, tmp_path):
    page = report(maps, tmp_path / "r", "census", lang="en")[1]
    assert "area of each class is that of its column" in page.words
    assert "nothing to correct them with" not in page.words
    assert "as far as the reference is right." in page.words
    assert "no estimate of the overall accuracy of the map" not in page.words
    assert "draw a sample" not in page.words
    assert any(caption.startswith("Of all compared pixels") for caption in page.tables)


def test_two_blocks_give_no_interval(maps, tmp_path):
    found, page = report(maps, tmp_path / "r", "fine", lang="en", block=30)
    assert found.blocks is not None
    assert found.blocks.overall_accuracy_leave_out.n_blocks == 4
    assert "jackknife)" not in page.words


def test_notes_of_a_design_are_sentences(maps, tmp_path):
    page = report(maps, tmp_path / "r", "stratified", lang="en")[1]
    assert "Named by the user; strata and sizes from the map." in page.words
    assert (
        "设计由用户指定；层及其大小取自图。" in report(maps, tmp_path / "s", "stratified")[1].words
    )


def test_a_stratum_without_errors_brings_no_variance():
    estimate = olofsson().estimate
    noise = {f"class {i}": 1e-33 if i else 1.0 for i in range(4)}
    page = page_of(olofsson(estimate=replace(estimate, variance_share=noise)))
    assert [row[-1] for row in page.table("Strata")[1:]] == ["100.0", "0.0", "0.0", "0.0"]


def test_wide_matrices_are_set_smaller():
    def kind(found):
        page = page_of(found)
        return next(a["class"] for t, a in page.tags if t == "table" and "matrix" in a["class"])

    assert kind(olofsson()) == "matrix"
    assert kind(olofsson(counts=np.full((4, 4), 10**15))) == "matrix wide"
    assert kind(many_classes(25)).startswith("matrix wide")


def test_differences_of_grids_are_chinese_too():
    words = words_in("zh")
    for english, chinese in (
        ("pixel size 5 x 5, map 10 x 10", "像元大小 5 × 5，图为 10 × 10"),
        (
            "pixel size 5 x 5 and another orientation, map 10 x 10",
            "像元大小 5 × 5 且方向不同，图为 10 × 10",
        ),
        ("coordinate system EPSG:4326, map EPSG:32633", "坐标系 EPSG:4326，图为 EPSG:32633"),
        (
            "origin (5, 0), map (0, 0), which is 0.500 columns and 0.000 rows off",
            "原点 (5, 0)，图为 (0, 0)，相差 0.500 列、0.000 行",
        ),
    ):
        policy = f"reference resampled to the map's grid by majority ({english})"
        assert words.sentence(policy) == (f"参考数据按众数重采样到图的栅格（{chinese}）", False)


def test_an_undefined_difference_is_a_dash():
    other = compared_rasters().baselines[1]
    nan = float("nan")
    other = replace(other, difference=Estimate(nan, nan, nan, nan, 0), p_value=nan)
    row = page_of(compared_rasters(baselines=(other,))).table("On the same units")[2]
    assert row[3] == "–"
