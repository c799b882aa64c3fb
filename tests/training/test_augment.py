from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rs_workbench.errors import UsageError
from rs_workbench.training.augment import (
    NO_CHANGE,
    Augment,
    ChipPixels,
    augment,
    augment_batch,
    cut_mix,
)
from rs_workbench.training.chip_pixels import magnify
from tiling.label_index import IGNORE

SIDE = st.integers(1, 15)
GEOMETRY = st.builds(
    Augment,
    flip=st.booleans(),
    turn=st.booleans(),
    scale=st.sampled_from([(1.0, 1.0), (0.5, 2.0), (0.3, 0.7), (1.5, 3.0)]),
    shift=st.sampled_from([0.0, 0.2, 0.9]),
    fill=st.sampled_from([0.0, -7.5]),
)
JOINT = {"joint_brightness": 0.3, "joint_contrast": 0.2}
LIGHT = {"brightness": 0.3, "contrast": 0.2, "noise": 0.1, "band_drop": 0.3, **JOINT}
SETTINGS = st.one_of(GEOMETRY, GEOMETRY.map(lambda s: replace(s, **LIGHT, cut_mix=0.7)))
SEED = st.integers(0, 2**63 - 1)


@st.composite
def chips(draw, side=SIDE):
    """A chip whose label is the number of the pixel and whose bands are its row and column."""
    height, width = draw(side), draw(side)
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    rows, cols = np.indices((height, width))
    labels = (rows * 15 + cols).astype(np.uint8)
    valid = rng.random((height, width)) < draw(st.sampled_from([1.0, 0.8, 0.3]))
    labels[rng.random((height, width)) < draw(st.sampled_from([0.0, 0.3]))] = IGNORE
    labels[~valid] = IGNORE
    image = np.stack([rows, cols, 0 * rows + 50]).astype(np.float32)
    image[:, ~valid] = np.nan
    return ChipPixels(image, labels, valid)


def known(chip):
    return chip.labels != IGNORE


@given(chips(), SETTINGS, SEED)
def test_labels_are_old_ones_and_nothing_comes_from_nodata(chip, s, seed):
    got = augment(chip, s, rng=np.random.default_rng(seed))
    assert set(np.unique(got.labels)) <= {*np.unique(chip.labels).tolist(), IGNORE}
    assert (got.labels[~got.valid] == IGNORE).all()
    assert (got.image[:, ~got.valid] == s.fill).all()
    assert np.isfinite(got.image).all()
    assert [part.shape for part in got] == [part.shape for part in chip]
    assert [part.dtype for part in got] == [np.float32, np.uint8, np.bool_]
    assert all(part.flags.c_contiguous for part in got)


@given(chips(), GEOMETRY, SEED)
def test_image_and_labels_move_together(chip, s, seed):
    got = augment(chip, s, rng=np.random.default_rng(seed))
    row, col = np.divmod(got.labels[known(got)].astype(float), 15)
    step = 0.55 if chip.valid.all() else 1.05  # OpenCV works in steps of 1/32 px
    if s.scale == (1.0, 1.0):
        step = 0
    assert np.abs(got.image[0][known(got)] - row).max(initial=0) <= step
    assert np.abs(got.image[1][known(got)] - col).max(initial=0) <= step
    np.testing.assert_allclose(got.image[2][got.valid], 50, rtol=1e-5)


@given(chips(), GEOMETRY, SEED)
def test_valid_pixels_move_as_labels_do(chip, s, seed):
    labelled = chip._replace(labels=np.where(chip.valid, 3, IGNORE).astype(np.uint8))
    got = augment(labelled, s, rng=np.random.default_rng(seed))
    np.testing.assert_array_equal(got.valid, known(got))


@given(chips(), SEED)
def test_flips_and_turns_lose_no_pixel(chip, seed):
    got = augment(chip, Augment(), rng=np.random.default_rng(seed))
    assert sorted(got.labels.ravel()) == sorted(chip.labels.ravel())
    assert got.valid.sum() == chip.valid.sum()


def test_all_eight_orientations_are_equally_likely():
    labels = np.arange(4, dtype=np.uint8).reshape(2, 2)
    chip = ChipPixels(labels[None].astype(np.float32), labels, np.ones((2, 2), bool))
    drawn = [
        tuple(augment(chip, Augment(), rng=np.random.default_rng(i)).labels.ravel())
        for i in range(1600)
    ]
    counts = np.unique(drawn, axis=0, return_counts=True)[1]
    assert len(counts) == 8
    assert abs(counts - 200).max() < 70  # 5 standard deviations


@given(chips(), SEED)
def test_no_change_changes_nothing(chip, seed):
    chip = chip._replace(image=np.where(chip.valid, chip.image, 0).astype(np.float32))
    for got in (
        augment(chip, NO_CHANGE, rng=np.random.default_rng(seed)),
        augment_batch([chip, chip], NO_CHANGE, seeds=[seed, 1])[0],
    ):
        for part, expected in zip(got, chip, strict=True):
            np.testing.assert_array_equal(part, expected)


@given(chips(), SETTINGS, SEED)
def test_the_same_seed_repeats_and_leaves_the_chip_as_it_was(chip, s, seed):
    before = [part.copy() for part in chip]
    first = augment(chip, s, rng=np.random.default_rng(seed))
    again = augment(chip, s, rng=np.random.default_rng(seed))
    for one, other in zip([*first, *before], [*again, *chip], strict=True):
        np.testing.assert_array_equal(one, other)


def test_seeds_differ():
    chip = ramp(8)
    drawn = [augment(chip, replace(FULL, noise=0.0), rng=np.random.default_rng(i)) for i in (0, 1)]
    assert (drawn[0].image != drawn[1].image).any()


def ramp(side, n_bands=4):
    rng = np.random.default_rng(0)
    return ChipPixels(
        rng.standard_normal((n_bands, side, side)).astype(np.float32),
        rng.integers(0, 5, (side, side)).astype(np.uint8),
        np.ones((side, side), bool),
    )


FULL = Augment(scale=(0.8, 1.25), shift=0.1, **LIGHT)


@pytest.mark.parametrize("name", LIGHT)
@given(SEED)
def test_a_setting_does_not_change_what_others_draw(name, seed):
    got, without = (
        augment(ramp(9), s, rng=np.random.default_rng(seed))
        for s in (FULL, replace(FULL, **{name: 0.0}))
    )
    np.testing.assert_array_equal(got.labels, without.labels)
    np.testing.assert_array_equal(got.valid, without.valid)
    if name == "band_drop":
        kept = (got.image != FULL.fill).any(axis=(1, 2))
        np.testing.assert_array_equal(got.image[kept], without.image[kept])


def test_shift_moves_by_whole_pixels_and_opens_unknown_ground():
    chip = ramp(10)
    moved = augment(chip, replace(NO_CHANGE, shift=0.5), rng=np.random.default_rng(3))
    rows, cols = (np.flatnonzero(moved.valid.any(axis=axis)) for axis in (1, 0))
    assert 0 < moved.valid.sum() < 100
    assert moved.valid.sum() == len(rows) * len(cols)
    down = rows[0] if rows[0] else rows[-1] - 9
    right = cols[0] if cols[0] else cols[-1] - 9
    source = np.ix_(rows - down, cols - right)
    np.testing.assert_array_equal(moved.labels[np.ix_(rows, cols)], chip.labels[source])
    np.testing.assert_array_equal(
        moved.image[:, rows][:, :, cols], chip.image[:, rows - down][:, :, cols - right]
    )


def test_scale_two_makes_each_patch_twice_as_wide():
    labels = np.kron(np.arange(16).reshape(4, 4), np.ones((2, 2))).astype(np.uint8)
    chip = ChipPixels(labels[None].astype(np.float32), labels, np.ones((8, 8), bool))
    got = augment(chip, replace(NO_CHANGE, scale=(2.0, 2.0)), rng=np.random.default_rng(0))
    expected = np.kron([[5, 6], [9, 10]], np.ones((4, 4)))
    np.testing.assert_array_equal(got.labels, expected)
    small = augment(chip, replace(NO_CHANGE, scale=(0.5, 0.5)), rng=np.random.default_rng(0))
    assert small.valid.sum() == 16
    assert small.valid[2:6, 2:6].all()
    assert sorted(small.labels[small.valid]) == list(range(16))


def test_shift_goes_down_and_right_and_what_comes_in_is_unknown():
    moved = magnify(ramp(6), scale=1.0, shift=(2, 1))
    np.testing.assert_array_equal(moved.labels[2:, 1:], ramp(6).labels[:-2, :-1])
    np.testing.assert_array_equal(moved.image[:, 2:, 1:], ramp(6).image[:, :-2, :-1])
    assert moved.valid[2:, 1:].all()
    assert moved.valid.sum() == 20
    assert (moved.labels[~moved.valid] == IGNORE).all()


def test_fill_does_not_bleed_into_valid_pixels():
    valid = np.indices((12, 12)).sum(axis=0) % 3 > 0
    image = np.where(valid, np.float32(1), np.float32(-9999))[None]
    chip = ChipPixels(image, ramp(12).labels, valid)
    s = replace(NO_CHANGE, scale=(1.3, 1.3))
    got = augment(chip, s, rng=np.random.default_rng(0))
    np.testing.assert_allclose(got.image[:, got.valid], 1, rtol=1e-5)


@given(st.integers(1, 6), SEED)
def test_one_band_is_always_kept(n_bands, seed):
    s = replace(NO_CHANGE, band_drop=1.0, fill=99.0)
    chip = ramp(4, n_bands)
    got = augment(chip, s, rng=np.random.default_rng(seed))
    kept = (got.image != 99).all(axis=(1, 2))
    assert kept.sum() == 1
    np.testing.assert_array_equal(got.image[kept], chip.image[kept])
    np.testing.assert_array_equal(got.labels, chip.labels)


def test_light_varies_as_much_as_asked():
    chip = ChipPixels(np.ones((400, 2, 2), np.float32), *ramp(2)[1:])
    rng = np.random.default_rng(0)
    brighter = augment(chip, replace(NO_CHANGE, brightness=0.5), rng=rng).image
    assert (brighter == brighter[:, :1, :1]).all()
    assert brighter[:, 0, 0].std() == pytest.approx(0.5, rel=0.2)
    stretched = augment(chip, replace(NO_CHANGE, contrast=0.5), rng=rng).image
    assert (stretched - 1).std() == pytest.approx(0.5, rel=0.2)
    noisy = augment(chip, replace(NO_CHANGE, noise=0.5), rng=rng).image - 1
    assert noisy.std() == pytest.approx(0.5, rel=0.1)
    assert abs(np.corrcoef(noisy[:, 0, 0], noisy[:, 0, 1])[0, 1]) < 0.25


@pytest.mark.parametrize("name", [*JOINT, "gain"])
def test_joint_light_is_one_draw_for_all_bands(name):
    chip = ChipPixels(np.ones((3, 2, 2), np.float32), *ramp(2)[1:])
    s = replace(NO_CHANGE, **{name: 0.5})
    moved = (
        np.stack([augment(chip, s, rng=np.random.default_rng(i)).image for i in range(400)]) - 1
    )
    assert (moved == moved[:, :1, :1, :1]).all()
    assert moved[:, 0, 0, 0].std() == pytest.approx(0.5, rel=0.2)
    none = augment(ChipPixels(chip.image * 0, *chip[1:]), s, rng=np.random.default_rng(0)).image
    assert bool(none.any()) == (name == "joint_brightness")  # the others leave 0


def test_gain_leaves_what_was_stored_as_0():
    stored = np.array([0.0, 40.0, 80.0], np.float32)
    mean, std = np.float32(40), np.float32(20)
    scaled = np.broadcast_to(((stored - mean) / std)[None, :, None], (2, 3, 3))
    chip = ChipPixels(np.array(scaled), *ramp(3)[1:])
    zero = np.full((2, 1, 1), -mean / std)
    s = replace(NO_CHANGE, gain=0.3)
    got = augment(chip, s, rng=np.random.default_rng(0), zero=zero).image * std + mean
    np.testing.assert_allclose(got[:, 0], 0, atol=1e-5)
    np.testing.assert_allclose(got[:, 2], 2 * got[:, 1], rtol=1e-5)
    assert abs(got[0, 1, 0] - 40) > 1


# Cut-mix


@given(SEED, st.integers(1, 20), st.integers(1, 20))
def test_cut_mix_takes_a_rectangle_with_its_labels_and_its_nodata(seed, height, width):
    ones = np.ones((height, width))
    chip = ChipPixels(ones[None].astype(np.float32), ones.astype(np.uint8), ones.astype(bool))
    other = ChipPixels(2 * chip.image, np.full_like(chip.labels, IGNORE), ~chip.valid)
    mixed = cut_mix(chip, other, Augment(cut_mix=1.0), rng=np.random.default_rng(seed))
    taken = mixed.image[0] == 2
    np.testing.assert_array_equal(mixed.labels == IGNORE, taken)
    np.testing.assert_array_equal(~mixed.valid, taken)
    box = taken.any(axis=1).sum() * taken.any(axis=0).sum()
    assert taken.sum() == box
    assert (chip.image == 1).all()


def test_cut_mix_is_done_as_often_as_asked_and_takes_a_fair_share():
    chip = ramp(32, 1)
    other = chip._replace(image=chip.image + 100)
    shares = np.array(
        [
            (
                cut_mix(chip, other, Augment(cut_mix=0.3), rng=np.random.default_rng(i)).image > 50
            ).mean()
            for i in range(1000)
        ]
    )
    assert (shares > 0).mean() == pytest.approx(0.3, abs=0.06)
    assert 0.25 < shares[shares > 0].mean() < 0.4  # half, less what the rim cuts off


def test_batch_mixes_each_chip_with_the_next():
    batch = [ChipPixels(np.full((1, 8, 8), i, np.float32), *ramp(8)[1:]) for i in range(4)]
    mixed = augment_batch(batch, Augment(cut_mix=1.0), seeds=range(4))
    for i, chip in enumerate(mixed):
        assert set(np.unique(chip.image)) <= {i, (i + 1) % 4}
    assert any(len(np.unique(chip.image)) == 2 for chip in mixed)


def test_chips_of_two_sizes_are_not_mixed():
    with pytest.raises(UsageError, match="got 4 x 8 x 8 and 4 x 9 x 9"):
        cut_mix(ramp(8), ramp(9), Augment(), rng=np.random.default_rng(0))


# What cannot work


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"scale": (0.0, 1.0)}, r"got 0.0 and 1.0 \(try 0.8 and 1.25\)"),
        ({"scale": (1.2, 0.8)}, r"smaller first: got 1.2 and 0.8"),
        ({"noise": -0.1}, r"noise must be at least 0: got -0.1"),
        ({"gain": 0.1, "joint_contrast": 0.2}, r"set one of them, got 0.1 and 0.2"),
        ({"band_drop": 1.5}, r"band_drop must be between 0 and 1: got 1.5"),
        ({"shift": -0.5}, r"shift must be between 0 and 1: got -0.5"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong, message):
    with pytest.raises(UsageError, match=message):
        Augment(**wrong)


def test_parts_of_two_sizes_are_refused():
    chip = ramp(8)._replace(labels=np.zeros((8, 7), np.uint8))
    with pytest.raises(UsageError, match="got 4 x 8 x 8, 8 x 7 and 8 x 8"):
        augment(chip, Augment(), rng=np.random.default_rng(0))


def test_chips_stay_the_same_from_release_to_release():
    """Chips of a resumed run: change them only with a line in the changelog."""
    settings = (replace(FULL, **dict.fromkeys(JOINT, 0.0)), FULL)
    apart, joint = (augment(ramp(6), s, rng=np.random.default_rng(7)) for s in settings)
    assert apart.labels[0].tolist() == joint.labels[0].tolist() == [3, 3, 4, 2, 2, 1]
    expected = [-1.123215, 0.956669, 0.460395, -0.002264]
    np.testing.assert_allclose(apart.image[:, 3, 3], expected, atol=0.1)
    expected = [-1.729382, 0.959389, 0.342147, -0.253289]
    np.testing.assert_allclose(joint.image[:, 3, 3], expected, atol=0.1)


def test_no_setting_is_left_untested():
    tested = {"flip", "turn", "scale", "shift", "cut_mix", "fill", "gain", *LIGHT}
    assert {field.name for field in fields(Augment)} == tested
