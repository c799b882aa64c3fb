"""CPU seconds, wall seconds and memory; tables.

CPU seconds count the process and its children, all threads; they hold on a busy machine, where
wall time does not.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

STATUS = Path("/proc/self/status")


class Spent(NamedTuple):
    wall: float
    cpu: float
    peak_mib: float


def cpu_seconds() -> float:
    return sum(os.times()[:4])


def spend(work: Callable[[], object]) -> Spent:
    """Run `work` here; its memory is the peak above what the process held before (Linux)."""
    before = reset_peak()
    cpu, wall = cpu_seconds(), time.perf_counter()
    work()
    return Spent(time.perf_counter() - wall, cpu_seconds() - cpu, peak_mib() - before)


def reset_peak() -> float:
    """Set this process' peak back to what it holds now, in MiB."""
    if STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5")
    return peak_mib()


def peak_mib() -> float:
    if not STATUS.exists():
        return float("nan")
    return int(re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())[1]) / 1024


def run_alone(command: Sequence[str | Path]) -> Spent:
    """Run a command in a process of its own; its peak includes that process' children."""
    started = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    cpu = usage.ru_utime + usage.ru_stime
    return Spent(time.perf_counter() - started, cpu, usage.ru_maxrss / unit)


def infer_command(scene: Path, model: Path, output: Path, *options: str) -> list[str]:
    return [
        sys.executable, "-m", "rs_workbench.infer", str(scene), "--model", str(model),
        "--output", str(output), "--progress", "none", "--quiet", *options,
    ]  # fmt: skip


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    print("| " + " | ".join(header) + " |")
    print("|" + " --- |" * len(header))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")


def print_machine(*packages: str) -> None:
    """One line that says where the figures come from."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    print(
        f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()},",
        end=" ",
    )
    print(", ".join(found), end="\n\n")
