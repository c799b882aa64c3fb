"""Little ONNX networks, written node by node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FREE = ("batch", "height", "width")


def save(path: Path, nodes: Sequence, arrays: dict, *, feed: Sequence, result: Sequence, **kw):
    """Write a graph from `image` to `scores`, of the given shapes."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("image", kw.pop("dtype", TensorProto.FLOAT), feed)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, result)],
        [numpy_helper.from_array(np.asarray(a), name) for name, a in arrays.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    opsets += [helper.make_opsetid(d, 1) for d in {n.domain for n in nodes} if d]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path, **kw)
    return path


def write_pointwise(
    path: Path, weights: np.ndarray, activation: str | None = None, *, size=FREE, layout="NCHW"
) -> Path:
    """1 x 1 convolution without bias; weights (K, B)."""
    weights = np.asarray(weights, dtype=np.float32)
    n_classes, n_bands = weights.shape
    kernel = weights[:, :, None, None]
    op = {"sigmoid": "Sigmoid", "softmax": "Softmax"}.get(activation or "", "Identity")
    axis = {"axis": 1} if op == "Softmax" else {}
    feed, result = [size[0], n_bands, *size[1:]], [size[0], n_classes, *size[1:]]
    nodes = [
        helper.make_node("Conv", ["first", "kernel"], ["raw"], kernel_shape=[1, 1]),
        helper.make_node(op, ["raw"], ["last"], **axis),
    ]
    turn = layout == "NHWC"
    if turn:
        nodes.insert(0, helper.make_node("Transpose", ["image"], ["first"], perm=[0, 3, 1, 2]))
        nodes.append(helper.make_node("Transpose", ["last"], ["scores"], perm=[0, 2, 3, 1]))
        feed, result = ([dims[0], *dims[2:], dims[1]] for dims in (feed, result))
    else:
        nodes.insert(0, helper.make_node("Identity", ["image"], ["first"]))
        nodes.append(helper.make_node("Identity", ["last"], ["scores"]))
    return save(path, nodes, {"kernel": kernel}, feed=feed, result=result)


def write_deep(path: Path, n_bands: int, n_classes: int, *, size=FREE, seed=0, **kw) -> Path:
    """Two poolings, two bilinear enlargements, stride 4; any size that is a multiple of 4."""
    rng = np.random.default_rng(seed)
    width = 8
    shapes = [(width, n_bands), (width, width), (width, width), (n_classes, width)]
    arrays = {
        f"kernel{i}": rng.normal(0, 0.4, (*shape, 3, 3)).astype(np.float32)
        for i, shape in enumerate(shapes)
    }
    arrays["scales"] = np.array([1, 1, 2, 2], dtype=np.float32)
    same = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    enlarge = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    nodes, last = [], "image"

    def add(op, *more, **attributes):
        nonlocal last
        nodes.append(helper.make_node(op, [last, *more], [f"{op}{len(nodes)}"], **attributes))
        last = nodes[-1].output[0]

    for i in range(2):
        add("Conv", f"kernel{i}", **same)
        add("Relu")
        add("MaxPool", **pool)
    add("Conv", "kernel2", **same)
    for _ in range(2):
        add("Resize", "", "scales", **enlarge)
    add("Conv", "kernel3", **same)
    nodes[-1].output[0] = "scores"
    feed, result = [size[0], n_bands, *size[1:]], [size[0], n_classes, *size[1:]]
    return save(path, nodes, arrays, feed=feed, result=result, **kw)
