"""rsw assess design: from a map to a sample to label, and back to an estimate."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from click.testing import CliRunner
from scipy import ndimage

from rs_workbench.accuracy.area import design_estimate
from rs_workbench.accuracy.design.draw import draw_grid
from rs_workbench.accuracy.design.drawn import draw_units
from rs_workbench.accuracy.design.run import prepare, report_plan
from rs_workbench.accuracy.design.sample_file import read_design, stratum_names
from rs_workbench.accuracy.sample import make_sample
from rs_workbench.assess_design import DesignOptions, design_command, design_sample
from rs_workbench.errors import AccuracyError, OutputError, UsageError
from rs_workbench.maps import write_class_names
from tests.workbench.rasters import legend, write_tif


def make_labels(height: int = 120, width: int = 150) -> np.ndarray:
    """Water 0 (rare), ice & snow 1, land 4, and a corner without data."""
    noise = ndimage.gaussian_filter(np.random.default_rng(1).random((height, width)), 4)
    labels = np.array([0, 1, 4], np.uint8)[np.digitize(noise, np.quantile(noise, [0.05, 0.8]))]
    labels[:20, :30] = 255
    return labels


@pytest.fixture
def class_map(tmp_path: Path) -> Path:
    path = tmp_path / "map.tif"
    write_tif(path, make_labels()[None], nodata=255)
    write_class_names(path, legend())
    return path


def read(path: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    meta, _, wkb, values = pyogrio.raw.read(path, layer="sample")
    columns = dict(zip(meta["fields"].tolist(), values, strict=True))
    return columns, shapely.get_coordinates(shapely.from_wkb(wkb))


def run(*args: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(design_command, [str(a) for a in args])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("kind", ["stratified", "simple_random", "systematic"])
def test_points_are_centres_of_pixels_of_their_stratum(class_map, tmp_path, kind):
    out = tmp_path / "s.gpkg"
    report = design_sample(class_map, out, options=DesignOptions(kind=kind, show_map_class=True))
    columns, xy = read(out)
    labels = make_labels()
    rows, cols = columns["row"], columns["col"]
    assert (columns["map_class"] == labels[rows, cols]).all()
    assert (labels[rows, cols] != 255).all()
    expected = np.array(
        [(5e5 + 10 * (c + 0.5), 5e6 - 10 * (r + 0.5)) for r, c in zip(rows, cols, strict=True)]
    )
    assert np.allclose(xy, expected)
    assert len({*zip(rows.tolist(), cols.tolist(), strict=True)}) == len(rows) == report.n_units
    if kind == "stratified":
        names = {0: "water", 1: "ice & snow", 4: "land"}
        assert columns["stratum"].tolist() == [names[v] for v in labels[rows, cols]]
    else:
        assert "stratum" not in columns
        assert abs(report.n_units - 500) <= (0 if kind == "simple_random" else 60)


def test_numbers_and_probabilities_are_those_of_the_design(class_map, tmp_path):
    report = design_sample(class_map, tmp_path / "s.gpkg", options=DesignOptions(n=400))
    columns, _ = read(tmp_path / "s.gpkg")
    design = read_design(tmp_path / "s.gpkg")
    assert design == report.design
    names = stratum_names(columns["stratum"], design)
    labels = make_labels()
    for stratum in design.strata:
        own = names == stratum.name
        assert own.sum() == stratum.n_drawn
        (value,) = stratum.classes
        assert stratum.n_population == (labels == value).sum()
        assert stratum.area_ha == pytest.approx(stratum.n_population * 0.01)
        chance = stratum.n_drawn / stratum.n_population
        assert columns["inclusion_probability"][own] == pytest.approx(chance)
    assert sum(s.n_drawn for s in design.strata) == 400
    assert (design.seed, design.map, design.crs) == (0, "map.tif", "EPSG:32631")
    assert design.map_sha256 == hashlib.sha256(class_map.read_bytes()).hexdigest()


def test_the_seed_decides_and_the_order_tells_nothing(class_map, tmp_path):
    files = [tmp_path / f"{name}.gpkg" for name in "abc"]
    for path, seed in zip(files, (3, 3, 4), strict=True):
        design_sample(class_map, path, options=DesignOptions(n=200, seed=seed))
    first, again, other = (read(path)[1] for path in files)
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()
    columns, _ = read(files[0])
    assert len(set(columns["stratum"][:40])) > 1
    assert (np.diff(columns["row"]) < 0).any()


def test_buffers_become_strata(class_map, tmp_path):
    out = tmp_path / "s.gpkg"
    options = DesignOptions(buffer=("water:3",), expected_accuracy="0.9,within 3 px of water:0.6")
    report = design_sample(class_map, out, options=options)
    near = report.strata[-1]
    assert (near.name, near.expected_accuracy) == ("within 3 px of water", 0.6)
    classes = {s.name: s.classes for s in report.design.strata}
    assert classes["water"] == (0,)
    assert classes["ice & snow"] == classes["within 3 px of water"] == ()
    columns, _ = read(out)
    distance = ndimage.distance_transform_edt(make_labels() != 0)
    found = distance[columns["row"], columns["col"]]
    names = stratum_names(columns["stratum"], report.design)
    assert ((names == "within 3 px of water") == ((found > 0) & (found <= 3))).all()


def test_the_estimate_from_such_samples_is_right_on_average(class_map):
    """Omissions beside water: over many draws, buffers or not, the mean area is the true one."""
    labels = make_labels()
    truth = np.where(
        (ndimage.distance_transform_edt(labels != 0) <= 1.5) & (labels != 255), 0, labels
    )
    code = np.searchsorted([0, 1, 4], truth)
    share = (truth == 0).sum() / (labels != 255).sum()
    spreads = []
    for buffer in ((), ("water:3",)):
        prepared = prepare(class_map, DesignOptions(n=300, buffer=buffer))
        design = report_plan(prepared, seed=0).design
        estimates = []
        for seed in range(80):
            units = draw_units(prepared.strata, prepared.plan, prepared.request, seed=seed)
            sample = make_sample(
                np.searchsorted([0, 1, 4], units.value),
                code[units.row, units.col],
                3,
                stratum=np.array(prepared.population.names)[units.stratum],
            )
            estimates.append(design_estimate(sample, design).share[0])
        values = np.array([e.value for e in estimates])
        spread = values.std(ddof=1)
        assert abs(values.mean() - share) < 4 * spread / np.sqrt(len(values))
        spreads.append(spread)
        reported = np.mean([e.standard_error for e in estimates])
        assert reported == pytest.approx(spread, rel=0.35)
    assert spreads[1] < 0.8 * spreads[0]


def test_degrees_give_each_point_its_area(tmp_path):
    path = tmp_path / "map.tif"
    grid = Affine(0.1, 0, 10, 0, -0.1, 60)
    write_tif(path, make_labels()[None], nodata=255, crs="EPSG:4326", transform=grid)
    report = design_sample(path, tmp_path / "s.gpkg")
    columns, _ = read(tmp_path / "s.gpkg")
    assert report.design.equal_area is False
    order = np.argsort(columns["row"])
    assert (np.diff(columns["area_ha"][order]) >= 0).all()
    # 0.1 degrees at 60 degrees north, of 111.4 km by cos(60) x 111.6 km: about 6,220 ha.
    assert columns["area_ha"].min() == pytest.approx(6220, rel=0.02)
    assert sum(s.area_ha for s in report.design.strata) == pytest.approx(report.design.area_ha)


def test_without_georeference_points_are_pixels(tmp_path):
    path = tmp_path / "map.tif"
    write_tif(path, make_labels()[None], nodata=255, crs=None, transform=None)
    report = design_sample(path, tmp_path / "s.gpkg")
    columns, xy = read(tmp_path / "s.gpkg")
    assert np.allclose(xy, np.stack([columns["col"] + 0.5, -(columns["row"] + 0.5)], axis=1))
    assert report.design.area_ha is None
    assert report.design.crs is None
    assert any("no georeference" in w for w in report.warnings)


def test_values_outside_the_legend_are_classes_with_a_warning(class_map, tmp_path):
    options = DesignOptions(classes="0=water,1=ice", dry_run=True)
    report = design_sample(class_map, tmp_path / "s.gpkg", options=options)
    assert report.class_names == ("water", "ice", "class 4")
    assert any("values [4] of the map are not in its legend" in w for w in report.warnings)


def test_a_dry_run_writes_nothing(class_map, tmp_path):
    before = sorted(tmp_path.iterdir())
    code, out, err = run(class_map, "-o", tmp_path / "s.gpkg", "--dry-run")
    assert code == 0, err
    assert sorted(tmp_path.iterdir()) == before
    assert "stratified sample of 500 units" in out
    assert "nothing written" in out
    for word in ("water", "ice & snow", "land", "inclusion probability"):
        assert word in out


def test_the_report_as_json(class_map, tmp_path):
    code, out, err = run(class_map, "-o", tmp_path, "--json", "--n", 300)
    assert code == 0, err
    report = json.loads(out)
    assert report["n_units"] == 300
    assert [s["name"] for s in report["strata"]] == ["water", "ice & snow", "land"]
    assert sum(s["n_units"] for s in report["strata"]) == 300
    assert 0 < report["overall_standard_error"] < 0.05
    assert report["classes"][0]["area_standard_error_ha"] > 0
    assert report["files"] == [
        str(tmp_path / "map_sample.gpkg"),
        str(tmp_path / "map_sample.design.json"),
    ]


def test_a_target_decides_the_number(class_map, tmp_path):
    code, out, err = run(
        class_map, "--dry-run", "--json", "--target-area-se", "water:2ha", "--allocation", "neyman"
    )
    assert code == 0, err
    water = json.loads(out)["classes"][0]
    assert water["area_standard_error_ha"] == pytest.approx(2, rel=0.02)


def test_chinese(class_map, tmp_path):
    code, out, err = run(class_map, "-o", tmp_path / "s.gpkg", "--lang", "zh", "--buffer", "水:2")
    assert code == 0, err
    assert "距水 2 像元以内" in out
    assert "预期总体精度" in out
    assert read_design(tmp_path / "s.gpkg").strata[0].name == "水"
    assert run(class_map, "-o", tmp_path / "quiet.gpkg", "-q") == (0, "", "")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--n", 5, "--target-se", 0.01], 2, "--n and --target-se contradict each other"),
        (["--n", 1], 2, "--n must be at least 2: got 1"),
        (["--n", 30], 1, "a minimum of 50 in 3 strata takes 150 units, but n is 30"),
        (["--kind", "systematic", "--buffer", "water:3"], 2, "but --kind is systematic"),
        (["--buffer", "lake:3"], 2, "class 'lake' is not one: the map has 0=water"),
        (["--buffer", "water:900"], 2, "from 1 to 500 px wide: got 900"),
        (["--target-se", 2], 1, "between 0 and 1, such as 0.01: got 2.0"),
        (["--expected-accuracy", "90"], 2, "'90' is not a share"),
        (["-o", "sample.csv"], 2, "name it .gpkg, not 'sample.csv'"),
        (["--n", 99999, "--kind", "simple_random"], 1, "has 17400 units, so 99999 cannot"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(class_map, tmp_path, args, code, words):
    given = args if "-o" in args else [*args, "-o", tmp_path / "s.gpkg"]
    exit_code, out, err = run(class_map, *given, "--progress", "none")
    assert (exit_code, out) == (code, "")
    assert err.startswith("error: ")
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "s.gpkg").exists()


def test_an_existing_sample_is_refused_before_the_map_is_read(class_map, tmp_path):
    (tmp_path / "s.gpkg").write_text("mine")
    with pytest.raises(OutputError, match=r"s\.gpkg' exists already"):
        design_sample(class_map, tmp_path / "s.gpkg")


def test_a_class_without_pixels_is_no_target(tmp_path):
    path = tmp_path / "map.tif"
    write_tif(path, np.ones((1, 40, 40), np.uint8), nodata=255)
    options = DesignOptions(classes="1=land,2=water", target_area_se="water:0.01")
    with pytest.raises(UsageError, match="names a class without a pixel on the map"):
        design_sample(path, tmp_path / "s.gpkg", options=options)


def test_a_grid_that_meets_nothing(tmp_path):
    path = tmp_path / "map.tif"
    labels = np.full((1, 200, 200), 255, np.uint8)
    labels[0, 100, 100:104] = 1
    write_tif(path, labels, nodata=255)
    grids = (draw_grid((200, 200), 2, n_population=4, seed=seed) for seed in range(99))
    missing = [100 not in rows or not set(cols) & {100, 101, 102, 103} for rows, cols in grids]
    options = DesignOptions(kind="systematic", n=2, seed=missing.index(True))
    with pytest.raises(AccuracyError, match="grid of about 2 points meets no pixel with data"):
        design_sample(path, tmp_path / "s.gpkg", options=options)
    found = DesignOptions(kind="systematic", n=2, seed=missing.index(False))
    assert design_sample(path, tmp_path / "s.gpkg", options=found).n_units >= 1


def test_help_loads_no_raster_library():
    script = (
        "import sys\n"
        "from rs_workbench.assess_design import design_command\n"
        "design_command(['--help'], standalone_mode=False)\n"
        "heavy = {'rasterio', 'cv2', 'scipy', 'pyogrio', 'shapely', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
    assert "--target-area-se" in done.stdout
