"""Going on with an unfinished run: its plan, and its model in the engine it began with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rs_workbench.backends import LoadedModel, load_predictor
from rs_workbench.journal import compare_asked, read_journal

if TYPE_CHECKING:
    from rs_workbench.infer import Options


@dataclass(frozen=True)
class Unfinished:
    """What an unfinished run was asked for, the plan made from it, and where it lies."""

    work: Path
    asked: dict[str, Any]
    plan: dict[str, Any]


def read_unfinished(work: Path) -> Unfinished | None:
    """Read what an earlier run left.

    Parameters
    ----------
    work : Path
        Work folder.

    Returns
    -------
    Unfinished or None
        None where there is no run to go on with.

    Raises
    ------
    ResumeError
        If another version of the workbench began it, or its journal cannot be read.
    """
    found = read_journal(work)
    if found is None:
        return None
    header = found[0]
    now = {"version": version("rs-workbench")}
    compare_asked(work, {"version": header["asked"].get("version")}, now)
    return Unfinished(work, header["asked"], header["plan"])


def load(model: str | Path | LoadedModel, options: Options) -> LoadedModel:
    """Load a model file as the options say; a model loaded before is taken as it is.

    Parameters
    ----------
    model : str, Path or LoadedModel
        The model.
    options : Options
        Engine, device and limits of memory.

    Returns
    -------
    LoadedModel
        Ready to run.
    """
    if not isinstance(model, str | Path):
        return model
    return load_predictor(
        model,
        device=options.device,
        engine=options.engine,
        gpu=options.gpu_memory,
        memory=options.memory,
    )


def load_as_before(
    model: str | Path | LoadedModel, options: Options, before: Unfinished | None
) -> LoadedModel:
    """Load a model, in the engine of an unfinished run, so that the rest comes out alike.

    Parameters
    ----------
    model, options
        See `load`.
    before : Unfinished, optional
        The run to go on with.

    Returns
    -------
    LoadedModel
        In the engine and on the device the run began with.

    Raises
    ------
    ResumeError
        If the options name another engine or device.
    """
    if before is None:
        return load(model, options)
    began = {key: before.plan[key] for key in ("engine", "device")}
    if options.engine == "auto":
        options = replace(options, **began)
    loaded = load(model, options)
    if where_it_runs(loaded) != began and options.engine == began["engine"]:
        loaded = load(loaded.path, options)  # it was loaded for several scenes, in another engine
    compare_asked(before.work, began, where_it_runs(loaded))
    return loaded


def where_it_runs(loaded: LoadedModel) -> dict[str, str]:
    """Name the engine and the device of a loaded model.

    Parameters
    ----------
    loaded : LoadedModel
        The model.

    Returns
    -------
    dict
        `engine` and `device`.
    """
    return {"engine": loaded.predictor.engine, "device": loaded.predictor.device}
