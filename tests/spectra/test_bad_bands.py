"""Bad bands are found, each with its reason; good ones are kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rs_workbench.errors import SceneError
from rs_workbench.spectra.bad_bands import find_bad_bands, measure_bands
from rs_workbench.spectra.cubes import cube_of_array
from rs_workbench.standin_spectra import NODATA, draw_spectra
from tests.spectra.drawn import cube_with_gaps, noisy_array, smooth_signal


def spoilt() -> np.ndarray:
    """Eight smooth bands: 2 empty, 3 constant, 5 noise, 7 with gaps in a tenth of the pixels."""
    rng = np.random.default_rng(0)
    array = smooth_signal(8)
    array[1] = np.nan
    array[2] = 7.5
    array[4] = rng.normal(size=array.shape[1:])
    array[6][rng.random(array.shape[1:]) < 0.1] = np.nan
    return array


def test_each_bad_band_has_its_reason() -> None:
    nm = [500, 600, 700, 800, 900, 1380, 1200, 380]
    cube = cube_of_array(spoilt(), wavelengths=nm)
    choice = find_bad_bands(replace(cube, good=np.arange(8) != 3))
    assert choice.kept == (1,)
    reasons = {drop.band: drop.reason for drop in choice.dropped}
    assert reasons[2] == "no data in 100% of the pixels"
    assert reasons[3] == "constant (7.5)"
    assert reasons[4] == "marked as bad in the file (bbl)"
    assert reasons[5].startswith("mostly noise: neighbours share ")
    assert reasons[6] == "water vapour absorbs, 1350 to 1450 nm"
    assert reasons[7].startswith("no data in 1")
    assert reasons[8] == "outside 400 to 2450 nm, where light is weak"
    assert "band 6 (1380 nm): water vapour" in str(choice)


def test_checks_can_be_switched_off() -> None:
    nm = [1380, 380, 1900, 2480, 900, 800, 700, 600]
    cube = cube_of_array(spoilt(), wavelengths=nm)
    choice = find_bad_bands(cube, absorbed=(), ends=(0, 3000), least_signal=0)
    assert choice.kept == (1, 4, 5, 6, 8)


def test_without_wavelengths_no_band_is_dropped_for_its_wavelength() -> None:
    assert find_bad_bands(cube_of_array(smooth_signal())).kept == (1, 2, 3, 4, 5, 6)


def test_what_is_kept_has_every_band_in_nearly_every_pixel() -> None:
    cube = cube_of_array(spoilt())
    kept = cube.with_bands(find_bad_bands(cube).kept)
    assert kept.read().valid.mean() >= 0.98


@pytest.mark.parametrize("side", [1, 6, None])
def test_facts_do_not_depend_on_the_window(side: int | None) -> None:
    cube, array, valid = cube_with_gaps()
    facts, whole = measure_bands(cube, side=side), measure_bands(cube)
    for one, other in zip(facts, whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(facts.low, array[:, valid].min(axis=1))
    np.testing.assert_array_equal(facts.missing, 0)


def test_signal_of_white_noise_is_none_and_of_a_ramp_nearly_all() -> None:
    noise = np.random.default_rng(1).normal(size=(60, 60))
    ramp = np.add.outer(np.arange(60.0), np.arange(60.0)) + 1e6
    signal = measure_bands(cube_of_array([noise, ramp])).signal
    assert signal[0] == pytest.approx(0, abs=0.06)
    assert signal[1] > 0.99


def test_drawn_scene_loses_what_was_spoilt_and_nothing_else() -> None:
    drawn = draw_spectra(48, 48)
    array = np.where(drawn.cube == NODATA, np.nan, drawn.cube)
    cube = cube_of_array(array, wavelengths=drawn.wavelengths)
    choice = find_bad_bands(cube, ends=(0, 3000))
    lost = [drop.band - 1 for drop in choice.dropped]
    assert drawn.good_bands[lost].sum() == 0
    bad = np.flatnonzero(~drawn.good_bands)
    # The drawn gaps are 10 nm wider than those of water vapour to each side.
    assert set(bad) - set(lost) <= {b for b in bad if not _absorbed(drawn.wavelengths[b])}


def _absorbed(nm: float) -> bool:
    return 1350 <= nm <= 1450 or 1800 <= nm <= 1950


def test_nothing_left_is_told() -> None:
    with pytest.raises(SceneError, match=r"no band .* is left: all 2 .* band 1: constant \(1\)"):
        find_bad_bands(cube_of_array(np.ones((2, 4, 5))))
    with pytest.raises(SceneError, match="has no valid pixel: check its nodata value"):
        find_bad_bands(cube_of_array(np.full((2, 4, 5), np.nan)))


def test_only_pixels_of_where_count() -> None:
    array = noisy_array()
    array[0, 10:] = np.nan
    chosen = np.zeros(array.shape[1:], np.bool_)
    chosen[:10] = True
    cube = cube_of_array(array)
    assert 1 not in find_bad_bands(cube, least_signal=0).kept
    assert 1 in find_bad_bands(cube, least_signal=0, where=lambda w: chosen[w.slices]).kept
