"""Which bands the model gets."""

from __future__ import annotations

import pytest

from rs_workbench.errors import SceneError
from rs_workbench.raster import choose_bands, open_scene
from tests.workbench.rasters import card, ramp, write_tif

RGB = ("red", "green", "blue")


def scene(tmp_path, *names, **profile):
    return open_scene(
        write_tif(tmp_path / "s.tif", ramp(len(names), 4, 4), names=names, **profile)
    )


def test_by_number_and_by_name_in_any_case(tmp_path):
    have = scene(tmp_path, "Blue", "Green", "Red", "NIR")
    assert choose_bands(have, ["4", "3", "2"]) == (4, 3, 2)
    assert choose_bands(have, ["nir", " red", "2"], card(*RGB)) == (4, 3, 2)
    assert choose_bands(have, None) == (1, 2, 3, 4)


def test_the_card_finds_its_bands_by_name(tmp_path):
    have = scene(tmp_path, "blue", "green", "red", "nir")
    assert choose_bands(have, None, card("Red", "Green", "Blue")) == (3, 2, 1)


def test_the_card_finds_its_bands_by_wavelength(tmp_path):
    have = scene(
        tmp_path, *(f"band {b} ({nm} Nanometers)" for b, nm in enumerate((480, 562, 660, 830)))
    )
    model = card(*RGB, wavelengths=[665, 560, 485])
    assert choose_bands(have, None, model) == (3, 2, 1)
    far = card(*RGB, wavelengths=[665, 560, 445])
    with pytest.raises(SceneError, match=r"was trained on 3 bands .* has 4"):
        choose_bands(have, None, far)


def test_by_position_where_names_say_nothing(tmp_path):
    have = open_scene(write_tif(tmp_path / "a.tif", ramp(3, 4, 4), photometric="MINISBLACK"))
    assert choose_bands(have, None, card(*RGB)) == (1, 2, 3)


def test_position_is_not_trusted_against_names(tmp_path):
    have = scene(tmp_path, "nir", "red", "green")
    with pytest.raises(SceneError, match=r"'ice' wants 'red' as its band 1, but in 's\.tif' that is band 2 \(nir, red, green\)"):  # fmt: skip  # noqa: E501
        choose_bands(have, None, card(*RGB))
    assert choose_bands(have, ["2", "3", "1"], card(*RGB)) == (2, 3, 1)


def test_alpha_is_left_out_unless_chosen(tmp_path):
    pixels = ramp(4, 4, 4)
    pixels[3] = 255
    have = open_scene(write_tif(tmp_path / "a.tif", pixels))
    assert choose_bands(have, None, card("a", "b", "c")) == (1, 2, 3)
    assert choose_bands(have, ["4", "1", "2"], card("a", "b", "c")) == (4, 1, 2)


def test_too_many_bands_names_them_and_shows_how(tmp_path):
    have = scene(tmp_path, "b1", "b2", "b3", "nir")
    with pytest.raises(
        SceneError,
        match=r"'ice' was trained on 3 bands \(red, green, blue\), but 's\.tif' has 4 "
        r"\(b1, b2, b3, nir\): choose 3 with  --bands 3,2,1$",
    ):
        choose_bands(have, None, card(*RGB))


def test_too_few_bands(tmp_path):
    with pytest.raises(SceneError, match=r"has 2 \(a, b\): give a scene with all of them"):
        choose_bands(scene(tmp_path, "a", "b"), None, card(*RGB))
    with pytest.raises(SceneError, match=r"has 1 \(a\): if its bands are in files .* --mosaic"):
        choose_bands(scene(tmp_path, "a"), None, card(*RGB))


def test_wrong_choice(tmp_path):
    have = scene(tmp_path, "red", "green", "red")
    with pytest.raises(SceneError, match=r"no band '7': choose from 1 to 3 \(red, green, red\)"):
        choose_bands(have, ["7"])
    with pytest.raises(SceneError, match="no band 'swir'"):
        choose_bands(have, ["swir"])
    with pytest.raises(SceneError, match=r"2 bands called 'red' \(1, 3\): choose one by its num"):
        choose_bands(have, ["red"])
    with pytest.raises(SceneError, match=r"--bands chooses 2 \(1,2\): choose 3"):
        choose_bands(have, ["1", "2"], card(*RGB))


def test_many_bands_are_not_all_listed(tmp_path):
    have = scene(tmp_path, *(f"b{n}" for n in range(1, 61)))
    with pytest.raises(SceneError, match=r"has 60 \(b1, b2, .*b11, \.\.\. b60\)"):
        choose_bands(have, None, card(*RGB))
