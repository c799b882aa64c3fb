"""A split by the names of scenes: the parts are those that were named, and mistakes are told."""

import numpy as np
import pytest

from rs_workbench.errors import UsageError
from rs_workbench.training.data import open_data
from rs_workbench.training.settings_check import check_settings
from tests.training.scenes import folder_settings, write_pair

NAMED = {"kind": "named", "validation": ["v_*"], "held_out": ["north.tif", "far_?.tif"]}


@pytest.fixture
def folder(tmp_path):
    """Five scenes, the first two of which touch."""
    places = {"a": (0, 0), "v_a": (0, 64), "north": (300, 0), "far_1": (600, 0), "b": (900, 0)}
    for seed, (name, at) in enumerate(places.items()):
        write_pair(tmp_path, name, (64, 64), seed=seed, at=at)
    return tmp_path


def test_scenes_go_to_the_parts_that_name_them(folder):
    data = open_data(folder_settings(folder, split=NAMED))
    assert {data.scenes[chip.scene].name for chip in data.held_out} == {"north.tif", "far_1.tif"}
    assert {data.scenes[chip.scene].name for chip in data.validation} == {"v_a.tif"}
    training = [
        scene.name
        for scene, allowed in zip(data.scenes, data.split.cells("training"), strict=True)
        if allowed.any()
    ]
    assert training == ["a.tif", "b.tif"]
    assert data.leaks == 0
    assert data.split_text.startswith(
        "split as the settings name the scenes, 16 px apart at least"
    )
    assert not data.warnings
    (near,) = [i for i, scene in enumerate(data.scenes) if scene.name == "a.tif"]
    allowed = np.repeat(data.split.cells("training")[near], data.split.cell, axis=1)
    assert not allowed[:, 48:].any()  # the buffer beside v_a
    assert allowed[:, :32].all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"held_out": ["norht.tif"]}, r"split.held_out names 'norht.tif', which is none of the 5"),
        ({"held_out": ["v_a.tif"]}, r"'v_a.tif' is named for split.validation and for split.held"),
    ],
)
def test_names_that_do_not_fit_are_refused(folder, change, said):
    with pytest.raises(UsageError, match=said):
        open_data(folder_settings(folder, split=NAMED | change))


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({"kind": "named", "held_out": ["a.tif"]}, "give split.validation and split.held_out"),
        ({"held_out": ["a.tif"]}, "split.held_out names scenes, but the split is blocks: add "),
    ],
)
def test_half_a_named_split_is_refused_before_data_are_opened(tmp_path, split, said):
    with pytest.raises(UsageError, match=said):
        check_settings(folder_settings(tmp_path, split=split))
