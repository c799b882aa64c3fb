"""Legends: ours back again, other people's, and none at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

from rs_workbench import maps
from rs_workbench.accuracy.reference.legend import parse_classes, read_legend
from rs_workbench.accuracy.reference.legend_files import read_aux_xml, read_xml, split_names
from rs_workbench.errors import AccuracyError, UsageError
from rs_workbench.raster_scene import describe_raster
from rs_workbench.raster_vrt import RasterSpec
from rs_workbench.raster_write import finish_raster
from tests.workbench.rasters import legend, write_tif


@pytest.fixture
def pixels() -> np.ndarray:
    return np.array([[[0, 1, 4], [4, 255, 1]]], np.uint8)


@pytest.fixture
def our_map(tmp_path, pixels) -> Path:
    """A class map as a run writes it, without its companions."""
    scene = describe_raster(write_tif(tmp_path / "scene.tif", pixels))
    raw, path = tmp_path / "raw", tmp_path / "map.tif"
    raw.write_bytes(pixels.tobytes())
    finish_raster(raw, path, scene, RasterSpec.class_map(legend()))
    Path(f"{path}.aux.xml").unlink(missing_ok=True)
    return path


def facts(classes):
    return [(c.value, c.name, c.name_zh, c.color) for c in classes]


def test_our_aux_xml_gives_the_legend_back(our_map):
    maps.write_class_names(our_map, legend())
    assert facts(read_legend(our_map)) == facts(legend())


def test_our_style_gives_the_legend_back(tmp_path, pixels):
    path = Path(write_tif(tmp_path / "bare.tif", pixels, nodata=255))
    maps.write_qml(path, legend())
    assert facts(read_legend(path)) == facts(legend())


def test_our_report_gives_the_legend_back(tmp_path, pixels):
    path = Path(write_tif(tmp_path / "bare.tif", pixels, nodata=255))
    classes = [{**c.model_dump(), "pixels": 3} for c in legend()]
    (tmp_path / "bare_report.json").write_text(json.dumps({"classes": classes}), "utf-8")
    assert facts(read_legend(path)) == facts(legend())


def test_names_and_colors_inside_the_file(our_map):
    # Inside there is no Chinese name.
    assert facts(read_legend(our_map)) == [(c.value, c.name, None, c.color) for c in legend()]


def test_values_where_nothing_is_said(tmp_path, pixels):
    path = write_tif(tmp_path / "bare.tif", pixels)
    assert [(c.value, c.name) for c in read_legend(path)] == [
        (0, "class 0"),
        (1, "class 1"),
        (4, "class 4"),
    ]
    whole = np.array([[[0, 1, 4, np.nan]]], "float32")
    path = write_tif(tmp_path / "float.tif", whole, nodata=0)
    assert [c.value for c in read_legend(path)] == [1, 4]


def test_palette_colors_join_the_values(tmp_path, pixels):
    path = write_tif(tmp_path / "palette.tif", pixels, nodata=255)
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {0: (1, 2, 3, 255), 4: (255, 0, 0, 255)})
    colors = {c.value: c.color for c in read_legend(path)}
    assert colors[0] == "#010203"
    assert colors[4] == "#ff0000"


def test_nodata_is_no_class(tmp_path, pixels):
    path = Path(write_tif(tmp_path / "zero.tif", pixels, nodata=0))
    maps.write_class_names(path, legend())
    assert [c.value for c in read_legend(path)] == [1, 4]


ARCGIS = """<PAMDataset><PAMRasterBand band="1"><GDALRasterAttributeTable>
<FieldDefn index="0"><Name>OID</Name><Type>0</Type><Usage>0</Usage></FieldDefn>
<FieldDefn index="1"><Name>Value</Name><Type>0</Type><Usage>0</Usage></FieldDefn>
<FieldDefn index="2"><Name>Count</Name><Type>1</Type><Usage>1</Usage></FieldDefn>
<FieldDefn index="3"><Name>NLCD_Land</Name><Type>2</Type><Usage>2</Usage></FieldDefn>
<FieldDefn index="4"><Name>Red</Name><Type>1</Type><Usage>6</Usage></FieldDefn>
<FieldDefn index="5"><Name>Green</Name><Type>1</Type><Usage>7</Usage></FieldDefn>
<FieldDefn index="6"><Name>Blue</Name><Type>1</Type><Usage>8</Usage></FieldDefn>
<Row index="0"><F>0</F><F>11</F><F>5</F><F>Open Water</F><F>0.2</F><F>0.4</F><F>1.0</F></Row>
<Row index="1"><F>1</F><F>12</F><F>0</F><F> </F><F>0.0</F><F>0.0</F><F>0.0</F></Row>
<Row index="2"><F>2</F><F>41</F><F>7</F><F>Forest</F><F>0.0</F><F>0.5</F><F>0.0</F></Row>
</GDALRasterAttributeTable></PAMRasterBand></PAMDataset>"""


def test_attribute_table_of_other_people(tmp_path, pixels):
    path = write_tif(tmp_path / "nlcd.tif", pixels)
    Path(f"{path}.aux.xml").write_text(ARCGIS)
    assert facts(read_legend(path)) == [
        (11, "Open Water", None, "#3366ff"),
        (41, "Forest", None, "#008000"),
    ]


def test_category_names_alone(tmp_path):
    path = tmp_path / "x.tif.aux.xml"
    path.write_text(
        "<PAMDataset><PAMRasterBand band='1'><CategoryNames><Category/><Category>sea</Category>"
        "<Category>land</Category></CategoryNames><ColorTable><Entry c1='0' c2='0' c3='0'/>"
        "<Entry c1='0' c2='0' c3='255' c4='255'/></ColorTable></PAMRasterBand></PAMDataset>"
    )
    found = read_aux_xml(path)
    assert {v: (e.name, e.color) for v, e in found.items()} == {
        1: ("sea", "#0000ff"),
        2: ("land", None),
    }


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_never_expanded(tmp_path, encoding):
    path = tmp_path / "bomb.xml"
    path.write_text(BOMB, encoding=encoding)
    assert read_xml(path) is None
    path.write_text("<x>harmless</x>", encoding=encoding)
    assert read_xml(path).text == "harmless"


def test_a_broken_sidecar_is_no_legend(tmp_path, pixels):
    path = write_tif(tmp_path / "map.tif", pixels, nodata=255)
    Path(f"{path}.aux.xml").write_text("<PAMDataset><broken")
    Path(path).with_suffix(".qml").write_text(BOMB)
    (tmp_path / "map_report.json").write_text("[1, 2")
    assert [c.name for c in read_legend(path)] == ["class 0", "class 1", "class 4"]


def test_measurements_are_no_classes(tmp_path):
    path = write_tif(tmp_path / "ndvi.tif", np.array([[[0.5, 1]]], "float32"))
    with pytest.raises(AccuracyError, match=r"'ndvi.tif' is no class map, since it holds 0\.5"):
        read_legend(path)
    path = write_tif(tmp_path / "dem.tif", np.arange(400, dtype="int16")[None, None])
    with pytest.raises(AccuracyError, match="more than 255 different values, such as 0 and 399"):
        read_legend(path)
    path = write_tif(tmp_path / "corine.tif", np.array([[[111, 523]]], "uint16"))
    with pytest.raises(AccuracyError, match=r"class values \[523\].*between 0 and 254"):
        read_legend(path)
    path = write_tif(tmp_path / "empty.tif", np.full((1, 2, 2), 7, "uint8"), nodata=7)
    with pytest.raises(AccuracyError, match=r"'empty.tif' holds no class.*--classes"):
        read_legend(path)


def test_option_classes():
    parsed = parse_classes("2=ice & snow 冰雪#EEEEEE, 1=water，7")
    assert [(c.value, c.name, c.name_zh) for c in parsed] == [
        (1, "water", None),
        (2, "ice & snow", "冰雪"),
        (7, "class 7", None),
    ]
    assert parsed[1].color == "#eeeeee"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("water", "'water' is no class"),
        ("1=a,1=b", "value 1 comes twice"),
        ("300=a", "'300=a' is no class"),
        ("", "'' is no class"),
    ],
)
def test_wrong_option_classes(text, why):
    with pytest.raises(UsageError, match=why):
        parse_classes(text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("water", ("water", None)),
        ("水", ("水", None)),
        ("冰 雪", ("冰 雪", None)),
        ("sea ice 海冰", ("sea ice", "海冰")),
    ],
)
def test_two_names_in_one_label(text, names):
    assert split_names(text) == names


@pytest.mark.data
def test_real_labels(data_folder):
    path = data_folder / "enmap_potsdam" / "enmap_landcover_unstyled.tif"
    assert [c.value for c in read_legend(path)] == [0, 1, 2, 3, 4, 5, 6]
    path = data_folder / "landsat7_chiapas" / "training_data.gtif"
    assert [c.value for c in read_legend(path)] == [1, 2, 3, 4, 5]


def test_values_that_the_user_calls_nodata_are_no_classes(tmp_path):
    pixels = np.array([[[1, 2, -9999]]], np.int16)
    path = write_tif(tmp_path / "m.tif", pixels)
    assert [c.value for c in read_legend(path, nodata=(-9999,))] == [1, 2]
    with pytest.raises(AccuracyError, match=r"\[-9999\].*--map-nodata"):
        read_legend(path)


@pytest.mark.parametrize("strange", [np.inf, -np.inf])
def test_infinity_is_no_class(tmp_path, strange):
    path = write_tif(tmp_path / "m.tif", np.array([[[1, strange]]], np.float32))
    with pytest.raises(AccuracyError, match=f"no class map, since it holds {strange}"):
        read_legend(path)


def test_complex_values_are_no_classes(tmp_path, recwarn):
    path = write_tif(tmp_path / "m.tif", np.ones((1, 2, 2), np.complex64))
    with pytest.raises(AccuracyError, match=r"'m\.tif' holds complex values"):
        read_legend(path)
    assert not [w for w in recwarn if "Complex" in w.category.__name__]
