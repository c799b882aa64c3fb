"""Turn a `.keras` file into ONNX, in a process of its own.

``python -m rs_workbench.backends.keras_convert MODEL FOLDER`` writes into FOLDER

- ``model.onnx``: bands first in and out, batch, height and width free where the network allows,
- ``reference.npz``: ``tile`` (1, B, h, w) and the network's own ``scores`` (1, K, h, w) for it,
  by which the engines that run the ONNX are judged,
- ``facts.json``: seconds that Keras needs for the tile, versions; written last.

Exit code 1 and one sentence on stderr say that the network has no ONNX form; Keras itself can
run it still.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import importlib.util
import io
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rs_workbench.backends import keras_backend
from rs_workbench.backends.base import two_class
from rs_workbench.backends.conversion import make_tile
from rs_workbench.card import read_card
from rs_workbench.errors import MissingDependencyError, ModelError, WorkbenchError

if TYPE_CHECKING:
    from rs_workbench.backends.keras_backend import KerasPredictor
    from rs_workbench.types import Image, Scores

OPSET = 18
TILE = 256
TIMED_RUNS = 6
MIN_AGREEMENT = 0.999
INPUT, OUTPUT = "image", "scores"


def convert(path: Path, folder: Path) -> None:
    """Convert one model; see the head of this module for what comes out.

    Parameters
    ----------
    path : Path
        The `.keras` file.
    folder : Path
        Where the three files go; made if missing.

    Raises
    ------
    ModelError
        If the model cannot be loaded or has no ONNX form that gives the same classes.
    UnsafeModelError
        If loading the model would run code from it.
    MissingDependencyError
        If tensorflow or tf2onnx is not installed.
    """
    _choose_tensorflow()
    predictor = keras_backend.load_predictor(path, read_card(path), device="cpu")
    trials = _score_trials(predictor)
    tile, scores = trials[0]
    seconds = _time(predictor, tile)
    proto = _to_onnx(predictor, path.name)
    _check_trials(proto, trials, predictor, path.name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(proto.SerializeToString())
    np.savez(folder / "reference.npz", tile=tile, scores=scores)
    facts = {
        "engine": "keras",
        "seconds_per_tile": seconds,
        "fixed_size": predictor.card.fixed_size,
        "scores": predictor.card.scores,
        "versions": {n: importlib.metadata.version(n) for n in ("keras", "tensorflow", "tf2onnx")},
    }
    (folder / "facts.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")


def _choose_tensorflow() -> None:
    """Convert by way of tensorflow whatever KERAS_BACKEND says: the files are the same."""
    for name in ("tensorflow", "tf2onnx"):
        if importlib.util.find_spec(name) is None:
            raise MissingDependencyError(
                f"converting a .keras file needs {name}, which is not installed: run  pip install"
                " 'rs-workbench[keras]'"
            )
    os.environ["KERAS_BACKEND"] = "tensorflow"


def _tile_size(predictor: KerasPredictor) -> tuple[int, int]:
    card = predictor.card
    if card.fixed_size is not None:
        return card.fixed_size
    side = min(card.tile or TILE, TILE)
    side = max(side // card.stride, 1) * card.stride
    return side, side


def _score_trials(predictor: KerasPredictor) -> list[tuple[Image, Scores]]:
    """Tiles with Keras' own scores: the reference and, as exporters may bake a size in, others."""
    height, width = _tile_size(predictor)
    sizes = [(height, width)]
    if predictor.card.fixed_size is None:
        sizes.append((height // 2, width))
    trials = []
    for seed, size in enumerate(sizes):
        tile = make_tile(predictor.card.n_bands, *size, seed=seed)
        try:
            trials.append((tile, predictor.predict(tile)))
        except ModelError:
            if not trials:
                raise
    return trials


def _to_onnx(predictor: KerasPredictor, name: str) -> Any:
    import tensorflow as tf

    height, width = predictor.card.fixed_size or (None, None)
    model = predictor.model
    _free_upsampling(model)

    def score(batch: Any) -> Any:
        scores = model(tf.transpose(batch, (0, 2, 3, 1)), training=False)
        return tf.transpose(tf.cast(scores, tf.float32), (0, 3, 1, 2))

    shape = [None, predictor.card.n_bands, height, width]
    signature = [tf.TensorSpec(shape, tf.float32, name=INPUT)]
    try:
        with _quiet():
            import tf2onnx

            proto, _ = tf2onnx.convert.from_function(
                tf.function(score, autograph=False), input_signature=signature, opset=OPSET
            )
    except Exception as error:
        raise ModelError(f"'{name}' has no ONNX form ({_short(error)}): Keras runs it") from error
    _rename(proto.graph)
    return proto


def _free_upsampling(model: Any) -> None:
    """Let UpSampling2D take its size from the tensor.

    Keras multiplies the size known while tracing, which fails where it is free, and builds
    nearest neighbours from repeats, which become slow ONNX.
    """
    import keras
    import tensorflow as tf

    def resize(layer: Any, image: Any) -> Any:
        size = tf.shape(image)[1:3] * tf.constant(layer.size)
        return tf.cast(tf.image.resize(image, size, method=layer.interpolation), image.dtype)

    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.UpSampling2D):
            layer.call = functools.partial(resize, layer)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence tf2onnx, which logs and warns about matters of its own."""
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _rename(graph: Any) -> None:
    """Give input, output and free dimensions names that can be read."""
    names = {graph.input[0].name: INPUT, graph.output[0].name: OUTPUT}
    for node in graph.node:
        for ends in (node.input, node.output):
            for i, end in enumerate(ends):
                ends[i] = names.get(end, end)
    for value, name in ((graph.input[0], INPUT), (graph.output[0], OUTPUT)):
        value.name = name
        dims = value.type.tensor_type.shape.dim
        for i, text in ((0, "batch"), (2, "height"), (3, "width")):
            if not dims[i].HasField("dim_value") or dims[i].dim_value <= 0:
                dims[i].dim_param = text


def _check_trials(
    proto: Any, trials: list[tuple[Image, Scores]], predictor: KerasPredictor, name: str
) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    for tile, expected in trials:
        try:
            session = onnxruntime.InferenceSession(
                proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            scores = session.run(None, {INPUT: tile})[0]
        except Exception as error:
            raise ModelError(
                f"'{name}' has no ONNX form that runs ({_short(error)}): Keras runs it"
            ) from error
        found = two_class(scores, predictor.card.scores)
        shared = float((found.argmax(axis=1) == expected.argmax(axis=1)).mean())
        if shared < MIN_AGREEMENT:
            raise ModelError(
                f"the ONNX form of '{name}' agrees with Keras in {shared:.2%} of the pixels only:"
                " Keras runs it"
            )


def _time(predictor: KerasPredictor, tile: Image) -> float:
    """Seconds for one tile, the best run: other programs can only make it look slower."""
    seconds = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        predictor.predict(tile)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _short(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


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
        print("usage: python -m rs_workbench.backends.keras_convert MODEL FOLDER", file=sys.stderr)
        return 2
    try:
        convert(Path(arguments[0]), Path(arguments[1]))
    except WorkbenchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
