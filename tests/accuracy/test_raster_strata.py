"""Strata of a map: the same counts and the same pixels however the map is cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from scipy import ndimage

from rs_workbench.accuracy.design.draw import draw_ranks
from rs_workbench.accuracy.design.raster_codes import CodeReader, Codes, rows_of
from rs_workbench.accuracy.design.raster_locate import locate_anywhere, locate_grid, locate_ranks
from rs_workbench.accuracy.design.raster_strata import MapStrata, count_strata
from rs_workbench.errors import AccuracyError, SceneError, UsageError
from rs_workbench.raster_scene import describe_raster
from tests.workbench.rasters import NORTH_UP, UTM, write_tif


def patches(height: int = 90, width: int = 70, seed: int = 3) -> np.ndarray:
    """Clumped classes 0, 1, 2 with holes of 255."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((height, width)), 3)
    labels = np.digitize(noise, np.quantile(noise, [0.1, 0.7, 0.8])).astype(np.uint8)
    return np.where(labels == 3, 255, labels).astype(np.uint8)


def write_map(path: Path, labels: np.ndarray, **profile: object) -> str:
    return write_tif(path, labels[None], **{"nodata": 255, **profile})


def expected_strata(labels: np.ndarray, buffers: dict[int, int]) -> np.ndarray:
    """The whole at once: class, or 1000 + class of the first buffer that claims the pixel."""
    out = labels.astype(int)
    claimed = labels == 255
    for value, reach in buffers.items():
        steps = np.arange(-reach, reach + 1)
        disc = steps[:, None] ** 2 + steps**2 <= reach**2
        near = ndimage.binary_dilation(labels == value, disc) & (labels != value) & ~claimed
        out[near] = 1000 + value
        claimed |= near
    out[labels == 255] = -1
    return out


def names(strata: MapStrata) -> list[int]:
    return [key.value + 1000 * (key.within_px > 0) for key in strata.keys]


@pytest.mark.parametrize("buffers", [{}, {0: 3}, {2: 5, 0: 1}, {0: 2, 1: 2, 2: 40}])
@pytest.mark.parametrize("strip_rows", [None, 1, 7, 64])
def test_buffers_are_the_dilation_of_the_whole(tmp_path, buffers, strip_rows):
    labels = patches()
    path = write_map(tmp_path / "map.tif", labels)
    strata = count_strata(path, buffers=buffers, strip_rows=strip_rows)
    truth = expected_strata(labels, buffers)
    assert names(strata) == [v for v in [0, 1, 2, *(1000 + b for b in buffers)] if v in truth]
    for index, name in enumerate(names(strata)):
        assert strata.pixels[index] == (truth == name).sum()
        assert strata.row_pixels[:, index].tolist() == (truth == name).sum(axis=1).tolist()
        on_map = [((truth == name) & (labels == v)).sum() for v in strata.values]
        assert strata.mapped_pixels[index].tolist() == on_map
    assert strata.n_population == (labels != 255).sum()


@pytest.mark.parametrize("buffers", [{}, {0: 3, 2: 1}])
def test_every_pixel_is_found_by_its_rank(tmp_path, buffers):
    labels = patches()
    strata = count_strata(write_map(tmp_path / "map.tif", labels), buffers=buffers)
    units = locate_ranks(strata, [np.arange(n) for n in strata.pixels])
    assert len(units) == strata.n_population
    truth = expected_strata(labels, buffers)
    assert (np.array(names(strata))[units.stratum] == truth[units.row, units.col]).all()
    assert (units.value == labels[units.row, units.col]).all()
    assert len({*zip(units.row.tolist(), units.col.tolist(), strict=True)}) == len(units)


def test_ranks_count_along_rows(tmp_path):
    labels = np.array([[1, 0, 1], [0, 1, 1]], np.uint8)
    strata = count_strata(write_map(tmp_path / "map.tif", labels))
    units = locate_ranks(strata, [np.array([1]), np.array([0, 2])])
    assert list(zip(units.row, units.col, strict=True)) == [(0, 0), (1, 0), (1, 1)]


@pytest.mark.parametrize("rows", [1, 4, 33])
def test_pixels_do_not_depend_on_the_strips(tmp_path, monkeypatch, rows):
    strata = count_strata(write_map(tmp_path / "map.tif", patches()), buffers={0: 4, 1: 2})
    ranks = draw_ranks([9] * len(strata.keys), strata.pixels.tolist(), seed=1)
    whole = locate_ranks(strata, ranks)
    monkeypatch.setattr(CodeReader, "strip_rows", rows)
    cut = locate_ranks(strata, ranks)
    assert len(whole) == 9 * len(strata.keys)
    for name in ("row", "col", "stratum", "value"):
        assert getattr(cut, name).tolist() == getattr(whole, name).tolist()


def test_ranks_among_all_pixels(tmp_path):
    labels = patches()
    strata = count_strata(write_map(tmp_path / "map.tif", labels), buffers={2: 3})
    ranks = np.arange(0, strata.n_population, 7)
    units = locate_anywhere(strata, ranks)
    rows, cols = np.nonzero(labels != 255)
    assert units.row.tolist() == rows[ranks].tolist()
    assert units.col.tolist() == cols[ranks].tolist()
    truth = expected_strata(labels, {2: 3})
    assert (np.array(names(strata))[units.stratum] == truth[units.row, units.col]).all()


def test_only_rows_with_drawn_pixels_are_read(tmp_path, monkeypatch):
    strata = count_strata(write_map(tmp_path / "map.tif", np.ones((400, 8), np.uint8)))
    monkeypatch.setattr(CodeReader, "strip_rows", 50)
    spans: list[tuple[int, int]] = []
    read = CodeReader.read

    def listen(self, asked):
        spans.extend(asked)
        return read(self, asked)

    monkeypatch.setattr(CodeReader, "read", listen)
    units = locate_ranks(strata, [np.array([3, 8 * 10, 8 * 333])])
    assert units.row.tolist() == [0, 10, 333]
    assert spans == [(0, 11), (333, 1)]


def test_a_grid_leaves_out_pixels_without_data(tmp_path):
    labels = patches()
    strata = count_strata(write_map(tmp_path / "map.tif", labels), buffers={0: 2})
    rows, cols = np.arange(2, 90, 9), np.arange(1, 70, 4)
    units = locate_grid(strata, rows, cols)
    wanted = [(r, c) for r in rows for c in cols if labels[r, c] != 255]
    assert list(zip(units.row, units.col, strict=True)) == wanted
    truth = expected_strata(labels, {0: 2})
    assert (np.array(names(strata))[units.stratum] == truth[units.row, units.col]).all()


def test_zero_is_a_class_unless_something_says_otherwise(tmp_path):
    labels = np.array([[0, 0, 1, 2]], np.uint8)
    plain = write_map(tmp_path / "plain.tif", labels, nodata=None)
    declared = write_map(tmp_path / "declared.tif", labels, nodata=0)
    mask = np.array([[0, 255, 255, 0]], np.uint8)
    masked = write_map(tmp_path / "masked.tif", labels, nodata=None, mask=mask)
    assert count_strata(plain).pixels.tolist() == [2, 1, 1]
    assert count_strata(declared).values == (1, 2)
    assert count_strata(masked).pixels.tolist() == [1, 1]
    assert count_strata(plain, nodata=[0, 2]).values == (1,)


@pytest.mark.parametrize("dtype", ["int16", "uint16", "int32", "float32"])
def test_classes_of_any_number_type(tmp_path, dtype):
    labels = np.array([[7, 300, 300, 300], [2, 7, 300, 300]]).astype(dtype)
    path = write_map(tmp_path / "map.tif", labels, nodata=2)
    strata = count_strata(path, buffers={7: 1})
    assert strata.values == (7, 300)
    assert names(strata) == [7, 300, 1007]
    assert strata.pixels.tolist() == [2, 3, 2]


def test_nan_is_no_data(tmp_path):
    labels = np.array([[1, np.nan, 3]], np.float32)
    assert count_strata(write_map(tmp_path / "map.tif", labels, nodata=None)).values == (1, 3)


def test_area_on_a_metric_grid_is_pixels_times_one_size(tmp_path):
    strata = count_strata(write_map(tmp_path / "map.tif", patches()))
    assert strata.area_ha == pytest.approx(strata.pixels * 0.01)
    assert strata.row_area_ha is None
    assert strata.weights.sum() == pytest.approx(1)


def test_area_on_a_geographic_grid_shrinks_to_the_pole(tmp_path):
    labels = np.repeat(np.array([[1], [2]], np.uint8), [50, 50], axis=0).repeat(40, axis=1)
    degrees = Affine(0.5, 0, 10, 0, -0.5, 60)
    path = write_map(tmp_path / "map.tif", labels, crs="EPSG:4326", transform=degrees)
    strata = count_strata(path)
    assert strata.pixels.tolist() == [2000, 2000]
    # Zones of 20 degrees of longitude, 35 to 60 and 10 to 35 degrees north, on a sphere.
    zones = np.sin(np.radians([60, 35, 10]))
    sphere = 6371007.2**2 * np.radians(20) * -np.diff(zones) / 1e4
    assert strata.area_ha == pytest.approx(sphere, rel=5e-3)
    assert strata.row_area_ha[0] < strata.row_area_ha[-1]
    cut = count_strata(path, strip_rows=3)
    assert cut.area_ha.tolist() == strata.area_ha.tolist()


def test_without_georeference_weights_are_shares_of_pixels(tmp_path):
    path = write_map(tmp_path / "map.tif", patches(), crs=None, transform=None)
    strata = count_strata(path)
    assert strata.area_ha is None
    assert strata.weights == pytest.approx(strata.pixels / strata.pixels.sum())


def test_progress_counts_strips(tmp_path):
    seen: list[tuple[int, int]] = []
    path = write_map(tmp_path / "map.tif", patches())
    count_strata(path, strip_rows=40, on_progress=lambda *at: seen.append(at))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_strip_is_a_bounded_part_of_a_large_map(tmp_path):
    path = str(tmp_path / "sparse.tif")
    profile = {"driver": "GTiff", "width": 20_000, "height": 20_000, "count": 1, "crs": UTM}
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "SPARSE_OK": True}
    with rasterio.open(path, "w", dtype="uint8", transform=NORTH_UP, **profile, **tiles):
        pass
    scene = describe_raster(path)
    reader = CodeReader(scene, Codes.of(scene, []))
    assert reader.strip_rows * 20_000 <= 4_000_000
    ((row, codes),) = rows_of(reader, np.array([19_999]))
    assert (row, codes.shape) == (19_999, (20_000,))


@pytest.mark.parametrize(
    ("labels", "given", "error", "words"),
    [
        ([[1.5, 2]], {}, AccuracyError, "not a class map: it holds 1.5"),
        ([[1.0, 1e9]], {}, AccuracyError, r"holds 1e\+09.*from -32768 to 65535"),
        ([[1, 2]], {"buffers": {9: 2}}, AccuracyError, "class 9 has a buffer.*holds 1, 2"),
        ([[1, 2]], {"buffers": {1: 0}}, UsageError, "from 1 to 500 px wide: got 0 for class 1"),
        ([[255, 255]], {}, AccuracyError, "no pixel with data"),
        ([[1j, 2]], {}, AccuracyError, "not a class map: its values are complex"),
    ],
)
def test_maps_that_cannot_be_sampled(tmp_path, labels, given, error, words):
    pixels = np.array(labels)
    small = {"i": "uint8", "f": "float32", "c": "complex64"}[pixels.dtype.kind]
    nodata = None if small == "complex64" else 255
    path = write_map(tmp_path / "map.tif", pixels.astype(small), nodata=nodata)
    with pytest.raises(error, match=words):
        count_strata(path, **given)


def test_an_image_is_not_a_class_map(tmp_path):
    pixels = np.arange(40 * 40, dtype=np.uint16).reshape(40, 40)
    path = write_map(tmp_path / "image.tif", pixels, nodata=None)
    with pytest.raises(AccuracyError, match="more than 255 different values"):
        count_strata(path)


def test_a_map_that_is_not_there():
    with pytest.raises(SceneError, match=r"'nowhere\.tif' was not found"):
        count_strata("nowhere.tif")
