"""What a run has finished, kept so that the same command goes on after a stop.

A run works in a folder beside its output, `<output>.part`:

* one flat file per output layer, band after band, rows of the whole scene's width. Every pixel
  has its place from the start, so a killed process can spoil nothing that was finished;
* `journal.jsonl`: a first line with what was asked and the plan made from it, then a line per
  finished strip. A line is written after its pixels. A torn last line counts as not written.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import psutil
from numpy.typing import NDArray

from rs_workbench.errors import OutputError, ResumeError
from tiling import Window


@dataclass(frozen=True)
class RawSpec:
    """One layer on disk: its file's stem, pixel type and number of bands."""

    name: str
    dtype: str
    count: int = 1

    def size(self, shape: tuple[int, int]) -> int:
        """Bytes the layer takes for a scene of this height and width."""
        return self.count * shape[0] * shape[1] * np.dtype(self.dtype).itemsize


class RawLayer:
    """A flat file that takes windows in any order."""

    def __init__(self, path: Path, spec: RawSpec, shape: tuple[int, int]) -> None:
        self.path, self.spec, self.shape = path, spec, shape
        self._file: BinaryIO = path.open("r+b" if path.exists() else "w+b")
        if path.stat().st_size != spec.size(shape):
            self._file.truncate(spec.size(shape))

    def write(self, window: Window, values: NDArray[Any]) -> None:
        """Write (C, h, w) values at their place."""
        height, width = self.shape
        values = np.ascontiguousarray(values, self.spec.dtype)
        step = values.dtype.itemsize
        for band, rows in enumerate(values):
            start = (band * height + window.row) * width + window.col
            if window.width == width:
                self._put(start * step, rows)
                continue
            for i, row in enumerate(rows):
                self._put((start + i * width) * step, row)

    def _put(self, offset: int, values: NDArray[Any]) -> None:
        self._file.seek(offset)
        self._file.write(values.data)

    def flush(self) -> None:
        """Hand everything written so far to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Journal:
    """The work folder of one run: its layers, and what is finished.

    Use `Journal.open`. As a context manager it closes its files and lifts its lock.
    """

    def __init__(
        self, folder: Path, plan: Mapping[str, Any], strips: list[dict[str, Any]]
    ) -> None:
        self.folder, self.plan, self.strips = folder, plan, strips
        self.resumed = bool(strips)
        self.layers: list[RawLayer] = []
        self._file = (folder / "journal.jsonl").open("a", encoding="utf-8")

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        for layer in self.layers:
            layer.close()
        self._file.close()
        (self.folder / "lock").unlink(missing_ok=True)

    @classmethod
    def open(
        cls,
        folder: Path,
        asked: Mapping[str, Any],
        plan: Mapping[str, Any],
        *,
        restart: bool = False,
    ) -> Journal:
        """Go on with the run in `folder`, or start one.

        Parameters
        ----------
        folder : Path
            Work folder; made if missing.
        asked : mapping
            What determines the result: model, scene and options. Must be plain JSON values.
        plan : mapping
            What was chosen for this run; an unfinished run keeps the plan it began with.
        restart : bool, default False
            Forget what an earlier run finished.

        Returns
        -------
        Journal
            `plan` and `strips` hold what counts from now on.

        Raises
        ------
        ResumeError
            If the unfinished run in `folder` was asked for something else, still runs, or
            cannot be read.
        OutputError
            If the folder cannot be written to.
        """
        with explain_disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock_folder(folder)
            found = None if restart else read_journal(folder)
            if found is None:
                _restart(folder, {"asked": asked, "plan": plan})
                return cls(folder, plan, [])
            header, strips = found
            compare_asked(folder, header["asked"], asked)
            _cut_torn_line(folder)
            return cls(folder, header["plan"], strips)

    def add_layer(self, spec: RawSpec, shape: tuple[int, int]) -> None:
        """Open the file of one layer; of a run that goes on it must be there and whole."""
        path = self.folder / f"{spec.name}.raw"
        if self.strips and (not path.exists() or path.stat().st_size != spec.size(shape)):
            raise ResumeError(
                f"the unfinished run in '{self.folder}' has lost its file {path.name}: begin anew "
                "with --restart"
            )
        with explain_disk_errors(self.folder):
            self.layers.append(RawLayer(path, spec, shape))

    def finish_strip(
        self, window: Window, layers: tuple[NDArray[Any], ...], facts: Mapping[str, Any]
    ) -> None:
        """Write the rows of one strip, then record that they are written.

        Parameters
        ----------
        window : Window
            Where the rows lie in the scene.
        layers : tuple of ndarray, each of shape (C, h, w)
            Values, in the order of `add_layer`.
        facts : mapping
            What the report will need of this strip.

        Raises
        ------
        OutputError
            If the disk is full or the folder has gone.
        """
        with explain_disk_errors(self.folder):
            for layer, values in zip(self.layers, layers, strict=True):
                layer.write(window, values)
                layer.flush()
            self._file.write(json.dumps(facts) + "\n")
            self._file.flush()
        self.strips.append(dict(facts))


@contextmanager
def explain_disk_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk says into one sentence.

    Parameters
    ----------
    folder : Path
        What is written to.

    Yields
    ------
    None
        While writing.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written to or has gone.
    """
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"cannot write to '{folder}' ({error.strerror or error}): make room or choose another "
            "--output, then run the same command again, which goes on where it stopped"
        ) from error


def read_journal(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """Read what an earlier run left.

    Parameters
    ----------
    folder : Path
        Work folder of the run.

    Returns
    -------
    (dict, list of dict) or None
        Header (`asked`, `plan`) and finished strips; None where no run began.

    Raises
    ------
    ResumeError
        If the journal is not one of ours.
    """
    path = folder / "journal.jsonl"
    if not path.is_file():
        return None
    whole = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    if not whole:
        return None
    try:
        header, *strips = (json.loads(line) for line in whole)
        return {"asked": dict(header["asked"]), "plan": dict(header["plan"])}, strips
    except (ValueError, KeyError, TypeError) as error:
        raise ResumeError(
            f"the journal of the unfinished run in '{folder}' cannot be read: begin anew with "
            "--restart"
        ) from error


def _cut_torn_line(folder: Path) -> None:
    """Cut off what a killed process had half written."""
    path = folder / "journal.jsonl"
    content = path.read_bytes()
    os.truncate(path, content.rfind(b"\n") + 1)


def remove_work(folder: Path) -> None:
    """Delete a work folder, the journal first: without it no rest is taken for a run.

    Parameters
    ----------
    folder : Path
        Work folder of a finished run.
    """
    (folder / "journal.jsonl").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _restart(folder: Path, header: Mapping[str, Any]) -> None:
    (folder / "journal.jsonl").unlink(missing_ok=True)
    for path in folder.glob("*.raw"):
        path.unlink()
    (folder / "journal.jsonl").write_text(json.dumps(header) + "\n", encoding="utf-8")


def compare_asked(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """See that an unfinished run was asked for the same.

    Parameters
    ----------
    folder : Path
        Its work folder.
    old, new : mapping
        What it was asked for, and what is asked now.

    Raises
    ------
    ResumeError
        With the first difference.
    """
    new = json.loads(json.dumps(new))
    for key in {**old, **new}:
        if old.get(key) != new.get(key):
            raise ResumeError(
                f"an unfinished run in '{folder}' has {key} {old.get(key)!r}, this one "
                f"{new.get(key)!r}: repeat the first command to finish it, or begin anew with "
                "--restart"
            )


def lock_folder(folder: Path) -> None:
    """Keep a second process out; a lock whose process has ended is void.

    Parameters
    ----------
    folder : Path
        It gets a file ``lock``, which the caller removes in the end.

    Raises
    ------
    ResumeError
        If a process that still runs has locked it.
    """
    lock = folder / "lock"
    try:
        owner, started = lock.read_text().split()
    except (OSError, ValueError):
        owner, started = "0", ""
    if int(owner) != os.getpid() and started == _start_of(int(owner)):
        raise ResumeError(
            f"process {owner} is writing to '{folder}': wait for it to end, or choose another "
            "--output"
        )
    lock.write_text(f"{os.getpid()} {_start_of(os.getpid())}")


def _start_of(pid: int) -> str | None:
    """When a process began, which tells it from a later one of the same number."""
    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except (psutil.Error, ValueError):
        return None
