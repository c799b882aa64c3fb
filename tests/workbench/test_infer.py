import json
import os
from dataclasses import replace

import numpy as np
import pytest
import rasterio

from rs_workbench.backends import load_predictor
from rs_workbench.errors import OutputError, ResumeError, SceneError, UsageError
from rs_workbench.infer import Options, infer_scene, infer_scenes
from tests.workbench import nets

OPENVINO = {"engine": "openvino"}


@pytest.fixture(scope="module")
def unet(tmp_path_factory):
    return nets.write_unet(tmp_path_factory.mktemp("net") / "unet.onnx")


@pytest.fixture(scope="module")
def pointwise(tmp_path_factory):
    return nets.write_pointwise(tmp_path_factory.mktemp("net") / "pointwise.onnx")


def read(path):
    with rasterio.open(path) as file:
        return file.read()


def run(folder, values, model, *, scene=None, **options):
    """Map an array; returns report, labels and scores."""
    options = {**OPENVINO, "save": ("scores",), "overwrite": True, **options}
    path = nets.write_scene(folder / "scene.tif", values, **(scene or {}))
    report = infer_scene(path, folder / "map.tif", model=model, options=Options(**options))
    return report, read(folder / "map.tif")[0], read(folder / "map_scores.tif")


@pytest.mark.parametrize("tile", [None, 256, 320, 512])
@pytest.mark.parametrize("batch", [None, 1, 3])
def test_the_map_equals_one_pass_over_the_whole_scene(tmp_path, unet, tile, batch):
    values = nets.pixels((601, 830), seed=3)
    report, labels, scores = run(tmp_path, values, unet, tile=tile, batch=batch)
    whole = nets.whole_image(unet, values, nets.card())
    assert report.exact
    assert report.margin >= nets.REACH
    np.testing.assert_allclose(scores, whole, atol=1e-5 * np.abs(whole).max())
    np.testing.assert_array_equal(labels, scores.argmax(axis=0))
    agree = labels == whole.argmax(axis=0)
    tied = np.diff(np.sort(whole, axis=0)[-2:], axis=0)[0] < 1e-4
    assert agree[~tied].all()
    assert len(np.unique(labels)) == 4


def test_the_tile_changes_not_one_bit_in_one_engine(tmp_path, unet):
    """Same engine, other tiles: what differs is only how the engine rounds."""
    values = nets.pixels((500, 700))
    maps = [run(tmp_path, values, unet, tile=tile)[1] for tile in (256, 320, 512)]
    assert all(np.array_equal(maps[0], other) for other in maps[1:])


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (255, 257), (256, 256), (257, 40)])
def test_any_shape(tmp_path, unet, shape):
    values = nets.pixels(shape)
    report, labels, scores = run(tmp_path, values, unet, tile=256)
    whole = nets.whole_image(unet, values, nets.card())
    assert labels.shape == shape
    assert report.exact
    np.testing.assert_allclose(scores, whole, atol=1e-5 * np.abs(whole).max())


@pytest.mark.parametrize("blend", ["hann", "gaussian"])
def test_blending_a_pointwise_network_changes_nothing(tmp_path, pointwise, blend):
    values = nets.pixels((400, 900))
    plain = run(tmp_path, values, pointwise)
    mixed = run(tmp_path, values, pointwise, tile=128, overlap=32, blend=blend)
    np.testing.assert_allclose(mixed[2], plain[2], atol=1e-5)
    assert not mixed[0].exact
    assert mixed[0].blend == blend


def test_orientations_are_averaged_and_stay_exact(tmp_path, unet):
    values = nets.pixels((380, 520))
    report, _, scores = run(tmp_path, values, unet, tile=256, tta=True)
    pad = [(0, 0), *[(0, -n % 8) for n in values.shape[1:]]]
    padded = np.pad(values.astype(float), pad, constant_values=100)  # the mean: fill is 0
    parts = []
    for turns in range(4):
        for flip in (1, -1):
            turned = np.rot90(padded[..., ::flip], turns, axes=(1, 2))
            scored = nets.whole_image(unet, turned, nets.card())
            parts.append(np.rot90(scored, -turns, axes=(1, 2))[..., ::flip])
    whole = np.mean(parts, axis=0)[:, :380, :520]
    assert report.exact
    assert report.tta
    np.testing.assert_allclose(scores, whole, atol=1e-5 * np.abs(whole).max())


def test_a_hole_leaves_every_pixel_beyond_the_reach_alone(tmp_path, unet):
    values = nets.pixels((800, 800))
    _, labels, scores = run(tmp_path, values, unet, tile=256)
    values[:, 200:640, 150:600] = 0
    report, holed, holed_scores = run(tmp_path, values, unet, tile=256, scene={"nodata": 0})
    assert (holed[200:640, 150:600] == 255).all()
    assert (holed == 255).sum() == 440 * 450 == report.nodata_pixels
    assert np.isnan(holed_scores[:, holed == 255]).all()
    far = np.ones(labels.shape, bool)
    near = nets.REACH
    far[200 - near : 640 + near, 150 - near : 600 + near] = False
    np.testing.assert_array_equal(holed[far], labels[far])
    np.testing.assert_array_equal(holed_scores[:, far], scores[:, far])
    assert report.tiles_skipped > 0


def test_nodata_mask_and_nan_come_out_as_nodata(tmp_path, pointwise):
    values, hole = nets.pixels((200, 300)), np.zeros((200, 300), bool)
    hole[50:90, 100:180] = True
    plain = run(tmp_path, values, pointwise)[1]
    as_float = values.astype(np.float32)
    cases = {
        "mask": (values, {"mask": ~hole}),
        "value": (np.where(hole, -9999, values.astype(np.int16)), {"nodata": -9999}),
        "nan": (np.where(hole, np.float32("nan"), as_float), {}),
    }
    for name, (pixels, scene) in cases.items():
        labels = run(tmp_path, pixels, pointwise, scene=scene)[1]
        np.testing.assert_array_equal(labels == 255, hole, err_msg=name)
        np.testing.assert_array_equal(labels[~hole], plain[~hole], err_msg=name)


def test_several_nodata_values_from_the_command(tmp_path, pointwise):
    values = nets.pixels((100, 100)).astype(np.int16)
    values[:, :10], values[:, 20:30] = -1, -2
    labels = run(tmp_path, values, pointwise, nodata=(-1.0, -2.0))[1]
    rows = np.flatnonzero((labels == 255).all(axis=1))
    assert rows.tolist() == [*range(10), *range(20, 30)]
    assert (labels == 255).sum() == 2000


def test_bands_that_lack_data_are_filled_and_said_so(tmp_path, pointwise):
    values = nets.pixels((100, 100)).astype(np.float32)
    values[1, 30:40] = np.nan
    report, labels, _ = run(tmp_path, values, pointwise)
    assert not (labels == 255).any()
    assert any("about 1000 pixels have data in some bands only" in w for w in report.warnings)


def test_panels_change_memory_but_not_the_map(tmp_path, unet):
    values = nets.pixels((300, 5000))
    one = run(tmp_path, values, unet, tile=256)
    two = run(tmp_path, values, unet, tile=256, scene={"tiled": False, "blockysize": 64})
    assert one[0].panels > two[0].panels == 1
    np.testing.assert_array_equal(one[1], two[1])
    np.testing.assert_array_equal(one[2], two[2])


def test_the_report_says_what_was_done(tmp_path, unet):
    report, labels, _ = run(tmp_path, nets.pixels((300, 400)), unet, scene={"size": 10.0})
    saved = json.loads((tmp_path / "map_report.json").read_text())
    assert saved == report.as_dict()
    for key in (
        "scene model engine device tile overlap margin reach stride exact batch tiles "
        "tiles_skipped seconds peak_rss_mib resumed warnings classes nodata_pixels"
    ).split():
        assert key in saved
    assert sum(c["pixels"] for c in saved["classes"]) == labels.size
    for c in saved["classes"]:
        assert c["pixels"] == (labels == c["value"]).sum()
        assert c["area_ha"] == pytest.approx(c["pixels"] * 0.01)
        assert {"value", "name", "color"} <= set(c)
    assert saved["engine"] == "openvino"
    assert saved["seconds"] > 0


def test_area_on_a_geographic_grid_shrinks_towards_the_pole(tmp_path, pointwise):
    from rasterio.transform import from_origin

    scene = {"crs": "EPSG:4326", "transform": from_origin(10, 70, 0.01, 0.01)}
    report, _, _ = run(tmp_path, nets.pixels((100, 100)), pointwise, scene=scene, tile=32)
    total = sum(c["area_ha"] for c in report.classes)
    # a square degree at 69.5 N: 111.54 km by 39.11 km on the ellipsoid
    assert total == pytest.approx(111.54 * 39.11 * 100, rel=0.002)


def test_companions_lie_beside_the_map(tmp_path, unet):
    report, _, _ = run(tmp_path, nets.pixels((300, 400)), unet, save=("scores", "confidence"))
    names = {p.name for p in tmp_path.iterdir()}
    assert {
        "map.tif",
        "map.qml",
        "map.tif.aux.xml",
        "map_quicklook.png",
        "map_report.json",
        "map_scores.tif",
        "map_confidence.tif",
    } <= names
    assert not any(".part" in name for name in names)
    assert set(report.files) == {"map", "style", "quicklook", "scores", "confidence"}
    confidence = read(tmp_path / "map_confidence.tif")
    assert confidence.shape == (2, 300, 400)
    assert confidence.max() <= 250


def test_an_existing_map_is_kept(tmp_path, pointwise):
    values = nets.pixels((64, 64))
    run(tmp_path, values, pointwise)
    before = (tmp_path / "map.tif").read_bytes()
    with pytest.raises(OutputError, match=r"map.tif' exists already: .*--overwrite"):
        run(tmp_path, values, pointwise, overwrite=False)
    assert (tmp_path / "map.tif").read_bytes() == before


def test_outputs_must_be_tif(tmp_path, pointwise):
    scene = nets.write_scene(tmp_path / "scene.tif", nets.pixels((64, 64)))
    with pytest.raises(OutputError, match=r"got --output .*map.png; choose a name ending in .tif"):
        infer_scene(scene, tmp_path / "map.png", model=pointwise)


def test_a_folder_as_output(tmp_path, pointwise):
    scene = nets.write_scene(tmp_path / "scene.tif", nets.pixels((64, 64)))
    report = infer_scene(scene, tmp_path / "maps" / "new", model=pointwise)
    assert report.output.endswith("maps/new/scene_classes.tif")
    assert (tmp_path / "maps" / "new" / "scene_classes.tif").exists()


def test_too_many_bands_say_how_to_choose(tmp_path, unet):
    values = nets.pixels((64, 64), n_bands=5)
    with pytest.raises(SceneError, match=r"3 bands .*, but .* has 5 .*--bands"):
        run(tmp_path, values, unet)
    report, labels, _ = run(tmp_path, values, unet, bands=("5", "1", "2"))
    chosen = run(tmp_path, values[[4, 0, 1]], unet)
    np.testing.assert_array_equal(labels, chosen[1])
    assert len(report.bands) == 3


def test_one_failing_scene_does_not_stop_the_rest(tmp_path, pointwise):
    good = nets.write_scene(tmp_path / "good.tif", nets.pixels((64, 64)))
    bad = tmp_path / "bad.tif"
    bad.write_bytes(b"not a raster")
    last = nets.write_scene(tmp_path / "last.tif", nets.pixels((64, 64), seed=1))
    outcomes = infer_scenes([good, bad, last], tmp_path / "maps", model=pointwise)
    assert [o.error is None for o in outcomes] == [True, False, True]
    assert "bad.tif" in str(outcomes[1].error)
    assert {p.name for p in (tmp_path / "maps").glob("*.tif")} == {
        "good_classes.tif",
        "last_classes.tif",
    }


def test_several_scenes_need_a_folder(tmp_path, pointwise):
    with pytest.raises(UsageError, match=r"2 scenes cannot become one file: .*--mosaic"):
        infer_scenes(["a.tif", "b.tif"], tmp_path / "map.tif", model=pointwise)


def test_a_dry_run_of_a_huge_scene_writes_nothing(tmp_path, unet):
    band = '<VRTRasterBand dataType="Byte" band="{}" blockXSize="512" blockYSize="512"/>'
    vrt = tmp_path / "huge.vrt"
    vrt.write_text(
        '<VRTDataset rasterXSize="100000" rasterYSize="100000">'
        + "".join(band.format(i) for i in (1, 2, 3))
        + "</VRTDataset>"
    )
    options = Options(dry_run=True, any_values=True, memory=2 * 10**9)
    report = infer_scene(vrt, tmp_path / "map.tif", model=unet, options=options)
    assert report.tiles == 224**2
    assert report.panels >= 25
    assert report.model_rss_mib + report.planned_mib < 2e9 / 2**20
    assert report.scratch_gb == pytest.approx(10)
    assert [p.name for p in tmp_path.iterdir()] == ["huge.vrt"]


def test_a_damaged_file_is_one_sentence_and_the_run_goes_on_when_mended(tmp_path, unet):
    values = nets.pixels((900, 300))
    whole = run(tmp_path, values, unet, tile=128)[1]
    (tmp_path / "map.tif").unlink()
    scene = tmp_path / "scene.tif"
    data, times = scene.read_bytes(), scene.stat()

    def put(content):
        scene.write_bytes(content)
        os.utime(scene, ns=(times.st_atime_ns, times.st_mtime_ns))

    def damage(done, total):
        if done >= 4:
            put(data[:5000].ljust(len(data), b"?"))

    options = Options(tile=128, engine="openvino", save=("scores",), overwrite=True)
    with pytest.raises(SceneError, match=r"scene.tif' cannot be read at rows"):
        infer_scene(scene, tmp_path / "map.tif", model=unet, options=options, on_progress=damage)
    assert not (tmp_path / "map.tif").exists()
    assert (tmp_path / "map.tif.part").exists()
    put(data)
    report = infer_scene(scene, tmp_path / "map.tif", model=unet, options=options)
    assert report.resumed
    np.testing.assert_array_equal(read(tmp_path / "map.tif")[0], whole)


def test_a_run_with_other_settings_does_not_mix(tmp_path, unet):
    scene = nets.write_scene(tmp_path / "scene.tif", nets.pixels((900, 300)))
    out = tmp_path / "map.tif"

    def stop(done, total):
        if done > 20:
            raise KeyboardInterrupt

    first = Options(tile=128, engine="openvino")
    with pytest.raises(KeyboardInterrupt):
        infer_scene(scene, out, model=unet, options=first, on_progress=stop)
    with pytest.raises(ResumeError, match=r"has --tile 128, this one 256: .*--restart"):
        infer_scene(scene, out, model=unet, options=Options(tile=256, engine="openvino"))
    report = infer_scene(
        scene, out, model=unet, options=Options(tile=256, engine="openvino", restart=True)
    )
    assert not report.resumed
    assert report.tile == 256


class _Grudging:
    """A predictor whose memory takes one tile of at most 256 px at a time."""

    def __init__(self, predictor, error):
        self.inner, self.error, self.refused = predictor, error, 0
        self.card, self.engine, self.device = predictor.card, predictor.engine, predictor.device

    def predict(self, batch):
        if len(batch) > 1 or batch.shape[2] > 256:
            self.refused += 1
            raise self.error
        return self.inner.predict(batch)


def test_out_of_memory_gives_the_same_map_and_one_line_each(tmp_path, unet):
    values = nets.pixels((600, 900))
    plain = run(tmp_path, values, unet)[1]
    loaded = load_predictor(unet, engine="openvino")
    grudging = _Grudging(loaded.predictor, MemoryError("no memory"))
    report, labels, _ = run(tmp_path, values, replace(loaded, predictor=grudging))
    assert grudging.refused > 0
    np.testing.assert_array_equal(labels, plain)
    assert any("tiles at once" in note for note in report.notes)
    assert any("with a tile of 512 px" in note for note in report.notes)


def test_a_card_without_geometry_gets_it_measured_once(tmp_path, monkeypatch):
    monkeypatch.setenv("RSW_CACHE", str(tmp_path / "cache"))
    bare = nets.write_unet(tmp_path / "bare.onnx", stride=1, reach=None)
    values = nets.pixels((300, 600))
    report, _, scores = run(tmp_path, values, bare, tile=256)
    assert (report.stride, report.reach) == (8, nets.REACH)
    assert report.exact
    assert any("measured stride 8 px" in note for note in report.notes)
    whole = nets.whole_image(bare, values, nets.card())
    np.testing.assert_allclose(scores, whole, atol=1e-5 * np.abs(whole).max())
    assert list((tmp_path / "cache").rglob("geometry.json"))


def test_matching_the_pixel_size_keeps_the_scene_s_grid(tmp_path, pointwise):
    import cv2

    model = nets.write_pointwise(tmp_path / "coarse.onnx", pixel_size=2.0)
    coarse = nets.pixels((150, 200))
    values = np.stack([cv2.resize(b, (400, 300), interpolation=cv2.INTER_NEAREST) for b in coarse])
    scene = nets.write_scene(tmp_path / "scene.tif", values, size=1.0)
    options = Options(match_pixel_size=True, engine="openvino")
    report = infer_scene(scene, tmp_path / "map.tif", model=model, options=options)
    labels = read(tmp_path / "map.tif")[0]
    assert labels.shape == (300, 400)
    assert [w for w in report.warnings if "counted at the model's pixel size" in w]
    assert sum(c["pixels"] for c in report.classes) == 150 * 200
    _, want, _ = run(tmp_path, values, pointwise)
    np.testing.assert_array_equal(labels, want)


def test_goes_on_from_another_folder(tmp_path, unet, monkeypatch):
    scene = nets.write_scene(tmp_path / "scene.tif", nets.pixels((900, 300)))
    options = Options(tile=128, engine="openvino")

    def stop(done, total):
        if done > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        infer_scene(scene, tmp_path / "map.tif", model=unet, options=options, on_progress=stop)
    monkeypatch.chdir(tmp_path)
    lines = []
    report = infer_scene("scene.tif", "map.tif", model=unet, options=options, log=lines.append)
    assert report.resumed
    assert "going on where an earlier run stopped, after" in lines[0]


def test_the_scene_is_never_replaced(tmp_path, pointwise):
    scene = nets.write_scene(tmp_path / "area_confidence.tif", nets.pixels((64, 64)))
    before = scene.read_bytes()
    for output, save in ((scene, ()), (tmp_path / "area.tif", ("confidence",))):
        options = Options(overwrite=True, save=save)
        with pytest.raises(OutputError, match="is a file of the scene itself"):
            infer_scene(scene, output, model=pointwise, options=options)
    assert scene.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["area_confidence.tif"]


def test_an_existing_companion_is_kept(tmp_path, pointwise):
    scene = nets.write_scene(tmp_path / "scene.tif", nets.pixels((64, 64)))
    (tmp_path / "map_report.json").write_text("mine")
    with pytest.raises(OutputError, match=r"map_report.json' exists already"):
        infer_scene(scene, tmp_path / "map.tif", model=pointwise)


def test_layers_of_the_map_before_do_not_stay_beside_the_new_one(tmp_path, pointwise):
    values = nets.pixels((64, 64))
    run(tmp_path, values, pointwise, save=("scores", "confidence"))
    (tmp_path / "map_polygons.gpkg").write_text("mine")
    run(tmp_path, values, pointwise, save=("scores",))
    assert not (tmp_path / "map_confidence.tif").exists()
    assert (tmp_path / "map_polygons.gpkg").read_text() == "mine"


def test_two_scenes_of_one_name_do_not_share_a_map(tmp_path, pointwise):
    for name in "ab":
        (tmp_path / name).mkdir()
        nets.write_scene(tmp_path / name / "s.tif", nets.pixels((64, 64)))
    scenes = [tmp_path / "a" / "s.tif", tmp_path / "b" / "s.tif"]
    with pytest.raises(UsageError, match="would both be written to"):
        infer_scenes(scenes, tmp_path / "maps", model=pointwise, options=Options(overwrite=True))


def test_nodata_of_the_command_adds_to_that_of_the_card(tmp_path):
    model = nets.write_pointwise(tmp_path / "net.onnx", nodata=[0])
    values = nets.pixels((64, 64))
    values[:, :10], values[:, 20:30] = 0, 255
    labels = run(tmp_path, values, model, nodata=(255.0,))[1]
    assert np.flatnonzero((labels == 255).all(axis=1)).tolist() == [*range(10), *range(20, 30)]


def test_a_rest_of_the_run_in_another_engine_is_refused(tmp_path, unet):
    scene = nets.write_scene(tmp_path / "scene.tif", nets.pixels((900, 300)))
    out = tmp_path / "map.tif"

    def stop(done, total):
        if done > 20:
            raise KeyboardInterrupt

    first = Options(tile=128, engine="openvino")
    with pytest.raises(KeyboardInterrupt):
        infer_scene(scene, out, model=unet, options=first, on_progress=stop)
    other = load_predictor(unet, engine="onnxruntime")
    with pytest.raises(ResumeError, match="has engine 'openvino', this one 'onnxruntime'"):
        infer_scene(scene, out, model=unet, options=replace(first, engine="onnxruntime"))
    report = infer_scene(scene, out, model=other, options=Options(tile=128))
    assert (report.resumed, report.engine) == (True, "openvino")
