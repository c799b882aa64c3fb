"""A study as trials of Optuna in ``study.db``, for `optuna-dashboard` and for Optuna's own plots.

Each run is a trial: its choices and its seed are parameters, the validation scores of its epochs
intermediate values, and its mean IoU on held-out ground the value. A run is one trial however
often the study is told; a run that failed first and succeeded later is two, as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rs_workbench.ablation.results import Row, RunResult
from rs_workbench.ablation.runner import Runner
from rs_workbench.ablation.study import Plan, PlannedRun
from rs_workbench.errors import OutputError
from rs_workbench.training.history import read_history

NAME = "study.db"
MISSING = (
    "no study.db for optuna-dashboard, as optuna is not installed: run  pip install"
    " 'rs-workbench[tune]'"
)
_RUN, _AXES = "run", "axes"
_FACTS = ("parameters", "trainable", "seconds", "seconds_per_epoch", "validation_mean_iou",
          "peak_rss_mib", "peak_gpu_mib", "device")  # fmt: skip


def write_trials(plan: Plan, rows: Sequence[Row], runner: Runner) -> str | None:
    """Tell Optuna's storage of all runs that ended.

    Parameters
    ----------
    plan : Plan
        The study.
    rows : sequence of Row
        What its runs brought.
    runner : Runner
        Where the runs are.

    Returns
    -------
    str or None
        Why there is no storage; None where there is.

    Raises
    ------
    OutputError
        If the storage cannot be written to.
    """
    try:
        import optuna
    except ImportError:
        return MISSING
    said = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = runner.folder / NAME
    try:
        study = _open(optuna, path, plan)
        known = {
            (trial.user_attrs.get(_RUN), trial.state.name)
            for trial in study.get_trials(deepcopy=False)
        }
        for trial in _trials(optuna, plan, rows, runner):
            if (trial.user_attrs[_RUN], trial.state.name) not in known:
                study.add_trial(trial)
    except optuna.exceptions.StorageInternalError as error:
        raise OutputError(
            f"'{path}' cannot be written to ({str(error).splitlines()[0]}): delete it or make room"
        ) from error
    finally:
        optuna.logging.set_verbosity(said)
    return None


def _open(optuna: Any, path: Path, plan: Plan) -> Any:
    """Open the study; it begins anew where other things are varied than before."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{path.absolute().as_posix()}")
    name, axes = plan.study.name, json.dumps(_choices(plan))
    known = {one.study_name: one for one in optuna.get_all_study_summaries(storage)}
    if name in known and known[name].user_attrs.get(_AXES) != axes:
        optuna.delete_study(study_name=name, storage=storage)
    study = optuna.create_study(
        storage=storage, study_name=name, direction="maximize", load_if_exists=True
    )
    study.set_user_attr(_AXES, axes)
    return study


def _choices(plan: Plan) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {
        axis.name: [one.label for one in axis.choices] for axis in plan.axes
    }
    return {**found, "seed": sorted({run.seed for run in plan.runs})}


def _trials(optuna: Any, plan: Plan, rows: Sequence[Row], runner: Runner) -> Iterator[Any]:
    allowed = {
        key: optuna.distributions.CategoricalDistribution(values)
        for key, values in _choices(plan).items()
    }

    def make(run: PlannedRun, state: str, **more: Any) -> Any:
        attributes = {_RUN: run.id, "folder": str(runner.run_folder(run)), **more.pop("told")}
        trial = optuna.trial.create_trial(
            state=optuna.trial.TrialState[state],
            params={**run.configuration.choices, "seed": run.seed},
            distributions=allowed,
            user_attrs=attributes,
            **more,
        )
        trial.datetime_start, trial.datetime_complete = _times(runner, run)
        return trial

    for row in rows:
        for one in row.results:
            yield make(
                one.run, "COMPLETE", value=one.score, told=_told(one),
                intermediate_values=_curve(runner.run_folder(one.run)),
            )  # fmt: skip
        for run, reason in row.failed:
            yield make(run, "FAIL", told={"reason": reason})


def _told(one: RunResult) -> dict[str, Any]:
    accuracy = one.facts["held_out"].get("overall_accuracy")
    return {"overall_accuracy": accuracy, **{key: one.facts.get(key) for key in _FACTS}}


def _curve(folder: Path) -> dict[int, float]:
    """Read the validation score of each epoch."""
    head, *rows = read_history(folder) or [[]]
    if "mean_iou" not in head:
        return {}
    place = head.index("mean_iou")
    return {int(row[0]): float(row[place]) for row in rows if row[place] not in ("", "nan")}


def _times(runner: Runner, run: PlannedRun) -> tuple[datetime, datetime]:
    """When a run began and ended, as its files tell; in local time, as Optuna has it."""
    told = runner.folder / "settings" / f"{run.id}.yaml"
    log = runner.folder / "logs" / f"{run.id}.txt"
    stamps = [
        path.stat().st_mtime for path in (told, runner.run_folder(run), log) if path.exists()
    ]
    stamps = stamps or [datetime.now(UTC).timestamp()]
    ends = [
        datetime.fromtimestamp(stamp, UTC).astimezone() for stamp in (min(stamps), max(stamps))
    ]
    return ends[0].replace(tzinfo=None), ends[1].replace(tzinfo=None)
