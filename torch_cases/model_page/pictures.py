"""Pictures of what a model makes of held-out tiles and of the sample scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from rs_workbench.card import LegendClass
from rs_workbench.training.chip_reader import ChipReader
from rs_workbench.training.data import TrainingData
from rs_workbench.types import NODATA
from tiling.chips import make_chip
from tiling.label_index import IGNORE
from tiling.split import part_mask
from tiling.windows import Window

PAPER = 255  # grey level where there is no data


class Tile(NamedTuple):
    """Photograph (H, W, 3) uint8, reference and map (H, W) uint8: class indexes, or IGNORE."""

    photo: np.ndarray
    reference: np.ndarray
    label_map: np.ndarray


def telling_scenes(data: TrainingData, count: int) -> list[int]:
    """Scenes whose held-out ground has most classes, then most labelled pixels."""
    cells = data.split.cells("held_out")
    counts = [
        index.counts[held].sum(axis=0) for index, held in zip(data.indexes, cells, strict=True)
    ]
    worth = [((found > 0.02 * found.sum()).sum(), found.sum()) for found in counts]
    return sorted(range(len(worth)), key=lambda scene: worth[scene], reverse=True)[:count]


def map_tile(reader: ChipReader, data: TrainingData, scene: int, predict: Callable) -> Tile:
    """Map a whole scene in one pass; what is not held out is left blank."""
    shape = data.scenes[scene].shape
    window = Window(0, 0, *shape)
    pixels = reader.read(make_chip(scene, window, shape))
    label_map = predict(pixels.image[None])[0].argmax(axis=0).astype(np.uint8)
    held_out = part_mask(data.split, scene, window, part="held_out") & pixels.valid
    mean, std = data.statistics.mean[:, None, None], data.statistics.std[:, None, None]
    photo = (pixels.image * std + mean).round().clip(0, 255).transpose(1, 2, 0)
    return Tile(
        np.where(pixels.valid[..., None], photo, PAPER).astype(np.uint8),
        np.where(held_out, pixels.labels, IGNORE),
        np.where(held_out & (pixels.labels != IGNORE), label_map, IGNORE),
    )


def tiles_picture(path: Path, data: TrainingData, predict: Callable, *, count: int = 5) -> Path:
    """Draw photographs, references and maps of some held-out tiles, one tile a column."""
    with ChipReader(data) as reader:
        tiles = [map_tile(reader, data, scene, predict) for scene in telling_scenes(data, count)]
    figure = Figure(figsize=(2.2 * len(tiles) + 0.3, 7.2), dpi=86, layout="constrained")
    axes = figure.subplots(3, len(tiles), squeeze=False)
    for column, tile in zip(axes.T, tiles, strict=True):
        indexes = range(data.n_classes)
        shown = (tile.photo, *(colored(part, data.classes, indexes) for part in tile[1:]))
        for axis, rgb in zip(column, shown, strict=True):
            axis.imshow(rgb, interpolation="antialiased")
    _name_rows(axes, ("photograph", "reference", "map"))
    return _save(figure, path, data.classes)


def scene_picture(
    path: Path, image: np.ndarray, class_map: np.ndarray, classes: Sequence[LegendClass]
) -> Path:
    """Draw a scene (3, H, W) beside its map (H, W), as it is written: class values, or nodata."""
    photo = np.where((class_map == NODATA)[..., None], PAPER, image.transpose(1, 2, 0))
    figure = Figure(figsize=(11, 4.6), dpi=96, layout="constrained")
    axes = figure.subplots(1, 2, squeeze=False)
    axes[0, 0].imshow(photo, interpolation="antialiased")
    values = [entry.value for entry in classes]
    axes[0, 1].imshow(colored(class_map, classes, values), interpolation="antialiased")
    _name_rows(axes, ("",))
    return _save(figure, path, classes)


def colored(
    label_map: np.ndarray, classes: Sequence[LegendClass], values: Sequence[int]
) -> np.ndarray:
    """Label map (H, W), whose `values` mean the classes, in their colours, (H, W, 3) uint8."""
    palette = np.full((256, 3), PAPER, np.uint8)
    for value, entry in zip(values, classes, strict=True):
        palette[value] = list(bytes.fromhex(entry.color[1:]))
    return palette[label_map]


def _name_rows(axes: np.ndarray, names: Sequence[str]) -> None:
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    for axis, name in zip(axes[:, 0], names, strict=True):
        axis.set_ylabel(name)


def _save(figure: Figure, path: Path, classes: Sequence[LegendClass]) -> Path:
    """Add the legend and save."""
    handles = [Patch(color=c.color, label=c.name) for c in classes]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(classes), frameon=False)
    figure.savefig(path, pil_kwargs={"optimize": True})
    return path
