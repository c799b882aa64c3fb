import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.tiling.labels import index_of
from tiling import TilingError, label_index
from tiling.label_index import IGNORE, border_mask, index_labels, plain_index, with_rim
from tiling.windows import Window

LABELS = hnp.arrays(
    np.uint8,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=23),
    elements=st.sampled_from([0, 1, 2, IGNORE]),
)


def brute_border(labels):
    border = np.zeros(labels.shape, bool)
    height, width = labels.shape
    for row in range(height):
        for col in range(width):
            for r, c in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)):
                if 0 <= r < height and 0 <= c < width:
                    pair = labels[row, col], labels[r, c]
                    border[row, col] |= pair[0] != pair[1] and IGNORE not in pair
    return border


@given(LABELS)
def test_border_is_where_two_classes_share_an_edge(labels):
    np.testing.assert_array_equal(border_mask(labels), brute_border(labels))


@given(LABELS, st.integers(1, 9), st.integers(1, 300))
def test_every_cell_is_counted_whatever_the_windows(labels, cell, budget):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_index, "WINDOW_PIXELS", budget)
        index = index_of(labels, cell=cell, n_classes=3)
    border = border_mask(labels)
    for row in range(index.grid[0]):
        for col in range(index.grid[1]):
            place = index.cell_window(row, col).slices
            expected = [(labels[place] == k).sum() for k in range(3)]
            assert index.counts[row, col].tolist() == expected
            at_border = [((labels[place] == k) & border[place]).sum() for k in range(3)]
            assert index.borders[row, col].tolist() == at_border


def test_memory_is_that_of_a_window_not_of_the_scene():
    height = 49_152

    def read(window):
        return np.zeros((window.height, window.width), np.uint8)

    tracemalloc.start()
    index = index_labels(read, (height, 1024), cell=256, n_classes=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert index.counts.sum() == height * 1024
    assert peak < 40 * label_index.WINDOW_PIXELS < height * 1024


def test_unknown_label_is_named_with_its_place():
    labels = np.zeros((40, 8), np.uint8)
    labels[33, 1], labels[34, 2] = 7, 3
    with pytest.raises(TilingError, match=r"indexes 0 to 2, or 255.*got 3, 7 in rows 0 to 39"):
        index_of(labels, cell=8, n_classes=3)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12))
def test_plain_index_counts_every_pixel(height, width, cell):
    index = plain_index((height, width), cell=cell)
    assert index.counts.sum() == height * width
    last = index.cell_window(index.grid[0] - 1, index.grid[1] - 1)
    assert index.counts[-1, -1, 0] == last.height * last.width
    assert (last.row + last.height, last.col + last.width) == (height, width)


def test_plain_index_leaves_invalid_cells_empty():
    valid = np.array([[True, False], [False, True]])
    index = plain_index((5, 6), cell=3, valid=valid)
    assert index.counts[..., 0].tolist() == [[9, 0], [0, 6]]


def test_mask_of_another_grid_is_refused():
    with pytest.raises(TilingError, match="5 x 6 px has 2 x 2 cells of 3 px: got a mask of 3 x 2"):
        plain_index((5, 6), cell=3, valid=np.ones((3, 2), bool))


def test_sizes_below_one_are_refused():
    with pytest.raises(TilingError, match="scene of 5 x 6 px and cell=0"):
        plain_index((5, 6), cell=0)


def test_rim_ends_where_the_scene_does():
    assert with_rim(Window(0, 0, 4, 4), (4, 9)) == (
        Window(0, 0, 4, 5),
        (slice(0, 4), slice(0, 4)),
    )
