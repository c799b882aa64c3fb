"""Pictures of what a network makes of tiles and of the sample scene."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from torch_cases.dunes.tiles import CLASSES, IGNORED, N_CLASSES, Tile

PAPER = 255  # grey level where there is no data


def telling_tiles(tiles: Sequence[Tile], count: int) -> list[int]:
    """Indexes of the tiles with most classes, then most labelled pixels."""
    counts = [np.bincount(t.label_map.ravel(), minlength=256)[:N_CLASSES] for t in tiles]
    worth = [((found > 0.02 * found.sum()).sum(), found.sum()) for found in counts]
    return sorted(range(len(tiles)), key=lambda index: worth[index], reverse=True)[:count]


def colored(label_map: np.ndarray) -> np.ndarray:
    """Label map (H, W) in the legend's colours, (H, W, 3) uint8."""
    palette = np.full((256, 3), PAPER, np.uint8)
    for index, legend_class in enumerate(CLASSES):
        palette[index] = list(bytes.fromhex(legend_class.color[1:]))
    return palette[label_map]


def tiles_picture(
    path: Path, tiles: Sequence[Tile], label_maps: Sequence[np.ndarray], *, count: int = 5
) -> Path:
    """Draw photographs, references and maps of some tiles, one tile a column."""
    chosen = telling_tiles(tiles, count)
    figure = Figure(figsize=(2.2 * len(chosen) + 0.3, 7.2), dpi=86, layout="constrained")
    axes = figure.subplots(3, len(chosen), squeeze=False)
    for column, index in zip(axes.T, chosen, strict=True):
        tile, missing = tiles[index], tiles[index].label_map == IGNORED
        photo = np.where(missing[..., None], PAPER, tile.image.transpose(1, 2, 0))
        label_map = np.where(missing, IGNORED, label_maps[index])
        for axis, shown in zip(column, (photo, tile.label_map, label_map), strict=True):
            axis.imshow(shown if shown.ndim == 3 else colored(shown), interpolation="antialiased")
    _name_rows(axes, ("photograph", "reference", "map"))
    return _save(figure, path)


def scene_picture(path: Path, image: np.ndarray, label_map: np.ndarray) -> Path:
    """Draw a scene (3, H, W) beside its map (H, W), half as large."""
    missing = label_map == IGNORED
    photo = np.where(missing[..., None], PAPER, image.transpose(1, 2, 0))
    figure = Figure(figsize=(11, 4.6), dpi=96, layout="constrained")
    axes = figure.subplots(1, 2, squeeze=False)
    axes[0, 0].imshow(photo, interpolation="antialiased")
    axes[0, 1].imshow(colored(label_map), interpolation="antialiased")
    _name_rows(axes, ("",))
    return _save(figure, path)


def _name_rows(axes: np.ndarray, names: Sequence[str]) -> None:
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    for axis, name in zip(axes[:, 0], names, strict=True):
        axis.set_ylabel(name)


def _save(figure: Figure, path: Path) -> Path:
    """Add the legend and save."""
    handles = [Patch(color=c.color, label=c.name) for c in CLASSES]
    figure.legend(handles=handles, loc="outside lower center", ncols=N_CLASSES, frameon=False)
    figure.savefig(path, pil_kwargs={"optimize": True})
    return path
