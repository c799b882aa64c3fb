"""Training chips drawn from tiles: where classes are rare, more often; then varied.

NumPy and OpenCV only: the same chips serve any framework.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from torch_cases.dunes.tiles import IGNORED, Tile


class Places(NamedTuple):
    """Labelled pixels of one class: tile index, row and column, each (n,)."""

    tile: np.ndarray
    row: np.ndarray
    col: np.ndarray


def places_by_class(tiles: Sequence[Tile], n_classes: int, *, step: int = 4) -> list[Places]:
    """List every `step`-th labelled pixel of each class."""
    thinned = np.stack([tile.label_map[::step, ::step] for tile in tiles])
    return [
        Places(*(where * factor for where, factor in zip(found, (1, step, step), strict=True)))
        for found in (np.nonzero(thinned == index) for index in range(n_classes))
    ]


def class_chances(places: Sequence[Places], *, power: float = 0.5) -> np.ndarray:
    """Chance of each class to be a chip's centre, (K,); power 1 is its share, 0 is uniform."""
    counts = np.array([len(found.tile) for found in places], np.float64)
    return counts**power / (counts**power).sum()


def draw_chips(
    tiles: Sequence[Tile], places: Sequence[Places], n_chips: int, *, side: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw chips around random labelled pixels and vary each of them.

    Parameters
    ----------
    tiles : sequence of Tile
        Tiles of the training part.
    places : sequence of Places
        Result of `places_by_class` for these tiles.
    n_chips : int
        Number of chips.
    side : int
        Height and width of a chip, px.
    seed : int
        Seed of the draw; another for each epoch.

    Returns
    -------
    images : ndarray of float32, shape (N, B, side, side)
        Pixels in the tiles' units, varied in brightness and contrast.
    label_maps : ndarray of uint8, shape (N, side, side)
        Classes, IGNORED where there is no data.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(places), size=n_chips, p=class_chances(places))
    chips = [_one_chip(tiles, places[index], side, rng) for index in chosen]
    images, label_maps = zip(*chips, strict=True)
    return np.stack(images), np.stack(label_maps)


def _one_chip(
    tiles: Sequence[Tile], places: Places, side: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    at = rng.integers(len(places.tile))
    tile = tiles[places.tile[at]]
    cut = round(side * np.exp(rng.uniform(-0.3, 0.3)))  # px; scaled by 0.74 to 1.35
    row = _origin(places.row[at], cut, tile.label_map.shape[0], rng)
    col = _origin(places.col[at], cut, tile.label_map.shape[1], rng)
    image = tile.image[:, row : row + cut, col : col + cut].transpose(1, 2, 0)
    label_map = tile.label_map[row : row + cut, col : col + cut]
    image = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    label_map = cv2.resize(label_map, (side, side), interpolation=cv2.INTER_NEAREST)
    return turn(vary_light(image.transpose(2, 0, 1), rng), label_map, rng)


def _origin(place: int, cut: int, size: int, rng: np.random.Generator) -> int:
    """Origin of a cut that holds the place, anywhere in it but its outer eighth."""
    wanted = place - int(rng.integers(cut // 8, cut - cut // 8))
    return int(np.clip(wanted, 0, size - cut))


def vary_light(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change brightness and contrast, a little differently in each band; (B, H, W)."""
    n_bands = image.shape[0]
    contrast = np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.05, n_bands))
    brightness = rng.normal(0, 8) + rng.normal(0, 3, n_bands)  # grey levels of 8 bits
    varied = image * contrast[:, None, None] + brightness[:, None, None]
    return np.clip(varied, 0, 255).astype(np.float32)


def turn(
    image: np.ndarray, label_map: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Turn by a random number of quarters and mirror every other time."""
    quarters = int(rng.integers(4))
    image, label_map = np.rot90(image, quarters, (1, 2)), np.rot90(label_map, quarters)
    if rng.integers(2):
        image, label_map = image[..., ::-1], label_map[..., ::-1]
    return np.ascontiguousarray(image), np.ascontiguousarray(label_map)


def scale_bands(
    image: np.ndarray, label_map: np.ndarray, mean: np.ndarray, std: np.ndarray
) -> np.ndarray:
    """Scale each band to ``(value - mean) / std`` and put 0 where there is no data.

    Parameters
    ----------
    image : ndarray, shape (..., B, H, W)
        Pixels in scene units.
    label_map : ndarray of uint8, shape (..., H, W)
        IGNORED where there is no data.
    mean, std : ndarray, shape (B,)
        Statistics of the training pixels.

    Returns
    -------
    ndarray of float32, shape (..., B, H, W)
        What the network sees.
    """
    scaled = (image.astype(np.float32) - mean[:, None, None]) / std[:, None, None]
    return np.where(label_map[..., None, :, :] == IGNORED, 0, scaled).astype(np.float32)
