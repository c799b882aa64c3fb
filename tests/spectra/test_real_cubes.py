"""Salinas A and EnMAP over Potsdam: what is known of them is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rs_workbench.spectra.angles import mean_spectra, nearest_reference, spectral_angle
from rs_workbench.spectra.bad_bands import find_bad_bands
from rs_workbench.spectra.band_selection import measure_classes, select_bands
from rs_workbench.spectra.cube import Cube
from rs_workbench.spectra.cubes import open_cube
from rs_workbench.spectra.indices import write_indices
from rs_workbench.spectra.matlab import read_matlab_labels
from rs_workbench.spectra.mnf import components_above_noise, fit_mnf
from rs_workbench.spectra.pca import components_for_share, fit_pca
from rs_workbench.spectra.purity import check_purity
from rs_workbench.spectra.region_growing import grow_regions
from rs_workbench.spectra.superpixels import find_superpixels, spread_labels

pytestmark = pytest.mark.data
CODES = (1, 10, 11, 12, 13, 14)


@pytest.fixture(scope="module")
def salinas(data_folder: Path) -> Cube:
    cube = open_cube(data_folder / "salinas_a" / "salinasA_corrected.mat")
    return cube.with_bands(find_bad_bands(cube).kept)


@pytest.fixture(scope="module")
def salinas_labels(data_folder: Path) -> np.ndarray:
    codes = read_matlab_labels(data_folder / "salinas_a" / "salinasA_gt.mat")
    labels = np.full(codes.shape, 255, np.uint8)
    for index, code in enumerate(CODES):
        labels[codes == code] = index
    return labels


@pytest.fixture(scope="module")
def enmap(data_folder: Path) -> Cube:
    return open_cube(data_folder / "enmap_potsdam" / "images" / "enmap_potsdam_tile_128_128.tif")


def few_of(labels: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Some labelled pixels of each class, drawn."""
    rng = np.random.default_rng(seed)
    seeds = np.full(labels.shape, 255, np.uint8)
    for k in np.unique(labels[labels != 255]):
        places = np.argwhere(labels == k)
        for row, col in rng.choice(places, min(count, len(places)), replace=False):
            seeds[row, col] = k
    return seeds


def test_salinas_bands_beside_the_removed_water_bands_are_noise(salinas: Cube) -> None:
    lost = set(range(1, 205)) - set(salinas.bands)
    assert {107, 108, 147, 148} <= lost
    assert len(lost) < 20


def test_enmap_loses_its_empty_bands_and_those_in_water_vapour(enmap: Cube) -> None:
    choice = find_bad_bands(enmap)
    reasons = {drop.band: drop.reason for drop in choice.dropped}
    assert sorted(reasons) == [130, 131, 132, 133, 134, 135, 164, 165]
    assert all(reasons[band] == "no data in 100% of the pixels" for band in range(130, 136))
    assert reasons[164] == "water vapour absorbs, 1800 to 1950 nm"


@pytest.mark.parametrize("kind", ["shift", "residual"])
def test_mnf_of_salinas_gives_the_scene_back(salinas: Cube, kind) -> None:
    transform = fit_mnf(salinas, noise=kind)
    values = salinas.read().values
    back = transform.invert(transform.apply(values))
    assert np.abs(back - values).max() < 1e-6 * np.abs(values).max()
    assert 5 < components_above_noise(transform.eigenvalues) < salinas.n_bands / 2


def test_two_principal_components_hold_nearly_all_variance_of_salinas(salinas: Cube) -> None:
    assert components_for_share(fit_pca(salinas).eigenvalues, 0.95) <= 2


def test_spectral_angle_tells_the_crops_of_salinas_apart(
    salinas: Cube, salinas_labels: np.ndarray
) -> None:
    few = few_of(salinas_labels, 10)
    references = mean_spectra(salinas, lambda w: few[w.slices], len(CODES))
    mapped = nearest_reference(spectral_angle(salinas.read().values, references))
    assert check_purity(mapped, salinas_labels, len(CODES), seeds=few).overall > 0.6


def test_four_bands_tell_the_crops_of_salinas_apart(
    salinas: Cube, salinas_labels: np.ndarray
) -> None:
    few = few_of(salinas_labels, 30)
    classes = measure_classes(salinas, lambda w: few[w.slices], len(CODES))
    chosen = select_bands(salinas, classes, 4)
    assert len(set(chosen.bands)) == 4
    assert chosen.least[-1] > 1.5


def test_regions_and_superpixels_of_salinas_are_pure(
    salinas: Cube, salinas_labels: np.ndarray
) -> None:
    seeds = few_of(salinas_labels, 5)
    read = salinas.read()
    grown = grow_regions(read.values, read.valid, seeds, max_angle=0.04, max_pixels=150)
    purity = check_purity(grown, salinas_labels, len(CODES), seeds=seeds)
    assert purity.pixels.sum() > 10 * (seeds != 255).sum()
    assert purity.overall > 0.97
    components = fit_mnf(salinas).first(5).apply(read.values)
    spread = spread_labels(find_superpixels(components, read.valid, size=25), seeds)
    purity = check_purity(spread.labels, salinas_labels, len(CODES), seeds=seeds)
    assert purity.overall > 0.97


def test_trees_of_potsdam_are_greener_than_water(
    enmap: Cube, data_folder: Path, tmp_path: Path
) -> None:
    labels = open_cube(
        data_folder / "enmap_potsdam" / "labels" / "enmap_potsdam_tile_128_128.tif"
    ).read()
    good = enmap.with_bands(find_bad_bands(enmap).kept)
    ndvi = open_cube(write_indices(good, tmp_path / "i.tif", ["ndvi", "ndwi"])).read().values
    names = {1: "roof", 2: "pavement", 3: "low vegetation", 4: "tree"}
    by_class = {c: np.nanmean(ndvi[0][labels.values[0] == c]) for c in names}
    assert by_class[4] > by_class[3] > max(by_class[1], by_class[2])
    assert by_class[4] > 0.6
