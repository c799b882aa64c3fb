"""Settings: YAML in and out, what the options change, and a sentence for every mistake."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from rs_workbench.errors import UsageError, WorkbenchError
from rs_workbench.training.command_line import changes_from, settings_from
from rs_workbench.training.recipes import find_settings, recipes
from rs_workbench.training.settings import TrainSettings
from rs_workbench.training.settings_check import check_settings
from rs_workbench.training.settings_file import (
    anchored,
    differences,
    make_settings,
    merge,
    read_settings,
    write_settings,
)
from rs_workbench.training.yaml_file import parse_yaml, read_yaml, yaml_text
from tiling import TilingError

LEAST = "scenes: [a.tif]\nlabels: [b.tif]\n"


def read(folder: Path, text: str, changes: dict | None = None) -> TrainSettings:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return read_settings(path, changes)


# YAML


def test_plain_yaml_is_read_as_people_mean_it() -> None:
    text = "[no, on, 010, 1:30, 2020-01-01, 1e-3, true, ~, .nan, '7']"
    *found, nan, seven = parse_yaml(text, "here")
    assert found == ["no", "on", 10, "1:30", "2020-01-01", 0.001, True, None]
    assert math.isnan(nan)
    assert seven == "7"


def test_what_is_written_is_read_back() -> None:
    texts = ["no", "1e-3", "010", "2020-01-01", "#2b6fb5", "{col}_{row}_", "水体", "", "~", "true"]
    value = {"texts": texts, "numbers": [1e-5, -3, math.inf], "none": None, "tuple": (1, 2)}
    assert parse_yaml(yaml_text(value), "here") == {**value, "tuple": [1, 2]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1", "'x.yaml', line 1, column 6 is no YAML"),
        ("a: 1\nb: 2\na: 3", "'x.yaml', line 3, column 1 is no YAML: 'a' stands here for the sec"),
        ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("[1]: 2", "a key must be text or a number"),
        ("just words", "'x.yaml' holds no settings: write keys and values"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_yaml(tmp_path / "x.yaml")
    assert said in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'.*none.yaml' cannot be read \(No such file"):
        read_yaml(tmp_path / "none.yaml")


# Settings


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    told = "scenes: [../s/*.tif, sample:dunes/images, /vsizip/x.zip, 'NETCDF:a.nc:b']\n"
    settings = read(tmp_path, told + "labels: l.gpkg\n")
    assert settings.scenes == (
        str(tmp_path / ".." / "s" / "*.tif"),
        "sample:dunes/images",
        "/vsizip/x.zip",
        "NETCDF:a.nc:b",
    )
    assert settings.labels == (str(tmp_path / "l.gpkg"),)


def test_paths_of_options_are_relative_to_where_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    settings = read(tmp_path, LEAST, {"labels": ["c.tif"]})
    assert settings.scenes == (str(tmp_path / "a.tif"),)
    assert settings.labels == (str(tmp_path / "here" / "c.tif"),)


def test_weights_beside_the_file_are_found_and_names_stay(tmp_path: Path) -> None:
    (tmp_path / "own.pt").touch()
    for given, found in (("own.pt", str(tmp_path / "own.pt")), ("imagenet", "imagenet")):
        values = anchored({"network_options": {"weights": given}}, tmp_path)
        assert values["network_options"] == {"weights": found}


def test_resolved_settings_read_back_are_equal(tmp_path: Path) -> None:
    settings = make_settings(
        {
            "scenes": ["a.tif"],
            "labels": ["b.tif"],
            "classes": [{"value": 1, "name": "水", "labels": 4}, {"value": 2, "name": "no"}],
            "augment": {"scale": [0.8, 1.25]},
            "network_options": {"rates": [1, 2], "norm": "group"},
            "class_weights": [1, 2.5],
            "nodata": -9999,
            "learning_rate": 1e-5,
        }
    )
    write_settings(settings, tmp_path / "settings.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["settings.yaml"]
    again = read_settings(tmp_path / "settings.yaml")
    assert again == settings
    assert set(read_yaml(tmp_path / "settings.yaml")) == set(TrainSettings.model_fields)


def test_classes_may_be_values_and_names() -> None:
    settings = make_settings({"scenes": "a", "labels": "b", "classes": {1: "water", 2: "ice"}})
    assert [(one.value, one.name) for one in settings.classes or ()] == [(1, "water"), (2, "ice")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epoch: 3", "'mine.yaml': there is no setting 'epoch', did you mean 'epochs'?"),
        ("lr: 3", "'mine.yaml': there is no setting 'lr', did you mean 'learning_rate'?"),
        ("masks: x", "there is no setting 'masks', did you mean 'labels'?"),
        ("shares: x", "there is no setting 'shares', did you mean 'split.shares'?"),
        ("split: {blok: 3}", "there is no setting 'blok' of split, did you mean 'block'?"),
        ("augment: {scal: 3}", "there is no setting 'scal' of augment, did you mean 'scale'?"),
        ("augment: {zz: 3}", "there is no setting 'zz' of augment: there are flip, turn, scale"),
        (
            "classes: [{value: 1, name: a, colour: x}]",
            "there is no setting 'colour' of classes, did you mean 'color'?",
        ),
        ("epochs: 0", "'mine.yaml': epochs must be at least 1: got 0"),
        ("epochs: many", "epochs must be a whole number: got 'many'"),
        ("epochs: 2.5", "epochs must be a whole number: got 2.5"),
        ("learning_rate: 0", "learning_rate must be above 0: got 0"),
        ("warmup: 1", "warmup must be below 1: got 1"),
        ("class_share: 2", "class_share must be at most 1: got 2"),
        ("onnx: perhaps", "onnx must be true or false: got 'perhaps'"),
        ("name: [a]", "name must be text: got ['a']"),
        ("framework: tf", "framework must be keras or torch: got 'tf'"),
        ("split: 3", "split must be settings of the split, such as {kind: blocks}: got 3"),
        ("split: {kind: rows}", "split.kind must be blocks, named or random: got 'rows'"),
        ("split: {shares: [1, 2]}", "split.shares must be three numbers that sum to 1"),
        ("augment: {scale: [2, 1]}", "augment: scale must be two numbers above 0, the smaller"),
        ("augment: {scale: 2}", "augment.scale must be two numbers, such as [0.8, 1.25]: got 2"),
        ("augment: {noise: -1}", "augment: noise must be at least 0: got -1.0 (try 0.1)"),
        ("bands: [1.5]", "bands must be numbers from 1 or names, such as [4, 3, 2]: got 1.5"),
        ("class_weights: {a: 1}", "class_weights must be a rule such as balanced, or one number"),
        ("positions: {col}", "positions must be a pattern in quotes, such as '{col}_{row}_'"),
        ("classes: [{value: 1}]", "name of class 1 is missing: got {'value': 1}"),
        ("classes: [{value: 999, name: a}]", "value of class 1 must be at most 254: got 999"),
        (
            "classes: [{value: 1, name: a, color: red}]",
            "color of class 1 must be a colour in quotes, such as '#2b6fb5': got 'red'",
        ),
        (
            "classes:\n  - value: 1\n    name: a\n    color: #ff0000",
            "'mine.yaml': the colour of class a is empty: put it in quotes",
        ),
        ("epochs: 0\nbatch: 0", "epochs must be at least 1: got 0"),
    ],
)
def test_a_mistake_gets_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, LEAST + text + "\n")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_scenes_and_a_wrong_option_do_not_blame_the_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^'mine.yaml': ") as caught:
        read(tmp_path, LEAST + "epochs: 0\n")
    with pytest.raises(UsageError) as caught:
        read(tmp_path, LEAST, {"epochs": 0})
    assert str(caught.value) == "epochs must be at least 1: got 0"
    with pytest.raises(UsageError, match=r"^scenes are missing: give one or more .*--scene\)"):
        make_settings({"labels": ["b"]})


def test_differences_name_the_keys() -> None:
    one = make_settings({"scenes": "a", "labels": "b", "nodata": [math.nan]})
    other = make_settings(
        {"scenes": "a", "labels": "b", "nodata": [math.nan], "epochs": 3, "split": {"block": 9}},
        {"network_options": {"width": 8}},
    )
    assert differences(one, other) == {
        "split.block": (None, 9),
        "network_options.width": (None, 8),
        "epochs": (30, 3),
    }
    assert differences(one, one) == {}


# Checks that need no data


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"network": "unnet"}, "there is no torch network 'unnet', did you mean 'unet'?"),
        ({"loss": "dyce"}, "there is no loss 'dyce', did you mean 'dice'?"),
        ({"class_weights": "balance"}, "there is no rule for class weights 'balance', did you me"),
        ({"class_weights": "balanced", "loss": "dice"}, "'dice' counts every class alike"),
        (
            {"class_weights": [1.0], "classes": {1: "a", 2: "b"}},
            "class weights must be one for each of 2 classes: got 1 (1)",
        ),
        ({"split": {"shares": [0.5, 0.2, 0.2]}}, "must sum to 1"),
        ({"split": {"block": 8}}, "got block=8 px and tile=256 px (try block=1024)"),
        ({"classes": {1: "a"}}, "there must be two classes at least: got 1"),
        ({"classes": {1: "a", 2: "a"}}, "each class needs a name of its own: got a for 2 of 2"),
        (
            {
                "classes": [{"value": 1, "name": "a", "labels": 3}, {"value": 2, "name": "b"}],
                "unlabelled": 3,
            },
            "a label means one class: got 3 for 'unlabelled' and 'a'",
        ),
        ({"class_share": 0.7, "border_share": 0.7}, "class_share=0.7 and border_share=0.7"),
        ({"accumulate": 9}, "got accumulate=9 and batch=8"),
        ({"gpu_memory": "lots"}, "--gpu-memory lots is not understood"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_any_data(change: dict, said: str) -> None:
    settings = make_settings({"scenes": "a", "labels": "b"}, change)
    with pytest.raises((WorkbenchError, TilingError)) as caught:
        check_settings(settings)
    assert said in str(caught.value)


# Options over the file, quick, recipes


def test_options_hold_over_the_file_key_by_key(tmp_path: Path) -> None:
    told = LEAST + "split: {block: 300, seed: 4}\nepochs: 7\nnetwork_options: {width: 8}\n"
    settings = read(tmp_path, told, changes_from({"split": "random", "epochs": 2}))
    assert (settings.split.kind, settings.split.block, settings.split.seed) == ("random", 300, 4)
    assert settings.epochs == 2
    assert settings.network_options == {"width": 8}


def test_another_network_forgets_the_options_of_the_first() -> None:
    values = {"network": "unet", "network_options": {"width": 8}}
    assert merge(values, {"network": "cbrr_unet"}) == {"network": "cbrr_unet"}
    assert merge(values, {"network": "unet"})["network_options"] == {"width": 8}
    unnamed = {"network_options": {"width": 8}}  # unet, the default
    assert merge(unnamed, {"network": "unet"})["network_options"] == {"width": 8}
    assert "network_options" not in merge(unnamed, {"network": "cbrr_unet"})


def test_texts_of_options_become_values() -> None:
    assert changes_from(
        {
            "scenes": ("a", "b"),
            "bands": ("4", "red"),
            "unlabelled": ("0", "unknown"),
            "class_weights": "1,2.5",
            "network_options": ("width=16", "rates=[1, 2]", "norm=group"),
            "backbone": "mini",
            "others": ("augment.scale=[0.8,1.25]", "weight_decay=1e-4", "split.seed=3"),
            "block": 64,
        }
    ) == {
        "scenes": ["a", "b"],
        "bands": [4, "red"],
        "unlabelled": [0, "unknown"],
        "class_weights": [1.0, 2.5],
        "network_options": {
            "width": 16,
            "rates": [1, 2],
            "norm": "group",
            "backbone": "mini",
        },
        "split": {"block": 64, "seed": 3},
        "augment": {"scale": [0.8, 1.25]},
        "weight_decay": 1e-4,
    }


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"classes": "water"}, "--classes 'water' cannot be understood at 'water'"),
        ({"classes": "1=a,1=b"}, "names value 1 twice"),
        ({"network_options": ("width",)}, "--option width cannot be understood"),
        ({"others": ("=3",)}, "--set =3 cannot be understood"),
        ({"others": ("epochs=[1",)}, "--set epochs=[1, line 1, column 3 is no YAML"),
        ({"name": ""}, "--name must not be empty"),
        ({"scenes": ("",)}, "--scene must not be empty"),
    ],
)
def test_options_that_cannot_be_read(typed: dict, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        changes_from(typed)
    assert said in str(caught.value)


def test_set_with_an_unknown_name_is_refused() -> None:
    for text, guess in (("augmnt.scale=1", "augment"), ("augment.scal=1", "scale")):
        changes = {"scenes": ["a"], "labels": ["b"], **changes_from({"others": (text,)})}
        with pytest.raises(UsageError, match=f"did you mean '{guess}'"):
            make_settings({}, changes)


def test_quick_never_makes_longer_or_larger_and_options_hold_beside_it() -> None:
    data = {"scenes": ["a"], "labels": ["b"], "framework": "torch"}
    quick = settings_from(None, data, quick=True)
    full = settings_from(None, data)
    assert quick.epochs < full.epochs
    assert quick.chips < full.chips
    small = {**data, "epochs": 2, "chips": 10, "network_options": {"width": 4, "norm": "group"}}
    settings = settings_from(None, small, quick=True)
    assert (settings.epochs, settings.chips) == (2, 10)
    assert settings.network_options == {"width": 4, "norm": "group", "depth": 3}
    asked = settings_from(None, {**data, "epochs": 99, "network": "deeplabv3plus"}, quick=True)
    assert asked.epochs == 99
    assert asked.network_options["width"] == 64


def test_quick_leaves_the_network_alone_where_chips_are_small(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(LEAST + "tile: 16\nnetwork_options: {width: 64, depth: 1}\n")
    assert settings_from(str(path), {}, quick=True).network_options == {"width": 64, "depth": 1}


def test_quick_shortens_what_a_file_asks_for(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(LEAST + "epochs: 500\nnetwork_options: {width: 64, depth: 2}\n")
    settings = settings_from(str(path), {}, quick=True)
    assert settings.epochs < 500
    assert settings.network_options == {"width": 16, "depth": 2}


@pytest.mark.parametrize("name", list(recipes()))
@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_every_recipe_is_settings_that_could_work(name: str, framework: str) -> None:
    for quick in (False, True):
        settings = settings_from(name, {"framework": framework}, quick=quick)
        check_settings(settings)
        assert settings.name == {"default_model": "dunes_unet"}.get(name, name)
        assert all(scene.startswith("sample:") for scene in settings.scenes)


def test_a_name_that_is_neither_file_nor_recipe(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'dune' is neither a file of settings nor a recipe, did"):
        find_settings("dune")
    with pytest.raises(UsageError, match="recipes are chiapas, default_model and dunes"):
        find_settings(str(tmp_path / "nowhere.yaml"))
    assert find_settings("dunes").name == "dunes.yaml"
