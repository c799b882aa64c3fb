"""Page and Markdown as documents: self-contained, well formed, escaped, the same every time."""

import re

import pytest

from rs_workbench.accuracy.report.files import render_report, write_report
from rs_workbench.accuracy.report.words import words_in
from rs_workbench.card import LegendClass
from tests.accuracy.assessments import compared_rasters, many_classes, olofsson, two_classes
from tests.accuracy.pages import page_of


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("make", [olofsson, compared_rasters, many_classes, two_classes])
def test_page_loads_nothing_and_is_well_formed(make, lang):
    page = page_of(make(), lang)
    assert [link for link in page.links if not link.startswith("#")] == []
    assert not {"script", "link", "iframe", "img", "object"} & {tag for tag, _ in page.tags}
    style = next(text for tag, _, text in page.texts if tag == "style")
    assert "url(" not in style
    assert "@import" not in style
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_every_value_is_escaped(tmp_path):
    evil = '<script>alert(1)</script> & "x" \' $a$ |b| `c` \x00'
    legend = tuple(LegendClass(value=i, name=f"{evil}{i}", color="#ffffff") for i in range(4))
    found = olofsson(
        legend=legend, map_name=evil, reference_name=evil, warnings=(evil,), grid_policy=evil,
        settings={evil: evil}, version=evil,
    )  # fmt: skip
    files = write_report(found, tmp_path / "r")
    text = files["html"].read_text("utf-8")
    assert "<script" not in text
    assert "\x00" not in text
    assert page_of(found).table("In counts")[2][0].startswith('<script>alert(1)</script> & "x"')
    markdown = files["markdown"].read_text("utf-8")
    assert "<script" not in markdown.replace("\\<script", "")
    assert "\\|b\\|" in markdown


def test_markdown_has_the_same_tables_and_its_drawings_beside_it(tmp_path):
    files = write_report(olofsson(), tmp_path / "r")
    text = files["markdown"].read_text("utf-8")
    assert "| deforestation | 18,000 | **21,158** | 3,142 | 15,000–27,315 | 29.1 | 2.4 |" in text
    assert "| Map ↓ / Reference → | deforestation |" in text
    for name in re.findall(r"\]\((.*?)\)", text):
        assert (tmp_path / "r" / name).read_text("utf-8").startswith("<svg")
    tables = [block.split("\n") for block in text.split("\n\n") if "| ---" in block]
    assert len(tables) == 10
    assert "Green cells" not in text
    assert "Green cells" in files["html"].read_text("utf-8")
    assert all(len({line.count(" |") for line in table}) == 1 for table in tables)


def test_report_is_the_same_every_time():
    first, second = (render_report(olofsson(), words_in("zh")) for _ in range(2))
    assert first == second
