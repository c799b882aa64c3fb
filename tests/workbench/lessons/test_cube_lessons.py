"""Chips of a cube, folds, transform of the training part, counts, baselines, samples."""

from __future__ import annotations

import numpy as np
import pytest

from rs_workbench.errors import UsageError
from rs_workbench.lessons.cube_chips import (
    LEGENDS,
    CubeChips,
    choose_classes,
    cut,
    inside,
    read_cube_chips,
)
from rs_workbench.lessons.cube_scene import write_cube_scene
from rs_workbench.lessons.cube_transform import components_of, fit_transform, raw_tiles
from rs_workbench.lessons.few_labels import draw_seeds, make_samples, picture_of_samples
from rs_workbench.lessons.folds import deal_folds, leaked_share, parts_of
from rs_workbench.lessons.spectral_baselines import (
    count_baselines,
    labelled_pixels,
    pixel_split_scores,
    tune_forest,
    tune_svm,
)
from rs_workbench.spectra.cubes import cube_of_array, open_cube
from rs_workbench.standin_files import write_stand_in
from tiling.windows import Window


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_stand_in("enmap_potsdam", tmp_path_factory.mktemp("cube") / "enmap", count=9)


@pytest.fixture(scope="module")
def chips(folder):
    return read_cube_chips("enmap_potsdam", folder)


def small_chips(seed=0):
    """Six tiles of 8 px, five bands of smooth fields and noise, three classes."""
    rng = np.random.default_rng(seed)
    rows, cols = np.indices((16, 24)) / 24
    fields = np.stack([np.sin(4 * rows + b * cols) for b in range(5)])
    array = (fields + 0.05 * rng.normal(size=fields.shape)).astype(np.float32)
    labels = (np.indices((16, 24))[0] // 3 % 3).astype(np.uint8)
    windows = tuple(Window(r, c, 8, 8) for r in (0, 8) for c in (0, 8, 16))
    classes = LEGENDS["enmap_potsdam"][:3]
    return CubeChips(cube_of_array(array), labels, windows, classes, 30.0)


# Reading


def test_tiles_lie_where_their_files_say(folder, chips):
    assert chips.cube.shape == (96, 96) == chips.labels.shape
    path = folder / "images" / "enmap_potsdam_tile_32_64.tif"
    read = open_cube(path).read()
    window = next(w for w in chips.windows if (w.row, w.col) == (32, 64))
    found = chips.cube.array[:, *window.slices]
    np.testing.assert_array_equal(found[read.present], read.values[read.present])
    assert np.isnan(found[~read.present]).all()
    assert chips.cube.band_names == open_cube(path).band_names
    assert chips.pixel_size == 30


def test_every_label_is_in_a_chip(chips):
    codes, n = np.unique(chips.labels[chips.labels != 255], return_counts=True)
    assert codes.tolist() == list(range(6))
    assert chips.counts.sum(axis=0).tolist() == n.tolist()


def test_salinas_is_cut_into_squares_and_loses_no_label(tmp_path):
    folder = write_stand_in("salinas_a", tmp_path / "salinas")
    chips = read_cube_chips("salinas_a", folder)
    assert chips.cube.shape == (96, 96)
    assert len(chips.windows) == 36
    assert chips.counts.sum() == (chips.labels != 255).sum() > 1000
    assert np.isnan(chips.cube.array[:, 83:]).all()


def test_some_classes_only(chips):
    fewer = chips.only(("water", "roof"))
    assert [entry.name for entry in fewer.classes] == ["water", "roof"]
    assert fewer.counts.sum(axis=0).tolist() == chips.counts.sum(axis=0)[[5, 0]].tolist()
    assert chips.only(()) is chips
    with pytest.raises(UsageError, match="no class 'sea': choose from roof, pavement"):
        choose_classes(chips.classes, ("sea",))


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(UsageError, match="no labelled cube 'pavia': choose from enmap_potsdam"):
        read_cube_chips("pavia", tmp_path)
    with pytest.raises(UsageError, match="holds no tiles: 'images/"):
        read_cube_chips("enmap_potsdam", tmp_path)


# Folds


def test_every_chip_is_held_out_once_and_no_part_shares_one():
    folds = deal_folds(np.random.default_rng(0).integers(0, 50, (18, 4)), 6)
    assert np.bincount(folds).tolist() == [3] * 6
    held_out = []
    for fold in range(6):
        parts = parts_of(folds, fold)
        assert sorted(np.concatenate(parts)) == list(range(18))
        held_out.extend(parts.held_out)
    assert sorted(held_out) == list(range(18))


def test_folds_spread_a_rare_class():
    counts = np.full((12, 2), 100)
    counts[:, 1] = [5, 5, 5, 5, 0, 0, 0, 0, 0, 0, 0, 0]
    folds = deal_folds(counts, 4)
    assert [counts[folds == fold, 1].sum() for fold in range(4)] == [5] * 4


def test_impossible_folds_are_refused():
    with pytest.raises(UsageError, match=r"at least 3 .* got 2 for 9 chips"):
        deal_folds(np.ones((9, 1)), 2)
    with pytest.raises(UsageError, match="folds 0 to 2: got fold 3"):
        parts_of(np.array([0, 1, 2]), 3)


def test_copies_before_the_split_leak():
    assert leaked_share(72) == pytest.approx(1 - 86 * 85 * 84 / (287 * 286 * 285))
    assert leaked_share(72, copies=1) == 0


# Transform


@pytest.mark.parametrize("kind", ["mnf", "pca"])
def test_a_transform_knows_the_training_chips_alone(kind):
    chips = small_chips()
    first = fit_transform(chips, [0, 1, 3], kind=kind, n_components=3)
    chips.cube.array[:, *chips.windows[5].slices] = 1e6
    again = fit_transform(chips, [0, 1, 3], kind=kind, n_components=3)
    np.testing.assert_array_equal(first.forward, again.forward)
    assert first.n_pixels == 3 * 64


def test_components_have_variance_one_in_training_and_nothing_where_nothing_is():
    chips = small_chips()
    chips.cube.array[:, 0, 0] = np.nan
    transform = fit_transform(chips, range(6), kind="pca", n_components=2)
    images = components_of(chips, transform)
    assert images.shape == (6, 2, 8, 8)
    assert images.dtype == np.float32
    assert (images[0, :, 0, 0] == 0).all()
    known = np.moveaxis(images, 1, 0).reshape(2, -1)
    np.testing.assert_allclose(known.var(axis=1), 1, atol=0.02)


def test_a_transform_that_is_none_is_refused():
    with pytest.raises(UsageError, match="no transform 'ica': choose from mnf, pca"):
        fit_transform(small_chips(), [0], kind="ica", n_components=1)


def test_the_mask_of_windows():
    where = inside((8, 8), [Window(0, 0, 4, 4)])
    assert where(Window(2, 2, 4, 4)).sum() == 4


# A large scene


def test_a_scene_of_chips_keeps_bands_and_labels_together(tmp_path, chips):
    scene, reference = write_cube_scene(tmp_path, chips, [2, 5], rows=2, cols=3)
    cube, codes = open_cube(scene), open_cube(reference).read()
    assert cube.shape == (64, 96)
    assert cube.band_names == chips.cube.band_names
    np.testing.assert_allclose(cube.wavelengths, chips.cube.wavelengths, rtol=1e-5)
    tiles, labels = raw_tiles(chips, [2, 5]), cut(chips.labels, [chips.windows[i] for i in (2, 5)])
    pairs = {
        (float(band), int(label) + 1)
        for band, label in zip(tiles[:, 20].ravel(), labels.ravel(), strict=True)
        if label != 255
    }
    known = codes.valid
    laid = cube.with_bands([21]).read().values[0][known]
    found = set(zip(laid.tolist(), codes.values[0][known].astype(int).tolist(), strict=True))
    assert found <= pairs
    assert known.mean() == pytest.approx((labels != 255).mean())


def test_a_scene_of_nothing_is_refused(tmp_path, chips):
    with pytest.raises(UsageError, match="got 0 chips, 2 rows and 3 columns"):
        write_cube_scene(tmp_path, chips, [], rows=2, cols=3)


# Baselines


def halves(chips, n=3):
    transform = fit_transform(chips, range(len(chips.windows)), kind="pca", n_components=n)
    images, labels = components_of(chips, transform), cut(chips.labels, chips.windows)
    return [(images[k::3], labels[k::3]) for k in range(3)]


def test_baselines_choose_on_validation_and_never_see_what_is_held_out():
    pytest.importorskip("sklearn")
    training, validation, held_out = halves(small_chips())
    chosen = tune_svm(training, validation, 3, grid={"C": (1e-6, 10.0), "gamma": (0.1,)})
    assert chosen.settings == {"C": 10.0, "gamma": 0.1}
    assert chosen.n_pixels == (training[1] != 255).sum()
    forest = tune_forest(training, validation, 3, grid={"max_depth": (1, 8)}, trees=5)
    assert forest.predict(held_out[0]).shape == held_out[1].shape
    counts = count_baselines(training, validation, held_out, 3)
    assert {name: found.shape for name, found in counts.items()} == dict.fromkeys(
        ("SVM", "random forest", "commonest class"), (2, 3, 3)
    )
    assert (counts["commonest class"].sum(axis=0).sum(axis=1) > 0).sum() == 1


def test_pixels_dealt_at_random_score_higher_than_tiles():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    tile = np.repeat(np.arange(12), 40)
    labels = np.repeat(rng.integers(0, 2, 12), 40).astype(np.uint8)
    pixels = rng.normal(size=(12, 3))[tile] + 0.1 * rng.normal(size=(480, 3))
    by_pixel, by_tile = pixel_split_scores(pixels.astype(np.float32), labels, tile % 4)
    assert by_pixel.sum() == by_tile.sum() == 480
    assert by_pixel.trace() > 0.95 * 480
    assert by_tile.trace() < 0.8 * 480


def test_only_labelled_pixels_are_taken():
    images = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    pixels, labels = labelled_pixels(images, np.array([[[1, 255], [0, 255]]], np.uint8))
    assert pixels.tolist() == [[0, 4], [2, 6]]
    assert labels.tolist() == [1, 0]


# Few labels


def test_few_labels_become_many(tmp_path):
    folder = write_stand_in("salinas_a", tmp_path / "salinas")
    chips = read_cube_chips("salinas_a", folder)
    samples = make_samples(chips, per_class=4)
    assert (samples.seeds != 255).sum() == 24
    assert (samples.superpixels != 255).sum() > 100
    assert samples.superpixel_purity.overall > 0.7
    assert samples.words.startswith("On Salinas A, of 24 labelled pixels, regions grown by")
    assert "nan" not in samples.words
    assert picture_of_samples(tmp_path / "few.png", chips, samples).stat().st_size > 10_000
    with pytest.raises(UsageError, match="at least one pixel of each class"):
        draw_seeds(chips.labels, 6, per_class=0)


@pytest.mark.data
def test_the_real_scenes(data_folder):
    potsdam = read_cube_chips("enmap_potsdam", data_folder / "enmap_potsdam")
    assert potsdam.counts.sum(axis=0).tolist() == [505, 953, 1694, 2070, 91, 359]
    assert len(potsdam.windows) == 18
    salinas = read_cube_chips("salinas_a", data_folder / "salinas_a")
    assert salinas.counts.sum(axis=0).tolist() == [291, 1243, 516, 1425, 574, 699]
    transform = fit_transform(potsdam, range(6), kind="mnf", n_components=4)
    assert transform.n_bands == 216
