import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from rs_workbench.cli import VERBS, main
from rs_workbench.infer import command
from tests.workbench import nets


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    nets.write_pointwise(folder / "net.onnx")
    nets.write_scene(folder / "scene.tif", nets.pixels((90, 120)))
    return folder


def infer(folder, *arguments):
    return CliRunner().invoke(command, ["-m", str(folder / "net.onnx"), *map(str, arguments)])


def test_one_scene(folder, tmp_path):
    done = infer(folder, folder / "scene.tif", "-o", tmp_path / "map.tif")
    assert done.exit_code == 0, done.output
    assert "scene.tif -> " in done.stdout
    assert "class 1" in done.stdout
    assert "map_quicklook.png" in done.stdout
    assert (tmp_path / "map.tif").exists()


def test_json_is_the_report(folder, tmp_path):
    done = infer(folder, folder / "scene.tif", "-o", tmp_path / "map.tif", "--json")
    assert json.loads(done.stdout) == json.loads((tmp_path / "map_report.json").read_text())


def test_dry_run_shows_the_plan(folder, tmp_path):
    done = infer(folder, folder / "scene.tif", "-o", tmp_path / "map.tif", "--dry-run")
    assert done.exit_code == 0
    assert "exact    yes" in done.stdout
    assert "tiles    1 of" in done.stdout
    assert not list(tmp_path.iterdir())


def test_quiet_says_nothing(folder, tmp_path):
    done = infer(folder, folder / "scene.tif", "-o", tmp_path / "map.tif", "-q")
    assert (done.exit_code, done.output) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["missing.tif"], 1, "missing.tif"),
        (["{scene}", "--bands", "9,1,2"], 1, "9"),
        (["{scene}", "--blend", "cosine"], 2, "cosine"),
        (["{scene}", "--save", "confidence,heat"], 2, "'heat' is not one of confidence"),
        (["{scene}", "--memory", "lots"], 2, "'lots' is not a size"),
        (["{scene}", "--gpu-memory", "150%"], 2, "150%"),
        (["{scene}", "--nodata", "a,b"], 2, "'a,b' is not a list of numbers"),
        (["{scene}", "--tile", "64", "--overlap", "64"], 2, "tile=64 px and margin=32 px"),
        (["{scene}", "--memory", "1MB"], 2, "--memory 1MB is too little"),
        (["{scene}", "--engine", "keras"], 2, "engine 'keras' cannot run 'net.onnx'"),
        (["{scene}", "--match-pixel-size"], 2, "names no pixel size"),
        (["{scene}", "--device", "gpu"], 2, "'gpu' is not a device"),
        ([""], 2, "scenes must not be empty"),
        (["{scene}", "-b", ""], 2, "bands must not be empty"),
        ([], 2, "Missing argument 'SCENE"),
    ],
)
def test_mistakes_get_one_sentence_and_an_exit_code(folder, tmp_path, arguments, code, text):
    arguments = [a.format(scene=folder / "scene.tif") for a in arguments]
    done = infer(folder, *arguments, "-o", tmp_path / "map.tif")
    assert done.exit_code == code, done.output
    assert text in done.stderr
    assert "Traceback" not in done.output
    assert not list(tmp_path.iterdir())


def test_several_scenes_end_with_a_count_and_exit_1(folder, tmp_path):
    bad = tmp_path / "bad.tif"
    bad.write_bytes(b"no raster")
    done = infer(folder, folder / "scene.tif", bad, "-o", tmp_path / "maps")
    assert done.exit_code == 1
    assert "1 of 2 scenes mapped" in done.stdout
    assert f"error: {bad}: " in done.stderr


def test_a_mosaic_is_one_map_and_keeps_its_date(folder, tmp_path):
    import numpy as np
    import rasterio
    from rasterio.transform import from_origin

    values = nets.pixels((100, 240))
    for i, left in enumerate((0, 120)):
        nets.write_scene(
            tmp_path / f"part{i}.tif",
            values[:, :, left : left + 120],
            transform=from_origin(400_000 + left, 5_800_000, 1, 1),
        )
    nets.write_scene(tmp_path / "whole.tif", values)
    arguments = [tmp_path / "part0.tif", tmp_path / "part1.tif", "--mosaic", "-o"]
    done = infer(folder, *arguments, tmp_path / "map.tif")
    assert done.exit_code == 0, done.output
    date = (tmp_path / "map_mosaic.vrt").stat().st_mtime_ns
    again = infer(folder, *arguments, tmp_path / "map.tif", "--overwrite")
    assert again.exit_code == 0
    assert (tmp_path / "map_mosaic.vrt").stat().st_mtime_ns == date
    infer(folder, tmp_path / "whole.tif", "-o", tmp_path / "one.tif")
    with rasterio.open(tmp_path / "map.tif") as a, rasterio.open(tmp_path / "one.tif") as b:
        np.testing.assert_array_equal(a.read(), b.read())


def test_rsw_lists_its_verbs():
    done = CliRunner().invoke(main, ["--help"])
    assert done.exit_code == 0
    for verb in VERBS:
        assert verb in done.output
    assert CliRunner().invoke(main, ["infer", "--help"]).exit_code == 0


def test_help_loads_no_framework_and_no_raster_library():
    code = (
        "import sys, runpy\n"
        "sys.argv = ['infer', '--help']\n"
        "try:\n    runpy.run_module('rs_workbench.infer', run_name='__main__')\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'torch', 'tensorflow', 'keras', 'onnx', 'openvino', 'onnxruntime', 'rasterio'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_dry_run_of_a_mosaic_writes_nothing(folder, tmp_path):
    done = infer(
        folder, folder / "scene.tif", "--mosaic", "--dry-run", "-o", tmp_path / "new" / "map.tif"
    )
    assert done.exit_code == 0, done.output
    assert not list(tmp_path.iterdir())
