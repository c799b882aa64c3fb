"""Say what is installed, what works, what each framework sees, and how to mend the rest.

Every library is tried in a child process of its own. A broken installation often ends the
interpreter instead of raising an error, and two frameworks do not go together in one process.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import click
import psutil

from rs_workbench.memory import available_ram, nvidia_gpus

State = Literal["ok", "absent", "broken"]
TIMEOUT = 180
GIB = 1 << 30
_MARKS: dict[State, str] = {"ok": "ok", "absent": "--", "broken": "!!"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    `needed` is False for what only some jobs need; its absence is no fault. `fix` is the command
    that mends it.
    """

    topic: str
    state: State
    text: str
    needed: bool = False
    fix: str | None = None


@dataclass(frozen=True)
class Findings:
    """All that was looked at."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is broken and nothing needed is absent."""
        return not any(
            f.state == "broken" or (f.needed and f.state != "ok") for f in self.findings
        )


@dataclass(frozen=True)
class _Trial:
    """A library that is tried in a child process."""

    topic: str
    module: str
    imports: tuple[str, ...]
    extra: str | None = None
    arguments: tuple[str, ...] = ()
    gpu_fix: Callable[[], str] | None = None


def examine(*, timeout: float = TIMEOUT) -> Findings:
    """Look at everything that the workbench may use.

    Parameters
    ----------
    timeout : float
        Seconds that each trial may take.

    Returns
    -------
    Findings
        In the order in which they are best read.
    """
    gpus = [gpu.name for gpu in nvidia_gpus()]
    with ThreadPoolExecutor(max_workers=2) as pool:
        tried = pool.map(lambda trial: _try(trial, timeout, n_gpus=len(gpus)), _trials())
        return Findings(
            (
                _python(),
                _machine(),
                _gpus(),
                _packages(),
                *tried,
                _gdal_programs(),
            )
        )


def render(findings: Findings) -> str:
    """Write findings as text, one line each, a second line where there is a fix.

    Parameters
    ----------
    findings : Findings
        What `examine` found.

    Returns
    -------
    str
        Plain text, without colours or signs outside ASCII of its own.
    """
    width = max(len(finding.topic) for finding in findings.findings)
    lines = []
    for finding in findings.findings:
        lines.append(f"{_MARKS[finding.state]}  {finding.topic:<{width}}  {finding.text}")
        if finding.fix:
            lines.append(f"{'':{width + 4}}  run  {finding.fix}")
    if findings.healthy:
        lines.append("all that is needed works; what is marked -- is for some jobs only")
    else:
        lines.append("what is marked !! must be mended first")
    return "\n".join(lines)


def _trials() -> list[_Trial]:
    backends = "rs_workbench.backends"
    return [
        _Trial("rasters", "rs_workbench.raster_check", ("rasterio",)),
        *(
            _Trial(engine, f"{backends}.onnx_check", (engine, "onnx"), arguments=(engine,))
            for engine in ("openvino", "onnxruntime")
        ),
        _Trial("Keras", f"{backends}.keras_check", _keras_imports(), "keras", gpu_fix=_keras_gpu),
        _Trial("PyTorch", f"{backends}.torch_check", ("torch",), "torch", gpu_fix=_torch_gpu),
    ]


def _keras_imports() -> tuple[str, ...]:
    return ("keras", os.environ.get("KERAS_BACKEND", "tensorflow"))


# The machine


def _python() -> Finding:
    version = platform.python_version()
    text = f"{version}, {platform.system()} {platform.machine()}, {sys.executable}"
    return Finding("Python", "ok", text, needed=True)


def _machine() -> Finding:
    free, total = available_ram() / GIB, psutil.virtual_memory().total / GIB
    disk = shutil.disk_usage(Path.cwd()).free / GIB
    text = (
        f"{os.cpu_count()} processors, {free:.1f} of {total:.1f} GiB memory free,"
        f" {disk:.0f} GiB disk free here"
    )
    return Finding("machine", "ok", text)


def _gpus() -> Finding:
    gpus = nvidia_gpus()
    if gpus:
        text = "; ".join(
            f"{gpu.name}, {gpu.free_mib / 1024:.1f} of {gpu.total_mib / 1024:.1f} GiB free"
            for gpu in gpus
        )
        return Finding("GPU", "ok", text)
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return Finding("GPU", "absent", "hidden by CUDA_VISIBLE_DEVICES")
    if shutil.which("nvidia-smi"):
        return Finding("GPU", "absent", "nvidia-smi is installed, but it names no GPU")
    return Finding("GPU", "absent", "no NVIDIA driver: models run on the processor")


def _packages() -> Finding:
    """Check that everything the base install brings is there."""
    missing = [name for name in _base_packages() if _version(name) is None]
    own = _version("rs-workbench") or "not installed, run from its folder"
    if missing:
        text = f"rs-workbench {own}, but not installed: {', '.join(missing)}"
        fix = f"{_pip()} {' '.join(missing)}"
        return Finding("packages", "broken", text, needed=True, fix=fix)
    return Finding("packages", "ok", f"rs-workbench {own} with all it needs", needed=True)


def _base_packages() -> list[str]:
    try:
        wanted = importlib.metadata.requires("rs-workbench") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [re.split(r"[^\w.-]", line)[0] for line in wanted if "extra ==" not in line]


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _gdal_programs() -> Finding:
    if shutil.which("gdalbuildvrt"):
        return Finding("GDAL programs", "ok", "gdalbuildvrt is there, for --mosaic")
    if importlib.util.find_spec("osgeo") is not None:
        return Finding("GDAL programs", "ok", "GDAL's Python bindings are there, for --mosaic")
    text = "gdalbuildvrt is not installed, for --mosaic"
    return Finding("GDAL programs", "absent", text, fix=_gdal_command())


# Trials


def _try(trial: _Trial, timeout: float, *, n_gpus: int) -> Finding:
    missing = [name for name in trial.imports if importlib.util.find_spec(name) is None]
    needed = trial.extra is None
    if missing:
        fix = _install(trial.extra) if trial.extra else f"{_pip()} {' '.join(missing)}"
        what_for = f", for {trial.topic} models" if trial.extra else ""
        text = f"{' and '.join(missing)} not installed{what_for}"
        return Finding(trial.topic, "broken" if needed else "absent", text, needed, fix)
    found, why = _run_child(trial, timeout)
    if found is None:
        return Finding(trial.topic, "broken", why, needed, _reinstall(trial))
    return _judge(trial, found, n_gpus=n_gpus)


def _run_child(trial: _Trial, timeout: float) -> tuple[dict[str, Any] | None, str]:
    """Run a check module; its findings, or None and the reason."""
    command = [sys.executable, "-m", trial.module, *trial.arguments]
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env=environment
        )
    except subprocess.TimeoutExpired:
        return None, f"installed, but gave no answer within {timeout:g} s"
    if done.returncode < 0:
        return None, f"installed, but ended Python with signal {-done.returncode}"
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    last = lines[-1] if lines else ""
    if done.returncode != 0:
        return None, f"installed, but does not work: {last or f'exit code {done.returncode}'}"
    try:
        answer: dict[str, Any] = json.loads(last)
    except ValueError:
        return None, f"installed, but answers strangely: {last[:100]!r}"
    return answer, ""


def _judge(trial: _Trial, found: dict[str, Any], *, n_gpus: int) -> Finding:
    versions = {name: v for name, v in found["versions"].items() if v is not None}
    absent = [name for name, version in found["versions"].items() if version is None]
    parts = [", ".join(f"{name} {version}" for name, version in versions.items())]
    if found["devices"]:
        parts.append(f"sees {', '.join(found['devices'])}")
    parts += found["notes"]
    fix = None
    if n_gpus and trial.gpu_fix and len(found["devices"]) <= 1:
        parts.append("does not see the GPU" + ("" if found["gpu_build"] else ", built without"))
        fix = trial.gpu_fix()
    if absent:
        parts.append(f"not installed: {', '.join(absent)}")
        fix = _install(trial.extra) if trial.extra else fix
    return Finding(trial.topic, "ok", "; ".join(parts), trial.extra is None, fix)


# Commands


def _pip() -> str:
    """Command that installs into this Python; environments made by uv have no pip."""
    return "pip install" if importlib.util.find_spec("pip") else "uv pip install"


def _install(extra: str | None) -> str:
    # Double quotes are understood by every shell, Windows' cmd among them.
    return f'{_pip()} "rs-workbench[{extra}]"'


def _reinstall(trial: _Trial) -> str:
    flag = "--force-reinstall" if importlib.util.find_spec("pip") else "--reinstall"
    return f"{_pip()} {flag} {' '.join(trial.imports)}"


def _keras_gpu() -> str:
    if platform.system() == "Windows":
        return "wsl --install  (tensorflow sees GPUs on Windows under WSL2 only; PyTorch does)"
    return f'{_pip()} "tensorflow[and-cuda]"'


def _torch_gpu() -> str:
    # uv alone picks the build that fits the driver.
    uv = "" if shutil.which("uv") else "pip install uv && "
    return f"{uv}uv pip install --reinstall --torch-backend=auto torch torchvision"


def _gdal_command() -> str:
    if (Path(sys.prefix) / "conda-meta").exists() or platform.system() == "Windows":
        return "conda install -c conda-forge gdal"
    return "brew install gdal" if sys.platform == "darwin" else "sudo apt-get install gdal-bin"


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option(
    "--timeout", default=TIMEOUT, show_default=True, metavar="SECONDS", help="For each trial."
)
def command(as_json: bool, timeout: float) -> None:
    """Say what is installed, what works, and the command that mends the rest.

    Exit code 1 means that something needed is absent or something installed is broken.
    """
    findings = examine(timeout=timeout)
    if as_json:
        click.echo(json.dumps({"healthy": findings.healthy, **asdict(findings)}, indent=2))
    else:
        click.echo(render(findings))
    sys.exit(0 if findings.healthy else 1)


if __name__ == "__main__":
    command()
