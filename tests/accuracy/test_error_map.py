"""The error map: what it says at every pixel, and how it opens in QGIS."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import shapely
from pyogrio.raw import read

from rs_workbench.accuracy.reference import raster_windows
from rs_workbench.accuracy.reference.error_units import write_error_points, write_error_polygons
from rs_workbench.accuracy.reference.label_values import LabelValues
from rs_workbench.accuracy.reference.legend import error_legend, read_legend
from rs_workbench.accuracy.reference.raster_error_map import write_error_map
from rs_workbench.accuracy.reference.raster_pair import open_pair
from rs_workbench.accuracy.reference.raster_polygons import compare_polygons
from rs_workbench.accuracy.reference.raster_reference import compare_points
from rs_workbench.accuracy.reference.vector_file import read_reference
from rs_workbench.card import LegendClass
from rs_workbench.errors import AccuracyError, OutputError
from tests.accuracy.pairs import LEGEND, labels, shifted, write
from tests.accuracy.test_points import place, points, save
from tests.workbench.rasters import UTM


@pytest.mark.parametrize("budget", [100, 16 << 20])
def test_every_pixel(tmp_path, budget, monkeypatch):
    monkeypatch.setattr(raster_windows, "_WINDOW_BYTES", budget)
    truth = labels(2, values=(0, 1, 4, 9, 255))
    tiles = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    ours = write(tmp_path / "map.tif", labels(1), **tiles)
    ref = write(tmp_path / "ref.tif", truth[5:, 3:], transform=shifted(3, 5), **tiles)
    pair = open_pair(ours, ref, values=LabelValues(out_of_scope=(9,)))
    path = write_error_map(pair, LEGEND, tmp_path / "errors.tif")
    expected = np.full((40, 50), 255)
    for row in range(5, 40):
        for col in range(3, 50):
            ours_here, truth_here = labels(1)[row, col], truth[row, col]
            if ours_here != 255 and truth_here in (0, 1, 4):
                place = [0, 1, 4].index(truth_here) + 1
                expected[row, col] = 0 if ours_here == truth_here else place
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(1), expected)
        assert file.nodata == 255
        assert file.transform == shifted()
        assert file.colormap(1)[0] == (230, 230, 230, 255)
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert not list(tmp_path.glob("*.raw*"))
    assert path.with_suffix(".qml").exists()


def test_names_open_with_the_map(tmp_path):
    ours, ref = (write(tmp_path / f"{n}.tif", labels(n)) for n in (1, 2))
    classes = [
        LegendClass(value=v, name=f"c{v}", name_zh="类", color="#123456") for v in (0, 1, 4)
    ]
    path = write_error_map(open_pair(ours, ref), classes, tmp_path / "errors.tif")
    found = read_legend(path)
    assert found == error_legend(classes)
    assert [(c.value, c.name, c.name_zh) for c in found] == [
        (0, "correct", "正确"),
        (1, "should be c0", "应为类"),
        (2, "should be c1", "应为类"),
        (3, "should be c4", "应为类"),
    ]


def test_what_cannot_be_written(tmp_path):
    ours, ref = (write(tmp_path / f"{n}.tif", labels(n)) for n in (1, 2))
    pair = open_pair(ours, ref)
    with pytest.raises(OutputError, match=r"errors\.tif' cannot be written"):
        write_error_map(pair, LEGEND, tmp_path / "absent" / "errors.tif")
    many = [LegendClass(value=v, name=str(v), color="#000000") for v in range(255)]
    with pytest.raises(AccuracyError, match="254 classes at most: got 255"):
        write_error_map(pair, many, tmp_path / "errors.tif")


def units(tmp_path, shapes, labels):
    path = save(
        tmp_path / "units.gpkg",
        shapes,
        {"label": np.array(labels, object), "id": np.arange(7, 7 + len(labels))},
        "GPKG",
    )
    return read_reference(path)


def columns_of(path):
    meta, _, geometry, values = read(path, layer="errors")
    assert meta["crs"] == UTM
    columns = dict(zip(meta["fields"], (v.tolist() for v in values), strict=True))
    return columns, shapely.from_wkb(geometry)


def test_points_with_their_errors(tmp_path):
    ours = write(tmp_path / "map.tif", np.array([[0, 1], [4, 255]], np.uint8))
    pixels = [(0, 0), (0, 1), (1, 1), (1, 0)]
    reference = units(tmp_path, points(*pixels), ["water", "land", "ice", "land"])
    counts = compare_points(ours, reference, LEGEND)
    out = tmp_path / "errors.gpkg"
    out.write_text("older")
    columns, geometry = columns_of(write_error_points(reference, counts, LEGEND, out))
    assert columns == {
        "row": [1, 2, 4],
        "reference_class": ["water", "land", "land"],
        "map_class": ["water", "ice", "land"],
        "correct": [1, 0, 1],
        "id": [7, 8, 10],
    }
    assert [(g.x, g.y) for g in geometry] == [place(*pixels[n]) for n in (0, 1, 3)]


def test_polygons_with_their_errors(tmp_path):
    ours = write(tmp_path / "map.tif", np.array([[0, 1, 1], [4, 1, 255]], np.uint8))
    square = shapely.box(500_000, 4_999_980, 500_030, 5_000_000)
    reference = units(tmp_path, [square], ["water"])
    counts = compare_polygons(ours, reference, LEGEND)
    columns, geometry = columns_of(
        write_error_polygons(reference, counts, LEGEND, tmp_path / "errors.gpkg")
    )
    assert columns["map_class"] == ["ice"]
    assert columns["correct"] == [pytest.approx(1 / 5)]
    assert columns["pixels"] == [5]
    assert geometry[0].equals(square)


def test_units_that_cannot_be_written(tmp_path):
    ours = write(tmp_path / "map.tif", np.zeros((2, 2), np.uint8))
    reference = units(tmp_path, points((0, 0)), ["water"])
    counts = compare_points(ours, reference, LEGEND)
    with pytest.raises(OutputError, match=r"e\.gpkg' cannot be written"):
        write_error_points(reference, counts, LEGEND, tmp_path / "absent" / "e.gpkg")
