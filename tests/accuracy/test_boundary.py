"""Borders against brute force and SciPy; any tiling gives the same counts."""

from __future__ import annotations

from dataclasses import astuple
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from rs_workbench.accuracy.boundary import (
    boundary_f,
    boundary_iou,
    score_boundaries,
    score_counts,
)
from rs_workbench.accuracy.boundary_counts import BoundaryCounts, on_border
from rs_workbench.accuracy.boundary_rings import make_rings
from rs_workbench.errors import AccuracyError

SIZES = st.sampled_from([(1.0, 1.0), (10.0, 10.0), (0.1, 0.1), (30.0, 20.0), (0.7, 1.9)])


def label_pairs(seed: int, shape: tuple[int, int], k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Patchy labels with holes, and a map that differs in part."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, k, [-(-n // 3) for n in shape])
    truth = np.kron(coarse, np.ones((3, 3), int))[: shape[0], : shape[1]]
    labels = np.roll(truth, rng.integers(-1, 2, 2), (0, 1))
    for array in (labels, truth):
        array[rng.random(shape) < 0.1] = rng.integers(0, k)
        array[rng.random(shape) < 0.05] = -1
    return labels, truth


def brute(labels: np.ndarray, truth: np.ndarray, k: int, tolerance: float, size) -> dict:
    """The definitions, pixel by pixel and pair by pair."""
    height, width = labels.shape
    blank = (labels < 0) | (truth < 0)
    both = [np.where(blank, -1, one) for one in (labels, truth)]
    borders, bands, nearest = [], [], []
    for one in both:
        border = set()
        for row, col in np.argwhere(one == k).tolist():
            for r, c in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)):
                if 0 <= r < height and 0 <= c < width and one[r, c] not in (-1, k):
                    border.add((row, col))
        borders.append(border)

    def distance(p, q):
        return round(np.hypot((p[0] - q[0]) * size[0], (p[1] - q[1]) * size[1]), 9)

    for one, border in zip(both, borders, strict=True):
        inner = [tuple(p) for p in np.argwhere(one == k).tolist()]
        bands.append({p for p in inner if any(distance(p, q) < tolerance for q in border)})
    for mine, other in (borders, borders[::-1]):
        nearest.append([min((distance(p, q) for q in other), default=np.inf) for p in mine])
    shares = [np.mean([d <= tolerance for d in one]) if one else np.nan for one in nearest]
    union = len(bands[0] | bands[1])
    return {
        "nearest": nearest,
        "shares": shares,
        "iou": len(bands[0] & bands[1]) / union if union else np.nan,
    }


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.tuples(st.integers(1, 9), st.integers(1, 9)), SIZES, st.data())
def test_scores_are_those_of_brute_force(seed, shape, size, data):
    labels, truth = label_pairs(seed, shape)
    tolerance = round(data.draw(st.sampled_from([1, 1.5, 2, 3])) * max(size), 9)
    scores = score_boundaries(
        labels, truth, 3, tolerance=tolerance, max_distance=20 * max(size), pixel_size_m=size
    )
    for k, found in enumerate(scores):
        expected = brute(labels, truth, k, tolerance, size)
        one, other = expected["nearest"]
        assert (found.map_boundary_px, found.reference_boundary_px) == (len(one), len(other))
        assert [found.precision, found.recall] == pytest.approx(expected["shares"], nan_ok=True)
        assert found.boundary_iou == pytest.approx(expected["iou"], nan_ok=True)
        if one and other:
            assert found.mean_distance_m == pytest.approx(np.mean(one + other))
            assert found.hausdorff_m == pytest.approx(max(one + other))
            assert found.median_distance_m == pytest.approx(
                np.quantile(one + other, 0.5, method="inverted_cdf")
            )
            assert found.p95_distance_m == pytest.approx(
                max(np.quantile(d, 0.95, method="inverted_cdf") for d in (one, other))
            )
        else:
            assert np.isnan(found.mean_distance_m)
            assert found.f == 0 if one or other else np.isnan(found.f)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), SIZES)
def test_distances_are_those_of_scipy(seed, size):
    labels, truth = label_pairs(seed, (40, 33))
    counts = BoundaryCounts(
        3, tolerance=2 * max(size), max_distance=60 * max(size), pixel_size_m=size
    )
    counts.update(labels, truth)
    blank = (labels < 0) | (truth < 0)
    one, other = (np.where(blank, -1, x).astype(np.int16) for x in (labels, truth))
    for k in range(3):
        mine, theirs = on_border(one) & (one == k), on_border(other) & (other == k)
        away = np.sort(distance_transform_edt(~theirs, sampling=size)[mine])
        ours = np.repeat(counts.rings.length, counts.distances[0, k, :-1])
        assert ours == pytest.approx(away, rel=1e-9)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.tuples(st.integers(1, 40), st.integers(1, 40)), SIZES, st.data())
def test_any_tiling_gives_the_same_counts(seed, shape, size, data):
    labels, truth = label_pairs(seed, shape)
    far = data.draw(st.sampled_from([1.0, 2.0, 7.5])) * max(size)
    options = {"tolerance": max(size), "max_distance": far, "pixel_size_m": size}
    whole = BoundaryCounts(3, **options)
    whole.update(labels, truth)
    parts = [BoundaryCounts(3, **options) for _ in range(2)]
    cuts = [sorted({0, n, *data.draw(st.lists(st.integers(0, n), max_size=4))}) for n in shape]
    tiles = [(r, c) for r in pairwise(cuts[0]) for c in pairwise(cuts[1])]
    for index, spans in enumerate(data.draw(st.permutations(tiles))):
        outer, inner = [], []
        for (start, stop), halo, length in zip(spans, whole.halo, shape, strict=True):
            low, high = max(0, start - halo), min(length, stop + halo)
            outer.append(slice(low, high))
            inner.append(slice(start - low, stop - low))
        parts[index % 2].update(labels[*outer], truth[*outer], (inner[0], inner[1]))
    parts[0].merge(parts[1])
    assert np.array_equal(parts[0].distances, whole.distances)
    assert np.array_equal(parts[0].bands, whole.bands)
    tiled, direct = score_counts(parts[0]), score_counts(whole)
    assert [np.array(astuple(s)).tobytes() for s in tiled] == [
        np.array(astuple(s)).tobytes() for s in direct
    ]


def test_a_moved_square_by_hand():
    """A square of 4 x 4 px moved by one column, 10 m pixels."""
    labels, truth = np.zeros((8, 9), int), np.zeros((8, 9), int)
    labels[2:6, 2:6], truth[2:6, 3:7] = 1, 1
    found = score_boundaries(labels, truth, 2, tolerance=10, pixel_size_m=(10, 10))[1]
    assert (found.map_boundary_px, found.reference_boundary_px) == (12, 12)
    assert (found.precision, found.recall, found.f) == (1, 1, 1)
    # Bands one pixel wide are the borders: 12 each, of which 6 coincide (3 in each long side).
    assert (found.map_band_px, found.shared_band_px) == (12, 6)
    assert found.boundary_iou == 6 / 18
    # Of 12 pixels 6 coincide and 6 (four of the left side, two inner ones) are one pixel away.
    assert found.mean_distance_m == 5
    assert found.mean_distance_px == 0.5
    assert (found.median_distance_m, found.hausdorff_m) == (0, 10)
    assert (found.tolerance_m, found.tolerance_px, found.max_distance_px) == (10, 1, 10)


def test_a_straight_band_is_as_wide_as_the_tolerance():
    labels = np.repeat([[0] * 10 + [1] * 10], 6, axis=0)
    for width in (1, 2, 5):
        found = score_boundaries(labels, labels, 2, tolerance=width)[0]
        assert found.map_band_px == 6 * width
        assert found.boundary_iou == 1


def test_rim_and_blanked_pixels_make_no_border():
    labels = np.array([[0, 0, -1, 1, 1], [0, 0, -1, 1, 1]])
    same = np.where(labels < 0, 0, labels)
    for found in score_boundaries(labels, same, 2):
        assert (found.map_boundary_px, found.reference_boundary_px) == (0, 0)
        assert np.isnan([found.f, found.boundary_iou, found.precision, found.hausdorff_px]).all()


def test_a_border_in_one_of_the_two_only():
    labels, truth = np.zeros((5, 5), int), np.zeros((5, 5), int)
    labels[2, 2] = 1
    found = score_boundaries(labels, truth, 2)[1]
    assert (found.f, found.precision, found.boundary_iou) == (0, 0, 0)
    assert np.isnan(found.recall)
    assert np.isnan(found.mean_distance_px)
    assert found.map_beyond_px == 1


def test_distances_beyond_the_longest_are_counted_and_bound_from_below():
    labels, truth = np.zeros((3, 30), int), np.zeros((3, 30), int)
    labels[:, 25:], truth[:, 5:] = 1, 1
    found = score_boundaries(labels, truth, 2, tolerance=2, max_distance=8)[1]
    assert (found.map_beyond_px, found.reference_beyond_px) == (3, 3)
    assert (found.mean_distance_px, found.hausdorff_px) == (8, 8)
    exact = score_boundaries(labels, truth, 2, tolerance=2, max_distance=20)[1]
    assert (exact.map_beyond_px, exact.mean_distance_px) == (0, 20)


def test_pixels_that_are_not_square_have_no_distance_in_pixels():
    labels, truth = label_pairs(1, (12, 12))
    found = score_boundaries(labels, truth, 3, tolerance=40, pixel_size_m=(30, 20))[0]
    assert np.isnan([found.mean_distance_px, found.tolerance_px]).all()
    assert (found.tolerance_m, found.max_distance_m) == (40, 400)
    plain = score_boundaries(labels, truth, 3)[0]
    assert np.isnan(plain.mean_distance_m)
    assert plain.tolerance_px == 2


def test_the_short_forms_give_the_same():
    labels, truth = label_pairs(2, (20, 20))
    scores = score_boundaries(labels, truth, 3, tolerance=3)
    assert boundary_f(labels, truth, 3, tolerance=3).tolist() == [s.f for s in scores]
    assert boundary_iou(labels, truth, 3, tolerance=3).tolist() == [s.boundary_iou for s in scores]


def test_lengths_that_are_equal_share_a_rank():
    rings = make_rings(0.5, (0.1, 0.1))
    # 5, 0 and 3, 4 are both five pixels long, though 0.1 has no exact binary form.
    assert rings.rank[5, 0] == rings.rank[3, 4] == rings.rank[4, 3] == rings.rank[0, 5]
    assert rings.length[-1] == pytest.approx(0.5)
    assert rings.rank[5, 1] == rings.rank[6, 0] == len(rings.length)
    assert rings.count_within(0.3) == rings.rank[3, 0] + 1
    assert rings.count_closer(0.3) == rings.rank[3, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": 0}, "above 0: got a distance of 0 and pixels of 1.0 x 1.0"),
        ({"tolerance": 4, "max_distance": 3}, "got max_distance=3 and tolerance=4"),
        ({"tolerance": 9, "max_distance": 5010, "pixel_size_m": (10, 10)}, "5010, which is 501 p"),
        ({"tolerance": 9, "pixel_size_m": (10, 0)}, "distance of 9 and pixels of 10 x 0"),
        ({"tolerance": float("nan")}, "got a distance of nan"),
    ],
)
def test_distances_that_make_no_sense_are_refused(options, message):
    with pytest.raises(AccuracyError, match=message):
        BoundaryCounts(2, **options)


@pytest.mark.parametrize(
    ("labels", "truth", "message"),
    [
        (np.zeros((2, 2), int), np.zeros((2, 3), int), r"got \(2, 2\) and \(2, 3\)"),
        (np.full((2, 2), 5), np.zeros((2, 2), int), "of the map .* to 1: got int64 from 5 to 5"),
        (np.zeros((2, 2), int), np.full((2, 2), -2), "of the reference .* from -2 to -2"),
        (np.zeros((2, 2)), np.zeros((2, 2), int), "got float64 from 0 to 0"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, truth, message):
    with pytest.raises(AccuracyError, match=message):
        BoundaryCounts(2, tolerance=1).update(labels, truth)


def test_counts_of_different_kinds_are_not_added():
    with pytest.raises(AccuracyError, match=r"\(2, 1, 10\.0, None\) and \(2, 2, 20\.0, None\)"):
        BoundaryCounts(2, tolerance=1).merge(BoundaryCounts(2, tolerance=2))
