"""rsw assess, from files to the report."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from shapely import box, from_wkb, to_wkb

from rs_workbench.accuracy import mean_iou, overall_accuracy, stratified_estimate
from rs_workbench.accuracy.assess.options import AssessOptions
from rs_workbench.accuracy.reference.label_values import LabelValues
from rs_workbench.accuracy.sample import Design
from rs_workbench.assess import assess_map, command
from rs_workbench.maps import write_class_names
from tests.workbench.rasters import NORTH_UP, UTM, legend, write_tif

SHAPE = (120, 160)
VALUES = np.array([0, 1, 4])


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a map, its truth, and a worse second map; 10 m pixels."""
    folder = tmp_path_factory.mktemp("assess")
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 3, (6, 8))
    truth = VALUES[np.kron(coarse, np.ones((20, 20), int))].astype(np.uint8)
    for name, wrong in (("map", 0.15), ("worse", 0.4)):
        noise = VALUES[rng.integers(0, 3, SHAPE)].astype(np.uint8)
        labels = np.where(rng.random(SHAPE) < wrong, noise, truth)
        labels[:10] = 255
        write_tif(folder / f"{name}.tif", labels[None], nodata=255)
        write_class_names(folder / f"{name}.tif", legend())
    truth[:, -5:] = 255
    write_tif(folder / "truth.tif", truth[None], nodata=255)
    return folder


def labels_of(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(command, [str(a) for a in arguments])
    return done.exit_code, done.output


def draw(folder: Path, name: str, *, n: int = 300, seed: int = 1) -> Path:
    """Draw a stratified sample of the map and label it from the truth."""
    sample = folder / f"{name}.gpkg"
    code, said = run("design", folder / "map.tif", "-o", sample, "--n", n, "--seed", seed, "-q")
    assert code == 0, said
    label(sample, labels_of(folder / "truth.tif"))
    return sample


def label(sample: Path, truth: np.ndarray) -> None:
    """Do what the interpreter does in QGIS."""
    from pyogrio.raw import read, write

    meta, _, geometry, columns = read(sample, layer="sample")
    names = list(meta["fields"])
    by_name = dict(zip(names, columns, strict=True))
    found = truth[by_name["row"], by_name["col"]].astype(np.int32)
    by_name["reference"] = found
    masks = [found == 255 if name == "reference" else None for name in names]
    write(
        sample,
        geometry,
        list(by_name.values()),
        names,
        field_mask=masks,
        layer="sample",
        driver="GPKG",
        geometry_type="Point",
        crs=meta["crs"],
        append=False,
    )


def write_csv(path: Path, rows: list[tuple[object, ...]], header: tuple[str, ...]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


# Raster references


def test_every_pixel_of_two_rasters(scene: Path, tmp_path: Path) -> None:
    found = assess_map(scene / "map.tif", scene / "truth.tif", tmp_path / "report")
    ours, truth = labels_of(scene / "map.tif"), labels_of(scene / "truth.tif")
    both = (ours != 255) & (truth != 255)
    assert found.counts.sum() == both.sum()
    assert overall_accuracy(found.counts) == pytest.approx((ours == truth)[both].mean())
    assert found.map_nodata == 10 * 155
    assert found.unlabelled == 5 * 120
    assert found.mapped_area_ha is not None
    assert sum(found.mapped_area_ha) == pytest.approx(110 * 160 * 0.01)
    assert found.estimate is None
    assert found.blocks is not None
    assert found.resampled["overall_accuracy"].low < overall_accuracy(found.counts)
    assert found.baselines[0].name == "majority"


def test_the_error_map_shows_what_the_reference_says(scene: Path, tmp_path: Path) -> None:
    assess_map(scene / "map.tif", scene / "truth.tif", tmp_path / "r")
    ours, truth = labels_of(scene / "map.tif"), labels_of(scene / "truth.tif")
    errors = labels_of(tmp_path / "r" / "error_map.tif")
    both = (ours != 255) & (truth != 255)
    assert (errors[~both] == 255).all()
    assert (errors[both & (ours == truth)] == 0).all()
    wrong = both & (ours != truth)
    np.testing.assert_array_equal(VALUES[errors[wrong] - 1], truth[wrong])
    assert (tmp_path / "r" / "error_map.tif.aux.xml").exists()
    assert not list((tmp_path / "r").glob(".*"))


def test_a_second_map_stands_beside_the_first(scene: Path) -> None:
    options = AssessOptions(compare=str(scene / "worse.tif"), boundary=True, block=20)
    found = assess_map(scene / "map.tif", scene / "truth.tif", options=options)
    _, worse = found.baselines
    assert worse.name == "worse.tif"
    assert worse.difference is not None
    gap = overall_accuracy(found.counts) - worse.overall_accuracy
    assert worse.difference.value == pytest.approx(gap)
    assert 0 < worse.difference.low < gap < worse.difference.high
    assert found.boundary is not None
    assert len(found.boundary) == 3


def test_grids_that_differ_are_refused_until_a_policy_is_named(
    scene: Path, tmp_path: Path
) -> None:
    fine = np.kron(labels_of(scene / "truth.tif"), np.ones((2, 2), np.uint8))
    path = tmp_path / "fine.tif"
    write_tif(path, fine[None], nodata=255, transform=NORTH_UP @ NORTH_UP.scale(0.5))
    code, said = run(scene / "map.tif", path, "-o", tmp_path / "r")
    assert code == 1
    assert "--resample nearest" in said
    assert not (tmp_path / "r" / "report.html").exists()
    code, said = run(
        scene / "map.tif", path, "-o", tmp_path / "r", "--resample", "majority", "--json"
    )
    assert code == 0
    assert "majority" in json.loads(said)["grid_policy"]


def test_a_design_needs_a_sample(scene: Path, tmp_path: Path) -> None:
    arguments = (scene / "map.tif", scene / "truth.tif", "-o", tmp_path, "--design", "stratified")
    code, said = run(*arguments)
    assert code == 2
    assert "--design stratified needs a sample of points or polygons" in said


# Points


def test_a_drawn_sample_is_estimated_by_its_design(scene: Path, tmp_path: Path) -> None:
    sample = draw(scene, "drawn")
    found = assess_map(scene / "map.tif", sample, tmp_path / "r")
    assert found.estimate is not None
    assert found.estimate.design == "stratified"
    by_hand = stratified_estimate(found.counts, found.mapped_area_ha)
    assert found.estimate.overall.value == pytest.approx(by_hand.overall.value)
    assert found.estimate.overall.standard_error == pytest.approx(by_hand.overall.standard_error)
    assert found.estimate.area[1].area_ha == pytest.approx(by_hand.area[1].area_ha)
    assert found.unlabelled > 0
    assert found.counts.sum() + found.unlabelled == 300
    assert (tmp_path / "r" / "errors.gpkg").exists()


def test_the_interval_covers_the_truth_of_the_whole_map(scene: Path) -> None:
    """Nine seeds of ten at least; each is the whole way from drawing to estimate."""
    ours, truth = labels_of(scene / "map.tif"), labels_of(scene / "truth.tif")
    both = (ours != 255) & (truth != 255)
    whole = (ours == truth)[both].mean()
    hits = 0
    for seed in range(10):
        found = assess_map(scene / "map.tif", draw(scene, f"s{seed}", seed=seed))
        assert found.estimate is not None
        hits += found.estimate.overall.low <= whole <= found.estimate.overall.high
    assert hits >= 8


def test_the_same_points_as_csv_need_only_the_name_of_the_design(
    scene: Path, tmp_path: Path
) -> None:
    from pyogrio.raw import read

    sample = draw(scene, "as_csv")
    _, _, geometry, columns = read(sample, layer="sample", columns=["reference"])
    names = {0.0: "water", 1.0: "冰雪", 4.0: "4"}
    rows = [
        (p.x, p.y, names.get(v, "")) for p, v in zip(from_wkb(geometry), columns[0], strict=True)
    ]
    path = write_csv(tmp_path / "points.csv", rows, ("x", "y", "class"))
    options = AssessOptions(crs=UTM, design="stratified")
    csv_found = assess_map(scene / "map.tif", path, options=options)
    gpkg_found = assess_map(scene / "map.tif", sample)
    assert csv_found.estimate is not None
    assert gpkg_found.estimate is not None
    assert csv_found.estimate.overall == gpkg_found.estimate.overall
    assert csv_found.estimate.area == gpkg_found.estimate.area


def test_points_without_a_design_are_not_passed_off_as_the_map(
    scene: Path, tmp_path: Path
) -> None:
    sample = draw(scene, "no_design")
    code, said = run(scene / "map.tif", sample, "-o", tmp_path / "r", "--design", "none")
    assert code == 0
    assert "describe what was looked at, not the map" in said
    options = AssessOptions(design="none", compare=str(scene / "worse.tif"))
    found = assess_map(scene / "map.tif", sample, options=options)
    assert found.estimate is None
    assert found.baselines[1].test == "McNemar, exact"
    assert found.baselines[1].p_value < 0.01


def test_a_second_map_on_the_same_points_by_the_design(scene: Path) -> None:
    options = AssessOptions(compare=str(scene / "worse.tif"))
    found = assess_map(scene / "map.tif", draw(scene, "paired"), options=options)
    _, worse = found.baselines
    assert found.estimate is not None
    assert worse.difference is not None
    assert worse.difference.value == pytest.approx(
        found.estimate.overall.value - worse.overall_accuracy
    )
    assert worse.p_value is not None
    assert worse.p_value < 1e-3


def test_a_design_that_does_not_fit_is_refused(scene: Path, tmp_path: Path) -> None:
    sample = draw(scene, "unfit")
    code, said = run(scene / "map.tif", sample, "-o", tmp_path / "r", "--design", "simple_random")
    assert code == 1
    assert "a simple_random estimator would be wrong" in said
    code, said = run(scene / "map.tif", sample, "-o", tmp_path / "r", "--design", "guesswork")
    assert code == 2
    assert "--design 'guesswork' is neither a file nor one of simple_random" in said


def test_a_design_from_a_file(scene: Path, tmp_path: Path) -> None:
    rows = [(500_005 + 10 * i, 4_999_805, "water") for i in range(30)]
    path = write_csv(tmp_path / "p.csv", rows, ("x", "y", "class"))
    design = tmp_path / "d.json"
    design.write_text(Design(kind="systematic", n_population=17_600).model_dump_json())
    options = AssessOptions(crs=UTM, design=str(design))
    found = assess_map(scene / "map.tif", path, options=options)
    assert found.estimate is not None
    assert "unbiased variance" in found.estimate.warnings[0]


def test_a_geographic_map_weighs_its_pixels(tmp_path: Path) -> None:
    """One row at the equator and one at 60 degrees: the lower half of the area counts twice."""
    from affine import Affine

    labels = np.zeros((61, 10), np.uint8)
    labels[30:] = 1
    place = Affine(1, 0, 0, 0, -1, 60.5)
    write_tif(tmp_path / "m.tif", labels[None], crs="EPSG:4326", transform=place, nodata=255)
    rows = [(c + 0.5, 60 - r, int(labels[r, c])) for r in range(61) for c in range(10)]
    path = write_csv(tmp_path / "p.csv", rows, ("lon", "lat", "class"))
    options = AssessOptions(crs="EPSG:4326", design="simple_random")
    found = assess_map(tmp_path / "m.tif", path, options=options)
    assert found.estimate is not None
    assert found.mapped_area_ha is not None
    share = found.mapped_area_ha[1] / sum(found.mapped_area_ha)
    assert share > 0.55  # of 31 in 61 rows
    assert found.estimate.share[1].value == pytest.approx(share)


# Polygons


def write_polygons(path: Path, truth: np.ndarray, n: int) -> Path:
    from pyogrio.raw import write

    rng = np.random.default_rng(3)
    corners = rng.integers((10, 0), (110, 145), (n, 2))
    shapes = [
        box(500_000 + 10 * c, 5_000_000 - 10 * (r + 5), 500_000 + 10 * (c + 5), 5_000_000 - 10 * r)
        for r, c in corners
    ]
    keep = [i for i, s in enumerate(shapes) if not any(s.overlaps(t) for t in shapes[:i])]
    labels = np.array([truth[corners[i][0] + 2, corners[i][1] + 2] for i in keep], np.int32)
    geometry = to_wkb([shapes[i] for i in keep])
    write(
        str(path), geometry, [labels], ["class"], driver="GPKG", geometry_type="Polygon", crs=UTM
    )
    return path


def test_pixels_of_a_polygon_are_one_cluster(scene: Path, tmp_path: Path) -> None:
    path = write_polygons(tmp_path / "p.gpkg", labels_of(scene / "truth.tif"), 40)
    plain = assess_map(scene / "map.tif", path, tmp_path / "r")
    assert plain.estimate is None
    assert plain.kind == "polygons"
    spread = plain.resampled["overall_accuracy"].standard_error
    found = assess_map(scene / "map.tif", path, options=AssessOptions(design="cluster"))
    assert found.estimate is not None
    overall = found.estimate.overall
    assert overall.value == pytest.approx(overall_accuracy(plain.counts))
    assert overall.standard_error == pytest.approx(spread, rel=0.1)
    binomial = np.sqrt(overall.value * (1 - overall.value) / plain.counts.sum())
    assert overall.standard_error > 1.3 * binomial
    code, said = run(scene / "map.tif", path, "-o", tmp_path / "s", "--design", "stratified")
    assert code == 2
    assert "pixels of one polygon are neighbours" in said


# The command


def test_the_report_and_what_is_printed(scene: Path, tmp_path: Path) -> None:
    sample = draw(scene, "printed")
    arguments = (scene / "map.tif", sample, "-o", tmp_path / "r")
    code, said = run(*arguments)
    assert code == 0
    written = json.loads((tmp_path / "r" / "accuracy.json").read_text(encoding="utf-8"))
    percent = f"{100 * written['estimate']['overall_accuracy']['value']:.1f} %"
    assert f"Overall accuracy {percent}" in said
    assert percent in (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    code, said = run(*arguments)
    assert code == 1
    assert "exists already" in said
    code, said = run(*arguments, "--overwrite", "--lang", "zh")
    assert code == 0
    assert "总体精度" in said


def test_without_a_folder_the_name_of_the_map_gives_one(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(scene / "map.tif", scene / "truth.tif", "-q") == (0, "")
    assert (tmp_path / "map_accuracy" / "report.html").exists()


def test_training_data_are_refused_and_with_leave_called_so(scene: Path, tmp_path: Path) -> None:
    again = (scene / "map.tif", scene / "truth.tif", "-o", tmp_path / "r")
    code, said = run(*again, "--training", scene / "truth.tif")
    assert code == 1
    assert "train" in said
    code, said = run(*again, "--training", scene / "truth.tif", "--allow-training")
    assert code == 0
    page = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    assert "not accuracy" in page
    sample = draw(scene, "trained_on")
    options = AssessOptions(training=(str(sample),), allow_training=True)
    assert assess_map(scene / "map.tif", sample, options=options).estimate is None


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("missing.tif", "truth.tif"), 1, "'missing.tif' was not found"),
        (("map.tif", "missing.gpkg"), 1, "missing.gpkg' was not found"),
        (("map.tif", "truth.tif", "--classes", "0=water"), 1, "not in its legend [0]"),
        (("map.tif", "truth.tif", "--unlabelled", "0,1,4"), 1, "--unlabelled"),
        (("map.tif", "truth.tif", "--recode", "x"), 2, "--recode"),
        (("map.tif", "truth.tif", "--confidence", "1.5"), 2, "confidence"),
        (("map.tif", ""), 2, "must not be empty"),
        (("map.tif",), 2, "REFERENCE"),
    ],
)
def test_mistakes_get_a_sentence(scene: Path, tmp_path: Path, arguments, code, told) -> None:
    placed = [scene / a if a.endswith((".tif", ".gpkg")) else a for a in arguments]
    if arguments[0] == "missing.tif":
        placed[0] = Path("missing.tif")
    found, said = run(*placed, "-o", tmp_path / "r")
    assert found == code
    assert told in said
    assert "Traceback" not in said
    assert not (tmp_path / "r" / "report.html").exists()


def test_help_loads_no_raster_library_and_tells_of_design() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from rs_workbench.assess import command;"
        "print(CliRunner().invoke(command, ['--help']).output);"
        "print([m for m in ('rasterio', 'matplotlib', 'scipy', 'torch', 'keras', 'pyogrio')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "design MAP" in done.stdout
    assert done.stdout.strip().endswith("[]")


def test_points_with_two_acceptable_labels(scene: Path, tmp_path: Path) -> None:
    ours = labels_of(scene / "map.tif")
    rows = []
    for row in range(20, 100, 5):
        wrong = 0 if ours[row, 30] else 1
        rows.append((500_305, 5_000_000 - 10 * row - 5, wrong, int(ours[row, 30])))
    path = write_csv(tmp_path / "p.csv", rows, ("x", "y", "reference", "alternate"))
    strict = assess_map(scene / "map.tif", path, options=AssessOptions(crs=UTM))
    lenient = assess_map(
        scene / "map.tif", path, options=AssessOptions(crs=UTM, accept_alternate=True)
    )
    assert overall_accuracy(strict.counts) == 0
    assert overall_accuracy(lenient.counts) == 1
    assert "right by their second acceptable label: 16" in lenient.warnings[0]
    assert mean_iou(lenient.counts) == 1


@pytest.mark.data
def test_the_training_data_of_chiapas_are_recognised(data_folder: Path, tmp_path: Path) -> None:
    folder = data_folder / "landsat7_chiapas"
    for reference in ("training_data.shp", "training_data.gtif"):
        code, said = run(folder / "training_data.gtif", folder / reference, "-o", tmp_path / "r")
        assert code == 1
        assert "train" in said


@pytest.mark.data
def test_labels_of_potsdam_against_their_own_mosaic(data_folder: Path, tmp_path: Path) -> None:
    """The label tiles were cut from the label scene: all must agree."""
    folder = data_folder / "enmap_potsdam"
    tile = next(iter(sorted((folder / "labels").glob("*.tif"))))
    options = AssessOptions(
        classes="1=roof,2=pavement,3=low vegetation,4=tree,5=soil,6=water",
        values=LabelValues(unlabelled=(0.0,), map_nodata=(0.0,)),
    )
    whole = folder / "enmap_landcover_unstyled.tif"
    found = assess_map(whole, tile, options=options)
    assert found.counts.sum() > 100
    assert overall_accuracy(found.counts) == 1
