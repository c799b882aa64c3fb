"""Assessments to write reports of."""

from dataclasses import replace

import numpy as np

from rs_workbench.accuracy.area import stratified_estimate
from rs_workbench.accuracy.blocks import BlockScores, LeaveOneOut, Spread
from rs_workbench.accuracy.correlation import CorrelationRange
from rs_workbench.accuracy.estimates import Estimate
from rs_workbench.accuracy.result import Assessment, Baseline
from rs_workbench.accuracy.sample import Design, Stratum
from rs_workbench.card import LegendClass, spread_color

# Olofsson et al. 2014, Remote Sensing of Environment 148, table 8: 30 m pixels.
COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]], np.int64)
PIXELS = (200_000, 150_000, 3_200_000, 6_450_000)
LEGEND = (
    LegendClass(value=1, name="deforestation", name_zh="毁林", color="#c0392b"),
    LegendClass(value=2, name="forest gain", name_zh="森林增加", color="#9be564"),
    LegendClass(value=3, name="stable forest", name_zh="稳定森林", color="#1e6b3a"),
    LegendClass(value=4, name="stable non-forest", name_zh="稳定非森林", color="#fff7bc"),
)


def olofsson(**changes):
    """Stratified sample with areas: everything the paper prints."""
    names = [f"class {i}" for i in range(4)]
    strata = tuple(
        Stratum(name=name, n_population=n, n_drawn=int(row.sum()), classes=(value,))
        for name, n, row, value in zip(names, PIXELS, COUNTS, (1, 2, 3, 4), strict=True)
    )
    hectares = tuple(n * 0.09 for n in PIXELS)
    found = Assessment(
        map_name="change_2000_2010.tif",
        reference_name="sample_640.gpkg",
        legend=LEGEND,
        kind="points",
        unit="pixel",
        counts=COUNTS,
        mapped_pixels=PIXELS,
        mapped_area_ha=hectares,
        map_nodata=3,
        unlabelled=7,
        out_of_scope=2,
        outside=1,
        estimate=stratified_estimate(COUNTS, hectares),
        design=Design(
            kind="stratified",
            strata=strata,
            seed=17,
            allocation="minimum",
            n_population=sum(PIXELS),
            area_ha=sum(hectares),
            map="change_2000_2010.tif",
        ),
        settings={"map": "change_2000_2010.tif", "confidence": 0.95, "lang": "en"},
        version="0.1.0",
    )
    return replace(found, **changes)


def compared_rasters(**changes):
    """A labelled raster without any design, in blocks, with baselines."""
    rng = np.random.default_rng(5)
    counts = np.array([[52_340, 1_200, 310], [2_310, 18_220, 900], [140, 1_330, 9_870]], np.int64)
    majority = np.zeros((3, 3))
    majority[0] = counts.sum(axis=0)
    found = Assessment(
        map_name="dunes_classes.tif",
        reference_name="dunes_labels.tif",
        legend=(
            LegendClass(value=0, name="sand", name_zh="沙", color="#f6e7b4"),
            LegendClass(value=1, name="vegetation", name_zh="植被", color="#4a9a3f"),
            LegendClass(value=2, name="water", name_zh="水", color="#2f6db5"),
        ),
        kind="raster",
        unit="pixel",
        counts=counts,
        mapped_pixels=(700_000, 300_000, 120_000),
        mapped_area_ha=(7_000.0, 3_000.0, 1_200.0),
        unlabelled=1_033_380,
        blocks=some_blocks(rng),
        baselines=(
            Baseline("majority", majority, 0.632, 0.211, None, None, ""),
            Baseline(
                "older_map.tif", counts.astype(float), 0.901, 0.77,
                Estimate(0.028, 0.011, 0.006, 0.05, 86_620), 0.0123, "McNemar test, mid-p",
            ),
        ),
        settings={"map": "dunes_classes.tif", "reference": "dunes_labels.tif"},
        version="0.1.0",
    )  # fmt: skip
    return replace(found, **changes)


def some_blocks(rng, shape=(7, 9)):
    """Blocks of a map that is worse towards one corner."""
    row, col = (x.ravel() for x in np.mgrid[: shape[0], : shape[1]])
    accuracy = np.clip(0.992 - 0.012 * row - 0.008 * col + rng.normal(0, 0.02, row.size), 0, 1)
    n = np.full(row.size, 4096, np.int64)
    iou = accuracy**2
    return BlockScores(
        block_px=(64, 64),
        row=row.astype(np.intp),
        col=col.astype(np.intp),
        n_pixels=n,
        overall_accuracy=accuracy,
        mean_iou=iou,
        overall_accuracy_spread=_spread(accuracy, row, col),
        mean_iou_spread=_spread(iou, row, col),
        overall_accuracy_leave_out=_leave_out(accuracy),
        mean_iou_leave_out=_leave_out(iou),
        correlation=CorrelationRange(
            "correlated", "neighbouring blocks are alike: take larger blocks",
            np.array([1]), np.array([0.4]), np.array([3.0]), np.array([110]), -0.016, 128.0, 63,
        ),
        min_pixels=100,
        n_empty=4,
        n_small=2,
    )  # fmt: skip


def _spread(values, row, col):
    lower, median, upper = np.percentile(values, [25, 50, 75])
    low, high = int(values.argmin()), int(values.argmax())
    return Spread(
        len(values), values.mean(), values.std(ddof=1), values.min(), lower, median, upper,
        values.max(), (int(row[low]), int(col[low])), (int(row[high]), int(col[high])),
    )  # fmt: skip


def _leave_out(values):
    n = len(values)
    error = float(values.std(ddof=1) / np.sqrt(n))
    return LeaveOneOut(
        float(values.mean()), error, 0.0, float(values.min()), float(values.max()), (0, 0), (1, 1),
        n, 0,
    )  # fmt: skip


def many_classes(k=25):
    """A legend as long as WorldCover's and longer, one class without a unit."""
    rng = np.random.default_rng(k)
    counts = rng.poisson(1.2, (k, k)).astype(np.int64)
    counts[np.diag_indices(k)] = rng.integers(20, 300, k)
    counts[3] = counts[:, 3] = 0
    area = rng.uniform(10, 90_000, k)
    area[3] = 0.0
    legend = tuple(
        LegendClass(
            value=i * 10,
            name=f"class with a rather long name such as number {i}"
            if i % 5 == 2
            else f"class {i}",
            name_zh=f"第 {i} 类",
            color=spread_color(i, k),
        )
        for i in range(k)
    )
    return olofsson(
        legend=legend,
        counts=counts,
        mapped_pixels=tuple((area / 0.09).astype(int).tolist()),
        mapped_area_ha=tuple(area.tolist()),
        estimate=stratified_estimate(counts, area),
        design=None,
    )


def two_classes():
    """Water and land, one of them without an error in its row."""
    counts = np.array([[50, 0], [3, 97]], np.int64)
    return olofsson(
        legend=(
            LegendClass(value=0, name="water", color="#2f6db5"),
            LegendClass(value=1, name="land", color="#ffffff"),
        ),
        counts=counts,
        mapped_pixels=(400, 1600),
        mapped_area_ha=(0.04, 0.16),
        estimate=stratified_estimate(counts, [0.04, 0.16]),
        design=None,
    )
