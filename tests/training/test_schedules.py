"""Learning rates of steps, and decays of the running mean."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rs_workbench.training.schedules import decay_at, rate_at, weight_decay
from rs_workbench.training.settings import TrainSettings

KINDS = ("one_cycle", "cosine", "polynomial", "constant")


def make(**changes: Any) -> TrainSettings:
    return TrainSettings(scenes=("a.tif",), labels=("b.tif",), **changes)


def rates(total: int, **changes: Any) -> list[float]:
    settings = make(**changes)
    return [rate_at(settings, step, total) for step in range(total)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("warmup", [0.0, 0.01, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("total", [1, 2, 3, 10, 37, 400])
def test_rates_rise_to_the_learning_rate_then_fall(kind: str, warmup: float, total: int) -> None:
    found = rates(total, schedule=kind, warmup=warmup, learning_rate=0.02)
    assert all(0 < rate <= 0.02 for rate in found)
    top = found.index(max(found))
    assert found[: top + 1] == sorted(found[: top + 1])
    assert found[top:] == sorted(found[top:], reverse=True)
    assert abs(top - warmup * total) <= 2
    if total >= 37 and warmup <= 0.5:
        assert max(found) > 0.99 * 0.02


@pytest.mark.parametrize("kind", KINDS[1:])
def test_rates_in_closed_form(kind: str) -> None:
    found = rates(10, schedule=kind, warmup=0.2, learning_rate=3.0)
    assert found[:2] == [1.0, 2.0]
    t = 4 / 8
    half = {"cosine": 1.5, "polynomial": 3 * (1 - t) ** 0.9, "constant": 3.0}[kind]
    assert found[6] == pytest.approx(half)


def test_one_cycle_in_closed_form() -> None:
    found = rates(21, schedule="one_cycle", warmup=5 / 21, learning_rate=1.0)
    assert found[0] == pytest.approx(1 / 25)
    assert found[2] == pytest.approx((1 / 25 + 1) / 2)
    assert found[4] == pytest.approx(1)
    assert found[12] == pytest.approx((1 + 4e-6) / 2)
    assert found[20] == pytest.approx(4e-6)


def test_a_step_too_many_has_the_last_rate() -> None:
    assert rate_at(make(), 99, 20) == rate_at(make(), 19, 20)


def test_the_mean_forgets_its_start() -> None:
    """After n steps the random weights of the start weigh the product of all decays."""
    share = math.prod(decay_at(0.999, step) for step in range(100))
    assert share < 1e-12 < 0.999**100
    assert decay_at(0.999, 10**6) == 0.999


def test_adam_decays_no_weights() -> None:
    found = [weight_decay(make(optimizer=kind)) for kind in ("adamw", "adam", "sgd")]
    assert found == [1e-2, 0.0, 1e-2]
