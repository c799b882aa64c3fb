"""The bundled model's case: one command from tiles to model, page and pictures."""

from __future__ import annotations

from tests.conftest import require_framework

require_framework("torch")

import re  # noqa: E402
from dataclasses import replace  # noqa: E402
from types import SimpleNamespace  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402

from rs_workbench.accuracy import iou, mean_iou, overall_accuracy  # noqa: E402
from rs_workbench.card import LegendClass, read_card  # noqa: E402
from rs_workbench.standin_files import write_stand_in  # noqa: E402
from rs_workbench.training.run_folder import read_result  # noqa: E402
from tiling.label_index import IGNORE  # noqa: E402
from torch_cases import default_model  # noqa: E402
from torch_cases.model_page.pictures import colored, telling_scenes  # noqa: E402


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """Settings of a run of seconds on drawn tiles, and that run."""
    folder = tmp_path_factory.mktemp("default_model")
    drawn = write_stand_in("dunes", folder / "dunes", count=5)
    changes = {
        **default_model.SMOKE.changes,
        "scenes": [str(drawn / "images")],
        "labels": [str(drawn / "labels")],
        "device": "cpu",
        "chips": 8,
        "forest_pixels": 500,
    }
    s = replace(default_model.SMOKE, changes=changes, out=folder / "out")
    return s, default_model.main(s)


@pytest.fixture
def page(smoke):
    return (smoke[0].out / "default_model.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_it_writes_model_page_pictures_and_map(smoke):
    s, model = smoke
    names = {path.name for path in s.out.iterdir()}
    assert model == s.out / "dunes_unet.onnx"
    assert {
        "run", "dunes_unet.onnx", "default_model.md", "default_model_held_out.png",
        "default_model_sample_scene.png", "sample_scene.tif", "sample_scene_classes.tif",
    } <= names  # fmt: skip


@pytest.mark.slow
def test_the_card_says_where_the_data_come_from(smoke):
    settings, card = default_model.choose(smoke[0]), read_card(smoke[1])
    told = card.training_data
    assert (told.name, told.source) == (settings.data_name, settings.data_source)
    assert told.license == settings.data_license == "MIT"
    assert told.notes.endswith(settings.data_notes)
    assert (card.stride, card.pixel_size, card.nodata) == (8, 0.5, (0.0,))


@pytest.mark.slow
def test_what_is_released_holds_no_trace_of_the_machine(smoke):
    s, model = smoke
    for path in (model, s.out / "run" / "model.pt2"):
        content = path.read_bytes()
        traces = (b"site-packages", b'File "', b"stack_trace", str(s.out.parent).encode())
        assert not [trace for trace in traces if trace in content], path.name


@pytest.mark.slow
def test_the_figures_of_the_page_are_those_of_the_card(smoke, page):
    card = read_card(smoke[1])
    confusion = np.array(card.held_out.confusion)
    mine = re.search(r"\| this model \| (\d\.\d{3})[^|]*\| (\S+)% \|", page)
    assert float(mine[1]) == pytest.approx(mean_iou(confusion), abs=6e-4)
    assert float(mine[2]) == pytest.approx(100 * overall_accuracy(confusion), abs=0.06)
    assert f"this model | {card.held_out.mean_iou:.3f}" in page
    assert f"everywhere | {card.held_out.majority_mean_iou:.3f} " in page
    assert f"{card.held_out.pixel_baseline}) | {card.held_out.pixel_baseline_mean_iou:.3f}" in page
    for entry, score, row in zip(card.classes, iou(confusion), confusion, strict=True):
        listed = re.search(rf"\| {entry.value} \| {entry.name} \|(?:[^|]*\|){{3}} (\S+) \|", page)
        assert listed[1] == ("–" if np.isnan(score) else f"{score:.3f}")
        cells = " | ".join(f"{n / 1000:.1f}" for n in row)
        assert f"| {entry.name} | {cells} |" in page
    assert "nan" not in page


@pytest.mark.slow
def test_every_part_of_the_split_is_listed_with_its_tiles(page):
    rows = dict(re.findall(r"^\| (training|validation|held-out) \| (\d+) \|", page, re.MULTILINE))
    assert set(rows) == {"training", "validation", "held-out"}
    assert all(1 <= int(tiles) <= 5 for tiles in rows.values())


@pytest.mark.slow
def test_the_same_command_again_trains_nothing(smoke):
    s, _ = smoke
    before = (s.out / "run" / "history.csv").stat().st_mtime_ns
    assert default_model.train(s) == read_result(s.out / "run")
    assert (s.out / "run" / "history.csv").stat().st_mtime_ns == before


def test_the_tiles_shown_are_those_with_most_classes_on_held_out_ground():
    one, two = [[900, 0], [900, 0]], [[500, 0], [0, 500]]
    indexes = [SimpleNamespace(counts=np.array([cells])) for cells in (one, two, two, one)]
    held = np.ones((1, 2), bool)
    split = SimpleNamespace(cells=lambda part: (held, ~held, held, held))
    data = SimpleNamespace(indexes=indexes, split=split)
    assert telling_scenes(data, 2) == [2, 0]


def test_pictures_are_in_the_colours_of_the_legend():
    classes = [LegendClass(value=4, name="wood", color="#0a141e")]
    assert colored(np.array([[4, IGNORE]]), classes, [4]).tolist() == [[[10, 20, 30], [255] * 3]]
