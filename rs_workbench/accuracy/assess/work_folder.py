"""work_folder: where the files of a report wait until all of them are there."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from rs_workbench.errors import OutputError

_PREFIX, _SUFFIX = ".assess.", ".part"


@contextmanager
def work_folder(out: Path | None) -> Iterator[Path | None]:
    """Make a folder for what is made before the report; nothing is left of it in the end.

    Parameters
    ----------
    out : Path or None
        Folder of the report; made where it is missing, and removed again where all fails.

    Yields
    ------
    Path or None
        Inside it, so that files can be moved to their place; None where there is no report.

    Raises
    ------
    OutputError
        If it cannot be written to.
    """
    if out is None:
        yield None
        return
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        _sweep(out)
        prefix = f"{_PREFIX}{os.getpid()}."
        with tempfile.TemporaryDirectory(prefix=prefix, suffix=_SUFFIX, dir=out) as name:
            yield Path(name)
    except OutputError as error:
        raise OutputError(re.sub(rf"{re.escape(_PREFIX)}[^/\\]*[/\\]", "", str(error))) from error
    except OSError as error:
        raise OutputError(
            f"cannot write to '{out}' ({error.strerror or error}): make room or choose another "
            "--output"
        ) from error
    finally:
        for folder in made:
            with suppress(OSError):  # stays where it holds anything
                folder.rmdir()


def _sweep(out: Path) -> None:
    """Remove what runs left that were killed."""
    for folder in out.glob(f"{_PREFIX}*{_SUFFIX}"):
        number = folder.name.removeprefix(_PREFIX).split(".")[0]
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            shutil.rmtree(folder, ignore_errors=True)
