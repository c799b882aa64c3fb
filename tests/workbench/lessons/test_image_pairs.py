"""Images and labels as files: found, paired, dealt, read; what does not fit is refused."""

import re

import cv2
import numpy as np
import pytest

from rs_workbench.errors import SceneError, UsageError
from rs_workbench.lessons.image_pairs import cut_label, read_pairs, read_picture
from rs_workbench.lessons.pair_files import deal_pairs, find_pairs, take_pairs, tile_number


def write(path, pixels):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())


def blobs(side=32, seed=0):
    rng = np.random.default_rng(seed)
    return (cv2.blur(rng.random((side, side)), (7, 7)) > 0.5).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Eleven tiles; the names of the first ones do not sort by number."""
    for number in range(1, 12):
        label = blobs(seed=number)
        image = np.stack([20 * label, 10 * number + 0 * label, 200 * label], axis=-1)
        write(tmp_path / "image" / f"ice_{number}.png", image)
        write(tmp_path / "label" / f"ice_{number}.jpg", 255 * label)
    return tmp_path


def pairs_of(folder):
    return find_pairs(folder / "image", folder / "label")


def test_pairs_come_by_number(folder):
    files = pairs_of(folder)
    assert [path.stem for path in files.images] == [f"ice_{n}" for n in range(1, 12)]
    assert [path.stem for path in files.labels] == [f"ice_{n}" for n in range(1, 12)]
    assert files.left_aside == ()
    assert files.note == ""
    assert tile_number("water") == 0


def test_strays_are_left_aside_and_named(folder):
    (folder / "image" / "Thumbs.db").write_bytes(b"1")
    (folder / "label" / "._ice_1.jpg").write_bytes(b"2")
    (folder / "label" / "old.jpg").mkdir()
    files = pairs_of(folder)
    assert len(files.images) == len(files.labels) == 11
    assert files.note == "left aside: image/Thumbs.db, label/._ice_1.jpg, label/old.jpg"
    (folder / "label" / "notes.txt").write_text("3")
    assert pairs_of(folder).note.endswith("label/._ice_1.jpg, label/notes.txt and 1 more")


def test_pictures_without_a_partner_are_refused(folder):
    (folder / "label" / "ice_7.jpg").unlink()
    with pytest.raises(SceneError, match=r"each image needs a partner .*label': ice_7 has none"):
        pairs_of(folder)
    for number in (1, 2, 3, 4):
        (folder / "label" / f"ice_{number}.jpg").unlink()
    with pytest.raises(SceneError, match="ice_1, ice_2, ice_3 and 2 more have none"):
        pairs_of(folder)


def test_a_label_without_an_image_is_refused(folder):
    (folder / "image" / "ice_2.png").unlink()
    with pytest.raises(SceneError, match=r"each label needs .*image': ice_2 has none"):
        pairs_of(folder)


def test_two_pictures_of_one_name_are_refused(folder):
    write(folder / "image" / "ice_2.jpg", blobs())
    with pytest.raises(SceneError, match=r"'ice_2.jpg' and 'ice_2.png' .* have one name"):
        pairs_of(folder)


def test_folders_must_be_there_and_hold_pictures(folder, tmp_path):
    with pytest.raises(SceneError, match=r"there is no folder '.*labels'"):
        find_pairs(folder / "image", folder / "labels")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SceneError, match=r"holds no picture: files must end in .png, .jpg, .jpeg"):
        find_pairs(tmp_path / "empty", folder / "label")


def test_smeared_labels_are_what_they_were_before_jpeg(folder):
    pairs = read_pairs(pairs_of(folder))
    assert pairs.names[:2] == ("ice_1", "ice_2")
    assert pairs.images.shape == (11, 3, 32, 32)
    assert np.unique(pairs.labels).tolist() == [0, 1]
    assert 0.02 < pairs.smeared < 0.9
    for number, label in enumerate(pairs.labels, start=1):
        assert np.mean(label == blobs(seed=number)) > 0.99
    assert (pairs.images[:, 0] == 200 * (pairs.images[:, 2] // 20)).all()  # red first
    assert (pairs.images[4, 1] == 50).all()


def test_sizes_must_agree(folder):
    write(folder / "label" / "ice_3.jpg", blobs(16))
    with pytest.raises(SceneError, match=r"'ice_3.png' is 32 x 32 px, but its label is 16 x 16"):
        read_pairs(pairs_of(folder))
    write(folder / "image" / "ice_3.png", blobs(16))
    with pytest.raises(SceneError, match=r"'ice_1.png' is 32 x 32 px, 'ice_3.png' 16 x 16 px"):
        read_pairs(pairs_of(folder))


def test_files_that_are_no_pictures_are_refused(folder):
    bad = folder / "image" / "ice_3.png"
    bad.write_bytes(b"not a picture")
    with pytest.raises(SceneError, match=re.escape(f"'{bad}' is no picture")):
        read_pairs(pairs_of(folder))
    bad.write_bytes(b"")
    with pytest.raises(SceneError, match="is no picture"):
        read_pairs(pairs_of(folder))
    write(bad, np.full((32, 32), 4000, np.uint16))
    with pytest.raises(SceneError, match="is a picture of 16 bits"):
        read_pairs(pairs_of(folder))


def test_a_label_in_colours_is_refused(folder):
    write(folder / "label" / "ice_3.jpg", np.full((32, 32, 3), (0, 0, 250), np.uint8))
    with pytest.raises(SceneError, match=r"the label '.*ice_3.jpg' has colours"):
        read_pairs(pairs_of(folder))


def test_pictures_are_not_turned_by_a_note_of_the_camera(tmp_path):
    """An image that is turned while its label is not would fit no more."""
    plain = cv2.imencode(".jpg", np.zeros((16, 24), np.uint8))[1].tobytes()
    turned = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    note = b"Exif\x00\x00" + turned + bytes(4)
    path = tmp_path / "turned.jpg"
    path.write_bytes(
        plain[:2] + b"\xff\xe1" + (len(note) + 2).to_bytes(2, "big") + note + plain[2:]
    )
    assert cv2.imread(str(path)).shape == (24, 16, 3)
    assert read_picture(path, colour=True).shape == (16, 24, 3)


def test_labels_that_hold_indexes_are_refused():
    with pytest.raises(SceneError, match=r"values up to 1, all below the threshold 128"):
        cut_label(np.array([0, 1, 1], np.uint8))
    assert cut_label(np.array([0, 1, 1], np.uint8), 1).tolist() == [0, 1, 1]
    assert cut_label(np.zeros(3, np.uint8)).tolist() == [0, 0, 0]


def test_tiles_are_dealt_once_each(folder):
    files = pairs_of(folder)
    parts = deal_pairs(files, validation=0.25, seed=1)
    names = [[path.stem for path in part.images] for part in parts]
    assert [len(part) for part in names] == [6, 2, 3]
    assert names[2] == ["ice_9", "ice_10", "ice_11"]  # by number, whatever the seed
    assert sorted(name for part in names for name in part) == sorted(
        path.stem for path in files.images
    )
    assert all(part.labels[0].stem == part.images[0].stem for part in parts)
    assert names != [[p.stem for p in part.images] for part in deal_pairs(
        files, validation=0.25, seed=2
    )]  # fmt: skip
    fewer = deal_pairs(files, validation=0.25, seed=1, tiles=4, held_out=1)
    assert [len(part.images) for part in fewer] == [3, 1, 1]


def test_seven_hundred_tiles_are_dealt_as_in_the_course(folder):
    one = pairs_of(folder)
    many = take_pairs(one, np.zeros(700, int))
    assert [len(part.images) for part in deal_pairs(many, validation=0.2, seed=0)] == [
        400,
        100,
        200,
    ]


def test_an_empty_part_is_refused(folder):
    files = pairs_of(folder)
    with pytest.raises(UsageError, match=r"at least one each: got 0, 8 and 3 of 11"):
        deal_pairs(files, validation=1.0, seed=0)
    with pytest.raises(UsageError, match="got 7, 1 and 0 of 11"):
        deal_pairs(files, validation=0.1, seed=0, held_out=0)
