"""Pictures: what the network makes of a few validation chips, beside their labels.

What a picture shows is chosen here; `pictures_draw` draws it. All pictures of a run show the same
chips, so that one can leaf through them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rs_workbench.quicklook import brighten, view_bands
from rs_workbench.training.history import write_whole
from rs_workbench.training.loader import part_batches
from rs_workbench.training.pictures_draw import Row, draw_rows
from rs_workbench.training.validation import score_batch
from tiling.label_index import IGNORE

if TYPE_CHECKING:
    from rs_workbench.training.data import TrainingData
    from rs_workbench.training.learner import Learner
    from rs_workbench.training.loop import Epoch
    from rs_workbench.types import Image
    from tiling.chips import Chip

FOLDER = "pictures"
N_CHIPS = 4
"""Chips in a picture, at most."""
CANDIDATES = 32
"""Validation chips that are looked at to choose them."""
LEAST_SHARE = 0.01
"""Share of a chip from which a class can be seen in it."""


class Pictures:
    """Listener that draws a picture every few epochs.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    every : int
        Epochs between two pictures; 0 draws none.
    """

    def __init__(self, folder: Path, every: int) -> None:
        self._folder, self._every = folder, every
        self._chips: tuple[Chip, ...] | None = None

    def __call__(self, epoch: Epoch, learner: Learner, data: TrainingData) -> None:
        """Draw the epoch, if it is its turn."""
        if self._every and data.validation and epoch.number % self._every == 0:
            if self._chips is None:
                self._chips = choose_chips(data)
            path = picture_path(self._folder, epoch.number)
            draw_picture(path, learner, data, chips=self._chips, title=f"epoch {epoch.number}")


def picture_path(folder: Path, epoch: int) -> Path:
    """Name of an epoch's picture.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    epoch : int
        Number of the epoch, from 1.

    Returns
    -------
    Path
        Such as ``pictures/epoch_0005.png``, whether it exists or not.
    """
    return folder / FOLDER / f"epoch_{epoch:04d}.png"


def draw_best(folder: Path, learner: Learner, data: TrainingData, *, epoch: int) -> Path | None:
    """Draw the weights that are kept.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    learner : Learner
        Has the best weights.
    data : TrainingData
        Gives the validation chips.
    epoch : int
        The epoch that the weights come from.

    Returns
    -------
    Path or None
        ``pictures/best.png``; None where there is no validation chip.
    """
    if not data.validation:
        return None
    path = folder / FOLDER / "best.png"
    title = f"epoch {epoch}, the one that is kept"
    draw_picture(path, learner, data, chips=choose_chips(data), title=title)
    return path


def choose_chips(data: TrainingData) -> tuple[Chip, ...]:
    """Choose validation chips that show as many classes as can be.

    Parameters
    ----------
    data : TrainingData
        Gives the validation chips.

    Returns
    -------
    tuple of Chip
        At most `N_CHIPS`, in the order of the grid; the same for the same data.
    """
    n = len(data.validation)
    at = np.unique(np.linspace(0, n - 1, min(n, CANDIDATES)).round().astype(int))
    chips = [data.validation[i] for i in at]
    shares = np.concatenate(
        [_class_shares(b.labels, len(data.classes)) for b in part_batches(data, chips)]
    )
    chosen: list[int] = []
    seen = np.zeros(shares.shape[1], np.bool_)
    for _ in range(min(N_CHIPS, n)):
        shown = shares >= LEAST_SHARE
        worth = 100 * (shown & ~seen).sum(axis=1) + shown.sum(axis=1) + 1
        worth = worth * np.minimum(shares.sum(axis=1), 0.5)
        worth[chosen] = -1
        best = int(worth.argmax())
        chosen.append(best)
        seen |= shown[best]
    return tuple(chips[i] for i in sorted(chosen))


def _class_shares(labels: NDArray[np.uint8], n_classes: int) -> NDArray[np.float64]:
    """Share of each class in each chip, (N, K)."""
    counts = [np.bincount(chip.ravel(), minlength=256)[:n_classes] for chip in labels]
    return np.stack(counts) / labels[0].size


def draw_picture(
    path: Path, learner: Learner, data: TrainingData, *, chips: Sequence[Chip], title: str
) -> None:
    """Draw scene, labels and prediction of some chips.

    Parameters
    ----------
    path : Path
        The picture.
    learner : Learner
        Predicts.
    data : TrainingData
        Reads the chips.
    chips : sequence of Chip
        At least one.
    title : str
        Heads the picture.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written to.
    """
    rows: list[Row] = []
    for batch in part_batches(data, chips):
        best = score_batch(learner, batch.images).argmax(axis=1).astype(np.uint8)
        best[~batch.valid] = IGNORE
        for image, labels, found, chip in zip(
            batch.images, batch.labels, best, batch.chips, strict=True
        ):
            rows.append(Row(_scene_rgb(image, data, chip.scene), labels, found))
    write_whole(path, draw_rows(rows, data.classes, title=title))


def _scene_rgb(image: Image, data: TrainingData, scene: int) -> NDArray[np.uint8]:
    """Picture of a scaled chip, stretched from the 2nd to the 98th percentile of training."""
    shown = view_bands(data.scenes[scene], data.bands)
    if not set(shown) <= set(data.bands):
        shown = data.bands[:3] if len(data.bands) >= 3 else data.bands[:1]
    at = [data.bands.index(band) for band in shown] * (1 if len(shown) == 3 else 3)
    found = data.statistics
    mean, std, low, high = (
        np.asarray(part)[at] for part in (found.mean, found.std, found.low, found.high)
    )
    values = np.moveaxis(image[at].astype(np.float64), 0, -1) * std + mean
    scaled = (values - low) / np.maximum(high - low, 1e-12)
    return brighten(scaled, np.ones(image.shape[1:], np.bool_))[..., :3]
