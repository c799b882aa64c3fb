"""Framework adapters, one file each, imported on demand.

`load_predictor` finds the adapter by the suffix of the model file. A framework adapter is a
module with

- ``suffixes``, ``framework`` (the engine's name) and ``extra`` (what to install),
- ``load_predictor(path, card, /, *, device, engine)``; ``card`` None means a bare model, which
  then gets ``plain_card`` with as many bands and classes as the file has,
- ``apply_gpu_limit(limit)``, called before the device is first used,
- ``memory_state()``, ``is_out_of_memory(error)`` and ``release_memory()``,

and beside it ``<name>_convert``, run as a child process, which turns the file into ONNX (see
`engines`), so that a map made with ``--engine auto`` seldom needs the framework at all.
"""

from __future__ import annotations

import hashlib
import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from rs_workbench.card import ModelCard, read_card
from rs_workbench.errors import ModelError, UnsafeModelError, UsageError

if TYPE_CHECKING:
    from rs_workbench.backends.base import Predictor
    from rs_workbench.memory import GpuLimit
    from rs_workbench.types import Engine

BACKENDS = {".onnx": "onnx_backend", ".keras": "keras_backend", ".pt2": "torch_backend"}
SMP_CONFIG = "config.json"
ENGINES = {
    "onnx_backend": ("openvino", "onnxruntime"),
    "keras_backend": ("openvino", "onnxruntime", "keras"),
    "torch_backend": ("openvino", "onnxruntime", "torch"),
}
_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".bin")


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to run.

    `notes` says in plain sentences what was chosen and why; `sha256` is that of the model file
    (of all files, for a folder).
    """

    predictor: Predictor
    card: ModelCard
    notes: tuple[str, ...]
    sha256: str
    path: Path


def load_predictor(
    path: str | Path,
    *,
    card: ModelCard | None = None,
    device: str = "auto",
    engine: Engine = "auto",
    cache: Path | None = None,
    gpu: GpuLimit | None = None,
    memory: int | None = None,
    bare: bool = False,
    ignore_card: bool = False,
) -> LoadedModel:
    """Load any model file that the workbench runs.

    Parameters
    ----------
    path : str or Path
        `.onnx`, `.keras`, `.pt2`, or a folder made by smp's `save_pretrained`.
    card : ModelCard, optional
        Used instead of the card in or beside the file.
    device : str
        `auto`, `cpu`, `cuda` or `cuda:0`.
    engine : str
        `auto`, `openvino`, `onnxruntime`, `torch` or `keras`.
    cache : Path, optional
        Folder for converted models; default is the user's cache folder or `RSW_CACHE`.
    gpu : GpuLimit, optional
        How much GPU memory the framework may take.
    memory : int, optional
        Bytes that the run may take. Below 2 GB, a framework is used only where nothing else runs
        the model, or where it is asked for.
    bare : bool
        Accept a model without a card and give it a plain one.
    ignore_card : bool
        Do not read the card in or beside the file.

    Returns
    -------
    LoadedModel
        The predictor, its card, what was chosen and why, and the model's hash.

    Raises
    ------
    ModelError
        If the file is missing, of a kind that does not run here, has no card, or disagrees
        with its card.
    UnsafeModelError
        If loading the file would run code from it.
    UsageError
        If the engine cannot run this kind of file.
    MissingDependencyError
        If the engine or framework is not installed.
    """
    from rs_workbench.backends import engines
    from rs_workbench.memory import nvidia_gpus

    path = Path(path)
    name = backend_name(path)
    _check_engine(path, name, engine)
    card = card if card or ignore_card else read_card(path)
    if card is None and not bare:
        raise ModelError(
            f"'{path.name}' has no card that says what its bands and classes are: write one with"
            f"  rsw card write {path} --bands red,green,blue"
            " --classes 'water:#3366cc,land:#999966'"
        )
    if gpu is not None and device != "cpu" and nvidia_gpus():
        backend_for(path).apply_gpu_limit(gpu)
    order = engines.Order(device=device, engine=engine, cache=cache, memory=memory)
    load = engines.load_onnx if name == "onnx_backend" else engines.load_framework_model
    predictor, notes = load(path, card, order)
    return LoadedModel(predictor, predictor.card, notes, hash_model(path), path)


def backend_for(path: str | Path) -> ModuleType:
    """Import the adapter module for a model file.

    Parameters
    ----------
    path : str or Path
        The model file or smp folder.

    Returns
    -------
    module
        The adapter; see the head of this module for what it offers.

    Raises
    ------
    ModelError
        If the file is missing or of a kind that does not run here.
    UnsafeModelError
        If the file is a pickle.
    MissingDependencyError
        If the framework is not installed.
    """
    return importlib.import_module(f"rs_workbench.backends.{backend_name(Path(path))}")


def backend_name(path: Path) -> str:
    """Name of the adapter module for a model file, without importing it.

    Parameters
    ----------
    path : Path
        The model file or smp folder.

    Returns
    -------
    str
        `onnx_backend`, `keras_backend` or `torch_backend`.

    Raises
    ------
    ModelError
        If the file is missing or of a kind that does not run here.
    UnsafeModelError
        If the file is a pickle.
    """
    if not path.exists():
        raise ModelError(f"there is no model at '{path}': give a .onnx, .keras or .pt2 file")
    if path.is_dir():
        return _folder_backend(path)
    suffix = path.suffix.lower()
    if suffix in BACKENDS:
        return BACKENDS[suffix]
    if suffix in _PICKLES:
        raise UnsafeModelError(
            f"'{path.name}' is a pickle, and opening one can run any code: where it was made, save"
            " the model with  torch.export.save(torch.export.export(model.eval(), (batch,)),"
            f" '{path.stem}.pt2')  and give that file"
        )
    raise ModelError(_unknown_file(path, suffix))


def hash_model(path: Path, *, leave_out: str | None = None) -> str:
    """SHA-256 of a model file, or of all files of a model folder.

    Parameters
    ----------
    path : Path
        The model file or folder.
    leave_out : str, optional
        Name of a file of the folder that does not count.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        if path.is_dir():
            if file.name == leave_out:
                continue
            digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _check_engine(path: Path, name: str, engine: str) -> None:
    if engine != "auto" and engine not in ENGINES[name]:
        raise UsageError(
            f"engine '{engine}' cannot run '{path.name}': choose auto or one of"
            f" {', '.join(ENGINES[name])}"
        )


def _folder_backend(path: Path) -> str:
    if (path / "saved_model.pb").exists():
        raise ModelError(
            f"'{path.name}' is a TensorFlow SavedModel, which does not say enough to be run here:"
            " save the Keras model as one file with  model.save('model.keras')"
        )
    if (path / SMP_CONFIG).exists():
        return "torch_backend"
    raise ModelError(
        f"'{path.name}' is a folder without {SMP_CONFIG}: give a folder made by"
        " segmentation_models_pytorch's save_pretrained, or a .onnx, .keras or .pt2 file"
    )


def _unknown_file(path: Path, suffix: str) -> str:
    if suffix in (".h5", ".hdf5"):
        return (
            f"'{path.name}' is a legacy Keras file: load it where it was made and save it again"
            f" with  model.save('{path.stem}.keras')"
        )
    if suffix == ".safetensors":
        return (
            f"'{path.name}' holds weights but no network: give the folder made by"
            " save_pretrained (config.json beside model.safetensors), or a .pt2 file"
        )
    kind = f"'{suffix}'" if suffix else "without a suffix"
    return (
        f"'{path.name}' is a model file of a kind not known here ({kind}): give a .onnx, .keras or"
        " .pt2 file"
    )
