"""A scene written row by row of tiles is the scene."""

from __future__ import annotations

import numpy as np
import pytest

from rs_workbench.errors import OutputError
from rs_workbench.raster_tiles import write_tile_rows
from rs_workbench.spectra.cubes import open_cube


@pytest.mark.parametrize("side", [16, 7])
def test_rows_lie_below_one_another(tmp_path, side):
    cube = np.random.default_rng(0).random((3, 3 * side, 2 * side)).astype(np.float32)
    cube[:, :2, :2] = np.nan
    path = write_tile_rows(
        tmp_path / "new" / "cube.tif",
        (cube[:, row : row + side] for row in range(0, 3 * side, side)),
        n_rows=3,
        pixel_size=30,
        nodata=float("nan"),
        band_names=("blue", "green", "red"),
        wavelengths=np.array([460, 550, np.nan]),
    )
    found = open_cube(path)
    read = found.read()
    assert read.valid.sum() == cube[0].size - 4
    np.testing.assert_array_equal(read.values[:, read.valid], cube[:, read.valid])
    assert found.band_names == ("blue", "green", "red")
    np.testing.assert_array_equal(found.wavelengths, [460, 550, np.nan])
    assert found.scene.transform.a == 30
    assert found.block == ((16, 16) if side == 16 else found.block)


def test_a_place_that_cannot_be_written_to_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cube\.tif' cannot be written"):
        write_tile_rows(
            tmp_path / "file" / "cube.tif", [np.zeros((1, 4, 4))], n_rows=1, pixel_size=1
        )
