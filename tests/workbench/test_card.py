from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rs_workbench.card import (
    CARD_MEMBER,
    Band,
    LegendClass,
    ModelCard,
    card_beside,
    card_text,
    load_card,
    parse_card,
    plain_card,
    read_card,
    spread_color,
    write_card,
)
from rs_workbench.errors import ModelError, OutputError
from tests.backends import onnx_models


@pytest.fixture
def card():
    return ModelCard(
        name="ice",
        bands=(Band(name="red", wavelength=665.0, mean=1200.5, std=300.25, low=3, high=2999),),
        dtype="uint16",
        nodata=(0.0, -9999.0),
        classes=(
            LegendClass(value=0, name="water", name_zh="水", color="#3366cc"),
            LegendClass(value=7, name="ice", name_zh="冰", color="#ffffff"),
        ),
        scores="probabilities",
        pixel_size=10.0,
        tile=256,
        stride=16,
        reach=44,
    )


def write_archive(path, members=("model/data.bin", "model/version")):
    with zipfile.ZipFile(path, "w") as archive:
        for name in members:
            archive.writestr(name, name * 50)
    return path


def write_model(folder, kind):
    if kind == "folder":
        model = folder / "smp"
        model.mkdir()
        (model / "config.json").write_text("{}")
        return model
    path = folder / f"model.{kind}"
    return onnx_models.write_deep(path, 3, 4) if kind == "onnx" else write_archive(path)


KINDS = ["onnx", "keras", "pt2", "folder"]


@pytest.mark.parametrize("kind", KINDS)
def test_card_travels_inside(tmp_path, card, kind):
    path = write_model(tmp_path, kind)
    assert read_card(path) is None
    held_by = write_card(path, card)
    assert held_by == (path / CARD_MEMBER if kind == "folder" else path)
    assert read_card(path) == card
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", KINDS)
def test_card_is_replaced(tmp_path, card, kind):
    path = write_model(tmp_path, kind)
    write_card(path, plain_card("first", 3, 4))
    size = None if path.is_dir() else path.stat().st_size
    write_card(path, card)
    assert read_card(path) == card
    write_card(path, plain_card("first", 3, 4))
    assert size is None or path.stat().st_size == size


@pytest.mark.parametrize("kind", KINDS)
def test_card_beside_wins(tmp_path, card, kind):
    path = write_model(tmp_path, kind)
    write_card(path, plain_card("inside", 3, 4))
    card_beside(path).write_text(card_text(card), encoding="utf-8")
    assert read_card(path) == card
    changed = card.model_copy(update={"name": "new"})
    assert write_card(path, changed) == card_beside(path)
    assert read_card(path) == changed


def test_card_goes_beside_where_the_format_has_no_room(tmp_path, card):
    path = tmp_path / "model.bin"
    path.write_bytes(b"x")
    assert write_card(path, card).name == "model.bin.card.json"
    assert read_card(path) == card
    assert path.read_bytes() == b"x"


def test_card_goes_beside_where_the_model_may_not_be_written(tmp_path, card, monkeypatch):
    path = write_model(tmp_path, "keras")

    def refuse(*args):
        raise PermissionError(13, "read-only")

    monkeypatch.setattr("rs_workbench.card._write_inside", refuse)
    assert write_card(path, card) == card_beside(path)
    assert read_card(path) == card


def test_other_members_stay_where_they_are(tmp_path, card):
    path = write_archive(tmp_path / "model.pt2")
    with zipfile.ZipFile(path) as archive:
        before = [(m.filename, m.header_offset, m.CRC) for m in archive.infolist()]
    for _ in range(3):
        write_card(path, card)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        after = [(m.filename, m.header_offset, m.CRC) for m in archive.infolist()]
    assert after[:-1] == before
    assert after[-1][0] == f"model/extra/{CARD_MEMBER}"


def test_card_in_the_middle_of_an_archive_is_replaced(tmp_path, card):
    path = write_archive(tmp_path / "model.keras", ("a", CARD_MEMBER, "b"))
    with pytest.raises(ModelError, match=r"card inside 'model\.keras'"):
        read_card(path)
    write_card(path, card)
    assert read_card(path) == card
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["a", "b", CARD_MEMBER]
        assert archive.read("b") == b"b" * 50


def test_failed_write_leaves_the_model(tmp_path, card, monkeypatch):
    path = write_model(tmp_path, "keras")
    before = path.read_bytes()

    def fail(self, *args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", fail)
    monkeypatch.setattr("pathlib.Path.write_text", fail)
    with pytest.raises(OutputError, match="No space left"):
        write_card(path, card)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_other_onnx_metadata_is_kept(tmp_path, card):
    import onnx

    path = write_model(tmp_path, "onnx")
    proto = onnx.load(path)
    proto.metadata_props.add(key="author", value="someone")
    onnx.save(proto, path)
    write_card(path, card)
    write_card(path, card)
    props = [p.key for p in onnx.load(path).metadata_props]
    assert "author" in props
    assert len(props) == len(set(props))


def test_missing_model(tmp_path, card):
    with pytest.raises(ModelError, match=r"no model at '.*nowhere\.onnx'"):
        write_card(tmp_path / "nowhere.onnx", card)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stride": 0}, r"field 'stride': .*greater than 0"),
        ({"colour": "red"}, r"field 'colour': Extra inputs"),
        ({"tile": 100}, r"tile 100 px is not a multiple of stride 16 px"),
        ({"schema_version": 2}, r"field 'schema_version': Input should be 1"),
        ({"bands": []}, r"field 'bands': .*at least 1"),
    ],
)
def test_wrong_fields_are_named(tmp_path, card, change, words):
    data = json.loads(card_text(card)) | change
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ModelError, match=r"the card 'wrong\.json'.*" + words):
        load_card(path)


def test_card_that_is_no_json(tmp_path):
    with pytest.raises(ModelError, match=r"the card 'x'.*Invalid JSON"):
        parse_card("{", "the card 'x'")
    with pytest.raises(ModelError, match=r"nothing\.json' cannot be read"):
        load_card(tmp_path / "nothing.json")


def test_huge_card_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(CARD_MEMBER, b" " * (5 << 20))
    with pytest.raises(ModelError, match=r"5242880 bytes, more than the 4194304"):
        read_card(path)


def test_classes_must_differ(card):
    with pytest.raises(ValidationError, match=r"class values must differ: got \[1, 1\]"):
        ModelCard(
            name="x",
            bands=card.bands,
            classes=[LegendClass(value=1, name=n, color="#000000") for n in "ab"],
        )


def test_text_is_stable(card):
    assert parse_card(card_text(card), "it") == card
    assert "水" in card_text(card)
    assert "held_out" not in card_text(card)


@given(st.integers(1, 300), st.integers(1, 255))
def test_plain_card_fits_any_width(n_bands, n_classes):
    card = plain_card("m", n_bands, n_classes)
    assert (card.n_bands, card.n_classes) == (n_bands, max(n_classes, 2))
    assert parse_card(card_text(card), "it") == card


def test_colours_of_a_legend_differ():
    colors = {spread_color(k, 40) for k in range(40)}
    assert len(colors) == 40


def test_reading_a_card_loads_no_framework(tmp_path, card):
    import subprocess
    import sys

    path = write_model(tmp_path, "keras")
    write_card(path, card)
    code = (
        "import sys; from rs_workbench.card import read_card;"
        f"assert read_card({str(path)!r}).name == 'ice';"
        "bad = {'torch', 'tensorflow', 'keras', 'onnx', 'openvino'} & set(sys.modules);"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_float_fields_survive(tmp_path, card):
    value = float(np.nextafter(0.1, 1))
    exact = card.model_copy(update={"fill": value})
    path = write_model(tmp_path, "pt2")
    write_card(path, exact)
    assert read_card(path).fill == value
