"""The report's files: JSON and CSV for machines, drawings, and how they get into the folder."""

import csv
import io
import json
import re
import warnings
import xml.etree.ElementTree as ElementTree
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from rs_workbench.accuracy.report import files as report
from rs_workbench.accuracy.report.canvas import _FONTS
from rs_workbench.accuracy.report.files import FILES, check_report, render_report, write_report
from rs_workbench.accuracy.report.json_file import as_dict, to_plain
from rs_workbench.accuracy.report.numbers import area_digits, percent, plain, shorten, shown_width
from rs_workbench.accuracy.report.sentences_zh import CHINESE_SENTENCES
from rs_workbench.accuracy.report.words import words_in
from rs_workbench.accuracy.report.words_en import ENGLISH
from rs_workbench.accuracy.report.words_formulas import FORMULAS_CHINESE, FORMULAS_ENGLISH
from rs_workbench.accuracy.report.words_zh import CHINESE
from rs_workbench.card import LegendClass
from rs_workbench.errors import OutputError, UsageError
from tests.accuracy.assessments import COUNTS, compared_rasters, many_classes, olofsson

CASES = {"design": olofsson, "rasters": compared_rasters, "many": many_classes}


def rows_of(content):
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def test_both_languages_have_the_same_keys_and_placeholders():
    english, chinese = ENGLISH | FORMULAS_ENGLISH, CHINESE | FORMULAS_CHINESE
    assert list(english) == list(chinese)
    holes = {key: set(re.findall(r"{(\w+)}", text)) for key, text in english.items()}
    assert {key: set(re.findall(r"{(\w+)}", text)) for key, text in chinese.items()} == holes


def test_every_word_is_used():
    source = "".join(p.read_text("utf-8") for p in Path(report.__file__).parent.glob("*.py")
                     if "words_" not in p.name)  # fmt: skip
    prefixes = tuple(re.findall(r'f"([a-z.]+)\{', source))
    known = tuple(f"{p}." for p in re.findall(r'known\("([a-z]+)"', source))
    every = ENGLISH | FORMULAS_ENGLISH
    unused = [k for k in every if f'"{k}"' not in source and not k.startswith(prefixes + known)]
    assert unused == []


def test_sentences_put_in_what_their_patterns_find():
    for pattern, translation in CHINESE_SENTENCES:
        groups = re.compile(pattern).groups
        used = {int(n) for n in re.findall(r"{(\d)}", translation)}
        assert used == set(range(groups))


def test_a_third_language_is_refused(tmp_path):
    with pytest.raises(UsageError, match="en or zh: got --lang fr"):
        write_report(olofsson(), tmp_path / "r", lang="fr")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_json_is_strict_and_holds_full_precision(make):
    found = make()
    text = render_report(found, words_in("en"))["json"].decode()
    read = json.loads(text, parse_constant=lambda name: pytest.fail(f"JSON holds {name}"))
    assert read == as_dict(found)
    assert read["confusion_counts"] == found.counts.tolist()
    assert read["axes"] == ["map", "reference"]
    assert read["schema_version"] == 1
    if found.estimate is None:
        assert read["estimate"] is None
        assert read["confusion_area_share"] is None
    else:
        assert read["estimate"]["overall_accuracy"]["value"] == found.estimate.overall.value
        assert read["classes"][1]["adjusted_area"]["area_ha"] == found.estimate.area[1].area_ha
        assert np.array_equal(read["confusion_area_share"], found.estimate.matrix)


def test_json_has_the_same_keys_in_the_same_order_whatever_was_found():
    keys = [list(as_dict(make())) for make in CASES.values()]
    assert keys[0] == keys[1] == keys[2]
    classes = [list(as_dict(make())["classes"][0]) for make in CASES.values()]
    assert classes[0] == classes[1] == classes[2]


def test_json_says_undefined_as_null_and_keeps_units_apart_from_estimates():
    read = as_dict(many_classes(8))
    assert read["classes"][3]["iou"]["value"] is None
    plain_ = as_dict(compared_rasters())
    assert plain_["classes"][0]["users_accuracy"] is None
    assert plain_["classes"][0]["of_units"]["users_accuracy"] == pytest.approx(52_340 / 53_850)


def test_counts_above_what_a_float_holds_stay_exact():
    counts = np.array([[2**53 + 1, 0], [0, 2**31 + 1]], np.int64)
    found = compared_rasters(
        counts=counts, legend=compared_rasters().legend[:2], mapped_pixels=(1, 1),
        mapped_area_ha=None, baselines=(),
    )  # fmt: skip
    files = render_report(found, words_in("en"))
    assert rows_of(files["counts"])[1][1] == "9007199254740993"
    assert b"9,007,199,254,740,993" in files["html"]


def test_plain_values_of_anything():
    assert to_plain({"p": Path("x"), "n": np.float32("inf"), 3: {1.5}}) == {
        "p": "x", "n": None, "3": "{1.5}",
    }  # fmt: skip


def test_matrix_files_name_their_axes():
    files = render_report(olofsson(), words_in("en"))
    counts, shares = rows_of(files["counts"]), rows_of(files["area_share"])
    assert counts[0] == ["map \\ reference", *(c.name for c in olofsson().legend)]
    assert [[int(x) for x in row[1:]] for row in counts[1:]] == COUNTS.tolist()
    assert shares[0] == counts[0]
    read = np.array([[float(x) for x in row[1:]] for row in shares[1:]])
    assert np.array_equal(read, olofsson().estimate.matrix)


def test_area_and_class_files_hold_the_estimates():
    files = render_report(olofsson(), words_in("en"))
    head, first = rows_of(files["areas"])[:2]
    row = dict(zip(head, first, strict=True))
    estimate = olofsson().estimate
    assert float(row["adjusted_area_ha"]) == estimate.area[0].area_ha
    assert float(row["share_low"]) == estimate.share[0].low
    head, first = rows_of(files["classes"])[:2]
    row = dict(zip(head, first, strict=True))
    assert row["basis"] == "estimate"
    assert float(row["producers_accuracy_standard_error"]) == estimate.producers[0].standard_error
    plain_ = rows_of(render_report(compared_rasters(), words_in("en"))["classes"])
    row = dict(zip(plain_[0], plain_[1], strict=True))
    assert (row["basis"], row["users_accuracy_low"]) == ("units", "")


def test_byte_order_mark_only_where_a_file_is_more_than_ascii():
    assert render_report(olofsson(), words_in("zh"))["areas"].startswith(b"\xef\xbb\xbf")
    assert render_report(olofsson(), words_in("en"))["areas"].startswith(b"class_value")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", " ="])
def test_names_cannot_be_formulas(start):
    legend = tuple(LegendClass(value=i, name=f"{start}cmd{i}", color="#000000") for i in range(4))
    files = render_report(olofsson(legend=legend), words_in("en"))
    for kind in ("counts", "area_share", "classes", "areas"):
        cells = [cell for row in rows_of(files[kind]) for cell in row if "cmd" in cell]
        assert cells
        assert not [c for c in cells if c.lstrip().startswith(("=", "+", "-", "@"))]


def test_drawings_are_xml_with_text_in_fonts_of_the_reader():
    files = render_report(olofsson(), words_in("zh"))
    for kind in ("area_plot", "classes_plot"):
        root = ElementTree.fromstring(files[kind])
        texts = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
        assert "稳定非森林" in texts
        text = files[kind].decode()
        assert "DejaVu" not in text
        assert _FONTS in text
        assert "<!DOCTYPE" not in text
        assert re.findall(r"https?://[^\"]+", text.replace("http://www.w3.org/", "")) == []
    assert "74.9" in files["classes_plot"].decode()


def test_drawing_warns_of_no_font_and_leaves_no_state():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        render_report(compared_rasters(), words_in("zh"))
    assert dict(mpl.rcParams) == before


def test_names_with_dollars_and_markup_are_drawn_as_they_are():
    legend = tuple(
        LegendClass(value=i, name=f"$x_{i}$ <b> & y", color="#ffffff") for i in range(4)
    )
    svg = render_report(olofsson(legend=legend), words_in("en"))["classes_plot"]
    texts = [e.text for e in ElementTree.fromstring(svg).iter() if e.text]
    assert "$x_2$ <b> & y" in texts


def test_light_colours_have_an_outline():
    svg = render_report(olofsson(), words_in("en"))["classes_plot"].decode()
    bars = re.findall(r'<path d="[^"]*" clip-path="[^"]*" style="fill: #fff7bc; ([^"]*)"', svg)
    assert len(bars) == 3
    assert all("stroke: #4a5560" in bar for bar in bars)


def test_writing_gives_the_files_and_leaves_nothing_else(tmp_path):
    files = write_report(olofsson(), tmp_path / "a" / "b")
    expected = {k: v for k, v in FILES.items() if k != "blocks_plot"}
    assert {kind: path.name for kind, path in files.items()} == expected
    assert sorted(p.name for p in (tmp_path / "a" / "b").iterdir()) == sorted(expected.values())


def test_an_earlier_report_is_kept_unless_overwritten(tmp_path):
    write_report(olofsson(), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"report\.html' exists already.*--overwrite"):
        write_report(compared_rasters(), tmp_path)
    assert b"change_2000_2010" in (tmp_path / "report.html").read_bytes()
    write_report(compared_rasters(), tmp_path, overwrite=True)
    assert b"dunes_classes" in (tmp_path / "report.html").read_bytes()
    assert not (tmp_path / "areas.csv").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_full_disk_leaves_the_earlier_report_whole(tmp_path, monkeypatch):
    write_report(olofsson(), tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    written = []

    def fail_late(self, content):
        written.append(self.name)
        if len(written) == 4:
            raise OSError(28, "No space left on device")
        with self.open("wb") as file:
            return file.write(content)

    monkeypatch.setattr(Path, "write_bytes", fail_late)
    with pytest.raises(OutputError, match=r"No space left on device.*make room"):
        write_report(compared_rasters(), tmp_path, overwrite=True)
    monkeypatch.undo()
    assert len(written) == 4
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_file_in_the_way_of_the_folder_is_refused(tmp_path):
    (tmp_path / "r").write_text("x")
    with pytest.raises(OutputError, match=r"'.*r' is a file, and a report needs a folder"):
        check_report(tmp_path / "r", overwrite=True)


def test_numbers_claim_no_more_than_they_know():
    assert percent(0.9999999) == "> 99.9"
    assert percent(1e-9) == "< 0.1"
    assert (percent(0.0), percent(1.0), percent(float("nan"))) == ("0.0", "100.0", "–")
    assert percent(-0.0001) == "0.0"
    assert area_digits([]) == 1
    assert shown_width(shorten("水" * 40, 10)) <= 10
    assert plain("a\x1b\u202eb") == "a  b"


def test_assessment_has_no_field_that_the_json_forgets():
    given = {f.name for f in fields(olofsson())}
    renamed = {"map_name": "map", "reference_name": "reference", "kind": "reference_kind"}
    inside = {"legend": "classes", "counts": "confusion_counts", "mapped_pixels": "classes",
              "mapped_area_ha": "classes"}  # fmt: skip
    left = {"map_nodata", "unlabelled", "out_of_scope", "outside"}
    top = set(as_dict(olofsson()))
    wanted = {renamed.get(n, inside.get(n, n)) for n in given - left}
    assert wanted <= top
    assert left <= set(as_dict(olofsson())["n_units"])
