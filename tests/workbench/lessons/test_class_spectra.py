"""Spectra of the classes: of training chips alone, and right where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from rs_workbench.errors import UsageError
from rs_workbench.lessons.class_spectra import (
    choose_bands,
    index_of,
    knows_wavelengths,
    label_by_angle,
    measure_spectra,
    places_of,
    smooth,
    worst_pair,
)
from rs_workbench.lessons.cube_chips import LEGENDS, CubeChips
from rs_workbench.lessons.cube_transform import fit_transform
from rs_workbench.spectra.angles import mean_spectra
from rs_workbench.spectra.cubes import cube_of_array
from rs_workbench.spectra.mnf import fit_mnf
from rs_workbench.spectra.noise import measure_noise
from rs_workbench.spectra.pca import fit_pca
from tests.spectra.drawn import noisy_array, smooth_signal
from tiling.windows import Window

LIBRARY = np.array([[1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1], [1, 6, 1, 6, 1, 6]], float)
NANOMETRES = np.array([560.0, 670, 800, 860, 1240, 1650])
TRAINING = (0, 1, 3)


def pure_chips(noise=0.05, seed=0, wavelengths=NANOMETRES, times=1):
    """Six tiles of 8 px: stripes of three pure spectra, brighter to the right, and noise."""
    library = np.tile(LIBRARY, times)
    rng = np.random.default_rng(seed)
    labels = (np.indices((16, 24))[0] // 2 % 3).astype(np.uint8)
    bright = np.linspace(1, 2, 24)
    values = library[labels].transpose(2, 0, 1) * bright
    values += noise * rng.normal(size=values.shape)
    windows = tuple(Window(r, c, 8, 8) for r in (0, 8) for c in (0, 8, 16))
    cube = cube_of_array(values.astype(np.float32), wavelengths=wavelengths, name="stripes")
    return CubeChips(cube, labels, windows, LEGENDS["enmap_potsdam"][:3], 30.0)


def measured(chips, n_components=6):
    transform = fit_transform(chips, TRAINING, kind="mnf", n_components=n_components)
    return measure_spectra(chips, transform, TRAINING), transform


def test_means_spread_and_noise_are_those_of_the_training_chips():
    chips = pure_chips()
    found, _ = measured(chips)
    labels = found.labels
    assert (labels != 255).sum() == found.training.sum() == 3 * 64
    means = mean_spectra(chips.cube, lambda window: labels[window.slices], 3)
    np.testing.assert_allclose(found.means, means)
    water = chips.cube.array[:, labels == 2].astype(np.float64)
    np.testing.assert_allclose(found.spread[2], water.std(axis=1, ddof=1))
    where = found.training
    noise = measure_noise(chips.cube, where=lambda window: where[window.slices])
    np.testing.assert_allclose(found.noise**2, np.diag(noise.covariance))


def test_what_is_held_out_is_not_looked_at():
    chips = pure_chips()
    before, transform = measured(chips)
    chips.cube.array[:, *chips.windows[5].slices] = 1e6
    after = measure_spectra(chips, transform, TRAINING)
    np.testing.assert_array_equal(before.means, after.means)
    np.testing.assert_array_equal(before.noise, after.noise)


def test_a_class_without_pixels_has_no_mean_and_is_never_found():
    chips = pure_chips()
    chips.labels[chips.labels == 1] = 255
    found, _ = measured(chips)
    assert np.isnan(found.means[1]).all()
    assert set(np.unique(label_by_angle(found, chips.cube.array.astype(float)))) == {0, 2}


def test_pure_spectra_are_found_by_angle_whatever_their_brightness():
    chips = pure_chips(noise=0.01)
    found, _ = measured(chips)
    spectra = LIBRARY.T[:, :, None] * np.array([0.01, 1, 500])
    assert label_by_angle(found, spectra).tolist() == [[0] * 3, [1] * 3, [2] * 3]
    np.testing.assert_array_equal(label_by_angle(found, chips.cube.read().values), chips.labels)
    assert label_by_angle(found, np.full((6, 1, 1), np.nan)).tolist() == [[255]]


def test_bands_that_differ_are_chosen_and_the_closest_pair_is_named():
    rng = np.random.default_rng(1)
    chips = pure_chips()
    shift = np.zeros((3, 6))
    shift[:, 1], shift[:, 4] = (0, 9, 9), (0, 0, 1)
    noise = rng.normal(size=(6, 16, 24))
    chips.cube.array[:] = 10 + shift[chips.labels].transpose(2, 0, 1) + noise
    transform = fit_transform(pure_chips(), TRAINING, kind="pca", n_components=6)
    found = measure_spectra(chips, transform, TRAINING)
    chosen = choose_bands(found, 2)
    assert chosen.bands == (2, 5)
    assert worst_pair(found, chosen.bands) == (1, 2)
    assert len(choose_bands(found, 99).bands) == 6


def test_one_class_alone_gives_no_bands():
    chips = pure_chips()
    chips.labels[chips.labels != 0] = 255
    assert choose_bands(measured(chips)[0], 2) is None


def test_bands_stand_at_wavelengths_or_at_their_numbers():
    known, unknown = pure_chips().cube, pure_chips(wavelengths=None).cube
    assert knows_wavelengths(known)
    assert places_of(known, (3, 1)) == [800, 560]
    assert not knows_wavelengths(unknown)
    assert places_of(unknown, (3, 1)) == [3, 1]


def test_an_index_says_where_it_is_one_of_nothing():
    chips = pure_chips(noise=0)
    chips.cube.array[1, 0, 0] = 0
    chips.cube.array[:, 0, 1] = np.nan
    index, empty = index_of(chips.cube, "ndvi")
    assert index[0, 2] == pytest.approx((3 - 2) / (3 + 2))
    assert index[0, 0] == 1
    assert np.isnan(index[0, 1])
    assert np.argwhere(empty).tolist() == [[0, 0]]
    with pytest.raises(UsageError, match="does not tell the wavelengths"):
        index_of(pure_chips(wavelengths=None).cube, "ndvi")


@pytest.mark.parametrize("fit", [fit_mnf, fit_pca])
def test_all_components_give_the_bands_back_and_few_lose_noise_first(fit):
    clean, noisy = smooth_signal(shape=(16, 24)), noisy_array(shape=(16, 24))
    whole = fit(cube_of_array(noisy))
    np.testing.assert_allclose(smooth(whole, noisy), noisy, atol=1e-9)
    few = smooth(whole.first(3), noisy)
    assert np.abs(few - noisy).max() > 0.1
    assert ((few - clean) ** 2).mean() < 0.9 * ((noisy - clean) ** 2).mean()
