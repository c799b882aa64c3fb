"""Downloading sample data with pooch: checked, many files at once, going on where it broke off.

Pooch keeps the registry, tries again, and moves a file to its place only once its checksum is
right. What it lacks is here: a file that broke off goes on where it stopped, several addresses
are tried one after another, and packed files are checked by what is inside.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rs_workbench.sample_check import is_right
from rs_workbench.sample_registry import SampleError, SampleFile, SampleSet

if TYPE_CHECKING:
    import requests

AT_ONCE = 8  # files
TIMEOUT = (10, 60)  # s, to connect and between two parts
CHUNK = 1 << 14  # bytes; what came of a chunk that breaks off is lost
PARTS = ".parts"
"""Folder, within that of the set, of files that are not whole yet."""
ALLOWANCE = 2
"""A packed file may be so many times larger than ours; any other has its known size."""

OnBytes = Callable[[int], None]


class AbsentError(Exception):
    """The server answers, but has no such file: trying again is of no use."""


def download_files(
    sample: SampleSet,
    files: Sequence[SampleFile],
    folder: Path,
    *,
    mirror: str | None = None,
    retries: int = 2,
    on_bytes: OnBytes = lambda n: None,
) -> None:
    """Download some files of a set.

    The first file goes alone, so that a machine without internet is told at once.

    Parameters
    ----------
    sample : SampleSet
        The set.
    files : sequence of SampleFile
        Those to download; the others are left as they are.
    folder : Path
        Folder of the set.
    mirror : str, optional
        Address of a folder that holds the folders of all sets; tried first.
    retries : int
        How often an address is tried again.
    on_bytes : callable
        Told of every part that came, in bytes, from several threads.

    Raises
    ------
    SampleError
        If a file could not be had. Files that came are kept, and so is what came of a file that
        broke off.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    with requests.Session() as session:
        for scheme in ("https://", "http://"):
            session.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=AT_ONCE))

        def one(file: SampleFile) -> None:
            fetcher = _Fetcher(session, file, sample=sample, folder=folder, on_bytes=on_bytes)
            fetcher.fetch(sample.urls_of(file, mirror=mirror), retries)

        for parent in {(folder / file.path).parent for file in files}:
            parent.mkdir(parents=True, exist_ok=True)  # pooch's own check is no good in threads
        for file in files[:1]:
            one(file)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = [pool.submit(one, file) for file in files[1:]]
            try:
                for job in jobs:
                    job.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


class _Fetcher:
    """Fetches one file; an instance is a downloader in pooch's sense."""

    def __init__(
        self,
        session: requests.Session,
        file: SampleFile,
        *,
        sample: SampleSet,
        folder: Path,
        on_bytes: OnBytes,
    ) -> None:
        self.session, self.sample, self.file, self.folder = session, sample, file, folder
        self.on_bytes = on_bytes
        self.limit = file.size * (1 if file.kind == "file" else ALLOWANCE)

    def fetch(self, urls: Sequence[str], retries: int) -> None:
        """Try one address after another.

        Parameters
        ----------
        urls : sequence of str
            Addresses of the file.
        retries : int
            How often each is tried again.

        Raises
        ------
        SampleError
            If none has the file.
        """
        from requests.exceptions import RequestException

        failures: list[tuple[str, Exception]] = []
        for url in urls:
            try:
                self._fetch_from(url, retries)
            except (AbsentError, ValueError, RequestException) as error:
                failures.append((url, error))
            except OSError as error:
                raise SampleError(
                    f"'{self.file.path}' of {self.sample.name} cannot be kept in '{self.folder}': "
                    f"{error.strerror or error}; make room there, or choose another cache folder"
                ) from error
            else:
                return
        raise self._complaint(failures) from failures[-1][1]

    def _fetch_from(self, url: str, retries: int) -> None:
        import pooch

        file = self.file
        (self.folder / file.path).unlink(missing_ok=True)  # cut short, else it were not asked for
        known = f"sha256:{file.sha256}" if file.kind == "file" else None
        pooch.create(
            path=self.folder,
            base_url="",
            registry={file.path: known},
            urls={file.path: url},
            retry_if_failed=retries,
        ).fetch(file.path, downloader=self)

    def __call__(self, url: str, output_file: str, *_: Any) -> None:
        """Download one address to a file, going on where it broke off before."""
        part = self.folder / PARTS / f"{self.file.path.replace('/', '+')}"
        part.parent.mkdir(exist_ok=True)
        done = part.stat().st_size if part.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        headers |= {"Range": f"bytes={done}-"} if 0 < done < self.limit else {}
        with self.session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code in (404, 410):
                raise AbsentError(f"status {answer.status_code}")
            if answer.status_code == 416:
                part.unlink()
            answer.raise_for_status()
            self._store(answer, part)
        if self.file.kind != "file" and not is_right(part, self.file):
            part.unlink()
            raise ValueError("the checksum is wrong")
        part.replace(output_file)

    def _store(self, answer: requests.Response, part: Path) -> None:
        goes_on = answer.status_code == 206
        size = part.stat().st_size if goes_on else 0
        with part.open("ab" if goes_on else "wb") as stream:
            for chunk in answer.iter_content(CHUNK):
                size += len(chunk)
                if size > self.limit:
                    break
                stream.write(chunk)
                self.on_bytes(len(chunk))
        if size > self.limit:
            part.unlink()
            raise ValueError(f"it is longer than {self.limit} bytes, so the checksum is wrong")

    def _complaint(self, failures: Sequence[tuple[str, Exception]]) -> SampleError:
        file = f"'{self.file.path}' of {self.sample.name}"
        wrong = [url for url, error in failures if _is_wrong(error)]
        if wrong:
            return SampleError(
                f"{file} was refused and removed, because the checksum of what came from "
                f"{_host(wrong[0])} is wrong: try again, or set RSW_DATA to a folder with "
                f"{self.sample.name}/"
            )
        hosts = ", ".join(dict.fromkeys(_host(url) for url, _ in failures))
        if all(isinstance(error, AbsentError) for _, error in failures):
            return SampleError(
                f"{file} is no longer at {hosts}: set RSW_DATA to a folder with "
                f"{self.sample.name}/{_or_stand_in(self.sample)}"
            )
        return SampleError(
            f"{file} cannot be had from {hosts} ({_reason(failures)}): set RSW_DATA to a folder "
            f"with {self.sample.name}/, or run  rsw samples fetch {self.sample.name}  where there "
            f"is internet and copy the folder to '{self.folder}'{_or_stand_in(self.sample)}"
        )


def _or_stand_in(sample: SampleSet) -> str:
    """Write what else one can do, as the end of a sentence."""
    if sample.stand_in is None:
        return ""
    return f", or use the stand-in: rsw samples draw {sample.name} FOLDER"


def _is_wrong(error: Exception) -> bool:
    from requests.exceptions import RequestException

    return isinstance(error, ValueError) and not isinstance(error, RequestException)


def _host(url: str) -> str:
    return url.split("//", 1)[-1].split("/", 1)[0]


def _reason(failures: Sequence[tuple[str, Exception]]) -> str:
    """Why it failed, in a few words.

    Examples
    --------
    >>> from requests.exceptions import ConnectionError, ReadTimeout
    >>> _reason([("http://a", ConnectionError())]), _reason([("http://a", ReadTimeout())])
    ('no connection', 'it took too long')
    """
    from requests import exceptions

    error = next(e for _, e in failures if not isinstance(e, AbsentError))
    if isinstance(error, exceptions.Timeout) and not isinstance(error, exceptions.ConnectTimeout):
        return "it took too long"
    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"status {error.response.status_code}"
    if isinstance(error, exceptions.ChunkedEncodingError):
        return "it broke off; what came is kept"
    return "no connection"
