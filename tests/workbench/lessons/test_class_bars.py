"""The picture of scores by class."""

import cv2
import numpy as np
import pytest

from rs_workbench.card import LegendClass
from rs_workbench.lessons.class_bars import picture_of_class_bars
from rs_workbench.lessons.report import Line

CLASSES = (
    LegendClass(value=1, name="water", name_zh="水体", color="#2b6fb5"),
    LegendClass(value=2, name="bare soil", color="#aa8855"),
    LegendClass(value=3, name="broadleaved forest", name_zh="阔叶林", color="#117733"),
)
BLUE = (0x79, 0x4E, 0x1F)  # of the first network, as OpenCV reads it: blue, green, red


def line(name, *values):
    return Line(name, dict(zip((entry.name for entry in CLASSES), values, strict=True)))


def heights(path):
    """Pixels of the first network's bar in each class, from left to right."""
    picture = cv2.imread(str(path))
    bars = (np.abs(picture.astype(int) - BLUE).max(axis=-1) < 3)[80:]  # below the legend
    tall = bars.sum(axis=0)
    starts = np.flatnonzero((tall[1:] > 0) & (tall[:-1] == 0)) + 1
    return picture.shape[1], [int(tall[start + 3]) for start in starts]


@pytest.mark.parametrize("n_lines", [2, 5])
def test_bars_are_as_high_as_scores_and_fill_a_slide(tmp_path, n_lines):
    lines = [line(f"network {k}", 0.8, 0.4, 0.2 if k else 0.0) for k in range(n_lines)]
    width, found = heights(picture_of_class_bars(tmp_path / "bars.png", lines, CLASSES))
    assert 1550 <= width <= 1650
    assert len(found) == 2  # the third has no height
    assert found[0] == pytest.approx(2 * found[1], abs=3)


def test_a_class_without_a_score_is_no_mistake(tmp_path):
    lines = [line("U-Net", 0.5, float("nan"), 1.0), line("CbrrUnet", float("nan"), 0.1, 0.2)]
    _, found = heights(picture_of_class_bars(tmp_path / "bars.png", lines, CLASSES))
    assert found[1] == pytest.approx(2 * found[0], abs=3)


def test_a_line_that_lacks_a_class_is_named(tmp_path):
    with pytest.raises(KeyError, match="water"):
        picture_of_class_bars(tmp_path / "bars.png", [Line("U-Net", {"OA": 0.5})], CLASSES)
