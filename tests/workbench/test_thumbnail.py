import numpy as np
import pytest

from rs_workbench import thumbnail
from rs_workbench.thumbnail import Thumbnail
from tests.workbench import nets
from tiling import Window


@pytest.mark.parametrize("shape", [(50, 70), (333, 190), (1, 400)])
def test_every_nth_pixel_whatever_the_windows(tmp_path, monkeypatch, shape):
    monkeypatch.setattr(thumbnail, "SIDE", 64)
    values, valid = nets.pixels(shape, 4), np.ones(shape, bool)
    valid[: shape[0] // 3] = False
    made = Thumbnail(tmp_path, shape, [2, 0], "uint8")
    for row in range(0, shape[0], 37):
        for col in range(0, shape[1], 53):
            window = Window(row, col, min(37, shape[0] - row), min(53, shape[1] - col))
            made.take(window, values[(slice(None), *window.slices)], valid[window.slices])
    made.close()
    pixels, seen = made.reduced(made.shape)
    step = made.step
    np.testing.assert_array_equal(seen, valid[::step, ::step])
    np.testing.assert_array_equal(pixels[:, seen], values[[2, 0], ::step, ::step][:, seen])
    assert max(made.shape) <= 64


def test_nodata_does_not_darken_its_neighbours(tmp_path):
    values, valid = np.full((1, 80, 80), 200, np.uint8), np.ones((80, 80), bool)
    valid[:, ::2] = False
    values[:, ~valid] = 0
    made = Thumbnail(tmp_path, (80, 80), [0], "uint8")
    made.take(Window(0, 0, 80, 80), values, valid)
    made.close()
    pixels, seen = made.reduced((20, 20))
    assert seen.all()
    np.testing.assert_allclose(pixels, 200, rtol=1e-6)
