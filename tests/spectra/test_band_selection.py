"""Bands that tell classes apart are chosen, and only training pixels are looked at."""

from __future__ import annotations

import numpy as np
import pytest

from rs_workbench.errors import UsageError
from rs_workbench.spectra.band_selection import (
    jeffries_matusita,
    measure_classes,
    select_bands,
)
from rs_workbench.spectra.cubes import cube_of_array
from rs_workbench.spectra.moments import Moments, spectra_moments

SHAPE = (30, 40)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Eight bands of noise; 4 tells class 0 from the rest, 5 is its copy, 7 tells 1 from 2."""
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1, 2], [14, 13, 13]).astype(np.uint8) + np.zeros((30, 1), np.uint8)
    array = rng.normal(size=(8, *SHAPE))
    array[3] += 5 * (labels == 0)
    array[4] = array[3] + 0.05 * rng.normal(size=SHAPE)
    array[6] += 4 * (labels == 1)
    return array, labels


def classes_of(array: np.ndarray, labels: np.ndarray, **kw) -> tuple[Moments, ...]:
    return measure_classes(cube_of_array(array), lambda w: labels[w.slices], 3, **kw)


def test_informative_bands_come_first_and_a_copy_is_not_chosen_beside_its_original() -> None:
    array, labels = scene()
    chosen = select_bands(cube_of_array(array), classes_of(array, labels), 2)
    assert chosen.bands[0] in (4, 5)
    assert chosen.bands[1] == 7
    assert chosen.least[0] < 0.2 < 1.5 < chosen.least[1]


def test_more_bands_never_tell_worse_apart() -> None:
    array, labels = scene()
    chosen = select_bands(cube_of_array(array), classes_of(array, labels), 8)
    assert sorted(chosen.bands) == list(range(1, 9))
    assert (np.diff(chosen.separability) > -1e-9).all()
    assert (chosen.separability <= 2).all()


def test_pixels_without_a_label_do_not_count() -> None:
    array, labels = scene()
    labels[15:] = 255
    spoilt = array.copy()
    spoilt[:, 15:] = 1e6
    cube = cube_of_array(array)
    one, other = (select_bands(cube, classes_of(a, labels), 3) for a in (array, spoilt))
    assert one.bands == other.bands
    np.testing.assert_array_equal(one.separability, other.separability)


@pytest.mark.parametrize("side", [1, 7])
def test_windows_do_not_matter(side: int) -> None:
    array, labels = scene()
    for one, other in zip(
        classes_of(array, labels), classes_of(array, labels, side=side), strict=True
    ):
        assert one.count == other.count
        np.testing.assert_allclose(one.scatter, other.scatter, rtol=1e-9, atol=1e-9)


def test_distance_is_that_of_two_normal_distributions() -> None:
    one = Moments(2, np.array([0.0, 0.0]), np.array([[1.0, 0.2], [0.2, 1.0]]))
    other = Moments(2, np.array([1.0, 0.5]), np.array([[2.0, 0.0], [0.0, 0.5]]))
    middle = (one.covariance + other.covariance) / 2
    apart = one.mean - other.mean
    far = apart @ np.linalg.inv(middle) @ apart / 8
    volume = np.linalg.det(middle) / np.sqrt(
        np.linalg.det(one.covariance) * np.linalg.det(other.covariance)
    )
    wanted = 2 * (1 - np.exp(-far - np.log(volume) / 2))
    assert jeffries_matusita(one, other) == pytest.approx(wanted, rel=1e-2)  # shrinkage
    assert jeffries_matusita(one, other) == jeffries_matusita(other, one)


def test_fewer_pixels_than_bands_are_enough() -> None:
    rng = np.random.default_rng(0)
    classes = tuple(spectra_moments(rng.normal(size=(4, 8)) + 9 * k) for k in range(2))
    chosen = select_bands(cube_of_array(rng.normal(size=(8, 3, 3))), classes, 8)
    assert np.isfinite(chosen.separability).all()


def test_mistakes_are_told() -> None:
    array, labels = scene()
    cube = cube_of_array(array)
    with pytest.raises(UsageError, match="has 8 bands: 9 cannot be chosen"):
        select_bands(cube, classes_of(array, labels), 9)
    labels[labels == 1] = 2
    labels[labels == 0] = 255
    with pytest.raises(UsageError, match=r"two classes need 3 .* got 0, 0, 780 pixels"):
        select_bands(cube, classes_of(array, labels), 2)
    labels[0, 0] = 7
    with pytest.raises(UsageError, match=r"class indexes 0 to 2, .* got 7"):
        classes_of(array, labels)
