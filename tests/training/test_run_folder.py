"""The folder of a run: whose it is, whether it can go on, what is removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rs_workbench.errors import OutputError, ResumeError
from rs_workbench.training.run_folder import check_folder, open_folder, remove_state
from rs_workbench.training.settings import TrainSettings
from rs_workbench.training.settings_file import make_settings, read_settings


def settings(**changes: object) -> TrainSettings:
    return make_settings({"scenes": ["a.tif"], "labels": ["b.tif"], **changes})


def begin(folder: Path, of: TrainSettings) -> None:
    with open_folder(folder, of, standing="new"):
        assert (folder / "lock").exists()
        (folder / "state").mkdir(exist_ok=True)


def test_a_folder_is_new_then_unfinished_then_finished(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert check_folder(folder, settings()) == "new"
    begin(folder, settings())
    assert not (folder / "lock").exists()
    assert read_settings(folder / "settings.yaml") == settings()
    assert check_folder(folder, settings()) == "unfinished"
    (folder / "result.json").write_text("{}")
    remove_state(folder)
    assert not (folder / "state").exists()
    assert check_folder(folder, settings()) == "finished"
    assert check_folder(folder, settings(), overwrite=True) == "new"


def test_an_empty_folder_is_new(tmp_path: Path) -> None:
    assert check_folder(tmp_path, settings()) == "new"


@pytest.mark.parametrize("overwrite", [True, False])
def test_files_of_the_user_are_never_touched(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "settings.yaml").write_text("scenes: [a.tif]\nlabels: [b.tif]\n")  # not ours
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(OutputError, match=r"holds 'settings.yaml', 'thesis.doc', which is no run"):
        check_folder(tmp_path, settings(), overwrite=overwrite)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(OutputError, match="is a file: give a folder with --output"):
        check_folder(tmp_path / "x", settings())


def test_other_settings_are_refused_by_the_keys_that_differ(tmp_path: Path) -> None:
    begin(tmp_path, settings(epochs=3))
    other = settings(epochs=5, split={"block": 300}, workers=4, device="cpu")
    with pytest.raises(ResumeError) as caught:
        check_folder(tmp_path, other)
    said = str(caught.value)
    assert "an unfinished run with split.block none (now 300), epochs 3 (now 5): repeat" in said
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(OutputError, match=r"a finished run with split.block none \(now 300\)"):
        check_folder(tmp_path, other)


def test_a_run_that_never_ended_an_epoch_may_be_told_otherwise(tmp_path: Path) -> None:
    begin(tmp_path, settings(epochs=3))
    (tmp_path / "state").rmdir()
    assert check_folder(tmp_path, settings(epochs=5)) == "new"
    assert check_folder(tmp_path, settings(epochs=3)) == "unfinished"


def test_where_it_runs_may_change_on_the_way(tmp_path: Path) -> None:
    begin(tmp_path, settings())
    elsewhere = settings(workers=7, device="cuda:0", gpu_memory="6GB", onnx=False)
    assert check_folder(tmp_path, elsewhere) == "unfinished"


def test_a_new_run_removes_what_an_earlier_one_left_and_nothing_else(tmp_path: Path) -> None:
    begin(tmp_path, settings(epochs=3))
    for name in ("model.onnx", "result.json", "history.csv", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "pictures").mkdir()
    with open_folder(tmp_path, settings(), standing="new"):
        left = {path.name for path in tmp_path.iterdir()}
    assert left == {"settings.yaml", "lock", "notes.txt"}


def test_an_unfinished_run_keeps_its_state(tmp_path: Path) -> None:
    begin(tmp_path, settings())
    with open_folder(tmp_path, settings(), standing="unfinished"):
        assert (tmp_path / "state").is_dir()


def test_a_second_process_is_kept_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_folder(tmp_path, settings(), standing="new"):
        other = os.getpid() + 1
        monkeypatch.setattr(os, "getpid", lambda: other)
        with (
            pytest.raises(ResumeError, match=r"is writing to .*: wait for it to end"),
            open_folder(tmp_path, settings(), standing="unfinished"),
        ):
            pass
        assert (tmp_path / "lock").exists()


def test_a_run_that_fails_lifts_the_lock(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), open_folder(tmp_path, settings(), standing="new"):
        raise RuntimeError
    assert not (tmp_path / "lock").exists()
