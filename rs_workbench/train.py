"""Train a network on labelled scenes: ``python -m rs_workbench.train dunes --quick``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rs_workbench import options as shared
from rs_workbench.errors import OutputError, UsageError
from rs_workbench.training.command_line import changes_of, setting_options, settings_from
from rs_workbench.training.follow import check_processes, follow
from rs_workbench.training.processes import leads
from rs_workbench.types import ProgressStyle

if TYPE_CHECKING:
    from rs_workbench.training.data import TrainingData
    from rs_workbench.training.finish import TrainResult
    from rs_workbench.training.run import Listeners, OnEpoch, OnStep
    from rs_workbench.training.settings import TrainSettings


def train(
    settings: TrainSettings,
    folder: str | Path,
    *,
    overwrite: bool = False,
    allow_leaks: bool = False,
    on_step: OnStep | None = None,
    on_epoch: tuple[OnEpoch, ...] = (),
    log: Callable[[str], None] | None = None,
) -> TrainResult:
    """Train a network, and say how good it is on ground that was kept out.

    Parameters
    ----------
    settings : TrainSettings
        What is learnt from, what learns and how.
    folder : str or Path
        Where the model and all about it go: a new folder, or that of the same run, which goes on
        after its last whole epoch.
    overwrite : bool
        Replace an earlier run in the folder.
    allow_leaks : bool
        Train although training chips overlap or lie near held-out ones; then train again on
        blocks, in the folder ``blocks``, to learn what the leak flatters.
    on_step : callable, optional
        Called with (epoch, step, steps of the epoch, loss).
    on_epoch : tuple of callable
        Each is called with (epoch, learner, data) after an epoch.
    log : callable, optional
        Takes lines for the user while the run goes on.

    Returns
    -------
    TrainResult
        What was reached, and the files.

    Raises
    ------
    WorkbenchError
        Whatever went wrong, in one sentence. Whole epochs are kept, and the same call goes on.

    Examples
    --------
    >>> from rs_workbench.training.settings_file import read_settings
    >>> result = train(read_settings(Path("mine.yaml")), "out")  # doctest: +SKIP
    """
    from rs_workbench.training.network_options import check_network_options
    from rs_workbench.training.run import Listeners, import_framework
    from rs_workbench.training.settings_check import check_settings, require_framework
    from rs_workbench.training.settings_file import make_settings, plain_values

    settings, folder = make_settings(plain_values(settings)), Path(folder)
    check_settings(settings)
    require_framework(settings.framework)
    _refuse_finished(folder, settings, overwrite=overwrite, allow_leaks=allow_leaks)
    import_framework(settings.framework)
    check_network_options(settings)
    listeners = Listeners(on_step, on_epoch, log=log)
    runs = _open_runs(settings, folder, listeners.tell, allow_leaks=allow_leaks)
    results = [_train_once(data, one, overwrite, listeners) for one, data in runs.items()]
    if len(results) > 1:
        from rs_workbench.training.leaking import compare_splits, comparison_text, write_comparison

        leaking, blocks = runs.items()
        compared = compare_splits(leaking, blocks)
        write_comparison(folder, compared)
        listeners.tell(comparison_text(compared))
    return results[0]


def _refuse_finished(
    folder: Path, settings: TrainSettings, *, overwrite: bool, allow_leaks: bool
) -> None:
    """Refuse a folder before data are opened, where nothing is left to do or it is another's."""
    from rs_workbench.training.leaking import on_blocks
    from rs_workbench.training.run_folder import BLOCKS, check_folder

    if check_folder(folder, settings, overwrite=overwrite) != "finished":
        return
    if allow_leaks and settings.split.kind == "random":
        if check_folder(folder / BLOCKS, on_blocks(settings)) != "finished":
            return
    raise OutputError(
        f"'{folder}' holds the finished run of these settings: use its model, choose another "
        "--output, or train it anew with --overwrite"
    )


def _open_runs(
    settings: TrainSettings, folder: Path, say: Callable[[str], None], *, allow_leaks: bool
) -> dict[Path, TrainingData]:
    """Open what is to be trained, by folder: a second run on blocks where a leak is allowed."""
    from rs_workbench.training.leaking import on_blocks, refuse_leaks
    from rs_workbench.training.opening import open_aloud
    from rs_workbench.training.run_folder import BLOCKS

    data = open_aloud(settings, say)
    if not allow_leaks:
        refuse_leaks(data)
    runs = {folder: data}
    if data.leaks:
        runs[folder / BLOCKS] = open_aloud(on_blocks(settings), say)
    return runs


def _train_once(
    data: TrainingData, folder: Path, overwrite: bool, listeners: Listeners
) -> TrainResult:
    from rs_workbench.training.run import run_training
    from rs_workbench.training.run_folder import check_folder, read_result

    standing = check_folder(folder, data.settings, overwrite=overwrite)
    if standing == "finished":
        return read_result(folder)
    return run_training(data, folder, standing=standing, listeners=listeners)


@click.command(name="train")
@click.argument("settings", required=False, metavar="[SETTINGS]")
@setting_options
@click.option("-o", "--output", metavar="FOLDER", help="where all goes [<network>_<framework>]")
@click.option("--quick", is_flag=True, help="small network, few and short epochs: minutes")
@click.option("--allow-leaks", is_flag=True, help="train on a leaking split, then on blocks, too")
@click.option("--overwrite", is_flag=True, help="replace an earlier run")
@click.option("--recipes", "list_recipes", is_flag=True, help="list the recipes")
@click.option(
    "--dry-run", is_flag=True, help="print the settings, as YAML, and what would be trained"
)
@shared.as_json
@shared.progress
@shared.quiet
@click.pass_context
@shared.explain_errors
def command(
    context: click.Context,
    settings: str | None,
    output: str | None,
    quick: bool,
    allow_leaks: bool,
    overwrite: bool,
    list_recipes: bool,
    dry_run: bool,
    as_json: bool,
    progress: ProgressStyle,
    quiet: bool,
    **typed: Any,
) -> None:
    """Train a network on labelled scenes, and say how good it is on ground kept out.

    SETTINGS is a YAML file, whose keys are the settings that --dry-run prints, or the name of a
    recipe for sample data, such as dunes. Options hold over it. Without it, give --scene and
    --labels. If the run stops, the same command goes on after the last whole epoch.

    Scenes are split into blocks with a buffer between training, validation and held-out ground.
    With --split random, neighbouring chips come to lie in different parts, and the score flatters.

    Keras takes all GPUs by itself; for two with PyTorch:
    torchrun --nproc-per-node 2 -m rs_workbench.train SETTINGS
    """
    from rs_workbench.training import train_summary as summary
    from rs_workbench.training.epoch_progress import show_epochs

    if list_recipes:
        summary.print_recipes()
        return
    chosen = _settings(context, settings, quick=quick)
    check_processes(chosen)
    folder = Path(output or f"{chosen.network}_{chosen.framework}")
    speak = not quiet and not as_json
    if dry_run:
        say = summary.say if speak and progress != "none" else None
        summary.print_plan(_plan(chosen, say, allow_leaks=allow_leaks), as_json=as_json)
        return
    if not leads():
        follow(chosen, folder)
        return
    with show_epochs("none" if quiet else progress, chosen.epochs) as (on_epoch, on_step):
        result = train(
            chosen,
            folder,
            overwrite=overwrite,
            allow_leaks=allow_leaks,
            on_step=on_step,
            on_epoch=(on_epoch,),
            log=summary.say if speak else None,
        )
    if as_json:
        summary.print_json(result, folder)
    elif speak:
        summary.print_result(result, folder)


def _settings(context: click.Context, file: str | None, *, quick: bool) -> TrainSettings:
    changes = changes_of(context)
    if "" in (file, context.params["output"]):
        raise UsageError("SETTINGS and --output must not be empty")
    if file is None and not {"scenes", "labels"} & set(changes):
        from rs_workbench.training.recipes import recipes

        raise UsageError(
            "there is nothing to train on: give a file of settings, --scene and --labels, or the "
            f"name of a recipe: {', '.join(recipes())}"
        )
    return settings_from(file, changes, quick=quick)


def _plan(
    settings: TrainSettings, say: Callable[[str], None] | None, *, allow_leaks: bool
) -> TrainingData:
    from rs_workbench.training.chosen_weights import weigh_classes
    from rs_workbench.training.leaking import refuse_leaks
    from rs_workbench.training.opening import check_network, open_aloud
    from rs_workbench.training.run import Listeners
    from rs_workbench.training.settings_check import is_installed

    tell = Listeners(log=say).tell
    data = open_aloud(settings, tell)
    if not allow_leaks:
        refuse_leaks(data)
    weigh_classes(data)
    if is_installed(settings.framework):
        check_network(data)
    else:
        tell(f"{settings.framework} is not installed, so the network was not tried")
    return data


if __name__ == "__main__":
    command()
