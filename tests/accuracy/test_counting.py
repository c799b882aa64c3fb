"""count_pairs must count exactly, whatever way it takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rs_workbench.accuracy import counting
from rs_workbench.accuracy.counting import count_pairs
from rs_workbench.errors import AccuracyError


def slow(labels, truth, shape):
    total = np.zeros(shape, np.int64)
    np.add.at(total, (labels.ravel().astype(int), truth.ravel().astype(int)), 1)
    return total


# Few values with 255 (two to a byte), one value too many for that, all values.
@pytest.mark.parametrize("values", [[0, 1, 14, 255], [0, 15, 255], list(range(256))])
@pytest.mark.parametrize("size", [1, 7, (1 << 15) + 1, (1 << 18) + 5, (1 << 22) + 3])
def test_bytes_are_counted_exactly(values, size):
    rng = np.random.default_rng(size)
    labels, truth = rng.choice(np.array(values, np.uint8), (2, size))
    counted = count_pairs(labels, truth, 256, 256)
    assert counted.dtype == np.int64
    np.testing.assert_array_equal(counted, slow(labels, truth, (256, 256)))


@pytest.mark.parametrize("dtype", ["bool", "int16", "uint16", "int64", "float32"])
@pytest.mark.parametrize("size", [50, 1 << 16])
def test_other_types(dtype, size):
    labels, truth = np.random.default_rng(1).integers(0, 2, (2, size)).astype(dtype)
    if dtype == "float32":
        with pytest.raises(AccuracyError, match="map must be integers: got float32"):
            count_pairs(labels, truth, 2, 3)
    else:
        counted = count_pairs(labels, truth, 2, 3)
        np.testing.assert_array_equal(counted, slow(labels, truth, (2, 3)))


def test_more_than_256_values():
    labels, truth = np.random.default_rng(2).integers(0, 300, (2, 1 << 16))
    counted = count_pairs(labels, truth, 300, 300)
    np.testing.assert_array_equal(counted, slow(labels, truth, (300, 300)))


def test_windows_of_larger_arrays():
    whole = np.random.default_rng(3).integers(0, 9, (2, 400, 500)).astype(np.uint8)
    labels, truth = whole[:, 3:390, 7:480]
    np.testing.assert_array_equal(count_pairs(labels, truth, 9, 9), slow(labels, truth, (9, 9)))


def test_a_counter_can_be_used_again():
    counter, rng = counting.ByteCounter(), np.random.default_rng(4)
    for shape, values in [((300, 400), 15), ((7,), 3), ((90, 10), 200), ((301, 401), 15)]:
        whole = rng.integers(0, values, (2, *(n + 3 for n in shape))).astype(np.uint8)
        pair = whole[(slice(None), *(slice(2, -1) for _ in shape))]
        np.testing.assert_array_equal(counter.count(*pair), slow(*pair, (256, 256)))


def test_counts_beyond_float32():
    labels = np.zeros((1 << 24) + 5, np.uint8)
    assert count_pairs(labels, labels, 1, 1).tolist() == [[(1 << 24) + 5]]
    many = np.full_like(labels, 200)
    assert count_pairs(many, many, 256, 256)[200, 200] == (1 << 24) + 5


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), max_size=60))
def test_pieces_add_up(pairs):
    labels = np.array([p[0] for p in pairs], np.uint8)
    truth = np.array([p[1] for p in pairs], np.uint8)
    whole = count_pairs(labels, truth, 256, 256)
    parts = sum(count_pairs(labels[i::3], truth[i::3], 256, 256) for i in range(3))
    np.testing.assert_array_equal(whole, parts)
    assert whole.sum() == len(pairs)


@given(st.integers(0, 40), st.sampled_from([[0, 3, 255], [9, 15, 16], [254, 255]]))
def test_every_way_gives_the_same(size, values):
    pair = np.random.default_rng(size).choice(np.array(values, np.uint8), (2, size + 1))
    np.testing.assert_array_equal(counting.ByteCounter().count(*pair), slow(*pair, (256, 256)))


def test_wrong_labels_are_named():
    with pytest.raises(AccuracyError, match=r"reference must lie between 0 and 1: got 0 to 7"):
        count_pairs([0, 1], [0, 7], 2, 2)
    with pytest.raises(AccuracyError, match=r"map must lie between 0 and 1: got -1 to 1"):
        count_pairs([-1, 1], [0, 1], 2, 2)
    with pytest.raises(AccuracyError, match=r"one shape: got \(2,\) and \(3,\)"):
        count_pairs([0, 1], [0, 1, 1], 2, 2)
