"""Multiplications counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rs_workbench.ablation.measure import measure
from rs_workbench.ablation.onnx_macs import count_macs
from rs_workbench.ablation.speed import measure_speed
from rs_workbench.errors import ModelError

BUNDLED = Path(__file__).parents[2] / "rs_workbench" / "models" / "dunes_unet.onnx"


def save(folder: Path, nodes, weights, *, bands=4, n_scores=3, last=False) -> Path:
    """A net with a free height and width."""
    sizes = ["n", "h", "w", bands] if last else ["n", bands, "h", "w"]
    out = ["n", "h2", "w2", n_scores] if last else ["n", n_scores, "h2", "w2"]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(proto, folder / "net.onnx")
    return folder / "net.onnx"


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def test_convolutions(tmp_path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["1"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["1", "b"], ["2"], group=6, pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["2"], ["3"]),
        helper.make_node("ConvTranspose", ["3", "c"], ["y"], strides=[2, 2]),
    ]
    weights = {"a": ones(6, 4, 3, 3), "b": ones(6, 1, 3, 3), "c": ones(6, 3, 2, 2)}
    found = count_macs(save(tmp_path, nodes, weights), 16, 24)
    # 8 x 12 places of 6 values, each of 4 x 9 weights; then of 9; then each goes to 3 x 4
    assert found.by_operator == {
        "Conv": 8 * 12 * 6 * (4 * 9) + 8 * 12 * 6 * 9,
        "ConvTranspose": 8 * 12 * 6 * (3 * 4),
    }
    assert found.total == sum(found.by_operator.values())
    assert found.uncounted == ()


def test_bands_last_and_products_of_matrices(tmp_path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["1"]),  # (n, h, w, 4) x (4, 3)
        helper.make_node("Identity", ["1"], ["y"]),
    ]
    path = save(tmp_path, nodes, {"a": ones(4, 3)}, last=True)
    assert count_macs(path, 16, 8).by_operator == {"MatMul": 16 * 8 * 3 * 4}


def test_gemm_turned_and_sizes_that_the_graph_computes(tmp_path) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),  # (n, 4)
        helper.make_node("Transpose", ["flat"], ["turned"], perm=[1, 0]),
        helper.make_node("Gemm", ["turned", "a"], ["made"], transA=1),  # (n, 3)
        helper.make_node("Reshape", ["made", "shape"], ["small"]),
        helper.make_node("Shape", ["x"], ["size"], start=2),
        helper.make_node("Concat", ["some", "size"], ["wanted"], axis=0),
        helper.make_node("Expand", ["small", "wanted"], ["large"]),
        helper.make_node("Conv", ["large", "b"], ["y"]),
    ]
    weights = {
        "a": ones(4, 3),
        "b": ones(3, 3, 1, 1),
        "shape": np.array([-1, 3, 1, 1]),
        "some": np.array([1, 3]),
    }
    found = count_macs(save(tmp_path, nodes, weights), 16, 8)
    assert found.by_operator == {"Gemm": 1 * 3 * 4, "Conv": 16 * 8 * 3 * 3}


def test_what_is_not_counted_is_told(tmp_path) -> None:
    nodes = [helper.make_node("Einsum", ["x", "a"], ["y"], equation="nbhw,bk->nkhw")]
    found = count_macs(save(tmp_path, nodes, {"a": ones(4, 3)}), 16, 8)
    assert found.total == 0
    assert found.uncounted == ("Einsum",)


def test_a_tile_that_the_net_does_not_take(tmp_path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["1"], strides=[2, 2]),
        helper.make_node("Resize", ["1", "", "", "sizes"], ["2"]),
        helper.make_node("Slice", ["x", "start", "end", "axis"], ["part"]),
        helper.make_node("Add", ["2", "part"], ["y"]),
    ]
    weights = {
        "a": ones(3, 4, 2, 2), "sizes": np.array([1, 3, 16, 16]), "start": np.array([0]),
        "end": np.array([3]), "axis": np.array([1]),
    }  # fmt: skip
    path = save(tmp_path, nodes, weights)
    assert count_macs(path, 16, 16).total == 8 * 8 * 3 * 16
    with pytest.raises(ModelError, match=r"does not run it on a tile of shape \(1, 4, 24, 24\)"):
        count_macs(path, 24, 24)


def test_macs_grow_with_the_tile() -> None:
    small, large = count_macs(BUNDLED, 64, 64), count_macs(BUNDLED, 128, 64)
    assert large.total == 2 * small.total > 0


def test_the_bundled_model_is_timed_once_and_remembered(tmp_path, monkeypatch) -> None:
    cost = measure(BUNDLED, 64, tmp_path / "measures")
    assert cost.notes == ()
    assert cost.macs == count_macs(BUNDLED, 64, 64).total
    assert cost.speed is not None
    assert cost.speed.engine == "openvino"
    assert cost.speed.pixels_per_second > 1000
    assert cost.speed.batch >= 2
    monkeypatch.setattr("rs_workbench.ablation.measure.measure_speed", None)  # not called again
    assert measure(BUNDLED, 64, tmp_path / "measures") == cost


def test_what_cannot_be_measured_is_a_note(tmp_path) -> None:
    gone = measure(tmp_path / "model.onnx", 64, tmp_path)
    assert (gone.macs, gone.speed, gone.notes) == (None, None, ("there is no model.onnx",))
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    bad = measure(tmp_path / "bad.onnx", 64, tmp_path / "measures")
    assert bad.macs is None
    assert len(bad.notes) == 2
    assert not (tmp_path / "measures").exists()
    with pytest.raises(ModelError, match=r"'bad.onnx' cannot be timed on tiles of 64 px"):
        measure_speed(tmp_path / "bad.onnx", 64)
