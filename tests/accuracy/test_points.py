"""Points as reference: files, labels, places, what is left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyogrio.raw import write as write_layer

from rs_workbench.accuracy.reference.label_values import LabelValues, parse_recode
from rs_workbench.accuracy.reference.legend import parse_classes
from rs_workbench.accuracy.reference.points import design_columns, match_labels
from rs_workbench.accuracy.reference.raster_reference import compare_points
from rs_workbench.accuracy.reference.vector_file import read_reference
from rs_workbench.errors import AccuracyError, UsageError
from tests.workbench.rasters import UTM, write_tif

LEGEND = parse_classes("1=water 水,2=sea ice 海冰,5=land")
PIXELS = np.array([[1, 1, 2], [2, 5, 255]], np.uint8)


@pytest.fixture
def our_map(tmp_path):
    return write_tif(tmp_path / "map.tif", PIXELS[None], nodata=255)


def place(row, col):
    """Centre of a pixel of the map."""
    return 500_000 + 10 * col + 5, 5_000_000 - 10 * row - 5


def save(path, geometry, columns, driver, crs=UTM, layer="units"):
    values = [np.asarray(v) for v in columns.values()]
    kind = geometry[0].geom_type
    options = {"layer": layer} if driver == "GPKG" else {}
    write_layer(
        path,
        shapely.to_wkb(np.array(geometry, object)),
        values,
        list(columns),
        driver=driver,
        geometry_type=kind,
        crs=crs,
        **options,
    )
    return path


def points(*pixels):
    return [shapely.Point(place(*pixel)) for pixel in pixels]


FORMATS = [("GPKG", "p.gpkg"), ("GeoJSON", "p.geojson"), ("ESRI Shapefile", "p.shp"),
           ("FlatGeobuf", "p.fgb")]  # fmt: skip


@pytest.mark.parametrize(("driver", "name"), FORMATS)
def test_formats(tmp_path, our_map, driver, name):
    labels = np.array(["Water", "2", "LAND", "海冰"], object)
    path = save(tmp_path / name, points((0, 0), (0, 1), (1, 1), (1, 0)), {"label": labels}, driver)
    counts = compare_points(our_map, read_reference(path, crs=UTM), LEGEND)
    # FlatGeobuf orders its rows by place.
    assert counts.matrix.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_with_longitude_and_latitude(tmp_path, our_map, delimiter):
    lines = [("Lon", "LAT", "class", "crs"), ("3.00006", "45.1535", "1", "EPSG:4326")]
    path = tmp_path / "p.csv"
    path.write_text("\n".join(delimiter.join(line) for line in lines), "utf-8-sig")
    # The map begins at 3 degrees east; its first pixel reaches down to 45.1535.
    x, y = 500_005, 4_999_995
    from rasterio.warp import transform

    (lon,), (lat,) = transform(UTM, "EPSG:4326", [x], [y])
    lines[1] = (repr(lon), repr(lat), "1", "EPSG:4326")
    path.write_text("\n".join(delimiter.join(line) for line in lines), "utf-8-sig")
    counts = compare_points(our_map, read_reference(path), LEGEND)
    assert counts.matrix.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_each_unit_is_counted_in_one_place(tmp_path, our_map):
    rows = [
        (0, 0, 1), (0, 2, 5), (1, 1, 5),  # compared
        (1, 2, 1), (-1, 0, 1), (0, 3, 2),  # nodata, outside, outside
        (0, 1, ""), (9, 9, ""), (0, 0, 7), (9, 9, 7),  # unlabelled, out of scope
    ]  # fmt: skip
    path = tmp_path / "p.csv"
    text = "".join("{},{},{}\n".format(*place(r, c), label) for r, c, label in rows)
    path.write_text("x,y,label\n" + text + ",,1\n")
    reference = read_reference(path, crs=UTM)
    assert reference.without_geometry == 1
    values = LabelValues(out_of_scope=(7,))
    counts = compare_points(our_map, reference, LEGEND, values=values)
    assert counts.matrix.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert counts.rows.tolist() == [0, 1, 2]
    assert (counts.unlabelled, counts.out_of_scope, counts.outside, counts.map_nodata) == (
        2,
        2,
        2,
        1,
    )
    assert len(counts.sample) == 3


def test_points_on_the_edge_belong_to_the_pixel_below_and_right(tmp_path, our_map):
    path = tmp_path / "p.csv"
    path.write_text("x,y,label\n500010,4999990,5\n500030,4999995,1\n500000,5000000,1\n")
    counts = compare_points(our_map, read_reference(path, crs=UTM), LEGEND)
    assert counts.map_class.tolist() == [2, 0]
    assert counts.outside == 1


def test_columns_of_a_design_are_carried(tmp_path, our_map):
    path = tmp_path / "p.csv"
    path.write_text(
        "x,y,reference,stratum,inclusion_probability,area_ha,cluster\n"
        "{},{},1,a,0.5,0.01,\n{},{},,b,0.25,0.01,\n{},{},2,b,0.25,0.02,\n".format(
            *place(0, 0), *place(0, 1), *place(0, 2)
        )
    )
    sample = compare_points(our_map, read_reference(path, crs=UTM), LEGEND).sample
    assert sample.stratum.tolist() == ["a", "b"]
    assert sample.weight.tolist() == [2, 4]
    assert sample.size.tolist() == [0.01, 0.02]
    assert sample.cluster is None  # the column is there, but empty


def test_wrong_columns_of_a_design(tmp_path):
    def read(header, cell):
        path = tmp_path / "p.csv"
        path.write_text(f"x,y,label,{header}\n1,2,1,{cell}\n")
        return design_columns(read_reference(path, crs=UTM))

    with pytest.raises(AccuracyError, match="an inclusion probability of 2: it must be above 0"):
        read("inclusion_probability", 2)
    with pytest.raises(AccuracyError, match=r"'p\.csv' has weight = 'many', which is no number"):
        read("weight", "many")
    assert read("weight", 3)["weight"].tolist() == [3]


def test_alternate_labels_count_only_where_asked(tmp_path, our_map):
    path = tmp_path / "p.csv"
    rows = [(0, 0, 2, 1), (0, 1, 2, ""), (0, 2, 2, 1), (1, 1, 1, 2)]
    text = "".join("{},{},{},{}\n".format(*place(r, c), a, b) for r, c, a, b in rows)
    path.write_text("x,y,label,alternate\n" + text)
    reference = read_reference(path, crs=UTM)
    assert np.trace(compare_points(our_map, reference, LEGEND).matrix) == 1
    counts = compare_points(our_map, reference, LEGEND, accept_alternate=True)
    assert counts.reference.tolist() == [0, 1, 1, 0]
    assert counts.alternates_used == 1
    path.write_text("x,y,label\n{},{},1\n".format(*place(0, 0)))
    with pytest.raises(AccuracyError, match=r"'p\.csv' has no column 'alternate'"):
        compare_points(our_map, read_reference(path, crs=UTM), LEGEND, accept_alternate=True)


@pytest.mark.parametrize(
    ("label", "index"),
    [("WATER", 0), ("水", 0), ("water 水", 0), (" sea  ICE ", 1), ("5", 2), (5.0, 2),
     (np.int64(2), 1), (None, -1), (np.nan, -1), ("", -1), ("nan", -1)],
)  # fmt: skip
def test_labels(label, index):
    assert match_labels([label], LEGEND).tolist() == [index]


def test_labels_by_recode():
    values = LabelValues(
        unlabelled=("cloud", 9), out_of_scope=("Shadow",), recode=parse_recode("10=1,Forest=5")
    )
    found = match_labels(["10", 10, "forest", "CLOUD", "9", "shadow"], LEGEND, values=values)
    assert found.tolist() == [0, 0, 2, -1, -1, -2]


def test_strange_labels_are_named():
    with pytest.raises(AccuracyError, match=r"'p' holds .*: 'tree' \(2 rows\), 9 \(1 row\)"):
        match_labels(["tree", "Tree", 9, 1], LEGEND, source="p")
    with pytest.raises(AccuracyError, match=r"--recode gives class 77, but .*\[1, 2, 5\]"):
        match_labels([10], LEGEND, values=LabelValues(recode={10: 77}))
    with pytest.raises(UsageError, match=r"--recode '10' cannot be understood"):
        parse_recode("10")


def test_what_a_file_must_have(tmp_path):
    def refused(pattern, text, name="p.csv", **options):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        with pytest.raises(AccuracyError, match=pattern):
            read_reference(path, **options)

    refused("'p.csv' does not say in which coordinate system", "x,y,label\n1,2,3\n")
    refused("no columns x and y, or lon and lat, but a, b", "a,b\n1,2\n")
    refused("no column called reference.*x, y, kind.*--column", "x,y,kind\n1,2,3\n", crs=UTM)
    refused("no column 'typ'", "x,y,label\n1,2,3\n", crs=UTM, column="typ")
    refused("x = 'here' in row 3", "x,y,label\n1,2,3\nhere,2,3\n", crs=UTM)
    refused("2 cells in row 2, but 3 columns", "x,y,label\n1,2\n", crs=UTM)
    refused("several coordinate systems", "x,y,label,crs\n1,2,3,a\n1,2,3,b\n")
    refused("holds nothing with a place", "x,y,label\n,,3\n", crs=UTM)
    with pytest.raises(AccuracyError, match=r"'absent\.gpkg' was not found"):
        read_reference("absent.gpkg")


@pytest.mark.parametrize("name", ["p.gpkg", "p.shp", "p.geojson", "p.fgb", "p.vrt", "p.gml"])
def test_other_formats_are_not_opened(tmp_path, name):
    (tmp_path / name).write_text("<OGRVRTDataSource/>")
    with pytest.raises(AccuracyError, match=f"'{name}' is no .* file: give points or polygons"):
        read_reference(tmp_path / name)


def test_a_broken_file(tmp_path):
    (tmp_path / "p.gpkg").write_bytes(b"SQLite format 3\0" + b"\0" * 200)
    with pytest.raises(AccuracyError, match=r"'p\.gpkg' cannot be read"):
        read_reference(tmp_path / "p.gpkg")


def test_layers(tmp_path):
    path = tmp_path / "p.gpkg"
    for layer in ("a", "b"):
        labels = np.array([layer], object)
        write_layer(
            path, shapely.to_wkb(np.array(points((0, 0)), object)), [labels], ["label"],
            driver="GPKG", layer=layer, geometry_type="Point", crs=UTM, append=path.exists(),
        )  # fmt: skip
    with pytest.raises(AccuracyError, match=r"2 layers with geometry \(a, b\): choose .* --layer"):
        read_reference(path)
    with pytest.raises(AccuracyError, match="no layer 'c': choose one of a, b"):
        read_reference(path, layer="c")
    assert read_reference(path, layer="b").labels.tolist() == ["b"]


def test_wrong_places(tmp_path, our_map):
    path = tmp_path / "p.csv"
    path.write_text("x,y,label\n12.5,48.1,1\n")
    pattern = "none of the 1 points of 'p.csv' can be compared with 'map.tif'.* 1 outside"
    with pytest.raises(AccuracyError, match=pattern):
        compare_points(our_map, read_reference(path, crs="EPSG:4326"), LEGEND)
    with pytest.raises(AccuracyError, match=r"'EPSG:0' of 'p\.csv' is no coordinate system"):
        compare_points(our_map, read_reference(path, crs="EPSG:0"), LEGEND)
    bare = write_tif(tmp_path / "bare.tif", PIXELS[None], crs=None)
    with pytest.raises(AccuracyError, match=r"'bare\.tif' has no coordinate system, so"):
        compare_points(bare, read_reference(path, crs=UTM), LEGEND)


def test_a_map_value_that_is_not_in_the_legend(tmp_path, our_map):
    path = tmp_path / "p.csv"
    path.write_text("x,y,label\n{},{},1\n".format(*place(1, 1)))
    with pytest.raises(AccuracyError, match=r"'map\.tif' holds 5 under the reference"):
        compare_points(our_map, read_reference(path, crs=UTM), LEGEND[:2])


def test_blocks_of_a_large_map_are_read_once(tmp_path, monkeypatch):
    pixels = np.random.default_rng(0).integers(1, 3, (1, 100, 90)).astype(np.uint8)
    path = write_tif(tmp_path / "m.tif", pixels, tiled=True, blockxsize=16, blockysize=16)
    rng = np.random.default_rng(1)
    rows, cols = rng.integers(0, 100, 400), rng.integers(0, 90, 400)
    text = "".join("{},{},1\n".format(*place(r, c)) for r, c in zip(rows, cols, strict=True))
    Path(tmp_path / "p.csv").write_text("x,y,label\n" + text)
    from rs_workbench.accuracy.reference.raster_labels import LabelReader

    seen, read = [], LabelReader.read
    monkeypatch.setattr(LabelReader, "read", lambda self, w: (seen.append(w), read(self, w))[1])
    counts = compare_points(path, read_reference(tmp_path / "p.csv", crs=UTM), LEGEND[:2])
    np.testing.assert_array_equal(counts.map_class, pixels[0, rows, cols] - 1)
    assert len(seen) == len(set(seen)) == len(set(zip(rows // 16, cols // 16, strict=True)))


def test_geojson_points_without_geometry_and_with_height(tmp_path, our_map):
    x, y = place(0, 0)
    features = [
        {"type": "Feature", "properties": {"class": 1}, "geometry": g}
        for g in ({"type": "Point", "coordinates": [x, y, 12.0]}, None)
    ]
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    reference = read_reference(path, crs=UTM)
    assert reference.without_geometry == 1
    assert compare_points(our_map, reference, LEGEND).matrix[0, 0] == 1


@pytest.mark.data
def test_real_points(data_folder, tmp_path):
    import rasterio

    reference = read_reference(data_folder / "leipzig" / "leipzig_points.gpkg")
    assert reference.label_column == "land_cover"
    legend = parse_classes("1=forest,2=pasture,3=urban,4=water")
    with rasterio.open(data_folder / "leipzig" / "leipzig_raster.tif") as file:
        ndvi, transform = file.read(8), file.transform
    classes = np.where(ndvi > 0.6, 1, np.where(ndvi < 0, 4, 3)).astype(np.uint8)
    path = write_tif(
        tmp_path / "m.tif", classes[None], crs="EPSG:32632", transform=transform, nodata=255
    )
    counts = compare_points(path, reference, legend)
    assert counts.matrix.sum() + counts.outside == 97
    assert counts.matrix.sum(axis=0).tolist() == [28, 20, 36, 13]
    # The table holds the values of the scene under its points.
    at = reference.columns["ndvi"].astype(float)[counts.rows]
    np.testing.assert_array_equal(counts.map_class == 0, at > 0.6)
