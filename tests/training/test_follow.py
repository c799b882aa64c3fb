"""A run in several processes: the first one writes and speaks, the others learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rs_workbench import train
from rs_workbench.errors import UsageError
from rs_workbench.training.follow import check_processes
from rs_workbench.training.settings import SplitChoice, TrainSettings
from rs_workbench.training.settings_file import write_settings


def make(**changes: Any) -> TrainSettings:
    return TrainSettings(scenes=("a.tif",), labels=("b.tif",), **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"framework": "keras"}, "from one process, but 2 were started: leave out torchrun"),
        ({"split": SplitChoice(kind="random")}, "which 2 processes cannot share: use --split"),
    ],
)
def test_what_several_processes_cannot_share(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], message: str
) -> None:
    check_processes(make(**changes))
    monkeypatch.setenv("WORLD_SIZE", "2")
    check_processes(make())
    with pytest.raises(UsageError, match=message):
        check_processes(make(**changes))


@pytest.mark.parametrize("rank", [0, 1])
def test_only_the_first_process_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    called: list[str] = []

    def lead(*_: Any, **__: Any) -> Any:
        called.append("lead")
        raise UsageError("far enough")

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", f"{rank}")
    monkeypatch.setattr(train, "train", lead)
    monkeypatch.setattr(train, "follow", lambda settings, folder: called.append("follow"))
    write_settings(make(), tmp_path / "settings.yaml")
    result = CliRunner().invoke(train.command, [str(tmp_path / "settings.yaml")])
    assert called == [["lead", "follow"][rank]]
    assert result.exit_code == [2, 0][rank]
    assert rank == 0 or not result.output
