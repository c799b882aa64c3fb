"""From what the user types to a list of rasters."""

from __future__ import annotations

import zipfile

import pytest

from rs_workbench.errors import SceneError
from rs_workbench.raster import find_scenes, open_scene
from tests.workbench.rasters import ramp, write_tif


@pytest.fixture
def folder(tmp_path):
    for name in ("b.tif", "a.TIF", "a_classes.tif", "a_confidence.tif", "c.partial.tif"):
        write_tif(tmp_path / name, ramp(1, 4, 4))
    for name in ("a.TIF.aux.xml", "a.TIF.ovr", "b.tif.msk", "a_classes.qml", "notes.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "a_quicklook.png").write_text("")
    write_tif(tmp_path / "cube", ramp(1, 4, 4), driver="ENVI")
    (tmp_path / "deeper").mkdir()
    write_tif(tmp_path / "deeper" / "d.tif", ramp(1, 4, 4))
    return tmp_path


def test_folder_without_sidecars_and_outputs(folder):
    found = find_scenes([str(folder)])
    assert found == [str(folder / name) for name in ("a.TIF", "b.tif", "cube")]
    for name in found:
        open_scene(name)


def test_files_globs_and_repeats(folder):
    b, d = str(folder / "b.tif"), str(folder / "deeper" / "d.tif")
    assert find_scenes([b, str(folder / "*.tif")]) == [b]
    assert find_scenes([str(folder / "**" / "*.tif")]) == [b, d]
    named = str(folder / "a_classes.tif")
    assert find_scenes([named]) == [named], "a file that is named is meant"


@pytest.mark.parametrize(
    "name",
    ["/vsizip//a.zip/a.tif", 'NETCDF:"a.nc":ice', "https://example.org/a.tif", "s3://b/a.tif"],
)
def test_gdal_names_pass(name):
    assert find_scenes([name]) == [name]


def test_brackets_in_a_name_that_exists(tmp_path):
    path = write_tif(tmp_path / "a[1].tif", ramp(1, 4, 4))
    assert find_scenes([path]) == [path]


def test_rasters_in_a_zip(tmp_path, folder):
    packed = tmp_path / "in.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(folder / "b.tif", "x/b.tif")
        archive.writestr("readme.txt", "")
    (name,) = find_scenes([str(packed)])
    assert open_scene(name).shape == (4, 4)
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("readme.txt", "")
    with pytest.raises(SceneError, match=r"in\.zip' holds no raster among its 1 files"):
        find_scenes([str(packed)])
    packed.write_bytes(b"PK")
    with pytest.raises(SceneError, match=r"in\.zip' is not a whole zip file \(.+\): fetch it"):
        find_scenes([str(packed)])


def test_nothing_found(tmp_path, folder):
    with pytest.raises(SceneError, match=r"bb\.tif' was not found: did you mean '.*b\.tif'\?"):
        find_scenes([str(folder / "bb.tif")])
    with pytest.raises(SceneError, match=r"was not found: there is no folder '.*nowhere' either"):
        find_scenes([str(folder / "nowhere" / "a.tif")])
    with pytest.raises(SceneError, match=r"\*\.jp2' matches no file: check the pattern"):
        find_scenes([str(folder / "*.jp2")])
    with pytest.raises(SceneError, match=r"\*\.txt' matches 1 files, but no raster"):
        find_scenes([str(folder / "*.txt")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(SceneError, match=r"folder '.*empty' holds no raster: give one that does"):
        find_scenes([str(tmp_path / "empty")])
