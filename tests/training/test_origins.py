"""Where scenes lie in one grid, so that no neighbour leaks."""

import numpy as np
import pytest
from affine import Affine

from rs_workbench.errors import SceneError, UsageError
from rs_workbench.raster_scene import describe_raster
from rs_workbench.training.origins import find_origins, read_positions
from tests.training.scenes import moved
from tests.workbench.rasters import write_tif

PIXELS = np.ones((1, 20, 30), np.uint8)


def scenes_at(tmp_path, *transforms, crs=("EPSG:32631",) * 9):
    return [
        describe_raster(write_tif(tmp_path / f"{i}.tif", PIXELS, transform=one, crs=crs[i]))
        for i, one in enumerate(transforms)
    ]


def test_georeference_gives_places(tmp_path):
    found = find_origins(
        scenes_at(tmp_path, moved(0, 0), moved(20, -30), moved(5, 7)), None, buffer=8
    )
    assert found == (((0, 0), (20, -30), (5, 7)), 0, ())


def test_one_scene_needs_no_place(tmp_path):
    assert find_origins(scenes_at(tmp_path, moved(0, 0)), None, buffer=8) == (None, 0, ())


def test_nearly_one_grid_is_rounded_and_the_buffer_widened(tmp_path):
    scenes = scenes_at(tmp_path, moved(0, 0), moved(20.4, 3, scale=1.008))
    places, slack, (warning,) = find_origins(scenes, None, buffer=8)
    assert places == ((0, 0), (20, 3))
    # 0.4 px of rounding and 0.008 * 30 px of drift, twice
    assert slack == 2
    assert "2 px wider" in warning


@pytest.mark.parametrize("scale", [1.5, 0.5])
def test_other_grids_may_not_overlap_or_lie_near(tmp_path, scale):
    far = scenes_at(tmp_path, moved(0, 0), moved(0, 39, scale=scale))
    assert find_origins(far, None, buffer=8) == (None, 0, ())
    near = scenes_at(tmp_path, moved(0, 0), moved(0, 37, scale=scale))
    with pytest.raises(SceneError, match=r"within 8 px of each other.*one grid first"):
        find_origins(near, None, buffer=8)


def test_places_in_two_zones_are_compared(tmp_path):
    same_place = (
        Affine(10, 0, 500_000, 0, -10, 5_000_000),
        Affine(10, 0, 29_400, 0, -10, 5_013_000),
    )
    scenes = scenes_at(tmp_path, *same_place, crs=("EPSG:32631", "EPSG:32632"))
    with pytest.raises(SceneError, match="different grids"):
        find_origins(scenes, None, buffer=2000)
    assert find_origins(scenes, None, buffer=8).places is None


def test_names_give_places():
    names = ["1216_47424_a000c.jpg", "12_0_a.jpg"]
    assert read_positions(names, "{col}_{row}_") == ((47424, 1216), (0, 12))
    assert read_positions(["tile-r3-c14.tif"], "r{row}-c{col}") == ((3, 14),)


@pytest.mark.parametrize("pattern", ["{col}_", "{row}_{row}_", "{row}_{col}_{col}"])
def test_patterns_need_row_and_col_once(pattern):
    with pytest.raises(UsageError, match=r"\{row\} and \{col\} once each: got"):
        read_positions(["1_2_"], pattern)


def test_names_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match=r"'a\.tif' does not fit positions '\{col\}_\{row\}'"):
        read_positions(["1_2.tif", "a.tif"], "{col}_{row}")


def test_without_any_place_neighbours_cannot_be_told(tmp_path):
    scenes = scenes_at(tmp_path, None, None, crs=(None, None))
    places, _, (warning,) = find_origins(scenes, None, buffer=8)
    assert places is None
    assert "neighbours cannot be told" in warning
    (tmp_path / "mixed").mkdir()
    mixed = scenes_at(tmp_path / "mixed", moved(0, 0), None, crs=("EPSG:32631", None))
    with pytest.raises(UsageError, match=r"1 of 2 scenes have no georeference, '1\.tif'"):
        find_origins(mixed, None, buffer=8)
