"""What the four cases share: the settings that were asked for, batches, a model with its card."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np

from keras_cases.shared_settings import refuse_nothing
from rs_workbench.card import Band, LegendClass, ModelCard
from rs_workbench.errors import WorkbenchError
from rs_workbench.lessons.card import measure_card
from rs_workbench.lessons.report import in_words
from rs_workbench.samples import NOTICE
from rs_workbench.standin_files import fetch_or_draw, write_stand_in
from rs_workbench.training.augment import NO_CHANGE, Augment, augment_batch
from rs_workbench.training.chip_pixels import ChipPixels
from rs_workbench.training.keras_files import export_network

S = TypeVar("S", bound=Any)


def run(main: Callable[[S], Path], full: S, quick: S, smoke: S, **others: S) -> None:
    """Run a case or an exercise as its command line asks; a mistake is told in a sentence."""
    s = chosen(full, quick, smoke, **others)
    try:
        refuse_nothing(s)
        print(f"report: {main(s)}")
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from error


def chosen(full: S, quick: S, smoke: S, words: Sequence[str] | None = None, **others: S) -> S:
    """Choose settings by the words of the command line: --quick or --smoke, and --drawn.

    `others` are further settings by the words that choose them. A notebook has no command line:
    there it is --quick.
    """
    if words is None:
        words = ["--quick"] if "ipykernel" in sys.modules else sys.argv[1:]
    known = {"--quick": quick, "--smoke": smoke} | {f"--{n}": one for n, one in others.items()}
    wrong = [word for word in words if word not in (*known, "--drawn")]
    if wrong or len({*words} & {*known}) > 1:
        also = "".join(f", --{name}" for name in others)
        print(
            f"error: got {' '.join(words)}: use --quick (minutes), --smoke (seconds){also} or "
            "none, and --drawn for drawn data; all else stands in Settings, at the top of the "
            "file",
            file=sys.stderr,
        )
        raise SystemExit(2)
    word = next((word for word in words if word in known), "")
    settings = known.get(word, full)
    if word:
        print(f"{word} sets: {in_words(changes(settings, full))}")
    return replace(settings, drawn=True) if "--drawn" in words else settings


def changes(settings: Any, full: Any) -> dict[str, Any]:
    """Give the settings that differ, of settings within settings those alone that do."""
    different = {n: v for n, v in vars(settings).items() if v != getattr(full, n)}
    return {
        name: changes(value, getattr(full, name)) if is_dataclass(value) else value
        for name, value in different.items()
    }


def settings_of(s: Any, *left_out: str) -> dict[str, Any]:
    """Give the settings for a report: all but the folder, and what the run itself sets."""
    return {name: value for name, value in vars(s).items() if name not in ("out", *left_out)}


def sample_folder(name: str, s: Any) -> tuple[Path, bool]:
    """Give the folder of sample data, and whether they are real; `s` has `drawn` and `out`."""
    if not s.drawn:
        return fetch_or_draw(name)
    folder = s.out / f"drawn_{name}"
    if not (folder / NOTICE).is_file():  # it is written last: without it, drawing was stopped
        shutil.rmtree(folder, ignore_errors=True)
        write_stand_in(name, folder)
    return folder, False


class Batches(keras.utils.PyDataset):
    """Chips in memory, for `model.fit`: each comes `rounds` times an epoch, each time varied anew.

    Images are (N, B, H, W), scaled; labels (N, H, W), 255 where nothing is known. Batches come
    in the order of Keras: (n, H, W, B) and (n, H, W).
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        batch: int,
        rounds: int = 1,
        augment: Augment | None = None,
        seed: int = 0,
        shuffle: bool = True,
    ) -> None:
        super().__init__()
        self.images, self.labels = images, labels
        self.batch, self.rounds, self.augment = batch, rounds, augment or NO_CHANGE
        self.seed, self.shuffle, self.epoch = seed, shuffle, 0
        self.order = self._order()

    def _order(self) -> np.ndarray:
        """Places of the chips in this epoch, (rounds x N,)."""
        n = len(self.images)
        if not self.shuffle:
            return np.tile(np.arange(n), self.rounds)
        rng = np.random.default_rng((self.seed, self.epoch))
        return np.concatenate([rng.permutation(n) for _ in range(self.rounds)])

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        taken = self.order[index * self.batch : (index + 1) * self.batch]
        images, labels = self.images[taken], self.labels[taken]
        if self.augment != NO_CHANGE:
            past = index * self.batch // len(self.images) * len(self.images)  # of earlier rounds
            images, labels = self._vary(images, labels, past + int(taken[0]))
        return np.ascontiguousarray(np.moveaxis(images, 1, -1)), labels

    def _vary(
        self, images: np.ndarray, labels: np.ndarray, place: int
    ) -> tuple[np.ndarray, np.ndarray]:
        chips = [
            ChipPixels(image, label, np.ones(label.shape, bool))
            for image, label in zip(images, labels, strict=True)
        ]
        drawn = np.random.default_rng((self.seed, self.epoch, place))
        seeds = [int(seed) for seed in drawn.integers(2**63, size=len(chips))]
        varied = augment_batch(chips, self.augment, seeds=seeds)
        return np.stack([v.image for v in varied]), np.stack([v.labels for v in varied])

    def on_epoch_end(self) -> None:
        self.epoch += 1
        self.order = self._order()


def rise_and_fall(highest: float, steps: int) -> keras.optimizers.schedules.CosineDecay:
    """Learning rate: small steps first, for a tenth of them, then large ones, at last none."""
    rise = max(1, steps // 10)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - rise), warmup_target=highest, warmup_steps=rise
    )


def keep_best(path: Path) -> keras.callbacks.ModelCheckpoint:
    """Keep the weights of the epoch with the best mean IoU on validation ground."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return keras.callbacks.ModelCheckpoint(
        path, "val_mean_iou", mode="max", save_best_only=True, save_weights_only=True
    )


def predict_bands_first(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Score images (N, B, H, W) with a model of Keras; logits (N, K, H, W)."""
    scores = model(np.ascontiguousarray(np.moveaxis(images, 1, -1)), training=False)
    return np.moveaxis(keras.ops.convert_to_numpy(scores), -1, 1)


def save_model(
    model: keras.Model,
    folder: Path,
    *,
    name: str,
    bands: Sequence[Band],
    classes: Sequence[LegendClass],
    **about: Any,
) -> Path:
    """Write ``model.keras`` with its card inside, which `rsw infer` takes.

    `about` are the further arguments of `rs_workbench.lessons.card.measure_card`.
    """
    card: ModelCard = measure_card(
        lambda batch: predict_bands_first(model, batch),
        name=name,
        bands=bands,
        classes=classes,
        **about,
    )
    bare = keras.models.clone_model(model)  # without loss and optimiser, which a map never needs
    bare.set_weights(model.get_weights())
    return export_network(bare, folder, card)
