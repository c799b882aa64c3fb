"""The folder of a run: new, unfinished or finished; and whose it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rs_workbench.errors import OutputError, ResumeError, UsageError
from rs_workbench.journal import explain_disk_errors, lock_folder
from rs_workbench.training.settings import TrainSettings
from rs_workbench.training.settings_file import (
    RESOLVED,
    differences,
    read_settings,
    write_settings,
)

if TYPE_CHECKING:
    from rs_workbench.training.train_result import TrainResult

SETTINGS, STATE, RESULT, BLOCKS = "settings.yaml", "state", "result.json", "blocks"
OURS = (
    *(SETTINGS, STATE, RESULT, BLOCKS, "lock", "model.keras", "model.pt2", "model.onnx"),
    *("history.csv", "history.png", "pictures", "tensorboard", "held_out"),
    *("held_out_blocks.npz", "leaks.json"),
)
"""All that a run leaves in its folder."""
FREE = ("device", "gpu_memory", "workers", "onnx", "pictures")
"""Settings that may change when a run goes on: they do not change what is learnt."""

Standing = Literal["new", "unfinished", "finished"]


def check_folder(folder: Path, settings: TrainSettings, *, overwrite: bool = False) -> Standing:
    """Say what is in a folder, and refuse it where it cannot take this run.

    Parameters
    ----------
    folder : Path
        It need not be there.
    settings : TrainSettings
        Of the run.
    overwrite : bool
        Whether an earlier run in it may be removed.

    Returns
    -------
    str
        "new", also where an earlier run never came to the end of an epoch; "unfinished" where
        the run can go on; or "finished" where these settings were run to the end.

    Raises
    ------
    OutputError
        If it is a file, holds files of the user's, or the finished run of other settings.
    ResumeError
        If it holds an unfinished run of other settings.
    """
    if folder.is_file():
        raise OutputError(f"'{folder}' is a file: give a folder with --output")
    if not folder.is_dir() or not any(folder.iterdir()):
        return "new"
    before = _read(folder)
    if before is None:
        foreign = sorted(path.name for path in folder.iterdir())
        listed = ", ".join(f"'{name}'" for name in foreign[:3])
        raise OutputError(
            f"'{folder}' holds {listed}{' and more' if len(foreign) > 3 else ''}, which is no "
            "run of rsw train: give a new folder with --output"
        )
    if overwrite:
        return "new"
    finished = (folder / RESULT).is_file()
    changed = {k: v for k, v in differences(before, settings).items() if k not in FREE}
    if not changed:
        return "finished" if finished else "unfinished"
    if not finished and not (folder / STATE).is_dir():
        return "new"  # it never came to the end of an epoch
    told = ", ".join(f"{key} {_short(a)} (now {_short(b)})" for key, (a, b) in changed.items())
    if finished:
        raise OutputError(
            f"'{folder}' holds a finished run with {told}: choose another --output, or replace "
            "it with --overwrite"
        )
    raise ResumeError(
        f"'{folder}' holds an unfinished run with {told}: repeat its command to finish it, "
        "choose another --output, or replace it with --overwrite"
    )


@contextmanager
def open_folder(folder: Path, settings: TrainSettings, *, standing: Standing) -> Iterator[None]:
    """Make the folder ready, and keep other processes out while the run goes on.

    Parameters
    ----------
    folder : Path
        Made if missing; what an earlier run left is removed where the run is new.
    settings : TrainSettings
        Written into it.
    standing : str
        From `check_folder`.

    Yields
    ------
    None
        While the folder is locked.

    Raises
    ------
    ResumeError
        If another process trains into it.
    OutputError
        If it cannot be written to.
    """
    with explain_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock_folder(folder)
    try:
        with explain_disk_errors(folder):
            if standing == "new":
                _remove_earlier(folder)
            write_settings(settings, folder / SETTINGS)
        yield
    finally:
        (folder / "lock").unlink(missing_ok=True)


def remove_state(folder: Path) -> None:
    """Remove what a finished run needs no more to go on.

    Parameters
    ----------
    folder : Path
        Of the run.
    """
    shutil.rmtree(folder / STATE, ignore_errors=True)


def read_result(folder: Path) -> TrainResult:
    """Read the result of a finished run.

    Parameters
    ----------
    folder : Path
        Of the run.

    Returns
    -------
    TrainResult
        As ``result.json`` says.
    """
    from rs_workbench.training.train_result import TrainResult

    return TrainResult(**json.loads((folder / RESULT).read_text(encoding="utf-8")))


def _read(folder: Path) -> TrainSettings | None:
    """Read the settings of the run in a folder; None where there is none of ours."""
    path = folder / SETTINGS
    try:
        if not path.read_text(encoding="utf-8").startswith(RESOLVED):
            return None
        return read_settings(path)
    except (OSError, UnicodeDecodeError, UsageError):
        return None


def _remove_earlier(folder: Path) -> None:
    for name in OURS:
        path = folder / name
        if name == "lock":
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
