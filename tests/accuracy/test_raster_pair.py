"""Two rasters side by side: grids, values, counts, areas; refused where they do not fit."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rs_workbench.accuracy.reference import raster_windows
from rs_workbench.accuracy.reference.label_values import LabelValues, parse_recode
from rs_workbench.accuracy.reference.legend import parse_classes, read_legend
from rs_workbench.accuracy.reference.raster_count import count_pair
from rs_workbench.accuracy.reference.raster_pair import iter_pair, open_pair
from rs_workbench.accuracy.reference.raster_windows import list_windows
from rs_workbench.errors import AccuracyError
from rs_workbench.raster_area import scene_area_ha
from rs_workbench.raster_scene import describe_raster
from tests.accuracy.pairs import DEGREES, LEGEND, expected, labels, same, shifted, write
from tests.workbench.rasters import NORTH_UP, write_tif


@pytest.fixture
def pair(tmp_path):
    return write(tmp_path / "map.tif", labels(1)), write(tmp_path / "ref.tif", labels(2))


def test_same_grid(pair):
    opened = open_pair(*pair)
    counts = count_pair(opened, LEGEND)
    same(counts, expected(labels(1), labels(2)))
    assert opened.grid_policy == "same grid"
    assert counts.outside == 0
    assert counts.mapped_pixels.tolist() == [(labels(1) == v).sum() for v in (0, 1, 4)]
    assert counts.map_nodata_pixels == (labels(1) == 255).sum()
    # Pixels of 10 m: a hundredth of a hectare.
    np.testing.assert_allclose(counts.mapped_area_ha, counts.mapped_pixels * 0.01, rtol=1e-12)
    np.testing.assert_allclose(counts.area_ha, counts.confusion.matrix * 0.01, rtol=1e-12)
    assert counts.equal_area


@pytest.mark.parametrize(
    ("row", "col", "shape"), [(-3, 7, (30, 20)), (35, 45, (30, 30)), (0, 0, (60, 70))]
)
def test_shifted_by_whole_pixels(tmp_path, row, col, shape):
    truth = labels(3, shape)
    moved = shifted(col, row)
    ref = write(tmp_path / "ref.tif", truth, transform=moved)
    opened = open_pair(write(tmp_path / "map.tif", labels(1)), ref)
    whole = np.full((200, 200), 255, np.uint8)
    whole[50 + row : 50 + row + shape[0], 50 + col : 50 + col + shape[1]] = truth
    counts = count_pair(opened, LEGEND)
    under = whole[50:90, 50:100]
    np.testing.assert_array_equal(counts.confusion.matrix, expected(labels(1), under).matrix)
    inside = max(0, min(40, row + shape[0]) - max(0, row)) * max(
        0, min(50, col + shape[1]) - max(0, col)
    )
    assert counts.outside == truth.size - inside
    assert counts.mapped_pixels.sum() == (labels(1) != 255).sum()
    assert "compared where the two overlap" in opened.grid_policy


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    block=st.integers(1, 60),
    budget=st.sampled_from([40, 200, 1 << 24]),
    row=st.integers(-39, 39),
    geographic=st.booleans(),
)
def test_any_tiling_gives_the_same(tmp_path, block, budget, row, geographic, monkeypatch):
    place = {"crs": "EPSG:4326", "transform": DEGREES} if geographic else {}
    moved = {**place, "transform": shifted(3, row, of=place.get("transform", NORTH_UP))}
    tiles = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    ours = write(tmp_path / "map.tif", labels(1), **place, **tiles)
    ref = write(tmp_path / "ref.tif", labels(2), **moved, **tiles)
    pair = open_pair(ours, ref)
    whole = count_pair(pair, LEGEND)
    monkeypatch.setattr(raster_windows, "_WINDOW_BYTES", budget)
    cut = count_pair(pair, LEGEND, block=block)
    same(cut, whole.confusion)
    np.testing.assert_array_equal(cut.mapped_pixels, whole.mapped_pixels)
    np.testing.assert_array_equal(cut.mapped_area_ha, whole.mapped_area_ha)
    np.testing.assert_array_equal(cut.area_ha, whole.area_ha)
    np.testing.assert_array_equal(cut.blocks.sum(axis=(0, 1)), whole.confusion.matrix)
    assert cut.blocks.shape[:2] == (-(-40 // block), -(-50 // block))


def test_blocks_lie_where_they_say(pair):
    counts = count_pair(open_pair(*pair), LEGEND, block=16)
    for row in range(3):
        for col in range(4):
            here = slice(16 * row, 16 * row + 16), slice(16 * col, 16 * col + 16)
            matrix = expected(labels(1)[here], labels(2)[here]).matrix
            np.testing.assert_array_equal(counts.blocks[row, col], matrix)
    assert counts.block_px == 16


def test_blocks_grow_until_they_fit(pair, monkeypatch):
    monkeypatch.setattr("rs_workbench.accuracy.reference.raster_count._BLOCKS_BYTES", 2000)
    counts = count_pair(open_pair(*pair), LEGEND, block=1)
    assert counts.block_px == 16  # 3 x 4 blocks of 72 bytes; at 8 px 5 x 7 are too many
    assert counts.blocks.sum() == counts.confusion.matrix.sum()


def test_windows_cover_everything_once(pair, monkeypatch):
    for budget in (1, 40, 333, 10**6):
        monkeypatch.setattr(raster_windows, "_WINDOW_BYTES", budget)
        seen = np.zeros((40, 50), int)
        for row, col, height, width in list_windows([describe_raster(pair[0])], side=16):
            seen[row : row + height, col : col + width] += 1
        assert (seen == 1).all()


def test_area_on_a_geographic_grid(tmp_path):
    place = {"crs": "EPSG:4326", "transform": DEGREES}
    paths = [write(tmp_path / f"{n}.tif", labels(n), **place) for n in (1, 2)]
    counts = count_pair(open_pair(*paths), LEGEND)
    rows = scene_area_ha(describe_raster(paths[0]))
    area = [(rows[:, None] * (labels(1) == v)).sum() for v in (0, 1, 4)]
    np.testing.assert_allclose(counts.mapped_area_ha, area, rtol=1e-12)
    cell = (labels(1) == 1) & (labels(2) == 4)
    assert counts.area_ha[1, 2] == pytest.approx((rows[:, None] * cell).sum(), rel=1e-12)
    assert not counts.equal_area


@pytest.mark.parametrize("dtype", ["int16", "float32", "uint16"])
def test_other_types(tmp_path, dtype):
    truth = labels(2).astype(dtype)
    truth[labels(2) == 255] = 999 if dtype == "uint16" else -9
    if dtype == "float32":
        truth[:5, :5] = np.nan
    nodata = 999 if dtype == "uint16" else -9
    ours = write(tmp_path / "map.tif", labels(1).astype("int16"))
    ref = write(tmp_path / "ref.tif", truth, nodata=nodata)
    under = labels(2)
    if dtype == "float32":
        under[:5, :5] = 255
    same(count_pair(open_pair(ours, ref), LEGEND), expected(labels(1), under))


def test_mask_bands(tmp_path):
    mask = np.random.default_rng(5).random((40, 50)) < 0.7
    truth = labels(2, values=(0, 1, 4))
    ref = write_tif(tmp_path / "ref.tif", truth[None], mask=mask)
    ours = write(tmp_path / "map.tif", labels(1))
    truth[~mask] = 255
    same(count_pair(open_pair(ours, ref), LEGEND), expected(labels(1), truth))


@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_recode_unlabelled_and_out_of_scope(tmp_path, dtype):
    values = (10, 20, 30, 40, 50)
    truth = labels(2, values=values).astype(dtype)
    paths = write(tmp_path / "map.tif", labels(1)), write(tmp_path / "r.tif", truth, nodata=None)
    given = LabelValues(
        unlabelled=(40,), out_of_scope=(50,), recode=parse_recode("10=0,20=1,30=4")
    )
    counts = count_pair(open_pair(*paths, values=given), LEGEND)
    for row, ours in enumerate((0, 1, 4)):
        for col, theirs in enumerate((10, 20, 30)):
            cell = (labels(1) == ours) & (truth == theirs)
            assert counts.confusion.matrix[row, col] == cell.sum()
    assert counts.confusion.unlabelled == (truth == 40).sum()
    assert counts.confusion.out_of_scope == (truth == 50).sum()


def test_zero_may_be_a_class_of_the_map_and_unlabelled_in_the_reference(tmp_path):
    paths = write(tmp_path / "map.tif", labels(1)), write(tmp_path / "r.tif", labels(2), nodata=0)
    values = LabelValues(unlabelled=(255,))
    counts = count_pair(open_pair(*paths, values=values), LEGEND)
    assert counts.confusion.matrix[:, 0].tolist() == [0, 0, 0]
    assert counts.confusion.matrix[0, 1] == ((labels(1) == 0) & (labels(2) == 1)).sum()
    assert counts.confusion.unlabelled == np.isin(labels(2), (0, 255)).sum()


def test_labels_outside_the_legend(tmp_path, pair):
    with pytest.raises(AccuracyError, match=r"'map.tif' holds 4 \(\d+ px\), not in its legend"):
        count_pair(open_pair(*pair), parse_classes("0=water,1=ice"))
    ref = write(tmp_path / "r.tif", labels(2, values=(0, 1, 4, 9)))
    with pytest.raises(AccuracyError, match=r"'r\.tif' holds 9 \(\d+ px\), .*--classes"):
        count_pair(open_pair(pair[0], ref), LEGEND)
    ref = write(tmp_path / "r.tif", np.full((40, 50), 0.5, "float32"))
    with pytest.raises(AccuracyError, match=r"'r.tif' holds 0\.5, which cannot be the class"):
        count_pair(open_pair(pair[0], ref), LEGEND)
    ref = write(tmp_path / "r.tif", np.full((40, 50), 1200, "int16"))
    with pytest.raises(AccuracyError, match=r"'r\.tif' holds 1200.*recode it with --recode"):
        count_pair(open_pair(pair[0], ref), LEGEND)


def test_nothing_in_common(tmp_path, pair):
    ref = write(tmp_path / "r.tif", np.full((40, 50), 255, np.uint8))
    with pytest.raises(AccuracyError, match="no labelled pixel in common: 2000 pixels are unlab"):
        count_pair(open_pair(pair[0], ref), LEGEND)


def test_a_file_that_breaks_off(tmp_path, pair):
    path = write(tmp_path / "cut.tif", labels(2, (400, 500)), compress="deflate")
    data = (tmp_path / "cut.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(data[: len(data) // 2])
    ours = write(tmp_path / "map.tif", labels(1, (400, 500)))
    with pytest.raises(AccuracyError, match=r"'cut.tif' cannot be read"):
        count_pair(open_pair(ours, path), LEGEND)


def test_reading_can_stop_early(pair):
    opened = open_pair(*pair)
    windows = [(row, 0, 1, 50) for row in range(40)]
    reading = iter_pair(opened, windows)
    np.testing.assert_array_equal(next(reading).map_codes, labels(1)[:1])
    reading.close()


def test_progress(tmp_path):
    tiles = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    ours = write(tmp_path / "map.tif", labels(1), **tiles)
    ref = write(tmp_path / "ref.tif", labels(2), **tiles)
    seen = []
    count_pair(open_pair(ours, ref), LEGEND, block=16, on_progress=lambda *done: seen.append(done))
    assert seen == [(n + 1, len(seen)) for n in range(len(seen))]
    assert len(seen) == 12


@pytest.mark.data
def test_labels_of_a_real_scene(data_folder):
    folder = data_folder / "enmap_potsdam"
    whole = folder / "enmap_landcover_unstyled.tif"
    tile = folder / "labels" / "enmap_potsdam_tile_96_96.tif"
    opened = open_pair(whole, tile, values=LabelValues(unlabelled=(0,), map_nodata=(0,)))
    counts = count_pair(opened, read_legend(whole)[1:])
    with rasterio.open(tile) as file:
        labelled = int((file.read(1) > 0).sum())
    assert np.trace(counts.confusion.matrix) + counts.confusion.map_nodata <= labelled
    assert counts.confusion.matrix.sum() + counts.confusion.map_nodata == labelled
    assert counts.confusion.unlabelled == 32 * 32 - labelled
    assert counts.mapped_area_ha.sum() == pytest.approx(counts.mapped_pixels.sum() * 0.09)


@pytest.mark.data
def test_training_raster_against_itself(data_folder):
    path = data_folder / "landsat7_chiapas" / "training_data.gtif"
    counts = count_pair(open_pair(path, path), read_legend(path))
    assert np.diag(counts.confusion.matrix).tolist() == [383, 16, 145, 106, 68]
    assert counts.confusion.matrix.sum() == 718
    assert counts.confusion.unlabelled == 250 * 250 - 718
