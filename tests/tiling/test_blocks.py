import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.tiling.labels import index_of, patchy
from tiling.blocks import (
    Blocks,
    assign_blocks,
    choose_blocks,
    make_blocks,
    n_effective,
    sweep_cells,
)
from tiling.label_index import plain_index

SHARES = (0.6, 0.2, 0.2)
COUNTS = hnp.arrays(
    np.int64,
    st.tuples(st.integers(1, 40), st.integers(1, 6)),
    elements=st.one_of(st.just(0), st.integers(1, 1000)),
)


def blocks_of(counts, kept=()):
    """Blocks of which only the counts matter."""
    return Blocks(8, (), counts, np.isin(np.arange(len(counts)), kept))


def test_kept_blocks_go_to_training_and_count_for_its_share():
    counts = np.ones((20, 2), np.int64)
    kept = [0, 1, 2, 3, 4, 5]
    parts = assign_blocks(blocks_of(counts, kept), SHARES, rng=np.random.default_rng(0))
    assert (parts[kept] == 0).all()
    assert np.bincount(parts).tolist() == [12, 4, 4]


@given(COUNTS, st.integers(0, 1000))
def test_a_class_in_three_blocks_or_more_is_in_each_part(counts, seed):
    parts = assign_blocks(blocks_of(counts), SHARES, rng=np.random.default_rng(seed))
    rarest = np.argsort((counts > 0).sum(axis=0), kind="stable")[0]
    blocks = counts[:, rarest] > 0
    if blocks.sum() >= 3:
        assert set(parts[blocks]) == {0, 1, 2}
    assert (parts[~counts.any(axis=1)] == 0).all()


def test_shares_are_kept_in_the_long_run():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 100, (500, 5)) * rng.integers(0, 2, (500, 5))
    parts = assign_blocks(blocks_of(counts), SHARES, rng=rng)
    for k in range(5):
        of_class = np.bincount(parts, counts[:, k], 3) / counts[:, k].sum()
        np.testing.assert_allclose(of_class, SHARES, atol=0.05)


def test_a_part_without_a_share_gets_nothing():
    counts = np.ones((20, 2), np.int64)
    parts = assign_blocks(blocks_of(counts), (0.8, 0.0, 0.2), rng=np.random.default_rng(0))
    assert np.bincount(parts, minlength=3).tolist() == [16, 0, 4]


@pytest.mark.parametrize("size", [7, 10, 64, None])
def test_blocks_take_every_pixel_once(size):
    labels = [patchy((50, 70), 3, seed=1), patchy((33, 20), 3, seed=2)]
    indexes = [index_of(found, cell=5, n_classes=3) for found in labels]
    blocks = make_blocks(indexes, size)
    expected = [sum((found == k).sum() for found in labels) for k in range(3)]
    assert blocks.counts.sum(axis=0).tolist() == expected
    numbers = [set(found.ravel().tolist()) for found in blocks.of_cell]
    assert numbers[0].isdisjoint(numbers[1])
    assert numbers[0] | numbers[1] == set(range(len(blocks.counts)))


def test_two_scenes_of_one_place_share_their_blocks():
    first = plain_index((40, 40), cell=10, origin=(100, 200))
    second = plain_index((40, 40), cell=10, origin=(120, 200))
    one, other = make_blocks([first, second], 20).of_cell
    np.testing.assert_array_equal(one[2:], other[:2])
    assert set(one[:2].ravel()).isdisjoint(other.ravel().tolist())


def test_many_scenes_are_blocks_themselves():
    scenes = [plain_index((128, 128), cell=16) for _ in range(25)]
    assert choose_blocks(scenes, 64)[0].size is None


@pytest.mark.parametrize(("side", "size"), [(4096, 512), (1024, 192), (256, 64)])
def test_large_scenes_get_large_blocks(side, size):
    scenes = [plain_index((side, side), cell=16), plain_index((16, 16), cell=16)]
    assert choose_blocks(scenes, 64)[0].size == size


def test_blocks_without_labels_do_not_count_as_blocks():
    assert n_effective(np.array([0, 8, 8, 0])) == 2
    assert n_effective(np.zeros(4, np.int64)) == 0


@given(st.floats(0, 6.28))
def test_strips_hold_their_shares(angle):
    index = plain_index((400, 300), cell=4)
    parts = sweep_cells(index, SHARES, angle=angle, order=(2, 0, 1))
    counts = np.bincount(parts.ravel(), index.counts.ravel(), 3)
    np.testing.assert_allclose(counts / counts.sum(), SHARES, atol=0.02)
