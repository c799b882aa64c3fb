"""From a map to a sample to an estimate: what drawing and estimating must agree on."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from scipy import ndimage

from rs_workbench.accuracy.assess.options import AssessOptions
from rs_workbench.accuracy.estimates import AccuracyEstimate
from rs_workbench.assess import assess_map
from rs_workbench.assess_design import DesignOptions, design_sample
from tests.workbench.rasters import write_tif

ASSESSED = AssessOptions(classes="0=sea,1=water,4=ice")
NORTH = Affine(0.5, 0.0, 10.0, 0.0, -0.5, 80.0)


def drawn_and_assessed(
    source: str, truth: NDArray[np.uint8], **options: object
) -> AccuracyEstimate:
    """Draw a sample, label it by the truth, and estimate."""
    sample = Path(source).with_suffix(".gpkg")
    asked = DesignOptions(classes=ASSESSED.classes, overwrite=True, **options)  # type: ignore[arg-type]
    sample.unlink(missing_ok=True)
    design_sample(source, sample, options=asked)
    with closing(connect(sample)) as table:
        for (name,) in table.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            table.execute(f'DROP TRIGGER "{name}"')  # they call functions that only GIS know
        places = table.execute("SELECT row, col, fid FROM sample").fetchall()
        labels = [(int(truth[row, col]), fid) for row, col, fid in places]
        table.executemany("UPDATE sample SET reference = ? WHERE fid = ?", labels)
        table.commit()
    estimate = assess_map(source, sample, options=ASSESSED).estimate
    assert estimate is not None
    return estimate


def test_255_is_no_class_for_either(tmp_path: Path) -> None:
    labels = np.repeat(np.array([0, 1, 255, 4], np.uint8), 100).reshape(20, 20)
    source = write_tif(tmp_path / "map.tif", labels[None])
    estimate = drawn_and_assessed(source, labels, n=60, minimum=5)
    assert list(estimate.stratum_units) == ["sea", "water", "ice"]
    assert sum(a.area_ha for a in estimate.area) == pytest.approx(3)


def test_nodata_that_only_the_draw_knew_adds_no_area(tmp_path: Path) -> None:
    labels = np.repeat(np.array([0, 0, 1, 4], np.uint8), 100).reshape(20, 20)
    source = write_tif(tmp_path / "map.tif", labels[None])
    estimate = drawn_and_assessed(source, labels, n=60, minimum=5, nodata=(0.0,))
    assert [a.area_ha for a in estimate.area] == pytest.approx([0, 1, 1])
    assert [a.mapped_ha for a in estimate.area] == pytest.approx([2, 1, 1])
    assert "drawn from 2.0 ha, but the classes of the map cover 4.0 ha" in estimate.warnings[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["stratified", "simple_random", "systematic"])
def test_estimates_are_right_on_average_near_a_pole(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(3)
    field = ndimage.gaussian_filter(rng.normal(size=(100, 80)), 5)
    field /= field.std()
    truth = np.array([0, 1, 4], np.uint8)[np.digitize(field, [-0.3, 1.3])]
    labels = np.array([0, 1, 4], np.uint8)[
        np.digitize(field + rng.normal(size=field.shape) / 2, [-0.1, 1.4])
    ]
    source = write_tif(tmp_path / "map.tif", labels[None], crs="EPSG:4326", transform=NORTH)
    buffer = {"buffer": ("ice:2",)} if kind == "stratified" else {}
    draws = [
        drawn_and_assessed(source, truth, n=240, kind=kind, seed=seed, **buffer)
        for seed in range(150)
    ]
    # On a sphere, which is within 1 % of the ellipsoid here.
    area = np.cos(np.radians(80 - 0.5 * (np.arange(100) + 0.5)))[:, None] * np.ones(80)
    expected = [area[labels == truth].sum(), *(area[truth == value].sum() for value in (0, 1, 4))]
    found = np.array([[d.overall.value, *(s.value for s in d.share)] for d in draws])
    error = found.std(axis=0) / np.sqrt(len(draws))
    assert np.abs(found.mean(axis=0) - np.array(expected) / area.sum()) == pytest.approx(
        0, abs=4 * error.max()
    )
    # Counted by pixels the same shares would be farther off than that.
    by_pixels = [np.mean(labels == truth), *(np.mean(truth == value) for value in (0, 1, 4))]
    assert np.abs(np.array(by_pixels) - np.array(expected) / area.sum()).max() > 4 * error.max()
