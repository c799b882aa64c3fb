"""Memory: budgets for RAM and GPU, and what to do when either runs out.

A job runs out of memory long after it began, on a tile like any other, because another program
took the rest of the GPU. It must not end there: `BackOff` stands between the engine and the
network and asks for less until it works. Because a tile inside a tile is scored with the same
margin as a tile inside the scene, the map stays the same.
"""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import psutil

from rs_workbench.errors import UsageError, WorkbenchError
from tiling import predict_array, round_up

if TYPE_CHECKING:
    from rs_workbench.backends.base import GpuMemory, Predictor
    from rs_workbench.card import ModelCard
    from rs_workbench.types import Image, Scores

MIB = 1 << 20
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY_UNITS = {"ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30, "ti": 1 << 40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?|)b?\s*", re.IGNORECASE)
_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")


# Sizes


def parse_size(text: str) -> int:
    """Read a size with its unit.

    Parameters
    ----------
    text : str
        A number with B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024);
        case and spaces do not matter, and B may be left out.

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    UsageError
        If the text is no size, or less than one byte.

    Examples
    --------
    >>> parse_size("2GB"), parse_size("1.5 GiB"), parse_size("512m")
    (2000000000, 1610612736, 512000000)
    """
    match = _SIZE.fullmatch(text)
    size = 0
    if match:
        size = int(float(match[1]) * {**_UNITS, **_BINARY_UNITS}[match[2].lower()])
    if size < 1:
        raise UsageError(f"'{text}' is not a size in memory: write a number and a unit, as in 2GB")
    return size


@dataclass(frozen=True)
class GpuLimit:
    """How much memory a framework may take on a GPU.

    `grow` takes it as needed; `bytes` and `fraction` set a hard limit, `value` of it.
    """

    kind: Literal["grow", "bytes", "fraction"] = "grow"
    value: float = 0.0

    def in_mib(self, total_mib: float) -> float:
        """Hard limit on a GPU of this size.

        Parameters
        ----------
        total_mib : float
            Memory of the GPU, MiB.

        Returns
        -------
        float
            The limit in MiB, at most the whole GPU.
        """
        wanted = {
            "grow": total_mib,
            "bytes": self.value / MIB,
            "fraction": self.value * total_mib,
        }
        return min(wanted[self.kind], total_mib)


def parse_gpu_limit(text: str) -> GpuLimit:
    """Read the value of ``--gpu-memory``.

    Parameters
    ----------
    text : str
        ``grow``, a size such as ``6GB``, or a share such as ``80%``.

    Returns
    -------
    GpuLimit
        What was asked for.

    Raises
    ------
    UsageError
        If the text is none of the three, or the share is not within 0-100 %.

    Examples
    --------
    >>> parse_gpu_limit("80%")
    GpuLimit(kind='fraction', value=0.8)
    """
    if text.strip().lower() == "grow":
        return GpuLimit("grow")
    if match := _PERCENT.fullmatch(text):
        share = float(match[1]) / 100
        if not 0 < share <= 1:
            raise UsageError(
                f"--gpu-memory {text} is not a share of the GPU: choose from 1% to 100%"
            )
        return GpuLimit("fraction", share)
    try:
        return GpuLimit("bytes", float(parse_size(text)))
    except UsageError as error:
        raise UsageError(
            f"--gpu-memory {text} is not understood: write 6GB, 80% or grow"
        ) from error


# What there is


def available_ram(*, cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """RAM that this process may still take without swapping.

    Inside a container the machine's figure is not what may be used: the smaller of the two
    counts. File caches that the kernel would give up count as free in both.

    Parameters
    ----------
    cgroup : Path
        Where the control group's files lie; does not exist outside Linux.

    Returns
    -------
    int
        Bytes.
    """
    free = int(psutil.virtual_memory().available)
    for limit, used, stat, cache in (
        ("memory.max", "memory.current", "memory.stat", "inactive_file"),
        (
            "memory/memory.limit_in_bytes",
            "memory/memory.usage_in_bytes",
            "memory/memory.stat",
            "total_inactive_file",
        ),
    ):
        most, now = _read_number(cgroup / limit), _read_number(cgroup / used)
        if most is not None and now is not None:
            reclaimable = _read_stat(cgroup / stat, cache)
            free = min(free, max(0, most - now + reclaimable))
    return free


def peak_rss_mib() -> float:
    """Largest resident memory of this process so far.

    Returns
    -------
    float
        MiB. What a parent process had in memory when it started this one does not count.
    """
    status = Path("/proc/self/status")
    if status.exists():
        # ru_maxrss survives exec on Linux, so a small child of a large parent looks large.
        match = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.MULTILINE)
        if match:
            return int(match[1]) / 1024
    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):
        return float(info.peak_wset) / MIB
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


def nvidia_gpus(*, program: str = "nvidia-smi") -> list[GpuMemory]:
    """NVIDIA GPUs that this process may use, as the driver sees them.

    Asking the driver's own program claims no memory, whereas asking a framework may.

    Parameters
    ----------
    program : str
        The driver's program.

    Returns
    -------
    list of GpuMemory
        In the order of ``cuda:0``, ``cuda:1`` ...; empty without GPU or driver.
    """
    from rs_workbench.backends.base import GpuMemory

    query = "--query-gpu=index,uuid,name,memory.total,memory.free,memory.used"
    try:
        done = subprocess.run(
            [program, query, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines()]
    rows = _visible([row for row in rows if len(row) == 6])
    return [GpuMemory(row[2], *(_mib(cell) for cell in row[3:])) for row in rows]


def _visible(rows: list[list[str]]) -> list[list[str]]:
    """Rows that CUDA_VISIBLE_DEVICES lets through, in its order; it ends at the first bad one."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return rows
    seen = []
    for name in (part.strip() for part in chosen.split(",")):
        found = [r for r in rows if name and (r[0] == name or r[1].startswith(name))]
        if not found:
            break
        seen.append(found[0])
    return seen


def _mib(cell: str) -> float:
    """Read a figure of nvidia-smi; boards with shared memory give "[N/A]"."""
    try:
        return float(cell)
    except ValueError:
        return 0.0


def _read_number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _read_stat(path: Path, key: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{key} ")), 0)


# One framework on the GPU


def child_environment(*, gpu: bool) -> dict[str, str]:
    """Environment for a child process that loads a framework.

    Parameters
    ----------
    gpu : bool
        Whether the child may see the GPUs; a child that converts or compares on the CPU may
        not, or it would take memory from its parent's framework.

    Returns
    -------
    dict
        A copy of this process's environment with the change.
    """
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    if not gpu:
        environment["CUDA_VISIBLE_DEVICES"] = ""
    return environment


def hide_gpu_from_other_framework(in_use: Literal["keras", "torch"]) -> None:
    """Keep tensorflow off the GPU where torch is the one that works.

    Tensorflow takes all GPU memory at its first operation, whatever that is; torch takes none
    before it is used, so there is nothing to do the other way round. Only a program that loads
    both by itself comes here with tensorflow in memory.

    Parameters
    ----------
    in_use : str
        Name of the framework that runs the model.
    """
    tensorflow = sys.modules.get("tensorflow")
    if in_use == "torch" and tensorflow is not None:
        try:
            tensorflow.config.set_visible_devices([], "GPU")
        except RuntimeError:
            # It has begun already; what it took stays taken until the process ends.
            return


# When memory runs out


class BackOff:
    """A predictor that asks for less when memory runs out.

    It halves the batch, then the tile, then moves to the CPU, where it may halve again; what
    worked stays. One line each goes to `log`.

    Parameters
    ----------
    predictor : Predictor
        The network.
    is_out_of_memory : callable
        Tells the framework's out-of-memory errors from all others.
    to_cpu : callable, optional
        Loads the same model on the CPU; None where it is there already.
    margin : int
        Border cut from every smaller tile, px; the same as for tiles of the scene.
    stride : int
        Total stride of the network, px.
    log : callable
        Takes the line for the user.
    release : callable, optional
        Gives back what the framework holds in reserve.
    """

    def __init__(
        self,
        predictor: Predictor,
        *,
        is_out_of_memory: Callable[[BaseException], bool],
        to_cpu: Callable[[], Predictor] | None,
        margin: int,
        stride: int,
        log: Callable[[str], None],
        release: Callable[[], None] | None = None,
    ) -> None:
        self._predictor: Predictor | None = predictor
        self._is_out_of_memory = is_out_of_memory
        self._to_cpu = to_cpu
        self._margin = round_up(margin, stride)
        self._stride = stride
        self._log = log
        self._release = release
        self._batch: int | None = None
        self._tile: int | None = None
        self.card: ModelCard = predictor.card
        self.engine: str = predictor.engine
        self.device: str = predictor.device
        self.events: list[str] = []

    def predict(self, batch: Image, /) -> Scores:
        """Score a batch, in smaller portions where memory does not suffice.

        Parameters
        ----------
        batch : ndarray of float32, shape (N, B, H, W)
            Scaled pixels.

        Returns
        -------
        ndarray of float32, shape (N, K, H, W)
            The same scores whatever the portions.

        Raises
        ------
        WorkbenchError
            If memory does not suffice for one smallest tile.
        """
        while True:
            reason = ""
            try:
                return self._attempt(batch)
            except Exception as error:
                if not self._is_out_of_memory(error):
                    raise
                reason = _first_line(error)
            # Outside the handler: its traceback keeps the tensors that must go first.
            self._free()
            self._give_way(batch.shape, reason)

    def _attempt(self, batch: Image) -> Scores:
        portion = self._batch or len(batch)
        if len(batch) <= portion:
            return self._score(batch)
        parts = (batch[i : i + portion] for i in range(0, len(batch), portion))
        return np.concatenate([self._score(part) for part in parts])

    def _score(self, batch: Image) -> Scores:
        predictor = self._predictor
        assert predictor is not None
        if self._tile is None or max(batch.shape[2:]) <= self._tile:
            return predictor.predict(batch)
        return np.stack(
            [
                predict_array(
                    image,
                    predictor.predict,
                    tile=self._tile,
                    margin=self._margin,
                    stride=self._stride,
                )
                for image in batch
            ]
        )

    def _give_way(self, shape: Sequence[int], reason: str) -> None:
        n, _, *size = shape
        batch, tile = min(self._batch or n, n), min(self._tile or max(size), max(size))
        if batch > 1:
            self._batch = batch // 2
            self._say(f"out of memory with {batch} tiles at once: going on with {self._batch}")
        elif (smaller := self._smaller_tile(tile)) is not None:
            self._tile = smaller
            self._say(f"out of memory with a tile of {tile} px: going on with {smaller} px")
        elif self._to_cpu is not None:
            self._move_to_cpu()
        else:
            raise WorkbenchError(
                f"memory on '{self.device}' does not suffice even for one tile of {tile} px"
                f" ({reason}): close other programs, or choose a smaller --tile"
            )

    def _smaller_tile(self, tile: int) -> int | None:
        """Half the tile on the network's grid; None where the margins would leave nothing."""
        half = tile // 2 // self._stride * self._stride
        if self.card.fixed_size is not None or half < 2 * self._margin + self._stride:
            return None
        return half

    def _move_to_cpu(self) -> None:
        assert self._to_cpu is not None
        load, self._to_cpu = self._to_cpu, None
        left, self._predictor = self.device, None
        self._free()
        self._predictor = load()
        self._batch, self._tile = 1, None
        self.engine, self.device = self._predictor.engine, self._predictor.device
        self._say(f"out of memory on '{left}': going on with the CPU, which is slower")

    def _free(self) -> None:
        gc.collect()
        if self._release is not None:
            self._release()

    def _say(self, line: str) -> None:
        self.events.append(line)
        self._log(line)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
