"""Turn a `.pt2` archive or an smp folder into ONNX, in a process of its own.

``python -m rs_workbench.backends.torch_convert MODEL FOLDER`` writes into FOLDER

- ``model.onnx``: bands first, batch, height and width free where the network allows,
- ``reference.npz``: ``tile`` (1, B, h, w) and the network's own ``scores`` (1, K, h, w) for it,
  by which the engines that run the ONNX are judged,
- ``facts.json``: seconds that torch needs for the tile, versions; written last.

Exit code 1 and one sentence on stderr say that the network has no ONNX form; torch itself can
run it still.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import logging
import statistics
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rs_workbench.backends import torch_backend
from rs_workbench.backends.conversion import make_tile
from rs_workbench.backends.engines import MIN_AGREEMENT, agreement
from rs_workbench.card import read_card
from rs_workbench.errors import MissingDependencyError, ModelError, WorkbenchError

if TYPE_CHECKING:
    import torch

    from rs_workbench.backends.torch_backend import TorchPredictor
    from rs_workbench.types import Image

OPSET = 18
TILE = 256
TIMED_RUNS = 3
INPUT, OUTPUT = "image", "scores"


def convert(path: Path, folder: Path) -> None:
    """Convert one model; see the head of this module for what comes out.

    Parameters
    ----------
    path : Path
        The archive or folder.
    folder : Path
        Where the three files go; made if missing.

    Raises
    ------
    ModelError
        If the model cannot be loaded or has no ONNX form that gives the same classes.
    UnsafeModelError
        If loading the model would run code from it.
    MissingDependencyError
        If torch or onnxscript is not installed.
    """
    predictor = torch_backend.load_predictor(path, read_card(path), device="cpu")
    height, width = _tile_size(predictor)
    tile = make_tile(predictor.card.n_bands, height, width)
    scores = predictor.predict(tile)
    folder.mkdir(parents=True, exist_ok=True)
    onnx = folder / "model.onnx"
    _to_onnx(predictor, tile, onnx)
    _check_sizes(predictor, onnx, (height, width))
    import numpy as np

    np.savez(folder / "reference.npz", tile=tile, scores=scores)
    facts = {
        "engine": "torch",
        "seconds_per_tile": _time(predictor, tile),
        "fixed_size": predictor.card.fixed_size,
        "scores": predictor.card.scores,
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "onnxscript")},
    }
    (folder / "facts.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")


def _tile_size(predictor: TorchPredictor) -> tuple[int, int]:
    card = predictor.card
    if card.fixed_size is not None:
        return card.fixed_size
    side = min(card.tile or TILE, TILE)
    side = max(side // card.stride, 1) * card.stride
    return side, side


def _to_onnx(predictor: TorchPredictor, tile: Image, onnx: Path) -> None:
    torch = torch_backend.import_torch()
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "converting a torch model needs onnxscript, which is not installed: run  pip install"
            " 'rs-workbench[torch]'"
        ) from error
    program = predictor.network.program
    if program is None:
        program = _export(predictor, torch.from_numpy(tile))
    try:
        with _quiet():
            made = torch.onnx.export(
                program,
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
            made.save(onnx, external_data=False)
    except Exception as error:  # the exporter raises many kinds
        raise _no_form(predictor, error) from error
    _tidy(onnx)


def _export(predictor: TorchPredictor, tile: torch.Tensor) -> torch.export.ExportedProgram:
    """Trace a network that came as code and weights, with free sizes."""
    torch = torch_backend.import_torch()
    free = torch.export.Dim.DYNAMIC
    batch = torch.cat([tile, tile])
    try:
        with _quiet(), torch.no_grad():
            return torch.export.export(
                predictor.network.module, (batch,), dynamic_shapes=({0: free, 2: free, 3: free},)
            )
    except Exception as error:  # the exporter raises many kinds
        raise _no_form(predictor, error) from error


def _no_form(predictor: TorchPredictor, error: Exception) -> ModelError:
    """Say why, by the innermost cause: the exporter wraps it in advice of its own."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return ModelError(
        f"'{predictor.path.name}' has no ONNX form ({lines[0][:200]}): torch runs it"
    )


def _tidy(onnx: Path) -> None:
    """Give the free sizes names that can be read, and drop the exporter's notes.

    They tell where each operator stood in the source, with paths of this machine.
    """
    from rs_workbench.backends.onnx_metadata import load_proto

    proto = load_proto(onnx)
    graph = proto.graph
    del graph.value_info[:], graph.metadata_props[:]
    for noted in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        del noted.metadata_props[:]
    for value in (graph.input[0], graph.output[0]):
        dims = value.type.tensor_type.shape.dim
        for i, text in ((0, "batch"), (2, "height"), (3, "width")):
            if not dims[i].HasField("dim_value"):
                dims[i].dim_param = text
    onnx.write_bytes(proto.SerializeToString())


def _check_sizes(predictor: TorchPredictor, onnx: Path, size: tuple[int, int]) -> None:
    """Compare with torch on the tile and, as exporters may bake a size in, on another one."""
    from rs_workbench.backends import onnx_backend

    card = predictor.card
    converted = onnx_backend.load_predictor(onnx, card, engine="onnxruntime")
    sizes = [size] if card.fixed_size else [size, (size[0] // 2, size[1])]
    for height, width in sizes:
        tile = make_tile(card.n_bands, height, width, seed=1)
        try:
            expected = predictor.predict(tile)
        except ModelError:
            continue  # torch does not take this size either
        share = agreement(converted.predict(tile), expected)
        if share < MIN_AGREEMENT:
            raise ModelError(
                f"the ONNX form of '{predictor.path.name}' agrees with torch on {share:.2%} of"
                f" {height} x {width} px only: torch runs it"
            )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter, which prints, logs and warns about matters of its own."""
    logging.getLogger("torch").setLevel(logging.CRITICAL)
    logging.getLogger("onnxscript").setLevel(logging.CRITICAL)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _time(predictor: TorchPredictor, tile: Image) -> float:
    """Seconds for one tile, the median of a few runs; the first call has been made before."""
    seconds = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        predictor.predict(tile)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the conversion from the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Model and folder; default is the command line's.

    Returns
    -------
    int
        0, or 1 after a sentence on stderr, or 2 for wrong usage.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 2:
        print("usage: python -m rs_workbench.backends.torch_convert MODEL FOLDER", file=sys.stderr)
        return 2
    try:
        convert(Path(arguments[0]), Path(arguments[1]))
    except WorkbenchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
