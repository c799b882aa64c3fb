"""What may go into torch from a `.pt2` archive, and a copy that holds nothing else.

`torch.export.load` (2.15) runs code from a crafted archive in at least six ways: pickled sample
inputs (it falls back to ``weights_only=False``), pickled weights and constants, opaque and
TorchScript objects, AOTInductor libraries, expressions that `sympy.sympify` evaluates, guards
that are executed as source, node targets looked up by name anywhere under `torch`, and names
that end up in generated source. So no archive is handed to it as it is: what is known to be
data is checked and copied into a new archive in memory, and all else is refused or left out.
"""

from __future__ import annotations

import io
import json
import keyword
import pickletools
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rs_workbench.backends.torch_expressions import find_fault, is_plain_name
from rs_workbench.errors import ModelError, UnsafeModelError

_MODEL = "models/model.json"
_SAMPLES = "data/sample_inputs/model.pt"
_CONFIGS = {
    "data/weights/": "model_weights_config.json",
    "data/constants/": "model_constants_config.json",
}
_COPIED = ("archive_format", "archive_version", "byteorder", ".data/version")
_BLOB = re.compile(r"(weight|tensor)_\d+")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DOTTED = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
_ATEN = re.compile(r"torch\.ops\.aten\.([a-zA-Z_][a-zA-Z0-9_]*)\.([a-zA-Z_][a-zA-Z0-9_]*)")
_ATEN_REFUSED = ("from_file", "save", "load", "set_", "resize_", "as_strided_", "record_stream")
_DUNDER_OPS = ("__and__", "__or__", "__xor__", "__lshift__", "__rshift__")
_OTHER_TARGETS = frozenset(
    [f"_operator.{name}" for name in "add sub mul floordiv mod truediv neg pos pow".split()]
    + [f"_operator.{name}" for name in "ge gt le lt eq ne and_ or_ not_ getitem".split()]
    + [f"math.{name}" for name in "ceil floor trunc sqrt".split()]
    + [f"torch.sym_{name}" for name in "int float ite max min not sum".split()]
    + ["torch.ops.higher_order.wrap_with_set_grad_enabled"]
    + ["torch.ops.higher_order.wrap_with_autocast"]
)
_TEXT_OPS = frozenset(
    "einsum div div_ gelu gelu_ pad conv2d convolution meshgrid scatter_reduce index_reduce"
    " searchsorted _assert_scalar _assert_async linalg_norm linalg_matrix_norm floor_divide"
    " conv1d conv3d scatter".split()
)
"""Operators that may be given text: names of modes, equations, messages."""
_SEQUENCES = ("builtins.tuple", "builtins.list")
_MAPPINGS = ("builtins.dict", "collections.OrderedDict")
_PICKLE_GLOBALS = frozenset(
    ["torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"]
    # a sample input that torch 2.15 has marked, where sizes were freed by Dim.DYNAMIC
    + ["torch._tensor _rebuild_from_type_v2", "torch Tensor"]
    + ["collections OrderedDict", "torch Size", "torch device", "torch.storage UntypedStorage"]
    + [f"torch {kind}Storage" for kind in "Float Double Half BFloat16 Int Long Short".split()]
    + [f"torch {kind}Storage" for kind in "Char Byte Bool".split()]
)
_NAMES = {key: _IDENTIFIER for key in ("name", "as_name", "user_input_name", "forward_arg_names")}
_NAMES |= {
    key: _DOTTED for key in ("parameter_name", "buffer_name", "tensor_constant_name", "fqn")
}
_CHECKED_ELSEWHERE = ("target", "as_string", "as_strings", "in_spec", "out_spec")
_AGAIN = (
    "export the network again, from code you trust, with  torch.export.save("
    "torch.export.export(model.eval(), (batch,), dynamic_shapes=...), 'model.pt2')"
)


@dataclass(frozen=True)
class CleanArchive:
    """A `.pt2` of which nothing but data is left.

    `sizes` are those of the one input, None where free; `n_scores` is None where the archive
    does not say.
    """

    archive: io.BytesIO
    sizes: tuple[int | None, ...]
    n_scores: int | None


def clean_archive(path: Path) -> CleanArchive:
    """Copy what is safe out of a `.pt2` archive.

    Parameters
    ----------
    path : Path
        The archive.

    Returns
    -------
    CleanArchive
        A new archive in memory, and the sizes of the network's input.

    Raises
    ------
    ModelError
        If the file is no such archive, or the network is not one that maps a batch of tiles.
    UnsafeModelError
        If it holds anything that could run code.
    """
    try:
        with zipfile.ZipFile(path) as source:
            return _clean(path.name, source)
    except FileNotFoundError as error:
        raise ModelError(f"there is no model at '{path}'") from error
    except (OSError, zipfile.BadZipFile, KeyError, RecursionError, EOFError) as error:
        raise _damaged(path.name, error) from error
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        if isinstance(error, ModelError):
            raise
        raise _damaged(path.name, error) from error


def _damaged(name: str, error: BaseException) -> ModelError:
    return ModelError(
        f"'{name}' is not a .pt2 archive that torch.export.save of torch 2.9 or newer wrote, or"
        f" is damaged ({type(error).__name__}: {str(error)[:200]}): {_AGAIN}"
    )


def _clean(name: str, source: zipfile.ZipFile) -> CleanArchive:
    members = {info.filename.partition("/")[2]: info for info in source.infolist()}
    _check_members(name, source, members)
    model = json.loads(source.read(members[_MODEL]))
    model = _clean_program(name, model)
    sizes, n_scores = _sizes(name, model)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as target:
        for member in _COPIED:
            if member in members:
                target.writestr(f"model/{member}", source.read(members[member]))
        for folder, config_name in _CONFIGS.items():
            config = _clean_config(name, json.loads(source.read(members[folder + config_name])))
            target.writestr(f"model/{folder}{config_name}", json.dumps(config))
            for blob in sorted({meta["path_name"] for meta in config["config"].values()}):
                target.writestr(f"model/{folder}{blob}", source.read(members[folder + blob]))
        target.writestr(f"model/{_SAMPLES}", b"")
        target.writestr(f"model/{_MODEL}", json.dumps(model))
    made.seek(0)
    return CleanArchive(made, sizes, n_scores)


# Members


def _check_members(
    name: str, source: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]
) -> None:
    for member, info in members.items():
        if "aotinductor" in member or member.endswith((".so", ".dll", ".dylib", ".cpp")):
            raise UnsafeModelError(
                f"'{name}' holds compiled code ('{member}'), which would run unchecked: {_AGAIN}"
            )
        if info.compress_type != zipfile.ZIP_STORED:
            raise ModelError(
                f"'{name}' is not as torch writes it ('{member}' is compressed): {_AGAIN}"
            )
        if member.endswith(".pt"):
            _check_pickle(name, member, source.read(info))
    legacy = [member for member in members if member.endswith(".pt") and member != _SAMPLES]
    if legacy:
        raise UnsafeModelError(f"'{name}' keeps its weights in a pickle ('{legacy[0]}'): {_AGAIN}")


def _check_pickle(name: str, member: str, data: bytes) -> None:
    """Refuse a pickle that names anything but tensors; it is not loaded in any case."""
    if not data:
        return
    if not zipfile.is_zipfile(io.BytesIO(data)):
        pickles = [data]
    else:
        with zipfile.ZipFile(io.BytesIO(data)) as inner:
            pickles = [inner.read(n) for n in inner.namelist() if n.endswith(".pkl")]
    for text in pickles:
        for found in _pickle_globals(text):
            if found not in _PICKLE_GLOBALS:
                raise UnsafeModelError(
                    f"'{name}' holds a pickle ('{member}') that would run"
                    f" '{found.replace(' ', '.')}' on loading: {_AGAIN}"
                )


def _pickle_globals(data: bytes) -> Iterator[str]:
    """Names that a pickle imports; all texts where the protocol takes them from the stack."""
    texts: list[str] = []
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in ("GLOBAL", "INST"):
            yield str(argument)
        elif opcode.name == "STACK_GLOBAL":
            yield " ".join(texts[-2:])
        elif opcode.name in ("EXT1", "EXT2", "EXT4"):
            yield f"extension {argument}"
        if isinstance(argument, str) and "UNICODE" in opcode.name:
            texts.append(argument)


def _clean_config(name: str, config: dict[str, Any]) -> dict[str, Any]:
    clean = {}
    for key, meta in config["config"].items():
        if meta["use_pickle"] or not _BLOB.fullmatch(meta["path_name"]):
            raise UnsafeModelError(
                f"'{name}' keeps '{key[:80]}' as a pickled object ('{meta['path_name'][:80]}'),"
                f" and opening one can run any code: {_AGAIN}"
            )
        _need(name, _DOTTED, key, "weight")
        sizes = [*meta["tensor_meta"]["sizes"], *meta["tensor_meta"]["strides"]]
        if any(type(size.get("as_int")) is not int for size in sizes):
            raise UnsafeModelError(f"'{name}' has a weight '{key}' without a size: {_AGAIN}")
        _check_device(name, meta["tensor_meta"]["device"])
        clean[key] = meta
    return {"config": clean}


# The program


def _clean_program(name: str, model: dict[str, Any]) -> dict[str, Any]:
    """Copy of the program without source, metadata and module history."""
    module = model["graph_module"]
    graph, signature = module["graph"], module["signature"]
    call = _clean_call(name, module["module_call_graph"])
    for part in (graph, signature, call):
        _check_tree(name, part)
    for spec in (*signature["input_specs"], *signature["output_specs"]):
        if set(spec) & {"custom_obj", "token", "buffer_mutation", "user_input_mutation"}:
            raise ModelError(
                f"'{name}' changes its own state or takes objects ({next(iter(spec))}): {_AGAIN}"
            )
    return {
        "graph_module": {
            "graph": graph,
            "signature": signature,
            "module_call_graph": [call],
            "metadata": {},
            "treespec_namedtuple_fields": {},
        },
        "opset_version": {"aten": int(model["opset_version"]["aten"])},
        "range_constraints": _clean_ranges(model["range_constraints"]),
        "schema_version": {k: int(v) for k, v in model["schema_version"].items()},
        "verifiers": ["TRAINING"],
        "torch_version": "",
        "guards_code": [],
    }


def _clean_ranges(ranges: dict[str, Any]) -> dict[str, Any]:
    """Ranges of plain symbols; torch 2.15 cannot work on with those of products (2*s0)."""
    return {
        symbol: {key: None if value is None else int(value) for key, value in span.items()}
        for symbol, span in ranges.items()
        if is_plain_name(symbol)
    }


def _check_tree(name: str, value: Any, key: str = "") -> None:
    """Check every text in the program by what it is used for, and drop metadata."""
    if isinstance(value, dict):
        if "target" in value and "inputs" in value:
            _check_node(name, value)
        if "metadata" in value:
            value["metadata"] = {}
        for inner_key, inner in value.items():
            if key.endswith("_values") and isinstance(inner_key, str):
                _need(name, _IDENTIFIER, inner_key, "value")
            _check_tree(name, inner, inner_key)
    elif isinstance(value, list):
        for inner in value:
            _check_tree(name, inner, key)
    elif isinstance(value, str):
        _check_text(name, key, value)


def _check_text(name: str, key: str, text: str) -> None:
    if key == "expr_str":
        _check_expression(name, text)
    elif key in _NAMES:
        if text:
            _need(name, _NAMES[key], text, "value")
    elif key == "type":
        if text not in ("cpu", "cuda", "mps", "meta"):
            raise ModelError(f"'{name}' asks for the device '{text[:80]}': {_AGAIN}")
    elif key not in _CHECKED_ELSEWHERE:
        raise UnsafeModelError(
            f"'{name}' holds a text of a use not known here ('{key[:80]}'): {_AGAIN}"
        )


def _check_node(name: str, node: dict[str, Any]) -> None:
    target = node["target"]
    found = _ATEN.fullmatch(target)
    operator = found[1] if found else ""
    plain = bool(found) and (not operator.startswith("__") or operator in _DUNDER_OPS)
    if not (plain or target in _OTHER_TARGETS) or operator in _ATEN_REFUSED:
        raise UnsafeModelError(
            f"'{name}' calls '{str(target)[:120]}', which is not one of torch's own tensor"
            f" operators: {_AGAIN}"
        )
    if found and found[2].startswith("__"):
        raise UnsafeModelError(f"'{name}' calls '{target[:120]}': {_AGAIN}")
    arguments = {argument["name"]: argument["arg"] for argument in node["inputs"]}
    texts = [a for a in arguments.values() if "as_string" in a or "as_strings" in a]
    if texts and operator not in _TEXT_OPS:
        raise UnsafeModelError(
            f"'{name}' gives the operator '{target}' a text ({str(texts[0])[:80]}): {_AGAIN}"
        )
    if any(arguments.get(word) == {"as_bool": True} for word in ("training", "train")):
        raise ModelError(
            f"'{name}' was exported while training ({operator}): call  model.eval()  before "
            " torch.export.export"
        )


def _check_device(name: str, device: dict[str, Any]) -> None:
    _check_text(name, "type", device["type"])


def _clean_call(name: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    """How the whole network is called; the calls of its parts are left out."""
    call = next(call for call in calls if call["fqn"] == "")
    signature = call["signature"]
    for which in ("in_spec", "out_spec"):
        _check_spec(name, json.loads(signature[which])[1])
    return {"fqn": "", "signature": signature}


def _check_spec(name: str, spec: dict[str, Any]) -> None:
    kind, context = spec["type"], spec["context"]
    keys = json.loads(context) if kind in _MAPPINGS else []
    if not (kind in _MAPPINGS or (kind in _SEQUENCES and context == "null") or kind is None):
        raise ModelError(
            f"'{name}' takes or gives a '{str(kind)[:80]}': export a network that takes one batch"
            " and gives one score array"
        )
    for text in keys:
        _need(name, _IDENTIFIER, text, "result")
    for child in spec["children_spec"]:
        _check_spec(name, child)


def _need(name: str, pattern: re.Pattern[str], text: object, what: str) -> None:
    """Refuse a name that is more than a name: names end up in generated source."""
    fits = isinstance(text, str) and len(text) < 1000 and pattern.fullmatch(text)
    if not fits or keyword.iskeyword(str(text)):
        raise UnsafeModelError(
            f"'{name}' has a {what} whose name is not a plain one ({str(text)[:80]!r}): {_AGAIN}"
        )


def _check_expression(name: str, text: object) -> None:
    if fault := find_fault(text):
        raise UnsafeModelError(
            f"'{name}' describes a size by something else than arithmetic ({fault}:"
            f" {str(text)[:80]!r}), which torch would evaluate: {_AGAIN}"
        )


# Sizes


def _sizes(name: str, model: dict[str, Any]) -> tuple[tuple[int | None, ...], int | None]:
    """Sizes of the one input, and number of score layers."""
    graph, signature = (model["graph_module"][key] for key in ("graph", "signature"))
    inputs = [
        spec["user_input"]["arg"] for spec in signature["input_specs"] if "user_input" in spec
    ]
    outputs = [
        spec["user_output"]["arg"] for spec in signature["output_specs"] if "user_output" in spec
    ]
    if len(inputs) != 1 or "as_tensor" not in inputs[0] or not outputs:
        raise ModelError(
            f"'{name}' takes {len(inputs)} inputs and gives {len(outputs)} outputs: export a"
            " network that takes one batch (N, bands, height, width) and gives its scores"
        )
    sizes = _tensor_sizes(graph, inputs[0])
    scores = _tensor_sizes(graph, outputs[0]) if "as_tensor" in outputs[0] else ()
    if len(sizes) != 4 or len(scores) != 4 or sizes[1] is None:
        raise ModelError(
            f"'{name}' takes an array of sizes {sizes} and gives one of {scores}, but must take"
            " (N, bands, height, width) and give (N, classes, height, width), bands fixed"
        )
    return sizes, scores[1]


def _tensor_sizes(graph: dict[str, Any], argument: dict[str, Any]) -> tuple[int | None, ...]:
    meta = graph["tensor_values"][argument["as_tensor"]["name"]]
    return tuple(size.get("as_int") for size in meta["sizes"])
