"""Exercise 2.1: our answer passes its check; the course's mistakes, and others, do not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

from keras_cases.exercises import ice_augmentation as ours  # noqa: E402
from keras_cases.exercises.wrong import WrongAnswerError  # noqa: E402
from rs_workbench.standin_files import write_stand_in  # noqa: E402


def answer(vary):
    return SimpleNamespace(vary=vary, vary_with_layers=ours.vary_with_layers)


def by_tile(move):
    """Make an answer of a function that moves one tile, and its label, by a generator."""

    def vary(images, labels, *, seed):
        rng = np.random.default_rng(seed)
        pairs = [move(*pair, rng) for pair in zip(images, labels, strict=True)]
        moved, of = (np.stack(part) for part in zip(*pairs, strict=True))
        return moved.astype(np.float32), of

    return vary


def turn(image, label, rng):
    quarters = rng.integers(4)
    return np.rot90(image, quarters), np.rot90(label, quarters)


def warp(plane, angle, flags, scale=1.0):
    middle = ((plane.shape[1] - 1) / 2, (plane.shape[0] - 1) / 2)
    matrix = cv2.getRotationMatrix2D(middle, angle, scale)
    size = plane.shape[1::-1]
    return cv2.warpAffine(plane, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def interpolated(image, label, rng):
    """The course: linear interpolation of image and label alike."""
    angle = rng.uniform(-30, 30)
    return tuple(warp(part, angle, cv2.INTER_LINEAR) for part in (image, label))


def interpolated_and_cut(image, label, rng):
    """Between 0 and 255 lies 1: the rim of unknown ground becomes ice."""
    image, label = interpolated(image, label.astype(np.float32), rng)
    return image, np.where(label > 127, 255, label > 0.5).astype(np.uint8)


def in_degrees(image, label, rng):
    """The course: 0.2 degrees where a fifth of a turn was meant."""
    angle = rng.uniform(-0.2, 0.2)
    return warp(image, angle, cv2.INTER_LINEAR), warp(label, angle, cv2.INTER_NEAREST)


def apart(image, label, rng):
    """The course's other notebook: each is flipped by a chance of its own."""
    return np.rot90(image, rng.integers(4)), np.rot90(label, rng.integers(4))


def lost(image, label, rng):
    image, label = turn(image, label, rng)
    return image, label // 255 * np.uint8(255)


def all_alike(images, labels, *, seed):
    quarters = seed % 4
    return np.rot90(images, quarters, (1, 2)).copy(), np.rot90(labels, quarters, (1, 2)).copy()


def unseeded(images, labels, *, seed):
    return by_tile(turn)(images, labels, seed=None)


def seed_ignored(images, labels, *, seed):
    return by_tile(turn)(images, labels, seed=0)


def in_place(images, labels, *, seed):
    images *= 1.1
    return by_tile(turn)(images, labels, seed=seed)


def in_floats(images, labels, *, seed):
    images, labels = by_tile(turn)(images, labels, seed=seed)
    return images, labels.astype(np.float32)


def test_our_answer_is_right():
    right = ours.check(ours)
    assert len(right) == 6
    assert right[3] == "vary_with_layers moves the label with the image"


def flip_both(image, label, rng):
    return (image[:, ::-1], label[:, ::-1]) if rng.random() < 0.5 else (image, label)


@pytest.mark.parametrize("move", [turn, flip_both])
def test_turns_alone_or_flips_alone_are_right(move):
    assert len(ours.check(answer(by_tile(move)))) == 6


@pytest.mark.parametrize(
    ("vary", "says"),
    [
        (by_tile(interpolated), r"vary makes labels \[.* of 0, 1 and 255: .*not be interpolated"),
        (by_tile(interpolated_and_cut), "vary makes ice of .* dark pixels, around unknown"),
        (by_tile(in_degrees), r"vary makes 1 different labels of 16 copies .*0.2 degrees"),
        (by_tile(apart), "draw the movement once and apply it to both"),
        (by_tile(lost), "a class was lost"),
        (all_alike, "1 different labels of 16 copies"),
        (unseeded, "other tiles for the same seed"),
        (seed_ignored, "the same tiles for seeds 3 and 4"),
        (in_place, "changed the arrays it was given"),
        (in_floats, r"labels \(16, 64, 64\) of float32: wanted are .* of uint8"),
    ],
)
def test_mistakes_are_found(vary, says):
    with pytest.raises(WrongAnswerError, match=says):
        ours.check(answer(vary))


def test_the_courses_way_leaves_labels_that_are_no_class():
    rng = np.random.default_rng(0)
    labels = (cv2.blur(rng.random((64, 64)), (5, 5)) > 0.5).astype(np.uint8)[None].repeat(4, 0)
    made = ours.course_labels(labels, seed=0)
    assert made.shape == labels.shape
    assert 0.1 < np.mean((made > 0) & (made < 1)) < 0.9


def test_captions_say_what_was_done_to_a_tile():
    tile = np.random.default_rng(0).standard_normal((16, 16, 3)).astype(np.float32)
    assert ours.tell_change(tile, tile) == "not moved\ncontrast x 1.00\nlight +0.00"
    moved = 1.25 * np.rot90(tile[:, ::-1], 3) - 0.5
    assert ours.tell_change(tile, moved) == ("mirrored, turned 270°\ncontrast x 1.25\nlight -0.50")
    assert ours.tell_change(tile, tile[::-1]) == (
        "mirrored, turned 180°\ncontrast x 1.00\nlight +0.00"
    )


@pytest.mark.data
def test_the_comparison_on_real_tiles(data_folder, tmp_path):
    text = ours.main(replace(ours.SMOKE, epochs=1, out=tmp_path / "out")).read_text("utf-8")
    assert all(f"| {name} |" in text for name in ours.WAYS)
    assert "- data: sea_ice, real" in text
    assert "gain low" in text
    assert "| the same with augmentation | 0.9702 |" in text
    assert "weights carried over from an earlier training" in text
    assert "of the label pixels are neither 0 nor 1 any more" in text
    assert "validation tiles, which also chose the epoch of each training" in text
    assert "- flips and turns: epochs 1, seconds of training" in text


def test_the_comparison_on_drawn_tiles(tmp_path):
    write_stand_in("sea_ice", tmp_path / "out" / "drawn_sea_ice", count=14)
    s = replace(ours.SMOKE, epochs=1, drawn=True, out=tmp_path / "out")
    assert "- data: DRAWN stand-in" in ours.main(s).read_text("utf-8")
