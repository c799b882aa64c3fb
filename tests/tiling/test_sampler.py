import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tiling.labels import index_of, patchy
from tiling import TilingError
from tiling.label_index import IGNORE, border_mask, plain_index
from tiling.room import holds
from tiling.sampler import Sampling, draw_chip, make_sampler

LABELS = [patchy((150, 200), 4, seed=0), patchy((30, 90), 4, seed=5, patch=10)]
INDEXES = [index_of(found, cell=8, n_classes=4) for found in LABELS]


def read(scene, window):
    return LABELS[scene][window.slices]


def draw(sampler, n_chips, epoch=0):
    return [draw_chip(sampler, i, read=read, epoch=epoch) for i in range(n_chips)]


def chip_labels(chip):
    """What a reader makes of a chip: padding is unlabelled."""
    core = LABELS[chip.scene][chip.core.slices]
    pads = [(0, n) for n in chip.padding]
    return np.pad(core, pads, constant_values=IGNORE)


SHARES = st.sampled_from([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.4, 0.3)])


@settings(deadline=None)
@given(SHARES, st.sampled_from([8, 24, 40]), st.integers(0, 2**40), st.integers(0, 10_000))
def test_chips_lie_in_the_allowed_cells_and_hold_labels(shares, tile, seed, index):
    rng = np.random.default_rng(seed)
    cells = [rng.random(i.grid) < 0.97 for i in INDEXES]
    sampling = Sampling(tile, seed=seed, class_share=shares[0], border_share=shares[1])
    sampler = make_sampler(INDEXES, sampling, cells=cells)
    chip = draw_chip(sampler, index, read=read)
    assert holds(sampler.rooms[chip.scene], chip.window.row, chip.window.col)
    assert chip_labels(chip).shape == (tile, tile)
    if shares[0] + shares[1] == 1:
        assert (chip_labels(chip) != IGNORE).any()


@given(st.permutations(range(40)))
def test_a_chip_depends_on_its_number_alone(order):
    sampler = make_sampler(INDEXES, Sampling(24, seed=3, border_share=0.2))
    resumed = pickle.loads(pickle.dumps(sampler))
    straight = draw(sampler, 40, epoch=2)
    assert {i: draw_chip(resumed, i, read=read, epoch=2) for i in order} == dict(
        enumerate(straight)
    )


def test_seeds_epochs_and_numbers_all_matter():
    chips = [
        chip
        for seed in range(3)
        for epoch in range(3)
        for chip in draw(make_sampler(INDEXES, Sampling(24, seed=seed)), 50, epoch)
    ]
    assert len({chip.seed for chip in chips}) == len(chips) == 450
    assert len({(chip.scene, chip.window) for chip in chips}) > 400


def test_chips_stay_the_same_from_release_to_release():
    """Chips of a resumed run: change them only with a line in the changelog."""
    sampler = make_sampler([plain_index((500, 700), cell=16)], Sampling(64, class_share=0))
    chips = [draw_chip(sampler, i, read=None) for i in range(3)]
    assert [chip.window[:2] for chip in chips] == [(112, 401), (345, 636), (267, 280)]


def test_each_class_is_drawn_equally_often():
    sampler = make_sampler(INDEXES, Sampling(1, class_share=1.0))
    drawn = [int(chip_labels(chip)[0, 0]) for chip in draw(sampler, 2000)]
    counts = np.bincount(drawn, minlength=4)
    assert counts.sum() == 2000
    assert abs(counts - 500).max() < 100  # 5 standard deviations


def test_power_one_draws_classes_by_their_pixels():
    sampler = make_sampler(INDEXES, Sampling(1, class_share=1.0, class_power=1.0))
    drawn = np.bincount([int(chip_labels(c)[0, 0]) for c in draw(sampler, 2000)], minlength=4)
    pixels = sum(index.counts.sum(axis=(0, 1)) for index in INDEXES)
    np.testing.assert_allclose(drawn / 2000, pixels / pixels.sum(), atol=0.05)


def test_every_labelled_pixel_can_be_drawn_and_no_other():
    labels = np.array([[0, 0, 1], [IGNORE, 1, 1], [2, IGNORE, 0]], np.uint8)
    index = index_of(labels, cell=2, n_classes=3)
    sampler = make_sampler([index], Sampling(1, class_share=1.0))
    reader = lambda scene, window: labels[window.slices]  # noqa: E731
    chips = [draw_chip(sampler, i, read=reader) for i in range(400)]
    places = {chip.window[:2] for chip in chips}
    assert places == {tuple(at) for at in np.argwhere(labels != IGNORE).tolist()}


def test_border_chips_have_a_border_near_the_middle():
    sampler = make_sampler(INDEXES, Sampling(16, class_share=0.0, border_share=1.0))
    for chip in draw(sampler, 300):
        near = border_mask(LABELS[chip.scene])
        row, col = chip.window[:2]
        rows = slice(0 if row == 0 else row + 4, None if row == near.shape[0] - 16 else row + 13)
        cols = slice(0 if col == 0 else col + 4, None if col == near.shape[1] - 16 else col + 13)
        assert near[chip.window.slices].any()
        assert near[rows, cols].any()


def test_shares_of_kinds_are_kept():
    labels = np.zeros((200, 400), np.uint8)
    labels[:, 200:] = 1
    labels[90:93, 300:303] = 2
    index = index_of(labels, cell=8, n_classes=3)
    reader = lambda scene, window: labels[window.slices]  # noqa: E731

    def share_with_rare(**shares):
        sampler = make_sampler([index], Sampling(8, **shares))
        chips = [draw_chip(sampler, i, read=reader) for i in range(1500)]
        return np.mean([(labels[chip.window.slices] == 2).any() for chip in chips])

    assert share_with_rare(class_share=0.0) < 0.01
    assert share_with_rare(class_share=0.6) == pytest.approx(0.2, abs=0.05)
    assert share_with_rare(class_share=0.0, border_share=0.6) == pytest.approx(0.2, abs=0.05)


def test_rim_pixels_are_seen_too():
    sampler = make_sampler([plain_index((64, 64), cell=8)], Sampling(32, class_share=0.0))
    seen = np.zeros((64, 64))
    for i in range(4000):
        seen[draw_chip(sampler, i, read=None).window.slices] += 1
    assert seen[0].mean() > 0.4 * seen.mean()
    assert seen[0, 0] > 0.15 * seen.mean()


def test_scene_smaller_than_a_chip_is_padded():
    sampler = make_sampler(INDEXES[1:], Sampling(40))
    for i in range(50):
        chip = draw_chip(sampler, i, read=lambda scene, window: LABELS[1][window.slices])
        assert chip.padded
        assert chip.padding == (10, 0)
        assert (chip.window.row, chip.core.height) == (0, 30)
        assert 0 <= chip.window.col <= 50


def test_labels_that_changed_since_are_noticed():
    sampler = make_sampler(INDEXES, Sampling(24, class_share=1.0))
    with pytest.raises(TilingError, match=r"no longer those.*class \d has 0 pixels in the cell"):
        draw_chip(sampler, 0, read=lambda s, w: np.full((w.height, w.width), IGNORE, np.uint8))


def test_classes_need_labels_to_look_up():
    with pytest.raises(TilingError, match="pass read, or set class_share=0"):
        draw_chip(make_sampler(INDEXES, Sampling(24, class_share=1.0)), 0, read=None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"class_share": 0.8, "border_share": 0.4}, r"class_share=0.8 and border_share=0.4 \(try"),
        ({"seed": -1}, "seed=-1 and class_power=0.0"),
        ({"class_share": -0.1}, "class_share=-0.1"),
    ],
)
def test_sampling_that_cannot_work_is_refused(wrong, message):
    with pytest.raises(TilingError, match=message):
        make_sampler(INDEXES, Sampling(24, **wrong))


def test_no_room_for_a_chip_says_so():
    cells = [np.indices(index.grid).sum(axis=0) % 2 == 0 for index in INDEXES]
    with pytest.raises(TilingError, match=r"tile=24 px with a labelled pixel fits.*as tile=12"):
        make_sampler(INDEXES, Sampling(24), cells=cells)


def test_border_chips_without_borders_are_refused():
    with pytest.raises(TilingError, match=r"border_share=0.5 asks for.*set border_share=0"):
        make_sampler([plain_index((50, 50), cell=8)], Sampling(24, border_share=0.5))
