from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tiling.labels import index_of, patchy
from tiling import TilingError, Window
from tiling.buffer import leave_buffer
from tiling.chips import grid_positions, make_chip
from tiling.label_index import plain_index
from tiling.leaks import check_split, find_leaks, random_split
from tiling.room import make_rooms
from tiling.sampler import Sampling, draw_chip, make_sampler
from tiling.split import NO_PART, PARTS, SplitSettings, part_mask, split_named, split_scenes


def ground(index, cells):
    """Pixels of the cells in the common grid, as (row, col) pairs."""
    mask = np.kron(cells, np.ones((index.cell, index.cell), bool)).astype(bool)
    mask = mask[: index.shape[0], : index.shape[1]]
    return np.argwhere(mask) + (index.origin or (0, 0))


def distance(one, other):
    """Least Chebyshev distance between pixels, counted as the gap that lies between them."""
    if not len(one) or not len(other):
        return np.inf
    return np.abs(one[:, None] - other[None]).max(axis=2).min() - 1


@st.composite
def neighbours(draw):
    """Two small scenes in a common grid that overlap, touch or lie apart, and their parts."""
    cell = draw(st.integers(1, 4))
    indexes = [
        plain_index(
            (draw(st.integers(1, 12)), draw(st.integers(1, 12))),
            cell=cell,
            origin=(draw(st.integers(0, 15)), draw(st.integers(0, 15))),
        )
        for _ in range(2)
    ]
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    parts = [rng.choice([0, 0, 0, 0, 1, 2], index.grid).astype(np.int8) for index in indexes]
    return indexes, parts, draw(st.integers(0, 6))


@given(neighbours())
def test_no_two_parts_lie_nearer_than_the_buffer(made):
    indexes, drawn, buffer = made
    parts = leave_buffer(indexes, drawn, buffer=buffer)
    grounds = [
        np.concatenate([ground(i, found == k) for i, found in zip(indexes, parts, strict=True)])
        for k in range(3)
    ]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert distance(grounds[one], grounds[other]) >= buffer


@given(neighbours())
def test_the_buffer_takes_no_more_than_it_must(made):
    indexes, drawn, buffer = made
    parts = leave_buffer(indexes, drawn, buffer=buffer)
    kept = [
        np.concatenate([ground(i, found == k) for i, found in zip(indexes, parts, strict=True)])
        for k in (1, 2)
    ]
    for index, found, before in zip(indexes, parts, drawn, strict=True):
        assert ((found == before) | (found == NO_PART)).all()
        assert (found[before == 2] == 2).all()
        for row, col in np.argwhere((before == 0) & (found == NO_PART)):
            only = np.zeros(index.grid, bool)
            only[row, col] = True
            assert min(distance(ground(index, only), other) for other in kept) < buffer


def test_the_buffer_starts_where_a_scene_ends_not_where_its_last_cell_would():
    above = plain_index((5, 4), cell=4)
    indexes = [replace(above, origin=(0, 0)), plain_index((12, 4), cell=4, origin=(5, 0))]
    drawn = [np.full((2, 1), 2, np.int8), np.zeros((3, 1), np.int8)]
    below = leave_buffer(indexes, drawn, buffer=3)[1]
    assert below[:, 0].tolist() == [NO_PART, 0, 0]


SPLITS = st.builds(
    SplitSettings,
    tile=st.sampled_from([16, 24]),
    block=st.sampled_from([None, 48, 60]),
    seed=st.integers(0, 1000),
    tries=st.just(4),
)


def drawn_chips(indexes, split, part, labels, n_chips=60):
    sampling = Sampling(tile=split.settings.tile, class_share=0.5)
    sampler = make_sampler(indexes, sampling, cells=split.cells(part))
    read = lambda scene, window: labels[scene][window.slices]  # noqa: E731
    return [draw_chip(sampler, i, read=read) for i in range(n_chips)]


@settings(max_examples=25, deadline=None)
@given(SPLITS, st.integers(0, 100))
def test_drawn_chips_of_two_parts_never_leak(s, seed):
    labels = [patchy((301, 280), 3, seed=seed), patchy((200, 250), 3, seed=seed + 1)]
    origins = [(1000, 500), (1250, 700)]
    indexes = [
        index_of(found, cell=8, n_classes=3, origin=origin)
        for found, origin in zip(labels, origins, strict=True)
    ]
    split = split_scenes(indexes, s)
    chips = {part: drawn_chips(indexes, split, part, labels) for part in PARTS}
    for one, other in (("training", "validation"), ("training", "held_out")):
        check_split(chips[one], chips[other], buffer=s.tile, origins=origins)
    check_split(chips["validation"], chips["held_out"], buffer=s.tile, origins=origins)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_every_class_is_in_every_part_where_there_is_ground_enough(seed):
    labels = patchy((1000, 1000), 5, seed=seed)
    index = index_of(labels, cell=8, n_classes=5)
    split = split_scenes([index], SplitSettings(tile=16, seed=seed, tries=4))
    assert split.missing == ()
    assert split.counts.sum(axis=0).tolist() == [(labels == k).sum() for k in range(5)]
    held_out = split.counts[2].sum() / split.counts.sum()
    assert 0.12 < held_out < 0.28


def test_a_class_in_one_corner_is_reported_missing_elsewhere():
    labels = np.zeros((400, 400), np.uint8)
    labels[:4, :4] = 1
    split = split_scenes([index_of(labels, cell=8, n_classes=2)], SplitSettings(tile=32))
    assert split.missing == (("validation", 1), ("held_out", 1))


@pytest.mark.parametrize("seed", [0, 5, 7, 26, 28, 54])
def test_training_sees_every_class_even_those_of_one_place(seed):
    rng = np.random.default_rng(seed)
    labels = np.zeros((300, 300), np.uint8)
    for k in (1, 2, 3):
        row, col = rng.integers(0, 280, 2)
        labels[row : row + 20, col : col + 20] = k
    index = index_of(labels, cell=8, n_classes=4)
    split = split_scenes([index], SplitSettings(tile=32, block=64, tries=8))
    assert [k for part, k in split.missing if part == "training"] == []


@pytest.mark.parametrize("part", PARTS)
def test_counts_are_what_the_chips_of_a_part_can_hold(part):
    labels = patchy((500, 500), 3, seed=4)
    index = index_of(labels, cell=8, n_classes=3)
    split = split_scenes([index], SplitSettings(tile=48, block=72))
    sampler = make_sampler([index], Sampling(48), cells=split.cells(part))
    held = split.counts[PARTS.index(part)]
    assert held.tolist() == [places.total[-1] for places in sampler.by_class]
    in_cells = index.counts[split.cells(part)[0]].sum()
    assert held.sum() < in_cells or part != "training"  # some ground is too narrow for a chip


def test_the_same_seed_gives_the_same_split_and_another_another():
    index = index_of(patchy((500, 500), 3, seed=0), cell=8, n_classes=3)
    s = SplitSettings(tile=16, tries=2)
    first, again, other = (split_scenes([index], x) for x in (s, s, replace(s, seed=1)))
    np.testing.assert_array_equal(first.parts[0], again.parts[0])
    assert (first.parts[0] != other.parts[0]).any()


def test_more_tries_lose_no_more_ground():
    index = index_of(patchy((500, 500), 3, seed=0), cell=8, n_classes=3)
    lost = [
        split_scenes([index], SplitSettings(tile=24, tries=n, block=48)).counts[3].sum()
        for n in (1, 8, 32)
    ]
    assert lost[0] > lost[1] >= lost[2]


def test_scenes_as_blocks_need_no_buffer_unless_they_are_neighbours():
    shapes = [(64, 64)] * 30
    apart = split_scenes([plain_index(s, cell=16) for s in shapes], SplitSettings(tile=32))
    assert apart.how == "scenes"
    assert apart.counts[3].sum() == 0
    assert [int((found == found[0, 0]).all()) for found in apart.parts] == [1] * 30
    assert np.bincount([found[0, 0] for found in apart.parts]).tolist() == [18, 6, 6]
    rows = [plain_index((64, 64), cell=16, origin=(0, 64 * i)) for i in range(30)]
    beside = split_scenes(rows, SplitSettings(tile=32, block="scene"))
    assert beside.counts[3].sum() > 0
    chips = [
        grid_positions(shapes, 32, rooms=make_rooms(rows, 32, cells=beside.cells(part)))
        for part in PARTS
    ]
    origins = [index.origin for index in rows]
    check_split(chips[0], chips[2], buffer=32, origins=origins)
    with pytest.raises(TilingError, match="training chips overlap"):
        check_split(chips[0], chips[0][:1], buffer=32, origins=origins)


def test_groups_of_near_scenes_stay_together_and_lose_nothing():
    rows = [  # pairs and triples of touching scenes, 200 px between them
        plain_index((64, 64), cell=16, origin=(264 * (i // 3), 64 * (i % 3)))
        for i in range(60)
        if i % 6 != 5
    ]
    split = split_scenes(rows, SplitSettings(tile=32, block="group"))
    assert (split.how, split.block) == ("groups", None)
    assert split.counts[3].sum() == 0
    assert (split.counts[:3, 0] / split.counts.sum()).tolist() == pytest.approx(
        [0.6, 0.2, 0.2], abs=0.05
    )
    part_of = {}
    for index, found in zip(rows, split.parts, strict=True):
        assert (found == found[0, 0]).all()
        part_of.setdefault(index.origin[0], set()).add(int(found[0, 0]))
    assert all(len(parts) == 1 for parts in part_of.values())
    scenes = split_scenes(rows, SplitSettings(tile=32, block="scene"))
    assert scenes.counts[3].sum() > 0


def test_named_scenes_are_the_parts_and_training_gives_way_to_neighbours():
    rows = [plain_index((64, 64), cell=16, origin=(0, 64 * i)) for i in range(5)]
    named = ["held_out", "training", "training", "training", "validation"]
    split = split_named(rows, named, SplitSettings(tile=16))
    assert split.how == "named"
    assert split.counts[:3, 0].tolist() == [64 * (3 * 64 - 32), 64 * 64, 64 * 64]
    assert split.counts[3, 0] == 2 * 64 * 16
    assert (split.parts[0] == 2).all()
    assert (split.parts[4] == 1).all()
    assert split.parts[1][:, 0].tolist() == [-1] * 4
    with pytest.raises(TilingError, match=r"left for held-out .* or name other scenes"):
        split_named(rows, ["training"] * 4 + ["validation"], SplitSettings(tile=16))


def test_scenes_without_a_place_are_groups_of_their_own():
    scenes = [plain_index((64, 64), cell=16)] * 30
    split = split_scenes(scenes, SplitSettings(tile=32, block="group"))
    assert np.bincount([found[0, 0] for found in split.parts]).tolist() == [18, 6, 6]


def test_narrow_scenes_are_cut_into_strips():
    split = split_scenes([plain_index((80, 600), cell=16)], SplitSettings(tile=64))
    assert (split.how, split.block) == ("strips", None)
    shares = split.counts[:3, 0] / split.counts.sum()
    assert (shares > np.array([0.3, 0.1, 0.1])).all()


def test_blocks_grow_where_the_buffer_would_take_most_of_them():
    index = plain_index((1024, 1024), cell=32)
    split = split_scenes([index], SplitSettings(tile=128))
    assert (split.how, split.block) == ("blocks", 256)
    fixed = split_scenes([index], SplitSettings(tile=128, block=128))
    assert split.counts[:3].sum() > 1.5 * fixed.counts[:3].sum()


def test_scene_too_small_for_three_parts_says_what_to_do():
    with pytest.raises(TilingError, match=r"tile=64 px.*buffer=64 px apart.*such as tile=32"):
        split_scenes([plain_index((100, 100), cell=16)], SplitSettings(tile=64))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"buffer": 31}, r"buffer=31 px and tile=32 px \(try buffer=32\)"),
        ({"shares": (0.5, 0.2, 0.2)}, r"got 0.5, 0.2, 0.2 \(try 0.6"),
        ({"shares": (0.8, 0.2, 0.0)}, r"only validation may have none: got 0.8, 0.2, 0.0"),
        ({"block": 16}, r"block=16 px and tile=32 px \(try block=128\)"),
        ({"tries": 0}, r"tile=32 px and tries=0"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong, message):
    with pytest.raises(TilingError, match=message):
        split_scenes([plain_index((500, 500), cell=16)], SplitSettings(tile=32, **wrong))


@pytest.mark.parametrize(
    ("indexes", "message"),
    [
        ([], "no scene to split"),
        ([plain_index((9, 9), cell=4), plain_index((9, 9), cell=8)], "got 4 and 8 px a cell"),
        (
            [plain_index((9, 9), cell=4, origin=(0, 0)), plain_index((9, 9), cell=4)],
            "got 1 of 2 without",
        ),
        (
            [plain_index((9, 9), cell=9, valid=np.array([[False]]))],
            "none of the 1 scenes holds a labelled pixel",
        ),
    ],
)
def test_scenes_that_do_not_go_together_are_refused(indexes, message):
    with pytest.raises(TilingError, match=message):
        split_scenes(indexes, SplitSettings(tile=4))


def test_part_mask_is_the_part_on_pixels():
    index = plain_index((300, 300), cell=8)
    split = split_scenes([index], SplitSettings(tile=16))
    whole = part_mask(split, 0, Window(0, 0, 300, 300), part="held_out")
    assert whole.sum() == split.counts[2, 0] > 0
    window = Window(37, 111, 90, 77)
    np.testing.assert_array_equal(
        part_mask(split, 0, window, part="held_out"), whole[window.slices]
    )


# Leaks


CHIPS = st.lists(
    st.builds(
        lambda scene, row, col, tile: make_chip(scene, Window(row, col, tile, tile), (999, 999)),
        st.integers(0, 1),
        st.integers(0, 30),
        st.integers(0, 30),
        st.integers(1, 8),
    ),
    max_size=6,
)


@given(CHIPS, CHIPS, st.integers(0, 5), st.booleans())
def test_leaks_are_the_chips_with_a_pixel_too_near(training, held_out, buffer, placed):
    origins = [(0, 0), (5, 3)] if placed else None

    def pixels(chip):
        top, left = origins[chip.scene] if origins else (0, 1000 * chip.scene)
        rows, cols = np.indices((chip.window.height, chip.window.width)).reshape(2, -1)
        return np.stack([rows + chip.window.row + top, cols + chip.window.col + left], axis=1)

    expected = [
        any(distance(pixels(one), pixels(other)) < buffer for other in held_out)
        for one in training
    ]
    assert find_leaks(training, held_out, buffer=buffer, origins=origins).tolist() == expected


def test_random_split_of_neighbours_leaks_and_is_refused_with_the_count():
    chips = grid_positions([(256, 256)], 32, overlap=16)
    training, validation, held_out = random_split(chips, seed=3)
    assert sorted(training + validation + held_out) == sorted(chips)
    assert (len(training), len(validation), len(held_out)) == (135, 45, 45)
    leaks = find_leaks(training, held_out, buffer=32).sum()
    assert leaks > 100
    with pytest.raises(TilingError, match=rf"{leaks} of 135 training chips.*split_scenes"):
        check_split(training, held_out, buffer=32)
    with pytest.raises(TilingError, match=r"sum to 1: got 0.5, 0.2, 0.2"):
        random_split(chips, (0.5, 0.2, 0.2))


@pytest.mark.parametrize("origin", [(0, 8), (8, 0)])
def test_padding_is_no_ground(origin):
    small = make_chip(0, Window(0, 0, 32, 32), (8, 8))
    beside = make_chip(1, Window(0, 0, 32, 32), (32, 32))
    assert not find_leaks([small], [beside], buffer=0, origins=[(0, 0), origin]).any()
    assert find_leaks([small], [beside], buffer=1, origins=[(0, 0), origin]).all()


def test_negative_buffer_is_refused():
    with pytest.raises(TilingError, match="buffer=-1"):
        find_leaks([], [], buffer=-1)
