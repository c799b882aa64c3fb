"""What docs/training.md and docs/ablation.md show can be read, and what they name is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from click import Command

from rs_workbench.ablate import command as ablate_command
from rs_workbench.ablation.study import plan_study
from rs_workbench.ablation.study_file import Asked, read_study
from rs_workbench.chips import command as chips_command
from rs_workbench.networks import list_networks
from rs_workbench.train import command as train_command
from rs_workbench.training.augment import Augment
from rs_workbench.training.class_weights import class_weights
from rs_workbench.training.loss_settings import LOSSES
from rs_workbench.training.recipes import recipes
from rs_workbench.training.run_folder import OURS, STATE
from rs_workbench.training.settings import TrainSettings
from rs_workbench.training.settings_check import check_settings
from rs_workbench.training.settings_file import read_settings
from rs_workbench.types import Optimizer, Schedule

DOCS = Path(__file__).parents[2] / "docs"
TRAINING, ABLATION = "training.md", "ablation.md"
VERBS: dict[str, Command] = {
    "train": train_command,
    "chips": chips_command,
    "ablate": ablate_command,
}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page(name), re.DOTALL)


def write_block(name: str, number: int, path: Path) -> Path:
    path.write_text(blocks(name, "yaml")[number], encoding="utf-8")
    return path


def test_the_complete_file_of_settings_is_read(tmp_path: Path) -> None:
    settings = read_settings(write_block(TRAINING, 0, tmp_path / "mine.yaml"))
    check_settings(settings)
    assert settings.scenes == (str(tmp_path / "scene.tif"),)
    assert settings.classes is not None
    assert [one.labels for one in settings.classes] == [(), (), (3, 4), (5, 6, 7)]
    assert (settings.network_options, settings.patience) == ({"width": 16, "depth": 3}, 8)


def test_short_forms_are_read(tmp_path: Path) -> None:
    settings = read_settings(write_block(TRAINING, 1, tmp_path / "short.yaml"))
    check_settings(settings)
    assert settings.classes is not None
    assert [one.name for one in settings.classes] == ["water", "sand", "vegetation", "other"]
    assert settings.class_weights == (1, 2.5, 1, 1)
    assert len(blocks(TRAINING, "yaml")) == 2


def test_studies_are_read(tmp_path: Path) -> None:
    write_block(TRAINING, 0, tmp_path / "mine.yaml")
    losses = plan_study(read_study(str(write_block(ABLATION, 0, tmp_path / "a.yaml")), Asked()))
    assert (len(losses.configurations), len(losses.runs)) == (5, 15)
    bundles = plan_study(read_study(str(write_block(ABLATION, 1, tmp_path / "b.yaml")), Asked()))
    assert (len(bundles.configurations), len(bundles.runs)) == (4, 12)
    assert len(blocks(ABLATION, "yaml")) == 2


@pytest.mark.parametrize("name", [TRAINING, ABLATION])
def test_options_in_commands_are_there(name: str) -> None:
    lines = re.findall(r"^rsw (train|chips|ablate) (.*)$", page(name), re.MULTILINE)
    assert len(lines) >= 3
    for verb, rest in lines:
        known = {text for option in VERBS[verb].params for text in option.opts}
        typed = set(re.findall(r"(?<!\S)(--?[a-z][a-z-]*)", rest.partition("#")[0]))
        assert typed <= known, (verb, typed - known)


def test_all_choices_are_listed() -> None:
    text = page(TRAINING)
    fields = TrainSettings.model_fields
    assert {"class_share", "border_share", "class_power", "average", "clip"} <= fields.keys()
    rules = ("balanced", "inverse_frequency", "effective_number", "median_frequency")
    names = [
        *LOSSES,
        *recipes(),
        *rules,
        *get_args(Optimizer),
        *get_args(Schedule),
        *(network.name for network in list_networks()),
        *Augment.__dataclass_fields__,
    ]
    assert [one for one in names if f"`{one}`" not in text] == []
    assert all(class_weights([1, 2], rule).all() for rule in rules)
    internal = {STATE, "lock", "blocks", "leaks.json"}
    files = [one for one in OURS if one not in internal]
    assert [one for one in files if f"`{one}" not in text] == []


@pytest.mark.parametrize("name", [TRAINING, ABLATION])
def test_links_within_the_docs_lead_somewhere(name: str) -> None:
    text = page(name)
    for target in re.findall(r"\]\(([^)#:]+\.(?:md|png))", text):
        assert (DOCS / target).is_file(), target
    anchors = {
        re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-")
        for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    for anchor in re.findall(r"\]\(#([^)]+)\)", text):
        assert anchor in anchors, anchor
