"""Exercise 2.2. Feed a network from files, from arrays and from an HDF5 file.

任务：写三个数据生成器；每轮每块恰好出现一次，图像与标签配对，HDF5 文件不得整个读入。

Write a function and three classes, each a `keras.utils.PyDataset`:

    write_hdf5(path, images, labels)               # bytes (N, H, W, 3) and (N, H, W), 0 or 1
    FromFiles(image_paths, label_paths, *, batch, seed=0)   # PNG or JPEG, read when asked for
    FromArrays(images, labels, *, batch, seed=0)   # images (N, H, W, 3) that are 0 to 1 already
    FromHdf5(path, *, batch, seed=0)               # what `write_hdf5` wrote, never read whole

`generator[i]` is batch i: images (n, H, W, 3) of float32 between 0 and 1, labels (n, H, W) of
uint8, 0 or 1, where a label file says 1 from grey level 128 on. `len(generator)` counts the
batches of an epoch. An epoch gives each tile exactly once, in an order drawn from the seed; the
last batch may be short; `on_epoch_end()` draws another order.

The course's own generators give 704 samples an epoch, of which only 354 are distinct, and labels
that are 0 everywhere. Check yours:

    python -m keras_cases.check ice_generators my_answer.py

`python -m keras_cases.exercises.ice_generators` (`--smoke`) compares the three and feeds a net.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import keras
import numpy as np

from keras_cases.exercises.wrong import WrongAnswerError, refuse
from keras_cases.shared import run, sample_folder, settings_of
from rs_workbench.lessons.hdf5_reads import noted_reads
from rs_workbench.lessons.image_pairs import cut_label, read_pairs, read_picture
from rs_workbench.lessons.pair_files import PairFiles, find_pairs, take_pairs
from rs_workbench.lessons.report import Line, write_report
from rs_workbench.lessons.tiny_tiles import (
    fault_of_epoch,
    fault_of_values,
    make_tiles,
    number_tiles,
    write_tiles,
)


@dataclass(frozen=True)
class Settings:
    tiles: int | None = None  # None: all
    batch: int = 64
    out: Path = Path("out/ice_generators")
    drawn: bool = False
    seed: int = 0


QUICK = Settings(tiles=200, out=Path("out/ice_generators_quick"))
SMOKE = Settings(tiles=20, batch=8, out=Path("out/ice_generators_smoke"))


# %% The answer: what the three share is the order, so it is written once
class Once(keras.utils.PyDataset):
    """Each of n tiles once an epoch; `take(places)` says where they come from."""

    def __init__(self, n_tiles: int, *, batch: int, seed: int) -> None:
        super().__init__()
        self.batch = batch
        self.rng = np.random.default_rng(seed)
        self.order = self.rng.permutation(n_tiles)

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch)  # rounded up: the short batch counts

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.take(self.order[index * self.batch : (index + 1) * self.batch])

    def on_epoch_end(self) -> None:
        self.order = self.rng.permutation(len(self.order))

    def take(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError


# %% Files: a label that JPEG has smeared is cut in two when it is read
class FromFiles(Once):
    def __init__(
        self, image_paths: Sequence[Path], label_paths: Sequence[Path], *, batch: int, seed=0
    ) -> None:
        super().__init__(len(image_paths), batch=batch, seed=seed)
        self.paths = list(zip(image_paths, label_paths, strict=True))

    def take(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pairs = [self.paths[place] for place in places]
        images = np.stack([read_picture(image, colour=True) for image, _ in pairs])
        labels = np.stack([read_picture(label, colour=False) for _, label in pairs])
        return images / np.float32(255), cut_label(labels)


# %% Arrays: they are scaled, so they are left alone
class FromArrays(Once):
    def __init__(self, images: np.ndarray, labels: np.ndarray, *, batch: int, seed=0) -> None:
        super().__init__(len(images), batch=batch, seed=seed)
        self.images, self.labels = images, labels

    def take(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.images[places], self.labels[places]


# %% HDF5: one file, of which only the tiles of a batch are read; it wants its places ascending
class FromHdf5(Once):
    def __init__(self, path: Path, *, batch: int, seed=0) -> None:
        self.path = path
        with h5py.File(path) as file:
            super().__init__(len(file["images"]), batch=batch, seed=seed)

    def take(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ascending, back = np.unique(places, return_inverse=True)
        with h5py.File(self.path) as file:
            images, labels = file["images"][ascending][back], file["labels"][ascending][back]
        return images / np.float32(255), labels


def write_hdf5(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        for name, values in (("images", images), ("labels", labels)):
            a_tile = (1, *values.shape[1:])  # what is read together lies together
            file.create_dataset(name, data=values, chunks=a_tile, compression="lzf")


# %% The course's mistake, to be counted: 0 to n - 1 is meant, and something else is computed
def course_places(n_tiles: int, batch: int) -> np.ndarray:
    n_batches = -(-n_tiles // batch)
    i, j = np.divmod(np.arange(n_batches * batch), batch)
    return (i + 1) * (j + 1) - 1


# %% The check
TILES, SIDE, BATCH = 10, 16, 4


def check(answer: ModuleType) -> list[str]:
    (images, labels), right = make_tiles(TILES, SIDE), []
    with tempfile.TemporaryDirectory() as folder:
        files = write_tiles(Path(folder), images, labels)
        stored = Path(folder) / "tiles.h5"
        answer.write_hdf5(stored, images.copy(), labels.copy())
        sources = {
            "FromFiles": files,
            "FromArrays": (images / np.float32(255), labels.copy()),
            "FromHdf5": (stored,),
        }
        for name, given in sources.items():
            right += check_generator(name, getattr(answer, name), given, labels)
        return [*right, check_reads(answer.FromHdf5, stored, images[0].nbytes + labels[0].nbytes)]


def check_generator(name: str, make: Any, given: tuple, labels: np.ndarray) -> list[str]:
    before = [part.copy() for part in given if isinstance(part, np.ndarray)]
    generator = make(*given, batch=BATCH, seed=1)
    check_length(name, generator)
    first = read_epoch(name, generator)
    after = [part for part in given if isinstance(part, np.ndarray)]
    if any((a != b).any() for a, b in zip(before, after, strict=True)):
        refuse(f"{name} changed the arrays it was given: never write into what is not yours")
    numbers = check_epoch(name, *first, labels)
    generator.on_epoch_end()
    second = check_epoch(name, *read_epoch(name, generator), labels)
    check_orders(name, numbers, second, make, given)
    return [
        f"{name} gives each of {TILES} tiles once an epoch, with its own label",
        f"{name} keeps the short batch, and draws another order for each epoch and seed",
    ]


def check_length(name: str, generator: Any) -> None:
    wanted = -(-TILES // BATCH)
    if len(generator) != wanted:
        raise WrongAnswerError(
            f"{name} has {len(generator)} batches for {TILES} tiles in batches of {BATCH}: "
            f"{wanted} are needed, the last one short (round up)"
        )


def read_epoch(name: str, generator: Any) -> tuple[np.ndarray, np.ndarray]:
    parts = [generator[index] for index in range(len(generator))]
    images, labels = (
        np.concatenate([keras.ops.convert_to_numpy(part[k]) for part in parts]) for k in (0, 1)
    )
    if images.shape[1:] != (SIDE, SIDE, 3) or labels.shape[1:] != (SIDE, SIDE):
        raise WrongAnswerError(
            f"{name} gives images {images.shape} and labels {labels.shape}: wanted are "
            f"(n, {SIDE}, {SIDE}, 3) and (n, {SIDE}, {SIDE})"
        )
    return images, labels


def check_epoch(name: str, images: np.ndarray, labels: np.ndarray, truth: np.ndarray) -> list[int]:
    """Give the numbers of the tiles in the order they came; each must come once."""
    refuse(fault_of_values(name, images, labels))
    refuse(fault_of_epoch(name, images, labels, truth))
    return number_tiles(images)


def check_orders(name: str, first: list[int], second: list[int], make: Any, given: tuple) -> None:
    if first == second:
        refuse(
            f"{name} gives the second epoch in the order of the first, {first}: draw another "
            "order in on_epoch_end()"
        )
    whole = (make(*given, batch=TILES, seed=seed)[0][0] for seed in (1, 2))
    again, other = (number_tiles(keras.ops.convert_to_numpy(images)) for images in whole)
    if again != first:
        refuse(f"{name} gives {first} and {again} from one seed: let only it decide")
    if again == other:
        refuse(f"{name} gives the order {first} whatever the seed: draw it from the seed")


def check_reads(make: Any, stored: Path, a_tile: int) -> str:
    with noted_reads(h5py.Dataset) as reads:
        generator = make(stored, batch=1, seed=1)
        at_first = sum(reads) / a_tile
        generator[0]
    if (tiles := sum(reads) / a_tile) > TILES / 2:
        raise WrongAnswerError(
            f"FromHdf5 reads {tiles:g} of {TILES} tiles for a batch of 1 (when it is made: "
            f"{at_first:g}): a file may be larger than memory, so read only the places of the "
            "batch, file['images'][places], when they are asked for"
        )
    return "FromHdf5 reads the tiles of a batch, never the whole file"


# %% The three on the sea ice: what an epoch takes, and what has to lie in memory
def main(s: Settings = Settings()) -> Path:
    folder, real = sample_folder("sea_ice", s)
    files = find_pairs(folder / "image", folder / "label")
    files = take_pairs(files, np.arange(len(files.images))[: s.tiles])
    s.out.mkdir(parents=True, exist_ok=True)
    return write_report(
        s.out,
        "Three generators on the sea ice",
        text="Each gives every tile once an epoch. Files and HDF5 hold one batch.",
        lines=[*compare(files, s), course_line(len(files.images), s.batch), learn(s)],
        pictures={},
        facts={"data": "real" if real else "DRAWN stand-in", "settings": settings_of(s)},
    )


def compare(files: PairFiles, s: Settings) -> list[Line]:
    pairs, stored = read_pairs(files), s.out / "tiles.h5"
    images = np.ascontiguousarray(pairs.images.transpose(0, 2, 3, 1))
    write_hdf5(stored, images, pairs.labels)
    how = {"batch": s.batch, "seed": s.seed}
    made = {
        "FromFiles": FromFiles(files.images, files.labels, **how),
        "FromArrays": FromArrays(images / np.float32(255), pairs.labels, **how),
        "FromHdf5": FromHdf5(stored, **how),
    }
    return [measure(name, generator) for name, generator in made.items()]


def measure(name: str, generator: Once) -> Line:
    samples, seconds, held = [], 0.0, 0
    for index in range(len(generator)):
        started = time.perf_counter()
        images, _ = generator[index]
        seconds += time.perf_counter() - started
        held = max(held, vars(generator).get("images", images).nbytes)
        samples += [hash(image.tobytes()) for image in images]
    figures = {"samples": len(samples), "distinct": len({*samples})}  # by what they hold
    return Line(name, figures | {"seconds": seconds, "MiB of images held": held / 2**20})


# %% What generators are for: here at last one feeds a net
def learn(s: Settings) -> Line:
    keras.utils.set_random_seed(s.seed)
    generator = FromHdf5(s.out / "tiles.h5", batch=s.batch, seed=s.seed)
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    model = keras.Model(image, keras.layers.Conv2D(2, 1, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    before = model.evaluate(generator, verbose=0)
    model.fit(generator, epochs=1, verbose=2)
    found = {"loss before": before, "loss after": model.evaluate(generator, verbose=0)}
    return Line("a net of two layers, after one epoch from FromHdf5", found)


def course_line(n_tiles: int, batch: int) -> Line:
    places = course_places(n_tiles, batch)
    figures = {"samples": len(places), "distinct": len({*places[places < n_tiles].tolist()})}
    return Line("the course's formula, computed here", figures, "baseline")


if __name__ == "__main__":
    run(main, Settings(), QUICK, SMOKE)
