"""Running a Keras network: on which device, and as one compiled function a tile size.

* Keras is channels-last and the workbench bands-first: the turn happens here and, for training,
  in `rs_workbench.training.keras_gradients`.
* `Model.predict` builds a data set, an iterator and callbacks at every call; one compiled
  function a tile size, with the batch left open, has neither that cost nor retraces.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rs_workbench.errors import ModelError, UsageError

if TYPE_CHECKING:
    from rs_workbench.types import Image, Scores

KEPT_FUNCTIONS = 8
"""Compiled functions kept, one a tile size; scenes smaller than a tile each have their own."""


def choose_device(keras: ModuleType, device: str) -> str:
    """Choose where to run; set tensorflow's GPUs up, or hide them, on the way.

    Parameters
    ----------
    keras : module
        What `import_keras` gave.
    device : str
        `auto`, `cpu`, `cuda` or `cuda:0`.

    Returns
    -------
    str
        `cpu` or `cuda:<n>`.

    Raises
    ------
    UsageError
        If the device cannot be understood or had.
    """
    name = keras.backend.backend()
    n_gpus = 0
    if device != "cpu":
        n_gpus = _count_tensorflow_gpus() if name == "tensorflow" else _count_torch_gpus()
    elif name == "tensorflow":
        _hide_tensorflow_gpus()
    if device == "auto":
        return "cuda:0" if n_gpus else "cpu"
    if device == "cpu":
        return "cpu"
    kind, _, number = device.partition(":")
    index = int(number) if number.isdigit() else 0
    if kind != "cuda" or (number and not number.isdigit()):
        raise UsageError(f"--device {device} is not understood: write auto, cpu or cuda:0")
    if index >= n_gpus:
        raise UsageError(
            f"--device {device} cannot be had, {name} sees {n_gpus} GPUs: choose --device cpu, or"
            " run  rsw doctor  to see why"
        )
    return f"cuda:{index}"


def _count_tensorflow_gpus() -> int:
    config = sys.modules["tensorflow"].config
    gpus = config.get_visible_devices("GPU")
    for gpu in gpus:
        if config.get_logical_device_configuration(gpu):
            continue
        with contextlib.suppress(RuntimeError, ValueError):  # at work already
            config.experimental.set_memory_growth(gpu, True)
    return len(gpus)


def _hide_tensorflow_gpus() -> None:
    with contextlib.suppress(RuntimeError):  # at work already; the device scope still holds
        sys.modules["tensorflow"].config.set_visible_devices([], "GPU")


def _count_torch_gpus() -> int:
    return int(sys.modules["torch"].cuda.device_count())


def device_scope(keras: ModuleType, device: str) -> contextlib.AbstractContextManager[Any]:
    """Make what is built within it lie on a device.

    Parameters
    ----------
    keras : module
        What `import_keras` gave.
    device : str
        What `choose_device` gave.

    Returns
    -------
    context manager
        For ``with``.
    """
    # to torch cpu:0 is not where a tensor on the cpu lies: each operation would copy it there
    cpu = "cpu" if keras.backend.backend() == "torch" else "cpu:0"
    place = cpu if device == "cpu" else device.replace("cuda", "gpu")
    scope: contextlib.AbstractContextManager[Any] = keras.device(place)
    return scope


def make_runner(keras: ModuleType, model: Any, device: str) -> Callable[[Image], Scores]:
    """Make the function that scores a batch with a network.

    Parameters
    ----------
    keras : module
        What `import_keras` gave.
    model : keras.Model
        Takes (N, H, W, B), gives (N, H, W, K).
    device : str
        What `choose_device` gave.

    Returns
    -------
    callable
        (N, B, H, W) to (N, K, H, W), both float32; raises ModelError where the network does not
        take tiles of that size. It follows weights that change.
    """
    run = _tensorflow_runner if keras.backend.backend() == "tensorflow" else _torch_runner
    return run(keras, model, device)


def _tensorflow_runner(
    keras: ModuleType,
    model: Any,
    device: str,
) -> Callable[[Image], Scores]:
    tf = sys.modules["tensorflow"]

    @functools.lru_cache(maxsize=KEPT_FUNCTIONS)
    def compiled(bands: int, height: int, width: int) -> Any:
        def score(batch: Any) -> Any:
            scores = model(tf.transpose(batch, (0, 2, 3, 1)), training=False)
            return tf.transpose(tf.cast(scores, tf.float32), (0, 3, 1, 2))

        signature = tf.TensorSpec([None, bands, height, width], tf.float32)
        return tf.function(score, autograph=False).get_concrete_function(signature)

    def run(batch: Image) -> Scores:
        _, bands, height, width = batch.shape
        with device_scope(keras, device):
            try:
                return compiled(bands, height, width)(tf.constant(batch)).numpy()
            except (tf.errors.InvalidArgumentError, ValueError) as error:
                raise ModelError(_wrong_size(height, width, error)) from error

    return run


def _torch_runner(
    keras: ModuleType,
    model: Any,
    device: str,
) -> Callable[[Image], Scores]:
    torch = sys.modules["torch"]

    def run(batch: Image) -> Scores:
        with device_scope(keras, device), torch.inference_mode():
            tensor = torch.as_tensor(batch.copy(), device=torch.device(device))
            try:
                scores = model(tensor.permute(0, 2, 3, 1), training=False)
            except ValueError as error:
                height, width = batch.shape[2:]
                raise ModelError(_wrong_size(height, width, error)) from error
            return scores.permute(0, 3, 1, 2).float().contiguous().cpu().numpy()

    return run


def _wrong_size(height: int, width: int, error: BaseException) -> str:
    return (
        f"the network does not take tiles of {height} x {width} px ({short(error)}): choose a"
        " --tile that is a multiple of its stride"
    )


def short(error: BaseException) -> str:
    """Shorten an error to its first line.

    Parameters
    ----------
    error : BaseException
        Such as tensorflow's, which run over pages.

    Returns
    -------
    str
        200 characters at most.
    """
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
