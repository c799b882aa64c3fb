"""A learner of a few numbers, and data made up on the spot, for the loop of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from rs_workbench.networks import NetworkFacts
from rs_workbench.training.loop import Batches
from rs_workbench.training.settings import TrainSettings

N_BANDS, N_CLASSES, SIDE = 2, 3, 4
TRUTH = np.array([[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0]])


class Killed(BaseException):
    """The process was killed."""


def make_settings(**changes: Any) -> TrainSettings:
    base: dict[str, Any] = {"epochs": 3, "chips": 8, "batch": 4, "tile": 8, "learning_rate": 0.3}
    return TrainSettings(scenes=("a.tif",), labels=("b.tif",), **base | changes)


def make_data(settings: TrainSettings | None = None, **changes: Any) -> Any:
    scene = SimpleNamespace(path="a.tif", size_bytes=100, mtime=1.5)
    data = {
        "settings": settings or make_settings(),
        "scenes": (scene,),
        "counts": {"training": np.array([5, 6, 7])},
        "validation": (1, 2, 3),
        "n_bands": N_BANDS,
        "n_classes": N_CLASSES,
    }
    return SimpleNamespace(**data | changes)


def draw_batch(seed: tuple[int, ...], n_chips: int) -> Any:
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(n_chips, N_BANDS, SIDE, SIDE)).astype(np.float32)
    labels = np.einsum("kb,nbhw->nkhw", TRUTH, images).argmax(axis=1).astype(np.uint8)
    labels[:, 0, 0] = 255
    return SimpleNamespace(images=images, labels=labels)


def _training(data: Any, epoch: int) -> Iterator[Any]:
    s = data.settings
    for i in range(-(-s.chips // s.batch)):
        yield draw_batch((s.seed, epoch, i), s.batch)


def _part(data: Any, chips: tuple[int, ...]) -> Iterator[Any]:
    for chip in chips:
        yield draw_batch((99, chip), 2)


BATCHES = Batches(_training, _part)


class FakeLearner:
    """Logistic regression with momentum and noise; `event` hears of all that happens."""

    facts = NetworkFacts(6, 6, 1)
    device = "cpu"

    def __init__(
        self, settings: TrainSettings, event: Callable[[str], None] = lambda name: None
    ) -> None:
        self.settings, self.event = settings, event
        self.weights = np.zeros((N_CLASSES, N_BANDS))
        self.speed = np.zeros_like(self.weights)
        self.rng = np.random.default_rng(0)
        self.rates: list[float] = []

    def start_epoch(self, epoch: int) -> None:
        self.rng = np.random.default_rng((self.settings.seed, epoch))

    def step(self, images: Any, labels: Any, rate: float) -> float:
        self.event("step")
        self.rates.append(rate)
        x = images.transpose(0, 2, 3, 1).reshape(-1, N_BANDS)
        x, y = x[labels.ravel() != 255], labels.ravel()[labels.ravel() != 255]
        p = np.exp(x @ self.weights.T)
        p /= p.sum(axis=1, keepdims=True)
        gradient = (p - np.eye(N_CLASSES)[y]).T @ x / len(x)
        self.speed = 0.9 * self.speed + gradient + self.rng.normal(0, 0.01, gradient.shape)
        self.weights = self.weights - rate * self.speed
        return float(-np.log(p[np.arange(len(y)), y]).mean())

    def predict(self, images: Any) -> Any:
        self.event("predict")
        return np.einsum("kb,nbhw->nkhw", self.weights, images).astype(np.float32)

    def save(self, path: Path) -> None:
        path.write_bytes(b"half")
        self.event("save")
        with path.open("wb") as file:
            np.savez(file, weights=self.weights, speed=self.speed)

    def restore(self, path: Path) -> None:
        with np.load(path) as state:
            self.weights, self.speed = state["weights"], state["speed"]

    def save_weights(self, path: Path) -> None:
        path.write_bytes(b"half")
        self.event("save_weights")
        with path.open("wb") as file:
            np.save(file, self.weights)

    def load_weights(self, path: Path) -> None:
        self.weights = np.load(path)

    def export(self, folder: Path, card: Any) -> Path:
        raise NotImplementedError

    def is_out_of_memory(self, error: BaseException) -> bool:
        return isinstance(error, MemoryError)

    def release(self) -> None:
        self.event("release")
