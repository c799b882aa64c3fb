"""Whether OpenVINO and onnxruntime work here, for `rsw doctor`; run as a child process."""

from __future__ import annotations

import json
import sys
from typing import Any


def report(engine: str) -> dict[str, Any]:
    """Score one tile with a network of one layer.

    Parameters
    ----------
    engine : str
        `openvino` or `onnxruntime`.

    Returns
    -------
    dict
        `versions`, `devices` as the engine names them, and `notes`.
    """
    import numpy as np

    tile = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    found = (_openvino if engine == "openvino" else _onnxruntime)(_network(), tile)
    if not np.array_equal(found.pop("scores"), tile.sum(axis=1, keepdims=True)):
        raise RuntimeError(f"{engine} does not add up three bands as it should")
    return found


def _network() -> bytes:
    """ONNX bytes of a 1 x 1 convolution that adds three bands."""
    from onnx import TensorProto, helper

    shape = ["n", 3, "h", "w"]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weights"], ["scores"])],
        "check",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [helper.make_tensor("weights", TensorProto.FLOAT, (1, 3, 1, 1), [1.0, 1.0, 1.0])],
    )
    opset = helper.make_opsetid("", 18)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


def _openvino(network: bytes, tile: Any) -> dict[str, Any]:
    import openvino

    core = openvino.Core()
    model = core.compile_model(core.read_model(network, b""), "CPU")
    names = {name: core.get_property(name, "FULL_DEVICE_NAME") for name in core.available_devices}
    return {
        "versions": {"openvino": openvino.__version__.split("-")[0]},
        "devices": [f"{name} ({full})" for name, full in names.items()],
        "notes": [],
        "scores": model(tile)[0],
    }


def _onnxruntime(network: bytes, tile: Any) -> dict[str, Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    return {
        "versions": {"onnxruntime": onnxruntime.__version__},
        "devices": [
            name.removesuffix("ExecutionProvider")
            for name in onnxruntime.get_available_providers()
            if name != "AzureExecutionProvider"
        ],
        "notes": [],
        "scores": session.run(None, {"image": tile})[0],
    }


if __name__ == "__main__":
    print(json.dumps(report(sys.argv[1])))
