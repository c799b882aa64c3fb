"""finish_raster: a COG that any GIS opens, on the scene's own grid, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint

from rs_workbench.errors import OutputError
from rs_workbench.raster import RasterSpec, at_pixel_size, finish_raster, open_scene
from rs_workbench.raster_scene import describe_raster
from tests.workbench.rasters import NORTH_UP, UTM, legend, ramp, write_tif

needs_gdalinfo = pytest.mark.skipif(
    not shutil.which("gdalinfo") and os.environ.get("CI") != "true", reason="needs gdalinfo"
)


def labels(height, width, seed=0):
    choice = np.array([0, 1, 4, 255], np.uint8)
    return np.random.default_rng(seed).choice(choice, (height, width), p=[0.4, 0.3, 0.2, 0.1])


def finish(folder, pixels, scene, spec, name="map.tif"):
    raw = folder / "layer.bin"
    raw.write_bytes(np.ascontiguousarray(pixels).tobytes())
    out = folder / name
    finish_raster(raw, out, scene, spec)
    assert not [p for p in folder.iterdir() if p.suffix == ".vrt" or "partial" in p.name]
    return out


def check_cog(path):
    """Tiled; overviews down to one tile; directories first, then pixels, smallest level first."""
    with rasterio.open(path) as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.block_shapes[0] == (512, 512)
        overviews = file.overviews(1)
        assert overviews == [2**n for n in range(1, len(overviews) + 1)]
        assert max(file.shape) / (overviews or [1])[-1] <= 512
        levels = [None, *range(len(overviews))]
        directories = [_offset(file, "IFD_OFFSET", level) for level in levels]
        pixels = [_offset(file, "BLOCK_OFFSET_0_0", level) for level in levels]
    assert directories == sorted(directories)
    assert pixels == sorted(pixels, reverse=True)
    assert max(directories) < min(pixels)


def _offset(file, item, level):
    return int(file.get_tag_item(item, "TIFF", bidx=1, ovr=level))


def test_class_map(tmp_path):
    scene = open_scene(write_tif(tmp_path / "s.tif", ramp(3, 1100, 700)))
    expected = labels(1100, 700)
    tags = {"RSW_MODEL": "ice 1 <&>", "TIFFTAG_SOFTWARE": "rs-workbench"}
    out = finish(tmp_path, expected, scene, RasterSpec.class_map(legend(), tags))
    check_cog(out)
    with rasterio.open(out) as file:
        assert np.array_equal(file.read(1), expected)
        assert file.crs == rasterio.crs.CRS.from_epsg(32631)
        assert file.transform == NORTH_UP
        assert file.nodata == 255
        assert file.dtypes == ("uint8",)
        assert file.compression.name == "lzw"
        assert file.descriptions == ("class",)
        assert file.colormap(1)[4] == (0xB1, 0x59, 0x28, 255)
        assert file.tags()["RSW_MODEL"] == "ice 1 <&>"
        assert file.tags()["TIFFTAG_SOFTWARE"] == "rs-workbench"
        assert file.tags(1)["class_1"] == "ice & snow"
        assert file.overviews(1) == [2, 4]
    assert not Path(f"{out}.aux.xml").exists()


def test_overviews_take_the_majority_not_the_mean(tmp_path):
    scene = open_scene(write_tif(tmp_path / "s.tif", ramp(1, 1024, 1024)))
    pixels = np.full((1024, 1024), 4, np.uint8)
    pixels[::2, ::2] = 0
    out = finish(tmp_path, pixels, scene, RasterSpec.class_map(legend()))
    with rasterio.open(out, overview_level=0) as file:
        assert (file.read(1) == 4).all()


def test_confidence(tmp_path):
    scene = open_scene(write_tif(tmp_path / "s.tif", ramp(1, 600, 700)))
    pixels = np.random.default_rng(0).integers(0, 251, (600, 700)).astype(np.uint8)
    pixels[:100] = 255
    out = finish(tmp_path, pixels, scene, RasterSpec.scaled_bytes(("confidence",)))
    check_cog(out)
    with rasterio.open(out) as file:
        assert np.array_equal(file.read(1), pixels)
        assert (file.scales, file.offsets, file.nodata) == ((0.004,), (0.0,), 255)
        assert file.descriptions == ("confidence",)
    with rasterio.open(out, overview_level=0) as file:
        small = file.read(1)
    assert (small[:50] == 255).all()
    assert small[50:].max() <= 250, "nodata is no part of a mean"


def test_scores(tmp_path):
    scene = open_scene(write_tif(tmp_path / "s.tif", ramp(1, 600, 70)))
    pixels = np.random.default_rng(0).normal(size=(3, 600, 70)).astype(np.float32)
    pixels[:, 5:9, 3:60] = np.nan
    out = finish(tmp_path, pixels, scene, RasterSpec.score_layers(legend()))
    check_cog(out)
    with rasterio.open(out) as file:
        assert np.array_equal(file.read(), pixels, equal_nan=True)
        assert file.descriptions == ("water", "ice & snow", "land")
        assert np.isnan(file.nodata)


@pytest.mark.parametrize(
    "transform",
    [
        Affine(8, 6, 500_000, 6, -8, 5_000_000),
        Affine(10, 0, 500_000, 0, 10, 4_000_000),
        Affine(1 / 3, 0, 500_000.123456789, 0, -1 / 7, 5_000_000),
    ],
    ids=["rotated", "south up", "odd numbers"],
)
def test_any_grid(tmp_path, transform):
    scene = open_scene(write_tif(tmp_path / "s.tif", ramp(1, 30, 40), transform=transform))
    out = finish(tmp_path, labels(30, 40), scene, RasterSpec.class_map(legend()))
    mapped = describe_raster(out)
    assert mapped.transform == pytest.approx(scene.transform, rel=1e-15)
    assert mapped.crs_wkt == scene.crs_wkt


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:2953", "ESRI:54009"])
def test_coordinate_systems_come_back(tmp_path, crs):
    place = Affine(0.01, 0, 10, 0, -0.01, 50)
    scene = open_scene(write_tif(tmp_path / "s.tif", ramp(1, 4, 5), crs=crs, transform=place))
    out = finish(tmp_path, labels(4, 5), scene, RasterSpec.class_map(legend()))
    with rasterio.open(out) as file, rasterio.open(scene.path) as source:
        assert file.crs == source.crs
        assert file.transform == source.transform


def test_ground_control_points(tmp_path):
    places = ((0, 0), (0, 50), (60, 0), (60, 50))
    points = [GroundControlPoint(r, c, 5e5 + c, 5e6 - r, 7.0) for r, c in places]
    path = write_tif(tmp_path / "s.tif", ramp(1, 60, 50), transform=None, crs=UTM, gcps=points)
    scene = open_scene(path)
    out = finish(tmp_path, labels(60, 50), scene, RasterSpec.class_map(legend()))
    mapped = describe_raster(out)
    assert mapped.gcps == scene.gcps
    assert mapped.transform is None
    assert rasterio.crs.CRS.from_wkt(mapped.crs_wkt).to_epsg() == 32631


def test_rational_polynomials_stay(tmp_path):
    path = write_tif(tmp_path / "s.tif", ramp(1, 6, 5), transform=None, crs=None)
    numbers = " ".join(["1"] + ["0"] * 19)
    rpc = {f"{part}_{kind}_COEFF": numbers for part in ("LINE", "SAMP") for kind in ("NUM", "DEN")}
    for key in ("LINE", "SAMP", "LAT", "LONG", "HEIGHT"):
        rpc |= {f"{key}_OFF": "1", f"{key}_SCALE": "2"}
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="RPC", **rpc)
    scene = open_scene(path)
    assert dict(scene.rpcs)["LAT_SCALE"] == "2"
    out = finish(tmp_path, labels(6, 5), scene, RasterSpec.class_map(legend()))
    assert dict(describe_raster(out).rpcs)["LAT_SCALE"] == "2"


def test_no_georeference(tmp_path):
    scene = open_scene(write_tif(tmp_path / "s.tif", ramp(1, 6, 5), crs=None, transform=None))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = finish(tmp_path, labels(6, 5), scene, RasterSpec.class_map(legend()))
    assert describe_raster(out).transform is None
    assert describe_raster(out).crs_wkt is None


@pytest.mark.parametrize("shape", [(1, 1), (1, 1500), (1500, 1), (513, 511)])
def test_sizes(tmp_path, shape):
    scene = open_scene(write_tif(tmp_path / "s.tif", ramp(1, *shape)))
    expected = labels(*shape)
    out = finish(tmp_path, expected, scene, RasterSpec.class_map(legend()))
    with rasterio.open(out) as file:
        assert np.array_equal(file.read(1), expected)


def test_map_of_a_view_lies_on_the_grid_of_the_scene(tmp_path):
    scene = open_scene(write_tif(tmp_path / "s.tif", ramp(1, 61, 47)))
    view = at_pixel_size(scene, 25.0)
    pixels = labels(*view.shape)
    out = finish(tmp_path, pixels, view, RasterSpec.class_map(legend()))
    rows = ((np.arange(61) + 0.5) / 2.5).astype(int)
    cols = ((np.arange(47) + 0.5) / 2.5).astype(int)
    with rasterio.open(out) as file:
        assert np.array_equal(file.read(1), pixels[rows][:, cols])
        assert file.transform == scene.transform
    assert not list(tmp_path.glob("*.native"))


def test_metadata_of_an_older_map_does_not_stay(tmp_path):
    scene = open_scene(write_tif(tmp_path / "s.tif", ramp(1, 6, 5)))
    stale = tmp_path / "map.tif.aux.xml"
    stale.write_text("<PAMDataset/>")
    finish(tmp_path, labels(6, 5), scene, RasterSpec.class_map(legend()))
    assert not stale.exists()


def test_odd_names(tmp_path):
    folder = tmp_path / "地图 [1] & co"
    folder.mkdir()
    scene = open_scene(write_tif(folder / "s.tif", ramp(1, 6, 5)))
    neighbour = folder / "ice 1.partial.tif.notes"
    out = finish(folder, labels(6, 5), scene, RasterSpec.class_map(legend()), "ice [1].tif")
    assert describe_raster(out).shape == (6, 5)
    assert not neighbour.exists()


def test_wrong_size_of_the_flat_file(tmp_path):
    scene = open_scene(write_tif(tmp_path / "s.tif", ramp(1, 6, 5)))
    with pytest.raises(
        OutputError, match=r"holds 20 bytes where 30 are needed \(1 x 6 x 5 uint8\)"
    ):
        finish(tmp_path, labels(4, 5), scene, RasterSpec.class_map(legend()))


def test_no_folder(tmp_path):
    scene = open_scene(write_tif(tmp_path / "s.tif", ramp(1, 6, 5)))
    raw = tmp_path / "layer.bin"
    raw.write_bytes(labels(6, 5).tobytes())
    out = tmp_path / "nowhere" / "map.tif"
    with pytest.raises(
        OutputError, match=r"map\.partial\.tif' cannot be written: there is no fol"
    ):
        finish_raster(raw, out, scene, RasterSpec.class_map(legend()))


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from rs_workbench.errors import OutputError
from rs_workbench.raster import RasterSpec, finish_raster, open_scene
folder = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
spec = RasterSpec("uint8", nodata=255, overviews=sys.argv[2])
try:
    finish_raster(folder / "layer.bin", folder / "map.tif", open_scene(folder / "s.tif"), spec)
except OutputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file size are a Unix thing")
@pytest.mark.parametrize("overviews", ["nearest", "average"])
def test_full_disk(tmp_path, overviews):
    write_tif(tmp_path / "s.tif", ramp(1, 1000, 1000), compress="deflate")
    noise = np.random.default_rng(0).integers(0, 250, (1000, 1000)).astype(np.uint8)
    (tmp_path / "layer.bin").write_bytes(noise.tobytes())
    before = set(tmp_path.iterdir())
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path), overviews]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "cannot be written (" in done.stdout, done.stderr
    assert "GB are free in" in done.stdout
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
    assert set(tmp_path.iterdir()) == before


@needs_gdalinfo
def test_gdalinfo_reads_it(tmp_path):
    scene = open_scene(write_tif(tmp_path / "s.tif", ramp(1, 600, 600)))
    out = finish(tmp_path, labels(600, 600), scene, RasterSpec.class_map(legend()))
    done = subprocess.run(
        ["gdalinfo", "-json", str(out)], capture_output=True, text=True, check=True
    )
    info = json.loads(done.stdout)
    assert info["metadata"]["IMAGE_STRUCTURE"]["LAYOUT"] == "COG"
    (band,) = info["bands"]
    assert (band["colorInterpretation"], band["noDataValue"]) == ("Palette", 255)
    assert band["metadata"][""]["class_4"] == "land"
    assert len(band["overviews"]) == 1


def test_memory_does_not_grow_with_the_map(tmp_path):
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "import resource\n"
        "from rs_workbench.raster import RasterSpec, finish_raster, open_scene\n"
        "folder = Path(sys.argv[1])\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "for name in ('small', 'large'):\n"
        "    finish_raster(folder / f'{name}.bin', folder / 'map.tif',\n"
        "        open_scene(folder / f'{name}.vrt'), RasterSpec('uint8', overviews='mode'),\n"
        "        cache_bytes=16 * 2**20)\n"
        "    print(peak())\n"
    )
    for name, rows in (("small", 1024), ("large", 12_288)):
        with (tmp_path / f"{name}.bin").open("wb") as file:
            file.truncate(rows * 4096)
        (tmp_path / f"{name}.vrt").write_text(
            f'<VRTDataset rasterXSize="4096" rasterYSize="{rows}">'
            '<VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
        )
    if sys.platform == "win32":
        pytest.skip("resource is a Unix module")
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    small, large = map(float, done.stdout.split())
    assert large - small < 25, "the larger map has 44 MiB more pixels"


@pytest.mark.slow
def test_big_maps_become_big_tiffs(tmp_path):
    side = 16_800
    vrt = tmp_path / "s.vrt"
    vrt.write_text(
        f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}">'
        '<VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    )
    raw = tmp_path / "layer.bin"
    with raw.open("wb") as file:
        file.truncate(8 * side * side)
    out = tmp_path / "map.tif"
    finish_raster(raw, out, open_scene(vrt), RasterSpec("float64"))
    assert out.read_bytes()[:4] == b"II\x2b\x00", "43 is the version number of BigTIFF"
    check_cog(out)


def test_small_maps_stay_classic_tiffs(tmp_path):
    scene = open_scene(write_tif(tmp_path / "s.tif", ramp(1, 6, 5)))
    out = finish(tmp_path, labels(6, 5), scene, RasterSpec.class_map(legend()))
    assert out.read_bytes()[:4] == b"II\x2a\x00"
