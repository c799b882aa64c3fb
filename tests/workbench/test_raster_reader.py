"""SceneReader: the pixels as stored, and the truth about which of them are data."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp

from rs_workbench.errors import SceneError
from rs_workbench.raster import SceneReader, at_pixel_size, open_scene
from rs_workbench.raster_resample import axis_taps, native_index
from tests.workbench.rasters import ramp, write_tif
from tiling.windows import Window

H, W = 12, 17


def read(path, bands=None, window=None, **options):
    scene = open_scene(path)
    with SceneReader(scene, bands or scene.data_bands, **options) as reader:
        return reader.read(window or Window(0, 0, *scene.shape))


@pytest.fixture
def hole():
    """Pixels without data, with a lone one at the rim."""
    hole = np.zeros((H, W), bool)
    hole[2:6, 3:9] = hole[0, 16] = True
    return hole


def holed(dtype, value, hole, count=3):
    pixels = ramp(count, H, W, dtype)
    pixels[:, hole] = value
    return pixels


def test_window_and_band_order(tmp_path):
    path = write_tif(tmp_path / "a.tif", ramp(4, H, W, "uint16"))
    found = read(path, (4, 1), Window(3, 5, 7, 2))
    assert np.array_equal(found.pixels, ramp(4, H, W, "uint16")[[3, 0], 3:10, 5:7])
    assert found.pixels.dtype == np.uint16
    assert found.valid.shape == (7, 2)
    assert found.valid.all()
    assert found.missing is None


FLOAT_LOWEST = -3.4028234663852886e38


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("uint8", 0),
        ("uint8", 255),
        ("uint16", 0),
        ("int16", -9999),
        ("int32", -(2**31)),
        ("float32", FLOAT_LOWEST),
        ("float32", np.nan),
        ("float64", -9999.5),
    ],
)
def test_declared_nodata(tmp_path, hole, dtype, value):
    path = write_tif(tmp_path / "a.tif", holed(dtype, value, hole), nodata=value)
    found = read(path)
    assert np.array_equal(found.valid, ~hole)
    assert found.missing is None


def test_nodata_that_no_pixel_can_equal(tmp_path):
    path = write_tif(tmp_path / "a.tif", ramp(1, H, W, "int16"), nodata=-9999)
    with rasterio.open(path) as file:
        vrt = Path(tmp_path / "a.vrt")
        rasterio.shutil.copy(file, str(vrt), driver="VRT")
    text = vrt.read_text().replace("-9999", "-99999.5")
    vrt.write_text(text)
    assert read(str(vrt)).valid.all()


def test_nothing_declared(tmp_path, hole):
    path = write_tif(tmp_path / "a.tif", holed("uint8", 0, hole))
    assert read(path).valid.all()
    assert np.array_equal(read(path, nodata=(0,)).valid, ~hole)


def test_several_values(tmp_path, hole):
    pixels = holed("int16", -9999, hole)
    pixels[:, 11, :4] = -32768
    path = write_tif(tmp_path / "a.tif", pixels, nodata=-9999)
    expected = ~hole
    expected[11, :4] = False
    assert np.array_equal(read(path, nodata=(-32768,)).valid, expected)


def test_a_value_for_each_band(tmp_path, hole):
    pixels = ramp(2, H, W, "int16")
    pixels[0, hole], pixels[1, hole] = -1, -2
    path = write_tif(tmp_path / "a.tif", pixels)
    with rasterio.open(path) as file:
        rasterio.shutil.copy(file, str(tmp_path / "a.vrt"), driver="VRT")
    vrt = tmp_path / "a.vrt"
    text = vrt.read_text()
    for band, value in ((1, -1), (2, -2)):
        start = text.index(f'band="{band}"')
        start = text.index(">", start) + 1
        text = f"{text[:start]}<NoDataValue>{value}</NoDataValue>{text[start:]}"
    vrt.write_text(text)
    assert open_scene(vrt).nodata == (-1, -2)
    assert np.array_equal(read(str(vrt)).valid, ~hole)


def test_nodata_values_tag_for_all_bands_together(tmp_path, hole):
    pixels = ramp(3, H, W)
    pixels[:, hole] = np.array([[1], [2], [3]])
    path = write_tif(tmp_path / "a.tif", pixels, tags={"NODATA_VALUES": "1 2 3"})
    assert open_scene(path).mask_kind == "nodata"
    both = hole | ((ramp(3, H, W) == np.array([1, 2, 3])[:, None, None]).all(axis=0))
    assert np.array_equal(read(path).valid, ~both)


def test_mask_band(tmp_path, hole):
    path = write_tif(tmp_path / "a.tif", ramp(3, H, W), mask=~hole)
    assert open_scene(path).mask_kind == "mask"
    assert np.array_equal(read(path).valid, ~hole)
    window = Window(1, 2, 6, 5)
    assert np.array_equal(read(path, (2,), window).valid, ~hole[window.slices])


def test_alpha_band(tmp_path, hole):
    pixels = ramp(4, H, W)
    pixels[3] = np.where(hole, 0, 255)
    pixels[3, 8] = 1  # nearly transparent still counts
    path = write_tif(tmp_path / "a.tif", pixels, photometric="RGB")
    with rasterio.open(path, "r+") as file:
        names = ("red", "green", "blue", "alpha")
        file.colorinterp = tuple(ColorInterp[name] for name in names)
    found = read(path)
    assert found.pixels.shape == (3, H, W)
    assert np.array_equal(found.valid, ~hole)
    assert read(path, (1, 4)).valid.all(), "an alpha band that was chosen is data"


def test_nan_in_some_bands_is_missing(tmp_path, hole):
    pixels = ramp(3, H, W, "float32")
    pixels[:, hole] = np.nan
    pixels[1, 9, 9] = np.inf
    pixels[2, 10, 3:5] = np.nan
    found = read(write_tif(tmp_path / "a.tif", pixels))
    assert np.array_equal(found.valid, ~hole)
    assert [tuple(map(int, where)) for where in np.argwhere(found.missing)] == [
        (1, 9, 9),
        (2, 10, 3),
        (2, 10, 4),
    ]
    either = ~hole
    either[9, 9] = either[10, 3] = either[10, 4] = False
    strict = read(str(tmp_path / "a.tif"), any_band=True)
    assert np.array_equal(strict.valid, either)
    assert strict.missing is None


def test_a_band_without_any_data_is_missing(tmp_path):
    pixels = ramp(3, H, W, "float32")
    pixels[1] = -32768
    found = read(write_tif(tmp_path / "a.tif", pixels, nodata=-32768))
    assert found.valid.all()
    assert found.missing[1].all()
    assert not found.missing[[0, 2]].any()


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", 0), ("uint8", 255), ("uint16", 0)])
def test_dark_or_bright_in_one_band_is_measured(tmp_path, dtype, nodata):
    pixels = ramp(3, H, W, dtype)
    pixels[1, 4, 4] = nodata
    found = read(write_tif(tmp_path / "a.tif", pixels, nodata=nodata))
    assert found.valid.all()
    assert found.missing is None


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 9999), count=st.integers(1, 4), any_band=st.booleans())
def test_validity_follows_its_definition(tmp_path_factory, seed, count, any_band):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(-3, 3, (count, H, W)).astype("float32")
    pixels[rng.random(pixels.shape) < 0.3] = np.nan
    path = tmp_path_factory.getbasetemp() / "property.tif"
    write_tif(path, pixels, nodata=-2)
    absent = ~np.isfinite(pixels) | (pixels == -2) | (pixels == 1)
    found = read(str(path), nodata=(1,), any_band=any_band)
    invalid = absent.any(axis=0) if any_band else absent.all(axis=0)
    assert np.array_equal(found.valid, ~invalid)
    missing = absent & ~invalid
    if any_band or not missing.any():
        assert found.missing is None
    else:
        assert np.array_equal(found.missing, missing)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1)])
def test_thin_scenes(tmp_path, shape):
    found = read(write_tif(tmp_path / "a.tif", ramp(2, *shape)))
    assert np.array_equal(found.pixels, ramp(2, *shape))


def test_damaged_block_names_file_and_window(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (1, 64, 64)).astype("uint8")
    path = Path(write_tif(tmp_path / "a.tif", noise, compress="deflate", blockysize=16))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    scene = open_scene(path) if _opens(path) else None
    if scene is None:
        data = bytearray(whole)
        data[2000:2600] = bytes(600)
        path.write_bytes(data)
        scene = open_scene(path)
    with (
        SceneReader(scene, (1,)) as reader,
        pytest.raises(
            SceneError,
            match=r"a\.tif' cannot be read at rows 8 to 63, columns 0 to 63 \(.+gdalinfo -c",
        ),
    ):
        reader.read(Window(8, 0, 56, 64))


def _opens(path):
    try:
        open_scene(path)
    except SceneError:
        return False
    return True


def test_corrupt_bytes_name_the_window(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (1, 64, 64)).astype("uint8")
    path = Path(write_tif(tmp_path / "a.tif", noise, compress="deflate", blockysize=16))
    data = bytearray(path.read_bytes())
    with rasterio.open(path) as file:
        assert file.block_shapes == [(16, 64)]
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    path.write_bytes(data)
    scene = open_scene(path)
    with SceneReader(scene, (1,)) as reader:
        assert np.array_equal(reader.read(Window(0, 0, 16, 64)).pixels[0], noise[0, :16])
        with pytest.raises(SceneError, match=r"at rows 0 to 63, columns 2 to 5 "):
            reader.read(Window(0, 2, 64, 4))


def test_vanished_file(tmp_path):
    scene = open_scene(write_tif(tmp_path / "a.tif", ramp(1, 4, 4)))
    Path(scene.path).unlink()
    with pytest.raises(SceneError, match=r"a\.tif' can no longer be opened \(.+\): check"):
        SceneReader(scene, (1,)).__enter__()


def test_reading_costs_little_more_than_rasterio(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(1, 4000, (4, 1536, 1536)).astype("uint16")
    pixels[:, :200, :500] = 0
    path = write_tif(tmp_path / "a.tif", pixels, nodata=0, tiled=True, compress="deflate")
    windows = [Window(row, 0, 512, 1536) for row in range(0, 1536, 512)]

    def ours():
        with SceneReader(open_scene(path), (1, 2, 3, 4)) as reader:
            for window in windows:
                reader.read(window)

    def plain():
        with rasterio.open(path) as file:
            for row, col, height, width in windows:
                file.read(window=rasterio.windows.Window(col, row, width, height))

    seconds = {}
    for _ in range(5):
        for job in (plain, ours):
            start = time.process_time()
            job()
            spent = time.process_time() - start
            seconds[job] = min(spent, seconds.get(job, spent))
    assert seconds[ours] < 1.35 * seconds[plain]


# Another pixel size


def dense(taps, size):
    """Taps as a matrix, (new, old)."""
    matrix = np.zeros((taps.weights.shape[1], size))
    for index, weight in zip(taps.indices, taps.weights, strict=True):
        np.add.at(matrix, (np.arange(len(index)), index + taps.first), weight)
    return matrix


def test_weights_are_means_down_and_linear_up():
    assert np.allclose(
        dense(axis_taps(1, 2, 2.0, 6), 6), [[0, 0, 0.5, 0.5, 0, 0], [0] * 4 + [0.5] * 2]
    )
    up = [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]]
    assert np.allclose(dense(axis_taps(0, 4, 0.5, 2), 2), up)


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("zoom", [0.37, 0.5, 1.0, 1.31, 2.0, 7.9])
def test_weights_do_not_depend_on_the_window(zoom, size):
    count = int(np.ceil(size / zoom - 1e-6))
    taps = axis_taps(0, count, zoom, size)
    assert (taps.first, taps.stop) == (0, size)
    whole = dense(taps, size)
    assert np.allclose(whole.sum(axis=1), 1)
    assert (whole.sum(axis=0) > 0).all(), "every pixel counts"
    for start in range(0, count - 5, 3):
        part = axis_taps(start, 5, zoom, size)
        assert part.indices.max() < part.stop - part.first
        assert np.allclose(dense(part, size), whole[start : start + 5])


def test_view_at_twice_the_pixel_size_is_the_block_mean(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4000, (2, 600, 700)).astype("uint16")
    scene = open_scene(write_tif(tmp_path / "a.tif", pixels))
    view = at_pixel_size(scene, 20.0)
    assert view.shape == (300, 350)
    assert view.pixel_size == (20.0, 20.0)
    assert view.dtype == "float32"
    assert view.transform.a == 20
    with SceneReader(view, (1, 2)) as reader:
        found = reader.read(Window(0, 0, 300, 350))
    expected = pixels.reshape(2, 300, 2, 350, 2).mean(axis=(2, 4))
    assert np.allclose(found.pixels, expected, atol=0.01)
    assert found.valid.all()
    assert found.missing is None


@pytest.mark.parametrize("pixel_size", [4.0, 10.0, 13.3, 47.0])
def test_windows_of_a_view_agree_and_nodata_does_not_leak(tmp_path, pixel_size):
    pixels = np.full((2, 90, 110), 500, "int16")
    pixels[:, 20:50, 30:70] = -9999
    pixels[1, 70:80, 5:15] = -9999
    scene = open_scene(write_tif(tmp_path / "a.tif", pixels, nodata=-9999))
    view = at_pixel_size(scene, pixel_size)
    with SceneReader(view, (1, 2)) as reader:
        whole = reader.read(Window(0, 0, *view.shape))
        part = reader.read(Window(1, 1, view.shape[0] - 1, view.shape[1] - 1))
    assert np.array_equal(whole.valid[1:, 1:], part.valid)
    assert np.allclose(whole.pixels[:, whole.valid & ~whole.missing.any(axis=0)], 500, atol=1e-3)
    assert whole.missing[1].any()
    assert not whole.missing[0].any()
    hole = 1 - whole.valid.mean()
    assert hole == pytest.approx(30 * 40 / (90 * 110), abs=0.05)


def test_view_of_a_scene_in_degrees_has_square_pixels_on_the_ground(tmp_path):
    degrees = rasterio.Affine(0.001, 0, 10, 0, -0.001, 60)
    path = write_tif(tmp_path / "a.tif", ramp(1, 200, 200), crs="EPSG:4326", transform=degrees)
    scene = open_scene(path)
    view = at_pixel_size(scene, 200.0)
    assert scene.pixel_size == pytest.approx((111.4, 55.9), rel=0.01)
    assert view.zoom == pytest.approx((200 / 111.4, 200 / 55.9), rel=0.01)


def test_way_back_to_the_own_grid():
    assert native_index(5, 2.0, 3).tolist() == [0, 0, 1, 1, 2]
    assert native_index(3, 0.5, 6).tolist() == [1, 3, 5]


def test_pixel_size_unknown_or_absurd(tmp_path):
    bare = open_scene(write_tif(tmp_path / "a.tif", ramp(1, 4, 4), crs=None, transform=None))
    with pytest.raises(SceneError, match=r"resampled to 20 m.*unknown: leave out --match-pixel"):
        at_pixel_size(bare, 20.0)
    small = open_scene(write_tif(tmp_path / "b.tif", ramp(1, 4, 4)))
    with pytest.raises(SceneError, match=r"one pixel of 1000 m \(4 x 4 pixels of 10 m\)"):
        at_pixel_size(small, 1000.0)
