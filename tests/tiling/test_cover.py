"""Chips that cover a part: every labelled pixel that a chip can hold, once."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tiling.labels import index_of, patchy
from tiling.chips import grid_positions
from tiling.cover import cover_chips
from tiling.label_index import plain_index
from tiling.room import covered_cells, holds, make_rooms


def counted(shape, chips):
    """How many cores each pixel lies in."""
    total = np.zeros(shape, int)
    for chip in chips:
        total[chip.core.slices] += 1
    return total


def by_pixel(cells, index):
    side = np.ones((index.cell, index.cell), bool)
    return np.kron(cells, side)[: index.shape[0], : index.shape[1]]


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(5, 150), st.integers(5, 150)),
    st.sampled_from([8, 16, 18, 40]),
    st.floats(0.5, 1.0),
    st.integers(0, 2**31),
)
def test_every_pixel_that_a_chip_can_hold_lies_in_one_core(shape, tile, share, seed):
    labels = patchy(shape, 3, seed=seed)
    index = index_of(labels, cell=tile // 4, n_classes=3)
    cells = np.random.default_rng(seed).random(index.grid) < share
    (room,) = make_rooms([index], tile, cells=[cells])
    chips = cover_chips([index], tile, rooms=[room])
    total = counted(shape, chips)
    assert total.max(initial=0) <= 1
    held = by_pixel(covered_cells(room, index.grid), index) & (labels != 255)
    assert (total[held] == 1).all()
    for chip in chips:
        assert holds(room, chip.window.row, chip.window.col)
        assert chip.window.row <= chip.core.row
        assert chip.core.row + chip.core.height <= chip.window.row + tile
        assert chip.window.col <= chip.core.col
        assert chip.core.col + chip.core.width <= chip.window.col + tile


def test_whole_scenes_get_the_chips_of_a_grid():
    index = plain_index((64, 96), cell=8)
    rooms = make_rooms([index], 32, cells=[np.ones(index.grid, bool)])
    assert cover_chips([index], 32, rooms=rooms) == grid_positions([(64, 96)], 32)


def test_small_ground_off_the_grid_is_not_lost():
    index = plain_index((64, 64), cell=4)
    cells = np.zeros(index.grid, bool)
    cells[3:8, 5:9] = True
    rooms = make_rooms([index], 16, cells=[cells])
    assert not grid_positions([(64, 64)], 16, rooms=rooms)
    chips = cover_chips([index], 16, rooms=rooms)
    assert counted((64, 64), chips).sum() == 5 * 4 * 16


def test_scenes_smaller_than_a_chip_are_padded():
    index = plain_index((10, 50), cell=4)
    rooms = make_rooms([index], 16, cells=[np.ones(index.grid, bool)])
    chips = cover_chips([index], 16, rooms=rooms)
    assert {chip.padding for chip in chips} == {(6, 0)}
    assert (counted((10, 50), chips) == 1).all()
