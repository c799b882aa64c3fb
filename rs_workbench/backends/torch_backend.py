"""Adapter for torch: `.pt2` archives and the folders that smp's `save_pretrained` makes.

No pickle is opened: a `.pt2` is copied without what could run code (see `torch_archive`), and of
a folder only `config.json` and `model.safetensors` are read. On the CPU every tile is scored
alone, so that its scores do not depend on what else is in the batch.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from rs_workbench.backends.base import GpuMemory, check_batch, check_card, two_class
from rs_workbench.backends.torch_archive import clean_archive
from rs_workbench.card import ModelCard, plain_card
from rs_workbench.errors import (
    MissingDependencyError,
    ModelError,
    UnsafeModelError,
    UsageError,
)
from rs_workbench.memory import MIB, hide_gpu_from_other_framework, nvidia_gpus
from rs_workbench.types import Image, ScoreKind, Scores

if TYPE_CHECKING:
    import torch

    from rs_workbench.memory import GpuLimit

suffixes: tuple[str, ...] = (".pt2",)
framework = "torch"
extra = "torch"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
_ALLOCATOR = "PYTORCH_CUDA_ALLOC_CONF"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.\-]+")
_ACTIVATIONS: dict[str | None, ScoreKind] = {
    None: "logits",
    "identity": "logits",
    "sigmoid": "probabilities",
    "softmax": "probabilities",
    "softmax2d": "probabilities",
}
_CPU_OUT_OF_MEMORY = ("DefaultCPUAllocator", "not enough memory", "can't allocate memory")


def load_predictor(
    path: Path, card: ModelCard | None, /, *, device: str = "auto", engine: str = "torch"
) -> TorchPredictor:
    """Load a `.pt2` archive or an smp folder without running code from it.

    Parameters
    ----------
    path : Path
        The archive, or a folder with `config.json` and `model.safetensors`.
    card : ModelCard or None
        Its card; None for a bare model, which gets a plain one.
    device : str
        `auto`, `cpu`, `cuda` or `cuda:0`.
    engine : str
        `torch`; other engines run this model after conversion only.

    Returns
    -------
    TorchPredictor
        Ready to score.

    Raises
    ------
    ModelError
        If the model is missing, damaged, or disagrees with its card.
    UnsafeModelError
        If loading it would run code.
    UsageError
        If the engine or device cannot be had, or tensorflow is loaded already.
    MissingDependencyError
        If torch or segmentation_models_pytorch is not installed.
    """
    path = Path(path)
    if engine not in ("auto", "torch"):
        raise UsageError(
            f"engine '{engine}' does not run '{path.name}' as it is: choose torch or auto"
        )
    network = _open_folder(path) if path.is_dir() else _open_archive(path)
    check_card(path, card, n_bands=network.n_bands, n_scores=network.n_scores)
    if card is None:
        kind = network.score_kind
        card = plain_card(path.stem, network.n_bands, network.n_scores, scores=kind)
    if network.size is not None and card.fixed_size is None:
        card = card.model_copy(update={"fixed_size": network.size})
    return TorchPredictor(path, network, card, choose_device(device))


class Network:
    """A network as the predictor needs it, whatever file it came from."""

    def __init__(
        self,
        module: torch.nn.Module,
        n_bands: int,
        n_scores: int,
        *,
        size: tuple[int, int] | None = None,
        batch: int | None = None,
        score_kind: ScoreKind = "logits",
        program: torch.export.ExportedProgram | None = None,
    ) -> None:
        self.module = module
        self.n_bands = n_bands
        self.n_scores = n_scores
        self.size = size
        self.batch = batch
        self.score_kind = score_kind
        self.program = program


class TorchPredictor:
    """A loaded torch network: float32, deterministic, channels last inside on the CPU.

    Parameters
    ----------
    path : Path
        Where it came from.
    network : Network
        The network.
    card : ModelCard
        Its card.
    device : str
        `cpu` or `cuda:0`.
    """

    engine = "torch"

    def __init__(self, path: Path, network: Network, card: ModelCard, device: str) -> None:
        import torch

        self.path = path
        self.network = network
        self.card = card
        self.device = device
        self._torch = torch
        if device != "cpu":
            torch.backends.cudnn.deterministic = True
            torch.backends.cudnn.allow_tf32 = False
            torch.backends.cuda.matmul.allow_tf32 = False
        self._module = _place(network, device)

    def predict(self, batch: Image, /) -> Scores:
        """Score a batch.

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
            If the batch has other bands or another size than the network takes.
        """
        check_batch(batch, self.network.n_bands)
        size = self.card.fixed_size
        if size is not None and batch.shape[2:] != size:
            raise ModelError(
                f"'{self.path.name}' takes tiles of {_px(size)} only, but got"
                f" {_px(batch.shape[2:])}: use --tile {size[0]}, or export it with free sizes"
            )
        batch = np.require(batch, np.float32, ("C", "W"))
        step = 1 if self.device == "cpu" or self.network.batch == 1 else len(batch)
        parts = [self._score(batch[i : i + step]) for i in range(0, len(batch), step)]
        scores = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if scores.shape[2:] != batch.shape[2:]:
            raise ModelError(
                f"'{self.path.name}' gives scores of {_px(scores.shape[2:])} for a tile of"
                f" {_px(batch.shape[2:])}: the network must give every pixel its scores, and the"
                " tile must be a multiple of its stride"
            )
        return two_class(scores, self.card.scores)

    def _score(self, batch: Image) -> Scores:
        torch = self._torch
        try:
            with torch.inference_mode():
                tensor = torch.from_numpy(batch).to(self.device)
                result = self._module(tensor.to(memory_format=torch.channels_last))
                array: Scores = _first(result).float().contiguous().cpu().numpy()
        except (RuntimeError, ValueError, AssertionError) as error:
            if is_out_of_memory(error):
                raise
            raise ModelError(
                f"'{self.path.name}' does not take a tile of {_px(batch.shape[2:])}"
                f" ({_first_line(error)}): use a tile that is a multiple of its stride"
            ) from error
        return array


# Memory


def apply_gpu_limit(limit: GpuLimit) -> None:
    """Limit what torch may take on every GPU; before the first use of one.

    Parameters
    ----------
    limit : GpuLimit
        `grow` takes memory as needed; a size or share is the most that is taken.
    """
    torch = import_torch()
    if not torch.cuda.is_initialized() and sys.platform == "linux":
        os.environ.setdefault(_ALLOCATOR, "expandable_segments:True")
    if limit.kind == "grow":
        return
    for index in range(torch.cuda.device_count()):
        total = torch.cuda.get_device_properties(index).total_memory / MIB
        torch.cuda.set_per_process_memory_fraction(min(limit.in_mib(total) / total, 1.0), index)


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
        True for Python's and torch's own errors of this kind.
    """
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    # torch's allocator on the CPU raises a plain RuntimeError
    return isinstance(error, RuntimeError) and any(w in str(error) for w in _CPU_OUT_OF_MEMORY)


def release_memory() -> None:
    """Give back the GPU memory that torch holds in reserve."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


# Loading


def import_torch() -> ModuleType:
    """Import torch, or say in a sentence why that cannot be done.

    Returns
    -------
    module
        torch.

    Raises
    ------
    MissingDependencyError
        If torch is not installed.
    UsageError
        If tensorflow is loaded and triton is not, as importing triton then ends Python.
    """
    if importlib.util.find_spec("torch") is None:
        raise MissingDependencyError(
            "the 'torch' engine needs torch, which is not installed: run  pip install"
            " 'rs-workbench[torch]'"
        )
    trap = "tensorflow" in sys.modules and "triton" not in sys.modules
    if trap and importlib.util.find_spec("triton") is not None:
        raise UsageError(
            "tensorflow is loaded in this process, and loading a torch model after it would end"
            " Python (both bring LLVM): write  import triton  above  import tensorflow, or run"
            " the torch model in a process of its own"
        )
    hide_gpu_from_other_framework("torch")
    import torch

    return torch


def choose_device(device: str) -> str:
    """Find the place that a user's words mean.

    Parameters
    ----------
    device : str
        `auto`, `cpu`, `cuda` or `cuda:0`.

    Returns
    -------
    str
        `cpu` or `cuda:0`.

    Raises
    ------
    UsageError
        If there is no such place.
    MissingDependencyError
        If torch is not installed.
    """
    torch = import_torch()
    if device == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    kind, _, number = device.partition(":")
    if device == "cpu":
        return "cpu"
    if kind != "cuda" or (number and not number.isdigit()):
        raise UsageError(f"--device {device} is not understood: write auto, cpu or cuda:0")
    index, count = int(number or 0), torch.cuda.device_count()
    if index >= count:
        raise UsageError(
            f"--device {device} cannot be had, torch sees {count} GPUs: choose --device cpu, or"
            " run  rsw doctor  to see why"
        )
    return f"cuda:{index}"


def _place(network: Network, device: str) -> torch.nn.Module:
    import torch

    if network.program is None:
        module = network.module.to(device)
        return module.to(memory_format=torch.channels_last)
    if device == "cpu":
        return network.program.module()
    from torch.export.passes import move_to_device_pass

    return move_to_device_pass(network.program, device).module()


def _open_archive(path: Path) -> Network:
    clean = clean_archive(path)
    torch = import_torch()
    try:
        with _quiet():
            program = torch.export.load(clean.archive)
            module = program.module()
    except MemoryError:
        raise
    except Exception as error:  # torch raises many kinds for archives it cannot read
        if is_out_of_memory(error):
            raise
        raise ModelError(
            f"'{path.name}' cannot be loaded by torch {torch.__version__} ({_first_line(error)}):"
            " export it again with this version, torch.export.save(...)"
        ) from error
    batch, n_bands, height, width = clean.sizes
    if batch not in (None, 1):
        raise ModelError(
            f"'{path.name}' takes batches of {batch} tiles only: export it with a free batch"
            " axis (dynamic_shapes), or with a batch of 1"
        )
    size = (height, width) if height is not None and width is not None else None
    assert n_bands is not None
    n_scores = clean.n_scores or 0
    return Network(module, n_bands, n_scores, size=size, batch=batch, program=program)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what torch logs about an archive; errors say it again."""
    logger = logging.getLogger("torch.export")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _open_folder(path: Path) -> Network:
    config = _read_config(path)
    import_torch()
    smp = _import_smp(path)
    kind = config.pop("_model_class", None)
    network_class = getattr(smp, kind, None) if isinstance(kind, str) else None
    if not (
        isinstance(network_class, type) and issubclass(network_class, smp.base.SegmentationModel)
    ):
        raise ModelError(
            f"'{path.name}' asks for the network '{kind}', which segmentation_models_pytorch"
            f" {smp.__version__} does not have: install the version it was saved with"
        )
    for key in ("encoder_weights", "pretrained_backbone_path"):
        if key in config:
            config[key] = None
    try:
        module = network_class(**{"encoder_weights": None} | config)
    except Exception as error:  # smp and timm raise many kinds for settings they do not know
        raise ModelError(
            f"'{path.name}' cannot be built by segmentation_models_pytorch {smp.__version__}"
            f" ({_first_line(error)}): save it again with this version"
        ) from error
    _load_weights(path, module)
    activation = config.get("activation")
    n_scores = int(config.get("classes", 1))
    n_bands = int(config.get("in_channels", 3))
    return Network(module.eval(), n_bands, n_scores, score_kind=_ACTIVATIONS[activation])


def _read_config(path: Path) -> dict[str, Any]:
    """Read the settings of an smp folder, all of them plain values."""
    pickles = [p.name for p in path.iterdir() if p.suffix in (".bin", ".pt", ".pth", ".ckpt")]
    if not (path / WEIGHTS).exists():
        if pickles:
            raise UnsafeModelError(
                f"'{path.name}' keeps its weights in '{pickles[0]}', a pickle, and opening one"
                " can run any code: save it again with  model.save_pretrained(folder), which"
                f" writes {WEIGHTS}"
            )
        raise ModelError(
            f"'{path.name}' has no {WEIGHTS} beside its {CONFIG}: save the model again with "
            " model.save_pretrained(folder)"
        )
    try:
        config = json.loads((path / CONFIG).read_text(encoding="utf-8"))
        encoder = config.get("encoder_name", "resnet34")
        activation = config.get("activation")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"'{path.name}/{CONFIG}' cannot be read: {error}") from error
    if not isinstance(encoder, str) or not _PLAIN_NAME.fullmatch(encoder):
        raise UnsafeModelError(
            f"'{path.name}' asks for the encoder '{encoder}', which would be fetched from"
            " elsewhere: save a model whose encoder is one of smp's own"
        )
    if not isinstance(activation, str | None) or activation not in _ACTIVATIONS:
        raise ModelError(
            f"'{path.name}' ends in the activation '{activation}': save it with one of"
            f" {', '.join(str(name) for name in _ACTIVATIONS)}"
        )
    return dict(config)


def _import_smp(path: Path) -> ModuleType:
    try:
        import segmentation_models_pytorch as smp
    except ImportError as error:
        raise MissingDependencyError(
            f"'{path.name}' needs segmentation_models_pytorch, which cannot be loaded ({error}):"
            " run  pip install 'rs-workbench[torch]'"
        ) from error
    module: ModuleType = smp
    return module


def _load_weights(path: Path, module: torch.nn.Module) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        module.load_state_dict(load_file(path / WEIGHTS), strict=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(
            f"'{path.name}/{WEIGHTS}' does not fit the network of its {CONFIG}"
            f" ({_first_line(error)}): save both again with  model.save_pretrained(folder)"
        ) from error


def _first(result: Any) -> torch.Tensor:
    """Take the scores out of what a network gives; they come first."""
    while not hasattr(result, "float"):
        result = next(iter(result.values() if isinstance(result, dict) else result))
    return result


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _px(size: Sequence[int]) -> str:
    return " x ".join(str(n) for n in size) + " px"
