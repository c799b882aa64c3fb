"""Case 3 runs, on real and on drawn data; what each part promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import require_framework

require_framework("keras")

from keras_cases import land_cover_deeplabv3 as case  # noqa: E402
from rs_workbench.card import read_card  # noqa: E402
from rs_workbench.lessons.keras_ground import DrawnChips  # noqa: E402

DRAWN = replace(case.SMOKE, drawn=True, leak_epochs=0)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    s = replace(DRAWN, out=tmp_path_factory.mktemp("drawn"))
    return s, case.load_data(s)


def check_report(s, report):
    text = report.read_text(encoding="utf-8")
    lines = ("DeepLabV3+", "plain U-Net", "commonest class", "random forest on pixels")
    assert all(f"| {name} |" in text for name in lines)
    assert text.count("published") == 4
    assert "user's accuracy" in text
    assert "Kappa is not a measure of accuracy" in text
    assert "intervals hold the true area" in text
    assert read_card(s.out / "model.keras").nodata == (0,)
    for name in ("curves", "chips", "confusion", "cutting", "map"):
        assert (s.out / f"{name}.png").stat().st_size > 1000


@pytest.mark.data
def test_the_case_runs_on_real_data(tmp_path, data_folder):
    s = replace(case.SMOKE, out=tmp_path)
    report = case.main(s)
    check_report(s, report)
    text = report.read_text(encoding="utf-8")
    assert "data: real" in text
    assert "DeepLabV3+, split random" in text
    assert (tmp_path / "splits.png").is_file()


def test_the_case_runs_on_drawn_data(drawn):
    s, _ = drawn
    report = case.main(s)
    check_report(s, report)
    assert "data: drawn" in report.read_text(encoding="utf-8")


def test_no_ground_is_on_two_sides(drawn):
    _, data = drawn
    assert data.ground.leaks == 0
    assert data.ground.split is not None


def test_a_split_by_chance_leaks(drawn):
    s, _ = drawn
    assert case.load_data(replace(s, split="random")).ground.leaks > 0


@pytest.mark.data
def test_elevation_is_a_fourth_band_on_the_same_split(tmp_path, data_folder):
    """On real elevation, most of which is 0 or 255, as transparency would be."""
    s = replace(case.SMOKE, n_tiles=20, out=tmp_path)
    low, high = (case.load_data(replace(s, elevation=e)).ground for e in (False, True))
    assert high.band_names == ("red", "green", "blue", "elevation")
    assert high.held_out == low.held_out
    assert high.counts.keys() == low.counts.keys()
    assert all((high.counts[part] == low.counts[part]).all() for part in low.counts)
    assert case.build_model(replace(s, elevation=True)).input_shape[-1] == 4


def test_the_same_seed_draws_the_same_chips_and_each_epoch_others(drawn):
    _, data = drawn
    first, again, other = (DrawnChips(data.ground, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first[0][0], again[0][0])
    assert not np.array_equal(first[0][0], other[0][0])
    before = first[0][0]
    first.on_epoch_end()
    assert not np.array_equal(first[0][0], before)
    assert len(first) == 2


def test_the_same_seed_makes_the_same_net(drawn):
    s, _ = drawn
    one, two = (case.build_model(s).get_weights() for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
