"""Run trainings one after another or several at a time, each in a process of its own.

A process of its own, because one process never loads both frameworks, and because what one run
breaks or keeps in memory is then no matter for the next. Every run has a folder; whether it is
done is read from there, so that the same command goes on where it stopped.

    <study>/settings/<id>.yaml   what the run was told
    <study>/runs/<id>/           what the training wrote
    <study>/logs/<id>.txt        what it said on the way
    <study>/failures.json        why runs failed
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Literal

from rs_workbench.ablation.study import PlannedRun
from rs_workbench.training.held_out_blocks import NPZ_NAME
from rs_workbench.training.history import write_whole
from rs_workbench.training.settings_file import write_settings

TRAIN = (sys.executable, "-m", "rs_workbench.train")
RESULT = "result.json"
STOP_SECONDS = 15.0
"""So long may a run take to end when it is told to."""
_POLL_SECONDS = 0.1
_REASON_LINES = 6
_REASON_CHARACTERS = 1200
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")

State = Literal["started", "done", "failed"]
OnRun = Callable[[PlannedRun, State], None]


@dataclass(frozen=True)
class Failure:
    """Why a run failed: the last lines it said, its exit status, and how long it took."""

    reason: str
    status: int
    seconds: float


@dataclass(frozen=True)
class Runner:
    """How runs are run.

    Attributes
    ----------
    folder : Path
        Of the study.
    command : tuple of str
        What trains; it gets the file of settings, ``-o FOLDER`` and ``options``.
    options : tuple of str
        Further options of it.
    jobs : int
        Runs at a time.
    """

    folder: Path
    command: tuple[str, ...] = TRAIN
    options: tuple[str, ...] = ("--progress", "none", "--json")
    jobs: int = 1

    def run_folder(self, run: PlannedRun) -> Path:
        """Name the folder of a run.

        Parameters
        ----------
        run : PlannedRun
            The run.

        Returns
        -------
        Path
            It may not be there yet.
        """
        return self.folder / "runs" / run.id

    def is_done(self, run: PlannedRun) -> bool:
        """Tell whether a run has its result.

        Parameters
        ----------
        run : PlannedRun
            The run.

        Returns
        -------
        bool
            Files appear when they are complete, so that it is enough that they are there.
        """
        return all((self.run_folder(run) / name).is_file() for name in (RESULT, NPZ_NAME))

    def failures(self) -> dict[str, Failure]:
        """Read why runs failed.

        Returns
        -------
        dict of str to Failure
            By the id of the run.
        """
        path = self.folder / "failures.json"
        if not path.is_file():
            return {}
        found = json.loads(path.read_text(encoding="utf-8"))
        return {key: Failure(**value) for key, value in found.items()}

    def run_all(self, runs: Sequence[PlannedRun], *, on_run: OnRun | None = None) -> None:
        """Run whatever has no result yet; what failed before is tried again.

        Parameters
        ----------
        runs : sequence of PlannedRun
            In this order.
        on_run : callable, optional
            Called with (run, "started", "done" or "failed").

        Raises
        ------
        KeyboardInterrupt
            If the user stopped it; then no run is left behind, and what was learnt is kept.
        """
        for name in ("settings", "runs", "logs"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        told = on_run or (lambda run, state: None)
        waiting = [run for run in runs if not self.is_done(run)]
        active: list[_Active] = []
        with _stopping(active):
            while waiting or active:
                while waiting and len(active) < self.jobs:
                    active.append(self._start(waiting.pop(0)))
                    told(active[-1].run, "started")
                time.sleep(_POLL_SECONDS)
                for one in [one for one in active if one.process.poll() is not None]:
                    active.remove(one)
                    told(one.run, self._end(one))

    def _start(self, run: PlannedRun) -> _Active:
        settings = self.folder / "settings" / f"{run.id}.yaml"
        write_settings(run.settings, settings)
        leaks = ("--allow-leaks",) if run.settings.split.kind == "random" else ()
        log = (self.folder / "logs" / f"{run.id}.txt").open("wb")
        process = subprocess.Popen(
            [*self.command, str(settings), "-o", str(self.run_folder(run)), *self.options, *leaks],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=_environment(self.jobs),
        )
        return _Active(run, process, log, time.monotonic())

    def _end(self, one: _Active) -> State:
        one.log.close()
        failures = self.failures()
        failures.pop(one.run.id, None)
        done = one.process.returncode == 0 and self.is_done(one.run)
        if not done:
            reason = _reason(Path(one.log.name), one.process.returncode)
            seconds = round(time.monotonic() - one.since, 1)
            failures[one.run.id] = Failure(reason, one.process.returncode, seconds)
        self._write_failures(failures)
        return "done" if done else "failed"

    def _write_failures(self, failures: Mapping[str, Failure]) -> None:
        found = {key: asdict(value) for key, value in failures.items()}
        text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
        write_whole(self.folder / "failures.json", text.encode())


@dataclass(frozen=True)
class _Active:
    """A run that goes on."""

    run: PlannedRun
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    since: float


@contextmanager
def _stopping(active: list[_Active]) -> Iterator[None]:
    """Leave no process behind, however this ends."""
    try:
        yield
    finally:
        for one in active:
            one.process.terminate()
        for one in active:
            try:
                one.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
            one.log.close()


def _environment(jobs: int) -> dict[str, str]:
    """Let runs at the same time share the processors, unless the user has said how."""
    environment = dict(os.environ)
    if jobs > 1:
        share = str(max(1, (os.cpu_count() or 1) // jobs))
        for name in _THREADS:
            environment.setdefault(name, share)
    return environment


def _reason(log: Path, status: int) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.rstrip() for line in lines if line.strip()][-_REASON_LINES:]
    if status < 0:
        said.append(f"(ended by signal {-status})")
    elif status == 0:
        said.append(f"(it ended without {RESULT} and {NPZ_NAME})")
    return "\n".join(said)[-_REASON_CHARACTERS:] or f"exit status {status}, without a word"
