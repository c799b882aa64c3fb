"""PCA and MNF against dense NumPy, and what must hold for any cube."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import eigh

from rs_workbench.errors import OutputError, SceneError, UsageError
from rs_workbench.spectra.cubes import cube_of_array, open_cube
from rs_workbench.spectra.mnf import components_above_noise, fit_mnf
from rs_workbench.spectra.moments import measure_moments
from rs_workbench.spectra.noise import measure_noise
from rs_workbench.spectra.pca import components_for_share, fit_pca
from rs_workbench.spectra.scenes import transform_scene
from rs_workbench.spectra.transform import LinearTransform
from rs_workbench.spectra.transform_file import load_transform, save_transform
from tests.spectra.drawn import cube_with_gaps, noisy_array, smooth_signal, write_scene_with_gaps

FITS = {"pca": fit_pca, "mnf": fit_mnf}


def dense_noise(array: np.ndarray, valid: np.ndarray, kind: str) -> np.ndarray:
    """Noise by a loop over pixels, which nobody can misread."""
    found = []
    height, width = valid.shape
    for r in range(height):
        for c in range(width):
            if kind == "shift":
                for nr, nc in ((r, c + 1), (r + 1, c)):
                    if nr < height and nc < width and valid[r, c] and valid[nr, nc]:
                        found.append((array[:, r, c] - array[:, nr, nc]) / np.sqrt(2))
            elif 0 < r < height - 1 and 0 < c < width - 1:
                around = [(r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)]
                if valid[r, c] and all(valid[p] for p in around):
                    mean = np.mean([array[:, *p] for p in around], axis=0)
                    found.append((array[:, r, c] - mean) / np.sqrt(1.25))
    spread = np.array(found)
    return spread.T @ spread / len(spread)


@pytest.mark.parametrize("side", [5, 16, None])
def test_moments_are_those_of_numpy(side: int | None) -> None:
    cube, array, valid = cube_with_gaps()
    moments = measure_moments(cube, side=side)
    assert moments.count == valid.sum()
    np.testing.assert_allclose(moments.mean, array[:, valid].mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(array[:, valid]), rtol=1e-9, atol=1e-12)


def test_moments_keep_their_digits_far_from_zero() -> None:
    array = noisy_array()
    far = measure_moments(cube_of_array(array + 1e7), side=4).covariance
    near = measure_moments(cube_of_array(array), side=4).covariance
    np.testing.assert_allclose(far, near, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", ["shift", "residual"])
@pytest.mark.parametrize("side", [1, 5, 16, None])
def test_noise_is_that_of_a_plain_loop(kind, side: int | None) -> None:
    cube, array, valid = cube_with_gaps()
    noise = measure_noise(cube, kind=kind, side=side)
    np.testing.assert_allclose(noise.covariance, dense_noise(array, valid, kind), rtol=1e-10)


@pytest.mark.parametrize("kind", ["shift", "residual"])
def test_noise_of_white_noise_is_found_whatever_lies_under_it(kind) -> None:
    rng = np.random.default_rng(0)
    std = np.array([0.02, 0.1, 0.05])
    signal = smooth_signal(3, (200, 200))
    cube = cube_of_array(signal + std[:, None, None] * rng.normal(size=signal.shape))
    found = np.sqrt(np.diag(measure_noise(cube, kind=kind).covariance))
    np.testing.assert_allclose(found, std, rtol=0.08)


def test_mnf_is_the_generalised_eigenproblem() -> None:
    cube, array, valid = cube_with_gaps()
    noise = dense_noise(array, valid, "shift")
    values, vectors = eigh(np.cov(array[:, valid]), noise)
    transform = fit_mnf(cube)
    np.testing.assert_allclose(transform.eigenvalues, values[::-1], rtol=1e-9)
    np.testing.assert_allclose(
        np.abs(transform.forward), np.abs(vectors[:, ::-1].T), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("kind", ["shift", "residual"])
def test_mnf_makes_noise_white_and_orders_by_signal_to_noise(kind) -> None:
    cube, array, valid = cube_with_gaps()
    transform = fit_mnf(cube, noise=kind)
    components = cube_of_array(np.where(valid, transform.apply(array), np.nan))
    noise = measure_noise(components, kind=kind).covariance
    np.testing.assert_allclose(noise, np.eye(6), atol=1e-9)
    signal = measure_moments(components).covariance
    np.testing.assert_allclose(signal, np.diag(transform.eigenvalues), atol=1e-8)
    assert (np.diff(transform.eigenvalues) <= 0).all()


def test_pca_is_uncorrelated_and_orthogonal() -> None:
    cube, array, valid = cube_with_gaps()
    transform = fit_pca(cube)
    covariance = np.cov(transform.apply(array)[:, valid])
    np.testing.assert_allclose(covariance, np.diag(transform.eigenvalues), atol=1e-10)
    np.testing.assert_allclose(transform.forward @ transform.forward.T, np.eye(6), atol=1e-12)
    values = np.linalg.eigvalsh(np.cov(array[:, valid]))[::-1]
    np.testing.assert_allclose(transform.eigenvalues, values, rtol=1e-9)


@pytest.mark.parametrize("kind", FITS)
def test_all_components_give_the_bands_back(kind: str) -> None:
    cube, array, _ = cube_with_gaps()
    transform = FITS[kind](cube)
    np.testing.assert_allclose(transform.invert(transform.apply(array)), array, atol=1e-9)


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize("side", [1, 7, 16])
def test_windows_of_any_size_give_the_same_transform(kind: str, side: int) -> None:
    cube, _, _ = cube_with_gaps()
    one, other = FITS[kind](cube), FITS[kind](cube, side=side)
    np.testing.assert_allclose(other.eigenvalues, one.eigenvalues, rtol=1e-10)
    np.testing.assert_allclose(other.forward, one.forward, rtol=1e-7, atol=1e-9)


def test_mnf_does_not_depend_on_the_units_of_the_bands() -> None:
    array = noisy_array()
    units = np.array([1, 1e4, 1e-3, 1, 255, 1e-6])[:, None, None]
    one, other = fit_mnf(cube_of_array(array)), fit_mnf(cube_of_array(array * units))
    np.testing.assert_allclose(other.eigenvalues, one.eigenvalues, rtol=1e-8)


def test_first_mnf_components_are_the_scene_without_noise() -> None:
    signal, noisy = smooth_signal(shape=(60, 60)), noisy_array(shape=(60, 60))
    transform = fit_mnf(cube_of_array(noisy)).first(3)
    cleaned = transform.invert(transform.apply(noisy))
    before, after = ((x - signal).std() for x in (noisy, cleaned))
    assert after < 0.8 * before


def test_values_outside_where_do_not_count() -> None:
    array = noisy_array()
    train = np.zeros(array.shape[1:], np.bool_)
    train[:, :20] = True
    spoilt = array.copy()
    spoilt[:, ~train] = 1e6
    fits = [fit_mnf(cube_of_array(a), where=lambda w: train[w.slices]) for a in (array, spoilt)]
    np.testing.assert_array_equal(fits[0].forward, fits[1].forward)
    assert fits[0].n_pixels == train.sum()


def test_numbers_of_components() -> None:
    assert components_for_share([5, 3, 2], 1) == 3
    assert components_above_noise([1.0, 0.9]) == 1
    with pytest.raises(UsageError, match=r"above 0 and at most 1: got 99"):
        components_for_share([5, 3], 99)


# What cannot be measured is told


def test_bands_that_mnf_cannot_use_are_told() -> None:
    array = noisy_array()
    silent = np.concatenate([array, np.full((1, *array.shape[1:]), 4.0)])
    with pytest.raises(SceneError, match=r"without any noise, such as band 7 \(1 of 7\)"):
        fit_mnf(cube_of_array(silent))
    copied = np.concatenate([array, array[:1]])
    with pytest.raises(SceneError, match=r"noise of 7 bands .* cannot be told apart"):
        fit_mnf(cube_of_array(copied))
    with pytest.raises(SceneError, match=r"cannot be told apart \(from 4 differences"):
        fit_mnf(cube_of_array(array[:, :2, :2]))
    alone = np.indices(array.shape[1:]).sum(axis=0) % 2 == 0
    with pytest.raises(SceneError, match="no two neighbouring pixels"):
        fit_mnf(cube_of_array(array, valid=alone))
    empty = np.full_like(array, np.nan)
    with pytest.raises(SceneError, match=r"no pixel .* has a value in all 6 bands"):
        fit_pca(cube_of_array(empty))


def test_wrong_arrays_and_numbers_are_told() -> None:
    transform = fit_pca(cube_with_gaps()[0])
    with pytest.raises(UsageError, match=r"takes 6 bands, first axis: got .* \(5, 2\)"):
        transform.apply(np.ones((5, 2)))
    with pytest.raises(UsageError, match=r"has 6 components: got 9"):
        transform.first(9)


# Files


@pytest.mark.parametrize("kind", FITS)
def test_a_transform_comes_back_to_the_last_digit(kind: str, tmp_path: Path) -> None:
    transform = FITS[kind](cube_with_gaps()[0]).first(4)
    again = load_transform(save_transform(transform, tmp_path / "new" / "t.json"))
    for name in LinearTransform.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(again, name), getattr(transform, name), name)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["t.json"]


def test_unknown_wavelengths_survive_the_file(tmp_path: Path) -> None:
    transform = fit_pca(cube_of_array(noisy_array()))
    assert np.isnan(load_transform(save_transform(transform, tmp_path / "t")).wavelengths).all()


def test_files_that_are_no_transform_are_told(tmp_path: Path) -> None:
    path = save_transform(fit_pca(cube_with_gaps()[0]), tmp_path / "t.json")
    text = path.read_text()
    path.write_text(text.replace('"kind":"pca"', '"kind":"ica"'))
    with pytest.raises(SceneError, match=r"'t\.json' is no PCA or MNF: field 'kind'"):
        load_transform(path)
    path.write_text(text.replace('"band_names":[', '"band_names":["one more",'))
    with pytest.raises(SceneError, match="7 bands are named, but there are others: mean 6"):
        load_transform(path)
    with pytest.raises(SceneError, match="cannot be read"):
        load_transform(tmp_path / "none.json")


def test_transformed_scene_is_the_transform_of_the_scene(tmp_path: Path) -> None:
    values, valid = write_scene_with_gaps(tmp_path / "a.tif")
    cube = open_cube(tmp_path / "a.tif")
    transform = fit_mnf(cube).first(2)
    out = transform_scene(cube, tmp_path / "b.tif", transform)
    read = open_cube(out)
    assert read.band_names == ("MNF 1", "MNF 2")
    assert read.scene.transform == cube.scene.transform
    assert read.scene.crs_wkt == cube.scene.crs_wkt
    pixels = read.read()
    np.testing.assert_array_equal(pixels.valid, valid)
    wanted = transform.apply(values)
    np.testing.assert_allclose(pixels.values[:, valid], wanted[:, valid], rtol=1e-5, atol=1e-4)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tif", "b.tif"]
    with pytest.raises(OutputError, match=r"b\.tif' exists already"):
        transform_scene(cube, out, transform)
    with pytest.raises(UsageError, match="a cube in memory: write it as a scene first"):
        transform_scene(cube_with_gaps()[0], tmp_path / "c.tif", transform)


def test_bands_are_found_by_wavelength_in_another_scene() -> None:
    cube, array, valid = cube_with_gaps()
    transform = fit_pca(cube.with_bands([5, 2]))
    turned = cube_of_array(array[::-1], wavelengths=cube.wavelengths[::-1] + 2)
    other = replace(turned, band_names=tuple("abcdef"))
    found = transform.bands_of(other)
    assert found.bands == (2, 5)
    np.testing.assert_array_equal(
        transform.apply(found.read().values[:, valid]), transform.apply(array[[4, 1]][:, valid])
    )
