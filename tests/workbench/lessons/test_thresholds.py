"""Thresholds and scores of tiles: what needs no network, and how it is counted."""

import numpy as np
import pytest
from skimage.filters import threshold_multiotsu, threshold_otsu

from rs_workbench.accuracy import confusion_matrix, overall_accuracy
from rs_workbench.card import Band
from rs_workbench.errors import UsageError
from rs_workbench.lessons import thresholds
from rs_workbench.lessons.image_pairs import read_pairs
from rs_workbench.lessons.pair_files import find_pairs, take_pairs
from rs_workbench.lessons.tile_scores import (
    count_tiles,
    label_tiles,
    score_line,
    spread_places,
)


@pytest.fixture(scope="module")
def tiles():
    """Three kinds of ground on each tile, brighter from tile to tile; the darkest is water."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, (6, 24, 24))
    grey = 30 + 45 * kind + rng.normal(0, 4, kind.shape) + 12 * np.arange(6)[:, None, None]
    images = (grey[:, None] + np.array([0, 2, 5])[:, None, None]).clip(0, 255).astype(np.uint8)
    return images, (kind > 0).astype(np.uint8)


def brute_force(images, labels, cut):
    found = (images.sum(axis=1, dtype=int) > cut).astype(np.uint8)
    return count_tiles(found, labels, 2)


def test_counts_are_those_of_the_pixels(tiles):
    histograms = thresholds.tile_histograms(*tiles)
    assert histograms.shape == (6, 2, 766)
    for cut in (-1, 0, 200, 765):
        assert (thresholds.counts_at(histograms, cut) == brute_force(*tiles, cut)).all()
    each = [150, 200, 250, 300, 350, 400]
    wanted = np.stack([brute_force(*tiles, cut)[k] for k, cut in enumerate(each)])
    assert (thresholds.counts_at(histograms, each) == wanted).all()


def test_unlabelled_pixels_do_not_count(tiles):
    images, labels = tiles[0], tiles[1].copy()
    labels[:, :10] = 255
    histograms = thresholds.tile_histograms(images, labels)
    assert histograms.sum() == 6 * 14 * 24
    wanted = thresholds.tile_histograms(images[:, :, 10:], labels[:, 10:])
    assert (histograms == wanted).all()


def test_otsu_is_that_of_scikit_image(tiles):
    for image in tiles[0]:
        levels = image.sum(axis=0, dtype=int)
        histogram = np.bincount(levels.ravel(), minlength=766)
        found = thresholds.otsu(histogram), thresholds.three_class_otsu(histogram)
        hist = (histogram, np.arange(766))
        wanted = threshold_otsu(hist=hist), threshold_multiotsu(hist=hist)[0]
        assert [part_of(levels, cut) for cut in found] == [part_of(levels, cut) for cut in wanted]


def part_of(levels, cut):
    """A cut anywhere between two levels that occur is the same."""
    return int((levels <= cut).sum())


def test_the_best_threshold_is_the_best_of_all(tiles):
    histograms = thresholds.tile_histograms(*tiles)
    best = thresholds.best_threshold(histograms)
    right = [brute_force(*tiles, cut).sum(axis=0).trace() for cut in range(-1, 766, 3)]
    best_found = thresholds.counts_at(histograms, best).sum(axis=0).trace()
    assert best_found == brute_force(*tiles, best).sum(axis=0).trace() >= max(right)
    each = thresholds.best_of_each(histograms)
    by_tile = [thresholds.best_threshold(histograms[k : k + 1]) for k in range(6)]
    assert each.tolist() == by_tile
    nothing = histograms.copy()
    nothing[:, 0] = 0
    assert thresholds.best_threshold(nothing) == -1


def test_baselines_rise_from_nothing_to_the_rule_that_made_the_labels(tiles):
    histograms = thresholds.tile_histograms(*tiles)
    found = thresholds.baselines(histograms[:4], histograms[4:])
    scores = {name: overall_accuracy(counts.sum(axis=0)) for name, counts in found.items()}
    assert scores["commonest class everywhere"] == histograms[4:, 1].sum() / histograms[4:].sum()
    assert scores["three-class Otsu of each tile, lower cut"] > 0.99
    assert all(counts.shape == (2, 2, 2) for counts in found.values())
    assert all(0.3 < score <= 1 for score in scores.values())


def test_other_labels_and_types_are_refused(tiles):
    images, labels = tiles
    with pytest.raises(UsageError, match=r"images of uint8 and labels \[0, 1, 7\]"):
        thresholds.tile_histograms(images, np.where(labels == 1, 7, labels).astype(np.uint8))
    with pytest.raises(UsageError, match="images of float32"):
        thresholds.tile_histograms(images.astype(np.float32), labels)


def test_tiles_are_labelled_in_scaled_values_few_at_a_time(tiles):
    images, _ = tiles
    sizes = []

    def predict(batch):
        sizes.append(len(batch))
        grey = batch.mean(axis=1)
        return np.stack([-grey, grey], axis=1)

    bands = [Band(name="a", mean=100, std=10)] * 3
    many = np.concatenate([images, images])
    found = label_tiles(predict, many, bands)
    assert sizes == [8, 4]
    wanted = many.mean(axis=1) > 100
    assert np.mean((found == 1) == wanted) > 0.999
    assert (label_tiles(predict, many, bands, turned=True) == found).mean() > 0.999


def test_tiles_are_turned_where_asked(tiles):
    """A network that says ice on the left half only: the mean of its turns says it nowhere."""

    def predict(batch):
        scores = np.zeros((len(batch), 2, *batch.shape[2:]), np.float32)
        scores[:, 0] = 0.1
        scores[:, 1, :, :12] = 1
        return scores

    bands = [Band(name="a")] * 3
    assert label_tiles(predict, tiles[0], bands).mean() == 0.5
    turned = label_tiles(predict, tiles[0], bands, turned=True)
    assert (turned == np.rot90(turned, axes=(1, 2))).all()


def test_a_line_has_scores_with_intervals():
    rng = np.random.default_rng(0)
    found, labels = rng.integers(0, 2, (2, 30, 16, 16)).astype(np.uint8)
    labels[:, 0] = 255
    counts = count_tiles(found, labels, 2)
    assert (counts.sum(axis=0) == confusion_matrix(found, labels, 2, ignore=255)).all()
    line = score_line("guess", counts, kind="baseline", note="by lot")
    assert (line.name, line.kind, line.note) == ("guess", "baseline", "by lot")
    for column in ("OA", "mIoU"):
        low, value, high = (line.figures[column + end] for end in (" low", "", " high"))
        assert low < value < high
        assert high - low < 0.05
    assert set(score_line("one", counts[:1]).figures) == {"OA", "mIoU"}


def test_tiles_to_show_span_all_scores():
    right = np.array([5, 1, 9, 3, 7, 0, 8])
    counts = np.array([[[n, 10 - n], [0, 10]] for n in right])
    assert right[spread_places(counts)].tolist() == [0, 1, 5, 8, 9] or (
        right[spread_places(counts)].tolist() == [0, 3, 5, 7, 9]
    )
    assert spread_places(counts[:1]) == [0]


@pytest.mark.data
def test_the_labels_of_the_sea_ice_are_three_class_cuts(data_folder):
    """The finding of case 2, on some tiles to learn from."""
    folder = data_folder / "sea_ice"
    files = take_pairs(find_pairs(folder / "image", folder / "label"), np.arange(0, 500, 10))
    pairs = read_pairs(files)
    histograms = thresholds.tile_histograms(pairs.images, pairs.labels)
    rule = [thresholds.three_class_otsu(tile.sum(axis=0)) for tile in histograms]
    found = thresholds.counts_at(histograms, rule).sum(axis=0)
    assert overall_accuracy(found) > 0.997
    one = thresholds.counts_at(histograms, thresholds.best_threshold(histograms)).sum(axis=0)
    assert overall_accuracy(one) < 0.95
    assert 0.2 < pairs.smeared < 0.25
