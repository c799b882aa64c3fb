"""What is known of the sample data: files, checksums, licence, and where each file comes from.

One set is two files in ``sample_sets``: NAME.json (facts and sources) and NAME.sums, a line of
checksum, size in bytes and path for each file of the set. A checksum is the SHA-256

- of the file, where nothing stands before it;
- of what is inside, ``unpacked:``, for gzip files, which are packed in more than one way;
- of the pixels, ``pixels:``, for pictures that are made here, from a downloaded one.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from pathlib import PurePosixPath
from typing import Literal, NamedTuple
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, model_validator

from rs_workbench.errors import UsageError, WorkbenchError

FOLDER = "sample_sets"
HOSTS = (
    "https://raw.githubusercontent.com/{repository}/{commit}/{path}",
    "https://cdn.jsdelivr.net/gh/{repository}@{commit}/{path}",
)
"""Where a file of a repository at a commit is served, in the order they are tried."""

Kind = Literal["file", "unpacked", "pixels"]


class SampleError(WorkbenchError, OSError):
    """Sample data cannot be had here, or are not what they should be."""


class SampleFile(NamedTuple):
    """One file of a set.

    Attributes
    ----------
    path : str
        Within the folder of the set, with forward slashes.
    size : int
        Bytes; of gzip files about.
    sha256 : str
        Checksum, 64 hexadecimal digits.
    kind : {'file', 'unpacked', 'pixels'}
        What the checksum is of.
    """

    path: str
    size: int
    sha256: str
    kind: Kind


class Source(BaseModel):
    """Where some files of a set come from: a repository at a commit, an address, or a file.

    Attributes
    ----------
    files : str
        Which files of the set, as a pattern such as ``labels/*``.
    repository, commit, path : str, optional
        A public GitHub repository, a commit of it, and the path there.
    url : str, optional
        An address. Path and address may hold {file}, {name} and {stem} of the file.
    made_from, maker : str, optional
        The file is made here: from which other file of the set, and by what function.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: str
    repository: str | None = None
    commit: str | None = None
    path: str | None = None
    url: str | None = None
    made_from: str | None = None
    maker: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Source:
        ways = (
            (self.repository, self.commit, self.path),
            (self.url,),
            (self.made_from, self.maker),
        )
        given = [way for way in ways if any(way)]
        if len(given) != 1 or not all(given[0]):
            raise ValueError(f"'{self.files}' needs one whole way: a commit, an address, a file")
        return self

    def urls(self, file: str) -> list[str]:
        """Addresses of one file, best first; none where the file is made here."""
        place = self.url or self.path
        if place is None:
            return []
        path = quote(_fill(place, file), safe="/:")
        if self.url:
            return [path]
        return [h.format(repository=self.repository, commit=self.commit, path=path) for h in HOSTS]


class SampleSet(BaseModel):
    """One set of sample data.

    Attributes
    ----------
    name : str
        By which it is asked for; also the name of its folder.
    title : str
        What it holds, one line.
    licence, licence_note : str
        Terms, as the source states them.
    credit : str
        Who made it.
    stand_in : str, optional
        Procedural data for the same exercise, a name of `rs_workbench.standins`.
    sources : tuple of Source
        Where files come from; a file that none of them names comes from RSW_DATA only.
    by_hand : str
        Why some files cannot be downloaded.
    files : tuple of SampleFile
        All files, sorted by path.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    licence: str
    licence_note: str = ""
    credit: str
    stand_in: str | None = None
    sources: tuple[Source, ...] = ()
    by_hand: str = ""
    files: tuple[SampleFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def sources_of(self, file: SampleFile) -> Iterator[Source]:
        """Give the sources of one file, best first."""
        return (source for source in self.sources if fnmatchcase(file.path, source.files))

    def urls_of(self, file: SampleFile, *, mirror: str | None = None) -> list[str]:
        """Addresses of one file, best first.

        Parameters
        ----------
        file : SampleFile
            The file.
        mirror : str, optional
            Address of a folder that holds the folders of all sets; tried first.

        Returns
        -------
        list of str
            Empty where the file cannot be downloaded.
        """
        urls = [f"{mirror.rstrip('/')}/{self.name}/{quote(file.path)}"] if mirror else []
        return urls + [url for source in self.sources_of(file) for url in source.urls(file.path)]

    def made_from(self, file: SampleFile) -> tuple[str, str] | None:
        """Path that a file is made from, and the function's name; None for other files."""
        for source in self.sources_of(file):
            if source.made_from and source.maker:
                return _fill(source.made_from, file.path), source.maker
        return None

    def origin(self) -> str:
        """Where the set comes from, for people."""
        places = [
            f"https://github.com/{source.repository}/tree/{source.commit}"
            if source.repository
            else str(source.url).split("/{")[0]
            for source in self.sources
            if source.repository or source.url
        ]
        return ", ".join(dict.fromkeys(places)) or "no public address"


def _fill(template: str, file: str) -> str:
    path = PurePosixPath(file)
    return template.format(file=file, name=path.name, stem=path.stem)


def sample_names() -> tuple[str, ...]:
    """Names of all sets, sorted."""
    folder = resources.files("rs_workbench") / FOLDER
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".json")))


@cache
def load_sample_set(name: str) -> SampleSet:
    """Read what is known of a set.

    Parameters
    ----------
    name : str
        Such as ``sea_ice``; see `sample_names`.

    Returns
    -------
    SampleSet
        Facts, sources and files.

    Raises
    ------
    UsageError
        If there is no such set.
    """
    names = sample_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "choose one of these"
        raise UsageError(f"there are no sample data called '{name}': {hint} ({', '.join(names)})")
    folder = resources.files("rs_workbench") / FOLDER
    facts = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    lines = (folder / f"{name}.sums").read_text(encoding="utf-8").splitlines()
    return SampleSet(name=name, files=tuple(map(parse_line, lines)), **facts)


def parse_line(line: str) -> SampleFile:
    """Read one line of a list of checksums.

    Examples
    --------
    >>> parse_line(f"unpacked:{'0' * 64} 28881 train labels.gz")[1:4:2], parse_line("ab 3 x").path
    ((28881, 'unpacked'), 'x')
    """
    digest, size, path = line.split(" ", 2)
    kind, _, sha256 = digest.rpartition(":")
    kinds: dict[str, Kind] = {"": "file", "unpacked": "unpacked", "pixels": "pixels"}
    return SampleFile(path, int(size), sha256, kinds[kind])
