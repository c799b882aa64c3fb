"""Polygons as reference: drawn by pixel centres, counted by polygon."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import shapely
from shapely.geometry import Polygon, box

from rs_workbench.accuracy.reference import raster_windows
from rs_workbench.accuracy.reference.label_values import LabelValues
from rs_workbench.accuracy.reference.legend import parse_classes
from rs_workbench.accuracy.reference.raster_polygons import compare_polygons
from rs_workbench.accuracy.reference.vector_file import read_reference
from rs_workbench.errors import AccuracyError
from tests.accuracy.test_points import save
from tests.workbench.rasters import UTM, write_tif

LEGEND = parse_classes("0=water,1=ice,4=land")


@pytest.fixture
def pixels():
    rng = np.random.default_rng(0)
    return rng.choice(np.array([0, 1, 4, 255], np.uint8), (60, 70), p=[0.3, 0.3, 0.3, 0.1])


@pytest.fixture
def our_map(tmp_path, pixels):
    tiles = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    return write_tif(tmp_path / "map.tif", pixels[None], nodata=255, **tiles)


def on_ground(shape):
    """Pixels of the map (x = column, y = row) to its coordinates."""
    move = [10.0, 0.0, 0.0, -10.0, 500_000.0, 5_000_000.0]
    return shapely.affinity.affine_transform(shape, move)


def reference(tmp_path, shapes, labels, **columns):
    ground = [on_ground(s) for s in shapes]
    table = {"label": np.array(labels, object), **columns}
    return read_reference(save(tmp_path / "p.gpkg", ground, table, "GPKG"))


def centres():
    cols, rows = np.meshgrid(np.arange(70) + 0.5, np.arange(60) + 0.5)
    return cols, rows


SHAPES = [
    shapely.Point(20.3, 20.2).buffer(9.7),
    shapely.Polygon([(40.2, 5.1), (66.6, 11.3), (50.4, 40.9)], [[(50, 12), (56, 13), (52, 20)]]),
    box(-10, 45.2, 12.6, 80),
]


@pytest.mark.parametrize("budget", [200, 16 << 20])
def test_pixels_belong_to_the_polygon_that_holds_their_centre(
    tmp_path, our_map, pixels, budget, monkeypatch
):
    monkeypatch.setattr(raster_windows, "_WINDOW_BYTES", budget)
    polygons = reference(tmp_path, SHAPES, ["ice", "0", "LAND"])
    counts = compare_polygons(our_map, polygons, LEGEND)
    expected = np.zeros((3, 3, 3), np.int64)
    nodata = 0
    for n, (shape, truth) in enumerate(zip(SHAPES, (1, 0, 2), strict=True)):
        inside = shapely.contains_xy(shape, *centres())
        for place, value in enumerate((0, 1, 4)):
            expected[n, place, truth] = (inside & (pixels == value)).sum()
        nodata += (inside & (pixels == 255)).sum()
    np.testing.assert_array_equal(counts.matrices, expected)
    np.testing.assert_array_equal(counts.matrix, expected.sum(axis=0))
    assert counts.map_nodata == nodata
    assert counts.rows.tolist() == [0, 1, 2]


def test_each_polygon_is_a_cluster(tmp_path, our_map):
    polygons = reference(tmp_path, SHAPES, ["1", "0", "4"], stratum=np.array(["a", "b", "b"]))
    counts = compare_polygons(our_map, polygons, LEGEND)
    sample = counts.sample
    assert sample.weight.sum() == counts.matrix.sum()
    assert sorted(set(sample.cluster)) == ["0", "1", "2"]
    assert set(sample.stratum[sample.cluster == "0"]) == {"a"}
    matrix = np.zeros((3, 3), int)
    np.add.at(matrix, (sample.map_class, sample.reference), sample.weight.astype(int))
    np.testing.assert_array_equal(matrix, counts.matrix)


def test_what_is_left_out(tmp_path, our_map, pixels):
    shapes = [
        box(0, 0, 5, 4),  # compared
        box(10, 0, 12, 3),  # without label
        box(20, 0, 22, 5),  # out of scope
        box(30.6, 0.6, 31.4, 1.4),  # holds no centre
        box(900, 0, 905, 5),  # outside
    ]
    polygons = reference(tmp_path, shapes, ["1", None, "cloud", "4", "4"])
    values = LabelValues(out_of_scope=("cloud",))
    counts = compare_polygons(our_map, polygons, LEGEND, values=values)
    assert counts.rows.tolist() == [0]
    assert counts.matrix.sum() + counts.map_nodata == 20
    assert counts.map_nodata == (pixels[:4, :5] == 255).sum()
    left = counts.unlabelled, counts.out_of_scope, counts.without_pixel
    assert left == (6, 10, 1)
    assert (counts.outside, counts.wholly_outside) == (25, 1)


def test_what_polygons_hold_beyond_the_map_is_told_in_pixels(tmp_path, our_map, pixels):
    crossing = [box(-3, -2, 4, 5), Polygon([(-4, 10), (4, 14), (4, 10), (-4, 14)])]  # a bow tie
    counts = compare_polygons(our_map, reference(tmp_path, crossing, ["1", "1"]), LEGEND)
    assert counts.outside == 7 * 7 - 4 * 5 + 8
    assert counts.wholly_outside == 0


def test_overlaps(tmp_path, our_map):
    shapes = [box(0, 0, 6, 6), box(4, 4, 9, 9), box(5, 5, 7, 7)]
    same = compare_polygons(our_map, reference(tmp_path, shapes, ["1"] * 3), LEGEND)
    assert same.matrix.sum() + same.map_nodata == 36 + 25 - 4  # each pixel once
    pattern = r"overlap with different labels: number 3 \('4'\) and number 1 \('1'\)"
    with pytest.raises(AccuracyError, match=pattern):
        compare_polygons(our_map, reference(tmp_path, shapes, ["1", "1", "4"]), LEGEND)
    # A label goes before none; shared edges without a pixel are no overlap.
    mixed = compare_polygons(our_map, reference(tmp_path, shapes[:2], ["1", None]), LEGEND)
    assert mixed.unlabelled == 25 - 4
    touching = [box(0, 0, 6.3, 6), box(6.2, 0, 9, 6)]
    counts = compare_polygons(our_map, reference(tmp_path, touching, ["1", "4"]), LEGEND)
    assert counts.matrix.sum() + counts.map_nodata == 54


def test_multipolygons_with_height_in_another_coordinate_system(tmp_path, our_map, pixels):
    from rasterio.warp import transform

    def to_degrees(xyz):
        x, y = transform(UTM, "EPSG:4326", *xyz[:, :2].T)
        return np.stack([x, y, np.full(len(x), 7.0)], axis=1)

    parts = shapely.MultiPolygon([box(3.2, 2.1, 8.7, 9.4), box(30.1, 20.2, 41.6, 27.9)])
    moved = shapely.transform(shapely.force_3d(on_ground(parts)), to_degrees, include_z=True)
    labels = np.array(["land"], object)
    path = save(tmp_path / "p.geojson", [moved], {"class": labels}, "GeoJSON", crs="EPSG:4326")
    counts = compare_polygons(our_map, read_reference(path), LEGEND)
    inside = shapely.contains_xy(parts, *centres())
    assert counts.matrix[:, 2].tolist() == [(inside & (pixels == v)).sum() for v in (0, 1, 4)]


def test_nothing_to_compare(tmp_path, our_map):
    far = reference(tmp_path, [box(900, 0, 950, 9)], ["1"])
    with pytest.raises(AccuracyError, match=r"the 1 polygons of 'p\.gpkg': 1 lie outside"):
        compare_polygons(our_map, far, LEGEND)


def test_points_and_polygons_do_not_mix(tmp_path):
    shapes = [on_ground(box(0, 0, 3, 3)), shapely.Point(500_000, 5_000_000)]
    from pyogrio.raw import write

    write(
        tmp_path / "m.gpkg", shapely.to_wkb(np.array(shapes, object)), [np.array([1, 2])],
        ["label"], driver="GPKG", geometry_type="Unknown", crs=UTM,
    )  # fmt: skip
    with pytest.raises(AccuracyError, match="holds Point and Polygon, but a reference is made"):
        read_reference(tmp_path / "m.gpkg")


@pytest.mark.data
def test_shapefile_and_raster_of_the_same_labels(data_folder):
    folder = data_folder / "landsat7_chiapas"
    legend = parse_classes("1=forest,2=water,3=herbaceous,4=barren,5=urban")
    polygons = read_reference(folder / "training_data.shp")
    counts = compare_polygons(folder / "training_data.gtif", polygons, legend)
    # The raster was made from the shapefile, but for two polygons that changed sides since.
    assert counts.matrix.sum() == 718
    assert counts.matrix.sum(axis=1).tolist() == [383, 16, 145, 106, 68]
    assert (np.count_nonzero(counts.map_counts, axis=1) == 1).all()
    assert len(counts.rows) == 30
    assert np.trace(counts.matrix) == 718 - 8 - 11


@pytest.mark.data
def test_real_polygons(data_folder, tmp_path):
    folder = data_folder / "baker_lake"
    legend = parse_classes("1=vegetation,2=water,3=road,4=building")
    polygons = read_reference(folder / "BakerLake_2017_clipped.gpkg", column="Quatreclasses")
    with rasterio.open(folder / "23322E759967N_clipped_1m_1of2.tif") as file:
        profile = {"crs": file.crs, "transform": file.transform}
        shape = file.shape
    path = write_tif(tmp_path / "map.tif", np.ones((1, *shape), np.uint8), **profile)
    with pytest.raises(AccuracyError, match=r"'BakerLake_2017_clipped.gpkg' holds .*255 \("):
        compare_polygons(path, polygons, legend)
    # Buildings and roads lie on the vegetation around them.
    values = LabelValues(unlabelled=(255,))
    with pytest.raises(AccuracyError, match=r"'4'\) and number \d+ \('1'\) share 108 pixels"):
        compare_polygons(path, polygons, legend, values=values)
    values = LabelValues(unlabelled=(255,), out_of_scope=(3, 4))
    counts = compare_polygons(path, polygons, legend, values=values)
    assert counts.matrix[0].sum() == counts.matrix.sum() > 0
    assert counts.outside > 0
    left_out = counts.unlabelled + counts.out_of_scope
    assert counts.matrix.sum() + left_out <= shape[0] * shape[1]
