"""Drawn data have the properties that their docstrings claim."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from rs_workbench.errors import UsageError
from rs_workbench.standin_digits import PIECES, digit_line
from rs_workbench.standin_spectra import NODATA
from rs_workbench.standins import (
    LAND_CLASSES,
    SPECTRA_CLASSES,
    draw_digits,
    draw_ice,
    draw_land,
    draw_spectra,
    spectral_library,
)

DRAWERS: dict[str, Callable[..., Any]] = {
    "ice": lambda seed: draw_ice(80, 120, seed=seed),
    "land": lambda seed: draw_land(80, 120, seed=seed),
    "spectra": lambda seed: draw_spectra(20, 30, n_bands=40, seed=seed),
    "digits": lambda seed: draw_digits(20, seed=seed),
}


def digest(arrays: Any) -> str:
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.shape}{array.dtype}".encode() + array.tobytes())
    return total.hexdigest()


@pytest.mark.parametrize("kind", DRAWERS)
def test_one_seed_gives_the_same_bytes_another_other_ones(kind: str) -> None:
    first = DRAWERS[kind](3)
    assert digest(first) == digest(DRAWERS[kind](3))
    assert digest(first) != digest(DRAWERS[kind](4))
    assert all(np.isfinite(array).all() for array in first)


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: draw_ice(8, 300), "at least 16 x 16 px: got 8 x 300"),
        (lambda: draw_ice(concentration=1.5), "a share, 0 to 1: got 1.5"),
        (lambda: draw_land(512, 63), "at least 64 x 64 px: got 512 x 63"),
        (lambda: draw_spectra(20, 20, n_bands=7), "8 bands: got 20 x 20 px and 7"),
        (lambda: draw_digits(0), "how many digits are to be drawn\\? got 0"),
    ],
)
def test_too_little_is_refused(draw: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        draw()


# Ice


def best_threshold(grey: np.ndarray, ice: np.ndarray) -> tuple[int, float]:
    right = [np.count_nonzero((grey > t) == ice) / ice.size for t in range(256)]
    return int(np.argmax(right)), max(right)


def test_one_threshold_gets_most_of_the_ice_but_not_all() -> None:
    scenes = [draw_ice(seed=seed) for seed in range(24)]
    grey = np.stack([scene.image.mean(axis=0) for scene in scenes])
    ice = np.stack([scene.label_map for scene in scenes]) == 1
    threshold, right = best_threshold(grey[:16], ice[:16])
    assert 0.90 < right < 0.96
    # the real tiles: 0.941 with a threshold of 70 found on others
    assert 0.88 < np.mean((grey[16:] > threshold) == ice[16:]) < 0.97
    assert 45 < threshold < 90
    # and their mean grey: ice 119, water 35
    assert 100 < grey[ice].mean() < 140
    assert 25 < grey[~ice].mean() < 50


def test_ice_and_water_are_both_in_every_scene() -> None:
    shares = [draw_ice(seed=seed).label_map.mean() for seed in range(24)]
    assert 0.05 < min(shares) < 0.3
    assert 0.6 < max(shares) < 0.95
    assert 0.35 < np.mean(shares) < 0.55


@pytest.mark.parametrize("wanted", [0.2, 0.5, 0.7])
def test_concentration_is_about_what_was_asked_for(wanted: float) -> None:
    got = np.mean([draw_ice(seed=s, concentration=wanted).label_map.mean() for s in range(12)])
    assert got == pytest.approx(wanted, abs=0.1)


def test_no_floes_leave_water_with_hardly_any_ice() -> None:
    assert draw_ice(seed=1, concentration=0).label_map.mean() < 0.06
    assert draw_ice(seed=1, concentration=1).label_map.mean() > 0.85


def test_there_are_many_more_small_floes_than_large_ones() -> None:
    sizes = []
    for seed in range(8):
        labels = draw_ice(512, 512, seed=seed, concentration=0.25).label_map
        _, _, stats, _ = cv2.connectedComponentsWithStats(labels, connectivity=4)
        sizes += stats[1:, cv2.CC_STAT_AREA].tolist()
    radii = np.sqrt(np.array(sizes) / np.pi)
    counts = [np.count_nonzero(radii > r) for r in (4, 8, 16)]
    exponents = -np.diff(np.log(counts)) / np.log(2)
    assert counts[2] >= 20
    assert (exponents > 0.9).all()
    assert (exponents < 2.6).all()


# Land


@pytest.fixture(scope="module")
def lands() -> list[Any]:
    return [draw_land(384, 448, seed=seed) for seed in range(6)]


def test_every_class_of_land_is_there_and_none_prevails(lands: list[Any]) -> None:
    values = np.concatenate([land.label_map.ravel() for land in lands])
    shares = np.bincount(values, minlength=len(LAND_CLASSES)) / values.size
    assert len(shares) == 7
    assert (shares > 0.01).all()
    assert shares.max() < 0.4
    assert all(land.image.shape == (3, 384, 448) and land.image.min() > 0 for land in lands)


def test_land_has_neighbours(lands: list[Any]) -> None:
    for land in lands:
        labels = land.label_map
        assert np.mean(labels[:, 1:] == labels[:, :-1]) > 0.95
        assert np.mean(labels[:, 100:] == labels[:, :-100]) < 0.5
        sand_or_water = cv2.dilate(np.uint8(labels == 0), np.ones((5, 5), np.uint8)) > 0
        shore = labels[sand_or_water & (labels != 0)]
        assert np.mean(shore == 1) > 0.4  # beside water lies sand


def test_elevation_says_something_and_colour_does_not_say_all(lands: list[Any]) -> None:
    heights = [land.elevation[land.label_map == k].mean() for land in lands for k in (0, 1, 3)]
    assert all(w < s < f for w, s, f in np.reshape(heights, (-1, 3)))
    values = np.concatenate([land.label_map.ravel() for land in lands])
    colors = np.concatenate([land.image.reshape(3, -1).T for land in lands]).astype(float)
    train = np.arange(values.size) < values.size // 2
    means = np.stack([colors[train & (values == k)].mean(axis=0) for k in range(7)])
    nearest = np.stack([((colors[~train] - m) ** 2).sum(axis=1) for m in means]).argmin(axis=0)
    assert 0.4 < np.mean(nearest == values[~train]) < 0.75


# Spectra


def test_spectra_are_mixtures_of_the_library() -> None:
    scene = draw_spectra(96, 96, seed=0)
    assert scene.cube.shape == (224, 96, 96)
    assert scene.shares.sum(axis=0) == pytest.approx(np.ones((96, 96)), abs=1e-5)
    assert (scene.cover == scene.shares.argmax(axis=0) + 1).all()
    good = scene.good_bands
    mixed = np.einsum("cb,chw->bhw", scene.library[:, good], scene.shares) * 10_000
    angle = (mixed * scene.cube[good]).sum(axis=0) / np.sqrt(
        (mixed**2).sum(axis=0) * (scene.cube[good] ** 2).sum(axis=0)
    )
    assert np.quantile(np.degrees(np.arccos(angle.clip(-1, 1))), 0.9) < 25
    assert np.median(scene.shares.max(axis=0)) < 0.99  # many pixels are mixed


def test_bad_bands_are_bad_and_some_have_no_data() -> None:
    scene = draw_spectra(64, 64, seed=0)
    lost = (scene.cube == NODATA).all(axis=(1, 2))
    assert (scene.cube == NODATA).any(axis=(1, 2)).sum() == lost.sum() >= 3
    assert not (lost & scene.good_bands).any()
    rough = np.abs(np.diff(scene.cube, axis=2)).mean(axis=(1, 2))
    assert rough[~scene.good_bands & ~lost].min() > 1.5 * np.quantile(rough[scene.good_bands], 0.9)
    assert scene.good_bands.mean() > 0.8


def test_the_library_has_the_features_one_looks_for() -> None:
    nm = np.arange(420.0, 2450, 5)
    library = spectral_library(nm)
    at = {
        name: library[:, np.abs(nm - value).argmin()]
        for name, value in {
            "green": 550,
            "red": 670,
            "nir": 850,
            "wet": 1940,
            "swir": 1650,
            "clay": 2205,
            "beside": 2120,
        }.items()
    }
    roof, pavement, grass, tree, soil, water = range(6)
    ndvi = (at["nir"] - at["red"]) / (at["nir"] + at["red"])
    assert ndvi[[grass, tree]].min() > 0.7 > 0.5 > ndvi[[roof, pavement, soil, water]].max()
    assert ndvi[water] < 0
    assert (at["green"] > at["red"])[[grass, tree, water]].all()
    assert (at["wet"] < 0.5 * at["swir"])[[grass, tree]].all()
    assert at["clay"][soil] < at["beside"][soil]
    assert library.min() >= 0.005
    assert library.max() < 0.7


def test_few_pixels_are_labelled_and_rightly() -> None:
    scenes = [draw_spectra(96, 96, n_bands=20, seed=seed) for seed in range(4)]
    labels = np.stack([scene.label_map for scene in scenes])
    cover = np.stack([scene.cover for scene in scenes])
    assert 0.2 < np.mean(labels > 0) < 0.6
    assert (labels[labels > 0] == cover[labels > 0]).all()
    shares = np.bincount(labels.ravel(), minlength=7)[1:] / np.count_nonzero(labels)
    assert len(SPECTRA_CLASSES) == len(shares) == 6
    assert 0 < shares.min() < 0.06  # a rare class
    assert shares.max() < 0.5


# Digits


def test_digits_look_like_those_of_mnist() -> None:
    digits = draw_digits(2000, seed=0)
    assert digits.images.shape == (2000, 28, 28)
    assert np.bincount(digits.labels, minlength=10).min() > 150
    grey = digits.images / 255
    assert grey.mean() == pytest.approx(0.131, abs=0.03)  # MNIST, training images
    assert grey.std() == pytest.approx(0.308, abs=0.05)
    rim = np.concatenate([digits.images[:, [0, -1]].ravel(), digits.images[:, :, [0, -1]].ravel()])
    assert np.mean(rim > 0) < 0.02
    assert (digits.images.reshape(2000, -1).max(axis=1) > 150).all()


def test_digits_can_be_told_apart_but_not_by_their_means() -> None:
    digits = draw_digits(4000, seed=1)
    flat = digits.images.reshape(4000, -1) / 255
    train, test = slice(0, 3000), slice(3000, None)
    means = np.stack([flat[train][digits.labels[train] == d].mean(axis=0) for d in range(10)])
    nearest = ((flat[test, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert 0.7 < np.mean(nearest == digits.labels[test]) < 0.92  # 0.82 on MNIST
    near, far = flat[:1500], flat[test]
    apart = (near**2).sum(axis=1) - 2 * far @ near.T
    assert np.mean(digits.labels[apart.argmin(axis=1)] == digits.labels[test]) > 0.9


@pytest.mark.parametrize("way", [0, 1])
@pytest.mark.parametrize("digit", range(10))
def test_each_digit_is_a_line_of_even_steps(digit: int, way: int) -> None:
    line = digit_line(digit, way)
    assert line.shape == (PIECES + 1, 2)
    drawn = line[~np.isnan(line[:, 0])]
    assert drawn.min() > -0.01
    assert drawn.max() < 1.01
    steps = np.hypot(*np.diff(line, axis=0).T)
    assert np.nanmax(steps) < 3 * np.nanmedian(steps)
