import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tiling import TilingError
from tiling.room import covered_cells, draw_start, holds, make_room


@st.composite
def rooms(draw):
    shape = draw(st.integers(1, 30)), draw(st.integers(1, 30))
    cell, tile = draw(st.integers(1, 7)), draw(st.integers(1, 12))
    grid = -(-shape[0] // cell), -(-shape[1] // cell)
    allowed = draw(hnp.arrays(np.bool_, grid, fill=st.just(True)))
    return make_room(shape, tile, cell=cell, allowed=allowed), cell, allowed


def starts_that_fit(room, cell, allowed):
    """Every start, tried one by one, on pixels."""
    height, width = room.shape
    pixels = np.kron(allowed, np.ones((cell, cell), bool))[:height, :width].astype(bool)
    rows = range(max(height - room.tile, 0) + 1)
    cols = range(max(width - room.tile, 0) + 1)
    side = room.tile
    return {(r, c) for r in rows for c in cols if pixels[r : r + side, c : c + side].all()}


@given(rooms())
def test_a_chip_fits_where_all_its_pixels_are_allowed(made):
    room, cell, allowed = made
    fitting = starts_that_fit(room, cell, allowed)
    tried = {(r, c) for r in range(-1, 31) for c in range(-1, 31) if holds(room, r, c)}
    assert tried == fitting


@given(rooms())
def test_covered_cells_are_those_of_which_each_pixel_can_be_in_a_chip(made):
    room, cell, allowed = made
    pixels = np.zeros(room.shape, bool)
    for row, col in starts_that_fit(room, cell, allowed):
        pixels[row : row + room.tile, col : col + room.tile] = True
    covered = np.kron(covered_cells(room, allowed.shape), np.ones((cell, cell), bool))
    np.testing.assert_array_equal(covered[: room.shape[0], : room.shape[1]], pixels)


@given(rooms(), st.integers(0, 12), st.integers(0, 2**32), st.data())
def test_drawn_chip_fits_and_holds_the_pixel(made, reach, seed, data):
    room, cell, allowed = made
    pixel = (
        data.draw(st.integers(0, room.shape[0] - 1)),
        data.draw(st.integers(0, room.shape[1] - 1)),
    )
    rng = np.random.default_rng(seed)
    fitting = {
        start
        for start in starts_that_fit(room, cell, allowed)
        if all(s <= at < s + room.tile for s, at in zip(start, pixel, strict=True))
    }
    if not fitting:
        with pytest.raises(TilingError, match=f"row {pixel[0]}, column {pixel[1]} fits into"):
            draw_start(room, pixel, reach=reach, rng=rng)
        return
    near = {
        start
        for start in fitting
        if all(abs(at - s - room.tile // 2) <= reach for s, at in zip(start, pixel, strict=True))
    }
    assert draw_start(room, pixel, reach=reach, rng=rng) in (near or fitting)


def test_all_starts_are_equally_likely():
    allowed = np.array([[True, True, True], [False, True, True]])
    room = make_room((8, 12), 4, cell=4, allowed=allowed)
    rng = np.random.default_rng(0)
    drawn = [draw_start(room, (3, 5), reach=4, rng=rng) for _ in range(4000)]
    fitting = {(0, 2), (0, 3), *((r, c) for r in range(4) for c in (4, 5))}
    assert set(drawn) == fitting
    counts = np.unique(drawn, axis=0, return_counts=True)[1]
    assert abs(counts - 400).max() < 100  # 5 standard deviations


def test_tile_below_one_is_refused():
    with pytest.raises(TilingError, match=r"got tile=0 \(try tile=256\)"):
        make_room((8, 8), 0, cell=4, allowed=np.ones((2, 2), bool))
