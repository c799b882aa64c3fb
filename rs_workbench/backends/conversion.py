"""Turn a model into ONNX once, in a child process, and keep what came out.

The child (``keras_convert`` or ``torch_convert``) alone loads the framework. It writes
``model.onnx``, ``reference.npz`` (a tile and the framework's own scores of it) and, last,
``facts.json``. All of it lies in a cache folder named after the network.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rs_workbench.card import CARD_MEMBER
from rs_workbench.errors import ModelError
from rs_workbench.memory import child_environment

if TYPE_CHECKING:
    from rs_workbench.types import Image, Scores

CONVERT_SECONDS = 1800
"""After this long a conversion is given up."""
_LAYOUT = "1"
"""Raised when what the converters write changes, so that old folders are not read."""


@dataclass(frozen=True)
class Converted:
    """A model as ONNX, with what its own framework made of one tile."""

    onnx: Path
    tile: Image
    scores: Scores
    seconds: float
    engine: str
    score_kind: str


def cache_folder(path: Path, cache: Path | None = None) -> Path:
    """Folder in which everything measured or made of one model is kept.

    Parameters
    ----------
    path : Path
        The model file or folder.
    cache : Path, optional
        Parent folder; default is `RSW_CACHE`, or else the user's cache folder.

    Returns
    -------
    Path
        Named after the network, not its card; it may not exist yet.
    """
    if cache is None and "RSW_CACHE" in os.environ:
        cache = Path(os.environ["RSW_CACHE"])
    if cache is None:
        import pooch

        cache = Path(pooch.os_cache("rs-workbench"))
    return cache / f"{_hash_network(path)[:40]}-{_LAYOUT}"


def make_tile(n_bands: int, height: int, width: int, *, seed: int = 0) -> Image:
    """Draw a tile that has detail at every scale, as scenes do.

    Parameters
    ----------
    n_bands, height, width : int
        Its size.
    seed : int
        Of the random numbers.

    Returns
    -------
    ndarray of float32, shape (1, B, H, W)
        Mean 0 and spread 1, about.
    """
    rng = np.random.default_rng(seed)
    tile = np.zeros((1, n_bands, height, width), dtype=np.float32)
    for scale in (1, 4, 16, 64):
        coarse = (1, n_bands, -(-height // scale), -(-width // scale))
        noise = rng.standard_normal(coarse, dtype=np.float32)
        noise = noise.repeat(scale, axis=2).repeat(scale, axis=3)
        tile += noise[..., :height, :width] / 2
    return tile


def convert_once(path: Path, name: str, folder: Path) -> Converted:
    """Find the converted model in the cache, or convert it in a child process.

    Parameters
    ----------
    path : Path
        The model file or folder.
    name : str
        `keras` or `torch`.
    folder : Path
        The model's cache folder.

    Returns
    -------
    Converted
        The ONNX form, and what the framework made of a tile.

    Raises
    ------
    ModelError
        If the model has no ONNX form, now or at an earlier try with the same versions.
    """
    found = _read_converted(folder)
    if found is not None:
        return found
    refusal = folder / f"refused-{_hash_all(path)[:16]}.json"
    if (reason := remembered(refusal, name)) is not None:
        raise ModelError(reason)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".converting-"))
    except OSError as error:
        raise ModelError(
            f"'{path.name}' cannot be converted, as the cache folder '{folder.parent}' cannot be"
            f" written ({error}): set RSW_CACHE to a folder that can"
        ) from error
    try:
        reason = _convert(path, name, work)
        if reason is not None:
            remember(refusal, reason, name)
            raise ModelError(reason)
        if _read_converted(work) is None:
            raise ModelError(f"'{path.name}' was converted, but the result is incomplete")
        _put_in_place(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    found = _read_converted(folder)
    if found is None:
        raise ModelError(f"'{path.name}' was converted, but '{folder}' cannot be read")
    return found


def convert_model(path: Path, name: str, folder: Path) -> Converted:
    """Convert a model in a child process, into a folder of one's own.

    Parameters
    ----------
    path : Path
        The model file or folder.
    name : str
        `keras` or `torch`.
    folder : Path
        Where ``model.onnx`` goes and what belongs to it.

    Returns
    -------
    Converted
        The ONNX form, and what the framework made of a tile.

    Raises
    ------
    ModelError
        If the model has no ONNX form.
    """
    reason = _convert(path, name, folder)
    if reason is not None:
        raise ModelError(reason)
    found = _read_converted(folder)
    if found is None:
        raise ModelError(f"'{path.name}' was converted, but the result is incomplete")
    return found


def _put_in_place(work: Path, folder: Path) -> None:
    """Move the finished files; `facts.json` last, as it says that all is there."""
    folder.mkdir(exist_ok=True)
    for file in sorted(work.iterdir(), key=lambda file: file.name == "facts.json"):
        file.replace(folder / file.name)


def _convert(path: Path, name: str, folder: Path) -> str | None:
    """Run the converter, without a GPU; the reason why there is no ONNX form, if there is none."""
    root = str(Path(__file__).resolve().parents[2])
    environment = child_environment(gpu=False)
    paths = [root, *filter(None, [environment.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    module = f"rs_workbench.backends.{name}_convert"
    command = [sys.executable, "-P", "-m", module, str(path.resolve()), str(folder)]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=CONVERT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelError(f"'{path.name}' cannot be converted to ONNX: {error}") from error
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"the converter ended with code {done.returncode}"


def _read_converted(folder: Path) -> Converted | None:
    """Read what a converter wrote; None where it is not complete."""
    try:
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        with np.load(folder / "reference.npz", allow_pickle=False) as arrays:
            tile, scores = arrays["tile"], arrays["scores"]
        onnx = folder / "model.onnx"
        seconds = float(facts["seconds_per_tile"])
        found = Converted(onnx, tile, scores, seconds, facts["engine"], str(facts["scores"]))
        return found if onnx.exists() else None
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def _hash_network(path: Path) -> str:
    """Hash what a model computes: all of it but the card."""
    from rs_workbench.backends import hash_model

    if path.is_dir():
        return hash_model(path, leave_out=CARD_MEMBER)
    if path.suffix.lower() == ".onnx" or not zipfile.is_zipfile(path):
        return hash_model(path)
    digest = hashlib.sha256()
    with zipfile.ZipFile(path) as archive:
        for member in sorted(archive.infolist(), key=lambda m: m.filename):
            if member.filename.rpartition("/")[2] != CARD_MEMBER:
                digest.update(f"{member.filename}\0{member.file_size}\0".encode())
                with archive.open(member) as stream:
                    while block := stream.read(1 << 20):
                        digest.update(block)
    return digest.hexdigest()


def _hash_all(path: Path) -> str:
    from rs_workbench.backends import hash_model

    return hash_model(path)


def remember(file: Path, what: str, *packages: str) -> None:
    """Keep a finding for later runs; where that is impossible they find it again.

    Parameters
    ----------
    file : Path
        JSON file in a model's cache folder.
    what : str
        The finding.
    *packages : str
        Packages whose versions it depends on, beside the engines.
    """
    text = json.dumps({"what": what, "where": _machine(*packages)})
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f"{file.name}.{os.getpid()}.part")
        new.write_text(text, encoding="utf-8")
        new.replace(file)


def remembered(file: Path, *packages: str) -> str | None:
    """Recall a finding of an earlier run with the same processor and versions.

    Parameters
    ----------
    file : Path
        JSON file in a model's cache folder.
    *packages : str
        As given to `remember`.

    Returns
    -------
    str or None
        The finding.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return str(found["what"]) if found["where"] == _machine(*packages) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _machine(*packages: str) -> list[str]:
    """Tell what a finding depends on."""
    versions = []
    for name in ("openvino", "onnxruntime", *packages):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions.append(f"{name} {metadata.version(name)}")
    return [platform.machine(), platform.processor(), str(os.cpu_count()), *versions]
