"""Downloads of sample data: broken off, wrong, gone, offline; packed files and made ones."""

from __future__ import annotations

import gzip
import hashlib
import socket
from pathlib import Path

import cv2
import numpy as np
import pytest

from rs_workbench import sample_check, samples
from rs_workbench.sample_check import is_right
from rs_workbench.sample_download import CHUNK
from rs_workbench.sample_make import clean_jpeg_labels, make_file
from rs_workbench.sample_registry import (
    SampleError,
    SampleFile,
    SampleSet,
    load_sample_set,
)
from tests.workbench.sample_server import FILES, SampleServer, know, make_set, read_all


def test_a_file_that_broke_off_goes_on_where_it_stopped(
    server: SampleServer, toy: SampleSet
) -> None:
    server.cuts["a.bin"] = 1
    assert read_all(samples.fetch("toy", quiet=True)) == FILES
    kept = len(FILES["a.bin"]) // 2 // CHUNK * CHUNK
    assert [r for path, r in server.asked if path == "a.bin"] == [None, f"bytes={kept}-"]


def test_a_server_without_ranges_sends_it_whole_again(
    server: SampleServer, toy: SampleSet
) -> None:
    server.cuts["a.bin"], server.knows_ranges = 2, False
    assert read_all(samples.fetch("toy", quiet=True)) == FILES
    assert server.paths().count("a.bin") == 3


def test_a_run_that_failed_goes_on(server: SampleServer, toy: SampleSet, tmp_path: Path) -> None:
    server.cuts["sub/c.bin"] = 3
    with pytest.raises(SampleError, match=r"'sub/c.bin' of toy .*broke off; what came is kept"):
        samples.fetch("toy", quiet=True)
    assert (tmp_path / "cache/toy/a.bin").is_file()
    assert not (tmp_path / "cache/toy/sub/c.bin").exists()
    server.asked.clear()
    assert read_all(samples.fetch("toy", quiet=True)) == FILES
    kept = 0
    for _ in range(3):
        kept += (len(FILES["sub/c.bin"]) - kept) // 2 // CHUNK * CHUNK
    assert kept > 0
    assert [r for path, r in server.asked if path == "sub/c.bin"] == [f"bytes={kept}-"]
    assert "a.bin" not in server.paths()


def test_a_part_of_another_file_is_found_out(
    server: SampleServer, toy: SampleSet, tmp_path: Path
) -> None:
    part = tmp_path / "cache/toy/.parts/a.bin"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    assert read_all(samples.fetch("toy", quiet=True)) == FILES
    asked = [r for path, r in server.asked if path == "a.bin"]
    assert asked == ["bytes=1000-", None]


@pytest.mark.parametrize("change", ["other", "longer"])
def test_a_wrong_file_is_refused_and_removed(
    server: SampleServer, toy: SampleSet, tmp_path: Path, change: str
) -> None:
    body = server.files["a.bin"]
    server.files["a.bin"] = b"\0" + body[1:-1] + b"\0" if change == "other" else body + b"more"
    refused = r"'a\.bin' of toy was refused and removed, because the checksum of what"
    with pytest.raises(SampleError, match=refused):
        samples.fetch("toy", quiet=True)
    left = [p.name for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    assert left == ["SOURCE.txt"]


def test_a_file_that_is_gone_is_asked_for_once(server: SampleServer, toy: SampleSet) -> None:
    del server.files["a.bin"]
    with pytest.raises(SampleError, match=r"'a\.bin' of toy is no longer at 127\.0\.0\.1:\d+: "):
        samples.fetch("toy", quiet=True)
    assert server.paths() == ["a.bin"]


def test_a_busy_server_is_named_by_its_status(server: SampleServer, toy: SampleSet) -> None:
    server.status["a.bin"] = 503
    with pytest.raises(SampleError, match=r"cannot be had from .* \(status 503\)"):
        samples.fetch("toy", quiet=True)
    assert server.paths() == ["a.bin"] * 3


@pytest.mark.parametrize("fault", ["gone", "other"])
def test_the_second_address_helps(
    server: SampleServer, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    know(monkeypatch, make_set(FILES, f"{server.address}/first", server.address))
    if fault == "other":
        server.files["first/a.bin"] = b"?" * len(FILES["a.bin"])
    assert read_all(samples.fetch("toy", quiet=True)) == FILES


def test_offline_says_what_to_do(
    server: SampleServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"
    know(monkeypatch, make_set(FILES, closed))
    with pytest.raises(SampleError) as caught:
        samples.fetch("toy", quiet=True)
    text = str(caught.value)
    assert f"cannot be had from {closed[7:]} (no connection)" in text
    assert "set RSW_DATA to a folder with toy/" in text
    assert "run  rsw samples fetch toy  where there is internet" in text
    assert f"copy the folder to '{tmp_path / 'cache' / 'toy'}'" in text
    assert text.endswith("or use the stand-in: rsw samples draw toy FOLDER")
    assert caught.value.exit_code == 1


def test_a_class_room_server_is_asked_first(
    server: SampleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(monkeypatch, make_set(FILES, "http://127.0.0.1:9", by_hand="", stand_in=None))
    monkeypatch.setenv("RSW_SAMPLES_URL", f"{server.address}/")
    server.files |= {f"toy/{path.replace(' ', '%20')}": body for path, body in FILES.items()}
    assert read_all(samples.fetch("toy", quiet=True)) == FILES
    assert all(path.startswith("toy/") for path in server.paths())


def test_what_has_no_address_comes_by_hand(
    server: SampleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(monkeypatch, make_set(FILES, by_hand="it was drawn by hand"))
    with pytest.raises(
        SampleError, match=r"toy cannot be downloaded whole \(it was drawn by hand\).*3 such files"
    ):
        samples.fetch("toy", quiet=True)


def test_a_cache_that_cannot_be_written_is_named(toy: SampleSet, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, where a folder should be")
    with pytest.raises(SampleError, match=r"the cache '.*toy' cannot be written .*XDG_CACHE_HOME"):
        samples.fetch("toy", quiet=True)


# Packed files, and files that are made here


def packed_set(server: SampleServer, body: bytes) -> SampleSet:
    sample = make_set({}, server.address)
    digest = hashlib.sha256(body).hexdigest()
    return sample.model_copy(update={"files": (SampleFile("x.gz", 600, digest, "unpacked"),)})


@pytest.mark.parametrize("level", [1, 9])
def test_a_packed_file_is_known_by_what_is_inside(
    server: SampleServer, monkeypatch: pytest.MonkeyPatch, level: int
) -> None:
    body = bytes(range(256)) * 2
    know(monkeypatch, packed_set(server, body))
    server.files["x.gz"] = gzip.compress(body, level, mtime=level)
    folder = samples.fetch("toy", quiet=True)
    assert gzip.decompress((folder / "x.gz").read_bytes()) == body


@pytest.mark.parametrize("packed", [gzip.compress(b"else"), b"no gzip", gzip.compress(b"?")[:-4]])
def test_a_wrong_packed_file_is_refused(
    server: SampleServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, packed: bytes
) -> None:
    know(monkeypatch, packed_set(server, b"?"))
    server.files["x.gz"] = packed
    with pytest.raises(SampleError, match=r"'x\.gz' of toy was refused and removed"):
        samples.fetch("toy", quiet=True)
    assert not list((tmp_path / "cache").rglob("x.gz"))


def test_a_packed_file_does_not_unpack_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = bytes(5 << 20)
    (tmp_path / "x.gz").write_bytes(gzip.compress(body))
    file = SampleFile("x.gz", 600, hashlib.sha256(body).hexdigest(), "unpacked")
    assert is_right(tmp_path / "x.gz", file)
    monkeypatch.setattr(sample_check, "MOST_UNPACKED", 4 << 20)
    assert not is_right(tmp_path / "x.gz", file)


def test_cleaning_undoes_what_jpeg_did() -> None:
    labels = np.kron(np.array([[1, 7], [10, 3]], np.uint8), np.ones((40, 40), np.uint8))
    coded = cv2.imencode(".jpg", labels, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    smeared = cv2.imdecode(coded, cv2.IMREAD_UNCHANGED)
    smeared[39:41] = 5  # a line between two classes, too thin to be one
    cleaned = clean_jpeg_labels(smeared)
    assert (smeared != labels).sum() >= 160
    assert (cleaned == labels).all()


def test_cleaning_leaves_alone_what_has_no_patch() -> None:
    noise = np.random.default_rng(0).integers(0, 9, (30, 30)).astype(np.uint8)
    assert (clean_jpeg_labels(noise) == noise).all()


@pytest.mark.data
def test_made_labels_are_the_real_ones(data_folder: Path, tmp_path: Path) -> None:
    dunes = load_sample_set("dunes")
    made = [file for file in dunes.files if dunes.made_from(file)]
    assert len(made) == 86
    (tmp_path / "labels_jpeg").symlink_to(data_folder / "dunes" / "labels_jpeg")
    for file in made[::10]:
        make_file(dunes, file, folder=tmp_path)
        ours = cv2.imread(str(tmp_path / file.path), cv2.IMREAD_UNCHANGED)
        theirs = cv2.imread(str(data_folder / "dunes" / file.path), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("content", ["other picture", "no picture"])
def test_a_file_that_is_made_wrong_is_refused(tmp_path: Path, content: str) -> None:
    dunes = load_sample_set("dunes")
    file = next(file for file in dunes.files if dunes.made_from(file))
    origin = tmp_path / dunes.made_from(file)[0]
    origin.parent.mkdir()
    origin.write_bytes(b"no picture")
    if content == "other picture":
        cv2.imwrite(str(origin), np.full((50, 50), 3, np.uint8))
    with pytest.raises(SampleError, match=f"'{file.path}' of dunes, made from 'labels_jpeg/"):
        make_file(dunes, file, folder=tmp_path)
    assert list((tmp_path / "labels").iterdir()) == []
