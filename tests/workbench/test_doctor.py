"""The doctor: what it finds, what it advises, and that nothing it meets can hurt it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from rs_workbench import doctor
from rs_workbench.backends.base import GpuMemory
from rs_workbench.doctor import Finding, Findings, _Trial

ROOT = Path(__file__).parents[2]
FRAMEWORKS = (
    "tensorflow,keras,tf2onnx,torch,torchvision,timm,segmentation_models_pytorch,onnxscript"
)


def run_python(*arguments, absent="", timeout=300):
    path = [str(ROOT / "tests" / "absent"), str(ROOT)]
    environment = {**os.environ, "RSW_ABSENT": absent, "PYTHONPATH": os.pathsep.join(path)}
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
    )


def by_topic(answer):
    return {finding["topic"]: finding for finding in json.loads(answer)["findings"]}


def test_import_loads_no_framework_and_no_raster_library():
    code = (
        "import json, sys, rs_workbench.doctor; print(json.dumps([n for n in ('tensorflow',"
        " 'keras', 'torch', 'onnx', 'onnxruntime', 'openvino', 'rasterio') if n in sys.modules]))"
    )
    done = run_python("-c", code)
    assert json.loads(done.stdout) == []


@pytest.fixture(scope="module")
def bare():
    """The doctor of a base install, without frameworks and pip."""
    absent = f"{FRAMEWORKS},pip"
    return run_python("-m", "rs_workbench.doctor", "--json", absent=absent)


def test_base_install_is_healthy(bare):
    assert bare.returncode == 0, bare.stdout + bare.stderr
    assert json.loads(bare.stdout)["healthy"] is True
    found = by_topic(bare.stdout)
    for topic in ("Python", "packages", "rasters", "openvino", "onnxruntime"):
        assert found[topic]["state"] == "ok"
        assert found[topic]["needed"]
    assert "GDAL 3." in found["rasters"]["text"]
    assert "sees CPU" in found["openvino"]["text"]
    assert "sees CPU" in found["onnxruntime"]["text"]


def test_missing_frameworks_name_the_exact_command(bare):
    found = by_topic(bare.stdout)
    assert found["Keras"] == {
        "topic": "Keras",
        "state": "absent",
        "text": "keras and tensorflow not installed, for Keras models",
        "needed": False,
        "fix": 'uv pip install "rs-workbench[keras]"',
    }
    assert found["PyTorch"]["fix"] == 'uv pip install "rs-workbench[torch]"'


def test_command_says_pip_where_there_is_pip(monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: name == "pip" or None)
    assert doctor._install("keras") == 'pip install "rs-workbench[keras]"'
    assert doctor._reinstall(_Trial("PyTorch", "m", ("torch",))) == (
        "pip install --force-reinstall torch"
    )


def test_missing_part_of_the_base_install_is_a_failure():
    absent = f"{FRAMEWORKS},openvino,rasterio,pip"
    done = run_python("-m", "rs_workbench.doctor", "--json", absent=absent)
    assert done.returncode == 1
    found = by_topic(done.stdout)
    assert (found["openvino"]["state"], found["openvino"]["fix"]) == (
        "broken",
        "uv pip install openvino",
    )
    assert found["rasters"]["fix"] == "uv pip install rasterio"
    assert "not installed: rasterio, openvino" in found["packages"]["text"]
    assert found["packages"]["fix"] == "uv pip install rasterio openvino"


# Children that go wrong


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("import os; os.abort()", "installed, but ended Python with signal 6"),
        ("import time; time.sleep(60)", "installed, but gave no answer within 5 s"),
        (
            "raise ImportError('no libfoo.so')",
            "installed, but does not work: ImportError: no libfoo",
        ),
        ("raise SystemExit(3)", "installed, but does not work: exit code 3"),
        ("print('hello')", "installed, but answers strangely: 'hello'"),
        ("pass", "installed, but answers strangely: ''"),
    ],
)
def test_whatever_a_library_does_is_a_finding(tmp_path, monkeypatch, body, text):
    if "abort" in body and os.name == "nt":
        pytest.skip("Windows has no signals")
    (tmp_path / "illness.py").write_text(body)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    trial = _Trial("PyTorch", "illness", ("json",), "torch")
    finding = doctor._try(trial, 5 if "sleep" in body else 60, n_gpus=0)
    assert finding.text.startswith(text)
    assert (finding.state, finding.needed) == ("broken", False)
    assert finding.fix.endswith("install json") or finding.fix.endswith("reinstall json")
    assert not Findings((finding,)).healthy


def judge(devices, *, n_gpus, gpu_build=True, versions=None):
    trial = _Trial("PyTorch", "m", ("torch",), "torch", gpu_fix=lambda: "the fix")
    found = {
        "versions": versions or {"torch": "2.15"},
        "devices": devices,
        "gpu_build": gpu_build,
        "notes": [],
    }
    return doctor._judge(trial, found, n_gpus=n_gpus)


def test_gpu_that_a_framework_sees():
    finding = judge(["CPU", "Tesla T4"], n_gpus=1)
    assert (finding.text, finding.fix) == ("torch 2.15; sees CPU, Tesla T4", None)


def test_gpu_that_a_framework_does_not_see():
    finding = judge(["CPU"], n_gpus=1)
    assert finding.text == "torch 2.15; sees CPU; does not see the GPU"
    assert finding.fix == "the fix"
    assert judge(["CPU"], n_gpus=1, gpu_build=False).text.endswith("the GPU, built without")
    assert judge(["CPU"], n_gpus=0).fix is None


def test_missing_companion_names_the_extra():
    finding = judge(["CPU"], n_gpus=0, versions={"torch": "2.15", "timm": None})
    assert finding.text == "torch 2.15; sees CPU; not installed: timm"
    assert finding.fix.endswith('install "rs-workbench[torch]"')


def test_gpus_and_their_memory(monkeypatch):
    gpus = [GpuMemory("Tesla T4", 15360, 10240, 5120)]
    monkeypatch.setattr(doctor, "nvidia_gpus", lambda: gpus)
    assert doctor._gpus().text == "Tesla T4, 10.0 of 15.0 GiB free"


def test_hidden_gpu_is_said(monkeypatch):
    monkeypatch.setattr(doctor, "nvidia_gpus", list)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert doctor._gpus().text == "hidden by CUDA_VISIBLE_DEVICES"


def test_advice_for_windows(monkeypatch):
    monkeypatch.setattr(doctor.platform, "system", lambda: "Windows")
    assert "WSL2" in doctor._keras_gpu()
    assert doctor._gdal_command() == "conda install -c conda-forge gdal"


# What is shown

SICK = Findings(
    (
        Finding("rasters", "ok", "rasterio 1.4", needed=True),
        Finding("Keras", "absent", "keras not installed", fix="pip install x"),
        Finding("PyTorch", "broken", "installed, but", fix="pip install y"),
    )
)


def test_text():
    assert doctor.render(SICK).splitlines() == [
        "ok  rasters  rasterio 1.4",
        "--  Keras    keras not installed",
        "             run  pip install x",
        "!!  PyTorch  installed, but",
        "             run  pip install y",
        "what is marked !! must be mended first",
    ]


def test_text_of_a_healthy_machine():
    assert "all that is needed works" in doctor.render(Findings(SICK.findings[:2]))


@pytest.mark.parametrize(("n", "code"), [(2, 0), (3, 1)])
def test_exit_codes(monkeypatch, n, code):
    asked = []

    def examine(*, timeout):
        asked.append(timeout)
        return Findings(SICK.findings[:n])

    monkeypatch.setattr(doctor, "examine", examine)
    done = CliRunner().invoke(doctor.command, ["--json", "--timeout", "7"])
    assert done.exit_code == code
    assert json.loads(done.stdout)["healthy"] is (code == 0)
    assert asked == [7]
    assert CliRunner().invoke(doctor.command, []).exit_code == code
    assert CliRunner().invoke(doctor.command, ["--loud"]).exit_code == 2


def test_needed_and_absent_is_not_healthy():
    assert not Findings((Finding("rasters", "absent", "", needed=True),)).healthy


@pytest.mark.together
def test_both_frameworks_work_and_stay_out_of_this_process():
    code = (
        "import json, sys; from dataclasses import asdict;"
        "from rs_workbench.doctor import examine;"
        "found = examine(timeout=400); print(json.dumps({**asdict(found), 'loaded':"
        " [n for n in ('tensorflow', 'torch') if n in sys.modules]}))"
    )
    done = run_python("-c", code, timeout=500)
    assert json.loads(done.stdout)["loaded"] == []
    found = by_topic(done.stdout)
    for topic, package in (("Keras", "tensorflow"), ("PyTorch", "torchvision")):
        assert found[topic]["state"] == "ok", found[topic]
        assert f"{package} " in found[topic]["text"]
        assert "sees CPU" in found[topic]["text"]
