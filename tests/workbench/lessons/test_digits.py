"""Digits: files, parts, small changes, a page, a photograph. No framework."""

from __future__ import annotations

import gzip
import struct

import cv2
import numpy as np
import pytest

from rs_workbench.errors import OutputError, SceneError, UsageError
from rs_workbench.lessons import digits_report as pages
from rs_workbench.lessons.digits import (
    PAPER,
    Digits,
    cut_validation,
    nearest_mean,
    read_digits,
    read_idx,
    share_right,
    tiles_of_a_page,
    vary_digits,
)
from rs_workbench.lessons.digits_drawn import draw_page, draw_photo, drawn_parts
from rs_workbench.lessons.digits_found import Found, find_digits, like_mnist
from rs_workbench.lessons.digits_photo import Page, cut_plainly, match_places, open_page
from rs_workbench.lessons.digits_photo import tell_reading as tell
from rs_workbench.lessons.numerical_gradient import numerical_gradient
from rs_workbench.sample_registry import SampleError
from rs_workbench.standin_digits import draw_digits
from rs_workbench.standin_files import write_stand_in
from tiling.label_index import IGNORE

# Files


def idx(values):
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + bytes(values)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_files_are_read_packed_or_not(tmp_path, pack):
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "x").write_bytes(pack(idx(values)))
    np.testing.assert_array_equal(read_idx(tmp_path / "x"), values)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x89PNG....", "'x' is no IDX file of bytes: it begins with 89 50 4e, not 00 00 08"),
        (idx(np.zeros((2, 3), np.uint8))[:-1], r"its head names 6 values \(2, 3\), but 5 follow"),
        (idx(np.zeros((2, 3), np.uint8)) + b"0", r"names 6 values \(2, 3\), but 7 follow"),
        (gzip.compress(idx(np.zeros((9, 9), np.uint8)))[:-9], "cannot be read .* copy it again"),
        (b"", "is no IDX file"),
    ],
)
def test_a_damaged_file_gets_a_sentence(tmp_path, content, sentence):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(SampleError, match=sentence):
        read_idx(tmp_path / "x")


def test_a_missing_file_gets_a_sentence(tmp_path):
    with pytest.raises(SampleError, match=r"'.*t10k-images-idx3-ubyte\.gz' cannot be read"):
        read_digits(tmp_path, "t10k")


def test_images_and_labels_must_belong_together(tmp_path):
    write_stand_in("mnist", tmp_path / "mnist", count=30)
    name = "train-labels-idx1-ubyte"
    (tmp_path / "mnist" / name).write_bytes(idx(np.zeros(29, np.uint8)))
    with pytest.raises(SampleError, match=r"do not belong together: \(30, 28, 28\) and \(29,\)"):
        read_digits(tmp_path / "mnist", "train")
    assert read_digits(tmp_path / "mnist", "t10k").images.shape == (5, 28, 28)


@pytest.mark.data
def test_the_real_digits_are_as_they_are_known_to_be(data_folder):
    test = read_digits(data_folder / "mnist", "t10k")
    assert np.bincount(test.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert test.images[:10].reshape(10, -1).max(axis=1).min() > 250


# Parts, changes, baseline


def some(count=60):
    drawn = draw_digits(count)
    return Digits(drawn.images, drawn.labels)


def test_validation_shares_no_digit_with_training():
    numbered = Digits(np.arange(60).reshape(60, 1, 1), np.arange(60, dtype=np.uint8))
    training, validation = cut_validation(numbered, 20, seed=1)
    assert len(validation.labels) == 20
    assert sorted([*training.labels, *validation.labels]) == list(range(60))
    np.testing.assert_array_equal(training.images[:, 0, 0], training.labels)
    again = cut_validation(numbered, 20, seed=2)[1]
    assert set(again.labels) != set(validation.labels)


@pytest.mark.parametrize("count", [0, 60])
def test_something_must_be_left_on_either_side(count):
    with pytest.raises(UsageError, match=f"at least 1 and at most 59 .*: got {count}"):
        cut_validation(some(), count)


def test_digits_are_varied_a_little_and_anew():
    images = some(40).images[..., None] / np.float32(255)
    rng = np.random.default_rng(0)
    first, second = (vary_digits(images, rng=rng) for _ in range(2))
    assert first.shape == images.shape
    assert first.dtype == np.float32
    assert not np.array_equal(first, second)
    mass = first.sum(axis=(1, 2, 3)) / images.sum(axis=(1, 2, 3))
    assert 0.7 < mass.min() < mass.max() < 1.3
    same = vary_digits(images, rng=rng, turn=0, shift=0, grow=0)
    np.testing.assert_allclose(same, images, atol=1e-6)


def test_a_shift_moves_the_middle_and_a_turn_does_not():
    image = np.zeros((1, 28, 28), np.float32)
    image[0, 13:15, 10:18] = 1
    turned = vary_digits(image, rng=np.random.default_rng(1), turn=30, shift=0, grow=0)[0]
    for axis in (0, 1):
        middle = turned.sum(axis=1 - axis) @ np.arange(28) / turned.sum()
        assert middle == pytest.approx(13.5, abs=0.05)


def test_the_nearest_mean_knows_drawn_digits():
    training, others = drawn_parts(600, 200)
    assert share_right(nearest_mean(training, others.images), others.labels) > 0.6


def test_the_gradient_of_a_cube():
    w = np.array([[2.0, -1.0]])
    np.testing.assert_allclose(numerical_gradient(lambda: float((w**3).sum()), w), 3 * w**2)
    assert w.tolist() == [[2.0, -1.0]]


# A page


def test_one_pixel_of_a_tile_is_labelled_where_its_digit_lies():
    digits = some(50)
    images, labels = tiles_of_a_page(digits, side=40, seed=0)
    assert images.shape == (50, 1, 40, 40)
    assert ((labels != IGNORE).sum(axis=(1, 2)) == 1).all()
    empty = (labels == PAPER.value).any(axis=(1, 2))
    assert empty.sum() == 5
    assert images[empty].max() == 0
    for index in np.flatnonzero(~empty):
        (row,), (col,) = np.nonzero(labels[index] != IGNORE)
        window = images[index, 0, row - 14 : row + 14, col - 14 : col + 14]
        np.testing.assert_array_equal(window, digits.images[index])
        assert labels[index, row, col] == digits.labels[index]


def test_a_tile_must_have_room_for_a_digit():
    with pytest.raises(UsageError, match=r"a digit has 28 px a side, .* 27"):
        tiles_of_a_page(some(), side=27)


# A photograph


@pytest.mark.parametrize("seed", range(4))
def test_all_digits_of_a_photograph_are_found_in_reading_order(seed):
    digits = some(40)
    pixels, centres = draw_photo(digits.images, cols=8, seed=seed)
    pixels = cv2.imdecode(cv2.imencode(".jpg", pixels)[1], cv2.IMREAD_COLOR)
    found = find_digits(pixels)
    assert match_places(found.centres, centres, within=20).tolist() == list(range(40))
    far = np.abs(found.images.astype(float) - digits.images).mean(axis=(1, 2))
    mixed = np.abs(found.images.astype(float) - np.roll(digits.images, 1, axis=0)).mean(
        axis=(1, 2)
    )
    assert far.mean() < 0.7 * mixed.mean()  # drawn digits are of other sizes than those found


def test_found_digits_are_placed_as_those_of_mnist():
    found = find_digits(draw_photo(some(24).images, cols=6, seed=1)[0]).images / 255
    assert found.shape == (24, 28, 28)
    long = np.maximum((found > 0.2).any(axis=1).sum(axis=1), (found > 0.2).any(axis=2).sum(axis=1))
    assert long.min() >= 18
    assert long.max() <= 20
    for axis in (1, 2):
        middle = found.sum(axis=axis) @ np.arange(28) / found.sum(axis=(1, 2))
        assert np.abs(middle - 14).max() < 1.1


def test_a_large_photograph_is_shrunk_and_its_places_are_its_own():
    pixels, centres = draw_photo(some(40).images, cols=8, seed=0)
    large = cv2.resize(pixels, None, fx=3, fy=3)
    found = find_digits(large)
    assert (match_places(found.centres, 3 * centres, within=40) == np.arange(40)).all()


def test_grey_photographs_are_taken_and_blank_paper_holds_nothing():
    pixels, _ = draw_photo(some(8).images, cols=4)
    assert len(find_digits(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)).images) == 8
    blank, _ = draw_photo(np.zeros((8, 28, 28), np.uint8), cols=4)
    assert find_digits(blank).images.shape == (0, 28, 28)
    assert (
        match_places(find_digits(blank).centres, np.zeros((3, 2)), within=9).tolist() == [-1] * 3
    )
    assert cut_plainly(blank, np.empty((0, 2))).shape == (0, 28, 28)


def test_the_centre_of_mass_comes_to_pixel_14():
    ink = np.zeros((40, 30), np.float32)
    ink[:, :10] = 0.5
    digit = like_mnist(ink)
    assert digit.max() == 255
    assert digit.sum(axis=0) @ np.arange(28) / digit.sum() == pytest.approx(14, abs=0.51)
    assert np.flatnonzero(digit.any(axis=1)).tolist() == list(range(4, 24))


def test_what_is_no_picture_gets_a_sentence(tmp_path):
    (tmp_path / "a.jpg").write_text("no picture")
    with pytest.raises(SceneError, match=r"a\.jpg' is no picture: give a JPEG or PNG file"):
        open_page(tmp_path / "a.jpg")
    with pytest.raises(SceneError, match=r"the photograph '.*b\.jpg' cannot be read"):
        open_page(tmp_path / "b.jpg")


def test_a_photograph_that_cannot_be_written_gets_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    digits = Digits(some(8).images[..., None] / np.float32(255), some(8).labels)
    with pytest.raises(OutputError, match="the photograph cannot be written to"):
        draw_page(digits, tmp_path / "file" / "photo.jpg")


def test_the_reading_is_told(tmp_path):
    digits = Digits(some(40).images[..., None] / np.float32(255), some(40).labels)
    page = draw_page(digits, tmp_path / "photo.jpg", seed=3)
    found = find_digits(page.pixels)
    text = tell(page, found, digits.labels, np.full(40, 11))
    assert "of 40 test digits" in text
    assert "40 were found and 40 read right" in text
    assert "0 are read right" in text
    own = Page("mine.jpg", page.pixels)
    few = Found(found.images[:2], found.centres[:2])
    assert tell(own, few, np.array([4, 2]), np.zeros(2)) == (
        "On 'mine.jpg' stand 2 digits, line by line: 4 2."
    )


# What goes into reports


def test_the_interval_is_that_of_the_mean_of_the_seeds():
    line = pages.accuracy_line("net", [9920, 9940, 9960], 10_000)
    figures = line.figures
    assert figures["test accuracy"] == pytest.approx(0.994)
    assert (figures["worst seed"], figures["best seed"]) == (0.992, 0.996)
    assert figures["low"] == pytest.approx(0.99229, abs=1e-5)  # Wilson, 9940 of 10,000
    assert figures["high"] == pytest.approx(0.99533, abs=1e-5)
    assert "worst seed" not in pages.accuracy_line("net", [9920], 10_000).figures
    assert pages.published("course", 0.9).kind == "published"
