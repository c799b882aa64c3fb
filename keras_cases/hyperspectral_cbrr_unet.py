"""Case 4. Land cover from 224 bands: a transform that travels with the model, and a CbrrUnet.

A scene of hundreds of bands is brought to a few components (MNF or PCA), measured on the training
tiles alone, and CbrrUnet labels every pixel of them. Every tile is held out once. The model that
maps the large scene reads its raw bands: the transform is its first layer.

    python -m keras_cases.hyperspectral_cbrr_unet --quick
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_cases.models.cbrr_unet import cbrr_unet
from keras_cases.shared import Batches, keep_best, run, sample_folder, settings_of
from keras_cases.shared_spectra import label_images, save_with_transform
from rs_workbench.card import TrainingData
from rs_workbench.lessons.big_scene import map_and_assess
from rs_workbench.lessons.cube_chips import (
    LEGENDS,
    CubeChips,
    choose_classes,
    cut,
    read_cube_chips,
)
from rs_workbench.lessons.cube_scene import write_cube_scene
from rs_workbench.lessons.cube_transform import components_of, fit_transform
from rs_workbench.lessons.few_labels import make_samples, picture_bands, picture_of_samples
from rs_workbench.lessons.fold_counts import count_chips, gather_counts, keep_counts, open_counts
from rs_workbench.lessons.folds import Parts, deal_folds, parts_of
from rs_workbench.lessons.map_picture import picture_of_map
from rs_workbench.lessons.pictures import picture_of_chips
from rs_workbench.lessons.spectra_shown import Shown, show_spectra
from rs_workbench.lessons.spectral_baselines import (
    count_baselines,
    labelled_pixels,
    pixel_split_scores,
)
from rs_workbench.lessons.spectral_report import (
    Told,
    add_map,
    pictures_of_data,
    write_spectral_report,
)
from rs_workbench.lessons.training_record import keep_training, training_facts
from rs_workbench.spectra.transform import LinearTransform
from rs_workbench.training.augment import NO_CHANGE, Augment
from rs_workbench.training.class_weights import class_weights
from rs_workbench.training.keras_losses import SegmentationLoss
from rs_workbench.training.keras_scores import HeldOutScores

VARY = Augment(shift=0.25, noise=0.2, cut_mix=1.0)
"""Flips, turns; moved by up to a quarter; 0.2 standard deviations of noise; mixed with another."""


# %% Settings: change these in class
@dataclass(frozen=True)
class Learning:
    width: int = 16  # channels at full size; the course has 64
    loss: str = "cross_entropy"
    weights: str | None = "effective_number"  # of classes; or balanced, or None
    rate: float = 2e-2  # falls to 0
    vary: Augment = VARY
    batch: int = 12  # tiles
    rounds: int = 8  # times that each tile comes in an epoch
    epochs: int = 20
    compiled: bool = True  # False: for a few steps, and to step through with a debugger


# %% Settings: what is mapped, and which tiles are held out
@dataclass(frozen=True)
class Settings:
    data: str = "enmap_potsdam"  # or salinas_a
    classes: tuple[str, ...] = ()  # their names; none means all
    transform: str = "mnf"  # or pca
    components: int = 12
    learning: Learning = Learning()
    folds: int = 6  # groups of tiles, each held out once
    run: tuple[int, ...] | None = None  # folds to run; None: all
    fold: int = 0  # which of them is held out now: set by the run
    seeds: tuple[int, ...] = (0, 1, 2)
    seed: int = 0  # set by the run: change seeds
    scene: tuple[int, int] = (48, 48)  # tiles of the large scene, down and across
    memory: str = "1.5GB"  # for its map, network and libraries included
    out: Path = Path("out/hyperspectral_cbrr_unet")
    drawn: bool = False


# %% Settings for a lesson
QUICK = Settings(
    learning=Learning(epochs=8),
    seeds=(0,),
    scene=(42, 42),
    out=Path("out/hyperspectral_cbrr_unet_quick"),
)

# %% Settings for a test of this file
SMOKE = Settings(
    learning=Learning(width=2, batch=4, rounds=1, epochs=1, compiled=False),
    components=4,
    folds=3,
    run=(0,),
    seeds=(0,),
    scene=(4, 4),
    out=Path("out/hyperspectral_cbrr_unet_smoke"),
)

# %% The other scene, and the course's own network: 22,149,381 parameters; on a CPU, days
SALINAS = Settings(data="salinas_a", seeds=(0,), out=Path("out/hyperspectral_cbrr_unet_salinas"))
COURSE = Settings(
    classes=("roof", "pavement", "low vegetation", "tree", "water"),
    transform="pca",
    components=6,
    learning=Learning(64, weights=None, rate=1e-3, vary=NO_CHANGE, batch=10, rounds=1, epochs=30),
    seeds=(0,),
    out=Path("out/hyperspectral_cbrr_unet_course"),
)


# %% What a fold is made of
class Chips(NamedTuple):
    images: np.ndarray  # (N, components, height, width), scaled
    labels: np.ndarray  # (N, height, width); 255 where nothing is known


class Data(NamedTuple):
    training: Chips
    validation: Chips
    held_out: Chips
    scene: CubeChips
    folds: np.ndarray  # (N,), of each tile
    parts: Parts  # tiles of the three parts
    transform: LinearTransform
    real: bool


# %% 1. Data: pixels of a tile are alike, so whole tiles are held out, even from the transform
def load_data(s: Settings) -> Data:
    folder, real = sample_folder(s.data, s)
    scene = read_cube_chips(s.data, folder).only(s.classes)
    folds = deal_folds(scene.counts, s.folds)
    parts = parts_of(folds, s.fold)
    transform = fit_transform(
        scene, parts.training, kind=s.transform, n_components=s.components
    )  # and bad bands: both of the training tiles alone
    images, labels = components_of(scene, transform), cut(scene.labels, scene.windows)
    training, validation, held_out = (Chips(images[part], labels[part]) for part in parts)
    return Data(training, validation, held_out, scene, folds, parts, transform, real)


# %% 1, samples: a few labelled pixels, and the shape of their spectra, make thousands
def grow_samples(s: Settings) -> tuple[str, Path]:
    folder, _ = sample_folder("salinas_a", s)
    chips = read_cube_chips("salinas_a", folder)
    samples = make_samples(chips, per_class=5, seed=s.seed)
    return samples.words, picture_of_samples(s.out / "few_labels.png", chips, samples)


# %% 1, spectra: look before you learn; where no light comes back, an index calls water a forest
def see_spectra(data: Data, s: Settings) -> Shown:
    return show_spectra(s.out, data.scene, data.transform, data.parts)


# %% 2. Model: three poolings only; below them it dilates, and six maps vote
def build_model(s: Settings) -> keras.Model:
    keras.utils.set_random_seed(s.seed)
    n_classes = len(choose_classes(LEGENDS[s.data], s.classes))
    return cbrr_unet(n_bands=s.components, n_classes=n_classes, width=s.learning.width)


# %% 3. Train: a dozen tiles are few, so each is turned, moved and mixed anew in every epoch
def train(model: keras.Model, data: Data, s: Settings) -> dict[str, list[float]]:
    how, started = s.learning, time.perf_counter()
    dealt: dict[str, Any] = {"batch": how.batch, "rounds": how.rounds, "seed": s.seed}
    training = Batches(*data.training, augment=how.vary, **dealt)
    validation = Batches(*data.validation, batch=how.batch, shuffle=False)
    falling = keras.optimizers.schedules.CosineDecay(how.rate, how.epochs * len(training))
    eager = {"jit_compile": False, "run_eagerly": not how.compiled}  # on a CPU, XLA is slower
    model.compile(keras.optimizers.AdamW(falling), make_loss(data, how), **eager)
    scores = HeldOutScores(validation, len(data.scene.classes))  # first: `best` reads what it says
    best = keep_best(s.out / "best.weights.h5")
    watching: dict[str, Any] = {
        "validation_data": validation,
        "callbacks": [scores, best],
        "verbose": 0,
    }
    history = model.fit(training, epochs=how.epochs, **watching).history
    model.load_weights(best.filepath)
    keep_training(s.out, history, time.perf_counter() - started)
    return history


# %% 3, the loss: with weights, a rare class counts for more; counted on training tiles
def make_loss(data: Data, how: Learning) -> SegmentationLoss:
    n_classes, weights = len(data.scene.classes), None
    if how.weights:
        counts = data.scene.counts[data.parts.training].sum(axis=0)
        weights = class_weights(counts, how.weights, beta=0.999)
    return SegmentationLoss(how.loss, n_classes, class_weights=weights)


# %% 4. Evaluate: each tile is read once, by a model that never saw it; tiles are drawn, not pixels
def evaluate(model: keras.Model, data: Data, s: Settings) -> Path:
    parts, n_classes = data[:3], len(data.scene.classes)
    found = label_images(model, data.held_out.images)
    counts = {"CbrrUnet": count_chips(found, data.held_out.labels, n_classes)}
    if s.seed == s.seeds[0]:  # another seed changes nothing here
        counts |= count_baselines(*parts, n_classes)
    folder = open_counts(s.out / "counts", key(s))
    for name, counted in counts.items():
        keep_counts(folder, name, counted, fold=s.fold, seed=s.seed)
    path, classes = s.out / "held_out.png", data.scene.classes
    picture_of_chips(path, *data.held_out, found, classes=classes)
    gathered = gather_counts(folder, folds=folds_of(s), seeds=s.seeds)
    return write_spectral_report(s.out, gathered, tell(model, data, s))


# %% 4, what the page tells beside its table: pictures, how it was run, and a leak
def tell(model: keras.Model, data: Data, s: Settings) -> Told:
    seen, (words, samples) = see_spectra(data, s), grow_samples(s)
    drawn = pictures_of_data(s.out, data.scene, data.transform, data.parts.held_out)
    pictures = {
        **seen.pictures,
        **drawn,
        "Loss and scores, last fold": s.out / "curves.png",
        "Held-out tiles of the last fold, first three components": s.out / "held_out.png",
        "Five labelled pixels of each class, and what grew from them": samples,
    }
    facts = {
        "data": f"{s.data}, {'real' if data.real else 'DRAWN, no real scene'}",
        "backend": f"Keras {keras.__version__} on {keras.backend.backend()}",
        "bands": f"{data.transform.n_bands} of {data.scene.cube.n_bands} kept",
        "settings": settings_of(s, "fold", "seed"),
        **training_facts(s.out) | {"parameters": model.count_params()},  # of the last fold
    }
    title = f"Case 4: {s.data}, CbrrUnet on {s.components} components ({s.transform.upper()})"
    return Told(title, data.scene, leak(data), facts, pictures, f"{seen.words}\n\n{words}")


# %% 4, the leak: the same pixels and classifier, dealt one by one, and dealt by tile
def leak(data: Data) -> tuple[np.ndarray, np.ndarray]:
    images, labels = (np.concatenate(parts) for parts in zip(*data[:3], strict=True))
    of_tile = data.folds[np.concatenate(data.parts)][:, None, None]
    folds = np.broadcast_to(of_tile, labels.shape)[labels != 255]
    return pixel_split_scores(*labelled_pixels(images, labels), folds)


def key(s: Settings) -> str:
    """What counts must have in common to be added up."""
    left_out = ("fold", "seed", "seeds", "run", "out")
    return ", ".join(f"{n} {value}" for n, value in vars(s).items() if value and n not in left_out)


# %% The folds that are run
def folds_of(s: Settings) -> tuple[int, ...]:
    return tuple(range(s.folds)) if s.run is None else s.run


# %% 5. Infer: the transform is the first layer, so nobody can map with another one
def infer(model: keras.Model, data: Data, s: Settings) -> Path:
    folder, classes = s.out / "map", data.scene.classes
    saved = save_with_transform(model, data.transform, s.out / "model", **about(data, s))
    scene, reference = write_cube_scene(
        folder, data.scene, data.parts.held_out, rows=s.scene[0], cols=s.scene[1]
    )
    mapped = map_and_assess(saved, scene, reference, folder, memory=s.memory)
    shown = {"reference": reference, "bands": picture_bands(data.scene)}
    picture = picture_of_map(s.out / "map.png", scene, mapped.class_map, classes, **shown)
    add_map(s.out, mapped, picture)
    return mapped.class_map


# %% 5, the card: it travels inside the model file, so that the map needs nothing else
def about(data: Data, s: Settings) -> dict[str, Any]:
    split = f"{s.folds} folds of whole tiles; fold {s.fold} held out, the next for validation"
    n_chips = len(data.parts.training)
    return {
        "name": f"cbrr_unet_{s.data}",
        "classes": data.scene.classes,
        "dtype": "float32",
        "pixel_size": data.scene.pixel_size,
        "training_data": TrainingData(name=s.data, n_chips=n_chips, split=split),
    }


# %% All of it: every fold with every seed, then the map with the last model
def main(s: Settings = Settings()) -> Path:
    runs, started = list(product(s.seeds, folds_of(s))), time.perf_counter()
    for done, (seed, fold) in enumerate(runs):
        print(f"seed {seed}, fold {fold}: {done + 1} of {len(runs)}", end="", flush=True)
        one = replace(s, seed=seed, fold=fold)
        data, model = load_data(one), build_model(one)
        best = max(train(model, data, one)["val_mean_iou"])
        report = evaluate(model, data, one)
        left = (time.perf_counter() - started) / (done + 1) * (len(runs) - done - 1) / 60
        print(f", validation {best:.3f}, about {left:.0f} min left", flush=True)
    class_map = infer(model, data, one)
    print(f"map: {class_map}")
    return report


if __name__ == "__main__":
    run(main, Settings(), QUICK, SMOKE, course=COURSE, salinas=SALINAS)
