"""Two maps are set side by side on the very same units, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyogrio.raw import write as write_layer
from shapely import box, points, to_wkb

from rs_workbench.accuracy import iou
from rs_workbench.accuracy.assess.options import AssessOptions
from rs_workbench.accuracy.result import Assessment, Baseline
from rs_workbench.accuracy.sample import Design, Stratum
from rs_workbench.assess import assess_map
from rs_workbench.errors import AccuracyError
from tests.workbench.rasters import NORTH_UP, UTM, write_tif

SHAPE = (40, 60)
CLASSES = "1=water,2=ice,3=land"
RNG = np.random.default_rng(2)
TRUTH = RNG.integers(1, 4, SHAPE).astype(np.uint8)


def noisy(share: float) -> np.ndarray:
    other = RNG.integers(1, 4, SHAPE).astype(np.uint8)
    return np.where(RNG.random(SHAPE) < share, other, TRUTH)


OURS, THEIRS = noisy(0.2), noisy(0.4)


def save(folder: Path, name: str, labels: np.ndarray, **profile: object) -> Path:
    write_tif(folder / name, labels[None], nodata=255, **profile)
    return folder / name


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    """A map without its first rows, another without its last columns, and the truth."""
    folder = tmp_path / "maps"
    folder.mkdir()
    ours, theirs = OURS.copy(), THEIRS.copy()
    ours[:5], theirs[:, -10:] = 255, 255
    save(folder, "map.tif", ours)
    save(folder, "other.tif", theirs)
    save(folder, "truth.tif", TRUTH)
    return folder


def compare(maps: Path, reference: Path | str, **options: object) -> tuple[Assessment, Baseline]:
    chosen = {"classes": CLASSES, "compare": str(maps / "other.tif"), **options}
    found = assess_map(maps / "map.tif", maps / reference, options=AssessOptions(**chosen))
    return found, found.baselines[1]


def expected(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, float]:
    """Matrix and accuracy of the other map where ours has a class; nothing is wrong."""
    there = ours != 255
    matrix = np.zeros((3, 3), np.int64)
    both = there & (theirs != 255)
    np.add.at(matrix, (theirs[both] - 1, TRUTH[both] - 1), 1)
    return matrix, (theirs == TRUTH)[there].mean()


@pytest.mark.parametrize("block", [7, 16, 1000])
def test_nodata_elsewhere(maps: Path, block: int) -> None:
    ours, theirs = OURS.copy(), THEIRS.copy()
    ours[:5], theirs[:, -10:] = 255, 255
    found, other = compare(maps, "truth.tif", block=block)
    matrix, accuracy = expected(ours, theirs)
    np.testing.assert_array_equal(other.matrix, matrix)
    assert other.overall_accuracy == pytest.approx(accuracy)
    assert "has no class on 350 of the 2,100 compared pixels" in found.warnings[0]
    missing = np.bincount(TRUTH[5:, -10:].ravel() - 1, minlength=3)
    right, rows, columns = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0) + missing
    assert other.mean_iou == pytest.approx((right / (rows + columns - right)).mean())
    if other.difference is not None:
        gap = np.trace(found.counts) / found.counts.sum() - accuracy
        assert other.difference.value == pytest.approx(gap)


def test_another_extent(maps: Path) -> None:
    moved = NORTH_UP @ NORTH_UP.translation(12, 8)
    save(maps, "other.tif", THEIRS[8:, 12:], transform=moved)
    theirs = np.full(SHAPE, 255, np.uint8)
    theirs[8:, 12:] = THEIRS[8:, 12:]
    ours = OURS.copy()
    ours[:5] = 255
    _, other = compare(maps, "truth.tif")
    matrix, accuracy = expected(ours, theirs)
    np.testing.assert_array_equal(other.matrix, matrix)
    assert other.overall_accuracy == pytest.approx(accuracy)


def test_another_grid_is_refused_or_resampled(maps: Path) -> None:
    fine = np.kron(THEIRS, np.ones((2, 2), np.uint8))
    save(maps, "other.tif", fine, transform=NORTH_UP @ NORTH_UP.scale(0.5))
    with pytest.raises(AccuracyError, match=r"'other\.tif' and 'map\.tif' lie on different grids"):
        compare(maps, "truth.tif")
    _, other = compare(maps, "truth.tif", resample="majority")
    assert other.overall_accuracy == pytest.approx((THEIRS == TRUTH)[5:].mean())


def test_a_value_that_is_no_class(maps: Path) -> None:
    save(maps, "other.tif", np.full(SHAPE, 9, np.uint8))
    with pytest.raises(AccuracyError, match=r"'other\.tif' holds 9"):
        compare(maps, "truth.tif")


def ground(col: float, row: float) -> tuple[float, float]:
    return 500_000 + 10 * col, 5_000_000 - 10 * row


def test_polygons(maps: Path) -> None:
    corners = [(c, r) for r in range(0, 36, 6) for c in range(0, 56, 6)]
    shapes = [box(*ground(c, r + 4), *ground(c + 4, r)) for c, r in corners]
    labels = np.array([TRUTH[r, c] for c, r in corners], np.int32)
    write_layer(
        maps / "p.gpkg", to_wkb(shapes), [labels], ["label"],
        driver="GPKG", geometry_type="Polygon", crs=UTM,
    )  # fmt: skip
    found, other = compare(maps, "p.gpkg")
    drawn = np.zeros(SHAPE, np.uint8)
    for (c, r), label in zip(corners, labels, strict=True):
        drawn[r : r + 4, c : c + 4] = label
    used = (drawn > 0) & (np.arange(SHAPE[0])[:, None] >= 5)
    seen = np.where(np.arange(SHAPE[1]) < 50, THEIRS, 255)
    assert found.counts.sum() == used.sum()
    assert other.overall_accuracy == pytest.approx((seen == drawn)[used].mean())
    assert other.matrix.sum() == (used & (seen != 255)).sum()
    assert "where it counts as wrong" in found.warnings[-1]
    assert other.test == "bootstrap of 50 polygons"


def test_the_majority_class_is_that_of_the_map_not_of_the_sample(tmp_path: Path) -> None:
    """Half the points lie in a class that covers a hundredth of the map."""
    labels = np.ones((100, 100), np.uint8)
    labels[:, :1] = 2
    path = save(tmp_path, "map.tif", labels)
    rows = np.arange(0, 100, 5)
    xy = [ground(0.5, r + 0.5) for r in rows] + [ground(50.5, r + 0.5) for r in rows[:-1]]
    truth = np.array([2] * 20 + [1] * 19, np.int32)
    write_layer(
        tmp_path / "p.gpkg", to_wkb(points(np.array(xy))), [truth], ["label"],
        driver="GPKG", geometry_type="Point", crs=UTM,
    )  # fmt: skip
    options = AssessOptions(classes="1=land,2=road", design="stratified")
    found = assess_map(path, tmp_path / "p.gpkg", options=options)
    assert found.baselines[0].overall_accuracy == pytest.approx(0.99)


def test_points_without_a_class_on_the_other_map(maps: Path) -> None:
    pixels = [(c, r) for r in range(6, 40, 3) for c in range(1, 60, 3)]
    xy = np.array([ground(c + 0.5, r + 0.5) for c, r in pixels])
    truth = np.array([TRUTH[r, c] for c, r in pixels], np.int32)
    write_layer(
        maps / "p.gpkg", to_wkb(points(xy)), [truth], ["label"],
        driver="GPKG", geometry_type="Point", crs=UTM,
    )  # fmt: skip
    found, other = compare(maps, "p.gpkg")
    theirs = np.array([THEIRS[r, c] if c < 50 else 0 for c, r in pixels])
    assert other.overall_accuracy == pytest.approx((theirs == truth).mean())
    matrix = np.zeros((4, 4))
    np.add.at(matrix, (theirs - 1, truth - 1), 1)
    assert other.mean_iou == pytest.approx(iou(matrix)[:3].mean())
    assert "of the 240 compared points, where it counts as wrong" in found.warnings[0]


def test_strata_of_one_name_are_told_apart(tmp_path: Path) -> None:
    path = save(tmp_path, "map.tif", TRUTH)
    pixels = [(c, r) for r in range(0, 40, 2) for c in range(0, 60, 2)]
    xy = np.array([ground(c + 0.5, r + 0.5) for c, r in pixels])
    truth = np.array([TRUTH[r, c] for c, r in pixels], np.int32)
    write_layer(
        tmp_path / "p.gpkg", to_wkb(points(xy)), [truth], ["label"],
        driver="GPKG", geometry_type="Point", crs=UTM,
    )  # fmt: skip
    options = AssessOptions(classes="1=water,2=water,3=land", design="stratified")
    found = assess_map(path, tmp_path / "p.gpkg", options=options)
    assert isinstance(found.design, Design)
    assert [s.name for s in found.design.strata] == ["water (1)", "water (2)", "land"]
    assert all(isinstance(s, Stratum) for s in found.design.strata)
    assert found.estimate is not None
    assert found.estimate.overall.value == 1
