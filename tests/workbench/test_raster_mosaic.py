"""Many files as one scene, side by side or band by band."""

from __future__ import annotations

import importlib.util
import os
import shutil

import numpy as np
import pytest
from affine import Affine

from rs_workbench import raster_mosaic
from rs_workbench.errors import MissingDependencyError, SceneError
from rs_workbench.raster import SceneReader, build_mosaic, open_scene, stack_bands
from rs_workbench.raster_mosaic import can_stack
from tests.workbench.rasters import NORTH_UP, ramp, write_tif
from tiling.windows import Window

HAS_GDAL = shutil.which("gdalbuildvrt") or importlib.util.find_spec("osgeo")
needs_gdal = pytest.mark.skipif(
    not HAS_GDAL and os.environ.get("CI") != "true", reason="needs gdalbuildvrt or osgeo"
)


def right_of(n_cols):
    return Affine(10, 0, NORTH_UP.c + 10 * n_cols, 0, -10, NORTH_UP.f)


def read(path):
    scene = open_scene(path)
    with SceneReader(scene, scene.data_bands) as reader:
        return reader.read(Window(0, 0, *scene.shape))


@needs_gdal
def test_files_side_by_side(tmp_path, monkeypatch):
    left = write_tif(tmp_path / "left tile.tif", ramp(2, 6, 5), nodata=0)
    right = write_tif(tmp_path / "b.tif", ramp(2, 4, 5) + 20, nodata=0, transform=right_of(5))
    monkeypatch.chdir(tmp_path)
    vrt = build_mosaic([left, "b.tif"], tmp_path / "m.vrt")
    found = read(vrt)
    assert found.pixels.shape == (2, 6, 10)
    assert np.array_equal(found.pixels[:, :, :5], ramp(2, 6, 5))
    assert np.array_equal(found.pixels[:, :4, 5:], ramp(2, 4, 5) + 20)
    assert not found.valid[4:, 5:].any()
    assert found.valid.sum() == 6 * 5 + 4 * 5
    assert {p.name for p in tmp_path.iterdir()} == {"left tile.tif", "b.tif", "m.vrt"}
    assert right


def test_one_file_per_band_becomes_a_stack(tmp_path):
    names = ("S2_B11_20m.tif", "S2_B02_20m.tif", "S2_B8A_20m.tif", "S2_B08_20m.tif")
    for number, name in enumerate(names):
        write_tif(tmp_path / name, ramp(1, 4, 5, "uint16") + number, nodata=0)
    paths = [str(tmp_path / name) for name in names]
    scene = open_scene(build_mosaic(paths, tmp_path / "s.vrt"))
    assert scene.band_names == ("B02", "B08", "B8A", "B11")
    assert scene.nodata == (0, 0, 0, 0)
    assert scene.transform == NORTH_UP
    found = read(scene.path)
    for band, number in enumerate((1, 3, 2, 0)):
        assert np.array_equal(found.pixels[band], ramp(1, 4, 5, "uint16")[0] + number)


def test_stack_without_georeference(tmp_path):
    for name in ("red.tif", "green.tif"):
        write_tif(tmp_path / name, ramp(1, 4, 5), crs=None, transform=None)
    vrt = stack_bands([str(tmp_path / "red.tif"), str(tmp_path / "green.tif")], tmp_path / "s.vrt")
    assert open_scene(vrt).band_names == ("green", "red")


@pytest.mark.data
def test_stack_of_real_sentinel_files(data_folder, tmp_path):
    paths = sorted(map(str, (data_folder / "sentinel2_beaufort").glob("*.tiff")))
    scene = open_scene(build_mosaic(paths, tmp_path / "s.vrt"))
    assert scene.shape == (2201, 2629)
    assert scene.band_names == tuple(f"B0{n}" for n in range(1, 9))
    assert scene.pixel_size == pytest.approx((8.2, 8.2), rel=0.02)
    with SceneReader(scene, (4, 3, 2)) as reader, SceneReader(open_scene(paths[3]), (1,)) as red:
        window = Window(1000, 1000, 50, 60)
        assert np.array_equal(reader.read(window).pixels[0], red.read(window).pixels[0])


def test_what_cannot_be_stacked(tmp_path):
    one = write_tif(tmp_path / "a.tif", ramp(1, 4, 5))
    two = write_tif(tmp_path / "b.tif", ramp(2, 4, 5))
    shifted = write_tif(tmp_path / "c.tif", ramp(1, 4, 5), transform=right_of(1))
    wider = write_tif(tmp_path / "d.tif", ramp(1, 4, 9), crs="EPSG:32632")
    with pytest.raises(SceneError, match=r"'b\.tif' has 2 bands, but only files of one band"):
        stack_bands([one, two], tmp_path / "s.vrt")
    with pytest.raises(SceneError, match=r"'d\.tif' \(4 x 9 px, EPSG:32632\) does not lie on the grid of 'a\.tif' \(4 x 5 px, EPSG:32631\)"):  # fmt: skip  # noqa: E501
        stack_bands([one, wider], tmp_path / "s.vrt")
    assert not can_stack([open_scene(one), open_scene(shifted)])
    assert not can_stack([open_scene(one)])


def test_what_cannot_be_a_mosaic(tmp_path):
    one = write_tif(tmp_path / "a.tif", ramp(2, 4, 5))
    vrt = tmp_path / "m.vrt"
    other_crs = write_tif(tmp_path / "b.tif", ramp(2, 4, 5), crs="EPSG:32632")
    with pytest.raises(SceneError, match=r"'b\.tif' is in EPSG:32632, but 'a\.tif' is in EPSG:32631: .*gdalwarp"):  # fmt: skip  # noqa: E501
        build_mosaic([one, other_crs], vrt)
    more = write_tif(tmp_path / "c.tif", ramp(3, 4, 5))
    with pytest.raises(SceneError, match=r"'c\.tif' has 3 bands, but 'a\.tif' has 2 bands"):
        build_mosaic([one, more], vrt)
    wide = write_tif(tmp_path / "d.tif", ramp(2, 4, 5, "uint16"))
    with pytest.raises(SceneError, match=r"has pixels of type uint16, but 'a\.tif' has .* uint8"):
        build_mosaic([one, wide], vrt)
    bare = write_tif(tmp_path / "e.tif", ramp(2, 4, 5), crs=None, transform=None)
    with pytest.raises(SceneError, match=r"'e\.tif' has no georeference.*without --mosaic"):
        build_mosaic([one, bare], vrt)
    assert not vrt.exists()


@needs_gdal
def test_gdal_refuses_a_rotated_file(tmp_path):
    one = write_tif(tmp_path / "a.tif", ramp(2, 4, 5))
    turned = Affine(8, 6, NORTH_UP.c, 6, -8, NORTH_UP.f)
    other = write_tif(tmp_path / "b.tif", ramp(2, 4, 5), transform=turned)
    with pytest.raises(SceneError, match=r"could not be built \(.+\): leave out the file"):
        build_mosaic([one, other], tmp_path / "m.vrt")
    assert not list(tmp_path.glob("*.vrt"))


def test_without_gdal_the_sentence_says_what_to_install(tmp_path, monkeypatch):
    one = write_tif(tmp_path / "a.tif", ramp(2, 4, 5))
    other = write_tif(tmp_path / "b.tif", ramp(2, 4, 5), transform=right_of(5))
    monkeypatch.setattr(raster_mosaic.shutil, "which", lambda name: None)
    monkeypatch.setattr(raster_mosaic.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(raster_mosaic.sys, "platform", "linux")
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    with pytest.raises(MissingDependencyError, match=r"run  sudo apt-get install gdal-bin  or"):
        build_mosaic([one, other], tmp_path / "m.vrt")
    monkeypatch.setenv("CONDA_PREFIX", "/opt/conda")
    with pytest.raises(MissingDependencyError, match=r"conda install -c conda-forge gdal"):
        build_mosaic([one, other], tmp_path / "m.vrt")
