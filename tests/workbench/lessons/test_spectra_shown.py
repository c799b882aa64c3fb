"""What single spectra say: three pictures and sentences with the right figures."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.image import imread

from rs_workbench.lessons.cube_chips import read_cube_chips
from rs_workbench.lessons.cube_transform import fit_transform
from rs_workbench.lessons.folds import Parts, deal_folds, parts_of
from rs_workbench.lessons.spectra_shown import show_spectra
from rs_workbench.standin_files import write_stand_in
from tests.workbench.lessons.test_class_spectra import pure_chips

PICTURES = {"spectra.png", "spectral_angle.png", "noise_undone.png"}
PARTS = Parts(np.array([0, 1, 3]), np.array([2]), np.array([4, 5]))


def show(folder, chips, parts, *, n_components=4, kind="mnf"):
    transform = fit_transform(chips, parts.training, kind=kind, n_components=n_components)
    shown = show_spectra(folder, chips, transform, parts)
    assert {path.name for path in shown.pictures.values()} == PICTURES
    for path in shown.pictures.values():
        assert imread(path).shape[1] <= 1600
    assert "nan" not in shown.words
    return shown.words


def test_pure_stripes_are_told_as_they_are(tmp_path):
    words = show(tmp_path, pure_chips(), PARTS, n_components=6)
    assert "is right on 100.0% of the labelled pixels of this fold's held-out tiles" in words
    assert "(mean IoU 1.000)" in words
    assert "NDVI, (R800 - R670) / (R800 + R670), is highest on roof (median 0.20)" in words
    assert "lowest on low vegetation (-0.7" in words
    assert "keeps 100.0% of its variance; what is gone is 0.00 times" in words
    assert "so it may all be noise" in words


def test_an_index_of_nothing_is_doubted(tmp_path):
    chips = pure_chips()
    chips.cube.array[1][chips.labels == 0] = 0
    words = show(tmp_path, chips, PARTS)
    assert "highest on roof (median 1.00, with a band of 0 or less in 100% of the pixels)" in words


def test_without_wavelengths_bands_are_numbered_and_there_is_no_index(tmp_path):
    chips = pure_chips(wavelengths=None, times=5)
    words = show(tmp_path, chips, PARTS, kind="pca", n_components=2)
    assert re.search(r"\(numbers \d+(, \d+){5}\)", words)
    assert "no wavelengths, so bands are numbered, and there are no indices" in words
    assert "Made again of 2 PCA components" in words


def test_where_little_is_labelled_it_is_said(tmp_path):
    chips = pure_chips()
    chips.labels[chips.labels != 0] = 255
    for window in (chips.windows[k] for k in PARTS.held_out):
        chips.labels[window.slices] = 255
    words = show(tmp_path, chips, PARTS)
    assert "Too few classes have training pixels" in words
    assert "Spectral angle" not in words


@pytest.mark.parametrize("name", ["enmap_potsdam", "salinas_a"])
def test_stand_ins_are_shown(tmp_path, name):
    folder = write_stand_in(name, tmp_path / "data", count=9)
    chips = read_cube_chips(name, folder)
    parts = parts_of(deal_folds(chips.counts, 3), 0)
    words = show(tmp_path / "out", chips, parts)
    assert ("NDVI" in words) == bool(np.isfinite(chips.cube.wavelengths).all())


@pytest.mark.data
def test_the_real_scene_says_what_the_page_says(data_folder, tmp_path):
    chips = read_cube_chips("enmap_potsdam", data_folder / "enmap_potsdam")
    parts = parts_of(deal_folds(chips.counts, 6), 5)
    words = show(tmp_path, chips, parts, n_components=12)
    assert "The pair that stays closest is 'roof' and 'pavement', with 0.16" in words
    assert "right on 52.5% of the labelled pixels" in words
    assert "is highest on water (median 1.00, with a band of 0 or less in 55%" in words
    assert "keeps 86.6% of its variance; what is gone is 1.16 times" in words
