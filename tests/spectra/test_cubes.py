"""Cubes from GeoTIFF, ENVI, MATLAB and memory say the same."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from scipy.io import savemat

from rs_workbench.errors import MissingDependencyError, OutputError, SceneError, UsageError
from rs_workbench.raster import open_scene
from rs_workbench.spectra.cubes import cube_of_array, open_cube
from rs_workbench.spectra.matlab import read_matlab_labels
from rs_workbench.spectra.scenes import write_scene
from rs_workbench.spectra.windows import cube_windows, read_windows
from tests.spectra.drawn import NANOMETRES, cube_with_gaps, noisy_array, write_scene_with_gaps
from tiling import Window


def write_envi(path: Path, pixels: np.ndarray, extra: str) -> Path:
    with rasterio.open(
        path, "w", driver="ENVI", count=len(pixels), height=pixels.shape[1],
        width=pixels.shape[2], dtype=pixels.dtype, crs="EPSG:32633",
        transform=rasterio.Affine(30, 0, 0, 0, -30, 0),
    ) as file:  # fmt: skip
        file.write(pixels)
    header = path.with_suffix(".hdr")
    header.write_text(header.read_text() + extra)
    return path


def test_scene_and_memory_hold_the_same(tmp_path: Path) -> None:
    values, valid = write_scene_with_gaps(tmp_path / "a.tif")
    cube = open_cube(tmp_path / "a.tif")
    read = cube.read()
    np.testing.assert_array_equal(read.valid, valid)
    np.testing.assert_array_equal(read.values[:, valid], values[:, valid])
    np.testing.assert_allclose(cube.wavelengths, NANOMETRES)


def test_envi_header_gives_wavelengths_bad_bands_and_nodata(tmp_path: Path) -> None:
    pixels = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    pixels[:, 0, 0] = -9
    path = write_envi(
        tmp_path / "cube.img",
        pixels,
        "bbl = {1, 0, 1}\nwavelength units = Micrometers\nwavelength = {0.45, 1.4, 2.2}\n"
        "data ignore value = -9\n",
    )
    cube = open_cube(path)
    assert cube.wavelengths.tolist() == [450, 1400, 2200]
    assert cube.good.tolist() == [True, False, True]
    assert cube.read().valid.sum() == 19


def test_scale_and_offset_give_physical_values(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=2, width=2, dtype="int16",
        crs="EPSG:32633", transform=rasterio.Affine(30, 0, 0, 0, -30, 0),
    ) as file:  # fmt: skip
        file.write(np.full((1, 2, 2), 2500, np.int16))
        file.scales, file.offsets = (1e-4,), (0.5,)
    np.testing.assert_allclose(open_cube(path).read().values, 0.75)


def test_a_pixel_that_lacks_a_band_is_invalid_only_while_that_band_is_used(
    tmp_path: Path,
) -> None:
    array = noisy_array()
    array[2, 3, 4] = np.nan
    cube = cube_of_array(array)
    assert not cube.read().valid[3, 4]
    assert cube.with_bands([1, 2, 4]).read().valid[3, 4]


def test_matlab_cube_and_labels_become_a_scene(tmp_path: Path) -> None:
    pixels = (100 * noisy_array()).astype(np.int16)
    labels = np.zeros(pixels.shape[1:], np.uint8)
    labels[3, 4] = 14
    savemat(
        tmp_path / "c.mat",
        {"cube": pixels.transpose(1, 2, 0), "wavelengths_um": NANOMETRES / 1000, "name": "x"},
    )
    savemat(tmp_path / "gt.mat", {"gt": labels.astype(np.float64)})
    cube = open_cube(tmp_path / "c.mat")
    np.testing.assert_array_equal(cube.read().values, pixels)
    np.testing.assert_allclose(cube.wavelengths, NANOMETRES)
    read = read_matlab_labels(tmp_path / "gt.mat")
    scene, label_scene = write_scene(cube, tmp_path / "scene.tif", labels=read)
    again = open_cube(scene)
    np.testing.assert_array_equal(again.read().values, pixels)
    np.testing.assert_allclose(again.wavelengths, NANOMETRES)
    beside = open_scene(label_scene)
    assert beside.nodata == (0,)
    np.testing.assert_array_equal(open_cube(beside).read().values[0], labels)
    with pytest.raises(OutputError, match=r"scene\.tif' exists already"):
        write_scene(cube, tmp_path / "scene.tif")


def test_matlab_nodata_is_a_value_in_all_bands(tmp_path: Path) -> None:
    pixels = np.ones((3, 4, 5), np.int16)
    pixels[:, 1, 1], pixels[0, 2, 2] = 0, 0
    savemat(tmp_path / "c.mat", {"cube": pixels.transpose(1, 2, 0)})
    valid = open_cube(tmp_path / "c.mat", nodata=0).read().valid
    assert np.argwhere(~valid).tolist() == [[1, 1]]


def test_matlab_of_version_7_3_is_read_with_h5py_and_refused_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    h5py = pytest.importorskip("h5py")
    pixels = noisy_array()
    path = tmp_path / "new.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["cube"] = pixels.transpose(1, 2, 0).T
    head = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    with path.open("r+b") as raw:
        raw.write(head)
    np.testing.assert_array_equal(open_cube(path).read().values, pixels)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingDependencyError, match=r"new\.mat.*7\.3.*pip install h5py.*-v7"):
        open_cube(path)


def test_matlab_mistakes_are_told(tmp_path: Path) -> None:
    two = tmp_path / "two.mat"
    savemat(two, {"a": np.ones((4, 5, 3)), "b": np.ones((4, 5, 2)), "gt": np.full((4, 5), 1.5)})
    with pytest.raises(SceneError, match=r"'two\.mat' holds 2 variables.*a 4x5x3, b 4x5x2"):
        open_cube(two)
    assert open_cube(two, variable="b").n_bands == 2
    with pytest.raises(SceneError, match=r"no cube .* called 'gt'"):
        open_cube(two, variable="gt")
    with pytest.raises(SceneError, match=r"whole numbers from 0 to 255: 'gt' .* 1\.5 to 1\.5"):
        read_matlab_labels(two)
    (tmp_path / "no.mat").write_bytes(b"x" * 300)
    with pytest.raises(SceneError, match=r"'no\.mat' cannot be read as a MATLAB file"):
        open_cube(tmp_path / "no.mat")
    with pytest.raises(SceneError, match="was not found"):
        open_cube(tmp_path / "none.mat")


def test_python_objects_in_a_matlab_file_are_left_there(tmp_path: Path) -> None:
    path = tmp_path / "cells.mat"
    cells = np.empty((2, 2, 2), object)
    cells[:] = 1
    savemat(path, {"cells": cells})
    with pytest.raises(SceneError, match=r"'cells\.mat' holds no cube"):
        open_cube(path)


def test_wrong_bands_and_wavelengths_are_told() -> None:
    cube = cube_of_array(np.ones((3, 4, 5)), wavelengths=[500, 600, 700])
    with pytest.raises(UsageError, match=r"3 bands, numbered 1 to 3: got 7"):
        cube.with_bands([1, 7])
    with pytest.raises(UsageError, match=r"3 bands and needs as many wavelengths: got 2"):
        cube_of_array(np.ones((3, 4, 5)), wavelengths=[1, 2])
    with pytest.raises(UsageError, match=r"shape \(3, 4\)"):
        cube_of_array(np.ones((3, 4)))
    assert cube.find_bands(["x", "y"], [701, 499]) == (3, 1)
    assert cube.find_bands(["band 2", "band 1"], [np.nan, 501]) == (2, 1)
    assert cube.find_bands(["band 2", "band 1"], [700, 600]) == (3, 2)
    with pytest.raises(UsageError, match=r"no band of its own for 'y' \(503 nm\)"):
        cube.find_bands(["x", "y"], [500, 503])


@pytest.mark.parametrize("side", [1, 7, 16, None])
def test_windows_cover_every_pixel_once(side: int | None) -> None:
    cube = cube_of_array(noisy_array())
    seen = np.zeros(cube.shape, int)
    for window in cube_windows(cube, side=side):
        seen[window.slices] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("window_bytes", [1, 3000, 20_000, 10**9])
def test_windows_keep_to_the_budget_unless_a_pixel_is_too_much(window_bytes: int) -> None:
    cube = cube_of_array(noisy_array())
    sizes = [w.height * w.width for w in cube_windows(cube, window_bytes=window_bytes)]
    assert sum(sizes) == np.prod(cube.shape)
    assert max(sizes) * cube.n_bands * 8 <= max(window_bytes, 16 * cube.n_bands * 8)


@pytest.mark.parametrize("window_bytes", [500, 3000, 20_000, 10**9])
@pytest.mark.parametrize("block", [(1, 31), (5, 31), (8, 16), (16, 16)])
def test_windows_of_blocks_cover_once_and_finish_a_block_before_the_next(
    window_bytes: int, block: tuple[int, int]
) -> None:
    cube = replace(cube_of_array(noisy_array()), block=block)
    seen = np.zeros(cube.shape, int)
    visited: list[set] = []
    for window in cube_windows(cube, window_bytes=window_bytes):
        seen[window.slices] += 1
        rows, cols = (
            range(start // size, (start + length - 1) // size + 1)
            for start, length, size in zip(window[:2], window[2:], block, strict=True)
        )
        visited.append({(r, c) for r in rows for c in cols})
    assert (seen == 1).all()
    if window_bytes >= 8 * cube.n_bands * block[1]:
        for touched in {b for v in visited for b in v}:
            when = [n for n, v in enumerate(visited) if touched in v]
            assert when == list(range(when[0], when[-1] + 1))


def test_where_narrows_what_is_valid() -> None:
    cube, _, valid = cube_with_gaps()
    chosen = np.zeros(cube.shape, np.bool_)
    chosen[:, :9] = True
    found = np.zeros(cube.shape, np.bool_)
    for window, _, pixels, _ in read_windows(cube, where=lambda w: chosen[w.slices], side=8):
        found[window.slices] = pixels
    np.testing.assert_array_equal(found, valid & chosen)


def test_read_takes_a_window() -> None:
    array = noisy_array()
    read = cube_of_array(array).read(Window(2, 3, 4, 5))
    np.testing.assert_array_equal(read.values, array[:, 2:6, 3:8])
