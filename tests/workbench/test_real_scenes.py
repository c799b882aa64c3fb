"""Scenes of many sensors: mapped whole, with nodata where they have none; or refused helpfully."""

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner

from rs_workbench.infer import Options, command, infer_scene
from tests.workbench import nets

pytestmark = pytest.mark.data

SCENES = {
    "naip": ("naip_wetlands/*20200831.tif", ("4", "1", "2"), 26914, 0),
    "pucallpa": ("landsat_pucallpa/2020.tif", ("1", "2", "3"), 4326, 0),
    "chiapas 1999": ("landsat7_chiapas/*1999*.gtif", ("4", "3", "2"), 32615, -9999),
    "chiapas 2002": ("landsat7_chiapas/*2002*.gtif", ("4", "3", "2"), 32615, None),
    "enmap": ("enmap_potsdam/images/*.tif", ("50", "30", "15"), 32633, -32768),
    "leipzig": ("leipzig/*.tif", ("b04", "b03", "b02"), 32632, np.nan),
    "baker lake": ("baker_lake/*1of2.tif", ("1", "2", "3"), 2953, None),
    "dunes": ("dunes/images/*.jpg", ("red", "green", "blue"), None, None),
    "neon": ("neon_trees/**/*.tif", ("1", "2", "3"), None, 255),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Reads three bands of any range; every pixel for itself."""
    path = tmp_path_factory.mktemp("net") / "any.onnx"
    bands = [{"name": f"x{i}"} for i in range(3)]
    return nets.write_pointwise(path, bands=bands)


@pytest.mark.parametrize("name", SCENES)
def test_mapped_on_its_own_grid(data_folder, tmp_path, model, name):
    pattern, bands, epsg, nodata = SCENES[name]
    scene = sorted(data_folder.glob(pattern))[0]
    report = infer_scene(
        scene, tmp_path / "map.tif", model=model, options=Options(bands=bands, engine="openvino")
    )
    with rasterio.open(scene) as source, rasterio.open(tmp_path / "map.tif") as made:
        assert made.shape == source.shape
        assert made.transform.almost_equals(source.transform)
        assert made.crs == source.crs
        assert epsg is None or made.crs.to_epsg() == epsg
        pixels = source.read([_index(source, b) for b in bands])
        labels = made.read(1)
    if nodata is None:
        empty = np.zeros(labels.shape, bool)
    else:
        empty = (np.isnan(pixels) if np.isnan(nodata) else pixels == nodata).all(axis=0)
    np.testing.assert_array_equal(labels == 255, empty)
    assert report.nodata_pixels == empty.sum()
    assert report.exact


def _index(source, band):
    names = [d or c.name for d, c in zip(source.descriptions, source.colorinterp, strict=True)]
    return int(band) if band.isdigit() else names.index(band) + 1


def infer(*arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments])


def test_one_file_a_band_becomes_one_scene(data_folder, tmp_path, model):
    folder = data_folder / "sentinel2_beaufort"
    done = infer(folder, "--mosaic", "-b", "B04,B03,B02", "-m", model, "-o", tmp_path / "map.tif")
    assert done.exit_code == 0, done.output
    with rasterio.open(tmp_path / "map.tif") as made:
        assert made.shape == (2201, 2629)
        assert made.crs.to_epsg() == 4326


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("sentinel2_beaufort/*B02.tiff", ["3 bands", "has 1", "--mosaic"]),
        ("enmap_potsdam/images/*.tif", ["3 bands", "has 224", "--bands"]),
        ("leipzig/*.tif", ["b02, b03, b04", "--bands"]),
        ("salinas_a/salinasA_corrected.mat", ["cannot be opened as a raster"]),
        ("fra_eng/fra.txt", ["cannot be opened as a raster"]),
    ],
)
def test_refused_with_a_sentence_that_helps(data_folder, tmp_path, model, pattern, words):
    scene = sorted(data_folder.glob(pattern))[0]
    done = infer(scene, "-m", model, "-o", tmp_path / "map.tif")
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    for word in words:
        assert word in done.stderr
    assert not list(tmp_path.iterdir())


def test_reflectance_of_other_units_is_refused(data_folder, tmp_path):
    """EnMAP's scale gives reflectance from 0 to 1; the bundled model was trained on bytes."""
    scene = sorted(data_folder.glob("enmap_potsdam/images/*.tif"))[0]
    done = infer(scene, "-b", "50,30,15", "-o", tmp_path / "map.tif")
    assert done.exit_code == 1
    assert "trained on between" in done.stderr
