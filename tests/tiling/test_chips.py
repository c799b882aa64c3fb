from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tiling import TilingError, Window
from tiling.chips import grid_positions, make_chip, shuffle_chips
from tiling.label_index import plain_index
from tiling.room import holds, make_rooms


@st.composite
def grids(draw):
    tile = draw(st.integers(1, 12))
    shapes = draw(
        st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=3)
    )
    return shapes, tile, draw(st.integers(0, tile - 1))


@given(grids())
def test_each_pixel_is_in_one_core(grid):
    shapes, tile, overlap = grid
    answers = [np.zeros(shape, int) for shape in shapes]
    for chip in grid_positions(shapes, tile, overlap=overlap):
        answers[chip.scene][chip.core.slices] += 1
        within = chip.core.row - chip.window.row, chip.core.col - chip.window.col
        assert min(within) >= 0
        assert within[0] + chip.core.height <= tile
        assert within[1] + chip.core.width <= tile
    assert all((found == 1).all() for found in answers)


@given(grids())
def test_chips_stay_inside_or_say_by_how_much_they_do_not(grid):
    shapes, tile, overlap = grid
    for chip in grid_positions(shapes, tile, overlap=overlap):
        row, col, height, width = chip.window
        scene = shapes[chip.scene]
        assert (height, width) == (tile, tile)
        assert min(row, col) >= 0
        assert chip.padding == (max(row + tile - scene[0], 0), max(col + tile - scene[1], 0))
        assert chip.padded == (scene[0] < tile or scene[1] < tile)
        assert row == 0 or not chip.padding[0]
        assert col == 0 or not chip.padding[1]


@given(grids())
def test_neighbours_overlap_by_at_least_what_is_asked(grid):
    shapes, tile, overlap = grid
    for scene in range(len(shapes)):
        chips = [c for c in grid_positions(shapes, tile, overlap=overlap) if c.scene == scene]
        starts = sorted({chip.window.row for chip in chips})
        assert all(b - a <= tile - overlap for a, b in pairwise(starts))


def test_neighbours_answer_for_half_of_their_overlap_each():
    chips = grid_positions([(8, 21)], 8, overlap=4)
    assert [chip.window.col for chip in chips] == [0, 4, 8, 12, 13]
    cores = [(chip.core.col, chip.core.col + chip.core.width) for chip in chips]
    assert cores == [(0, 6), (6, 10), (10, 14), (14, 16), (16, 21)]


@given(grids(), st.integers(1, 7), st.data())
def test_rooms_keep_the_chips_that_fit(grid, cell, data):
    shapes, tile, overlap = grid
    indexes = [plain_index(shape, cell=cell) for shape in shapes]
    cells = [data.draw(hnp.arrays(np.bool_, index.grid)) for index in indexes]
    rooms = make_rooms(indexes, tile, cells=cells)
    kept = grid_positions(shapes, tile, overlap=overlap, rooms=rooms)
    every = grid_positions(shapes, tile, overlap=overlap)
    assert kept == tuple(c for c in every if holds(rooms[c.scene], c.window.row, c.window.col))


def test_scene_of_the_size_of_a_chip_gives_one_chip():
    assert grid_positions([(8, 8)], 8) == (make_chip(0, Window(0, 0, 8, 8), (8, 8)),)


@pytest.mark.parametrize("overlap", [-1, 8])
def test_overlap_that_leaves_no_step_is_refused(overlap):
    with pytest.raises(TilingError, match=rf"overlap={overlap} px and tile=8 px \(try overlap=2"):
        grid_positions([(20, 20)], 8, overlap=overlap)


def test_an_epoch_takes_every_chip_once_in_an_order_of_its_own():
    chips = grid_positions([(64, 64)], 8)
    first, again, second = (shuffle_chips(chips, seed=5, epoch=e) for e in (0, 0, 1))
    assert first == again
    assert [c.window for c in first] != [c.window for c in second]
    assert sorted(c._replace(seed=0) for c in second) == sorted(chips)
    assert len({c.seed for c in first + second}) == 2 * len(chips)
