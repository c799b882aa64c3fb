"""Choosing an engine: convert once in a child process, check, time, remember.

A `.keras`, `.pt2` or smp model runs several times faster on a CPU as ONNX in OpenVINO or
onnxruntime than in its own framework. So the first run converts it in a child process, which
also scores one tile with the framework; the engines must give that tile the same classes. What
was converted and chosen is kept in a cache folder, so that later runs never load the framework.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rs_workbench.backends import base
from rs_workbench.backends.conversion import (
    Converted,
    cache_folder,
    convert_once,
    make_tile,
    remember,
    remembered,
)
from rs_workbench.card import ModelCard, plain_card
from rs_workbench.errors import MissingDependencyError, ModelError
from rs_workbench.memory import nvidia_gpus

if TYPE_CHECKING:
    from rs_workbench.backends.onnx_backend import OnnxruntimePredictor, OpenvinoPredictor
    from rs_workbench.types import Image, Scores

ONNX_ENGINES = ("openvino", "onnxruntime")
CHOICE = "choice.json"
MIN_AGREEMENT = 0.999
"""Share of a tile's pixels that must get the same class from two engines."""
_ROUNDS = 5
_HANDICAP = {"keras": 2.0, "torch": 2.0}
"""A framework takes memory and seconds to start, and was timed apart from the others, so that a
busy moment can make it look faster than it is."""
_FRAMEWORK_BYTES = 2 * 10**9
"""A framework takes half of this before the first tile: it is not chosen where a run has less."""
_TILE = 256


@dataclass(frozen=True)
class Order:
    """What the user asked for."""

    device: str = "auto"
    engine: str = "auto"
    cache: Path | None = None
    memory: int | None = None


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
        converted = convert_once(path, name, folder)
    except ModelError as error:
        if wanted != "auto":
            raise
        return _load_own(path, card, order.device, f"because conversion failed: {error}")
    card = card or _bare_card(path, converted)
    trial = _Trial(path, card, folder, converted, memory=order.memory)
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
    memory: int | None = None

    def choose(self, wanted: str | None) -> tuple[base.Predictor, tuple[str, ...]]:
        """Load the engine wanted, or the one chosen before, or the fastest that agrees."""
        chosen = wanted or remembered(self.folder / CHOICE)
        if chosen in ONNX_ENGINES:
            note = "as asked" if wanted else "chosen in an earlier run"
            try:
                predictor = self.load(chosen)
                checked = self.check(predictor)
                predictor.forget_sizes()
                return predictor, (f"engine {chosen} on cpu, {note}{checked}",)
            except ModelError:
                if wanted:
                    raise
        if chosen is not None and wanted is None and self.framework_fits():
            return _load_own(self.path, self.card, "cpu", "chosen in an earlier run")
        return self.measure()

    def framework_fits(self) -> bool:
        """Whether there is a framework to choose, and memory for it."""
        enough = self.memory is None or self.memory >= _FRAMEWORK_BYTES
        return self.converted is not None and enough

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
        if self.converted is not None and self.framework_fits():
            times[self.converted.engine] = self.converted.seconds
        fastest = min(times, key=lambda name: times[name] * _HANDICAP.get(name, 1.0))
        if self.converted is None or self.framework_fits():  # else it was no full comparison
            remember(self.folder / CHOICE, fastest)
        listed = ", ".join(f"{name} {1000 * t:.0f} ms" for name, t in times.items())
        size = " x ".join(str(n) for n in tile.shape[2:])
        note = f"the fastest on a tile of {size} px ({listed})"
        for predictor in loaded:
            if predictor.engine == fastest:
                predictor.forget_sizes()
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
