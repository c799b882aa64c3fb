"""A study becomes runs: the whole grid, each run named by what it depends on."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rs_workbench.ablation.study import Study, plan_study, run_id
from rs_workbench.errors import UsageError
from tests.ablation.studies import SETTINGS, make_study

MOBILE = {
    "name": "mobile",
    "torch": {"network_options.backbone": "torchvision/mobilenet_v3_small"},
    "keras": {"network_options": {"backbone": "MobileNetV3Small"}},
}
MINI = {"name": "mini", "network_options.backbone": "mini"}


def ids(study: Study) -> set[str]:
    return {run.id for run in plan_study(study).runs}


@settings(deadline=None, max_examples=15)
@given(
    widths=st.lists(st.sampled_from([8, 16, 32, 64]), min_size=1, unique=True),
    losses=st.lists(st.sampled_from(["dice", "lovasz", "cross_entropy"]), min_size=1, unique=True),
    seeds=st.integers(1, 4),
)
def test_the_grid_is_every_combination_once(widths, losses, seeds) -> None:
    vary = {"network_options.width": widths, "loss": losses}
    plan = plan_study(make_study(vary=vary, seeds=seeds))
    found = [(r.settings.network_options["width"], r.settings.loss, r.seed) for r in plan.runs]
    assert sorted(found) == sorted(itertools.product(widths, losses, range(seeds)))
    assert len({run.id for run in plan.runs}) == len(plan.runs)
    assert plan.baseline is plan.configurations[0]
    other_order = dict(reversed(vary.items()))
    assert {run.id for run in plan.runs} == ids(make_study(vary=other_order, seeds=seeds))


def test_a_larger_study_keeps_the_runs_of_a_smaller_one() -> None:
    small = make_study(vary={"loss": ["dice"]}, seeds=1)
    large = make_study(vary={"loss": ["lovasz", "dice"], "learning_rate": [1e-3, 1e-2]}, seeds=3)
    assert ids(small) < ids(large)


def test_what_changes_nothing_learnt_changes_no_name() -> None:
    plain = plan_study(make_study(seeds=1)).runs[0].settings
    same = {"workers": 7, "description": "other", "device": "cpu", "pictures": 0, "name": "n"}
    assert run_id(plain.model_copy(update=same)) == run_id(plain)
    for change in ({"seed": 1}, {"learning_rate": 0.01}, {"network_options": {"width": 8}}):
        assert run_id(plain.model_copy(update=change)) != run_id(plain)
    assert run_id(plain).startswith("torch-deeplabv3plus-")


def test_bundles_take_the_names_of_their_framework() -> None:
    vary = {"backbone": [MINI, MOBILE], "framework": ["torch", "keras"]}
    plan = plan_study(make_study(vary=vary, seeds=1))
    found = {
        one.name: (one.settings.framework, one.settings.network_options)
        for one in plan.configurations
    }
    assert found == {
        "mini, torch": ("torch", {"width": 64, "backbone": "mini"}),
        "mini, keras": ("keras", {"width": 64, "backbone": "mini"}),
        "mobile, torch": (
            "torch", {"width": 64, "backbone": "torchvision/mobilenet_v3_small"},
        ),
        "mobile, keras": ("keras", {"width": 64, "backbone": "MobileNetV3Small"}),
    }  # fmt: skip


def test_another_network_does_not_inherit_options() -> None:
    plan = plan_study(make_study(vary={"network": ["deeplabv3plus", "unet"]}, seeds=1))
    assert [one.settings.network_options for one in plan.configurations] == [{"width": 64}, {}]


def test_skip_and_baseline() -> None:
    vary = {"loss": ["dice", "lovasz"], "framework": ["torch", "keras"]}
    plan = plan_study(
        make_study(
            vary=vary,
            seeds=1,
            skip=[{"loss": "dice", "framework": ["keras", "torch"]}],
            baseline={"framework": "keras"},
        )
    )
    assert [one.name for one in plan.configurations] == ["lovasz, torch", "lovasz, keras"]
    assert plan.baseline.name == "lovasz, keras"


def test_seeds_come_after_each_other_and_may_be_varied_by_name() -> None:
    assert [r.seed for r in plan_study(make_study(seeds=2)).runs] == [0, 0, 1, 1]
    named = make_study(vary={"loss": ["dice"], "seed": [5, 9]}, seeds=1)
    assert [r.seed for r in plan_study(named).runs] == [5, 9]
    counted = make_study(change={"seed": 7}, vary={}, seeds=2)
    assert [r.seed for r in plan_study(counted).runs] == [7, 8]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"vary": {"los": ["dice"]}}, "no setting 'los', did you mean 'loss'"),
        ({"vary": {"split.blok": [1]}}, "no setting 'blok' of split, did you mean 'block'"),
        ({"vary": {"loss.x": [1]}}, "loss has no settings below it: got 'loss.x'"),
        ({"vary": {"loss": ["dise"]}}, "dise: .*dice"),
        ({"vary": {"loss": []}}, "loss has no value"),
        ({"vary": {"loss": ["dice", "dice"]}}, "a value twice: got dice, dice"),
        ({"vary": {"a": [{"name": "x", "loss": "dice"}], "loss": ["dice"]}}, "'loss' is varied"),
        ({"vary": {"a": [{"name": "x", "seed": 1}]}}, "seeds are varied by"),
        ({"vary": {"a": [{"name": "x", "torch": {"framework": "keras"}}]}}, "below torch: and"),
        ({"baseline": {"bakbone": "mini"}}, "for baseline 'bakbone': choose network_op"),
        ({"baseline": {"network_options.backbone": "minni"}}, "did you mean 'mini'"),
        ({"skip": [{"network_options.backbone": ["mini", "wide"]}]}, "nothing is left to train"),
        ({"seeds": 0}, "seeds must be how many"),
        ({"seeds": [1, 1]}, r"got \[1, 1\]"),
        ({"vary": {"seed": [1]}, "seeds": 2}, "seeds are named twice"),
        ({"vary": {"learning_rate": [0.001, 1e-3, "0.0010"]}}, "a value twice"),
        ({"vary": {"learning_rate": [0.01, "1e-2"]}}, "two configurations are the same"),
        ({"vary": {"learning_rate": [-1]}}, "-1: learning_rate must be above 0: got -1"),
    ],
)
def test_mistakes_get_a_sentence(fields, message) -> None:
    with pytest.raises(UsageError, match=message):
        plan_study(make_study(**fields))


@pytest.mark.parametrize(
    ("vary", "listed"),
    [
        ({"epochs": [1, 2]}, r"epochs \(1, 2\)"),
        ({"split.seed": [0, 1]}, r"split.seed \(0, 1\)"),
        ({"a": [{"name": "x", "tile": 64}, {"name": "y", "tile": 128}]}, r"tile \(64, 128\)"),
    ],
)
def test_split_and_budget_stay_the_same_unless_asked(vary, listed) -> None:
    with pytest.raises(UsageError, match=f"these vary: {listed}"):
        plan_study(make_study(vary=vary))
    plan = plan_study(make_study(vary=vary, allow_unequal=True))
    assert "not the same in all runs" in plan.warnings[0]


def test_a_random_split_is_a_demonstration_only() -> None:
    vary = {"split.kind": ["blocks", "random"]}
    with pytest.raises(UsageError, match="a random split leaks"):
        plan_study(make_study(vary=vary, allow_unequal=True))
    (warning,) = plan_study(make_study(vary=vary, allow_leaks=True)).warnings
    assert warning.startswith("LEAK")
    with pytest.raises(UsageError, match="a random split leaks"):
        plan_study(make_study(change={"split": {"kind": "random"}}))


def test_settings_are_whole_in_every_run() -> None:
    for run in plan_study(make_study()).runs:
        assert run.settings.network == SETTINGS["network"]
        assert run.settings.network_options["width"] == 64
