"""A small HTTP server that can be told to misbehave, and a set of sample data to get from it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from rs_workbench import samples
from rs_workbench.sample_registry import SampleFile, SampleSet, Source

FILES = {"a.bin": bytes(range(256)) * 800, "sub/b c.bin": b"b" * 999, "sub/c.bin": b"c" * 50_000}


class SampleServer(ThreadingHTTPServer):
    """Serves `files` by path, and keeps what was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []  # path, Range
        self.cuts: dict[str, int] = {}  # path to how many answers still break off halfway
        self.status: dict[str, int] = {}
        self.knows_ranges = True

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


class _Handler(BaseHTTPRequestHandler):
    server: SampleServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.lstrip("/")
        asked = self.headers.get("Range") if self.server.knows_ranges else None
        self.server.asked.append((path, self.headers.get("Range")))
        status = self.server.status.get(path, 200 if path in self.server.files else 404)
        if status != 200:
            return self._answer(status, b"")
        body, start = self.server.files[path], 0
        if asked:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                return self._answer(416, b"")
        cut = self.server.cuts.get(path, 0)
        self.server.cuts[path] = cut - 1
        return self._answer(206 if asked else 200, body[start:], cut=cut > 0)

    def _answer(self, status: int, body: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serve() -> Iterator[SampleServer]:
    server = SampleServer()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def make_set(files: dict[str, bytes], *addresses: str, **facts: object) -> SampleSet:
    """A set called 'toy' of these files, each at every address."""
    return SampleSet(
        name="toy",
        title="Toy: nothing much",
        credit="nobody",
        files=tuple(
            SampleFile(path, len(body), hashlib.sha256(body).hexdigest(), "file")
            for path, body in sorted(files.items())
        ),
        sources=tuple(Source(files="*", url=f"{address}/{{file}}") for address in addresses),
        **({"licence": "CC0", "stand_in": "ice"} | facts),
    )


def know(monkeypatch: pytest.MonkeyPatch, sample: SampleSet) -> None:
    monkeypatch.setattr(samples, "load_sample_set", lambda name: sample)


def read_all(folder: Path) -> dict[str, bytes]:
    return {path: (folder / path).read_bytes() for path in FILES}
