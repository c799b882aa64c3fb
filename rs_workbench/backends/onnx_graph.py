"""What an ONNX graph takes and gives, whether it is safe, and how to turn it bands first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import external_data_helper

from rs_workbench.backends.onnx_metadata import load_proto
from rs_workbench.card import ModelCard
from rs_workbench.errors import ModelError, UnsafeModelError

DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
"""Operators that the engines bring with them; others would need code from outside."""
_TO_NHWC = (0, 2, 3, 1)
_TO_NCHW = (0, 3, 1, 2)


@dataclass(frozen=True)
class Graph:
    """A checked graph, seen bands first whatever its own layout.

    `n_scores` is None where the file does not say; `size` is (height, width) where the file
    takes one size only. `source` is what an engine loads: the bytes of the graph, with
    transposes around it where needed, or the path where weights lie in other files.
    """

    n_bands: int
    n_scores: int | None
    size: tuple[int, int] | None
    input_name: str
    output_name: str
    source: str | bytes


def read_graph(path: Path, card: ModelCard | None = None) -> Graph:
    """Check an ONNX file and find its layout.

    Parameters
    ----------
    path : Path
        The `.onnx` file.
    card : ModelCard, optional
        Settles the layout where the file alone leaves it open.

    Returns
    -------
    Graph
        What the file takes and gives.

    Raises
    ------
    ModelError
        If the file is not ONNX, has other than one input of rank 4, no output of rank 4, a
        fixed batch above one, or operators that no engine knows.
    UnsafeModelError
        If its weights lie outside its folder.
    """
    proto = load_proto(path)
    _check_domains(path, proto)
    external = _check_external_data(path, proto)
    feed, result = _find_input(path, proto), _find_output(path, proto)
    dims, out_dims = _dims(feed), _dims(result)
    if dims[0] not in (None, 1):
        raise ModelError(
            f"'{path.name}' takes batches of {dims[0]} tiles only: export it with a free batch"
            " axis, or with a batch of 1"
        )
    last_in = _is_channels_last(dims, (card.n_bands,) if card else ())
    if last_in is None:
        raise ModelError(
            f"'{path.name}' does not say how many bands it takes (input {feed.name}"
            f" {_show(dims)}): export it with a fixed number of bands"
        )
    last_out = _is_channels_last(out_dims, _score_counts(card))
    last_out = last_in if last_out is None else last_out
    dims, out_dims = _bands_first(dims, last_in), _bands_first(out_dims, last_out)
    assert dims[1] is not None
    source: str | bytes = str(path) if external else path.read_bytes()
    if last_in or last_out:
        source = _turned(path, proto, (feed, last_in), (result, last_out), external=external)
    size = None if dims[2] is None or dims[3] is None else (dims[2], dims[3])
    return Graph(dims[1], out_dims[1], size, feed.name, result.name, source)


def _check_domains(path: Path, proto: onnx.ModelProto) -> None:
    own = {function.domain for function in proto.functions}
    for node in _all_nodes(proto):
        if node.domain not in DOMAINS and node.domain not in own:
            raise ModelError(
                f"'{path.name}' uses the operator '{node.op_type}' of '{node.domain}', which is"
                " not part of ONNX: export it with standard operators"
            )


def _all_nodes(proto: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    for function in proto.functions:
        yield from _nodes(function.node)
    yield from _nodes(proto.graph.node)


def _nodes(nodes: object) -> Iterator[onnx.NodeProto]:
    for node in nodes:  # type: ignore[attr-defined]
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _nodes(graph.node)


def _tensors(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    graphs = [proto.graph]
    for node in _all_nodes(proto):
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)
            graphs += [attribute.g, *attribute.graphs]
    for graph in graphs:
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)


def _check_external_data(path: Path, proto: onnx.ModelProto) -> bool:
    """Whether weights lie in other files; these must lie in the model's own folder."""
    found = False
    folder = path.resolve().parent
    for tensor in _tensors(proto):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        found = True
        location = next((e.value for e in tensor.external_data if e.key == "location"), "")
        inside = (folder / location).resolve().parent == folder
        if not location or Path(location).name != location or "\\" in location or not inside:
            raise UnsafeModelError(
                f"'{path.name}' wants to read its weights from '{location}', outside its own"
                " folder: keep the weights file beside the model, or save all in one file"
            )
        if not (folder / location).is_file():
            raise ModelError(
                f"'{path.name}' keeps its weights in '{location}', which is not there: put that"
                " file beside the model"
            )
    return found


def _find_input(path: Path, proto: onnx.ModelProto) -> onnx.ValueInfoProto:
    constants = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in constants]
    if len(inputs) != 1 or len(_dims(inputs[0])) != 4:
        shapes = ", ".join(f"{v.name} {_show(_dims(v))}" for v in inputs) or "none"
        raise ModelError(
            f"'{path.name}' must have one input (batch, bands, height, width), but has: {shapes}"
        )
    if inputs[0].type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
        kind = onnx.TensorProto.DataType.Name(inputs[0].type.tensor_type.elem_type).lower()
        raise ModelError(
            f"'{path.name}' takes {kind} pixels, but must take float32: export it in float32"
        )
    return inputs[0]


def _find_output(path: Path, proto: onnx.ModelProto) -> onnx.ValueInfoProto:
    for value in proto.graph.output:
        kind = value.type.tensor_type
        if kind.elem_type in (onnx.TensorProto.FLOAT, 0) and len(_dims(value)) in (0, 4):
            return value
    shapes = ", ".join(f"{v.name} {_show(_dims(v))}" for v in proto.graph.output)
    raise ModelError(
        f"'{path.name}' must give float32 scores (batch, classes, height, width), but gives:"
        f" {shapes}: export it without the final argmax"
    )


def _dims(value: onnx.ValueInfoProto) -> list[int | None]:
    """Sizes of a tensor, None where free; empty where even the rank is unknown."""
    return [
        d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None
        for d in value.type.tensor_type.shape.dim
    ]


def _show(dims: list[int | None]) -> str:
    return "(" + ", ".join("?" if d is None else str(d) for d in dims) + ")"


def _is_channels_last(dims: list[int | None], counts: tuple[int, ...]) -> bool | None:
    """Whether the last axis holds the bands or scores; None where nothing tells."""
    if len(dims) != 4:
        return None
    first, last = dims[1], dims[3]
    if first in counts or last in counts:
        return first not in counts
    if first is not None and last is not None:
        return last < first
    return None if first == last else first is None


def _score_counts(card: ModelCard | None) -> tuple[int, ...]:
    if card is None:
        return ()
    return (card.n_classes, 1) if card.n_classes == 2 else (card.n_classes,)


def _bands_first(dims: list[int | None], last: bool) -> list[int | None]:
    if not dims:
        return [None] * 4
    return [dims[i] for i in _TO_NCHW] if last else dims


def _turned(
    path: Path,
    proto: onnx.ModelProto,
    feed: tuple[onnx.ValueInfoProto, bool],
    result: tuple[onnx.ValueInfoProto, bool],
    *,
    external: bool,
) -> bytes:
    """Bytes of the graph with transposes where an end has its channels last."""
    if external:
        external_data_helper.load_external_data_for_model(proto, str(path.resolve().parent))
    graph = proto.graph
    for (value, last), is_input in ((feed, True), (result, False)):
        if not last:
            continue
        inner = f"{value.name}__channels_last"
        _rename(graph, value.name, inner)
        names = ([value.name], [inner]) if is_input else ([inner], [value.name])
        order = _TO_NHWC if is_input else _TO_NCHW
        node = onnx.helper.make_node("Transpose", *names, perm=order)
        graph.node.insert(0 if is_input else len(graph.node), node)
        dims = list(value.type.tensor_type.shape.dim)
        del value.type.tensor_type.shape.dim[:]
        value.type.tensor_type.shape.dim.extend(dims[i] for i in _TO_NCHW[: len(dims)])
    return proto.SerializeToString()


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Rename a tensor wherever a node takes or gives it, inner graphs too."""
    for node in _nodes(graph.node):
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == old:
                    names[i] = new
