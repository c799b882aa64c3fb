"""Batches: the same for any number of threads, scaled, padded, and never more than needed."""

import threading
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
import rasterio

from rs_workbench.errors import SceneError
from rs_workbench.training.augment import NO_CHANGE
from rs_workbench.training.chip_reader import ChipReader
from rs_workbench.training.data import open_data
from rs_workbench.training.ground import MOST_OPEN, GroundReader
from rs_workbench.training.loader import batch_hash, part_batches, training_batches
from rs_workbench.training.piece_cache import PieceCache, piece_size
from rs_workbench.training.read_ahead import AHEAD, one_thread_each, read_ahead
from tests.training.scenes import VALUES, draw, folder_settings, write_pair
from tests.workbench.rasters import write_tif
from tiling import Window
from tiling.chips import grid_positions
from tiling.label_index import IGNORE

CHANGED = {"brightness": 0.1, "noise": 0.1, "cut_mix": 0.5, "scale": (0.8, 1.2)}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    for i, name in enumerate("ab"):
        write_pair(folder, name, (160, 128), seed=i, at=(0, 200 * i), nodata=0)
    return open_data(folder_settings(folder, augment=CHANGED, batch=5))


def with_settings(data, **changes):
    return replace(data, settings=data.settings.model_copy(update=changes))


def test_an_epoch_has_whole_batches_of_the_right_kind(data):
    batches = list(training_batches(data, 0))
    assert [len(batch.chips) for batch in batches] == [5, 5, 5]  # 12 chips are asked
    for batch in batches:
        assert batch.images.shape == (5, 2, 16, 16)
        assert batch.images.dtype == np.float32
        assert batch.labels.dtype == np.uint8
        assert batch.images.flags.c_contiguous
        assert set(np.unique(batch.labels)) <= {0, 1, 2, IGNORE}


@pytest.mark.parametrize("kind", ["blocks", "random"])
def test_threads_change_nothing(data, kind):
    if kind == "random":
        split = data.settings.split.model_copy(update={"kind": "random"})
        data = open_data(data.settings.model_copy(update={"split": split}))
    sums = {
        batch_hash(training_batches(with_settings(data, workers=n, chips=40), 1)) for n in (1, 4)
    }
    fresh = open_data(data.settings.model_copy(update={"workers": 3, "chips": 40}))
    assert sums == {batch_hash(training_batches(fresh, 1))}


def test_seeds_and_epochs_give_other_chips(data):
    other = open_data(data.settings.model_copy(update={"seed": 1}))
    sums = [batch_hash(training_batches(*one)) for one in ((data, 0), (data, 1), (other, 0))]
    assert len(set(sums)) == 3
    np.testing.assert_array_equal(other.statistics.mean, data.statistics.mean)
    assert other.held_out == data.held_out


def test_dealt_chips_come_lap_after_lap(data):
    split = data.settings.split.model_copy(update={"kind": "random"})
    dealt = open_data(data.settings.model_copy(update={"split": split, "chips": 60}))
    seen = Counter()
    for epoch in range(3):
        for batch in training_batches(dealt, epoch):
            seen.update((chip.scene, chip.window) for chip in batch.chips)
    assert set(seen) == {(chip.scene, chip.window) for chip in dealt.training}
    assert max(seen.values()) - min(seen.values()) <= 1


def test_pixels_are_scaled_and_labels_fit_them(data):
    plain = with_settings(data, augment=NO_CHANGE)
    for batch in training_batches(plain, 0):
        for image, labels, chip, _ in zip(*batch, strict=True):
            stored, values = draw((160, 128), seed=chip.scene)
            place = chip.window.slices
            mean, std = (getattr(data.statistics, n)[:, None, None] for n in ("mean", "std"))
            np.testing.assert_allclose(image, (stored[..., *place] - mean) / std, atol=1e-5)
            expected = np.full(labels.shape, IGNORE)
            for index, value in enumerate(VALUES):
                expected[values[place] == value] = index
            np.testing.assert_array_equal(labels, expected)


def test_each_pixel_of_a_part_comes_once(data):
    for chips in (data.validation, data.held_out):
        batches = list(part_batches(data, chips, batch=7))
        assert [chip for batch in batches for chip in batch.chips] == list(chips)
        labels = np.concatenate([batch.labels.ravel() for batch in batches])
        part = "validation" if chips is data.validation else "held_out"
        assert np.bincount(labels[labels != IGNORE]).tolist() == data.counts[part].tolist()
    assert list(part_batches(data, ())) == []


def test_chips_are_padded_beyond_small_scenes(tmp_path):
    write_pair(tmp_path, "a", (96, 96))
    image, labels = draw((10, 30), seed=3)
    write_tif(tmp_path / "scenes" / "small.tif", image, transform=None, crs=None)
    write_tif(tmp_path / "labels" / "small.tif", labels[None], transform=None, crs=None)
    scene = str(tmp_path / "scenes" / "small.tif")
    settings = folder_settings(tmp_path, augment={"fill": -3.0})
    data = open_data(settings.model_copy(update={"scenes": (str(tmp_path / "scenes" / "a.tif"),)}))
    small = open_small(data, scene, str(tmp_path / "labels" / "small.tif"))
    with ChipReader(small) as reader:
        for chip in grid_positions([(10, 30)], 16):
            pixels = reader.read(chip)
            assert pixels.image.shape == (2, 16, 16)
            assert (pixels.image[:, 10:] == -3).all()
            assert (pixels.labels[10:] == IGNORE).all()
            assert not pixels.valid[10:].any()
            assert pixels.valid[:10].all()
            assert (pixels.image[:, :10] != -3).all()


def open_small(data, scene, labels):
    """The same statistics over another scene."""
    from rs_workbench.raster import open_scene
    from rs_workbench.training.label_maps import open_label_maps

    opened = open_scene(scene)
    settings = data.settings.model_copy(update={"scenes": (scene,), "labels": (labels,)})
    sources = open_label_maps(settings, [opened]).sources
    ground = replace(data.ground, scenes=(opened,), sources=sources, cache=PieceCache())
    return replace(data, ground=ground, settings=settings)


def test_nodata_is_filled_and_never_labelled(tmp_path):
    scene, _ = write_pair(tmp_path, shape=(96, 96), nodata=0)
    with rasterio.open(scene, "r+") as file:
        pixels = file.read()
        pixels[:, 20:24] = 0
        pixels[1, 50] = 0  # 0 may be measured in one band
        file.write(pixels)
    data = open_data(folder_settings(tmp_path, augment={"fill": 5.0}))
    with ChipReader(data) as reader:
        found = [reader.read(chip) for chip in grid_positions([(96, 96)], 32)]
    top = found[0]
    assert not top.valid[20:24].any()
    assert (top.image[:, 20:24] == 5).all()
    assert (top.labels[20:24] == IGNORE).all()
    assert found[3].valid[50 - 32].all()


def test_values_missing_from_one_band_are_filled_there(tmp_path):
    write_pair(tmp_path, shape=(96, 96))
    image = draw((96, 96))[0].astype(np.float32)
    image[1, 3, 4] = np.nan
    write_tif(tmp_path / "scenes" / "a.tif", image)
    data = open_data(folder_settings(tmp_path))
    with ChipReader(data) as reader:
        chip = reader.read(grid_positions([(96, 96)], 16)[0])
    assert chip.valid[3, 4]
    assert chip.image[1, 3, 4] == 0
    assert chip.image[0, 3, 4] != 0


def test_errors_of_threads_reach_the_caller(data, tmp_path):
    write_pair(tmp_path)
    broken = open_data(folder_settings(tmp_path))
    broken.ground.cache.limit = 0
    broken.ground.cache.get("more", lambda: (None, 1))  # empties the cache
    (tmp_path / "scenes" / "a.tif").unlink()
    before = threading.active_count()
    with pytest.raises(SceneError, match=r"a\.tif' can no longer be opened"):
        list(training_batches(broken, 0))
    assert threading.active_count() == before


def test_threads_end_with_the_loop(data):
    before, threads = threading.active_count(), cv2.getNumThreads()
    many = data.settings.model_copy(update={"chips": 500})  # so that all cannot be read ahead
    batches = training_batches(replace(data, settings=many), 0)
    next(batches)
    assert threading.active_count() > before
    assert cv2.getNumThreads() in (0, 1)
    batches.close()
    assert threading.active_count() == before
    assert cv2.getNumThreads() == threads


def test_settings_of_opencv_return_after_the_last_reader():
    threads = cv2.getNumThreads()
    with one_thread_each():
        with one_thread_each():
            pass
        assert cv2.getNumThreads() in (0, 1)
    assert cv2.getNumThreads() == threads


def test_few_items_wait():
    class Reader:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    made, taken, most = [], 0, 0
    for item in read_ahead(
        Reader, lambda reader, number: made.append(number) or number, 60, n_workers=3
    ):
        assert item == taken
        taken += 1
        most = max(most, len(made) - taken)
    assert taken == 60
    assert most <= 3 + AHEAD


def test_pieces_are_made_once_and_the_oldest_forgotten():
    cache, made = PieceCache(100), []

    def piece(name, size):
        return cache.get(name, lambda: (made.append(name) or name, size))

    assert [piece("a", 40), piece("b", 40), piece("a", 40)] == ["a", "b", "a"]
    piece("c", 40)
    assert cache.n_bytes == 80
    piece("a", 40)
    piece("b", 40)
    assert made == ["a", "b", "c", "b"]


def test_a_piece_is_made_by_one_thread_and_after_an_error_anew():
    cache, made, ready = PieceCache(), [], threading.Barrier(4)

    def make():
        made.append(1)
        return 5, 1

    def ask():
        ready.wait()
        assert cache.get("x", make) == 5

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    with pytest.raises(ZeroDivisionError):
        cache.get("y", lambda: (1 / 0, 1))
    assert cache.get("y", make) == 5


@pytest.mark.parametrize(
    ("shape", "block", "pixel_bytes"),
    [
        ((608, 608), (1, 608), 3),
        ((9000, 9000), (256, 256), 4),
        ((9000, 50_000), (1, 50_000), 4),
        ((9000, 9000), (512, 512), 12),
        ((9000, 9000), (9000, 9000), 3),
        ((9000, 9000), (512, 512), 500),
    ],
)
def test_pieces_are_whole_blocks_of_bounded_size(shape, block, pixel_bytes):
    size = piece_size(shape, block, pixel_bytes)
    if size is None:
        assert block[0] * block[1] * pixel_bytes > 8 << 20
        return
    assert size[0] * size[1] * pixel_bytes <= 8 << 20
    for side, stored, whole in zip(size, block, shape, strict=True):
        assert side == whole or side % stored == 0


def test_windows_are_the_same_however_they_are_cut(tmp_path, monkeypatch):
    write_pair(tmp_path, shape=(200, 300), tiled=True, blockxsize=64, blockysize=32)
    data = open_data(folder_settings(tmp_path))
    windows = [Window(0, 0, 200, 300), Window(31, 63, 70, 190), Window(199, 299, 1, 1)]
    stored = draw((200, 300))[0]
    for most, least in ((8 << 20, 256), (20_000, 16), (10, 16)):
        monkeypatch.setattr("rs_workbench.training.piece_cache.PIECE_BYTES", most)
        monkeypatch.setattr("rs_workbench.training.piece_cache._LEAST_SIDE", least)
        ground = replace(data.ground, cache=PieceCache(50_000))
        with GroundReader(ground) as reader:
            for window in windows:
                out = np.zeros((2, window.height, window.width))
                for piece in reader.pieces(0, window):
                    out[..., *piece.place] = piece.pixels
                np.testing.assert_array_equal(out, stored[..., *window.slices])
                labels = reader.labels(0, window)
                assert labels.shape == out.shape[1:]
        assert ground.cache.n_bytes <= 50_000


def test_many_scenes_do_not_keep_all_files_open(tmp_path):
    n_scenes = MOST_OPEN // 2 + 3
    for i in range(n_scenes):
        write_pair(tmp_path, f"s{i:02d}", (32, 32), seed=i, at=(0, 100 * i))
    data = open_data(folder_settings(tmp_path, tile=8))
    ground = replace(data.ground, cache=PieceCache(0))
    with GroundReader(ground) as reader:
        for scene in [*range(n_scenes), 0]:
            labels = reader.labels(scene, Window(0, 0, 32, 32))
            (piece,) = reader.pieces(scene, Window(0, 0, 32, 32))
            np.testing.assert_array_equal(piece.pixels, draw((32, 32), seed=scene)[0])
            assert ((labels == IGNORE) == (draw((32, 32), seed=scene)[1] == 0)).all()
            assert len(reader._opened) <= MOST_OPEN
