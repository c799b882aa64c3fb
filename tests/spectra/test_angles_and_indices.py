"""Spectral angle and indices: what must hold, and maps that equal the arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rs_workbench.errors import UsageError
from rs_workbench.spectra.angles import (
    mean_spectra,
    nearest_reference,
    spectral_angle,
    write_angles,
)
from rs_workbench.spectra.cubes import cube_of_array, open_cube
from rs_workbench.spectra.indices import (
    INDICES,
    band_ratio,
    find_band,
    find_index,
    normalized_difference,
    write_indices,
)
from tests.spectra.drawn import cube_with_gaps, write_scene_with_gaps

spectra = st.lists(st.floats(0.01, 1), min_size=5, max_size=5)


@settings(max_examples=50, deadline=None)
@given(spectra, spectra, st.floats(1e-3, 1e3))
def test_angle_is_that_of_the_arc_cosine_and_blind_to_brightness(one, other, factor) -> None:
    one, other = np.array(one), np.array(other)
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    found = spectral_angle(one[:, None], other)[0]
    assert found == pytest.approx(np.arccos(min(cosine, 1)), abs=1e-7)
    assert spectral_angle(factor * one[:, None], other)[0] == pytest.approx(found, abs=1e-12)
    assert spectral_angle(other[:, None], one)[0] == pytest.approx(found, abs=1e-12)


def test_tiny_angles_keep_their_digits() -> None:
    tilt = 1e-9
    found = spectral_angle(np.array([[np.cos(tilt)], [np.sin(tilt)]]), [1, 0])
    assert found[0] == pytest.approx(tilt, rel=1e-6)


def test_zero_and_absent_spectra_have_no_angle() -> None:
    values = np.array([[0, np.nan, 1, 1e300], [0, 1, 0, 1e300]])
    angles = spectral_angle(values, [[1, 0], [0, 0]])
    np.testing.assert_allclose(angles[0], [np.nan, np.nan, 0, np.pi / 4])
    assert np.isnan(angles[1]).all()
    assert nearest_reference(angles).tolist() == [255, 255, 0, 0]
    assert nearest_reference(angles, max_angle=0.5).tolist() == [255, 255, 0, 255]


def test_angle_of_other_bands_is_refused() -> None:
    with pytest.raises(UsageError, match=r"got 3 bands and references of shape \(2,\)"):
        spectral_angle(np.ones((3, 4)), [1, 2])


def test_angle_map_is_the_angle_of_every_pixel(tmp_path: Path) -> None:
    values, valid = write_scene_with_gaps(tmp_path / "a.tif")
    cube = open_cube(tmp_path / "a.tif")
    references = values[:, [8, 20], [9, 30]].T
    out = write_angles(cube, tmp_path / "angles.tif", references, names=["one", "two"])
    read = open_cube(out)
    assert read.band_names == ("one", "two")
    wanted = spectral_angle(values, references)
    np.testing.assert_array_equal(read.read().valid, valid)
    np.testing.assert_allclose(read.read().values[:, valid], wanted[:, valid], atol=1e-6)
    with pytest.raises(UsageError, match=r"6 bands: got 1 references of 5 bands, and 1 names"):
        write_angles(cube, tmp_path / "b.tif", [[1, 2, 3, 4, 5]])


def test_mean_spectra_are_those_of_valid_labelled_pixels() -> None:
    cube, array, valid = cube_with_gaps()
    labels = np.full(cube.shape, 255, np.uint8)
    labels[:, :12], labels[:, 20:] = 0, 2
    found = mean_spectra(cube, lambda w: labels[w.slices], 3)
    for k in (0, 2):
        np.testing.assert_allclose(found[k], array[:, valid & (labels == k)].mean(axis=1))
    assert np.isnan(found[1]).all()


# Indices


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1))
def test_normalized_difference_lies_between_minus_one_and_one(one, other) -> None:
    found = float(normalized_difference(np.array(one), np.array(other)))
    assert np.isnan(found) if one + other == 0 else -1 <= found <= 1


def test_unsigned_bands_do_not_wrap_round() -> None:
    found = normalized_difference(np.array([1], np.uint8), np.array([3], np.uint8))
    assert found.tolist() == [-0.5]
    large = np.array([200], np.uint8)
    assert normalized_difference(large, large).tolist() == [0]
    assert np.isnan(band_ratio(np.array([1.0]), np.array([0.0])))[0]


@pytest.mark.parametrize("index", INDICES.values(), ids=list(INDICES))
def test_formula_takes_its_bands_and_has_a_source(index) -> None:
    bands = np.linspace(0.2, 0.6, len(index.wavelengths))
    assert np.isfinite(index.formula(*bands))
    assert "(1" in index.source or "(2" in index.source
    for nm in index.wavelengths:
        assert f"R{nm}" in index.text or nm in (2000, 2200)


def test_known_spectra_have_known_signs() -> None:
    leaf = {670: 0.05, 720: 0.2, 790: 0.45, 800: 0.45, 560: 0.1, 860: 0.46}
    water = {670: 0.03, 800: 0.01, 560: 0.06, 860: 0.01}

    def value(name: str, spectrum: dict) -> float:
        index = INDICES[name]
        return float(index.formula(*(np.array(spectrum[nm]) for nm in index.wavelengths)))

    assert value("ndvi", leaf) == pytest.approx(0.8)
    assert value("ndre", leaf) > 0.3
    assert value("ndvi", water) < 0
    assert value("ndwi", water) > 0.5 > 0 > value("ndwi", leaf)


def test_nearest_band_is_refused_beyond_the_tolerance() -> None:
    cube = cube_of_array(np.ones((3, 2, 2)), wavelengths=[660, 675, 830])
    assert find_band(cube, 670) == 2
    with pytest.raises(
        UsageError, match=r"no band within 15 nm of 800 nm: the nearest is band 3 at 830 nm"
    ):
        find_band(cube, 800)
    assert find_band(cube, 800, tolerance=40) == 3
    with pytest.raises(UsageError, match="does not tell the wavelengths"):
        find_band(cube_of_array(np.ones((3, 2, 2))), 670)
    with pytest.raises(UsageError, match="no index 'nvdi': choose from ndvi, ndre"):
        find_index("nvdi")


def test_index_map_is_the_formula_of_its_bands(tmp_path: Path) -> None:
    values, valid = write_scene_with_gaps(tmp_path / "a.tif")
    cube = open_cube(tmp_path / "a.tif")
    out = write_indices(cube, tmp_path / "i.tif", ["ndwi", "NDVI"], tolerance=60)
    read = open_cube(out)
    assert read.band_names == ("ndwi", "ndvi")
    nir, red, green = (values[find_band(cube, nm, tolerance=60) - 1] for nm in (800, 670, 560))
    wanted = (nir - red) / (nir + red)
    np.testing.assert_allclose(read.read().values[1][valid], wanted[valid], rtol=1e-5, atol=1e-6)
    far = values[find_band(cube, 860, tolerance=60) - 1]
    np.testing.assert_allclose(
        read.read().values[0][valid], ((green - far) / (green + far))[valid], rtol=1e-5, atol=1e-6
    )
