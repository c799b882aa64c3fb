"""Sizes, limits, and backing off when memory runs out; no framework here."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import types
import weakref

import numpy as np
import pytest

from rs_workbench import memory
from rs_workbench.errors import UsageError, WorkbenchError
from rs_workbench.memory import MIB, BackOff, GpuLimit, parse_gpu_limit, parse_size
from tests.backends.contract import make_batch, make_card
from tests.backends.short_of_memory import MARGIN, STRIDE, ShortOfMemory, smooth_scores

# Sizes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("2GB", 2 * 10**9),
        ("2gb", 2 * 10**9),
        (" 2 GB ", 2 * 10**9),
        ("2G", 2 * 10**9),
        ("512MiB", 512 * MIB),
        ("1.5GiB", 3 * 512 * MIB),
        ("100kB", 100_000),
        ("3Ti", 3 << 40),
        ("7B", 7),
    ],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "GB", "-2GB", "2XB", "2GB!", "0", "0GB", "nan", "1e3", "2,5GB"]
)
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UsageError, match=rf"'{text}' is not a size in memory.*2GB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("grow", GpuLimit("grow")),
        (" Grow ", GpuLimit("grow")),
        ("80%", GpuLimit("fraction", 0.8)),
        ("100 %", GpuLimit("fraction", 1.0)),
        ("6GB", GpuLimit("bytes", 6e9)),
        ("512MiB", GpuLimit("bytes", 512 * MIB)),
    ],
)
def test_gpu_limits(text, limit):
    assert parse_gpu_limit(text) == limit


@pytest.mark.parametrize("text", ["0%", "101%"])
def test_shares_outside_the_gpu_are_refused(text):
    with pytest.raises(UsageError, match=rf"--gpu-memory {text} .*1% to 100%"):
        parse_gpu_limit(text)


@pytest.mark.parametrize("text", ["all", "-3GB", "%"])
def test_what_is_no_limit_is_refused(text):
    with pytest.raises(UsageError, match=rf"--gpu-memory {text} .*6GB, 80% or grow"):
        parse_gpu_limit(text)


def test_limits_in_mib():
    assert GpuLimit("grow").in_mib(8000) == 8000
    assert GpuLimit("fraction", 0.25).in_mib(8000) == 2000
    assert GpuLimit("bytes", 6000 * MIB).in_mib(8000) == 6000
    assert GpuLimit("bytes", 6000 * MIB).in_mib(4000) == 4000


# What there is


def write_cgroup(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"{text}\n")
    return folder


def test_container_limit_counts(tmp_path):
    write_cgroup(
        tmp_path,
        {
            "memory.max": 100 * MIB,
            "memory.current": 70 * MIB,
            "memory.stat": f"anon 5\ninactive_file {30 * MIB}",
        },
    )
    assert memory.available_ram(cgroup=tmp_path) == 60 * MIB


def test_old_container_limit_counts(tmp_path):
    write_cgroup(
        tmp_path,
        {"memory/memory.limit_in_bytes": 90 * MIB, "memory/memory.usage_in_bytes": 100 * MIB},
    )
    assert memory.available_ram(cgroup=tmp_path) == 0


def test_container_without_limit(tmp_path):
    write_cgroup(tmp_path, {"memory.max": "max", "memory.current": 10**15})
    assert memory.available_ram(cgroup=tmp_path) > 100 * MIB
    assert memory.available_ram(cgroup=tmp_path / "none") > 100 * MIB


def test_peak_grows_with_what_was_held():
    code = (
        "import numpy as np\n"
        "from rs_workbench.memory import peak_rss_mib\n"
        "before = peak_rss_mib()\n"
        "held = np.ones(64 << 20, np.uint8)\n"
        "del held\n"
        "print(peak_rss_mib() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 50 < float(done.stdout) < 80


def test_peak_of_a_child_is_its_own():
    held = np.ones(400 * MIB, dtype=np.uint8)
    code = "from rs_workbench.memory import peak_rss_mib; print(peak_rss_mib())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert 5 < float(done.stdout) < 300
    del held


SMI = """#!/bin/sh
echo "0, GPU-aaa, NVIDIA RTX A4000, 16376, 15000, 1376"
echo "1, GPU-bbb, NVIDIA GB10, [N/A], [N/A], [N/A]"
echo "2, GPU-ccc, Tesla T4, 15360, 15000, 360"
"""


@pytest.fixture
def smi(tmp_path):
    """A stand-in for the driver's program, as no GPU can be counted on."""
    if os.name == "nt":
        pytest.skip("the stand-in for nvidia-smi is a shell script")
    program = tmp_path / "nvidia-smi"
    program.write_text(SMI)
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, ["NVIDIA RTX A4000", "NVIDIA GB10", "Tesla T4"]),
        ("2,0", ["Tesla T4", "NVIDIA RTX A4000"]),
        ("GPU-ccc", ["Tesla T4"]),
        ("", []),
        ("-1", []),
        ("0,-1,2", ["NVIDIA RTX A4000"]),
    ],
)
def test_gpus_as_cuda_counts_them(smi, monkeypatch, visible, names):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [gpu.name for gpu in memory.nvidia_gpus(program=smi)] == names


def test_figures_of_a_gpu(smi, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    first, second, _ = memory.nvidia_gpus(program=smi)
    assert (first.total_mib, first.free_mib, first.used_mib) == (16376, 15000, 1376)
    assert second.total_mib == 0


def test_no_driver_means_no_gpu(tmp_path):
    assert memory.nvidia_gpus(program=str(tmp_path / "nvidia-smi")) == []
    assert memory.nvidia_gpus(program="false") == []


# One framework on the GPU


def test_child_without_gpu_sees_none(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("RSW_CACHE", "somewhere")
    assert memory.child_environment(gpu=False)["CUDA_VISIBLE_DEVICES"] == ""
    assert memory.child_environment(gpu=True)["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert memory.child_environment(gpu=False)["RSW_CACHE"] == "somewhere"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_tensorflow_is_kept_off_the_gpu_while_torch_works(monkeypatch):
    calls = []
    config = types.SimpleNamespace(set_visible_devices=lambda *args: calls.append(args))
    monkeypatch.setitem(sys.modules, "tensorflow", types.SimpleNamespace(config=config))
    memory.hide_gpu_from_other_framework("keras")
    assert calls == []
    memory.hide_gpu_from_other_framework("torch")
    assert calls == [([], "GPU")]


def test_tensorflow_at_work_is_left_alone(monkeypatch):
    asked = []

    def refuse(*args):
        asked.append(args)
        raise RuntimeError("Visible devices cannot be modified after being initialized")

    config = types.SimpleNamespace(set_visible_devices=refuse)
    monkeypatch.setitem(sys.modules, "tensorflow", types.SimpleNamespace(config=config))
    memory.hide_gpu_from_other_framework("torch")
    assert asked == [([], "GPU")]


def test_import_loads_no_framework():
    code = (
        "import json, sys, rs_workbench.memory;"
        "print(json.dumps([n for n in ('tensorflow', 'keras', 'torch', 'onnx', 'openvino')"
        " if n in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert json.loads(done.stdout) == []


# Backing off


def back_off(predictor, lines=None, **options):
    options = {"margin": MARGIN, "stride": STRIDE, "to_cpu": None} | options
    return BackOff(
        predictor,
        is_out_of_memory=lambda error: isinstance(error, MemoryError),
        log=(lines if lines is not None else []).append,
        **options,
    )


def test_enough_memory_changes_nothing():
    predictor = ShortOfMemory(10**9, MemoryError)
    lines = []
    batch = make_batch(4, 64, 64)
    guarded = back_off(predictor, lines)
    np.testing.assert_array_equal(guarded.predict(batch), smooth_scores(batch))
    assert predictor.shapes == [(4, 3, 64, 64)]
    assert lines == []
    assert (guarded.card, guarded.engine, guarded.device) == (predictor.card, "test", "cuda:0")


def test_batch_is_halved_until_it_fits():
    predictor = ShortOfMemory(2 * 64 * 64, MemoryError)
    lines = []
    guarded = back_off(predictor, lines)
    batch = make_batch(8, 64, 64)
    np.testing.assert_array_equal(guarded.predict(batch), smooth_scores(batch))
    assert lines == [
        "out of memory with 8 tiles at once: going on with 4",
        "out of memory with 4 tiles at once: going on with 2",
    ]
    assert guarded.events == lines


def test_what_worked_stays():
    predictor = ShortOfMemory(2 * 64 * 64, MemoryError)
    lines = []
    guarded = back_off(predictor, lines)
    guarded.predict(make_batch(7, 64, 64))
    predictor.shapes.clear()
    batch = make_batch(5, 64, 64, seed=1)
    np.testing.assert_array_equal(guarded.predict(batch), smooth_scores(batch))
    assert {shape[0] for shape in predictor.shapes} == {1}
    assert len(lines) == 2  # 7 to 3 to 1


def test_tile_is_halved_with_the_same_scores():
    predictor = ShortOfMemory(64 * 64, MemoryError)
    lines = []
    batch = make_batch(2, 256, 192)
    scores = back_off(predictor, lines).predict(batch)
    np.testing.assert_allclose(scores, smooth_scores(batch), atol=1e-6)
    assert lines == [
        "out of memory with 2 tiles at once: going on with 1",
        "out of memory with a tile of 256 px: going on with 128 px",
        "out of memory with a tile of 128 px: going on with 64 px",
    ]
    worked = [shape for shape in predictor.shapes if shape[2] * shape[3] <= 64 * 64]
    assert set(worked) == {(1, 3, 64, 64)}


def test_halves_stay_on_the_networks_grid():
    predictor = ShortOfMemory(60 * 60, MemoryError)
    batch = make_batch(1, 120, 120)
    scores = back_off(predictor, margin=10).predict(batch)  # 10 is rounded up to 12
    np.testing.assert_allclose(scores, smooth_scores(batch), atol=1e-6)
    assert predictor.shapes[-1] == (1, 3, 60, 60)


def test_cpu_comes_last_and_has_the_whole_tile():
    gpu = ShortOfMemory(10, MemoryError)
    cpu = ShortOfMemory(64 * 64, MemoryError, device="cpu")
    lines = []
    guarded = back_off(gpu, lines, to_cpu=lambda: cpu)
    batch = make_batch(2, 64, 64)
    np.testing.assert_allclose(guarded.predict(batch), smooth_scores(batch), atol=1e-6)
    assert lines == [
        "out of memory with 2 tiles at once: going on with 1",
        "out of memory with a tile of 64 px: going on with 32 px",
        "out of memory on 'cuda:0': going on with the CPU, which is slower",
    ]
    assert guarded.device == "cpu"
    assert cpu.shapes == [(1, 3, 64, 64)] * 2


def test_cpu_may_halve_again():
    cpu = ShortOfMemory(32 * 32, MemoryError, device="cpu")
    lines = []
    guarded = back_off(ShortOfMemory(10, MemoryError), lines, to_cpu=lambda: cpu)
    batch = make_batch(1, 64, 64)
    np.testing.assert_allclose(guarded.predict(batch), smooth_scores(batch), atol=1e-6)
    assert lines[-1] == "out of memory with a tile of 64 px: going on with 32 px"


def test_gpu_model_is_gone_before_the_cpu_model_comes():
    gpu = ShortOfMemory(10, MemoryError)
    alive = weakref.ref(gpu)
    seen = []

    def to_cpu():
        seen.append(alive())
        return ShortOfMemory(10**9, MemoryError, device="cpu")

    guarded = back_off(gpu, to_cpu=to_cpu)
    del gpu
    guarded.predict(make_batch(1, 64, 64))
    assert seen == [None]


def test_fixed_tile_is_not_halved():
    card = make_card(n_classes=4, stride=STRIDE, fixed_size=(64, 64))
    gpu = ShortOfMemory(10, MemoryError, card=card)
    lines = []
    cpu = ShortOfMemory(10**9, MemoryError, card=card, device="cpu")
    back_off(gpu, lines, to_cpu=lambda: cpu).predict(make_batch(1, 64, 64))
    assert lines == ["out of memory on 'cuda:0': going on with the CPU, which is slower"]


def test_nothing_left_is_one_sentence():
    predictor = ShortOfMemory(10, lambda: MemoryError("no more"), device="cpu")
    words = r"memory on 'cpu' does not suffice even for one tile of 32 px \(no more\).*--tile"
    with pytest.raises(WorkbenchError, match=words):
        back_off(predictor).predict(make_batch(4, 64, 64))


def test_other_errors_pass():
    predictor = ShortOfMemory(10, lambda: ValueError("something else"))
    lines = []
    with pytest.raises(ValueError, match="something else"):
        back_off(predictor, lines).predict(make_batch(4, 64, 64))
    assert lines == []
    assert len(predictor.shapes) == 1


class Tensor:
    """Something large that the failing call holds in its frame."""


def test_tensors_are_gone_before_the_next_try():
    alive = []

    class Holding(ShortOfMemory):
        def predict(self, batch):
            held = Tensor()
            alive.append(weakref.ref(held))
            return super().predict(batch)

    def release():
        gc.collect()
        assert alive[-1]() is None
        released.append(1)

    released = []
    predictor = Holding(2 * 64 * 64, MemoryError)
    back_off(predictor, release=release).predict(make_batch(8, 64, 64))
    assert len(released) == 2
