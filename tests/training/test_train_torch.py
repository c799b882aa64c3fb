"""`rsw train` with PyTorch, from files to a map: the cases of `train_cases`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import require_framework

torch = require_framework("torch")

from tests.training import train_cases as cases  # noqa: E402


def weights(path: Path) -> dict[str, np.ndarray]:
    state = torch.export.load(path).state_dict
    return {name: value.detach().cpu().numpy() for name, value in state.items()}


@pytest.mark.slow
def test_it_ends_in_a_model_that_maps(tmp_path: Path) -> None:
    cases.check_ends_in_a_model_that_maps(tmp_path, "torch")


@pytest.mark.slow
def test_it_learns(tmp_path: Path) -> None:
    cases.check_learns(tmp_path, "torch")


def test_a_stopped_run_goes_on_to_the_same_end(tmp_path: Path) -> None:
    cases.check_a_stopped_run_goes_on_to_the_same_end(tmp_path, "torch", weights)


@pytest.mark.slow
def test_the_same_run_twice_gives_the_same_weights(tmp_path: Path) -> None:
    cases.check_the_same_run_twice_gives_the_same_weights(tmp_path, "torch", weights)


@pytest.mark.slow
def test_what_a_leak_flatters(tmp_path: Path) -> None:
    cases.check_what_a_leak_flatters(tmp_path, "torch")


def test_the_command(tmp_path: Path) -> None:
    cases.check_the_command(tmp_path, "torch")


@pytest.mark.slow
def test_ctrl_c_within_an_epoch_goes_on_to_the_same_end(tmp_path: Path) -> None:
    cases.check_ctrl_c(tmp_path, "torch", weights)


def test_wrong_options_of_the_network(tmp_path: Path) -> None:
    cases.check_wrong_options_of_the_network(tmp_path, "torch")
