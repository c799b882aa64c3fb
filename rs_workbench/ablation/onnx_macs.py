"""Count the multiplications of a network, from its ONNX file.

A count from the file is the same for both frameworks, as one reader counts both. What counts are
convolutions and products of matrices, which make nearly all of the work; sums, norms,
activations, pooling and enlarging do not count, as is the custom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import external_data_helper, helper, inliner

from rs_workbench.backends.onnx_graph import read_graph
from rs_workbench.card import ModelCard
from rs_workbench.errors import ModelError

COUNTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
MULTIPLYING = ("Conv", "MatMul", "Gemm", "Einsum", "Attention", "LSTM", "GRU", "RNN")
"""Whatever has one of these in its name multiplies; what is not in `COUNTED` is told."""
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Macs:
    """Multiplications with addition (MACs) of one tile.

    Attributes
    ----------
    total : int
        Of all operators together; one MAC is two floating-point operations.
    by_operator : dict of str to int
        Parts of the total.
    uncounted : tuple of str
        Operators of the file that multiply and were not counted, so that `total` is too low.
    """

    total: int
    by_operator: dict[str, int]
    uncounted: tuple[str, ...]


def count_macs(path: Path, height: int, width: int, *, card: ModelCard | None = None) -> Macs:
    """Count the multiplications that one tile takes.

    Parameters
    ----------
    path : Path
        The `.onnx` file, bands first or last.
    height, width : int
        Size of the tile, px.
    card : ModelCard, optional
        Settles the layout where the file alone leaves it open.

    Returns
    -------
    Macs
        Of one tile.

    Raises
    ------
    ModelError
        If the file is no network that runs here, or does not take such a tile.

    Notes
    -----
    A convolution takes (values given) x (weights that one of them is made of); a transposed one
    (values taken) x (weights that one of them goes to); a product of matrices (values given) x
    (length of what is summed). Sizes are found by running the graph on one tile, as an enlargement
    may compute its own size on the way, where inference of shapes from the file alone gives up.
    """
    graph = read_graph(path, card)
    proto = _load(graph.source)
    counted = [node for node in proto.graph.node if node.op_type in COUNTED]
    shapes = _shapes(path, proto, counted, (graph.input_name, (1, graph.n_bands, height, width)))
    by_operator: dict[str, int] = {}
    for node in counted:
        by_operator[node.op_type] = by_operator.get(node.op_type, 0) + _macs(node, shapes)
    others = {node.op_type for node in proto.graph.node if node.op_type not in COUNTED}
    uncounted = sorted(name for name in others if any(part in name for part in MULTIPLYING))
    return Macs(sum(by_operator.values()), by_operator, tuple(uncounted))


def _load(source: str | bytes) -> onnx.ModelProto:
    """All in one proto: no weights beside it, no functions of its own."""
    if isinstance(source, bytes):
        proto = onnx.load_model_from_string(source)
    else:
        proto = onnx.load(source, load_external_data=False)
        external_data_helper.load_external_data_for_model(proto, str(Path(source).parent))
    return inliner.inline_local_functions(proto) if proto.functions else proto


def _macs(node: onnx.NodeProto, shapes: Shapes) -> int:
    first, second, given = (shapes[name] for name in (*node.input[:2], node.output[0]))
    if node.op_type == "Conv":
        return math.prod(given) * math.prod(second[1:])
    if node.op_type == "ConvTranspose":
        return math.prod(first) * math.prod(second[1:])
    turned = any(a.name == "transA" and a.i for a in node.attribute)
    return math.prod(given) * (first[0] if turned else first[-1])


def _shapes(
    path: Path,
    proto: onnx.ModelProto,
    nodes: list[onnx.NodeProto],
    feed: tuple[str, tuple[int, ...]],
) -> Shapes:
    """Shapes of what some nodes take and give, found by running the graph on zeros."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in proto.graph.initializer}
    names = {name for node in nodes for name in (*node.input[:2], node.output[0])}
    wanted = sorted(names - set(shapes))
    # Only shapes leave the graph: its features need not be held all at once.
    probes = [f"{name}__shape" for name in wanted]
    for name, probe in zip(wanted, probes, strict=True):
        proto.graph.node.append(helper.make_node("Shape", [name], [probe]))
        proto.graph.output.append(
            helper.make_tensor_value_info(probe, onnx.TensorProto.INT64, [None])
        )
    name, size = feed
    found = _run(path, proto, probes, {name: np.zeros(size, np.float32)})
    return shapes | {
        name: tuple(int(n) for n in shape) for name, shape in zip(wanted, found, strict=True)
    }


def _run(
    path: Path, proto: onnx.ModelProto, names: list[str], feed: dict[str, np.ndarray]
) -> list[np.ndarray]:
    import onnxruntime

    if not names:
        return []
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            proto.SerializeToString(), options, ["CPUExecutionProvider"]
        )
        return list(session.run(names, feed))
    except Exception as error:  # onnxruntime's own classes descend from Exception
        (shape,) = (value.shape for value in feed.values())
        raise ModelError(
            f"the multiplications of '{path.name}' cannot be counted, as onnxruntime does not run"
            f" it on a tile of shape {shape}: {str(error).splitlines()[0][:200]}"
        ) from error
