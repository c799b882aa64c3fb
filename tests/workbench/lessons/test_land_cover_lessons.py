"""Cutting, the mosaic, the words on accuracy: what the lessons on land cover promise."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import rasterio

from rs_workbench.accuracy import mean_iou
from rs_workbench.card import LegendClass
from rs_workbench.errors import SceneError, UsageError
from rs_workbench.lessons.accuracy_words import area_table, class_table, kappa_words, sample_areas
from rs_workbench.lessons.cutting import (
    cut_by_chance,
    cut_grid,
    cut_like_the_course,
    share_covered,
)
from rs_workbench.lessons.cutting_pictures import (
    PARTS,
    picture_of_schemes,
    picture_of_splits,
)
from rs_workbench.lessons.dunes import bands_of, choose_tiles, ground_facts, open_dunes
from rs_workbench.lessons.held_out_maps import (
    count_baselines,
    count_blocks,
    difference_sentence,
    difference_sentences,
    difference_verdict,
    read_held_out,
    score_line,
)
from rs_workbench.lessons.raster_ground_mosaic import find_window, write_mosaic
from rs_workbench.standin_files import write_stand_in
from tiling.label_index import IGNORE

CLASSES = tuple(
    LegendClass(value=i + 1, name=name, color=f"#{i:02x}8040")
    for i, name in enumerate(("sea", "sand", "road"))
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("dunes")
    write_stand_in("dunes", made / "drawn", count=12)
    return made / "drawn"


@pytest.fixture(scope="module")
def data(folder):
    return open_dunes(folder, {"tile": 64, "chips": 4, "forest_pixels": 500})


def striped(side=256):
    labels = np.zeros((side, side), np.uint8)
    labels[:, side // 2 :] = 1
    labels[10:14, 10:20] = 2
    return labels


def test_the_course_loses_the_last_row_and_column():
    covered = share_covered(cut_like_the_course((3840, 3840), 256), (3840, 3840))
    assert covered == pytest.approx((14 / 15) ** 2)
    for overlap in (0, 64):
        assert share_covered(cut_grid((608, 500), 128, overlap=overlap), (608, 500)) == 1


def test_balanced_chips_hold_the_rare_class_more_often():
    labels = striped()

    def seen(class_share):
        windows = cut_by_chance(labels, 16, 60, class_share=class_share)
        return sum((labels[w.slices] == 2).any() for w in windows)

    assert seen(1.0) > 15 > 5 > seen(0.0)


def test_pictures_of_cutting_show_what_each_colour_means(tmp_path, data):
    one = picture_of_schemes(tmp_path / "a.png", striped(), CLASSES, tile=64)
    two = picture_of_splits(tmp_path / "b.png", {"blocks": data})
    for path, colors in (
        (one, [entry.color for entry in CLASSES]),
        (two, PARTS.values()),
    ):
        picture = cv2.imread(str(path))
        assert picture.shape[1] == 1540
        for color in colors:
            shown = (picture == tuple(bytes.fromhex(color[1:]))[::-1]).all(axis=-1)
            assert shown[:, 1000:].sum() > 200, color  # in the key, at least


def test_tiles_are_taken_evenly_and_their_absence_is_told(folder, tmp_path):
    names = [one.name for one in choose_tiles(folder)]
    assert [one.name for one in choose_tiles(folder, 2)] == [names[0], names[-1]]
    with pytest.raises(SceneError, match=r"no photograph \(\*\.jpg\)"):
        choose_tiles(tmp_path)


def test_elevation_joins_as_fourth_band(folder, tmp_path):
    data = open_dunes(folder, {"tile": 64, "chips": 4}, n_tiles=12, stacks=tmp_path / "stacks")
    bands = bands_of(data)
    assert len(bands) == data.n_bands == 4
    assert all(band.std > 0 for band in bands)
    assert ground_facts(data, real=False)["data"].startswith("drawn")


def test_the_mosaic_lies_where_the_photographs_lay(data, tmp_path):
    mosaic = write_mosaic(tmp_path, data, data.held_out)
    assert mosaic.n_tiles == len(data.scenes)
    with rasterio.open(mosaic.scene) as scene, rasterio.open(mosaic.reference) as reference:
        assert scene.shape == reference.shape == mosaic.shape
        assert scene.nodata == 0
        known = (reference.read(1) != IGNORE).sum()
        assert scene.read(1).any()
    assert known == sum(data.counts["held_out"])


def test_a_small_mosaic_holds_what_is_held_out(data, tmp_path):
    window = find_window(data, data.held_out, 1216)
    assert window.height == window.width == 1216
    mosaic = write_mosaic(tmp_path, data, data.held_out, side=1216)
    assert 1 <= mosaic.n_tiles <= 4
    with rasterio.open(mosaic.reference) as reference:
        assert (reference.read(1) != IGNORE).any()


def test_a_perfect_map_scores_one_and_the_baselines_less(data):
    ground = read_held_out(data)
    perfect = count_blocks(ground, np.where(ground.labels == IGNORE, 0, ground.labels))
    baselines = count_baselines(ground)
    assert all(counts.sum() == perfect.sum() for counts in baselines.values())
    line = score_line("truth", [perfect, perfect])
    assert line.figures["mean IoU"] == line.figures["overall accuracy"] == 1
    assert line.figures["sd over seeds"] == 0
    constant = score_line("one class", [baselines["commonest class"]], kind="baseline")
    assert constant.figures["mean IoU"] < 0.2


def blocks_of(rng, wrong, n=12):
    """Counts of blocks with 100 pixels of each class, about `wrong` of each mapped wrongly."""
    missed = rng.integers(wrong, wrong + 10, (n, 3))
    return np.stack([np.diag(100 - one) + np.roll(np.diag(one), 1, axis=0) for one in missed])


def test_a_difference_is_told_only_beyond_its_interval_and_by_more_than_one_seed():
    rng = np.random.default_rng(0)
    good, poor = blocks_of(rng, 5), blocks_of(rng, 40)
    pair = ("A", "B")
    assert difference_sentence(pair, [good] * 2, [poor] * 2).endswith(": better.")
    assert difference_sentence(pair, [poor] * 2, [good] * 2).endswith(": worse.")
    assert difference_sentence(pair, [good] * 2, [good] * 2).endswith(": no difference shown.")
    assert difference_sentence(pair, [good], [poor]).endswith("may be luck: not told.")
    assert "too few blocks" in difference_sentence(pair, [good[:3]], [poor[:3]])
    assert difference_verdict([0.1, -0.01], 0.02, 0.2).startswith("seeds disagree")


def test_a_baseline_has_no_seed_and_a_network_with_one_is_compared_by_that_one():
    rng = np.random.default_rng(0)
    first, second, poor = blocks_of(rng, 5), blocks_of(rng, 20), blocks_of(rng, 40)
    told = difference_sentences({"A": [first, second], "B": [poor]}, {"C": poor}).splitlines()
    gap = mean_iou(first.sum(axis=0)) - mean_iou(poor.sum(axis=0))
    assert f"A against B: mean IoU {gap:+.3f}" in told[0]
    assert told[0].endswith("not told.")
    assert told[1].endswith("better.")


def test_maps_of_other_pixels_are_not_compared():
    rng = np.random.default_rng(0)
    good = blocks_of(rng, 5)
    with pytest.raises(UsageError, match="same pixels of the same blocks: got 12 and 11"):
        difference_sentence(("A", "B"), [good], [good[1:]])
    with pytest.raises(UsageError, match="same pixels"):
        difference_sentence(("A", "B"), [good], [2 * good])


def test_words_hold_what_was_counted():
    counts = np.array([[90, 10, 0], [5, 80, 5], [0, 0, 10]])
    table = class_table(counts, CLASSES).splitlines()
    assert table[2] == "| sea | 0.475 | 0.900 | 0.947 | 0.857 |"
    words = kappa_words(counts)
    assert words.startswith("Overall accuracy 0.900, kappa 0.8")
    assert "quantity" in words


def test_intervals_of_areas_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(1)
    labels = rng.choice(3, (4, 64, 64), p=(0.6, 0.3, 0.1)).astype(np.uint8)
    labels[0, :8] = IGNORE
    wrong = rng.random(labels.shape) < 0.15
    maps = np.where(wrong, rng.integers(0, 3, labels.shape), labels % 3).astype(np.uint8)
    held = 0
    for seed in range(60):
        found = sample_areas(maps, labels, 3, pixel_size=2.0, n_units=300, seed=seed)
        assert found.n_units == 300
        pairs = zip(found.estimate.area, found.true_ha, strict=True)
        held += sum(area.low_ha <= true <= area.high_ha for area, true in pairs)
    assert 0.88 < held / 180 <= 1
    assert found.true_ha.sum() == pytest.approx((labels != IGNORE).sum() * 4 / 10_000)
    assert "of 3 intervals hold the true area" in area_table(found, CLASSES)
