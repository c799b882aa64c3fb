"""Data of a run: split without leaks, counted, and scaled by training ground alone."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import rasterio

from rs_workbench.errors import SceneError, UsageError, WorkbenchError
from rs_workbench.training.data import open_data
from rs_workbench.training.ground import Ground, GroundReader
from rs_workbench.training.loader import part_batches, training_batches
from rs_workbench.training.piece_cache import PieceCache
from rs_workbench.training.statistics import measure_bands
from tests.training.scenes import CLASSES, draw, folder_settings, settings_for, write_pair
from tests.workbench.rasters import write_tif
from tiling import TilingError, Window
from tiling.label_index import IGNORE
from tiling.leaks import find_leaks
from tiling.sampler import draw_chip
from tiling.split import PARTS, part_mask


def rewrite(path, change):
    """Change the pixels of a file in place."""
    with rasterio.open(path, "r+") as file:
        file.write(change(file.read()))


def part_pixels(data, scene, part):
    whole = Window(0, 0, *data.scenes[scene].shape)
    return part_mask(data.split, scene, whole, part=part)


def test_everything_is_told(tmp_path):
    write_pair(tmp_path, shape=(160, 160))
    seen = []
    data = open_data(folder_settings(tmp_path), on_progress=lambda *step: seen.append(step))
    assert data.bands == (1, 2)
    assert data.band_names == data.scenes[0].band_names
    assert [c.name for c in data.classes] == ["water", "ice", "land"]
    assert data.pixel_size == 10
    assert data.leaks == 0
    assert "16 px apart at least" in data.split_text
    assert set(data.counts) == set(PARTS)
    assert seen[-1] == (320, 320)
    assert seen == sorted(seen)


def test_counts_are_those_of_the_chips(tmp_path):
    write_pair(tmp_path, shape=(160, 160))
    data = open_data(folder_settings(tmp_path))
    labels = draw((160, 160))[1]
    for part in ("validation", "held_out"):
        inside = np.zeros(labels.shape, bool)
        for chip in getattr(data, part):
            inside[chip.core.slices] = True
        found = [int((labels[inside] == c["value"]).sum()) for c in CLASSES]
        assert data.counts[part].tolist() == found
        assert min(found) > 0


def test_no_drawn_chip_leaks(tmp_path):
    """Two scenes that are neighbours: the buffer holds across their border."""
    for name, seed, at in (("a", 0, (0, 0)), ("b", 1, (0, 160))):
        write_pair(tmp_path, name, (160, 160), seed=seed, at=at)
    data = open_data(folder_settings(tmp_path))
    assert data.origins == ((0, 0), (0, 160))
    with GroundReader(data.ground) as reader:
        drawn = [draw_chip(data.training, i, read=reader.labels) for i in range(200)]
    assert {chip.scene for chip in drawn} == {0, 1}
    for part in ("validation", "held_out"):
        chips = getattr(data, part)
        assert chips
        assert not find_leaks(drawn, chips, buffer=16, origins=data.origins).any()


def test_chance_leaks_and_the_leaks_are_counted(tmp_path):
    write_pair(tmp_path, shape=(128, 128))
    data = open_data(folder_settings(tmp_path, split={"kind": "random"}))
    leaks = find_leaks(data.training, data.held_out, buffer=16, origins=data.origins)
    assert data.leaks == leaks.sum() > 0
    assert f"{data.leaks} of {len(data.training)} training chips" in data.split_text
    chips = [*data.training, *data.validation, *data.held_out]
    assert len({chip.window for chip in chips}) == len(chips)
    total = sum(data.counts.values())
    labels = draw((128, 128))[1]
    assert total.tolist() == [int((labels == c["value"]).sum()) for c in CLASSES]


def test_statistics_are_those_of_training_ground(tmp_path):
    scene, _ = write_pair(tmp_path, shape=(160, 160))
    data = open_data(folder_settings(tmp_path))
    with rasterio.open(scene) as file:
        pixels = file.read()[:, part_pixels(data, 0, "training")].astype(float)
    found = data.statistics
    assert found.n_pixels <= pixels.shape[1]
    # cells of training without a label near them are left out, and they are few
    assert found.n_pixels > 0.9 * pixels.shape[1]
    np.testing.assert_allclose(found.mean, pixels.mean(axis=1), rtol=0.02)
    np.testing.assert_allclose(found.std, pixels.std(axis=1), rtol=0.05)
    low, high = np.percentile(pixels, (2, 98), axis=1)
    np.testing.assert_allclose(found.low, low, rtol=0.05)
    np.testing.assert_allclose(found.high, high, rtol=0.05)


def test_other_ground_does_not_influence_the_scaling(tmp_path):
    scene, _ = write_pair(tmp_path, shape=(160, 160))
    before = open_data(folder_settings(tmp_path))
    training = part_pixels(before, 0, "training")
    rewrite(scene, lambda pixels: np.where(training, pixels, 60_000).astype(np.uint16))
    after = open_data(folder_settings(tmp_path))
    for name in ("mean", "std", "low", "high"):
        np.testing.assert_array_equal(
            getattr(before.statistics, name), getattr(after.statistics, name)
        )
    rewrite(scene, lambda pixels: np.where(training, pixels + 1, pixels).astype(np.uint16))
    assert (open_data(folder_settings(tmp_path)).statistics.mean > after.statistics.mean).all()


def test_statistics_are_physical(tmp_path):
    scene, _ = write_pair(tmp_path)
    plain = open_data(folder_settings(tmp_path)).statistics
    with rasterio.open(scene, "r+") as file:
        file.scales, file.offsets = (0.5, 2.0), (10.0, 0.0)
    scaled = open_data(folder_settings(tmp_path)).statistics
    np.testing.assert_allclose(scaled.mean, plain.mean * (0.5, 2) + (10, 0))
    np.testing.assert_allclose(scaled.std, plain.std * (0.5, 2))
    np.testing.assert_allclose(scaled.high, plain.high * (0.5, 2) + (10, 0))


def test_nodata_is_neither_measured_nor_labelled(tmp_path):
    scene, _ = write_pair(tmp_path, nodata=0)
    whole = open_data(folder_settings(tmp_path))
    empty = np.zeros((96, 128), bool)
    empty[:, 60:70] = True
    rewrite(scene, lambda pixels: np.where(empty, 0, pixels).astype(np.uint16))
    data = open_data(folder_settings(tmp_path))
    assert data.statistics.low.min() > 900
    labels = draw((96, 128))[1]
    counted = data.indexes[0].counts.sum()
    assert counted == (labels[~empty] != 0).sum() < whole.indexes[0].counts.sum()
    with GroundReader(data.ground) as reader:
        read = reader.labels(0, Window(0, 0, 96, 128))
    assert (read[empty] == IGNORE).all()


def test_batches_say_where_there_is_no_data(tmp_path):
    scene, _ = write_pair(tmp_path, nodata=0)
    here = np.arange(128)[None, None] // 10 == 4
    rewrite(scene, lambda pixels: np.where(here, 0, pixels).astype(np.uint16))
    data = open_data(folder_settings(tmp_path))
    seen = np.zeros((96, 128), bool)
    for batch in part_batches(data, [*data.validation, *data.held_out]):
        for chip, valid, labels in zip(batch.chips, batch.valid, batch.labels, strict=True):
            seen[chip.window.slices] |= ~valid
            assert (labels[~valid] == IGNORE).all()
    assert seen.any()
    assert set(np.flatnonzero(seen.any(axis=0))) <= set(range(40, 50))


def test_a_constant_band_is_told_and_does_no_harm(tmp_path):
    scene, _ = write_pair(tmp_path)
    rewrite(scene, lambda pixels: np.stack([pixels[0], np.full_like(pixels[1], 60_001)]))
    data = open_data(folder_settings(tmp_path))
    assert data.statistics.std[1] == 1
    assert any("band 2" in warning and "60001 everywhere" in warning for warning in data.warnings)


def test_a_band_without_values_is_refused(tmp_path):
    write_pair(tmp_path)
    image = draw((96, 128))[0].astype(np.float32)
    image[1] = np.nan
    write_tif(tmp_path / "scenes" / "a.tif", image)
    with pytest.raises(SceneError, match=r"band 2 \(.*\) has no value on training ground"):
        open_data(folder_settings(tmp_path))


def test_more_ground_than_is_read_is_drawn_by_the_seed(tmp_path, monkeypatch):
    write_pair(tmp_path)
    data = open_data(folder_settings(tmp_path))
    areas = [(0, Window(row, col, 8, 8)) for row in range(0, 96, 8) for col in range(0, 128, 8)]
    monkeypatch.setattr("rs_workbench.training.statistics.MOST_AREAS", 50)
    one, same, other = (
        measure_bands(data.ground, areas, lambda *_: None, seed=seed) for seed in (1, 1, 2)
    )
    assert one.n_pixels == 50 * 64
    np.testing.assert_array_equal(one.mean, same.mean)
    assert (one.mean != other.mean).any()


def test_a_class_that_a_part_lacks_is_named_with_the_next_step(tmp_path):
    _, labels = write_pair(tmp_path, shape=(160, 160))

    def one_patch(pixels):
        rare = np.zeros(pixels.shape, bool)
        rare[:, 40:44, 40:44] = True
        return np.where(rare, 20, np.where(pixels == 20, 3, pixels)).astype(np.uint8)

    rewrite(labels, one_patch)
    warnings = open_data(folder_settings(tmp_path)).warnings
    told = [one for one in warnings if "'land'" in one]
    assert any("held-out part has no pixel" in one and "label more" in one for one in told)
    rewrite(labels, lambda pixels: np.where(pixels == 20, 3, pixels).astype(np.uint8))
    warnings = open_data(folder_settings(tmp_path)).warnings
    assert any("no pixel is labelled 'land'" in one for one in warnings)


def test_too_little_ground_names_a_smaller_tile(tmp_path):
    write_pair(tmp_path, shape=(96, 96))
    with pytest.raises(TilingError, match=r"tile=64 px .* such as tile=32"):
        open_data(folder_settings(tmp_path, tile=64))
    with pytest.raises(UsageError, match=r"1 chips of tile=128 px .* such as tile=64"):
        open_data(folder_settings(tmp_path, tile=128, split={"kind": "random"}))


def test_labels_beside_the_data_are_refused(tmp_path):
    _, labels = write_pair(tmp_path)
    rewrite(labels, np.zeros_like)
    with pytest.raises(UsageError, match="give no pixel of the 1 scene a class"):
        open_data(folder_settings(tmp_path))


def test_values_outside_the_legend_are_found_while_counting(tmp_path):
    write_pair(tmp_path)
    with pytest.raises(WorkbenchError, match=r"'a.tif' holds 20, which no class names"):
        open_data(folder_settings(tmp_path, classes=CLASSES[:2]))


def test_the_order_of_scenes_is_kept_and_the_settings_too(tmp_path):
    pairs = [write_pair(tmp_path, name, seed=i, at=(0, 200 * i)) for i, name in enumerate("ba")]
    settings = settings_for(*zip(*pairs, strict=True))
    data = open_data(settings)
    assert [scene.name for scene in data.scenes] == ["b.tif", "a.tif"]
    assert data.settings == settings
    assert replace(data, settings=settings).held_out == data.held_out


@pytest.mark.slow
def test_memory_does_not_grow_with_the_scene(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "rs_workbench.training.data.Ground",
        lambda *fields: Ground(*fields, cache=PieceCache(4 << 20)),
    )
    peaks = []
    for side in (1536, 3072):
        stored = {"tiled": True, "blockxsize": 256, "blockysize": 256}
        write_pair(tmp_path / str(side), shape=(side, side), **stored)
        settings = folder_settings(tmp_path / str(side), tile=64)
        tracemalloc.start()
        data = open_data(settings)
        for batch in training_batches(data, 0):
            assert batch.images.shape[0] == 4
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.data
@pytest.mark.slow
def test_dunes_are_split_by_whole_tiles(data_folder):
    folder = data_folder / "dunes"
    settings = settings_for(
        str(folder / "images"),
        str(folder / "labels"),
        tile=256,
        classes=None,
        positions="{col}_{row}_",
    )
    data = open_data(settings)
    assert (len(data.scenes), data.n_classes, data.n_bands) == (86, 11, 3)
    assert data.split.how == "scenes"
    assert not data.split.missing
    pixels = np.array([data.counts[part].sum() for part in PARTS])
    assert (pixels > (8_000_000, 2_500_000, 3_000_000)).all()
    assert data.warnings == ()


@pytest.mark.data
@pytest.mark.parametrize("labels", ["training_data.gtif", "training_data.shp"])
def test_chiapas_is_split_although_it_is_small(data_folder, labels):
    folder = data_folder / "landsat7_chiapas"
    settings = settings_for(
        str(folder / "*1999*.gtif"),
        str(folder / labels),
        classes=None,
        label_column="id",
        bands=(1, 2, 3, 4, 5, 6),
    )
    data = open_data(settings)
    assert sum(index.counts.sum() for index in data.indexes) == 718
    assert [data.counts[part].sum() for part in PARTS] == [338, 138, 145]
    assert data.pixel_size == 30
    # a score on validation alone is sharper than none: every class is there
    assert (data.counts["training"] > 0).all()
