import numpy as np
import pytest

from rs_workbench import checks
from rs_workbench.errors import SceneError
from rs_workbench.raster import open_scene
from tests.workbench import nets


def scene(tmp_path, values, **kw):
    return open_scene(nets.write_scene(tmp_path / "scene.tif", values, **kw))


def test_like_values_pass_without_a_word(tmp_path):
    assert (
        checks.check_values(scene(tmp_path, nets.pixels((300, 300))), (1, 2, 3), nets.card()) == []
    )


def test_reflectance_against_bytes_is_refused(tmp_path):
    values = (nets.pixels((300, 300)) / 255).astype(np.float32)
    with pytest.raises(
        SceneError, match=r"lie between 0\.\d+ and 0\.\d+ .* between 5 and 250.*--any-values"
    ):
        checks.check_values(scene(tmp_path, values), (1, 2, 3), nets.card())


def test_sixteen_bits_against_bytes_are_refused(tmp_path):
    values = nets.pixels((300, 300)).astype(np.uint16) * 100
    with pytest.raises(SceneError, match="other units"):
        checks.check_values(scene(tmp_path, values), (1, 2, 3), nets.card())


def test_doubtful_values_are_a_warning(tmp_path):
    values = (nets.pixels((300, 300)) // 12).astype(np.uint8)
    (warning,) = checks.check_values(scene(tmp_path, values), (1, 2, 3), nets.card())
    assert "the map may be poor" in warning


def test_nodata_does_not_count(tmp_path):
    values = nets.pixels((300, 300)).astype(np.float32)
    values[:, :200] = -9999
    opened = scene(tmp_path, values, nodata=-9999)
    assert checks.check_values(opened, (1, 2, 3), nets.card()) == []


def test_the_scene_s_own_scale_counts(tmp_path):
    import rasterio

    path = nets.write_scene(
        tmp_path / "scene.tif", nets.pixels((300, 300)).astype(np.uint16) * 100
    )
    with rasterio.open(path, "r+") as file:
        file.scales = (0.01,) * 3
    assert checks.check_values(open_scene(path), (1, 2, 3), nets.card()) == []


def test_of_hundreds_of_bands_few_pixels_are_held(tmp_path):
    values = np.tile(nets.pixels((200, 200)), (18, 1, 1))
    opened, card = scene(tmp_path, values), nets.card(n_bands=54)
    sample = checks._sample(opened, range(1, 55), ())
    assert sample.size <= 16 * checks.SAMPLE_SIDE**2 * (checks.WHOLE_BANDS + 1)
    assert checks.check_values(opened, range(1, 55), card) == []
    thin = scene(tmp_path, (values / 255).astype(np.float32))
    with pytest.raises(SceneError, match="other units"):
        checks.check_values(thin, range(1, 55), card)


def test_pixel_size_far_from_the_card_s(tmp_path):
    opened = scene(tmp_path, nets.pixels((50, 50)), size=10.0)
    assert checks.check_pixel_size(opened, nets.card(pixel_size=12)) == []
    (warning,) = checks.check_pixel_size(opened, nets.card(pixel_size=0.5))
    assert "is 10 m, 'test net' was trained at 0.5 m: --match-pixel-size" in warning
