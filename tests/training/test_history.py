import csv
import math

import numpy as np
import pytest

from rs_workbench.errors import OutputError
from rs_workbench.training.event_files import EventFile, open_events
from rs_workbench.training.history import COLUMNS, History, draw_history, read_history, write_whole
from tests.training.fakes import CLASSES, make_data, make_epoch


@pytest.fixture(scope="module")
def data():
    return make_data(size=32)


def test_each_epoch_is_a_row_with_the_iou_of_every_class(tmp_path, data):
    history = History(tmp_path)
    for number in (1, 2):
        history(make_epoch(number), None, data)
    with (tmp_path / "history.csv").open(encoding="utf-8", newline="") as stream:
        first, second = csv.DictReader(stream)
    assert list(first) == [*COLUMNS, "iou_water", "iou_bare, sand", "iou_forest"]
    assert (first["epoch"], second["epoch"], second["loss"]) == ("1", "2", "0.5")
    assert float(first["iou_water"]) == pytest.approx(8 / 10)
    assert first["iou_forest"] == "", "a class in neither map nor reference has no IoU"


def test_a_resumed_run_keeps_whole_epochs_and_drops_what_is_made_again(tmp_path, data):
    for number in (1, 2, 3):
        History(tmp_path)(make_epoch(number, mean_iou=0.1), None, data)
    History(tmp_path)(make_epoch(3, mean_iou=0.9), None, data)
    rows = read_history(tmp_path)[1:]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    assert [row[3] for row in rows] == ["0.1", "0.1", "0.9"]


def test_rows_of_other_classes_are_not_mixed_in(tmp_path, data):
    History(tmp_path)(make_epoch(1), None, data)
    fewer = make_data(size=32, classes=CLASSES[:2])
    History(tmp_path)(make_epoch(2, confusion=((1, 0), (0, 1))), None, fewer)
    assert [row[0] for row in read_history(tmp_path)] == ["epoch", "2"]


def test_epochs_without_validation_leave_their_cells_empty(tmp_path, data):
    History(tmp_path)(make_epoch(1, mean_iou=None, confusion=None), None, data)
    assert read_history(tmp_path)[1][3:5] == ["", ""]
    assert draw_history(tmp_path).stat().st_size > 5000


def test_the_curves_mark_the_best_epoch(tmp_path, data, monkeypatch):
    from matplotlib.axes import Axes

    marked = []
    monkeypatch.setattr(Axes, "axvline", lambda self, x, **style: marked.append(x))
    assert draw_history(tmp_path) is None
    for number, score in enumerate((0.2, 0.7, 0.4), 1):
        History(tmp_path)(make_epoch(number, mean_iou=score), None, data)
    draw_history(tmp_path)
    assert marked == [2]


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path):
    write_whole(tmp_path / "a" / "x.csv", b"1")
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["x.csv"]
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="file"):
        write_whole(tmp_path / "file" / "x.csv", b"1")


def test_event_files_hold_scalars_and_the_picture(tmp_path, data):
    tensorboard = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "epoch_0002.png").write_bytes(b"picture")
    events = EventFile(tmp_path)
    for number in (1, 2):
        events(make_epoch(number), None, data)
    (path,) = (tmp_path / "tensorboard").iterdir()
    assert path.name.startswith("events.out.tfevents.")
    found = [tensorboard.Event.FromString(record) for record in _records(path.read_bytes())]
    assert found[0].file_version == "brain.Event:2"
    assert found[1].session_log.status == 1
    values = {(e.step, v.tag): v for e in found for v in e.summary.value}
    assert values[2, "training/loss"].simple_value == 0.5
    assert values[1, "validation/mean_iou"].simple_value == 0.5
    assert math.isclose(values[1, "validation_iou/water"].simple_value, 0.8, rel_tol=1e-6)
    assert (1, "validation_iou/forest") not in values
    assert values[2, "pictures"].image.encoded_image_string == b"picture"
    assert (1, "pictures") not in values


def test_without_tensorboard_one_line_says_so(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    lines = []
    assert open_events(tmp_path, lines.append) is None
    assert len(lines) == 1
    assert "pip install tensorboard" in lines[0]


def _records(content):
    """Take TFRecords apart: length, its checksum, data, its checksum."""
    while content:
        length = int(np.frombuffer(content[:8], "<u8")[0])
        yield content[12 : 12 + length]
        content = content[16 + length :]
