"""Borders of rasters: the same as of arrays, whatever the windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from rs_workbench.accuracy.boundary import score_boundaries
from rs_workbench.accuracy.reference import raster_boundary
from rs_workbench.accuracy.reference.label_values import LabelValues
from rs_workbench.accuracy.reference.raster_boundary import boundary_scores, list_halo_windows
from rs_workbench.accuracy.reference.raster_pair import open_pair
from rs_workbench.errors import AccuracyError, UsageError
from tests.accuracy.test_boundary import label_pairs
from tests.workbench.rasters import legend, write_tif

VALUES = np.array([0, 1, 4, 255], np.uint8)  # of the classes of `legend`, and of nothing


def write_pair(folder: Path, labels: np.ndarray, truth: np.ndarray, **profile):
    paths = [folder / "map.tif", folder / "reference.tif"]
    for path, array in zip(paths, (labels, truth), strict=True):
        write_tif(path, VALUES[array][None], nodata=255, **profile)
    return open_pair(*paths)


@pytest.fixture
def arrays() -> tuple[np.ndarray, np.ndarray]:
    return label_pairs(7, (61, 47))


@pytest.mark.parametrize("side", [13, 32, 4096])
def test_windows_give_the_scores_of_the_whole(tmp_path, arrays, monkeypatch, side):
    monkeypatch.setattr(raster_boundary, "_SIDE", side)
    monkeypatch.setattr(raster_boundary, "_SIDE_IN_HALOS", 0)
    steps = []
    pair = write_pair(tmp_path, *arrays)
    found = boundary_scores(
        pair, legend(), max_distance_m=50, on_progress=lambda *step: steps.append(step)
    )
    expected = score_boundaries(
        *arrays, 3, tolerance=20, max_distance=50, pixel_size_m=(10.0, 10.0)
    )
    assert [str(s) for s in found] == [str(s) for s in expected]
    assert found[0].tolerance_m == 20
    n = -(-61 // side) * -(-47 // side)
    assert steps == [(i, n) for i in range(1, n + 1)]


def test_a_reference_that_covers_a_part(tmp_path, arrays):
    labels, truth = arrays
    write_tif(tmp_path / "map.tif", VALUES[labels][None], nodata=255)
    write_tif(
        tmp_path / "reference.tif",
        VALUES[truth[10:50, 5:]][None],
        transform=Affine(10, 0, 500_050, 0, -10, 4_999_900),
        nodata=255,
    )
    pair = open_pair(tmp_path / "map.tif", tmp_path / "reference.tif")
    found = boundary_scores(pair, legend(), tolerance_m=30)
    expected = score_boundaries(
        labels[10:50, 5:], truth[10:50, 5:], 3, tolerance=30, pixel_size_m=(10.0, 10.0)
    )
    assert [str(s) for s in found] == [str(s) for s in expected]


def test_values_that_say_nothing_are_blanked(tmp_path, arrays):
    labels, truth = (np.where(a < 0, 0, a) for a in arrays)
    paths = [tmp_path / "map.tif", tmp_path / "reference.tif"]
    for path, array in zip(paths, (labels, truth), strict=True):
        write_tif(path, VALUES[array][None])
    pair = open_pair(*paths, values=LabelValues(unlabelled=(4,), out_of_scope=(1,)))
    found = boundary_scores(pair, legend())
    expected = score_boundaries(
        labels, np.where(truth == 0, 0, -1), 3, tolerance=20, pixel_size_m=(10.0, 10.0)
    )
    assert [str(s) for s in found] == [str(s) for s in expected]


def test_a_grid_without_metres_is_measured_in_pixels(tmp_path, arrays):
    pair = write_pair(tmp_path, *arrays, crs=None)
    found = boundary_scores(pair, legend())
    assert [str(s) for s in found] == [str(s) for s in score_boundaries(*arrays, 3, tolerance=2)]
    assert np.isnan(found[0].mean_distance_m)
    with pytest.raises(UsageError, match=r"'map.*compared in pixels: got a distance of 15 m"):
        boundary_scores(pair, legend(), tolerance_m=15)


def test_degrees_become_metres(tmp_path, arrays):
    # At 60 degrees north a degree of longitude is half as long as one of latitude.
    transform = Affine(0.001, 0, 10, 0, -0.001, 60)
    pair = write_pair(tmp_path, *arrays, crs="EPSG:4326", transform=transform)
    found = boundary_scores(pair, legend())[0]
    assert found.tolerance_m == pytest.approx(2 * 111.4, rel=1e-3)
    assert np.isnan(found.tolerance_px)


def test_distances_out_of_reach_are_refused(tmp_path, arrays):
    pair = write_pair(tmp_path, *arrays)
    with pytest.raises(AccuracyError, match=r"up to 500 pixels apart: got a distance of 6000"):
        boundary_scores(pair, legend(), tolerance_m=600)


def test_windows_cover_the_whole_once(monkeypatch):
    monkeypatch.setattr(raster_boundary, "_SIDE", 8)
    seen = np.zeros((40, 40), int)
    for (row, col, height, width), inner in list_halo_windows((3, 5, 30, 21), (2, 1)):
        seen[row : row + height, col : col + width][inner] += 1
    expected = np.zeros((40, 40), int)
    expected[3:33, 5:26] = 1
    assert np.array_equal(seen, expected)
