"""What `rsw train` says: the plan before a run, the result after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rs_workbench.progress import duration
from rs_workbench.training.recipes import recipes
from rs_workbench.training.settings_file import plain_values, settings_text

if TYPE_CHECKING:
    from rs_workbench.training.data import TrainingData
    from rs_workbench.training.train_result import TrainResult

PARTS = ("training", "validation", "held_out")
BASELINES = {"majority": "always the commonest class", "forest": "random forest of pixels"}


def say(line: str) -> None:
    """Print one line on stderr, where progress also goes.

    Parameters
    ----------
    line : str
        A sentence.
    """
    click.echo(line, err=True)


def print_recipes() -> None:
    """List the recipes: name and what it is."""
    found = recipes()
    wide = max(map(len, found))
    for name, about in found.items():
        click.echo(f"{name:<{wide}}  {about}")


def plan_of(data: TrainingData) -> dict[str, Any]:
    """Say what would be trained.

    Parameters
    ----------
    data : TrainingData
        Opened data.

    Returns
    -------
    dict
        Plain values.
    """
    settings = data.settings
    chips = {"validation": len(data.validation), "held_out": len(data.held_out)}
    steps = -(-settings.chips // settings.batch) * settings.epochs
    return {
        "scenes": len(data.scenes),
        "bands": list(data.bands),
        "split": data.split_text,
        "chips": {"training": settings.chips, **chips},
        "steps": steps,
        "leaks": data.leaks,
        "classes": [
            {
                "value": entry.value,
                "name": entry.name,
                "pixels": {part: int(data.counts[part][number]) for part in PARTS},
            }
            for number, entry in enumerate(data.classes)
        ],
        "warnings": list(data.warnings),
    }


def print_plan(data: TrainingData, *, as_json: bool) -> None:
    """Print the settings as YAML, with what would be trained as comments above.

    Parameters
    ----------
    data : TrainingData
        Opened data.
    as_json : bool
        Print both as JSON instead.
    """
    plan = plan_of(data)
    if as_json:
        values = {"settings": plain_values(data.settings), "plan": plan}
        click.echo(json.dumps(values, indent=2, ensure_ascii=False))
        return
    for line in _plan_lines(plan, data):
        click.echo(f"# {line}")
    click.echo(settings_text(data.settings), nl=False)
    for warning in plan["warnings"]:
        say(f"warning: {warning}")


def _plan_lines(plan: dict[str, Any], data: TrainingData) -> list[str]:
    settings, chips = data.settings, plan["chips"]
    wide = max(len(entry["name"]) for entry in plan["classes"])
    leaks = f"{plan['leaks']} leak" if plan["leaks"] else "none leaks"
    head = f"{'labelled pixels':<{wide + 4}}" + "".join(f"{part:>14}" for part in PARTS)
    return [
        f"{settings.network} in {settings.framework}: {settings.epochs} epochs, {plan['steps']} "
        f"steps of {settings.batch} chips of {settings.tile} px",
        f"{plan['scenes']} scene{'s' if plan['scenes'] != 1 else ''}, bands "
        f"{', '.join(map(str, plan['bands']))}",
        plan["split"],
        f"chips: {chips['training']} an epoch, {chips['validation']} for validation, "
        f"{chips['held_out']} held out; {leaks}",
        head,
        *(
            f"{entry['value']:3d} {entry['name']:<{max(wide, 11)}}"
            + "".join(f"{entry['pixels'][part]:14,}" for part in PARTS)
            for entry in plan["classes"]
        ),
    ]


def print_json(result: TrainResult, folder: Path) -> None:
    """Print the result as JSON on stdout.

    Parameters
    ----------
    result : TrainResult
        Of the run.
    folder : Path
        Of the run.
    """
    from rs_workbench.training.leaking import read_comparison

    values = {"folder": str(folder), **result.as_dict()}
    compared = read_comparison(folder)
    if compared is not None:
        values["leak_comparison"] = compared
    click.echo(json.dumps(values, indent=2, ensure_ascii=False))


def print_result(result: TrainResult, folder: Path) -> None:
    """Print scores, what they are to be compared with, and how to use the model.

    Parameters
    ----------
    result : TrainResult
        Of the run.
    folder : Path
        Of the run.
    """
    found = result.held_out
    click.echo(
        f"{result.network} in {result.framework}: {result.parameters:,} parameters, "
        f"{result.epochs} epochs in {duration(result.seconds)} on {result.device}, the best is "
        f"epoch {result.best_epoch}{_validation(result)}"
    )
    click.echo(
        f"held-out ground: mIoU {_score(found['mean_iou'])}{_interval(found)}, overall accuracy "
        f"{_score(found['overall_accuracy'])}"
    )
    for entry in found["classes"]:
        click.echo(f"  {entry['name']:<24} IoU {_score(entry['iou'])}  {entry['pixels']:12,} px")
    for name, scores in result.baselines.items():
        click.echo(
            f"  beside it, {BASELINES.get(name, name)}: mIoU {_score(scores['mean_iou'])}, "
            f"overall accuracy {_score(scores['overall_accuracy'])}"
        )
    for warning in result.warnings:
        say(f"warning: {warning}")
    click.echo(f"{folder}: model, history, pictures, report of the held-out ground")
    model = folder / (result.onnx or result.model)
    click.echo(f"map a scene with it:  rsw infer SCENE -m {model}")


def _validation(result: TrainResult) -> str:
    score = result.validation_mean_iou
    return "" if score is None else f" (validation mIoU {score:.3f})"


def _interval(found: dict[str, Any]) -> str:
    drawn = found.get("mean_iou_interval")
    return "" if drawn is None else f" (95 % interval {drawn[0]:.3f} to {drawn[1]:.3f})"


def _score(score: float | None) -> str:
    return "  -  " if score is None else f"{score:.3f}"
