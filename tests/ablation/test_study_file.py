"""Studies from files, recipes and options."""

from __future__ import annotations

from pathlib import Path

import pytest

from rs_workbench.ablation.study import plan_study
from rs_workbench.ablation.study_file import (
    Asked,
    parse_choices,
    parse_vary,
    read_study,
    studies,
    write_study,
)
from rs_workbench.errors import UsageError

TEXT = """
settings: {scenes: [s.tif], labels: [l.tif], framework: keras, epochs: 9}
change: {epochs: 3}
vary: {loss: [dice, lovasz]}
seeds: 2
"""


def write(folder: Path, text: str, name: str = "my.yaml") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_a_file_and_what_is_asked_for(tmp_path) -> None:
    study = read_study(write(tmp_path, TEXT), Asked())
    assert (study.name, study.seeds, study.settings["epochs"]) == ("my", 2, 3)
    assert study.settings["scenes"] == [str(tmp_path / "s.tif")]
    asked = Asked(changes={"epochs": 5}, vary={"learning_rate": [0.1]}, fields={"seeds": 1})
    study = read_study(write(tmp_path, TEXT), asked)
    assert (study.seeds, study.settings["epochs"]) == (1, 5)
    assert study.vary == {"loss": ["dice", "lovasz"], "learning_rate": [0.1]}


def test_a_saved_study_is_the_same_from_anywhere(tmp_path, monkeypatch) -> None:
    study = read_study(write(tmp_path, TEXT), Asked())
    folder = tmp_path / "out"
    folder.mkdir()
    write_study(study, folder / "study.yaml")
    monkeypatch.chdir(folder)
    again = read_study(".", Asked())
    assert again == study
    assert [r.id for r in plan_study(again).runs] == [r.id for r in plan_study(study).runs]


def test_settings_in_a_file_beside_and_a_recipe(tmp_path) -> None:
    write(tmp_path, "scenes: [s.tif]\nlabels: [l.tif]\ntile: 64\n", "base.yaml")
    study = read_study(write(tmp_path, "settings: base.yaml\nvary: {loss: [dice]}\n"), Asked())
    assert study.settings["tile"] == 64
    recipe = read_study("dunes", Asked(vary={"loss": ["dice", "lovasz"]}))
    assert recipe.name == "dunes"
    assert len(plan_study(recipe).configurations) == 2
    only = read_study(str(tmp_path / "base.yaml"), Asked(vary={"loss": ["dice"]}))
    assert only.settings["scenes"] == [str(tmp_path / "s.tif")]


def test_options_alone_and_quick() -> None:
    changes = {"scenes": ["s.tif"], "labels": ["l.tif"], "tile": 256, "epochs": 99}
    study = read_study(None, Asked(changes, quick=True, vary={"loss": ["dice"]}))
    (one,) = plan_study(study).configurations
    assert one.settings.epochs == 99  # what is asked for stays
    assert one.settings.chips < 256
    assert one.settings.network_options == {"width": 16, "depth": 3}


def test_every_study_that_ships_can_be_planned() -> None:
    assert "backbones" in studies()
    for name in studies():
        plan = plan_study(read_study(name, Asked()))
        assert len(plan.runs) >= 2
        assert len({(r.settings.epochs, r.settings.chips) for r in plan.runs}) == 1


def test_options_as_text() -> None:
    assert parse_vary(["network_options.width=16,32"]) == {"network_options.width": [16, 32]}
    assert parse_choices("--skip", "a=b, c=d") == {"a": "b", "c": "d"}
    with pytest.raises(UsageError, match=r"--skip 'a' is no  name=value"):
        parse_choices("--skip", "a")
    with pytest.raises(UsageError, match="did you mean 'epochs'"):
        parse_vary(["epoch=1,2"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("settings: {}\nvarry: {}\n", "'my.yaml': a study has no 'varry', did you mean 'vary'"),
        ("settings: 3\n", "settings must be keys and values"),
        ("settings: {}\nvary: [1]\n", "'my.yaml': vary: should be a valid dictionary"),
        ("settings: nowhere\n", "'nowhere' is neither a file of settings nor a recipe"),
    ],
)
def test_mistakes_get_a_sentence(text, message, tmp_path) -> None:
    with pytest.raises(UsageError, match=message):
        read_study(write(tmp_path, text), Asked())


def test_unknown_targets(tmp_path) -> None:
    with pytest.raises(UsageError, match="did you mean 'backbones'"):
        read_study("bakbones", Asked())
    with pytest.raises(UsageError, match=r"is a folder without study\.yaml"):
        read_study(str(tmp_path), Asked())
