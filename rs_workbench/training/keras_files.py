"""What a learner of Keras writes: its state, as plain arrays, and the model."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rs_workbench.card import ModelCard, write_card
from rs_workbench.errors import OutputError, ResumeError

MODEL = "model.keras"
Variables = Mapping[str, Sequence[Any]]


def write_state(path: Path, variables: Variables, steps: int = 0) -> None:
    """Write variables, whole or not at all.

    Parameters
    ----------
    path : Path
        The file.
    variables : mapping of str to sequence of keras.Variable
        By what they belong to. Their order counts, their names do not: Keras numbers layers anew
        for each network of a process.
    steps : int
        Steps so far.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written to.
    """
    arrays = {
        f"{group}/{i}": keras.ops.convert_to_numpy(variable)
        for group, members in variables.items()
        for i, variable in enumerate(members)
    }
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, steps=np.int64(steps), **arrays)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise OutputError(
            f"the state of the training cannot be written to '{path}' ({error}): make room, then"
            " run the same command again, which goes on after the last whole epoch"
        ) from error


def read_state(path: Path, variables: Variables) -> int:
    """Fill variables with what `write_state` wrote; none is changed where one does not fit.

    Parameters
    ----------
    path : Path
        The file; nothing in it is run.
    variables : mapping of str to sequence of keras.Variable
        As they were given to `write_state`.

    Returns
    -------
    int
        Steps so far.

    Raises
    ------
    ResumeError
        If the file cannot be read, or is another network's.
    """
    wanted = {
        f"{group}/{i}": variable
        for group, members in variables.items()
        for i, variable in enumerate(members)
    }
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        steps = int(arrays.pop("steps"))
        _check_shapes(arrays, wanted)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ResumeError(
            f"the state of the unfinished training in '{path}' does not fit or is damaged"
            f" ({reason[:200]}): begin anew with --overwrite"
        ) from error
    for name, variable in wanted.items():
        variable.assign(arrays[name])
    return steps


def _check_shapes(arrays: Mapping[str, np.ndarray], wanted: Mapping[str, Any]) -> None:
    if len(arrays) != len(wanted):
        raise ValueError(f"{len(arrays)} arrays for {len(wanted)} variables")
    for name, variable in wanted.items():
        if arrays[name].shape != tuple(variable.shape):
            raise ValueError(
                f"{variable.path} is {tuple(variable.shape)}, but there {arrays[name].shape}"
            )


def export_network(model: keras.Model, folder: Path, card: ModelCard) -> Path:
    """Write a network as ``model.keras`` with its card inside.

    Parameters
    ----------
    model : keras.Model
        Not compiled, so that no loss of ours is needed to load it.
    folder : Path
        Where to.
    card : ModelCard
        The card.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If the folder cannot be written to.
    """
    part = folder / f".part.{MODEL}"  # Keras asks for the suffix
    try:
        folder.mkdir(parents=True, exist_ok=True)
        model.save(part)
        write_card(part, card)
        part.replace(folder / MODEL)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise OutputError(f"'{folder / MODEL}' cannot be written: {error}") from error
    return folder / MODEL
