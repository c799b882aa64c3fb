"""Whether the files of a set of sample data are there, and are the right ones."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable
from pathlib import Path

from rs_workbench.sample_registry import SampleFile, SampleSet

CHUNK = 1 << 20  # bytes
MOST_UNPACKED = 256 << 20
"""Bytes; no packed file of ours unpacks to more, so what does is damaged or hostile."""


def missing_files(sample: SampleSet, folder: Path) -> list[SampleFile]:
    """Find the files that are not there, or have the wrong size.

    Parameters
    ----------
    sample : SampleSet
        What should be there.
    folder : Path
        Folder of the set.

    Returns
    -------
    list of SampleFile
        Empty where the set is complete. Checksums are not looked at: see `damaged_files`.
    """
    return [file for file in sample.files if not _is_there(folder / file.path, file)]


def _is_there(path: Path, file: SampleFile) -> bool:
    try:
        size = path.stat().st_size
    except OSError:
        return False
    return size == file.size if file.kind == "file" else size > 0


def damaged_files(sample: SampleSet, folder: Path) -> list[SampleFile]:
    """Find the files that are there, but are not the right ones.

    Parameters
    ----------
    sample : SampleSet
        What should be there.
    folder : Path
        Folder of the set.

    Returns
    -------
    list of SampleFile
        Those whose checksum is wrong.
    """
    there = (file for file in sample.files if (folder / file.path).is_file())
    return [file for file in there if not is_right(folder / file.path, file)]


def is_right(path: Path, file: SampleFile) -> bool:
    """Whether a file has the checksum it should have.

    Parameters
    ----------
    path : Path
        The file on disk.
    file : SampleFile
        What it should be.

    Returns
    -------
    bool
        False also for a packed file that cannot be unpacked, and for no picture.
    """
    if file.kind == "pixels":
        return _pixel_digest(path) == file.sha256
    try:
        if file.kind == "unpacked":
            with gzip.open(path) as stream:
                return _digest(iter(lambda: stream.read(CHUNK), b"")) == file.sha256
        with path.open("rb") as plain:
            return _digest(iter(lambda: plain.read(CHUNK), b"")) == file.sha256
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return False


def _digest(chunks: Iterable[bytes]) -> str:
    digest, total = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        total += len(chunk)
        if total > MOST_UNPACKED:
            return "too much"
    return digest.hexdigest()


def _pixel_digest(path: Path) -> str:
    import cv2

    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return "no picture" if pixels is None else hashlib.sha256(pixels.tobytes()).hexdigest()
