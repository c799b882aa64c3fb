"""A study: settings that all runs share, what is varied, and the runs that this makes.

A study is plain data: every combination of what is varied is a *configuration*, and each
configuration is trained once with each seed. What makes scores comparable stays as it is in all
runs: the split, and how much is learnt from.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from rs_workbench.ablation.alike import check_alike
from rs_workbench.ablation.axes import Axis, Choice, label_of, make_axes, overlapping
from rs_workbench.errors import UsageError
from rs_workbench.networks import check_choice
from rs_workbench.training.settings import TrainSettings
from rs_workbench.training.settings_check import check_settings
from rs_workbench.training.settings_file import make_settings
from tiling import TilingError

NO_MATTER = ("name", "description", "license", "workers", "pictures", "device", "gpu_memory")
"""Settings that change nothing about what is learnt: a run is the same run without them."""


class Study(BaseModel):
    """What a file of a study holds.

    Attributes
    ----------
    name : str
        Of the study, in its report.
    settings : dict
        Of `TrainSettings`, as plain values: what all runs share.
    vary : dict of str to list
        What is varied; see `rs_workbench.ablation.axes`.
    seeds : int or list of int
        How many seeds, counted from the shared settings' own, or which.
    baseline : dict of str to value
        The configuration that the others are compared with; the first by default.
    skip : list of dict
        Combinations that are left out; a list of values means any of them.
    allow_leaks : bool
        Let a random split vary or be shared, to show what it does.
    allow_unequal : bool
        Let the split or the budget vary, although scores then compare little.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(default="ablation", min_length=1)
    settings: dict[str, Any]
    vary: dict[str, list[Any]] = Field(default_factory=dict)
    seeds: int | list[int] = 1
    baseline: dict[str, Any] = Field(default_factory=dict)
    skip: list[dict[str, Any]] = Field(default_factory=list)
    allow_leaks: bool = False
    allow_unequal: bool = False


@dataclass(frozen=True)
class Configuration:
    """One combination of what is varied.

    Attributes
    ----------
    name : str
        Its choices, with a comma between.
    choices : dict of str to str
        Label of the choice on each axis.
    settings : TrainSettings
        Complete, with the shared seed.
    """

    name: str
    choices: dict[str, str]
    settings: TrainSettings


@dataclass(frozen=True)
class PlannedRun:
    """One training: a configuration with a seed.

    Attributes
    ----------
    id : str
        Name of its folder: the same for the same settings, whatever else the study holds.
    configuration : Configuration
        What is trained.
    settings : TrainSettings
        The configuration's, with this run's seed.
    """

    id: str
    configuration: Configuration
    settings: TrainSettings

    @property
    def seed(self) -> int:
        """Of the weights, the chips and their augmentation."""
        return self.settings.seed

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.configuration.name}, seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """All runs of a study.

    Attributes
    ----------
    study : Study
        What was asked for.
    axes : tuple of Axis
        What is varied.
    configurations : tuple of Configuration
        In the order of the grid.
    baseline : Configuration
        The one that others are compared with.
    runs : tuple of PlannedRun
        Seed by seed, so that every configuration soon has one score.
    warnings : tuple of str
        What makes the scores less comparable.
    """

    study: Study
    axes: tuple[Axis, ...]
    configurations: tuple[Configuration, ...]
    baseline: Configuration
    runs: tuple[PlannedRun, ...]
    warnings: tuple[str, ...]


def plan_study(study: Study) -> Plan:
    """Work out all runs of a study.

    Parameters
    ----------
    study : Study
        What was asked for.

    Returns
    -------
    Plan
        Every run, its settings checked.

    Raises
    ------
    UsageError
        If a setting is unknown or a value wrong, two axes vary the same setting, the baseline is
        none of the configurations, or what is varied belongs to the split or the budget.
    """
    axes, seeds = make_axes(study.vary), _seeds(study)
    _check_keys("baseline", study.baseline, axes)
    for skipped in study.skip:
        _check_keys("skip", skipped, axes)
    found: list[Configuration] = []
    for combination in itertools.product(*(axis.choices for axis in axes)):
        choices = {axis.name: one.label for axis, one in zip(axes, combination, strict=True)}
        if not any(_matches(choices, skipped) for skipped in study.skip):
            found.append(_configuration(study.settings, choices, combination))
    if not found:
        raise UsageError("nothing is left to train: skip leaves out every combination")
    warnings = check_alike(
        [one.settings for one in found],
        allow_leaks=study.allow_leaks,
        allow_unequal=study.allow_unequal,
    )
    runs = [_run(one, seed) for seed in seeds for one in found]
    _check_apart(runs)
    baseline = next((one for one in found if _matches(one.choices, study.baseline)), None)
    if baseline is None:
        raise UsageError(
            f"the baseline {_text(study.baseline)} is left out by skip: choose another"
        )
    return Plan(study, axes, tuple(found), baseline, tuple(runs), warnings)


def run_id(settings: TrainSettings) -> str:
    """Name a run by what it depends on.

    Parameters
    ----------
    settings : TrainSettings
        Of the run.

    Returns
    -------
    str
        Framework, network and eight digits that are others for other settings. Settings that are
        as by default do not count, so that a new setting leaves old runs their names.
    """
    kept = settings.model_dump(mode="json", exclude_defaults=True, exclude=set(NO_MATTER))
    text = json.dumps(kept, sort_keys=True, ensure_ascii=True)
    digits = hashlib.sha256(text.encode()).hexdigest()[:8]
    network = re.sub(r"[^a-z0-9_]", "_", settings.network.lower())
    return f"{settings.framework}-{network}-{digits}"


def _seeds(study: Study) -> list[int]:
    first = study.settings.get("seed", 0)
    varied = study.vary.get("seed")
    if varied is not None and study.seeds != 1:
        raise UsageError(
            f"seeds are named twice: got seeds={study.seeds} and {len(varied)} in vary: drop one"
        )
    wanted: Any = varied if varied is not None else study.seeds
    if isinstance(wanted, int) and isinstance(first, int) and wanted > 0:
        wanted = list(range(first, first + wanted))
    seeds: list[int] = wanted if isinstance(wanted, list) else []
    whole = all(type(one) is int and one >= 0 for one in seeds)
    if not whole or not seeds or len(set(seeds)) < len(seeds):
        raise UsageError(
            f"seeds must be how many, or different whole numbers from 0 up: got {wanted!r} (try 3)"
        )
    return seeds


def _configuration(
    shared: Mapping[str, Any], choices: dict[str, str], combination: Sequence[Choice]
) -> Configuration:
    name = ", ".join(choices.values()) or "as it is"
    framework = next(
        (f for one in combination if (f := one.values.get("framework"))),
        shared.get("framework", TrainSettings.model_fields["framework"].default),
    )
    parts = [one.changes(str(framework)) for one in combination]
    if twice := overlapping(parts):
        raise UsageError(f"'{twice}' is varied twice at once in  {name}: vary it in one place")
    changes: dict[str, Any] = {}
    for key, value in itertools.chain.from_iterable(part.items() for part in parts):
        group, _, below = key.partition(".")
        if below:
            changes.setdefault(group, {})[below] = value
        else:
            changes[key] = value
    try:
        settings = make_settings(shared, changes)
        check_settings(settings)
    except (UsageError, TilingError) as error:
        raise UsageError(f"{name}: {error}" if choices else str(error)) from error
    return Configuration(name, choices, settings)


def _run(configuration: Configuration, seed: int) -> PlannedRun:
    settings = configuration.settings.model_copy(update={"seed": seed})
    return PlannedRun(run_id(settings), configuration, settings)


def _check_keys(what: str, chosen: Mapping[str, Any], axes: Sequence[Axis]) -> None:
    by_name = {axis.name: axis for axis in axes}
    for key, value in chosen.items():
        check_choice(f"varied setting for {what}", key, list(by_name))
        labels = [one.label for one in by_name[key].choices]
        for one in value if isinstance(value, list) else [value]:
            check_choice(f"choice of {key} for {what}", label_of(one), labels)


def _matches(choices: Mapping[str, str], wanted: Mapping[str, Any]) -> bool:
    return all(
        choices[key] in [label_of(one) for one in (value if isinstance(value, list) else [value])]
        for key, value in wanted.items()
    )


def _check_apart(runs: Sequence[PlannedRun]) -> None:
    seen: dict[str, PlannedRun] = {}
    for run in runs:
        if (other := seen.setdefault(run.id, run)) is not run:
            raise UsageError(
                f"two configurations are the same: {other.title} and {run.title}: take one out"
            )


def _text(chosen: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={label_of(value)}" for key, value in chosen.items())
