"""Adapter for `.onnx` files: OpenVINO and onnxruntime, in float32.

Every tile is scored alone, so that its scores do not depend on what else is in the batch: a run
that resumes in the middle gives the same bits. OpenVINO scores the tiles of a batch side by
side (throughput mode), onnxruntime one after another with all cores.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rs_workbench.backends.base import GpuMemory, check_batch, check_card, two_class
from rs_workbench.backends.onnx_graph import Graph, read_graph
from rs_workbench.card import ModelCard, plain_card
from rs_workbench.errors import MissingDependencyError, ModelError
from rs_workbench.types import Image, Scores

if TYPE_CHECKING:
    import openvino

    from rs_workbench.memory import GpuLimit

suffixes: tuple[str, ...] = (".onnx",)
framework = "onnx"
extra = ""
_MAX_COMPILED = 3
_TRIAL_SIZE = 256
_gpu_options: dict[str, str] = {}
_OUT_OF_MEMORY_WORDS = (
    "bad_alloc",
    "bad allocation",
    "failed to allocate memory",
    "out of memory",
    "cannot allocate memory",
    "could not allocate",
)


def load_predictor(
    path: Path, card: ModelCard | None, /, *, device: str = "auto", engine: str = "auto"
) -> OpenvinoPredictor | OnnxruntimePredictor:
    """Load an ONNX file into one engine.

    Parameters
    ----------
    path : Path
        The `.onnx` file, bands first or last.
    card : ModelCard or None
        Its card; None for a bare model, which gets a plain one.
    device : str
        `auto` and `cpu` mean the CPU; `cuda` or `cuda:1` needs onnxruntime with CUDA.
    engine : str
        `openvino`, `onnxruntime`, or `auto` for OpenVINO on the CPU.

    Returns
    -------
    OpenvinoPredictor or OnnxruntimePredictor
        The model, ready to score.

    Raises
    ------
    ModelError
        If the file does not run, or disagrees with the card.
    UnsafeModelError
        If its weights lie outside its folder.
    MissingDependencyError
        If a GPU is asked for and onnxruntime has no CUDA.
    """
    path = Path(path)
    graph = read_graph(path, card)
    on_gpu = device.startswith("cuda")
    kind = OnnxruntimePredictor if engine == "onnxruntime" or on_gpu else OpenvinoPredictor
    predictor = kind(path, graph, device if on_gpu else "cpu")
    n_scores = graph.n_scores or predictor.count_scores()
    check_card(path, card, n_bands=graph.n_bands, n_scores=n_scores)
    predictor.n_scores = n_scores
    card = card or plain_card(path.stem, graph.n_bands, n_scores)
    if graph.size is not None and card.fixed_size is None:
        card = card.model_copy(update={"fixed_size": graph.size})
    predictor.card = card
    return predictor


class _OnnxPredictor:
    """What both engines share: checks, fixed sizes, one layer made two."""

    engine = ""
    card: ModelCard
    n_scores: int | None

    def __init__(self, path: Path, graph: Graph, device: str) -> None:
        self.path = path
        self.graph = replace(graph, source=b"")
        self.device = device
        self.n_scores = graph.n_scores
        self.fixed_size = graph.size
        self._lock = threading.Lock()

    def predict(self, batch: Image, /) -> Scores:
        """Score a batch, each tile alone.

        Parameters
        ----------
        batch : ndarray of float32, shape (N, B, H, W)
            Scaled pixels.

        Returns
        -------
        ndarray of float32, shape (N, K, H, W)
            One layer per class.

        Raises
        ------
        ModelError
            If the batch has other bands or another size than the file takes.
        """
        check_batch(batch, self.graph.n_bands)
        self._check_size(batch.shape[2:])
        batch = np.require(batch, np.float32, ("C", "W"))
        with self._lock:
            scores = self._score(batch)
        if scores.shape[2:] != batch.shape[2:]:
            raise ModelError(
                f"'{self.path.name}' gives scores of {_px(scores.shape[2:])} for a tile of"
                f" {_px(batch.shape[2:])}: export it so that it gives every pixel its scores"
            )
        return two_class(scores, self.card.scores)

    def count_scores(self) -> int:
        """Find by trial how many score layers the file gives.

        Returns
        -------
        int
            Number of layers.
        """
        size = self.fixed_size or (_TRIAL_SIZE, _TRIAL_SIZE)
        return self._score(np.zeros((1, self.graph.n_bands, *size), dtype=np.float32)).shape[1]

    def forget_sizes(self) -> None:
        """Give back what is held for the tile sizes scored so far."""

    def _check_size(self, size: tuple[int, ...]) -> None:
        if self.fixed_size is not None and size != self.fixed_size:
            raise ModelError(
                f"'{self.path.name}' takes tiles of {_px(self.fixed_size)} only, but got"
                f" {_px(size)}: use --tile {self.fixed_size[0]}, or export it with free sizes"
            )

    def _score(self, batch: Image) -> Scores:
        raise NotImplementedError


class OpenvinoPredictor(_OnnxPredictor):
    """ONNX in OpenVINO: float32, one network compiled per tile size, tiles side by side.

    `preferred_batch` is how many tiles keep all cores busy.
    """

    engine = "openvino"

    def __init__(self, path: Path, graph: Graph, device: str) -> None:
        super().__init__(path, graph, device)
        import openvino

        self._openvino = openvino
        self._core = openvino.Core()
        try:
            self._model = self._core.read_model(graph.source)
        except RuntimeError as error:
            raise _refused(path, "OpenVINO", error) from error
        self._compiled: OrderedDict[tuple[int, ...], Any] = OrderedDict()
        self.preferred_batch = 1

    def forget_sizes(self) -> None:
        """Give back the networks compiled for the tile sizes scored so far."""
        self._compiled.clear()

    def _score(self, batch: Image) -> Scores:
        requests = self._requests((1, *batch.shape[1:]))
        n_scores, height, width = requests[0].get_output_tensor(0).shape[1:]
        scores = np.empty((len(batch), n_scores, height, width), dtype=np.float32)
        try:
            for index in range(len(batch)):
                request = requests[index % len(requests)]
                request.wait()
                request.set_input_tensor(self._view(batch[index : index + 1]))
                request.set_output_tensor(self._view(scores[index : index + 1]))
                request.start_async()
            for request in requests:
                request.wait()
        except BaseException:
            _settle(requests)
            raise
        return scores

    def _view(self, array: Image) -> openvino.Tensor:
        return self._openvino.Tensor(array, shared_memory=True)

    def _requests(self, shape: tuple[int, ...]) -> list[openvino.InferRequest]:
        """Compile the network for one shape, or find it compiled; the oldest shape is dropped."""
        if shape in self._compiled:
            self._compiled.move_to_end(shape)
            return self._compiled[shape]
        while len(self._compiled) >= _MAX_COMPILED:
            self._compiled.popitem(last=False)
        model = self._model.clone()
        options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "THROUGHPUT"}
        try:
            model.reshape({self.graph.input_name: list(shape)})
            compiled = self._core.compile_model(_only(model, self.graph), "CPU", options)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            raise _refused(self.path, f"OpenVINO with {_px(shape[2:])}", error) from error
        self.preferred_batch = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        requests = [compiled.create_infer_request() for _ in range(self.preferred_batch)]
        self._compiled[shape] = requests
        return self._compiled[shape]


class OnnxruntimePredictor(_OnnxPredictor):
    """ONNX in onnxruntime: float32, tile after tile, on the CPU or a CUDA device."""

    engine = "onnxruntime"

    def __init__(self, path: Path, graph: Graph, device: str) -> None:
        super().__init__(path, graph, device)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.use_deterministic_compute = True
        providers = _providers(device, onnxruntime.get_available_providers())
        try:
            self._session = onnxruntime.InferenceSession(graph.source, options, providers)
        except Exception as error:  # onnxruntime's own classes descend from Exception
            if is_out_of_memory(error):
                raise
            raise _refused(path, "onnxruntime", error) from error
        self._session.disable_fallback()
        self.preferred_batch = 1

    def _score(self, batch: Image) -> Scores:
        names = [self.graph.output_name]
        name = self.graph.input_name
        parts = []
        for index in range(len(batch)):
            try:
                parts += self._session.run(names, {name: batch[index : index + 1]})
            except Exception as error:  # onnxruntime's own classes descend from Exception
                if is_out_of_memory(error):
                    raise
                where = f"onnxruntime with {_px(batch.shape[2:])}"
                raise _refused(self.path, where, error) from error
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def apply_gpu_limit(limit: GpuLimit) -> None:
    """Set how much GPU memory sessions made later may take.

    Parameters
    ----------
    limit : GpuLimit
        A number of bytes caps onnxruntime's arena; `grow` and a share of the GPU let it grow
        by what is asked for only.
    """
    _gpu_options.clear()
    _gpu_options["arena_extend_strategy"] = "kSameAsRequested"
    if limit.kind == "bytes":
        _gpu_options["gpu_mem_limit"] = str(int(limit.value))


def memory_state() -> Sequence[GpuMemory]:
    """GPUs as these engines see them.

    Returns
    -------
    sequence of GpuMemory
        Always empty: neither engine reports GPU memory.
    """
    return []


def is_out_of_memory(error: BaseException, /) -> bool:
    """Whether an error of these engines means that memory ran out.

    Parameters
    ----------
    error : BaseException
        Any error.

    Returns
    -------
    bool
        True for MemoryError, and for errors of the engines whose text says so.
    """
    if isinstance(error, MemoryError):
        return True
    own = isinstance(error, RuntimeError) or "onnxruntime" in type(error).__module__
    return own and any(words in str(error).lower() for words in _OUT_OF_MEMORY_WORDS)


def release_memory() -> None:
    """Give back what can be given back; these engines free memory with their requests."""


def _providers(device: str, available: Sequence[str]) -> list[Any]:
    if device == "cpu":
        return ["CPUExecutionProvider"]
    if "CUDAExecutionProvider" not in available:
        raise MissingDependencyError(
            f"device '{device}' needs onnxruntime with CUDA, which is not installed: run  pip"
            " install onnxruntime-gpu  or use --device cpu"
        )
    number = device.partition(":")[2] or "0"
    options = {"device_id": number, "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
    return [("CUDAExecutionProvider", options | _gpu_options), "CPUExecutionProvider"]


def _settle(requests: Sequence[openvino.InferRequest]) -> None:
    """Wait until no request writes into the arrays of a call that failed."""
    for request in requests:
        with contextlib.suppress(RuntimeError):
            request.wait()


def _only(model: openvino.Model, graph: Graph) -> openvino.Model:
    """Cut the network down to its score output, where the file has several."""
    if len(model.outputs) == 1:
        return model
    import openvino

    output = next(o for o in model.outputs if graph.output_name in o.get_names())
    return openvino.Model([output], model.get_parameters(), "scores")


def _refused(path: Path, engine: str, error: Exception) -> ModelError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[-1] if lines else type(error).__name__
    return ModelError(
        f"'{path.name}' does not run in {engine}: {reason[:300]} (try another --engine, or export"
        " the model again)"
    )


def _px(size: Sequence[int]) -> str:
    return " x ".join(str(n) for n in size) + " px"
