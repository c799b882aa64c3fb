"""A run that is killed and repeated gives the very same bytes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from rs_workbench.journal import read_journal
from tests.workbench import nets

SAVED = ("map.tif", "map_confidence.tif", "map.qml", "map.tif.aux.xml")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    nets.write_unet(folder / "unet.onnx", width=8)
    nets.write_scene(folder / "scene.tif", nets.pixels((1400, 400)))
    return folder


def start(work, out, *more):
    command = [sys.executable, "-m", "rs_workbench.infer", str(work / "scene.tif")]
    command += ["-m", str(work / "unet.onnx"), "-o", str(out / "map.tif"), "--tile", "128"]
    command += ["--save", "confidence", "--engine", "openvino", "--json", *more]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def finish(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.fixture(scope="module", params=["crop", "hann"])
def uninterrupted(request, work, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    more = () if request.param == "crop" else ("--blend", "hann", "--overlap", "32")
    finish(start(work, out, *more))
    return more, {name: (out / name).read_bytes() for name in SAVED}


@pytest.mark.parametrize("strips", [1, 10])
def test_killed_and_repeated(work, tmp_path, uninterrupted, strips):
    more, whole = uninterrupted
    process = start(work, tmp_path, *more)
    journal = tmp_path / "map.tif.part" / "journal.jsonl"
    while process.poll() is None:
        if journal.exists() and journal.read_bytes().count(b"\n") > strips:
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.005)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "map.tif").exists()
    done = len(read_journal(journal.parent)[1])
    assert done >= strips
    report = finish(start(work, tmp_path, *more))
    assert report["resumed"]
    assert {name: (tmp_path / name).read_bytes() for name in SAVED} == whole
    assert not journal.parent.exists()


def test_killed_while_the_map_is_finished(work, tmp_path, uninterrupted):
    """All strips are there, the map is not: the repeated run only finishes it."""
    more, whole = uninterrupted
    process = start(work, tmp_path, *more)
    while process.poll() is None and not list(tmp_path.glob("map*.partial*")):
        time.sleep(0.001)
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    if (tmp_path / "map.tif.part").exists():
        assert finish(start(work, tmp_path, *more))["resumed"]
    assert {name: (tmp_path / name).read_bytes() for name in SAVED} == whole
    assert not [p.name for p in tmp_path.iterdir() if "part" in p.name]


def test_interrupted_by_the_user(work, tmp_path, uninterrupted):
    more, whole = uninterrupted
    process = start(work, tmp_path, *more)
    journal = tmp_path / "map.tif.part" / "journal.jsonl"
    while process.poll() is None:
        if journal.exists() and journal.read_bytes().count(b"\n") > 3:
            process.send_signal(signal.SIGINT)
            break
        time.sleep(0.005)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.strip() == "stopped: the same command goes on where this one stopped"
    assert finish(start(work, tmp_path, *more))["resumed"]
    assert {name: (tmp_path / name).read_bytes() for name in SAVED} == whole
