"""Turning torch archives into ONNX: same scores, any size, nothing of the machine."""

from __future__ import annotations

import json

import onnx
import onnxruntime
import pytest

from tests.conftest import require_framework

torch = require_framework("torch")

import numpy as np  # noqa: E402

from rs_workbench.backends import torch_backend, torch_convert  # noqa: E402
from rs_workbench.card import write_card  # noqa: E402
from tests.backends import torch_models  # noqa: E402
from tests.backends.contract import make_batch, make_card  # noqa: E402


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("converted")
    path = torch_models.write_deep(folder / "deep.pt2")
    write_card(path, make_card(3, 4, stride=4))
    torch_convert.convert(path, folder / "out")
    return path, folder / "out"


def test_the_three_files_and_no_others(converted):
    _, folder = converted
    assert sorted(path.name for path in folder.iterdir()) == [
        "facts.json",
        "model.onnx",
        "reference.npz",
    ]
    assert json.loads((folder / "facts.json").read_text())["engine"] == "torch"


@pytest.mark.parametrize("shape", [(1, 64, 64), (3, 32, 96)])
def test_any_batch_and_size_gives_the_same_scores(converted, shape):
    path, folder = converted
    batch = make_batch(*shape)
    expected = torch_backend.load_predictor(path, None, device="cpu").predict(batch)
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    np.testing.assert_allclose(session.run(["scores"], {"image": batch})[0], expected, atol=1e-4)


def test_free_sizes_have_names(converted):
    graph = onnx.load(converted[1] / "model.onnx").graph
    for value in (graph.input[0], graph.output[0]):
        dims = value.type.tensor_type.shape.dim
        assert [dims[i].dim_param for i in (0, 2, 3)] == ["batch", "height", "width"]
    assert [value.name for value in (*graph.input, *graph.output)] == ["image", "scores"]


def test_paths_of_the_machine_stay_out(converted):
    _, folder = converted
    for trace in (b"stack_trace", b'File "', b"site-packages", b"torch_models.py"):
        assert trace not in (folder / "model.onnx").read_bytes()
