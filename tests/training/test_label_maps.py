"""Labels as class indexes, from rasters, polygons and points."""

import numpy as np
import pytest
import shapely
from pyogrio.raw import write as write_vector

from rs_workbench.errors import AccuracyError, SceneError, UsageError
from rs_workbench.raster import open_scene
from rs_workbench.training.label_maps import open_label_maps
from tests.training.scenes import CLASSES, moved, settings_for
from tests.workbench.rasters import NORTH_UP, UTM, write_tif
from tiling import Window

LABELS = np.array([[3, 3, 7, 7], [3, 0, 7, 7], [20, 20, 255, 0]], np.uint8)
INDEXES = np.array([[0, 0, 1, 1], [0, 255, 1, 1], [2, 2, 255, 255]], np.uint8)
WHOLE = Window(0, 0, 3, 4)


def scene_in(tmp_path, **profile):
    return write_tif(tmp_path / "scene.tif", np.ones((2, 3, 4), np.uint16), **profile)


def open_maps(scene, labels, **changes):
    return open_label_maps(settings_for(scene, labels, **changes), [open_scene(scene)])


def read(scene, labels, window=WHOLE, **changes):
    reader = open_maps(scene, labels, **changes).sources[0].open()
    try:
        return reader.read(window)
    finally:
        reader.close()


def vector(tmp_path, geometry, labels, *, name="labels.gpkg", column="class", crs=UTM):
    write_vector(
        tmp_path / name,
        shapely.to_wkb(np.array(geometry, object)),
        [np.array(labels)],
        fields=[column],
        geometry_type=geometry[0].geom_type,
        crs=crs,
        driver="GPKG",
    )
    return str(tmp_path / name)


def on_map(geometry):
    """From columns and rows to coordinates."""
    t = NORTH_UP
    return shapely.transform(geometry, lambda xy: xy * (t.a, t.e) + (t.c, t.f))


def squares(labels, left_out=()):
    """One polygon for each pixel that has a label."""
    places = [(r, c) for r, c in np.ndindex(labels.shape) if labels[r, c] not in left_out]
    return [on_map(shapely.box(c, r, c + 1, r + 1)) for r, c in places], [
        int(labels[place]) for place in places
    ]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "uint32"])
def test_values_become_class_indexes(tmp_path, dtype):
    labels = write_tif(tmp_path / "labels.tif", LABELS[None].astype(dtype))
    np.testing.assert_array_equal(read(scene_in(tmp_path), labels), INDEXES)
    part = read(scene_in(tmp_path), labels, Window(1, 1, 2, 3))
    np.testing.assert_array_equal(part, INDEXES[1:, 1:])


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_values_outside_the_legend_are_refused_by_name(tmp_path, dtype):
    labels = write_tif(tmp_path / "labels.tif", LABELS[None].astype(dtype))
    with pytest.raises(AccuracyError, match=r"'labels.tif' holds 20, which no class names.* 3, 7"):
        read(scene_in(tmp_path), labels, classes=CLASSES[:2])
    with pytest.raises(AccuracyError, match=r"holds 0, which no class names"):
        read(scene_in(tmp_path), labels, unlabelled=())


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_several_labels_may_mean_one_class_and_none_is_taken_for_an_index(tmp_path, dtype):
    labels = write_tif(tmp_path / "labels.tif", LABELS[None].astype(dtype))
    joined = [{"value": 1, "name": "wet", "labels": [3, 7]}, {"value": 0, "name": "dry"}]
    with pytest.raises(AccuracyError, match="holds 20"):
        read(scene_in(tmp_path), labels, classes=joined, unlabelled=(255,))
    joined[1]["labels"] = (20,)
    found = read(scene_in(tmp_path), labels, classes=joined)
    np.testing.assert_array_equal(found, np.where(INDEXES == 255, 255, INDEXES // 2))
    # 1 and 0 are values of classes, but labels of none
    other = write_tif(tmp_path / "other.tif", (LABELS[None] == 3).astype(dtype))
    with pytest.raises(AccuracyError, match="holds 1, which no class"):
        read(scene_in(tmp_path), other, classes=joined)


def test_large_labels_are_told_apart_from_class_indexes(tmp_path):
    labels = write_tif(tmp_path / "labels.tif", np.array([[[1000, 2000, 0, 1]]], np.int32))
    scene = write_tif(tmp_path / "scene.tif", np.ones((1, 1, 4), np.uint8))
    classes = [
        {"value": 1, "name": "a", "labels": [1000]},
        {"value": 2, "name": "b", "labels": [2000]},
    ]
    with pytest.raises(AccuracyError, match="holds 1, which no class names"):
        read(scene, labels, Window(0, 0, 1, 4), classes=classes)
    found = read(scene, labels, Window(0, 0, 1, 3), classes=classes)
    assert found.tolist() == [[0, 1, 255]]


def test_a_class_goes_before_the_nodata_that_the_file_declares(tmp_path):
    labels = write_tif(tmp_path / "labels.tif", LABELS[None], nodata=20)
    np.testing.assert_array_equal(read(scene_in(tmp_path), labels), INDEXES)
    found = read(scene_in(tmp_path), labels, classes=CLASSES[:2])
    np.testing.assert_array_equal(found, np.where(INDEXES == 2, 255, INDEXES))


def test_labels_may_lie_shifted_and_cover_a_part(tmp_path):
    labels = write_tif(tmp_path / "labels.tif", LABELS[None], transform=moved(1, 1))
    expected = np.full((3, 4), 255, np.uint8)
    expected[1:, 1:] = INDEXES[:2, :3]
    np.testing.assert_array_equal(read(scene_in(tmp_path), labels), expected)


def test_labels_on_another_grid_are_refused(tmp_path):
    labels = write_tif(tmp_path / "labels.tif", LABELS[None], transform=moved(0, 0, 0.5))
    with pytest.raises(AccuracyError, match=r"pixel size 5 x 5.*gdalwarp -r near"):
        read(scene_in(tmp_path), labels)


def test_without_georeference_sizes_must_agree(tmp_path):
    plain = {"crs": None, "transform": None}
    scene = scene_in(tmp_path, **plain)
    labels = write_tif(tmp_path / "labels.tif", LABELS[None], **plain)
    np.testing.assert_array_equal(read(scene, labels), INDEXES)
    small = write_tif(tmp_path / "small.tif", LABELS[None, :2], **plain)
    with pytest.raises(AccuracyError, match=r"4 x 3 pixels and 'small\.tif' 4 x 2"):
        read(scene, small)


def test_a_scene_is_not_its_own_labels(tmp_path):
    scene = write_tif(tmp_path / "one.tif", LABELS[None])
    with pytest.raises(SceneError, match=r"'one\.tif' is named as a scene and as its own labels"):
        read(scene, scene)


def test_classes_come_from_the_raster(tmp_path):
    labels = write_tif(tmp_path / "labels.tif", LABELS[None])
    legend = open_maps(scene_in(tmp_path), labels, classes=None).legend
    assert [(c.value, c.name) for c in legend.classes] == [
        (3, "class 3"),
        (7, "class 7"),
        (20, "class 20"),
    ]
    assert len({c.color for c in legend.classes}) == 3
    with pytest.raises(UsageError, match=r"two classes at least.* hold 'class 3'"):
        open_maps(scene_in(tmp_path), labels, classes=None, unlabelled=(0, 7, 20))


def test_classes_without_a_colour_get_one(tmp_path):
    labels = write_tif(tmp_path / "labels.tif", LABELS[None])
    colors = [c.color for c in open_maps(scene_in(tmp_path), labels).legend.classes]
    assert colors[1] == "#eeeeee"
    assert len(set(colors)) == 3


def test_polygons_give_what_a_raster_of_them_gives(tmp_path):
    shapes, labels = squares(LABELS, left_out=(0, 255))
    path = vector(tmp_path, shapes, labels)
    np.testing.assert_array_equal(read(scene_in(tmp_path), path), INDEXES)
    part = read(scene_in(tmp_path), path, Window(1, 1, 2, 2))
    np.testing.assert_array_equal(part, INDEXES[1:, 1:3])


def test_polygons_are_named_by_class_or_by_label(tmp_path):
    shapes = [on_map(shapely.box(0, 0, 2, 1)), on_map(shapely.box(2, 0, 4, 1))]
    path = vector(tmp_path, shapes, ["Water", "dry"], column="what")
    classes = [{"value": 3, "name": "water"}, {"value": 4, "name": "x", "labels": ["dry"]}]
    found = read(scene_in(tmp_path), path, classes=classes, label_column="what")
    assert found[0].tolist() == [0, 0, 1, 1]
    with pytest.raises(AccuracyError, match="name one with label_column"):
        read(scene_in(tmp_path), path, classes=classes)
    with pytest.raises(AccuracyError, match=r"'dry' \(1 row\).*add them to the labels of a class"):
        read(scene_in(tmp_path), path, label_column="what")


def test_a_class_with_labels_is_not_met_by_its_value(tmp_path):
    path = vector(tmp_path, [on_map(shapely.box(0, 0, 2, 1))], [3])
    classes = [{"value": 3, "name": "a", "labels": [8]}, {"value": 4, "name": "b"}]
    with pytest.raises(UsageError, match=r"holds '3', which the labels of class 'a' do not name"):
        read(scene_in(tmp_path), path, classes=classes)


def test_classes_come_from_the_labels_of_polygons(tmp_path):
    shapes = [on_map(shapely.box(i, 0, i + 1, 1)) for i in range(3)]
    legend = open_maps(
        scene_in(tmp_path), vector(tmp_path, shapes, ["rock", "ice", "ice "]), classes=None
    ).legend
    assert [(c.value, c.name) for c in legend.classes] == [(1, "ice"), (2, "rock")]
    path = vector(tmp_path, shapes, [40, 12, 12], name="numbers.gpkg")
    legend = open_maps(scene_in(tmp_path), path, classes=None).legend
    assert [(c.value, c.name) for c in legend.classes] == [(12, "class 12"), (40, "class 40")]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([512, 111, 311], ["111", "311", "512"]),
        ([300, 2, 10], ["2", "10", "300"]),
        (["ice", "1", "3"], ["1", "3", "ice"]),
        ([2.5, 1.5, -3.0], ["-3.0", "1.5", "2.5"]),
    ],
)
def test_labels_that_are_no_class_values_mean_their_own_class_alone(tmp_path, labels, names):
    shapes = [on_map(shapely.box(i, 0, i + 1, 1)) for i in range(3)]
    path = vector(tmp_path, shapes, labels)
    maps = open_maps(scene_in(tmp_path), path, classes=None, unlabelled=())
    classes = maps.legend.classes
    assert [(c.value, c.name) for c in classes] == list(enumerate(names, 1))
    found = maps.sources[0].open().read(WHOLE)[0, :3]
    assert [classes[index].name for index in found] == [str(label) for label in labels]


def test_labels_true_and_false_are_1_and_0(tmp_path):
    shapes = [on_map(shapely.box(i, 0, i + 1, 1)) for i in range(2)]
    path = vector(tmp_path, shapes, [True, False])
    maps = open_maps(scene_in(tmp_path), path, classes=None, unlabelled=())
    assert [c.value for c in maps.legend.classes] == [0, 1]
    assert maps.sources[0].open().read(WHOLE)[0].tolist() == [1, 0, 255, 255]


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_what_to_do_is_said_in_words_of_the_settings(tmp_path):
    shapes = [on_map(shapely.box(i, 0, i + 1, 1)) for i in range(2)]
    path = vector(tmp_path, shapes, [3, 7], crs=None)
    with pytest.raises(AccuracyError, match=r"coordinate system it is: write it.*ogr2ogr -a_srs"):
        open_maps(scene_in(tmp_path), path)
    labels = write_tif(tmp_path / "labels.tif", np.full((1, 3, 4), 301, np.int16))
    with pytest.raises(AccuracyError, match=r"\[301\].* 254: name what is none with unlabelled"):
        open_maps(scene_in(tmp_path), labels, classes=None)


def test_points_label_one_pixel_each(tmp_path):
    places = [(0.5, 0.5, 3), (3.9, 0.1, 7), (1.2, 2.7, 20), (99, 0, 7)]
    path = vector(
        tmp_path, [on_map(shapely.Point(x, y)) for x, y, _ in places], [v for *_, v in places]
    )
    expected = np.full((3, 4), 255, np.uint8)
    expected[0, 0], expected[0, 3], expected[2, 1] = 0, 1, 2
    np.testing.assert_array_equal(read(scene_in(tmp_path), path), expected)
    np.testing.assert_array_equal(
        read(scene_in(tmp_path), path, Window(2, 1, 1, 2)), expected[2:, 1:3]
    )


def test_points_of_two_classes_in_a_pixel_leave_it_unlabelled(tmp_path):
    points = [on_map(shapely.Point(x, 0.5)) for x in (0.2, 0.7, 1.2, 1.4)]
    maps = open_maps(scene_in(tmp_path), vector(tmp_path, points, [3, 7, 7, 7]))
    assert maps.sources[0].open().read(WHOLE)[0].tolist() == [255, 1, 255, 255]
    assert maps.warnings[0].startswith("1 pixels hold points of different classes")


def test_overlapping_labels_of_two_classes_are_refused(tmp_path):
    shapes = [on_map(shapely.box(0, 0, 2, 1)), on_map(shapely.box(1, 0, 3, 1))]
    path = vector(tmp_path, shapes, [3, 7])
    with pytest.raises(AccuracyError, match=r"overlap with different labels.*with unlabelled"):
        read(scene_in(tmp_path), path)
    two = [
        vector(tmp_path, [shape], [label], name=f"{label}.gpkg")
        for shape, label in zip(shapes, (3, 7), strict=True)
    ]
    with pytest.raises(AccuracyError, match=r"1 pixels of 'scene\.tif' or more both 'water' and"):
        read(scene_in(tmp_path), two)
