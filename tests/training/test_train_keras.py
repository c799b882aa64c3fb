"""`rsw train` with Keras, from files to a map: the cases of `train_cases`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

from tests.training import train_cases as cases  # noqa: E402


def weights(path: Path) -> dict[str, np.ndarray]:
    model = keras.saving.load_model(path, compile=False)
    return {weight.path: weight.value.numpy() for weight in model.weights}


@pytest.mark.slow
def test_it_ends_in_a_model_that_maps(tmp_path: Path) -> None:
    cases.check_ends_in_a_model_that_maps(tmp_path, "keras")


@pytest.mark.slow
def test_it_learns(tmp_path: Path) -> None:
    cases.check_learns(tmp_path, "keras")


def test_a_stopped_run_goes_on_to_the_same_end(tmp_path: Path) -> None:
    cases.check_a_stopped_run_goes_on_to_the_same_end(tmp_path, "keras", weights)


@pytest.mark.slow
def test_the_same_run_twice_gives_the_same_weights(tmp_path: Path) -> None:
    cases.check_the_same_run_twice_gives_the_same_weights(tmp_path, "keras", weights)


@pytest.mark.slow
def test_what_a_leak_flatters(tmp_path: Path) -> None:
    cases.check_what_a_leak_flatters(tmp_path, "keras")


def test_the_command(tmp_path: Path) -> None:
    cases.check_the_command(tmp_path, "keras")


def test_wrong_options_of_the_network(tmp_path: Path) -> None:
    cases.check_wrong_options_of_the_network(tmp_path, "keras")
