"""Grids that differ: resampled where asked, else refused in words."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine

from rs_workbench.accuracy.reference.raster_count import count_pair
from rs_workbench.accuracy.reference.raster_pair import open_pair
from rs_workbench.errors import AccuracyError, UsageError
from tests.accuracy.pairs import LEGEND, expected, labels, same, shifted, write
from tests.workbench.rasters import NORTH_UP, UTM, write_tif


@pytest.fixture
def pair(tmp_path):
    return write(tmp_path / "map.tif", labels(1)), write(tmp_path / "ref.tif", labels(2))


def test_resampled_by_nearest(tmp_path):
    ours = write(tmp_path / "map.tif", labels(1))
    coarse = labels(2, (20, 25), (0, 1, 4))
    twice = shifted(zoom=2)
    ref = write(tmp_path / "ref.tif", coarse, transform=twice)
    opened = open_pair(ours, ref, resample="nearest")
    same(count_pair(opened, LEGEND), expected(labels(1), np.kron(coarse, np.ones((2, 2), int))))
    assert "resampled to the map's grid by nearest neighbour" in opened.grid_policy
    assert "pixel size 20 x 20, map 10 x 10" in opened.grid_policy


@pytest.mark.parametrize("declared", [255, None])
def test_resampled_by_majority(tmp_path, declared):
    fine = labels(2, (80, 100), (0, 1))
    fine[::2, ::2] = fine[1::2, ::2] = fine[::2, 1::2]  # three of four agree
    half = shifted(zoom=0.5)
    ref = write(tmp_path / "ref.tif", fine, transform=half, nodata=declared)
    opened = open_pair(write(tmp_path / "map.tif", labels(1)), ref, resample="majority")
    same(count_pair(opened, LEGEND), expected(labels(1), fine[::2, ::2]))


def test_resampling_leaves_nothing_where_the_reference_ends(tmp_path):
    truth = labels(2, (10, 10), (0, 1, 4))
    place = shifted(5.4, 4.4)
    ref = write(tmp_path / "ref.tif", truth, transform=place, nodata=None)
    opened = open_pair(write(tmp_path / "map.tif", labels(1)), ref, resample="nearest")
    counts = count_pair(opened, LEGEND)
    assert counts.confusion.unlabelled == 40 * 50 - 100
    under = np.full((40, 50), 255, np.uint8)
    under[4:14, 5:15] = truth
    np.testing.assert_array_equal(counts.confusion.matrix, expected(labels(1), under).matrix)


@pytest.mark.parametrize("how", ["nearest", "majority"])
def test_transparent_pixels_stay_unlabelled_when_resampled(tmp_path, how):
    truth = labels(2, (20, 25), (0, 1, 4))
    opaque = np.where(np.arange(500).reshape(20, 25) % 3, 255, 0).astype(np.uint8)
    path, place = tmp_path / "alpha.tif", shifted(zoom=2)
    with rasterio.open(
        path, "w", driver="GTiff", width=25, height=20, count=2, dtype="uint8", crs=UTM,
        transform=place, photometric="minisblack", alpha="yes",
    ) as file:  # fmt: skip
        file.write(np.stack([truth, opaque]))
    opened = open_pair(write(tmp_path / "map.tif", labels(1)), path, resample=how)
    under = np.kron(np.where(opaque, truth, 255), np.ones((2, 2), int))
    same(count_pair(opened, LEGEND), expected(labels(1), under))


def test_resampled_without_coordinate_systems(tmp_path):
    ours = write(tmp_path / "map.tif", labels(1), crs=None)
    coarse = labels(2, (20, 25), (0, 1, 4))
    ref = write(tmp_path / "ref.tif", coarse, transform=shifted(zoom=2), crs=None)
    counts = count_pair(open_pair(ours, ref, resample="nearest"), LEGEND)
    same(counts, expected(labels(1), np.kron(coarse, np.ones((2, 2), int))))
    assert counts.mapped_area_ha is None


def test_another_coordinate_system(tmp_path):
    ours = write(tmp_path / "map.tif", np.full((40, 50), 1, np.uint8))
    around = {"crs": "EPSG:4326", "transform": Affine(0.001, 0, 2.99, 0, -0.001, 45.16)}
    ref = write(tmp_path / "ref.tif", np.full((30, 30), 1, np.uint8), **around)
    with pytest.raises(AccuracyError, match=r"system EPSG:4326, map EPSG:32631.*--resample"):
        open_pair(ours, ref)
    opened = open_pair(ours, ref, resample="nearest")
    assert count_pair(opened, LEGEND).confusion.matrix[1, 1] == 2000
    assert "beyond the map" in opened.warnings[0]


def test_grids_that_differ_are_refused(tmp_path, pair):
    def refused(pattern, **profile):
        ref = write(tmp_path / "other.tif", labels(2), **profile)
        with pytest.raises(AccuracyError, match=pattern):
            open_pair(pair[0], ref)

    refused(r"pixel size 20 x 20, map 10 x 10", transform=shifted(zoom=2))
    half = shifted(0.5)
    refused(r"origin \(500005, 5000000\), map \(500000, .*0\.500 columns", transform=half)
    refused("another orientation", transform=Affine(10, 0.2, 500_000, 0.2, -10, 5_000_000))
    turned = NORTH_UP @ NORTH_UP.rotation(30)
    refused(r"pixel size 10 x 10 and another orientation, map 10 x 10", transform=turned)
    far = shifted(1000)
    refused("'other.tif' and 'map.tif' do not overlap: x 510000 to 510500", transform=far)
    refused("'other.tif' has no coordinate system, but 'map.tif' has one", crs=None)


def test_far_away_in_another_coordinate_system(tmp_path, pair):
    far = {"crs": "EPSG:4326", "transform": Affine(0.001, 0, 20, 0, -0.001, 10)}
    ref = write(tmp_path / "far.tif", labels(2), **far)
    with pytest.raises(AccuracyError, match="do not overlap"):
        open_pair(pair[0], ref, resample="nearest")


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_without_georeference(tmp_path):
    bare = {"crs": None, "transform": None}
    paths = [write(tmp_path / f"{n}.tif", labels(n), **bare) for n in (1, 2)]
    opened = open_pair(*paths)
    assert "neither '1.tif' nor '2.tif' has a coordinate system" in opened.warnings[0]
    counts = count_pair(opened, LEGEND)
    same(counts, expected(labels(1), labels(2)))
    assert counts.mapped_area_ha is None
    assert counts.area_ha is None
    small = write(tmp_path / "small.tif", labels(1, (4, 5)), **bare)
    with pytest.raises(AccuracyError, match=r"'1\.tif' has 50 x 40 pixels and 'small.tif' 5 x 4"):
        open_pair(paths[0], small)


def test_several_bands_and_wrong_block(tmp_path, pair):
    three = write_tif(tmp_path / "rgb.tif", np.zeros((3, 40, 50), np.uint8))
    with pytest.raises(AccuracyError, match=r"'rgb\.tif' has 3 bands, but a map holds one"):
        open_pair(three, pair[1])
    with pytest.raises(UsageError, match="got --block 0"):
        count_pair(open_pair(*pair), LEGEND, block=0)
