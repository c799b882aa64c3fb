"""What lies beside a class map: names, style, picture, polygons."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from affine import Affine
from matplotlib.image import imread

from rs_workbench import maps, quicklook
from rs_workbench.card import LegendClass
from rs_workbench.errors import OutputError
from rs_workbench.raster import RasterSpec, SceneReader, finish_raster, open_scene
from tests.workbench.rasters import NORTH_UP, legend, ramp, write_tif
from tiling.windows import Window

COLORS = {c.value: tuple(bytes.fromhex(c.color[1:])) for c in legend()}
needs_gdalinfo = pytest.mark.skipif(
    not shutil.which("gdalinfo") and os.environ.get("CI") != "true", reason="needs gdalinfo"
)


def make_map(folder: Path, labels: np.ndarray, **georeference) -> Path:
    scene = open_scene(write_tif(folder / "s.tif", ramp(3, *labels.shape), **georeference))
    (folder / "layer.bin").write_bytes(labels.astype(np.uint8).tobytes())
    out = folder / "map.tif"
    finish_raster(folder / "layer.bin", out, scene, RasterSpec.class_map(legend()))
    return out


def blobs(height, width, seed=0, size=7):
    """Labels in irregular patches, with holes and without data here and there."""
    rng = np.random.default_rng(seed)
    small = rng.choice(
        [0, 1, 4, 255], (height // size + 1, width // size + 1), p=[0.5, 0.25, 0.15, 0.1]
    )
    large = small.repeat(size, 0).repeat(size, 1)[:height, :width]
    noise = rng.random((height, width)) < 0.05
    large[noise] = rng.choice([0, 1, 4], noise.sum())
    return large.astype(np.uint8)


# Names and style


@needs_gdalinfo
def test_gdalinfo_shows_the_names(tmp_path):
    out = make_map(tmp_path, blobs(20, 30))
    maps.write_class_names(out, legend(), pixels={0: 300, 4: 100})
    done = subprocess.run(["gdalinfo", str(out)], capture_output=True, check=True)
    text = done.stdout.decode("utf-8")
    for line in ("0: water 水", "1: ice & snow 冰雪", "4: land"):
        assert line in text
    table = json.loads(
        subprocess.run(["gdalinfo", "-json", str(out)], capture_output=True, check=True).stdout
    )["rat"]
    names = [field["name"] for field in table["fieldDefn"]]
    assert names == ["Value", "Class", "Red", "Green", "Blue", "Count"]
    assert [row["f"] for row in table["row"]] == [
        [0, "water 水", 31, 120, 180, 300],
        [1, "ice & snow 冰雪", 238, 238, 238, 0],
        [4, "land", 177, 89, 40, 100],
    ]


def test_style_for_qgis(tmp_path):
    out = make_map(tmp_path, blobs(20, 30))
    style = maps.write_qml(out, legend())
    assert style == tmp_path / "map.qml"
    renderer = ElementTree.parse(style).find("pipe/rasterrenderer")
    assert renderer.attrib["type"] == "paletted"
    entries = [dict(e.attrib) for e in renderer.iter("paletteEntry")]
    assert entries == [
        {"value": "0", "color": "#1f78b4", "alpha": "255", "label": "water 水"},
        {"value": "1", "color": "#eeeeee", "alpha": "255", "label": "ice & snow 冰雪"},
        {"value": "4", "color": "#b15928", "alpha": "255", "label": "land"},
    ]


def test_style_that_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match=r"map\.qml' cannot be written \(No such file"):
        maps.write_qml(tmp_path / "nowhere" / "map.tif", legend())


# Quick look


def picture(path):
    return (imread(path)[..., :3] * 255).round().astype(int)


def count_of(image, color):
    return int((np.abs(image - color).max(axis=-1) <= 1).sum())


@pytest.mark.parametrize("shape", [(120, 160), (900, 2000), (40, 400), (500, 60), (1, 1), (1, 70)])
def test_quicklook_has_every_class_in_its_colour(tmp_path, shape):
    labels = blobs(*shape)
    out = make_map(tmp_path, labels)
    png = maps.write_quicklook(
        out, tmp_path / "q.png", legend(), scene=open_scene(tmp_path / "s.tif")
    )
    image = picture(png)
    assert image.shape[1] <= 1200
    assert image.shape[0] <= 1000
    for value, color in COLORS.items():
        swatch = 200
        drawn = count_of(image, color)
        assert drawn > swatch, "the legend shows it"
        if (labels == value).mean() > 0.05:
            assert drawn > 2 * swatch, "the map shows it"


def test_quicklook_shares_are_counted_on_the_full_map(tmp_path):
    labels = np.zeros((1000, 1000), np.uint8)
    labels[::3, ::3] = 4
    labels[:, 900:] = 255
    out = make_map(tmp_path, labels)
    info = quicklook.describe_raster(out)
    reduced = quicklook.read_map(out, (200, 200))
    shares = quicklook._shares(out, info, reduced, None)
    valid = labels[labels != 255]
    assert shares[4] == pytest.approx((valid == 4).mean())
    assert shares[0] + shares[4] == pytest.approx(1)
    given = quicklook._shares(out, info, reduced, {0: 1, 4: 3})
    assert given[4] == 0.75


def test_quicklook_shows_nodata_neither_as_class_nor_as_black(tmp_path):
    out = make_map(tmp_path, np.full((50, 50), 255))
    image = picture(maps.write_quicklook(out, tmp_path / "q.png", legend()))
    middle = image[200:400, 200:400]
    assert middle.min() > 190


def test_quicklook_of_a_south_up_map_is_turned(tmp_path):
    labels = np.zeros((50, 50), np.uint8)
    labels[:10] = 4
    south_up = Affine(10, 0, 500_000, 0, 10, 4_000_000)
    out = make_map(tmp_path, labels, transform=south_up)
    image = picture(maps.write_quicklook(out, tmp_path / "q.png", legend()))
    panel = image[:, 100:600]
    rows = np.flatnonzero((np.abs(panel - COLORS[4]).max(axis=-1) <= 1).mean(axis=1) > 0.9)
    assert rows.min() > 500, "the first rows of the file lie in the south"


def test_quicklook_of_names_no_font_has(tmp_path):
    odd = [LegendClass(value=0, name="\U00013000 glyph", color="#1f78b4"), *legend()[1:]]
    out = make_map(tmp_path, blobs(30, 30))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png = maps.write_quicklook(out, tmp_path / "q.png", odd)
    assert (picture(png)[..., :3] == COLORS[0]).all(axis=-1).any()


def test_quicklook_without_georeference(tmp_path):
    out = make_map(tmp_path, blobs(30, 30), crs=None, transform=None)
    scene = open_scene(tmp_path / "s.tif")
    assert maps.write_quicklook(out, tmp_path / "q.png", legend(), scene=scene).exists()


@pytest.mark.parametrize(
    ("names", "given", "expected"),
    [
        (("nir", "Red", "green", "blue"), None, (2, 3, 4)),
        (("b02", "b03", "b04", "b08"), None, (3, 2, 1)),
        (("a (480 nm)", "b (560 nm)", "c (660 nm)", "d (860 nm)"), None, (3, 2, 1)),
        (("a", "b", "c", "d"), (4, 3, 2, 1), (4, 3, 2)),
        (("a", "b"), None, (1,)),
    ],
)
def test_bands_shown(tmp_path, names, given, expected):
    pixels = ramp(len(names), 4, 4, "uint16")
    scene = open_scene(write_tif(tmp_path / "s.tif", pixels, names=names))
    assert quicklook.view_bands(scene, given) == expected


def test_huge_scene_without_overviews_is_left_out(tmp_path):
    out = make_map(tmp_path, blobs(30, 30))
    vrt = tmp_path / "huge.vrt"
    vrt.write_text(
        '<VRTDataset rasterXSize="60000" rasterYSize="60000">'
        '<VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    )
    alone = picture(maps.write_quicklook(out, tmp_path / "a.png", legend()))
    scene = open_scene(vrt)
    beside = picture(maps.write_quicklook(out, tmp_path / "b.png", legend(), scene=scene))
    assert alone.shape == beside.shape


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    [
        "dunes/images/11552_34656_a000c.jpg",
        "landsat7_chiapas/LE70220491999322EDC01_stack.gtif",
        "enmap_potsdam/images/enmap_potsdam_tile_160_160.tif",
        "leipzig/leipzig_raster.tif",
        "landsat_pucallpa/2020.tif",
    ],
)
def test_quicklook_of_real_scenes_has_contrast(data_folder, tmp_path, name):
    scene = open_scene(data_folder / name)
    bands = quicklook.view_bands(scene)
    panel = quicklook._scene_panel(scene, bands, (100, 100))
    shown = panel.rgba[panel.rgba[..., 3] == 255][:, :3]
    assert len(shown) > 5000
    assert (np.percentile(shown, 98, axis=0) - np.percentile(shown, 2, axis=0)).min() > 150


# Polygons


def traced_at_once(labels):
    """The polygons of every class, traced on the whole map."""
    import shapely

    from rs_workbench.raster_view import outline

    found = {}
    for rings, value in outline(labels, labels != 255):
        found.setdefault(value, []).append(shapely.Polygon(rings[0], rings[1:]))
    return found


def read_polygons(path):
    pyogrio = pytest.importorskip("pyogrio")
    return pyogrio.read_dataframe(path)


@pytest.mark.parametrize("strip_rows", [1, 5, 16, 64, 1000])
@pytest.mark.parametrize("seed", [0, 1])
def test_polygons_do_not_depend_on_the_strips(tmp_path, strip_rows, seed):
    shapely = pytest.importorskip("shapely")
    labels = blobs(64, 50, seed)
    out = make_map(tmp_path, labels)
    path = tmp_path / "p.gpkg"
    maps.write_polygons(out, path, legend(), strip_rows=strip_rows)
    table = read_polygons(path)
    expected = traced_at_once(labels)
    to_pixels = ~NORTH_UP
    for value, polygons in expected.items():
        found = table.geometry[table.value == value].to_numpy()
        pixels = shapely.transform(
            found,
            lambda xy: np.stack(
                [to_pixels.a * xy[:, 0] + to_pixels.c, to_pixels.e * xy[:, 1] + to_pixels.f], 1
            ).round(6),
        )
        assert len(pixels) == len(polygons)
        key = {shapely.normalize(shapely.simplify(p, 0)).wkt for p in polygons}
        assert len(key) == len(polygons)
        ours = {shapely.normalize(shapely.simplify(p, 0)).wkt for p in pixels}
        unlike = key ^ ours
        theirs = [shapely.from_wkt(w) for w in unlike & key]
        rest = [shapely.from_wkt(w) for w in unlike & ours]
        for polygon in theirs:
            assert any(polygon.equals(other) for other in rest)
    assert table.area_ha.sum() == pytest.approx((labels != 255).sum() * 0.01)


def test_polygon_columns(tmp_path):
    labels = np.zeros((6, 5), np.uint8)
    labels[2:4, 1:3] = 4
    labels[0, 4] = 255
    labels[5, 4] = 77
    out = make_map(tmp_path, labels)
    table = read_polygons(maps.write_polygons(out, tmp_path / "p.gpkg", legend()))
    rows = sorted(zip(table.value, table.name, table.color, table.area_ha.round(6), strict=True))
    assert rows == [(0, "water", "#1f78b4", 0.24), (4, "land", "#b15928", 0.04)]
    assert table.crs.to_epsg() == 32631
    land = table.geometry[table.value == 4].iloc[0]
    assert land.bounds == (500_010, 4_999_960, 500_030, 4_999_980)
    assert land.area == 400
    assert len(table.geometry[table.value == 0].iloc[0].interiors) == 1
    assert not list(tmp_path.glob("*.partial*"))


def test_polygon_area_in_degrees_is_ground_area(tmp_path):
    from rs_workbench.raster import scene_area_ha

    labels = blobs(60, 40)
    place = Affine(1, 0, 10, 0, -1, 70)
    out = make_map(tmp_path, labels, crs="EPSG:4326", transform=place)
    table = read_polygons(maps.write_polygons(out, tmp_path / "p.gpkg", legend(), strip_rows=7))
    per_row = scene_area_ha(open_scene(tmp_path / "s.tif"))
    for value in (0, 1, 4):
        expected = ((labels == value) * per_row[:, None]).sum()
        assert table.area_ha[table.value == value].sum() == pytest.approx(expected, rel=1e-9)


def test_polygons_without_georeference_stand_upright(tmp_path):
    labels = np.full((6, 5), 255, np.uint8)
    labels[1, 2] = 4
    out = make_map(tmp_path, labels, crs=None, transform=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = maps.write_polygons(out, tmp_path / "p.gpkg", legend())
    table = read_polygons(path)
    assert table.geometry.iloc[0].bounds == (2, -2, 3, -1)
    assert table.area_ha.isna().all()
    assert table.crs is None


def test_polygons_of_an_empty_map(tmp_path):
    out = make_map(tmp_path, np.full((6, 5), 255))
    table = read_polygons(maps.write_polygons(out, tmp_path / "p.gpkg", legend()))
    assert len(table) == 0
    assert list(table.columns) == ["value", "name", "color", "area_ha", "geometry"]


def test_polygons_replace_an_older_file(tmp_path):
    out = make_map(tmp_path, np.zeros((6, 5)))
    for _ in range(2):
        path = maps.write_polygons(out, tmp_path / "p.gpkg", legend())
    assert len(read_polygons(path)) == 1


def test_polygons_where_the_folder_is_missing(tmp_path):
    out = make_map(tmp_path, np.zeros((6, 5)))
    with pytest.raises(OutputError, match=r"p\.partial\.gpkg' cannot be written \("):
        maps.write_polygons(out, tmp_path / "nowhere" / "p.gpkg", legend())


def test_map_can_be_read_back_with_its_sidecars(tmp_path):
    """The sidecars of a map do not stand in the way of reading it."""
    labels = blobs(20, 30)
    out = make_map(tmp_path, labels)
    maps.write_class_names(out, legend())
    info = quicklook.describe_raster(out)
    with SceneReader(info, (1,)) as reader:
        read = reader.read(Window(0, 0, 20, 30))
    assert np.array_equal(read.pixels[0], labels)
    assert np.array_equal(read.valid, labels != 255)
