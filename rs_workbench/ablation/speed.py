"""How fast a network maps: our own engine on a batch of tiles, timed in a process of its own.

    python -m rs_workbench.ablation.speed MODEL.onnx TILE

prints one line of JSON. A fresh process has no other network in memory, and its peak is its own.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rs_workbench.errors import ModelError
from rs_workbench.types import Engine

ENGINE: Engine = "openvino"
"""One engine for all, so that networks are compared and not engines."""
WARM_UP = 2
ROUNDS = 7
LEAST_BATCH = 2
TIMEOUT = 600.0


@dataclass(frozen=True)
class Speed:
    """What was measured.

    Attributes
    ----------
    pixels_per_second : float
        Of the median round.
    batch : int
        Tiles a round.
    rounds : int
        Rounds that were timed.
    engine, device : str
        What ran the network, and where.
    peak_rss_mib : float
        Largest memory of the process, MiB.
    """

    pixels_per_second: float
    batch: int
    rounds: int
    engine: str
    device: str
    peak_rss_mib: float


def measure_speed(path: Path, tile: int) -> Speed:
    """Time a network in a child process.

    Parameters
    ----------
    path : Path
        The `.onnx` file with its card.
    tile : int
        Side of a tile, px.

    Returns
    -------
    Speed
        On the processor.

    Raises
    ------
    ModelError
        If the network does not run.
    """
    command = [sys.executable, "-m", __name__, str(path), str(tile)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"'{path.name}' took more than {TIMEOUT:.0f} s to be timed on tiles of {tile} px"
        ) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise ModelError(f"'{path.name}' cannot be timed on tiles of {tile} px: {last[:300]}")
    return Speed(**json.loads(done.stdout.splitlines()[-1]))


def time_here(path: Path, tile: int) -> Speed:
    """Time a network in this process.

    Parameters
    ----------
    path : Path
        The `.onnx` file with its card.
    tile : int
        Side of a tile, px.

    Returns
    -------
    Speed
        On the processor.

    Raises
    ------
    ModelError
        If the network does not run.
    """
    import numpy as np

    from rs_workbench.backends import load_predictor
    from rs_workbench.memory import peak_rss_mib

    predictor = load_predictor(path, engine=ENGINE, device="cpu").predictor
    rng = np.random.default_rng(0)
    shape = (1, predictor.card.n_bands, tile, tile)
    predictor.predict(np.zeros(shape, np.float32))  # compiles for this size
    n_tiles = max(LEAST_BATCH, getattr(predictor, "preferred_batch", 1))
    batch = rng.standard_normal((n_tiles, *shape[1:]), np.float32)
    seconds = []
    for _ in range(WARM_UP + ROUNDS):
        start = time.perf_counter()
        predictor.predict(batch)
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds[WARM_UP:])
    return Speed(
        n_tiles * tile**2 / median, n_tiles, ROUNDS, predictor.engine, predictor.device,
        round(peak_rss_mib(), 1),
    )  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(asdict(time_here(Path(sys.argv[1]), int(sys.argv[2])))))
