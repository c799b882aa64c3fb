import json
import os
import subprocess
import sys

import numpy as np
import psutil
import pytest

from rs_workbench.errors import OutputError, ResumeError
from rs_workbench.journal import Journal, RawSpec, read_journal, remove_work
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
        began = psutil.Process(sleeper.pid).create_time()
        (tmp_path / "lock").write_text(f"{sleeper.pid} {began:.2f}")
        with pytest.raises(ResumeError, match=f"process {sleeper.pid} is writing"):
            begin(tmp_path)
    finally:
        sleeper.kill()
        sleeper.wait()
    (tmp_path / "lock").write_text(f"{os.getppid()} 1.00")  # the number went to another process
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


@pytest.mark.parametrize("content", ["garbage\n", '{"plan": {}}\n', "[1, 2]\n"])
def test_a_journal_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "journal.jsonl").write_text(content)
    with pytest.raises(ResumeError, match="cannot be read: begin anew with --restart"):
        begin(tmp_path)


def test_a_lost_layer_is_never_taken_for_zeros(tmp_path):
    window = Window(0, 0, 2, 5)
    with begin(tmp_path) as journal:
        journal.finish_strip(window, layers(1, window), {"tiles": 3})
    (tmp_path / "scores.raw").unlink()
    with pytest.raises(ResumeError, match=r"has lost its file scores.raw: .*--restart"):
        begin(tmp_path)


def test_restart_does_not_touch_a_running_run(tmp_path):
    window = Window(0, 0, 2, 5)
    with begin(tmp_path) as journal:
        journal.finish_strip(window, layers(1, window), {"tiles": 3})
        began = psutil.Process(os.getppid()).create_time()
        (tmp_path / "lock").write_text(f"{os.getppid()} {began:.2f}")
        with pytest.raises(ResumeError, match="is writing"):
            Journal.open(tmp_path, ASKED, PLAN, restart=True)
        assert len(read_journal(tmp_path)[1]) == 1


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "map.tif.part").touch()
    with pytest.raises(OutputError, match="cannot write to"):
        begin(tmp_path / "map.tif.part")


def test_the_journal_goes_first(tmp_path, monkeypatch):
    """Killed while it clears up, a run leaves nothing that looks like an unfinished one."""
    begin(tmp_path / "run").__exit__()
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    remove_work(tmp_path / "run")
    assert read_journal(tmp_path / "run") is None
