"""Published figures are marked as such, and say on what they were measured."""

import pytest

from rs_workbench.lessons import course_figures
from rs_workbench.lessons.report import Line

TABLES = {name: table for name, table in vars(course_figures).items() if name.startswith("COURSE")}


@pytest.mark.parametrize("name", TABLES)
def test_each_figure_is_marked_as_published_with_its_source(name):
    for line in TABLES[name]:
        assert isinstance(line, Line)
        assert line.name.startswith("course: ")
        assert line.kind == "published"
        assert line.note.startswith("other data: ")


def test_the_figures_are_those_of_the_course():
    found = {
        name: [tuple(line.figures.values()) for line in table] for name, table in TABLES.items()
    }
    assert found == {
        "COURSE_LAND_COVER": [(0.8990,), (0.9482,), (0.9537,), (0.9224,)],
        "COURSE_BACKBONES": [(0.8705,), (0.9427,), (0.9224,)],
        "COURSE_DECODERS": [(0.9408,), (0.9541,), (0.9224,)],
        "COURSE_CBRR": [(0.9369, 22_149_381), (0.9420, 7_807_397)],
    }
