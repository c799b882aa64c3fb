"""By what command and on which machine a study was made, kept in its folder."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from rs_workbench.training.history import write_whole

NAME = "made.json"


@dataclass(frozen=True)
class Made:
    """How the runs were made.

    Attributes
    ----------
    command : str
        As typed last.
    machine : str
        In words.
    versions : str
        Of the workbench and Python.
    jobs : int
        Runs at a time.
    """

    command: str
    machine: str
    versions: str
    jobs: int

    def write(self, folder: Path) -> None:
        """Write it to the folder of the study."""
        write_whole(folder / NAME, json.dumps(asdict(self), indent=2).encode())


def made_now(command: str, jobs: int) -> Made:
    """Describe this machine.

    Parameters
    ----------
    command : str
        As typed.
    jobs : int
        Runs at a time.

    Returns
    -------
    Made
        For the report.
    """
    import psutil

    from rs_workbench.memory import nvidia_gpus

    memory = psutil.virtual_memory().total / (1 << 30)
    gpus = [f"{gpu.name}, {gpu.total_mib / 1024:.0f} GiB" for gpu in nvidia_gpus()]
    machine = "; ".join(
        [
            f"{_processor()}, {os.cpu_count()} processors, {memory:.0f} GiB memory",
            *(gpus or ["no GPU"]),
            f"{platform.system()} {platform.machine()}",
        ]
    )
    versions = f"rs-workbench {version('rs-workbench')}, Python {platform.python_version()}"
    return Made(command, machine, versions, jobs)


def read_made(folder: Path) -> Made | None:
    """Read how a study was made.

    Parameters
    ----------
    folder : Path
        Of the study.

    Returns
    -------
    Made or None
        None where that is not known.
    """
    try:
        return Made(**json.loads((folder / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _processor() -> str:
    """Name of the processor, as far as the system tells."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return next(iter(names), "") or platform.processor() or platform.machine()
