"""Small labelled scenes for tests: bands that tell the class, labels of three classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine

from rs_workbench.training.settings import TrainSettings
from tests.tiling.labels import patchy
from tests.workbench.rasters import NORTH_UP, write_tif

VALUES = (3, 7, 20)
"""Values of the classes in label files; 0 is unlabelled."""
CLASSES = (
    {"value": 3, "name": "water"},
    {"value": 7, "name": "ice", "color": "#eeeeee"},
    {"value": 20, "name": "land"},
)


def moved(row: float, col: float, scale: float = 1.0) -> Affine:
    """The grid of `NORTH_UP`, begun at another pixel, perhaps with other pixels."""
    t = NORTH_UP
    return Affine(t.a * scale, 0, t.c + t.a * col, 0, t.e * scale, t.f + t.e * row)


def draw(
    shape: tuple[int, int], *, seed: int = 0, patch: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Image (2, H, W) uint16 and labels (H, W) uint8 with the values of the classes."""
    indexes = patchy(shape, 3, seed=seed, patch=patch)
    rng = np.random.default_rng(seed)
    level = np.where(indexes == 255, 1, indexes).astype(int)
    noise = rng.integers(0, 100, (2, *shape))
    image = np.stack([1000 + 300 * level, 4000 - 500 * level]) + noise
    table = np.zeros(256, np.uint8)
    table[:3] = VALUES
    return image.astype(np.uint16), table[indexes]


def write_pair(
    folder: Path,
    name: str = "a",
    shape: tuple[int, int] = (96, 128),
    *,
    seed: int = 0,
    at: tuple[int, int] | None = (0, 0),
    **profile: Any,
) -> tuple[str, str]:
    """Write a scene and its labels; `at` is the row and column of its first pixel in one grid."""
    image, labels = draw(shape, seed=seed)
    place: dict[str, Any] = {"crs": None, "transform": None}
    if at is not None:
        place = {"transform": moved(*at)}
    for kind in ("scenes", "labels"):
        (folder / kind).mkdir(exist_ok=True, parents=True)
    scene = write_tif(folder / "scenes" / f"{name}.tif", image, **{**place, **profile})
    return scene, write_tif(folder / "labels" / f"{name}.tif", labels[None], **place)


def settings_for(scenes: Any, labels: Any, **changes: Any) -> TrainSettings:
    """Settings of a small run."""
    given = {
        "tile": 16,
        "chips": 12,
        "batch": 4,
        "unlabelled": (0,),
        "classes": CLASSES,
        **changes,
    }
    scenes, labels = ([one] if isinstance(one, str) else list(one) for one in (scenes, labels))
    return TrainSettings(scenes=scenes, labels=labels, **given)


def folder_settings(folder: Path, **changes: Any) -> TrainSettings:
    """Settings for what `write_pair` has put into a folder."""
    return settings_for(str(folder / "scenes"), str(folder / "labels"), **changes)
