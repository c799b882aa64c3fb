"""The dunes tiles: aerial photographs of a coast with land-cover labels, their legend and split.

The 86 tiles are cut from one mosaic; file names hold their offsets in it, so neighbours are
known. Neighbouring tiles look alike, so whole groups of touching tiles go to one part: training,
validation (chooses the checkpoint) or held-out (read once, at the end).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from rs_workbench.card import LegendClass
from rs_workbench.errors import SceneError

TILE = 608  # px, side of a tile and step between neighbours
IGNORED = 255  # label of pixels without data

# Value, name, Chinese name, colour, and the codes of the source that go into the class. The
# source names none: names and merging are ours, after looking at all tiles.
LEGEND = (
    (1, "water", "水体", "#2b6fb5", (1,)),
    (2, "bare sand", "裸沙", "#f3e3a1", (4, 8)),
    (3, "sparse vegetation", "稀疏植被", "#c9b458", (5, 7)),
    (4, "dense vegetation", "茂密植被", "#3f7d3a", (2, 6, 9)),
    (5, "cropland", "耕地", "#e39b3c", (3,)),
    (6, "road and pavement", "道路与铺装", "#8c8c8c", (10,)),
    (7, "built-up", "建筑用地", "#c8352e", (11,)),
)
CLASSES = tuple(LegendClass(value=v, name=n, name_zh=z, color=c) for v, n, z, c, _ in LEGEND)
N_CLASSES = len(CLASSES)


class Tile(NamedTuple):
    """Name, image (3, H, W) uint8, and label_map (H, W) uint8: class 0 to K - 1, or IGNORED."""

    name: str
    image: np.ndarray
    label_map: np.ndarray


@dataclass(frozen=True)
class Parts:
    """Tile names of each part."""

    training: tuple[str, ...]
    validation: tuple[str, ...]
    held_out: tuple[str, ...]


def data_folder() -> Path:
    """Folder ``dunes`` under RSW_DATA, or under ``data`` in the current folder.

    Raises
    ------
    SceneError
        If there are no tiles.
    """
    folder = Path(os.environ.get("RSW_DATA", "data")) / "dunes"
    if not (folder / "images").is_dir():
        raise SceneError(
            f"no dunes tiles in '{folder}': set RSW_DATA to the folder that holds "
            "dunes/images and dunes/labels"
        )
    return folder


def tile_names(folder: Path) -> tuple[str, ...]:
    """Names of all tiles, sorted."""
    return tuple(sorted(path.stem for path in (folder / "images").glob("*.jpg")))


def read_tile(folder: Path, name: str) -> Tile:
    """Read one tile and translate its label codes into classes.

    Raises
    ------
    SceneError
        If image or label is missing.
    """
    image = cv2.imread(str(folder / "images" / f"{name}.jpg"), cv2.IMREAD_COLOR)
    codes = cv2.imread(str(folder / "labels" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
    if image is None or codes is None:
        raise SceneError(f"tile '{name}' lacks its image or its label in '{folder}'")
    image = np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1))  # BGR to bands first RGB
    return Tile(name, image, class_of_code()[codes])


def class_of_code() -> np.ndarray:
    """Table from the source's codes (0 to 11) to classes (0 to K - 1); others are IGNORED."""
    table = np.full(256, IGNORED, np.uint8)
    for index, (*_, codes) in enumerate(LEGEND):
        table[list(codes)] = index
    return table


def position(name: str) -> tuple[int, int]:
    """Row and column of a tile in the mosaic, in tiles, from its name ``X_Y_...``.

    Examples
    --------
    >>> position("1216_47424_a000c")
    (78, 2)
    """
    x, y = name.split("_")[:2]
    return int(y) // TILE, int(x) // TILE


def are_neighbours(one: str, other: str) -> bool:
    """Whether two tiles touch, at a side or a corner."""
    (row, col), (other_row, other_col) = position(one), position(other)
    return max(abs(row - other_row), abs(col - other_col)) <= 1


def groups_of_neighbours(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Groups of touching tiles: no tile of one group touches a tile of another."""
    left = sorted(names)
    groups = []
    while left:
        group = [left.pop(0)]
        for member in group:  # grows while it is read
            touching = [name for name in left if are_neighbours(member, name)]
            group += touching
            left = [name for name in left if name not in touching]
        groups.append(tuple(sorted(group)))
    return groups


def class_counts(folder: Path, names: Sequence[str]) -> np.ndarray:
    """Labelled pixels of each class in some tiles, (K,)."""
    counts = np.zeros(256, np.int64)
    for name in names:
        counts += np.bincount(read_tile(folder, name).label_map.ravel(), minlength=256)
    return counts[:N_CLASSES]


def code_counts(folder: Path, names: Sequence[str]) -> np.ndarray:
    """Labelled pixels of each of the source's codes 1 to 11 in some tiles, (11,)."""
    counts = np.zeros(256, np.int64)
    for name in names:
        codes = cv2.imread(str(folder / "labels" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
        counts += np.bincount(codes.ravel(), minlength=256)
    return counts[1:12]


def split_tiles(
    folder: Path, *, shares: tuple[float, float, float] = (0.6, 0.18, 0.22), seed: int = 0
) -> Parts:
    """Give every group of neighbours to one part, so that each class is in each part.

    Of many random draws, the one is taken that comes closest to the shares asked for, over all
    of the source's codes: marsh, say, must be in training although it is no class of its own.

    Parameters
    ----------
    folder : Path
        Folder of the tiles.
    shares : tuple of float
        Wanted shares of training, validation and held-out pixels.
    seed : int
        Seed of the draws.

    Returns
    -------
    Parts
        Tile names; no tile touches a tile of another part.
    """
    groups = groups_of_neighbours(tile_names(folder))
    counts = np.array([code_counts(folder, group) for group in groups], np.float64)
    counts /= counts.sum(axis=0)  # share of each code that lies in each group
    rng = np.random.default_rng(seed)
    draws = rng.choice(3, size=(20_000, len(groups)), p=shares)
    reached = np.stack([(draws == part) @ counts for part in range(3)], axis=1)
    distance = np.abs(np.log((reached + 0.02) / np.array(shares)[:, None])).sum(axis=(1, 2))
    best = draws[distance.argmin()]
    return Parts(*(_members(groups, best == part) for part in range(3)))


def _members(groups: Sequence[tuple[str, ...]], chosen: np.ndarray) -> tuple[str, ...]:
    return tuple(
        name for group, take in zip(groups, chosen, strict=True) if take for name in group
    )
