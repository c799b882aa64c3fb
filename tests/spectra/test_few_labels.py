"""Samples from few labels: regions, superpixels, and whether they are pure."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import label

from rs_workbench.errors import UsageError
from rs_workbench.spectra.angles import spectral_angle
from rs_workbench.spectra.cubes import cube_of_array
from rs_workbench.spectra.pca import fit_pca
from rs_workbench.spectra.purity import check_purity, check_spectra
from rs_workbench.spectra.region_growing import grow_regions
from rs_workbench.spectra.superpixels import find_superpixels, spread_labels

SHAPE = (24, 36)


def fields(noise: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    """Six square fields of three kinds, with different brightness; spectra of five bands."""
    rng = np.random.default_rng(0)
    rows, cols = np.indices(SHAPE) // 12
    truth = ((rows + cols) % 3).astype(np.uint8)
    library = np.array([[1, 2, 3, 4, 5], [5, 4, 3, 2, 1], [1, 5, 1, 5, 1]], float)
    bright = 1 + 0.3 * rows
    values = library[truth].transpose(2, 0, 1) * bright
    return values + noise * rng.normal(size=values.shape), truth


def some_seeds(truth: np.ndarray) -> np.ndarray:
    seeds = np.full(truth.shape, 255, np.uint8)
    seeds[6::12, 6::12] = truth[6::12, 6::12]
    return seeds


ALL = np.ones(SHAPE, np.bool_)


def test_regions_fill_their_fields_and_nothing_else() -> None:
    values, truth = fields()
    grown = grow_regions(values, ALL, some_seeds(truth), max_angle=0.1, max_pixels=1000)
    np.testing.assert_array_equal(grown, truth)


def test_regions_keep_to_their_size_are_connected_and_hold_their_seed() -> None:
    values, truth = fields()
    seeds = some_seeds(truth)
    grown = grow_regions(values, ALL, seeds, max_angle=0.1, max_pixels=20)
    for k in range(3):
        patches, count = label(grown == k)
        assert count == (seeds == k).sum()
        assert np.bincount(patches.ravel())[1:].max() <= 20
    assert (grown[seeds != 255] == seeds[seeds != 255]).all()


@pytest.mark.parametrize("max_angle", [0.003, 0.006, 0.02])
def test_no_pixel_is_farther_than_the_angle_from_its_seed(max_angle: float) -> None:
    values, truth = fields(noise=0.03)
    seeds = np.full(SHAPE, 255, np.uint8)
    seeds[6, 6] = truth[6, 6]
    grown = grow_regions(values, ALL, seeds, max_angle=max_angle, max_pixels=1000)
    angles = spectral_angle(values, values[:, 6, 6])
    assert (angles[grown != 255] <= max_angle).all()
    grown_more = grow_regions(values, ALL, seeds, max_angle=2 * max_angle, max_pixels=1000)
    assert ((grown != 255) <= (grown_more != 255)).all()


def test_a_gradient_does_not_carry_a_region_away() -> None:
    tilt = np.linspace(0, 1, 100)
    values = np.stack([np.cos(tilt), np.sin(tilt)])[:, None]
    seeds = np.full((1, 100), 255, np.uint8)
    seeds[0, 0] = 0
    grown = grow_regions(values, np.ones((1, 100), np.bool_), seeds, max_angle=0.2)
    assert (grown == 0).sum() == pytest.approx(20, abs=1)


def test_a_pixel_goes_to_the_seed_it_is_more_like() -> None:
    tilt = np.linspace(0, 1, 101)
    values = np.stack([np.cos(tilt), np.sin(tilt)])[:, None]
    seeds = np.full((1, 101), 255, np.uint8)
    seeds[0, 0], seeds[0, 100] = 3, 1
    grown = grow_regions(values, np.ones((1, 101), np.bool_), seeds, max_angle=1)[0]
    assert (grown[:50] == 3).all()
    assert (grown[51:] == 1).all()


def test_regions_stop_at_nodata_and_zero_spectra() -> None:
    values, truth = fields()
    valid = ALL.copy()
    valid[:, 4] = False
    values[:, 9, :] = 0
    seeds = np.full(SHAPE, 255, np.uint8)
    seeds[6, 6] = truth[6, 6]
    grown = grow_regions(values, valid, seeds, max_angle=0.1, max_pixels=1000)
    assert (grown[:, :5] == 255).all()
    assert (grown[9:] == 255).all()
    assert (grown[:9, 5:12] == truth[6, 6]).all()


def test_growing_mistakes_are_told() -> None:
    values, truth = fields()
    with pytest.raises(UsageError, match=r"must be of one size: got \(24, 36\), \(24, 36\)"):
        grow_regions(values, ALL, truth[1:])
    with pytest.raises(UsageError, match=r"at most pi \(radians\) .* got 10 and 200"):
        grow_regions(values, ALL, truth, max_angle=10)
    with pytest.raises(UsageError, match="no seed lies on a valid pixel"):
        grow_regions(values, ~ALL, truth)


# Superpixels


@pytest.mark.parametrize("holes", [False, True])
def test_superpixels_are_connected_cover_all_data_and_keep_to_fields(holes: bool) -> None:
    values, truth = fields()
    valid = ALL.copy()
    if holes:
        valid[:3, :5] = False
        valid[10, 20] = False
    cube = cube_of_array(values, valid=valid)
    components = fit_pca(cube).first(2).apply(values)
    segments = find_superpixels(np.where(valid, components, np.nan), valid, size=30)
    assert ((segments == -1) == ~valid).all()
    for number in range(segments.max() + 1):
        assert label(segments == number)[1] == 1
        assert len(np.unique(truth[segments == number])) == 1
    sizes = np.bincount(segments[valid])
    assert 10 < np.median(sizes) < 90


def test_spread_labels_fill_segments_and_refuse_mixed_ones() -> None:
    segments = np.array([[0, 0, 0, 1, 1, 2, -1]], np.int32)
    labels = np.array([[5, 5, 3, 255, 7, 255, 1]], np.uint8)
    strict = spread_labels(segments, labels)
    assert strict.labels.tolist() == [[255, 255, 255, 7, 7, 255, 255]]
    assert (strict.n_labelled, strict.n_mixed) == (1, 1)
    most = spread_labels(segments, labels, least_share=0.6)
    assert most.labels.tolist() == [[5, 5, 5, 7, 7, 255, 255]]


def test_superpixel_mistakes_are_told() -> None:
    with pytest.raises(UsageError, match="0 valid"):
        find_superpixels(np.ones((2, 3, 4)), np.zeros((3, 4), np.bool_))
    with pytest.raises(UsageError, match=r"at least 1 px .* got 0"):
        find_superpixels(np.ones((2, 3, 4)), np.ones((3, 4), np.bool_), size=0)
    with pytest.raises(UsageError, match=r"share above 0\.5 .* 0\.5"):
        spread_labels(np.zeros((1, 2), np.int32), np.zeros((1, 2), np.uint8), least_share=0.5)


# Purity


def test_purity_counts_what_was_made_and_leaves_the_seeds_out() -> None:
    made = np.array([[0, 0, 0, 1, 255]], np.uint8)
    reference = np.array([[0, 0, 1, 1, 1]], np.uint8)
    seeds = np.array([[0, 255, 255, 255, 255]], np.uint8)
    assert check_purity(made, reference, 2).shares.tolist() == [2 / 3, 1]
    without = check_purity(made, reference, 3, seeds=seeds)
    assert without.shares[:2].tolist() == [0.5, 1]
    assert np.isnan(without.shares[2])
    assert without.overall == pytest.approx(2 / 3)


def test_wrong_labels_show_in_their_spectra() -> None:
    values, truth = fields()
    assert check_spectra(values, truth, 3).overall == 1
    mixed = truth.copy()
    mixed[2:5, 2:5] = (mixed[2:5, 2:5] + 1) % 3
    purity = check_spectra(values, mixed, 3)
    assert purity.overall == pytest.approx(1 - 9 / truth.size)
    with pytest.raises(UsageError, match="at least two classes must have a pixel: got 1"):
        check_spectra(values, np.zeros_like(truth), 3)
