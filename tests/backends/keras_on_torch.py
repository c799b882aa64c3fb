"""The contract for Keras on torch; `test_keras_on_torch` runs it in a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from rs_workbench.backends import keras_backend
from rs_workbench.backends.keras_import import import_keras
from rs_workbench.errors import UsageError
from rs_workbench.memory import MIB, GpuLimit

keras = import_keras()

import torch  # noqa: E402

from tests.backends import keras_models  # noqa: E402
from tests.backends.contract import BackendContract, make_batch  # noqa: E402


class TestKerasOnTorch(BackendContract):
    module = "rs_workbench.backends.keras_backend"
    engine = "keras"

    def write_pointwise(self, folder, weights, activation=None):
        return keras_models.write_pointwise(folder, weights, activation)

    def write_deep(self, folder, n_bands, n_classes):
        return keras_models.write_deep(folder, n_bands, n_classes)


def test_tensorflow_stays_out():
    assert keras.backend.backend() == "torch"
    assert "tensorflow" not in sys.modules


def test_torchs_own_errors_are_out_of_memory():
    assert keras_backend.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert keras_backend.is_out_of_memory(raised.value)


def test_gpu_limits_go_to_torch(monkeypatch):
    calls = []
    size = type("Properties", (), {"total_memory": 8000 * MIB})
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: size)
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda *args: calls.append(args)
    )
    keras_backend.apply_gpu_limit(GpuLimit("grow"))
    assert calls == []
    keras_backend.apply_gpu_limit(GpuLimit("bytes", 2000 * MIB))
    keras_backend.apply_gpu_limit(GpuLimit("fraction", 0.5))
    assert calls == [(0.25, 0), (0.25, 1), (0.5, 0), (0.5, 1)]


def test_missing_gpu_is_refused(tmp_path):
    path = keras_models.write_deep(tmp_path, 3, 4)
    with pytest.raises(UsageError, match=r"--device cuda:7 .*torch sees \d+ GPUs"):
        keras_backend.load_predictor(path, None, device="cuda:7")


def test_leave_a_model_and_its_scores():
    folder = Path(os.environ["RSW_LEAVE"])
    path = keras_models.write_deep(folder, 3, 4)
    batch = make_batch(2, 64, 96)
    predictor = keras_backend.load_predictor(path, None, device="cpu")
    np.savez(folder / "scores.npz", batch=batch, scores=predictor.predict(batch))
