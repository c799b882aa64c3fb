"""Training data, learner and epochs without files and frameworks, for what comes after the fit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from rs_workbench.card import LegendClass
from rs_workbench.networks import NetworkFacts
from rs_workbench.training.settings import TrainSettings
from tiling.chips import grid_positions
from tiling.label_index import IGNORE

CLASSES = (
    LegendClass(value=1, name="water", name_zh="水体", color="#2b6fb5"),
    LegendClass(value=2, name="bare, sand", name_zh="裸沙", color="#f3e3a1"),
    LegendClass(value=5, name="forest", color="#3f7d3a"),
)
MEANS = np.array([[-1, -1, 0, 0], [1, 1, 0.5, 0], [0, -0.5, 1, 1]], np.float32)
TILE = 16


class Batch(NamedTuple):
    images: np.ndarray
    labels: np.ndarray
    chips: tuple
    valid: np.ndarray


@dataclass(frozen=True, eq=False)
class FakeData:
    """The fields of TrainingData, with pixels in memory."""

    settings: TrainSettings
    images: tuple
    label_maps: tuple
    training: tuple
    validation: tuple
    held_out: tuple
    classes: tuple = CLASSES
    bands: tuple = (1, 2, 3, 4)
    band_names: tuple = ("blue", "green", "red", "nir")
    wavelengths: tuple = (490.0, 560.0, 665.0, None)
    origins: tuple | None = None
    statistics: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(
            mean=np.full(4, 100 / 3),
            std=np.full(4, 12.3456789),
            low=np.full(4, 5.0),
            high=np.full(4, 60.0),
        )
    )
    split: None = None
    leaks: int = 0
    split_text: str = "blocks of 64 px, 16 px apart"
    pixel_size: float | None = 10.0
    warnings: tuple = ()

    @property
    def n_bands(self):
        return len(self.bands)

    @property
    def n_classes(self):
        return len(self.classes)

    @property
    def scenes(self):
        return tuple(
            SimpleNamespace(
                name=f"scene_{i}.tif",
                dtype="uint16",
                nodata=(0.0,) * 4,
                band_names=self.band_names,
                wavelengths=self.wavelengths,
                data_bands=self.bands,
            )
            for i in range(len(self.images))
        )

    @property
    def counts(self):
        parts = {
            "training": self.training,
            "validation": self.validation,
            "held_out": self.held_out,
        }
        return {name: self._count(chips) for name, chips in parts.items()}

    def _count(self, chips):
        total = np.zeros(256, np.int64)
        for batch in part_batches(self, chips):
            total += np.bincount(batch.labels.ravel(), minlength=256)
        return total[: self.n_classes]


def make_data(*, size=128, noise=0.3, seed=0, settings=None, **changes):
    """Two scenes of bands that tell the class up to noise; some pixels are unlabelled."""
    rng = np.random.default_rng(seed)
    images, label_maps = [], []
    for _ in range(2):
        coarse = rng.choice(3, (size // 8, size // 8), p=(0.5, 0.3, 0.2)).astype(np.uint8)
        labels = coarse.repeat(8, axis=0).repeat(8, axis=1)
        image = np.moveaxis(MEANS[labels], -1, 0) + rng.normal(0, noise, (4, size, size))
        labels[: size // 16] = IGNORE
        images.append(image.astype(np.float32))
        label_maps.append(labels)
    chips = grid_positions([(size, size)] * 2, TILE)
    third = len(chips) // 2
    settings = settings or TrainSettings(
        scenes=("a.tif",), labels=("b.tif",), tile=TILE, forest_pixels=2000, onnx=False
    )
    found = FakeData(
        settings=settings,
        images=tuple(images),
        label_maps=tuple(label_maps),
        training=chips[third : third + third // 2],
        validation=chips[third + third // 2 :],
        held_out=chips[:third],
    )
    return replace(found, **changes)


def part_batches(data, chips, *, batch=None):
    """What `loader.part_batches` gives, from memory."""
    n = batch or data.settings.batch
    for at in range(0, len(chips), n):
        yield _batch(data, tuple(chips[at : at + n]))


def training_batches(data, epoch):
    yield from part_batches(data, data.training)


def _batch(data, chips):
    images = np.stack([data.images[c.scene][:, *c.window.slices] for c in chips])
    labels = np.stack([data.label_maps[c.scene][c.window.slices] for c in chips])
    return Batch(images, labels, chips, np.isfinite(images).all(axis=1))


class FakeLearner:
    """Scores a pixel by how near it is to the mean of each class."""

    facts = NetworkFacts(12, 12, 1)
    device = "cpu"

    def predict(self, images):
        away = images[:, None] - MEANS[None, :, : images.shape[1], None, None]
        return -(away**2).sum(axis=2).astype(np.float32)

    def export(self, folder, card):
        self.card = card
        path = folder / "model.pt2"
        path.write_bytes(b"network")
        return path


class NarrowLearner(FakeLearner):
    """Has memory for three chips at a time and no more."""

    def predict(self, images):
        if len(images) > 3:
            raise MemoryError
        return super().predict(images)

    def is_out_of_memory(self, error):
        return isinstance(error, MemoryError)

    def release(self):
        pass


class PerfectLearner(FakeLearner):
    """Knows the labels of the scenes, wherever the pixels come from."""

    def __init__(self, data):
        keys = [image[0].ravel() for image in data.images]
        self._labels = dict(
            zip(
                np.concatenate(keys).tolist(),
                np.concatenate([labels.ravel() for labels in data.label_maps]).tolist(),
                strict=True,
            )
        )

    def predict(self, images):
        known = np.array([self._labels.get(v, 0) for v in images[:, 0].ravel().tolist()])
        labels = known.reshape(images[:, 0].shape)
        return np.stack([(labels == k) for k in range(3)], axis=1).astype(np.float32)


def make_epoch(number, *, mean_iou=0.5, confusion=((8, 1, 0), (1, 5, 0), (0, 0, 0))):
    """An epoch as the loop tells it; by default without the third class."""
    return SimpleNamespace(
        number=number,
        loss=1 / number,
        rate=1e-3,
        seconds=2.0,
        chips_per_second=16.0,
        mean_iou=mean_iou,
        overall_accuracy=None if mean_iou is None else 0.8,
        confusion=None if confusion is None else np.array(confusion, np.int64),
    )


def make_fit(learner, settings):
    epochs = tuple(make_epoch(n, mean_iou=m) for n, m in enumerate((0.3, 0.6, 0.5), 1))
    return SimpleNamespace(
        learner=learner, best=epochs[1], epochs=epochs, settings=settings, resumed=False
    )
