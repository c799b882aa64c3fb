"""Choosing an engine: convert once in a child process, check, time, remember.

A `.keras`, `.pt2` or smp model runs several times faster on a CPU as ONNX in OpenVINO or
onnxruntime than in its own framework. So the first run converts it in a child process, which
also scores one tile with the framework; the engines must give that tile the same classes. What
was converted and chosen is kept in a cache folder, so that later runs never load the framework.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rs_workbench.backends import base
from rs_workbench.card import CARD_MEMBER, ModelCard, plain_card
from rs_workbench.errors import MissingDependencyError, ModelError
from rs_workbench.memory import child_environment, nvidia_gpus

if TYPE_CHECKING:
    from rs_workbench.backends.onnx_backend import OnnxruntimePredictor, OpenvinoPredictor
    from rs_workbench.types import Image, Scores

ONNX_ENGINES = ("openvino", "onnxruntime")
MIN_AGREEMENT = 0.999
"""Share of a tile's pixels that must get the same class from two engines."""
CONVERT_SECONDS = 1800
_LAYOUT = "1"
"""Raised when what the converters write changes, so that old folders are not read."""
_ROUNDS = 5
_HANDICAP = {"keras": 1.5, "torch": 1.5}
"""A framework takes memory and seconds to start, and was timed apart from the others."""
_TILE = 256


@dataclass(frozen=True)
class Order:
    """What the user asked for."""

    device: str = "auto"
    engine: str = "auto"
    cache: Path | None = None


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


def load_onnx(
    path: Path, card: ModelCard | None, order: Order
) -> tuple[base.Predictor, tuple[str, ...]]:
    """Load an ONNX file into the engine asked for, or into the faster one.

    Parameters
    ----------
    path : Path
        The `.onnx` file.
    card : ModelCard or None
        Its card; None for a bare model.
    order : Order
        Device, engine and cache.

    Returns
    -------
    predictor : Predictor
        Ready to score.
    notes : tuple of str
        What was chosen and why.

    Raises
    ------
    ModelError
        If no engine runs the file, or it disagrees with its card.
    UnsafeModelError
        If its weights lie outside its folder.
    MissingDependencyError
        If a GPU is asked for and onnxruntime has no CUDA.
    """
    from rs_workbench.backends import onnx_backend

    if order.engine != "auto" or order.device.startswith("cuda"):
        engine = "onnxruntime" if order.device.startswith("cuda") else order.engine
        predictor = onnx_backend.load_predictor(path, card, device=order.device, engine=engine)
        return predictor, (f"engine {predictor.engine} on {predictor.device}, as asked",)
    trial = _Trial(path, card, cache_folder(path, order.cache))
    return trial.choose(None)


def load_framework_model(
    path: Path, card: ModelCard | None, order: Order
) -> tuple[base.Predictor, tuple[str, ...]]:
    """Load a `.keras`, `.pt2` or smp model into the engine asked for, or the fastest one.

    Parameters
    ----------
    path : Path
        The model file or folder.
    card : ModelCard or None
        Its card; None for a bare model.
    order : Order
        Device, engine and cache.

    Returns
    -------
    predictor : Predictor
        Ready to score.
    notes : tuple of str
        What was chosen and why.

    Raises
    ------
    ModelError
        If the model does not run, or disagrees with its card, or an ONNX engine is asked for
        and the model has no ONNX form.
    UnsafeModelError
        If loading the model would run code from its file.
    MissingDependencyError
        If the framework is needed and not installed.
    """
    name = _framework_of(path)
    wanted = order.engine
    if wanted == name or order.device.startswith("cuda"):
        return _load_own(path, card, order.device, "as asked")
    if wanted == order.device == "auto" and (on_gpu := _load_on_gpu(path, card)):
        return on_gpu
    folder = cache_folder(path, order.cache)
    try:
        converted = _convert_once(path, name, folder)
    except ModelError as error:
        if wanted != "auto":
            raise
        return _load_own(path, card, order.device, f"because conversion failed: {error}")
    card = card or _bare_card(path, converted)
    trial = _Trial(path, card, folder, converted)
    return trial.choose(None if wanted == "auto" else wanted)


def agreement(one: Scores, other: Scores) -> float:
    """Share of pixels to which two score arrays give the same class.

    Parameters
    ----------
    one, other : ndarray of float32, shape (N, K, H, W)
        Scores of the same tiles.

    Returns
    -------
    float
        0 where the shapes differ or scores are not finite.
    """
    if one.shape != other.shape or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return 0.0
    return float((one.argmax(axis=1) == other.argmax(axis=1)).mean())


def time_side_by_side(predictors: Sequence[base.Predictor], tile: Image) -> dict[str, float]:
    """Time predictors in turns, each on as many copies of a tile as keep it busy.

    Parameters
    ----------
    predictors : sequence of Predictor
        Each of another engine.
    tile : ndarray of float32, shape (1, B, H, W)
        What to score.

    Returns
    -------
    dict
        Seconds for one tile by engine, the best of five rounds: other programs can only make
        an engine look slower than it is.
    """
    seconds = {predictor.engine: np.inf for predictor in predictors}
    for _ in range(1 + _ROUNDS):
        for predictor in predictors:
            batch = np.repeat(tile, getattr(predictor, "preferred_batch", 1), axis=0)
            start = time.perf_counter()
            predictor.predict(batch)
            taken = (time.perf_counter() - start) / len(batch)
            seconds[predictor.engine] = min(seconds[predictor.engine], taken)
    return seconds


@dataclass
class _Trial:
    """Engines measured against each other, and against the framework, on one tile."""

    path: Path
    card: ModelCard | None
    folder: Path
    converted: Converted | None = None

    def choose(self, wanted: str | None) -> tuple[base.Predictor, tuple[str, ...]]:
        """Load the engine wanted, or the one chosen before, or the fastest that agrees."""
        chosen = wanted or _read_choice(self.folder)
        if chosen in ONNX_ENGINES:
            note = "as asked" if wanted else "chosen in an earlier run"
            try:
                predictor = self.load(chosen)
                return predictor, (f"engine {chosen} on cpu, {note}{self.check(predictor)}",)
            except ModelError:
                if wanted:
                    raise
        if chosen is not None and wanted is None and self.converted is not None:
            return _load_own(self.path, self.card, "cpu", "chosen in an earlier run")
        return self.measure()

    def load(self, engine: str) -> OpenvinoPredictor | OnnxruntimePredictor:
        """Load the ONNX form into one engine, under the model's own name."""
        from rs_workbench.backends import onnx_backend

        source = self.converted.onnx if self.converted else self.path
        predictor = onnx_backend.load_predictor(source, self.card, engine=engine)
        predictor.path = self.path
        return predictor

    def check(self, predictor: base.Predictor) -> str:
        """Compare with the framework's own scores of one tile; say so, or raise ModelError."""
        if self.converted is None:
            return ""
        kind = predictor.card.scores
        predictor.card = predictor.card.model_copy(update={"scores": self.converted.score_kind})
        share = agreement(predictor.predict(self.converted.tile), self.converted.scores)
        predictor.card = predictor.card.model_copy(update={"scores": kind})
        if share < MIN_AGREEMENT:
            raise ModelError(
                f"{predictor.engine} gives '{self.path.name}' the same classes as"
                f" {self.converted.engine} on {share:.2%} of a tile only: use --engine"
                f" {self.converted.engine}"
            )
        return f"; same classes as {self.converted.engine} on {share:.2%} of a tile"

    def measure(self) -> tuple[base.Predictor, tuple[str, ...]]:
        """Time every engine that agrees, and remember the fastest."""
        loaded, refused = self.candidates()
        if not loaded:
            if self.converted is None:
                raise ModelError("; ".join(refused))
            return _load_own(self.path, self.card, "cpu", f"because {'; '.join(refused)}")
        tile = self.tile(loaded[0])
        times = time_side_by_side(loaded, tile)
        if self.converted is not None:
            times[self.converted.engine] = self.converted.seconds
        fastest = min(times, key=lambda name: times[name] * _HANDICAP.get(name, 1.0))
        _write_choice(self.folder, fastest)
        listed = ", ".join(f"{name} {1000 * t:.0f} ms" for name, t in times.items())
        size = " x ".join(str(n) for n in tile.shape[2:])
        note = f"the fastest on a tile of {size} px ({listed})"
        for predictor in loaded:
            if predictor.engine == fastest:
                return predictor, (f"engine {fastest} on cpu, {note}", *refused)
        return _load_own(self.path, self.card, "cpu", note)

    def candidates(self) -> tuple[list[OpenvinoPredictor | OnnxruntimePredictor], list[str]]:
        """Engines that load the model and agree, and what was said of the others."""
        loaded: list[OpenvinoPredictor | OnnxruntimePredictor] = []
        refused = []
        for engine in reversed(ONNX_ENGINES):
            try:
                predictor = self.load(engine)
                self.check(predictor)
                if self.converted is None:
                    self.compare(predictor, loaded)
            except ModelError as error:
                refused.append(str(error))
            else:
                loaded.append(predictor)
        return loaded[::-1], refused

    def compare(self, predictor: base.Predictor, others: Sequence[base.Predictor]) -> None:
        """Hold an engine against onnxruntime, the reference where there is no framework."""
        tile = self.tile(predictor)
        scores = predictor.predict(tile)
        for other in others:
            share = agreement(scores, other.predict(tile))
            if share < MIN_AGREEMENT:
                raise ModelError(
                    f"{predictor.engine} gives '{self.path.name}' the same classes as"
                    f" {other.engine} on {share:.2%} of a tile only, so it is not used"
                )

    def tile(self, predictor: base.Predictor) -> Image:
        """Tile to be scored, the framework's own where there is one."""
        if self.converted is not None:
            return self.converted.tile
        card = predictor.card
        side = min(card.tile or _TILE, 2 * _TILE)
        side = max(side // card.stride, 1) * card.stride
        size = card.fixed_size or getattr(predictor, "fixed_size", None) or (side, side)
        return make_tile(card.n_bands, *size)


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


# Conversion


def _framework_of(path: Path) -> str:
    return "keras" if path.suffix.lower() == ".keras" else "torch"


def _load_own(
    path: Path, card: ModelCard | None, device: str, why: str
) -> tuple[base.Predictor, tuple[str, ...]]:
    from rs_workbench.backends import backend_for

    name = _framework_of(path)
    predictor = backend_for(path).load_predictor(path, card, device=device, engine=name)
    return predictor, (f"engine {name} on {predictor.device}, {why}",)


def _load_on_gpu(
    path: Path, card: ModelCard | None
) -> tuple[base.Predictor, tuple[str, ...]] | None:
    """Load with the framework if there is a GPU that it can use; None otherwise."""
    if not nvidia_gpus():
        return None
    try:
        predictor, notes = _load_own(path, card, "auto", "for the GPU")
    except MissingDependencyError:
        return None
    return (predictor, notes) if predictor.device != "cpu" else None


def _bare_card(path: Path, converted: Converted) -> ModelCard:
    kind: Any = converted.score_kind
    n_bands, n_classes = converted.tile.shape[1], converted.scores.shape[1]
    return plain_card(path.stem, n_bands, n_classes, scores=kind)


def _convert_once(path: Path, name: str, folder: Path) -> Converted:
    """Find the converted model in the cache, or convert it in a child process."""
    found = _read_converted(folder)
    if found is not None:
        return found
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".converting-"))
    except OSError as error:
        raise ModelError(
            f"'{path.name}' cannot be converted, as the cache folder '{folder.parent}' cannot be"
            f" written ({error}): set RSW_CACHE to a folder that can"
        ) from error
    try:
        _convert(path, name, work)
        if _read_converted(work) is None:
            raise ModelError(f"'{path.name}' was converted, but the result is incomplete")
        _put_in_place(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    found = _read_converted(folder)
    if found is None:
        raise ModelError(f"'{path.name}' was converted, but '{folder}' cannot be read")
    return found


def _put_in_place(work: Path, folder: Path) -> None:
    """Move the finished files; `facts.json` last, as it says that all is there."""
    folder.mkdir(exist_ok=True)
    for file in sorted(work.iterdir(), key=lambda file: file.name == "facts.json"):
        file.replace(folder / file.name)


def _convert(path: Path, name: str, folder: Path) -> None:
    """Run the converter, which alone loads the framework, without a GPU."""
    root = str(Path(__file__).resolve().parents[2])
    environment = child_environment(gpu=False)
    environment["PYTHONPATH"] = os.pathsep.join(
        [root, *filter(None, [environment.get("PYTHONPATH")])]
    )
    module = f"rs_workbench.backends.{name}_convert"
    command = [sys.executable, "-P", "-m", module, str(path.resolve()), str(folder)]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=CONVERT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelError(f"'{path.name}' cannot be converted to ONNX: {error}") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = lines[-1] if lines else f"the converter ended with code {done.returncode}"
        raise ModelError(f"'{path.name}' cannot be converted to ONNX: {reason}")


def _read_converted(folder: Path) -> Converted | None:
    """Read what a converter wrote; None where it is not complete."""
    try:
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        with np.load(folder / "reference.npz", allow_pickle=False) as arrays:
            tile, scores = arrays["tile"], arrays["scores"]
        onnx = folder / "model.onnx"
        seconds = float(facts["seconds_per_tile"])
        kind = str(facts["scores"])
        return (
            Converted(onnx, tile, scores, seconds, facts["engine"], kind)
            if onnx.exists()
            else None
        )
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
            if member.filename != CARD_MEMBER:
                digest.update(f"{member.filename}\0{member.file_size}\0".encode())
                with archive.open(member) as stream:
                    while block := stream.read(1 << 20):
                        digest.update(block)
    return digest.hexdigest()


# What was chosen before


def _read_choice(folder: Path) -> str | None:
    try:
        choice = json.loads((folder / "choice.json").read_text(encoding="utf-8"))
        return str(choice["engine"]) if choice["machine"] == _machine() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_choice(folder: Path, engine: str) -> None:
    """Remember an engine; where that is impossible the next run measures again."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / f"choice.json.{os.getpid()}.part"
        new.write_text(json.dumps({"engine": engine, "machine": _machine()}), encoding="utf-8")
        new.replace(folder / "choice.json")
    except OSError:
        return


def _machine() -> list[str]:
    """Tell what a choice depends on: the processor and the engines' versions."""
    versions = [f"{name} {metadata.version(name)}" for name in ONNX_ENGINES]
    return [platform.machine(), platform.processor(), str(os.cpu_count()), *versions]
