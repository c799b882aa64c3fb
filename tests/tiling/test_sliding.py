import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiling import Stages, cut_panels, list_strips, make_grid, predict_array, slide

FILL = -7.0
SHAPES = [(1, 1), (1, 90), (90, 1), (31, 33), (32, 32), (33, 32), (33, 65), (100, 64), (77, 131)]


def run(scene, valid, predict, *, tile=32, margin=4, stride=4, taper=None, n_layers=None, **how):
    """Slide `predict` over an array; returns scores, NaN where not valid, and the calls made."""
    grid = make_grid(scene.shape[1:], tile, margin=margin, stride=stride, blend=taper is not None)
    panels = cut_panels(grid.cols, how.pop("max_width", 10**6))
    n_layers = n_layers or len(scene)
    result = np.full((n_layers, *grid.shape), np.inf, np.float32)
    log = {"reads": [], "tiles": 0, "skipped": 0, "writes": []}

    def read(window):
        log["reads"].append(window)
        return scene[(slice(None), *window.slices)].copy(), valid[window.slices].copy()

    def prepare(pixels, mask, out):
        out[...] = np.where(mask, pixels, FILL)

    def count(batch):
        log["tiles"] += len(batch)
        return predict(batch)

    def finish(scores, mask):
        return (np.where(mask, scores, np.nan),)

    def blank(height, width):
        return (np.full((n_layers, height, width), np.nan, np.float32),)

    def write(strip, window, layers, skipped):
        log["writes"].append((strip.number, window))
        log["skipped"] += skipped
        result[(slice(None), *window.slices)] = layers[0]

    stages = Stages(read, prepare, count, finish, blank, write)
    slide(grid, stages, panels=panels, taper=taper or "hann", **how)
    return result, log


def identity(batch):
    return batch


def blur(batch):
    """A 9 x 9 mean, zero beyond the border: reach 4 px, like a zero-padded convolution."""
    padded = np.pad(batch, [(0, 0), (0, 0), (4, 4), (4, 4)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (9, 9), axis=(2, 3))
    return windows.sum(axis=(4, 5), dtype=np.float64).astype(np.float32)


def noise(shape, bands=2, seed=0):
    return np.random.default_rng(seed).normal(size=(bands, *shape)).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("taper", [None, "hann", "gaussian"])
@pytest.mark.parametrize("max_width", [10**6, 50])
def test_identity_network_gives_the_scene_back(shape, taper, max_width):
    scene = noise(shape)
    result, _ = run(
        scene, np.ones(shape, bool), identity, taper=taper, max_width=max_width, batch=3
    )
    np.testing.assert_array_equal(result, scene)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 120), st.integers(1, 120)),
    margin=st.sampled_from([0, 4, 8]),
    taper=st.sampled_from([None, "hann", "gaussian"]),
    holes=st.lists(st.tuples(*[st.integers(0, 119)] * 2, *[st.integers(1, 70)] * 2), max_size=3),
    max_width=st.sampled_from([40, 70, 10**6]),
    batch=st.integers(1, 4),
    row_step=st.sampled_from([1, 7, 16, 512]),
)
def test_identity_with_holes(shape, margin, taper, holes, max_width, batch, row_step):
    scene, valid = noise(shape), np.ones(shape, bool)
    for row, col, height, width in holes:
        valid[row : row + height, col : col + width] = False
    result, log = run(
        scene,
        valid,
        identity,
        margin=margin,
        taper=taper,
        max_width=max_width,
        batch=batch,
        row_step=row_step,
    )
    np.testing.assert_array_equal(np.isnan(result[0]), ~valid)
    np.testing.assert_array_equal(result[:, valid], scene[:, valid])
    assert log["tiles"] > 0 or not valid.any()


@pytest.mark.parametrize("taper", ["hann", "gaussian"])
@pytest.mark.parametrize("value", [1.0, 0.1, -3.3333333])
def test_constant_in_is_that_constant_out_corners_included(taper, value):
    shape = (75, 133)
    result, _ = run(
        noise(shape),
        np.ones(shape, bool),
        lambda batch: np.full_like(batch, value),
        taper=taper,
        max_width=60,
    )
    assert (result == np.float32(value)).all()


@pytest.mark.parametrize("tile", [32, 40, 64])
@pytest.mark.parametrize("shape", [(33, 65), (100, 77), (3, 200)])
def test_crop_equals_the_whole_image_pass(shape, tile):
    scene = noise(shape)
    stride = 4
    padded = [(0, 0), *[(0, -n % stride) for n in shape]]
    whole = blur(np.pad(scene, padded, constant_values=FILL)[None])[0][:, : shape[0], : shape[1]]
    result, _ = run(scene, np.ones(shape, bool), blur, tile=tile, margin=4, max_width=70)
    np.testing.assert_array_equal(result, whole)


def test_margin_below_the_reach_is_not_exact():
    scene = noise((100, 100))
    result, _ = run(scene, np.ones((100, 100), bool), blur, margin=0)
    assert not np.array_equal(result, blur(scene[None])[0])


@pytest.mark.parametrize("taper", [None, "hann"])
def test_a_hole_changes_nothing_beyond_the_reach(taper):
    scene, valid = noise((160, 160)), np.ones((160, 160), bool)
    whole, _ = run(scene, valid, blur, taper=taper)
    valid[40:110, 50:120] = False
    holed, log = run(scene, valid, blur, taper=taper)
    near = np.zeros_like(valid)
    near[36:114, 46:124] = True
    np.testing.assert_array_equal(holed[:, ~near], whole[:, ~near])
    assert np.isnan(holed[:, ~valid]).all()
    assert log["skipped"] > 0


def test_skipping_has_no_effect_on_neighbours():
    """Tiles skipped or predicted, the valid pixels get the same scores."""
    scene, valid = noise((200, 120)), np.zeros((200, 120), bool)
    valid[:40], valid[150:, 60:] = True, True
    for taper in (None, "hann", "gaussian"):
        got, log = run(scene, valid, blur, taper=taper)
        everything = np.where(valid, scene, FILL)
        want, _ = run(everything, np.ones_like(valid), blur, taper=taper)
        np.testing.assert_array_equal(got[:, valid], want[:, valid])
        assert log["skipped"] > 0


@pytest.mark.parametrize("taper", [None, "hann"])
@pytest.mark.parametrize("max_width", [10**6, 60])
def test_starting_at_any_strip_writes_the_same_rows(taper, max_width):
    scene, valid = noise((150, 110)), np.ones((150, 110), bool)
    whole, log = run(scene, valid, blur, taper=taper, max_width=max_width)
    for first in range(len(log["writes"])):
        part, again = run(scene, valid, blur, taper=taper, max_width=max_width, first=first)
        assert again["writes"] == log["writes"][first:]
        written = np.isfinite(part[0])
        np.testing.assert_array_equal(part[:, written], whole[:, written])


def test_every_row_is_read_once_in_whole_blocks():
    scene = noise((200, 100))
    _, log = run(scene, np.ones((200, 100), bool), identity, row_step=48)
    assert [(w.row, w.height) for w in log["reads"]] == [
        (0, 48),
        (48, 48),
        (96, 48),
        (144, 48),
        (192, 8),
    ]


def test_strips_write_the_scene_once():
    for blend in (False, True):
        grid = make_grid((300, 500), 64, margin=16, stride=8, blend=blend)
        count = np.zeros((300, 500), int)
        for strip in list_strips(grid, cut_panels(grid.cols, 200)):
            count[slice(*strip.rows), slice(*strip.cols)] += 1
        assert (count == 1).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_predict_array(shape):
    scene = noise(shape)
    got = predict_array(scene, blur, tile=32, margin=4, stride=4, batch=3)
    padded = np.pad(scene, [(0, 0), *[(0, -n % 4) for n in shape]])
    np.testing.assert_array_equal(got, blur(padded[None])[0][:, : shape[0], : shape[1]])
