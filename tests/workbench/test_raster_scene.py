"""Scenes of every kind are described rightly, or refused with a sentence that helps."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp

from rs_workbench.errors import SceneError
from rs_workbench.raster import SceneReader, open_scene, scene_area_ha
from tests.workbench.rasters import NORTH_UP, UTM, ramp, write_tif
from tiling.windows import Window


def read_all(path: str) -> np.ndarray:
    scene = open_scene(path)
    with SceneReader(scene, scene.data_bands) as reader:
        return reader.read(Window(0, 0, *scene.shape)).pixels


def test_plain_scene(tmp_path):
    names = ("blue", "green", "red")
    path = write_tif(tmp_path / "a.tif", ramp(3, 20, 30, "uint16"), nodata=0, names=names)
    scene = open_scene(path)
    assert scene.shape == (20, 30)
    assert scene.dtype == "uint16"
    assert scene.band_names == names
    assert scene.data_bands == (1, 2, 3)
    assert scene.nodata == (0, 0, 0)
    assert scene.mask_kind == "nodata"
    assert scene.transform == NORTH_UP
    assert scene.pixel_size == pytest.approx((10, 10))
    assert rasterio.crs.CRS.from_wkt(scene.crs_wkt).to_epsg() == 32631
    assert scene.size_bytes == Path(path).stat().st_size
    assert scene.mtime == pytest.approx(Path(path).stat().st_mtime)
    assert scene.driver == "GTiff"
    assert scene.warnings == ()
    assert (scene.name, scene.stem) == ("a.tif", "a")


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("/data/a.b.tif", "a.b"),
        ('NETCDF:"/data/sea.nc":ice', "sea_ice"),
        ("/vsizip//data/a.zip/in/s.tif", "s"),
        ("SENTINEL2_L2A:/x/MTD.xml:10m:EPSG_32633", "MTD_10m_EPSG_32633"),
        ("C:\\data\\e.jp2", "e"),
    ],
)
def test_stem_is_fit_for_a_file_name(tmp_path, path, stem):
    scene = open_scene(write_tif(tmp_path / "a.tif", ramp(1, 4, 4)))
    assert type(scene)(**{**vars(scene), "path": path}).stem == stem


@pytest.mark.parametrize(
    "transform",
    [
        Affine(8, 6, 500_000, 6, -8, 5_000_000),
        Affine(10, 0, 500_000, 0, 10, 4_000_000),
        Affine(-10, 0, 500_000, 0, 10, 4_000_000),
    ],
    ids=["rotated", "south up", "turned around"],
)
def test_any_affine_grid(tmp_path, transform):
    scene = open_scene(write_tif(tmp_path / "a.tif", ramp(1, 6, 5), transform=transform))
    assert scene.transform.almost_equals(transform)
    assert scene.pixel_size == pytest.approx((10, 10))
    assert scene_area_ha(scene) == pytest.approx(0.01)
    assert scene.warnings == ()


def test_no_georeference(tmp_path):
    path = write_tif(tmp_path / "a.tif", ramp(1, 6, 5), crs=None, transform=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scene = open_scene(path)
    assert scene.transform is scene.crs_wkt is scene.pixel_size is None
    assert scene_area_ha(scene) is None
    assert "has no georeference: it is mapped in its own pixels" in scene.warnings[0]


def test_transform_without_coordinate_system(tmp_path):
    scene = open_scene(write_tif(tmp_path / "a.tif", ramp(1, 6, 5), crs=None))
    assert scene.transform == NORTH_UP
    assert scene_area_ha(scene) is None
    assert "has no coordinate system" in scene.warnings[0]


def test_ground_control_points_only(tmp_path):
    path = tmp_path / "a.tif"
    points = [GroundControlPoint(r, c, 5e5 + c, 5e6 - r) for r, c in ((0, 0), (0, 5), (6, 0))]
    write_tif(path, ramp(1, 6, 5), transform=None, crs=UTM, gcps=points)
    scene = open_scene(path)
    assert scene.transform is None
    assert scene.gcps == tuple((p.row, p.col, p.x, p.y, 0.0) for p in points)
    assert rasterio.crs.CRS.from_wkt(scene.crs_wkt).to_epsg() == 32631
    assert "placed by 3 ground control points only" in scene.warnings[0]


def test_scale_and_offset_are_told_not_applied(tmp_path):
    path = write_tif(tmp_path / "a.tif", ramp(2, 4, 4, "int16"))
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (0.0001, 0.5), (0.0, 10.0)
    scene = open_scene(path)
    assert scene.scales == (0.0001, 0.5)
    assert scene.offsets == (0.0, 10.0)
    assert np.array_equal(read_all(path), ramp(2, 4, 4, "int16"))


def test_mixed_types_are_read_in_one_that_holds_all(tmp_path):
    first = write_tif(tmp_path / "a.tif", ramp(1, 4, 5, "uint8"))
    second = write_tif(tmp_path / "b.tif", ramp(1, 4, 5, "float32") / 8)
    vrt = tmp_path / "both.vrt"
    bands = [
        f'<VRTRasterBand dataType="{kind}" band="{number}"><SimpleSource><SourceFilename>{source}'
        "</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
        for number, (kind, source) in enumerate((("Byte", first), ("Float32", second)), 1)
    ]
    vrt.write_text(f'<VRTDataset rasterXSize="5" rasterYSize="4">{"".join(bands)}</VRTDataset>')
    pixels = read_all(str(vrt))
    assert pixels.dtype == np.float32
    assert np.array_equal(pixels[0], ramp(1, 4, 5)[0])
    assert np.array_equal(pixels[1], ramp(1, 4, 5)[0] / np.float32(8))


@pytest.mark.parametrize("driver", ["ENVI", "JP2OpenJPEG", "PNG", "HFA"])
def test_formats(tmp_path, driver):
    suffix = {"ENVI": ".dat", "JP2OpenJPEG": ".jp2", "PNG": ".png", "HFA": ".img"}[driver]
    more = {"QUALITY": "100", "REVERSIBLE": "YES"} if driver == "JP2OpenJPEG" else {}
    path = write_tif(tmp_path / f"a{suffix}", ramp(3, 40, 30), driver=driver, **more)
    scene = open_scene(path)
    assert scene.driver == driver
    assert np.array_equal(read_all(path), ramp(3, 40, 30))


def test_inside_a_zip(tmp_path):
    write_tif(tmp_path / "a.tif", ramp(1, 4, 5))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.tif", "in/a.tif")
    name = f"/vsizip/{tmp_path}/a.zip/in/a.tif"
    assert np.array_equal(read_all(name), ramp(1, 4, 5))
    assert open_scene(name).size_bytes == (tmp_path / "a.zip").stat().st_size


def test_netcdf_variable_and_its_container(tmp_path):
    source = write_tif(tmp_path / "a.tif", ramp(2, 4, 5, "int16"), names=("ice", "water"))
    container = tmp_path / "a.nc"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rasterio.shutil.copy(source, str(container), driver="netCDF")
    with pytest.raises(SceneError, match=r"holds 2 rasters: give one of them by name:  netcdf"):
        open_scene(container)
    assert np.array_equal(read_all(f"NETCDF:{container}:Band2"), ramp(2, 4, 5, "int16")[1:])


def test_wavelengths_from_tags_and_descriptions(tmp_path):
    path = write_tif(tmp_path / "a.tif", ramp(3, 4, 4), names=("x", "band 2 (0.56 um)", "z"))
    with rasterio.open(path, "r+") as file:
        file.update_tags(1, wavelength="418.24", wavelength_units="Nanometers")
    assert open_scene(path).wavelengths == (418.24, 560.0, None)


def test_palette_is_refused(tmp_path):
    path = write_tif(tmp_path / "p.tif", ramp(1, 4, 4))
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {n: (n, 0, 0, 255) for n in range(256)})
    with pytest.raises(SceneError, match=r"p\.tif' has a colour palette.*-expand rgb"):
        open_scene(path)


def test_complex_is_refused(tmp_path):
    path = write_tif(tmp_path / "slc.tif", np.zeros((1, 4, 4), np.complex64))
    with pytest.raises(SceneError, match=r"complex values \(band 1: complex64\): compute ampl"):
        open_scene(path)


def test_missing_file_and_no_raster(tmp_path):
    with pytest.raises(SceneError, match=r"none\.tif' was not found: check the name"):
        open_scene(tmp_path / "none.tif")
    (tmp_path / "a.txt").write_text("not a raster")
    with pytest.raises(
        SceneError, match=r"a\.txt' cannot be opened as a raster \(not recog.*gdali"
    ):
        open_scene(tmp_path / "a.txt")


PYTHON_VRT = """<VRTDataset rasterXSize="4" rasterYSize="4">
<VRTRasterBand dataType="Byte" band="1" subClass="VRTDerivedRasterBand">
<PixelFunctionType>run</PixelFunctionType><PixelFunctionLanguage>Python</PixelFunctionLanguage>
<PixelFunctionCode><![CDATA[
open({marker!r}, "w").write("ran")
def run(in_ar, out_ar, *args, **kwargs):
    out_ar[:] = 7
]]></PixelFunctionCode>
</VRTRasterBand></VRTDataset>"""


def test_python_in_a_vrt_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("GDAL_VRT_ENABLE_PYTHON", "YES")
    marker = tmp_path / "ran"
    vrt = tmp_path / "evil.vrt"
    vrt.write_text(PYTHON_VRT.format(marker=str(marker)))
    with pytest.raises(SceneError, match=r"evil\.vrt' is a VRT that runs Python code"):
        open_scene(vrt)
    outer = tmp_path / "outer.vrt"
    outer.write_text(
        '<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1">'
        f'<SimpleSource><SourceFilename relativeToVRT="1">{vrt.name}</SourceFilename>'
        "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(SceneError, match="runs Python code"):
        open_scene(outer)
    assert not marker.exists()


def test_python_hidden_from_our_search_is_still_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("GDAL_VRT_ENABLE_PYTHON", "YES")
    marker = tmp_path / "ran"
    inner = tmp_path / "inner.xml"
    inner.write_text(PYTHON_VRT.format(marker=str(marker)))
    outer = tmp_path / "outer.vrt"
    outer.write_text(
        '<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1">'
        f'<SimpleSource><SourceFilename relativeToVRT="1">{inner.name}</SourceFilename>'
        "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(SceneError):
        read_all(str(outer))
    assert not marker.exists()


def test_near_infrared_declared_as_alpha_is_data(tmp_path):
    path = write_tif(tmp_path / "a.tif", ramp(4, 40, 40))
    with rasterio.open(path) as file:
        assert file.colorinterp[3] == ColorInterp.alpha, "this is what GDAL does by itself"
    scene = open_scene(path)
    assert scene.mask_kind == "none"
    assert scene.data_bands == (1, 2, 3, 4)
    assert scene.band_names == ("red", "green", "blue", "band 4")
    assert scene.warnings == (
        f"band 4 of '{path}' is declared as transparency (alpha), but its values vary as data do: "
        "it is taken as data",
    )
    named = open_scene(write_tif(tmp_path / "b.tif", ramp(4, 4, 4), names=("r", "g", "b", "nir")))
    assert named.data_bands == (1, 2, 3, 4)
    assert named.warnings == ()


def test_alpha_band_is_no_data_band(tmp_path):
    pixels = ramp(4, 4, 4)
    pixels[3] = np.where(pixels[3] % 2, 0, 255)
    scene = open_scene(write_tif(tmp_path / "a.tif", pixels))
    assert scene.mask_kind == "alpha"
    assert scene.alpha == 4
    assert scene.data_bands == (1, 2, 3)
    assert scene.band_names == ("red", "green", "blue", "alpha")


def test_area_of_geographic_pixels_adds_up_to_the_earth(tmp_path):
    whole = Affine(1, 0, -180, 0, -1, 90)
    path = write_tif(tmp_path / "a.tif", ramp(1, 180, 360), crs="EPSG:4326", transform=whole)
    area = scene_area_ha(open_scene(path))
    assert area.shape == (180,)
    # WGS 84: 510 065 622 km2
    assert area.sum() * 360 / 100 == pytest.approx(510_065_622, rel=1e-4)
    assert area[0] < area[45] < area[90]


def test_area_in_web_mercator_is_ground_area(tmp_path):
    y = 6_378_137 * np.log(np.tan(np.pi / 4 + np.radians(60) / 2))
    place = Affine(100, 0, 0, 0, -100, y + 50)
    path = write_tif(tmp_path / "a.tif", ramp(1, 1, 4), crs="EPSG:3857", transform=place)
    # At 60 degrees a Mercator metre is half a metre, but for the flattening of the ellipsoid.
    assert scene_area_ha(open_scene(path))[0] == pytest.approx(0.25, rel=0.01)


def test_area_and_pixel_size_in_feet(tmp_path):
    path = write_tif(tmp_path / "a.tif", ramp(1, 4, 4), crs="EPSG:2263")
    scene = open_scene(path)
    assert scene.pixel_size == pytest.approx((3.048, 3.048), rel=1e-4)
    assert scene_area_ha(scene) == pytest.approx(3.048**2 / 1e4, rel=1e-4)


def test_statistics_beside_a_scene_do_not_change_its_stamp(tmp_path):
    path = write_tif(tmp_path / "a.tif", ramp(1, 4, 4))
    before = open_scene(path)
    Path(f"{path}.aux.xml").write_text("<PAMDataset></PAMDataset>")
    after = open_scene(path)
    assert (before.size_bytes, before.mtime) == (after.size_bytes, after.mtime)


def test_block_cache_is_limited(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 60_000, (1, 4096, 4096)).astype("uint16")
    path = write_tif(tmp_path / "a.tif", pixels, tiled=True)
    script = (
        "import sys, psutil\n"
        "from rs_workbench.raster import SceneReader, open_scene\n"
        "from tiling.windows import Window\n"
        "scene = open_scene(sys.argv[1])\n"
        "with SceneReader(scene, (1,), cache_bytes=4 * 2**20) as reader:\n"
        "    reader.read(Window(3, 3, 64, 4000))\n"
        "    before = psutil.Process().memory_info().rss\n"
        "    for row in range(3, 4000, 64): reader.read(Window(row, 3, 64, 4000))\n"
        "print((psutil.Process().memory_info().rss - before) / 2**20)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True)
    assert float(done.stdout) < 8, done.stderr


REAL = [
    ("naip_wetlands/m_4709963_se_14_1_20090818.tif", (724, 934), "uint8", 4),
    ("landsat7_chiapas/LE70220491999322EDC01_stack.gtif", (250, 250), "int16", 8),
    ("landsat_pucallpa/1985.tif", (377, 697), "uint8", 4),
    ("leipzig/leipzig_raster.tif", (206, 154), "float32", 8),
    ("baker_lake/23322E759967N_clipped_1m_1of2.tif", (341, 280), "uint8", 3),
    ("enmap_potsdam/images/enmap_potsdam_tile_160_160.tif", (32, 32), "float32", 224),
    ("sentinel2_beaufort/2018-10-13, Sentinel-2B L1C, B01.tiff", (2201, 2629), "uint8", 1),
]


@pytest.mark.data
@pytest.mark.parametrize(("name", "shape", "dtype", "count"), REAL)
def test_real_scenes(data_folder, name, shape, dtype, count):
    scene = open_scene(data_folder / name)
    assert (scene.shape, scene.dtype, scene.count) == (shape, dtype, count)
    assert scene.warnings == ()
    with SceneReader(scene, scene.data_bands) as reader:
        read = reader.read(Window(0, 0, *shape))
    with rasterio.open(data_folder / name) as file:
        assert np.array_equal(read.pixels, file.read(), equal_nan=True)
    assert read.valid.mean() > 0.9
    area = np.mean(scene_area_ha(scene))
    assert area == pytest.approx(np.prod(scene.pixel_size) / 1e4, rel=1e-3)


@pytest.mark.data
def test_every_raster_of_the_sample_data_opens_or_is_refused_with_a_next_step(data_folder):
    files = [p for p in data_folder.rglob("*") if p.is_file() and p.suffix != ".txt"]
    assert len(files) > 1500
    refused = {}
    sample = files[:: max(1, len(files) // 150)]
    for path in sample:
        try:
            open_scene(path)
        except SceneError as error:
            refused[str(path)] = str(error)
    assert len(refused) < 20
    for path, said in refused.items():
        assert path in said
        assert "gdalinfo" in said or "raster band" in said


def test_gdalinfo_is_there_in_ci():
    if os.environ.get("CI") == "true":
        assert shutil.which("gdalinfo"), "install gdal-bin"
