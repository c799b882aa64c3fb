"""The sample scene: drawn the same every time, in its place on Earth, with nodata in it."""

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner

from rs_workbench.errors import OutputError, UsageError
from rs_workbench.raster_scene import open_scene
from rs_workbench.sample_scene import (
    NODATA,
    UNDRAWN,
    command,
    draw_labelled_scene,
    draw_scene,
    write_sample_scene,
)

SIZE = {"height": 384, "width": 512}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return write_sample_scene(tmp_path_factory.mktemp("sample") / "scene.tif", **SIZE)


def test_the_same_seed_draws_the_same_scene():
    once, again, other = (draw_scene(**SIZE, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(once, again)
    assert (once != other).mean() > 0.5


def test_it_is_an_rgb_image_in_its_place_on_earth(scene):
    with rasterio.open(scene) as dataset:
        assert (dataset.count, dataset.height, dataset.width) == (3, 384, 512)
        assert dataset.dtypes == ("uint8",) * 3
        assert dataset.crs.to_epsg() == 32610
        assert dataset.res == (0.5, 0.5)
        assert dataset.transform.e < 0
        assert dataset.descriptions == ("red", "green", "blue")
        assert dataset.nodatavals == (NODATA,) * 3
    assert open_scene(scene).warnings == ()


def test_the_pixel_size_is_the_bundled_models():
    from rs_workbench.card import read_card
    from rs_workbench.sample_scene import PIXEL_SIZE
    from tests.workbench.test_bundled_model import MODEL

    assert read_card(MODEL).pixel_size == PIXEL_SIZE


def test_a_wedge_and_small_holes_hold_no_data(scene):
    with rasterio.open(scene) as dataset:
        image = dataset.read()
        valid = dataset.dataset_mask() > 0
    assert 0.03 < 1 - valid.mean() < 0.2
    assert np.array_equal(valid, (image != NODATA).all(axis=0))  # no stray 0 in any band
    assert not valid[-1, :50].any()
    assert valid[0].all()
    assert not valid[:, 256:].all()


@pytest.mark.parametrize("size", [(255, 600), (600, 40)])
def test_a_scene_too_small_for_a_coast_is_refused(size):
    with pytest.raises(UsageError, match=f"256 x 256 px, but {size[0]} x {size[1]} was asked"):
        draw_scene(*size)


def test_what_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"file/scene\.tif' cannot be written"):
        write_sample_scene(tmp_path / "file" / "scene.tif", height=256, width=256)


def test_the_command_writes_a_scene_of_the_size_asked_for(tmp_path):
    path = tmp_path / "folder" / "scene.tif"
    result = CliRunner().invoke(command, [str(path), "--size", "256x320", "--seed", "5"])
    assert result.exit_code == 0, result.output
    assert "(256 x 320 px of 0.5 m)" in result.output
    with rasterio.open(path) as dataset:
        assert np.array_equal(dataset.read(), draw_scene(256, 320, seed=5))


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ("300x", "'300x' is not a size: write height and width"),
        ("1x2x3", "'1x2x3' is not a size"),
        ("64", "but 64 x 64 was asked for"),
    ],
)
def test_the_command_refuses_other_sizes(tmp_path, size, said):
    result = CliRunner().invoke(command, [str(tmp_path / "scene.tif"), "--size", size])
    assert result.exit_code == 2
    assert said in result.output
    assert not list(tmp_path.iterdir())


def test_the_command_replaces_nothing_unasked(tmp_path):
    from click.testing import CliRunner

    from rs_workbench.sample_scene import command

    path = tmp_path / "scene.tif"
    path.write_text("mine")
    done = CliRunner().invoke(command, [str(path), "--size", "256x256"])
    assert done.exit_code == 1
    assert f"'{path}' exists already" in done.stderr
    assert path.read_text() == "mine"
    assert (
        CliRunner().invoke(command, [str(path), "--size", "256x256", "--overwrite"]).exit_code == 0
    )
    assert "GeoTIFF" in CliRunner().invoke(command, [str(tmp_path / "a.png")]).stderr


def test_the_reference_says_what_was_drawn(tmp_path):
    from rs_workbench.accuracy.reference.legend import read_legend

    scene, reference = tmp_path / "scene.tif", tmp_path / "truth.tif"
    write_sample_scene(scene, **SIZE, reference=reference)
    image, labels = draw_labelled_scene(**SIZE)
    with rasterio.open(scene) as seen, rasterio.open(reference) as truth:
        assert np.array_equal(seen.read(), image)
        assert np.array_equal(truth.read(1), labels)
        assert (truth.transform, truth.crs) == (seen.transform, seen.crs)
        assert np.array_equal(truth.dataset_mask(), seen.dataset_mask())
    assert set(np.unique(labels)) == {1, 2, 3, 4, 5, 6, 7, UNDRAWN}
    assert [c.name for c in read_legend(reference)][:2] == ["water", "bare sand"]
    brightness = [image[:, labels == value].mean() for value in (1, 2, 3, 4)]
    assert brightness[1] > brightness[2] > brightness[3] > brightness[0]  # sand to water


def test_the_command_writes_both_and_replaces_neither_unasked(tmp_path):
    scene, reference = tmp_path / "scene.tif", tmp_path / "truth.tif"
    arguments = [str(scene), "--size", "256x300", "--reference", str(reference)]
    assert CliRunner().invoke(command, arguments).exit_code == 0
    scene.unlink()
    again = CliRunner().invoke(command, arguments)
    assert again.exit_code == 1
    assert f"'{reference}' exists already" in again.output
