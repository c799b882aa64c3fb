"""Points from files as people have them: odd encodings, odd tables, incomplete shapefiles."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from rs_workbench.accuracy.reference.legend import parse_classes
from rs_workbench.accuracy.reference.points import match_labels
from rs_workbench.accuracy.reference.raster_reference import compare_points
from rs_workbench.accuracy.reference.vector_file import is_vector, read_reference
from rs_workbench.errors import AccuracyError
from tests.accuracy.test_points import LEGEND, PIXELS, place, save
from tests.workbench.rasters import UTM, write_tif


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("name", ["p.csv", "p.tsv", "p.txt"])
def test_a_table_of_text_is_a_reference_by_any_name(tmp_path, name):
    path = written(tmp_path / name, "x\ty\tlabel\n1\t2\t3\n")
    assert is_vector(path)
    assert read_reference(path, crs=UTM).labels.tolist() == ["3"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "gb18030"])
def test_text_in_other_encodings(tmp_path, encoding):
    path = written(tmp_path / "p.csv", "经度,纬度,类别\r\n1.5,2,海冰\r\n", encoding)
    reference = read_reference(path, crs="EPSG:4326")
    assert reference.labels.tolist() == ["海冰"]
    assert reference.geometry[0].x == 1.5


@pytest.mark.parametrize("pair", ["POINT_X;POINT_Y", "xcoord;ycoord", "Lng;Lat"])
def test_decimal_commas_and_the_columns_of_gis_programs(tmp_path, pair):
    path = written(tmp_path / "p.csv", f"{pair};class\n500005,5;4999995,25;1\n")
    point = read_reference(path, crs=UTM).geometry[0]
    assert (point.x, point.y) == (500005.5, 4999995.25)


def test_a_number_alone_is_an_epsg_code(tmp_path):
    path = written(tmp_path / "p.csv", "x,y,label\n1,2,3\n")
    assert read_reference(path, crs="32631").crs == "EPSG:32631"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", r"'p\.csv' is empty"),
        ("x,y,Label,label\n1,2,3,4\n", r"several columns called 'label'"),
        ("x,y,label\n", r"'p\.csv' holds nothing with a place"),
        ('x,y,label\n1,2,"' + "a" * 200_000 + '"\n', r"cannot be read as a table \(field larger"),
    ],
)
def test_tables_that_are_none(tmp_path, text, told):
    with pytest.raises(AccuracyError, match=told):
        read_reference(written(tmp_path / "p.csv", text), crs=UTM)


def test_a_layer_error_does_not_send_to_qgis(tmp_path):
    for layer in ("a", "b"):
        path = tmp_path / f"{layer}.gpkg"
        save(path, [shapely.Point(1, 2)], {"label": np.array([1])}, "GPKG", layer=layer)
    from pyogrio.raw import write

    write(
        tmp_path / "a.gpkg", shapely.to_wkb(np.array([shapely.Point(1, 2)])), [np.array([1])],
        ["label"], driver="GPKG", layer="b", geometry_type="Point", crs=UTM, append=True,
    )  # fmt: skip
    with pytest.raises(AccuracyError) as told:
        read_reference(tmp_path / "a.gpkg")
    assert str(told.value).startswith("'a.gpkg' has 2 layers")
    assert "QGIS" not in str(told.value)


def test_multipoints_of_one_point_are_points(tmp_path):
    shapes = [shapely.MultiPoint([(1, 2)]), shapely.MultiPoint([(3, 4)])]
    path = save(tmp_path / "p.gpkg", shapes, {"label": np.array([1, 2])}, "GPKG")
    reference = read_reference(path)
    assert reference.kind == "points"
    assert [p.x for p in reference.geometry] == [1, 3]
    shapes[1] = shapely.MultiPoint([(3, 4), (5, 6)])
    path = save(tmp_path / "q.gpkg", shapes, {"label": np.array([1, 2])}, "GPKG")
    with pytest.raises(AccuracyError, match="part them into single points"):
        read_reference(path)


def shapefile(tmp_path, column, labels, *, encoding):
    from pyogrio.raw import write

    places = np.array([shapely.Point(n, n) for n in range(len(labels))], object)
    write(
        tmp_path / "p.shp", shapely.to_wkb(places), [np.array(labels, object)], [column],
        driver="ESRI Shapefile", geometry_type="Point", crs=UTM, encoding=encoding,
    )  # fmt: skip
    return tmp_path / "p.shp"


@pytest.mark.parametrize("encoding", ["cp936", "UTF-8"])
@pytest.mark.parametrize("told", [True, False])
def test_chinese_shapefiles_even_without_their_encoding(tmp_path, encoding, told):
    path = shapefile(tmp_path, "类别", ["水体", "海冰"], encoding=encoding)
    if not told:
        path.with_suffix(".cpg").unlink()
    reference = read_reference(path)
    assert reference.labels.tolist() == ["水体", "海冰"]
    assert reference.label_column == "类别"


def test_latin_text_is_not_taken_for_chinese(tmp_path):
    path = shapefile(tmp_path, "label", ["Grünland", "Wälder", "Flüße"], encoding="ISO-8859-1")
    path.with_suffix(".cpg").unlink()
    assert read_reference(path).labels.tolist() == ["Grünland", "Wälder", "Flüße"]


@pytest.mark.parametrize("suffix", [".shx", ".dbf"])
def test_a_shapefile_without_its_other_files(tmp_path, suffix):
    path = save(
        tmp_path / "p.shp", [shapely.Point(1, 2)], {"label": np.array([1])}, "ESRI Shapefile"
    )
    path.with_suffix(suffix).unlink()
    with pytest.raises(AccuracyError, match=rf"'p\.shp' lacks its file 'p{suffix}'"):
        read_reference(path)


def test_coordinates_that_are_none_of_their_system(tmp_path, capfd):
    our_map = write_tif(tmp_path / "map.tif", PIXELS[None], nodata=255)
    path = written(tmp_path / "p.csv", "x,y,label\n{},{},1\n".format(*place(0, 0)))
    told = r"coordinates of 'p\.csv', such as \(500005, .* from EPSG:4326 .*--crs"
    with pytest.raises(AccuracyError, match=told):
        compare_points(our_map, read_reference(path, crs="EPSG:4326"), LEGEND)
    with pytest.raises(AccuracyError, match="is no coordinate system"):
        compare_points(our_map, read_reference(path, crs="EPSG:99999999"), LEGEND)
    assert capfd.readouterr().err == ""  # PROJ keeps quiet


def test_a_name_that_several_classes_bear():
    legend = parse_classes("1=water,2=Water,5=land")
    assert match_labels(["1", "land"], legend).tolist() == [0, 2]
    with pytest.raises(AccuracyError, match="'water' is the name of 2 classes"):
        match_labels(["WATER"], legend)
