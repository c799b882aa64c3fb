"""Keras models (`.keras`), on tensorflow, or on torch where KERAS_BACKEND=torch says so.

Tensorflow takes all GPU memory at its first operation, so limits are set before.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from rs_workbench.backends.base import GpuMemory, two_class
from rs_workbench.backends.keras_archive import read_recipe, score_kind
from rs_workbench.backends.keras_import import import_keras
from rs_workbench.backends.keras_run import choose_device, device_scope, make_runner, short
from rs_workbench.card import ModelCard, plain_card
from rs_workbench.errors import ModelError, UsageError
from rs_workbench.memory import MIB, GpuLimit, nvidia_gpus

if TYPE_CHECKING:
    from rs_workbench.types import Image, Scores

suffixes: tuple[str, ...] = (".keras",)
framework = "keras"
extra = "keras"
_ALLOCATION_TEXTS = (
    "CUDA_ERROR_OUT_OF_MEMORY",
    "Dst tensor is not initialized",
    "failed to allocate",
    "out of memory",
)


def load_predictor(
    path: Path, card: ModelCard | None, /, *, device: str = "auto", engine: str = "keras"
) -> KerasPredictor:
    """Load a `.keras` file without running code from it.

    Parameters
    ----------
    path : Path
        The file.
    card : ModelCard or None
        Its card; None gives a bare model a plain one.
    device : str
        `auto`, `cpu`, `cuda` or `cuda:0`.
    engine : str
        `keras`; other engines run this model after conversion only.

    Returns
    -------
    KerasPredictor
        Ready to run.

    Raises
    ------
    ModelError
        If the file is missing, damaged, no network for images, or disagrees with its card.
    UnsafeModelError
        If the file asks for code that is not Keras' own.
    UsageError
        If the engine or the device cannot be had.
    MissingDependencyError
        If Keras or the framework below it is not installed.
    """
    path = Path(path)
    if engine not in ("auto", "keras"):
        raise UsageError(
            f"engine '{engine}' does not run '{path.name}' as it is: choose keras or auto"
        )
    recipe = read_recipe(path)
    keras = import_keras()
    place = choose_device(keras, device)
    model = _build(keras, path, place)
    bands, layers, fixed = _check_network(model, path)
    card = card or plain_card(path.stem, bands, layers, scores=score_kind(recipe))
    if fixed and card.fixed_size is None:
        card = card.model_copy(update={"fixed_size": fixed})
    _check_card(card, path, bands, layers)
    return KerasPredictor(make_runner(keras, model, place), card, place, model=model)


class KerasPredictor:
    """A loaded Keras model, bands first outside.

    Parameters
    ----------
    run : callable
        (N, B, H, W) to (N, K, H, W), K being what the file gives.
    card : ModelCard
        What the model expects.
    device : str
        `cpu` or `cuda:0`.
    model : keras.Model
        The network itself, channels last.
    """

    engine = "keras"

    def __init__(
        self,
        run: Callable[[Image], Scores],
        card: ModelCard,
        device: str,
        *,
        model: Any,
    ) -> None:
        self.model = model
        self.card = card
        self.device = device
        self._run = run

    def predict(self, batch: Image, /) -> Scores:
        """Score a batch.

        Parameters
        ----------
        batch : ndarray of float32, shape (N, B, H, W)
            Scaled pixels, bands in the card's order.

        Returns
        -------
        ndarray of float32, shape (N, K, H, W)
            One layer per class of the card.

        Raises
        ------
        ModelError
            If the batch has other bands or axes, or the network gives another size.
        """
        card = self.card
        if batch.ndim != 4:
            raise ModelError(
                f"a batch for '{card.name}' has four axes (N, B, H, W): got {batch.shape}"
            )
        if batch.shape[1] != card.n_bands:
            raise ModelError(
                f"'{card.name}' reads {card.n_bands} bands, but the batch has {batch.shape[1]}"
                f" (shape {batch.shape}, bands come second)"
            )
        size = batch.shape[2:]
        if card.fixed_size is not None and size != card.fixed_size:
            raise ModelError(
                f"'{card.name}' takes tiles of {_size(card.fixed_size)} px only, but got"
                f" {_size(size)} px: set --tile {card.fixed_size[0]}"
            )
        scores = self._run(np.ascontiguousarray(batch, dtype=np.float32))
        if scores.shape[2:] != size:
            raise ModelError(
                f"'{card.name}' gives {_size(scores.shape[2:])} px for a tile of {_size(size)}"
                " px: only networks with one score per pixel of a tile can map a scene, and the"
                " tile must be a multiple of the network's stride"
            )
        return two_class(scores, card.scores)


# Memory


def apply_gpu_limit(limit: GpuLimit | None) -> None:
    """Limit what the framework may take on every GPU; before its first operation.

    Parameters
    ----------
    limit : GpuLimit or None
        None is the same as `grow`: memory is taken as needed.

    Raises
    ------
    UsageError
        If tensorflow is at work already, or a share is asked for and the driver does not tell
        how large the GPU is.
    """
    keras = import_keras()
    limit = limit or GpuLimit()
    if keras.backend.backend() == "torch":
        _limit_torch(limit)
        return
    config = sys.modules["tensorflow"].config
    gpus = config.list_physical_devices("GPU")
    totals = _totals(gpus) if limit.kind == "fraction" else [float("inf")] * len(gpus)
    try:
        for gpu, total in zip(gpus, totals, strict=True):
            if limit.kind == "grow":
                config.experimental.set_memory_growth(gpu, True)
            else:
                part = config.LogicalDeviceConfiguration(memory_limit=int(limit.in_mib(total)))
                config.set_logical_device_configuration(gpu, [part])
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"--gpu-memory cannot be set any more, tensorflow uses the GPU already ({error}):"
            " set it before the first model is loaded"
        ) from error


def memory_state() -> Sequence[GpuMemory]:
    """GPUs that this process may use, from the driver, so that no memory is taken.

    Returns
    -------
    list of GpuMemory
        Empty without a GPU.
    """
    return nvidia_gpus()


def is_out_of_memory(error: BaseException, /) -> bool:
    """Whether `error` says that memory ran out, on the GPU or the CPU.

    Parameters
    ----------
    error : BaseException
        Anything that was raised while predicting.

    Returns
    -------
    bool
        True for Python's, tensorflow's and torch's own errors of this kind.
    """
    if isinstance(error, MemoryError):
        return True
    tensorflow, torch = sys.modules.get("tensorflow"), sys.modules.get("torch")
    if tensorflow is not None and isinstance(error, tensorflow.errors.OpError):
        if isinstance(error, tensorflow.errors.ResourceExhaustedError):
            return True
        return isinstance(error, tensorflow.errors.InternalError) and _tells_of_memory(error)
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    # torch's allocator on the CPU raises a plain RuntimeError
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def release_memory() -> None:
    """Give back what is held in reserve; tensorflow keeps its GPU memory until the end."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _tells_of_memory(error: BaseException) -> bool:
    return any(text.lower() in str(error).lower() for text in _ALLOCATION_TEXTS)


def _totals(gpus: Sequence[Any]) -> list[float]:
    totals = [gpu.total_mib for gpu in nvidia_gpus()]
    if len(totals) != len(gpus):
        raise UsageError(
            f"--gpu-memory as a share needs nvidia-smi to tell the size of {len(gpus)} GPUs, but"
            f" it told {len(totals)}: give a size instead, as in  --gpu-memory 6GB"
        )
    return totals


def _limit_torch(limit: GpuLimit) -> None:
    cuda = sys.modules["torch"].cuda
    if limit.kind == "grow":
        return
    for index in range(cuda.device_count()):
        total = cuda.get_device_properties(index).total_memory / MIB
        cuda.set_per_process_memory_fraction(limit.in_mib(total) / total, index)


# Loading


def _build(keras: ModuleType, path: Path, device: str) -> Any:
    with device_scope(keras, device):
        try:
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:
            if is_out_of_memory(error):
                raise ModelError(
                    f"'{path.name}' does not fit into the memory of {device} ({short(error)}):"
                    " close other programs that use it, or choose --device cpu"
                ) from error
            raise ModelError(
                f"'{path.name}' cannot be built by Keras {keras.__version__}"
                f" ({short(error)}): save it again with this version of Keras"
            ) from error


def _check_network(model: Any, path: Path) -> tuple[int, int, tuple[int, int] | None]:
    """Bands, score layers and fixed size of a network with one input and one output."""
    taken, given = _shapes(model)
    if len(taken) != 1 or len(given) != 1:
        raise ModelError(
            f"'{path.name}' has {len(taken)} inputs and {len(given)} outputs, but a network for"
            " maps has one of each: save a keras.Model with the one output that matters"
        )
    if len(taken[0]) != 4 or len(given[0]) != 4:
        raise ModelError(
            f"'{path.name}' takes {taken[0]} and gives {given[0]}, but a network for maps takes"
            " (N, height, width, bands) and gives (N, height, width, classes)"
        )
    if any(getattr(layer, "data_format", "") == "channels_first" for layer in model.layers):
        raise ModelError(
            f"'{path.name}' is a channels-first network, which Keras runs on some devices only:"
            " build it again with data_format='channels_last' and copy the weights"
        )
    (_, height, width, bands), layers = taken[0], given[0][3]
    if not bands or not layers:
        raise ModelError(
            f"'{path.name}' does not say how many bands or classes it has (input {taken[0]},"
            f" output {given[0]}): build it with  keras.Input((None, None, n_bands))"
        )
    fixed = (int(height), int(width)) if height and width else None
    return int(bands), int(layers), fixed


def _shapes(model: Any) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    def listed(tensors: Any) -> list[tuple[Any, ...]]:
        return [tuple(tensor.shape) for tensor in tensors or []]

    try:
        return listed(model.inputs), listed(model.outputs)
    except (AttributeError, ValueError):
        return [], []


def _check_card(card: ModelCard, path: Path, bands: int, layers: int) -> None:
    if card.n_bands != bands:
        raise ModelError(
            f"'{path.name}' reads {bands} bands, but its card names {card.n_bands}"
            f" ({', '.join(band.name for band in card.bands)}): correct it with  rsw card write"
        )
    if card.n_classes != max(layers, 2):
        raise ModelError(
            f"'{path.name}' tells {max(layers, 2)} classes apart, but its card names"
            f" {card.n_classes} ({', '.join(c.name for c in card.classes)}): correct it with "
            " rsw card write"
        )


def _size(size: Sequence[int]) -> str:
    return " x ".join(str(side) for side in size)
