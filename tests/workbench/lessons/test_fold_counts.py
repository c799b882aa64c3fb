"""Counts of folds: kept, gathered, with intervals over chips; and the report of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rs_workbench.accuracy import mean_iou
from rs_workbench.card import LegendClass
from rs_workbench.errors import UsageError
from rs_workbench.lessons.big_scene import Mapped
from rs_workbench.lessons.fold_counts import (
    count_chips,
    difference,
    gather_counts,
    interval,
    keep_counts,
    open_counts,
    score_line,
    score_lines,
)
from rs_workbench.lessons.spectral_report import add_map

CLASSES = (
    LegendClass(value=1, name="dry", color="#aa8844"),
    LegendClass(value=2, name="wet", color="#4488aa"),
)


def counts_of(seed, n=5):
    return np.random.default_rng(seed).integers(1, 90, (n, 2, 2))


def test_chips_are_counted_one_by_one_without_unlabelled_pixels():
    labels = np.array([[[0, 1]], [[255, 1]]], np.uint8)
    predicted = np.array([[[0, 0]], [[0, 1]]], np.uint8)
    assert count_chips(predicted, labels, 2).tolist() == [[[1, 1], [0, 0]], [[0, 0], [0, 1]]]


def test_folds_of_all_seeds_come_back_in_order(tmp_path):
    folder = open_counts(tmp_path / "counts", "width 8")
    for fold in (1, 0):
        for seed in (0, 2):
            keep_counts(folder, "net", counts_of(10 * fold + seed), fold=fold, seed=seed)
        keep_counts(folder, "random forest", counts_of(fold), fold=fold, seed=0)
    keep_counts(folder, "net", counts_of(99), fold=2, seed=0)  # the others lack it
    keep_counts(folder, "net", counts_of(99), fold=0, seed=7)  # of a run with more seeds
    found = gather_counts(open_counts(folder, "width 8"), folds=range(3), seeds=(0, 2))
    assert found["net"].shape == (2, 10, 2, 2)
    assert found["random forest"].shape == (1, 10, 2, 2)
    np.testing.assert_array_equal(found["net"][1, 5:], counts_of(12))
    one = gather_counts(folder, folds=(1,), seeds=(2,))
    assert {name: counts.shape for name, counts in one.items()} == {"net": (1, 5, 2, 2)}


def test_counts_of_other_settings_are_not_mixed_in(tmp_path):
    keep_counts(open_counts(tmp_path, "width 8"), "net", counts_of(0), fold=0, seed=0)
    folder = open_counts(tmp_path, "width 4")
    with pytest.raises(UsageError, match=r"holds no fold .* got no method"):
        gather_counts(folder, folds=(0,), seeds=(0,))


def test_an_interval_holds_the_score_and_a_difference_pairs_chips():
    first = np.stack([counts_of(0, 12), counts_of(1, 12)])
    drawn = interval(first)
    assert drawn.value == pytest.approx(mean_iou(first.sum(axis=(0, 1))))
    assert drawn.low < drawn.value < drawn.high
    assert difference(first, first).value == 0
    with pytest.raises(UsageError, match="the same chips in the same order: got 12 and 12 chips"):
        difference(first, first[:, ::-1])


def test_a_line_has_the_mean_over_seeds_and_the_classes():
    counts = np.stack([counts_of(0), counts_of(1)])
    line = score_line("net", counts, CLASSES)
    by_seed = [mean_iou(one.sum(axis=0)) for one in counts]
    assert line.figures["mean IoU"] == pytest.approx(np.mean(by_seed))
    assert line.figures["dry"] != line.figures["wet"]
    assert line.note == f"seeds {by_seed[0]:.3f}, {by_seed[1]:.3f}"
    lines = score_lines({"SVM": counts[:1], "net": counts}, CLASSES, ("SVM",))
    assert [(one.name, one.kind) for one in lines] == [("net", "ours"), ("SVM", "baseline")]


def test_the_map_is_added_to_the_report(tmp_path):
    (tmp_path / "report.md").write_text("# Case\n")
    mapped = Mapped(tmp_path / "map.tif", tmp_path / "a.md", 0.75, 0.5, 800.0, 2.0)
    for _ in range(2):
        add_map(tmp_path, mapped, tmp_path / "map.png")
    assert (tmp_path / "report.md").read_text().count("2.00 GiB at once") == 1
    assert json.loads((tmp_path / "figures.json").read_text())["map"]["mean_iou"] == 0.5
