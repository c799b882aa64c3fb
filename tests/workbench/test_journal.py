import json
import subprocess
import sys

import numpy as np
import pytest

from rs_workbench.errors import OutputError, ResumeError
from rs_workbench.journal import Journal, RawSpec, read_journal
from tiling import Window

ASKED = {"scene": "a.tif", "--tile": None}
PLAN = {"tile": 512}


def layers(value, window, count=2):
    return (np.full((count, window.height, window.width), value, np.float32),)


def begin(folder, asked=ASKED):
    journal = Journal.open(folder, asked, PLAN)
    journal.add_layer(RawSpec("scores", "float32", 2), (6, 5))
    return journal


def test_windows_land_in_their_place(tmp_path):
    spec = RawSpec("scores", "float32", 2)
    values = np.random.default_rng(0).normal(size=(2, 6, 5)).astype(np.float32)
    with begin(tmp_path / "run") as journal:
        for window in (Window(0, 0, 4, 3), Window(4, 0, 2, 5), Window(0, 3, 4, 2)):
            journal.finish_strip(window, (values[(slice(None), *window.slices)],), {})
        raw = np.fromfile(tmp_path / "run" / "scores.raw", "<f4").reshape(2, 6, 5)
    np.testing.assert_array_equal(raw, values)
    assert spec.size((6, 5)) == 240


def test_goes_on_with_the_first_plan(tmp_path):
    window = Window(0, 0, 2, 5)
    with begin(tmp_path) as journal:
        assert not journal.resumed
        journal.finish_strip(window, layers(1, window), {"tiles": 3})
    with Journal.open(tmp_path, ASKED, {"tile": 256}) as journal:
        assert journal.resumed
        assert journal.plan == PLAN
        assert journal.strips == [{"tiles": 3}]


def test_a_torn_line_counts_as_not_written(tmp_path):
    window = Window(0, 0, 2, 5)
    with begin(tmp_path) as journal:
        journal.finish_strip(window, layers(1, window), {"tiles": 3})
    with (tmp_path / "journal.jsonl").open("a") as file:
        file.write('{"tiles": 4, "ski')
    header, strips = read_journal(tmp_path)
    assert header["asked"] == ASKED
    assert strips == [{"tiles": 3}]
    with begin(tmp_path) as journal:
        journal.finish_strip(window, layers(2, window), {"tiles": 5})
    lines = (tmp_path / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines[1:]] == [{"tiles": 3}, {"tiles": 5}]


def test_other_settings_are_refused_by_name(tmp_path):
    begin(tmp_path).__exit__()
    with pytest.raises(ResumeError, match=r"has --tile None, this one 256: .*--restart"):
        begin(tmp_path, {**ASKED, "--tile": 256})


def test_a_running_process_keeps_others_out(tmp_path):
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        (tmp_path / "lock").write_text(str(sleeper.pid))
        with pytest.raises(ResumeError, match=f"process {sleeper.pid} is writing"):
            begin(tmp_path)
    finally:
        sleeper.kill()
        sleeper.wait()
    begin(tmp_path).__exit__()
    assert not (tmp_path / "lock").exists()


def test_a_full_disk_is_one_sentence(tmp_path):
    resource = pytest.importorskip("resource", reason="file size limits are of Unix")
    journal = begin(tmp_path)
    window = Window(4, 0, 2, 5)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))  # the layer has 240 bytes
    try:
        with pytest.raises(OutputError, match=r"cannot write to .*same command again"):
            journal.finish_strip(window, layers(1, window), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert read_journal(tmp_path)[1] == []
