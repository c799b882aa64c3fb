"""Where a network of Keras learns, and in which precision."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from rs_workbench.backends.keras_backend import apply_gpu_limit
from rs_workbench.backends.keras_run import choose_device, device_scope
from rs_workbench.errors import UsageError
from rs_workbench.memory import parse_gpu_limit
from rs_workbench.training.settings import TrainSettings

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


@dataclass(frozen=True)
class Place:
    """One device, or several GPUs that learn together.

    Attributes
    ----------
    device : str
        ``cpu`` or ``cuda:0``; the first of several.
    policy : str
        What Keras calls the precision.
    replicas : int
        Copies of the network, each on a GPU of its own.
    strategy : tf.distribute.Strategy, optional
        What keeps the copies alike; None for one.
    """

    device: str
    policy: str = "float32"
    replicas: int = 1
    strategy: Any = None

    @property
    def name(self) -> str:
        """The place in words."""
        return self.device if self.replicas == 1 else f"{self.replicas} GPUs"

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Make variables built within lie here, one copy a replica."""
        return self.strategy.scope() if self.strategy else device_scope(keras, self.device)

    @contextlib.contextmanager
    def precision(self) -> Iterator[None]:
        """Make layers built within compute in the precision of this place."""
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.policy)
        try:
            yield
        finally:
            keras.config.set_dtype_policy(before)


def choose_place(settings: TrainSettings) -> Place:
    """Find the place where a run learns.

    Parameters
    ----------
    settings : TrainSettings
        `device`, `gpu_memory`, `precision`, `batch` and `accumulate`.

    Returns
    -------
    Place
        All GPUs that tensorflow sees where the device is ``auto``, but no more than there are
        chips in a part of a batch; the first of them for float16, and for Keras on torch.

    Raises
    ------
    UsageError
        If there is no such device, it cannot compute so, or its memory cannot be limited.
    """
    if settings.gpu_memory and settings.device != "cpu":
        _limit_memory(settings.gpu_memory)
    device = choose_device(keras, settings.device)
    policy = choose_policy(settings.precision, device)
    one = Place(device, policy)
    if device == "cpu" or settings.device != "auto" or policy == POLICIES["float16"]:
        return one
    if keras.backend.backend() != "tensorflow":
        return one
    tf = sys.modules["tensorflow"]
    gpus = [gpu.name for gpu in tf.config.list_logical_devices("GPU")]
    gpus = gpus[: settings.batch // settings.accumulate]
    if len(gpus) < 2:
        return one
    return Place(device, policy, len(gpus), tf.distribute.MirroredStrategy(gpus))


def choose_policy(precision: str, device: str) -> str:
    """Find the type in which activations are computed; weights stay float32.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16", "float16"}
        Auto is bfloat16 on a GPU from compute capability 8.0, float16 from 7.0, and float32
        elsewhere.
    device : str
        ``cpu`` or ``cuda:0``.

    Returns
    -------
    str
        What Keras calls it.

    Raises
    ------
    UsageError
        If it is float16 on a CPU.
    """
    if device == "cpu" and precision == "float16":
        raise UsageError(
            "float16 is for GPUs, and this run is on the CPU: choose --precision bfloat16 or"
            " float32"
        )
    if precision != "auto":
        return POLICIES[precision]
    capability = (0, 0) if device == "cpu" else _capability(int(device.rpartition(":")[2]))
    kinds = {(8, 0): "bfloat16", (7, 0): "float16"}
    return POLICIES[next((kinds[least] for least in kinds if capability >= least), "float32")]


def _capability(gpu: int) -> tuple[int, int]:
    """Compute capability of a GPU; (0, 0) where the framework does not tell."""
    if keras.backend.backend() == "torch":
        return tuple(sys.modules["torch"].cuda.get_device_capability(gpu))  # type: ignore[return-value]
    config = sys.modules["tensorflow"].config
    details = config.experimental.get_device_details(config.get_visible_devices("GPU")[gpu])
    return tuple(details.get("compute_capability", (0, 0)))  # type: ignore[return-value]


@functools.cache
def _limit_memory(text: str) -> None:
    """Limit it once: tensorflow takes no other limit, nor the same again, once at work."""
    apply_gpu_limit(parse_gpu_limit(text))
