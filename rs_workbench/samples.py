"""Sample data by name: from a folder of yours, from the cache, or from their public source.

``fetch("sea_ice")`` gives the folder of the files. It looks

1. in the folder that the environment variable RSW_DATA names, under the name of the set;
2. in the cache, the user's cache folder (XDG_CACHE_HOME moves it on Linux), where everything
   that was downloaded stays;
3. in the public source of the set: a repository at a fixed commit, or the original site. Every
   file has a known checksum; nothing that was downloaded is run or unpickled.

A class room without internet needs one folder on a server: RSW_SAMPLES_URL is the address of a
folder laid out like RSW_DATA, and is asked before the public source.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from rs_workbench.sample_check import missing_files
from rs_workbench.sample_registry import (
    SampleError,
    SampleFile,
    SampleSet,
    load_sample_set,
    sample_names,
)

__all__ = ["SampleError", "SampleStatus", "cache_folder", "fetch", "find", "list_samples"]

DATA = "RSW_DATA"
MIRROR = "RSW_SAMPLES_URL"
NOTICE = "SOURCE.txt"
"""Says in the folder of a set where it comes from and on what terms."""


@dataclass(frozen=True)
class SampleStatus:
    """A set of sample data, and what of it is on this machine.

    Attributes
    ----------
    sample : SampleSet
        Its facts.
    folder : Path or None
        Where it is, whole; None where it is not.
    place : str
        "RSW_DATA", "cache" or "".
    """

    sample: SampleSet
    folder: Path | None
    place: str


def cache_folder() -> Path:
    """Folder in which downloaded sample data stay; it need not be there yet."""
    import pooch

    return Path(pooch.os_cache("rs-workbench")) / "samples"


def find(name: str) -> SampleStatus:
    """Say where a set is on this machine; nothing is downloaded.

    Parameters
    ----------
    name : str
        Such as ``sea_ice``.

    Returns
    -------
    SampleStatus
        Its folder is one that holds every file at its full size, or None.

    Raises
    ------
    UsageError
        If there is no such set.
    """
    sample = load_sample_set(name)
    for place, folder in _places(name):
        if folder.is_dir() and not missing_files(sample, folder):
            return SampleStatus(sample, folder, place)
    return SampleStatus(sample, None, "")


def _places(name: str) -> list[tuple[str, Path]]:
    named = os.environ.get(DATA)
    own = [(DATA, Path(named) / name)] if named else []
    return [*own, ("cache", cache_folder() / name)]


def list_samples() -> list[SampleStatus]:
    """List all sets, and where they are on this machine.

    Returns
    -------
    list of SampleStatus
        Sorted by name.
    """
    return [find(name) for name in sample_names()]


def fetch(name: str, *, quiet: bool = False) -> Path:
    """Give the folder of a set of sample data, downloading it where need be.

    Parameters
    ----------
    name : str
        Such as ``sea_ice``; see `list_samples`.
    quiet : bool
        Neither progress nor licence is printed; the licence is in SOURCE.txt of the folder.

    Returns
    -------
    Path
        A folder that holds every file of the set.

    Raises
    ------
    UsageError
        If there is no such set.
    SampleError
        If it is not on this machine and cannot be downloaded.
    """
    found = find(name)
    if found.folder is not None:
        return found.folder
    sample, folder = found.sample, cache_folder() / name
    mirror = os.environ.get(MIRROR) or None
    _complain_of_own_folder(sample, quiet=quiet)
    missing = missing_files(sample, folder)
    _check_downloadable(sample, missing, mirror=mirror)
    _prepare(sample, folder, quiet=quiet)
    _download(sample, missing, folder, mirror=mirror, quiet=quiet)
    return folder


def _complain_of_own_folder(sample: SampleSet, *, quiet: bool) -> None:
    folder = next((folder for place, folder in _places(sample.name) if place == DATA), None)
    if quiet or folder is None or not folder.is_dir():
        return
    missing = missing_files(sample, folder)
    print(
        f"note: '{folder}' is not used, because {len(missing)} of {len(sample.files)} files are "
        f"missing or cut short there, '{missing[0].path}' the first",
        file=sys.stderr,
    )


def _check_downloadable(
    sample: SampleSet, missing: list[SampleFile], *, mirror: str | None
) -> None:
    nowhere = [
        file.path
        for file in missing
        if not sample.urls_of(file, mirror=mirror) and sample.made_from(file) is None
    ]
    if nowhere:
        stand_in = f", or use the stand-in: rsw samples draw {sample.name} FOLDER"
        raise SampleError(
            f"{sample.name} cannot be downloaded whole ({sample.by_hand}): set {DATA} to a folder "
            f"that holds {sample.name}/ with {len(nowhere)} such file"
            f"{'s' if len(nowhere) > 1 else ''}, '{nowhere[0]}' the first"
            f"{stand_in if sample.stand_in else ''}"
        )


def _prepare(sample: SampleSet, folder: Path, *, quiet: bool) -> None:
    """Make the folder, and say once what the set is, whose it is and on what terms."""
    notice = folder / NOTICE
    if notice.exists():
        return
    text = describe(sample)
    if not quiet:
        print(text, file=sys.stderr)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        notice.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise SampleError(
            f"the cache '{folder}' cannot be written ({error.strerror}): set XDG_CACHE_HOME to "
            f"a folder of yours, or {DATA} to one that holds {sample.name}/"
        ) from error


def describe(sample: SampleSet) -> str:
    """Say what a set is, where it comes from and on what terms, in a few lines.

    Parameters
    ----------
    sample : SampleSet
        The set.

    Returns
    -------
    str
        For people.
    """
    note = f"; {sample.licence_note}" if sample.licence_note else ""
    lines = [
        f"{sample.name}: {sample.title}",
        f"  {len(sample.files)} file{'s' if len(sample.files) > 1 else ''}, "
        f"{sample.size / 1e6:.1f} MB, from {sample.origin()}",
        f"  by {sample.credit}",
        f"  licence: {sample.licence}{note}",
    ]
    if sample.by_hand:
        lines.append(f"  not all of it can be downloaded: {sample.by_hand}")
    return "\n".join(lines)


def _download(
    sample: SampleSet,
    missing: list[SampleFile],
    folder: Path,
    *,
    mirror: str | None,
    quiet: bool,
) -> None:
    from rs_workbench.sample_download import PARTS, download_files
    from rs_workbench.sample_make import make_file
    from rs_workbench.sample_progress import show_bytes

    made = [file for file in missing if sample.made_from(file)]
    fetched = [file for file in missing if not sample.made_from(file)]
    with show_bytes(sample.name, sum(file.size for file in fetched), quiet=quiet) as on_bytes:
        download_files(sample, fetched, folder, mirror=mirror, on_bytes=on_bytes)
    for file in made:
        make_file(sample, file, folder=folder)
    shutil.rmtree(folder / PARTS, ignore_errors=True)
