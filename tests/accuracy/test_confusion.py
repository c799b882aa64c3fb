"""Confusion: every pixel in one place, whatever the tiling, whatever the type."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rs_workbench.accuracy.confusion import AXES, Confusion, confusion_matrix
from rs_workbench.errors import AccuracyError

SHAPE = (13, 17)


def pair_of_maps(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 4, SHAPE), rng.integers(0, 4, SHAPE)


def plain_count(labels: np.ndarray, truth: np.ndarray, n: int) -> np.ndarray:
    matrix = np.zeros((n, n), int)
    for row, column in zip(labels.flat, truth.flat, strict=True):
        matrix[row, column] += 1
    return matrix


def test_rows_are_the_map_and_columns_the_reference() -> None:
    assert AXES == Confusion.axes == ("map", "reference")
    assert confusion_matrix([0, 0, 0], [1, 1, 0], 2).tolist() == [[1, 2], [0, 0]]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int64", "float32", "bool"])
def test_every_type_of_label_gives_the_same_counts(dtype: str) -> None:
    labels, truth = (x % 2 for x in pair_of_maps())
    counted = confusion_matrix(labels.astype(dtype), truth.astype(dtype), 2)
    assert counted.dtype == np.int64
    np.testing.assert_array_equal(counted, plain_count(labels, truth, 2))


def test_labels_beyond_a_byte_are_counted() -> None:
    confusion = Confusion(3, values=[-9999, 300, 70000])
    confusion.update([-9999, 300, 70000, 300], [300, 300, 70000, -9999])
    assert confusion.matrix.tolist() == [[0, 1, 0], [1, 1, 0], [0, 0, 1]]


def test_each_pixel_is_counted_once() -> None:
    confusion = Confusion(2, values=[1, 2], nodata=[0, 255], ignore=0, out_of_scope=[9, 10])
    #                 fine  map nodata  unlabelled  scope  both empty  nodata, out of scope
    confusion.update([1, 2, 0, 255, 1, 2, 0, 255], [1, 1, 1, 2, 0, 9, 0, 10])
    assert confusion.matrix.tolist() == [[1, 0], [1, 0]]
    assert (confusion.map_nodata, confusion.unlabelled, confusion.out_of_scope) == (2, 2, 2)
    assert confusion.seen == 8


def test_nan_may_mean_unlabelled_or_nodata() -> None:
    confusion = Confusion(2, nodata=float("nan"), ignore=float("nan"))
    confusion.update([0.0, np.nan, 1.0], [0.0, 1.0, np.nan])
    assert confusion.matrix.tolist() == [[1, 0], [0, 0]]
    assert (confusion.map_nodata, confusion.unlabelled) == (1, 1)


def test_zero_may_be_a_class_and_an_unknown_map_value_without_label_does_no_harm() -> None:
    confusion = Confusion(2, ignore=255)
    confusion.update(np.array([0, 77], np.uint8), np.array([0, 255], np.uint8))
    assert confusion.matrix.tolist() == [[1, 0], [0, 0]]


@given(
    labels=hnp.arrays(np.uint8, SHAPE, elements=st.integers(0, 4)),
    truth=hnp.arrays(np.uint8, SHAPE, elements=st.integers(0, 5)),
    cuts=st.tuples(st.integers(1, 12), st.integers(1, 16)),
    order=st.permutations(range(4)),
)
def test_any_tiling_in_any_order_gives_the_same_counts(labels, truth, cuts, order) -> None:
    def new() -> Confusion:
        return Confusion(4, nodata=4, ignore=4, out_of_scope=5)

    whole = new()
    whole.update(labels, truth)
    rows, columns = (
        (slice(None, cuts[0]), slice(cuts[0], None)),
        (
            slice(None, cuts[1]),
            slice(cuts[1], None),
        ),
    )
    tiles = [(r, c) for r in rows for c in columns]
    merged = new()
    for place in order:
        part = new()
        part.update(labels[tiles[place]], truth[tiles[place]])
        merged.merge(part)
    np.testing.assert_array_equal(merged.matrix, whole.matrix)
    for name in ("map_nodata", "unlabelled", "out_of_scope"):
        assert getattr(merged, name) == getattr(whole, name)
    assert merged.seen == labels.size


def test_counts_beyond_two_to_the_31_stay_right() -> None:
    confusion = Confusion(2)
    confusion.update([0, 1], [0, 0])
    for _ in range(40):  # doubled each time
        other = Confusion(2)
        other.merge(confusion)
        confusion.merge(other)
    assert confusion.matrix.tolist() == [[2**40, 0], [2**40, 0]]


def test_it_is_an_array_where_one_is_wanted() -> None:
    confusion = Confusion(2)
    confusion.update([0, 1], [0, 0])
    assert np.asarray(confusion).tolist() == [[1, 0], [1, 0]]
    assert np.asarray(confusion, float).dtype == float


def test_a_class_may_be_ignored_in_the_reference_and_is_then_wrong_on_the_map() -> None:
    assert confusion_matrix([0, 1, 0, 1], [0, 0, 1, 1], 2, ignore=0).tolist() == [[0, 1], [0, 1]]


def test_a_map_that_predicts_ignore_on_a_labelled_pixel_is_an_error() -> None:
    with pytest.raises(AccuracyError, match=r"map holds value 255 \(1 px\).*\[0, 1\].*nodata"):
        confusion_matrix([0, 255], [0, 1], 2, ignore=255)


@pytest.mark.parametrize(
    ("labels", "truth", "told"),
    [
        ([0, 1], [0, 7], r"reference holds value 7 \(1 px\).*recode it, ignore it"),
        ([0, 3], [0, 1], r"where the reference has a label, the map holds value 3 \(1 px\)"),
        ([0, 0.5], [0, 1], r"map holds value 0.5 \(1 px\)"),
        ([0, 1, 1], [0, 1], r"\(3,\) and \(2,\)"),
    ],
)
def test_strange_labels_are_refused_and_nothing_is_counted(labels, truth, told) -> None:
    confusion = Confusion(2)
    with pytest.raises(AccuracyError, match=told):
        confusion.update(labels, truth)
    assert confusion.seen == 0


def test_many_strange_values_are_summed_up() -> None:
    with pytest.raises(AccuracyError, match=r"values 2 \(1 px\).* and 3 more values"):
        confusion_matrix(np.zeros(10), np.arange(10), 2)


def test_classes_must_differ_from_each_other_and_from_what_is_left_out() -> None:
    with pytest.raises(AccuracyError, match=r"2 different values: got \[1, 1\]"):
        Confusion(2, values=[1, 1])
    with pytest.raises(AccuracyError, match=r"\[0\] cannot be a class and nodata at once"):
        Confusion(2, nodata=[0, 255])
    with pytest.raises(AccuracyError, match=r"different classes cannot be merged"):
        Confusion(2).merge(Confusion(2, values=[1, 2]))


def test_nothing_is_counted_from_an_empty_window() -> None:
    assert confusion_matrix(np.empty((0, 5), int), np.empty((0, 5), int), 2).sum() == 0


def test_an_image_is_refused_before_it_fills_the_memory() -> None:
    values = np.arange(10_000) / 7
    with pytest.raises(AccuracyError, match="10000 and 10000 different values: give labels"):
        confusion_matrix(values, values, 3)
