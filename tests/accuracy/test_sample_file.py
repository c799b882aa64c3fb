"""The sample as a file: what QGIS, GDAL and the estimators find in it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyogrio
import pytest
import shapely
from rasterio.crs import CRS

from rs_workbench.accuracy.design.sample_file import (
    SampleLook,
    SampleTable,
    read_design,
    stratum_codes,
    stratum_names,
    write_sample,
)
from rs_workbench.accuracy.design.sample_style import sample_qml
from rs_workbench.accuracy.sample import Design, Stratum
from rs_workbench.errors import AccuracyError, OutputError

NAMES = {0: "water", 3: "forest & bush", 7: "within 2 px of water"}


def table(**given) -> SampleTable:
    columns = {
        "x": np.array([500_005.0, 500_015.0, 500_025.0]),
        "y": np.array([4_999_995.0, 4_999_985.0, 4_999_975.0]),
        "row": np.array([0, 1, 2]),
        "col": np.array([0, 1, 2]),
        "stratum": np.array(["water", "forest", "water"]),
        "inclusion_probability": np.array([0.1, 0.5, 0.1]),
        "map_class": np.array([0, 3, 0]),
    }
    return SampleTable(**{**columns, **given})


def design(**given) -> Design:
    strata = (
        Stratum(name="water", n_population=20, n_drawn=2, area_ha=0.2, classes=(0,)),
        Stratum(name="forest", n_population=2, n_drawn=1, area_ha=0.02, classes=(3,)),
    )
    fields = {"kind": "stratified", "strata": strata, "seed": 5, "crs": "EPSG:32631"}
    return Design(**{**fields, **given})


def write(path: Path, *, overwrite: bool = False, **look) -> Path:
    look = SampleLook(class_names=NAMES, **look)
    out, _ = write_sample(path, table(), design=design(), look=look, overwrite=overwrite)
    return out


def read(path: Path) -> tuple[dict, dict[str, np.ndarray], list]:
    meta, _, wkb, values = pyogrio.raw.read(path, layer="sample")
    columns = dict(zip(meta["fields"].tolist(), values, strict=True))
    return meta, columns, shapely.from_wkb(wkb).tolist()


def style(path: Path) -> ElementTree.Element:
    with closing(sqlite3.connect(path)) as database:
        (found,) = database.execute(
            "SELECT styleQML FROM layer_styles WHERE f_table_name = 'sample' "
            "AND f_geometry_column = 'geom' AND f_table_schema = '' AND useAsDefault"
        )
    return ElementTree.fromstring(found[0])


def test_the_layer_has_its_points_columns_and_crs(tmp_path):
    meta, columns, points = read(write(tmp_path / "s.gpkg"))
    assert meta["crs"] == "EPSG:32631"
    assert meta["geometry_type"] == "Point"
    assert [(p.x, p.y) for p in points][1] == (500_015.0, 4_999_985.0)
    assert list(columns) == [
        "id", "reference", "alternate", "confidence", "note",
        "inclusion_probability", "row", "col", "stratum",
    ]  # fmt: skip
    assert columns["id"].tolist() == [1, 2, 3]
    assert columns["inclusion_probability"].tolist() == [0.1, 0.5, 0.1]


def test_labels_are_empty_integers(tmp_path):
    path = write(tmp_path / "s.gpkg")
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT reference, alternate, confidence, note FROM sample")
        assert rows.fetchall() == [(None,) * 4] * 3
        kinds = {row[1]: row[2] for row in database.execute("PRAGMA table_info(sample)")}
    assert kinds["reference"] == kinds["alternate"] == "MEDIUMINT"


def test_nothing_tells_the_class_of_the_map(tmp_path):
    path = write(tmp_path / "s.gpkg")
    _, columns, _ = read(path)
    assert sorted(set(columns["stratum"])) == ["S1", "S2"]
    assert "map_class" not in columns
    shown = write(tmp_path / "shown.gpkg", show_map_class=True)
    _, columns, _ = read(shown)
    assert columns["stratum"].tolist() == ["water", "forest", "water"]
    assert columns["map_class"].tolist() == [0, 3, 0]


def test_codes_and_names_both_lead_to_the_strata(tmp_path):
    for show in (False, True):
        path = write(tmp_path / f"{show}.gpkg", show_map_class=show)
        _, columns, _ = read(path)
        found = stratum_names(columns["stratum"], read_design(path))
        assert found.tolist() == ["water", "forest", "water"]
    assert stratum_names(["S9", "S1"], design()).tolist()[0] == "S9"


def test_the_order_of_codes_changes_with_the_seed():
    orders = {tuple(stratum_codes(design(seed=seed)).items()) for seed in range(20)}
    assert orders == {
        (("water", "S1"), ("forest", "S2")),
        (("water", "S2"), ("forest", "S1")),
    }


def test_codes_are_told_from_strata_that_are_named_like_codes():
    # Suitability of land by FAO has classes S1, S2 and S3.
    names = ("S1", "S2", "S3")
    strata = tuple(Stratum(name=name, n_population=9) for name in names)
    for seed in range(5):
        design = Design(kind="stratified", strata=strata, seed=seed)
        codes = [stratum_codes(design)[name] for name in names]
        assert not set(codes) & set(names)
        assert stratum_names(codes, design).tolist() == list(names)
        assert stratum_names(names, design).tolist() == list(names)


def test_the_design_comes_back_from_the_file_and_from_beside_it(tmp_path):
    path = write(tmp_path / "s.gpkg")
    assert read_design(path) == design()
    (tmp_path / "s.csv").write_text("id\n1\n")
    assert read_design(tmp_path / "s.csv") == design()
    (tmp_path / "s.design.json").unlink()
    assert read_design(path) == design()
    assert read_design(tmp_path / "s.csv") is None
    assert read_design(tmp_path / "nowhere.gpkg") is None


def test_a_design_that_is_none(tmp_path):
    (tmp_path / "s.csv").write_text("id\n1\n")
    beside = tmp_path / "s.design.json"
    beside.write_text(json.dumps({"kind": "cunning"}))
    with pytest.raises(AccuracyError, match=r"s\.design\.json' is not a sampling design \(kind"):
        read_design(tmp_path / "s.csv")
    beside.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AccuracyError, match=r"s\.design\.json' cannot be read"):
        read_design(tmp_path / "s.csv")


def test_qgis_gets_a_list_of_classes_to_choose_from(tmp_path):
    root = style(write(tmp_path / "s.gpkg"))
    for column in ("reference", "alternate"):
        widget = root.find(f"fieldConfiguration/field[@name='{column}']/editWidget")
        assert widget.get("type") == "ValueMap"
        entries = widget.findall("config/Option/Option[@name='map']/Option/Option")
        chosen = {entry.get("name"): entry.get("value") for entry in entries[1:]}
        assert chosen == {name: str(value) for value, name in NAMES.items()}
        assert entries[0].get("value").startswith("{2839923C")
    hidden = root.find("fieldConfiguration/field[@name='stratum']/editWidget")
    assert hidden.get("type") == "Hidden"
    assert root.find("labeling/settings/text-style").get("fieldName") == "id"
    rules = root.findall("renderer-v2/rules/rule")
    assert [rule.get("filter") for rule in rules] == ['"reference" IS NULL', "ELSE"]


def test_the_outline_of_the_pixel_is_in_map_units():
    root = ElementTree.fromstring(sample_qml(["id"], NAMES, pixel_side=10.0))
    markers = root.findall("renderer-v2/symbols/symbol[@name='0']/layer")
    options = [{o.get("name"): o.get("value") for o in m.iter("Option")} for m in markers]
    assert [(o["name"], o["size"], o["size_unit"]) for o in options] == [
        ("cross", "3", "MM"),
        ("square", "10.0", "MapUnit"),
    ]
    plain = ElementTree.fromstring(sample_qml(["id"], NAMES))
    assert len(plain.findall("renderer-v2/symbols/symbol[@name='0']/layer")) == 1


def test_the_form_speaks_chinese(tmp_path):
    root = style(write(tmp_path / "s.gpkg", lang="zh"))
    assert root.find("aliases/alias[@field='reference']").get("name") == "参考类别"


def test_tables_are_entered_in_the_contents(tmp_path):
    path = write(tmp_path / "s.gpkg")
    layers = {name for name, _ in pyogrio.list_layers(path).tolist()}
    assert layers == {"sample", "rsw_design", "layer_styles"}


def test_no_crs_and_areas(tmp_path):
    out, _ = write_sample(
        tmp_path / "s.gpkg",
        table(area_ha=np.array([0.1, 0.2, 0.3]), stratum=None),
        design=Design(kind="simple_random", n_population=22, equal_area=False, seed=0),
        look=SampleLook(class_names=NAMES),
    )
    meta, columns, _ = read(out)
    assert meta["crs"] is None or "Undefined" in meta["crs"]
    assert columns["area_ha"].tolist() == [0.1, 0.2, 0.3]
    assert "stratum" not in columns
    assert read_design(out).equal_area is False


def test_a_coordinate_system_without_a_number(tmp_path):
    laea = "+proj=laea +lat_0=52 +lon_0=10.5 +x_0=4321000 +y_0=3210000 +ellps=GRS80 +units=m"
    wkt = CRS.from_string(laea).to_string()
    out, _ = write_sample(
        tmp_path / "s.gpkg",
        table(),
        design=design(crs=wkt),
        look=SampleLook(class_names=NAMES),
    )
    assert CRS.from_string(read(out)[0]["crs"]).to_dict()["lon_0"] == 10.5


def test_an_existing_sample_stays(tmp_path):
    path = write(tmp_path / "s.gpkg")
    with pytest.raises(OutputError, match=r"s\.gpkg' exists already.* --overwrite"):
        write(path)
    write(path, overwrite=True)
    (tmp_path / "t.design.json").write_text("{}")
    with pytest.raises(OutputError, match=r"t\.design\.json' exists already"):
        write(tmp_path / "t.gpkg")


def test_labels_are_never_overwritten(tmp_path):
    path = write(tmp_path / "s.gpkg")
    with closing(sqlite3.connect(path)) as database, database:
        # The triggers of the spatial index call functions that only GDAL brings.
        triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute("UPDATE sample SET reference = 3 WHERE id < 3")
    with pytest.raises(OutputError, match=r"s\.gpkg' holds 2 labels, which --overwrite would"):
        write(path, overwrite=True)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OutputError, match=r"there is no folder '.*nowhere', make it first"):
        write(tmp_path / "nowhere" / "s.gpkg")


def test_a_failure_leaves_the_old_file_and_no_scratch(tmp_path, monkeypatch):
    path = write(tmp_path / "s.gpkg")
    before = path.read_bytes()

    def fail(*given, **more):
        raise pyogrio.errors.DataSourceError("disk full")

    monkeypatch.setattr("rs_workbench.accuracy.design.sample_file._write_rows", fail)
    with pytest.raises(OutputError, match=r"s\.gpkg' cannot be written \(disk full\)"):
        write(path, overwrite=True)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.design.json", "s.gpkg"]
