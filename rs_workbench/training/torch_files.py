"""What a learner of PyTorch writes: its state, read back without running code, and the model."""

from __future__ import annotations

import contextlib
import copy
import logging
import pickle
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rs_workbench.card import ModelCard, write_card
from rs_workbench.errors import ModelError, OutputError, ResumeError

MODEL = "model.pt2"


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values, whole or not at all.

    Parameters
    ----------
    path : Path
        The file.
    state : mapping
        Tensors, numbers, texts, and dictionaries and lists of them.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written to.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(dict(state), part)
        part.replace(path)
    except (OSError, RuntimeError) as error:  # torch's own writer raises the second
        with contextlib.suppress(OSError):
            part.unlink()
        raise OutputError(
            f"the state of the training cannot be written to '{path}' ({error}): make room, then"
            " run the same command again, which goes on after the last whole epoch"
        ) from error


@contextlib.contextmanager
def read_state(path: Path) -> Iterator[dict[str, Any]]:
    """Read what `write_state` wrote, and say in a sentence where it does not fit.

    Parameters
    ----------
    path : Path
        The file; nothing in it is run.

    Yields
    ------
    dict
        The state, on the CPU.

    Raises
    ------
    ResumeError
        If the file cannot be read, or what is done with it shows that it is another network's.
    """
    try:
        yield torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, KeyError, ValueError, EOFError, pickle.PickleError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ResumeError(
            f"the state of the unfinished training in '{path}' does not fit or is damaged"
            f" ({reason[:200]}): begin anew with --overwrite"
        ) from error


def export_network(net: nn.Module, folder: Path, card: ModelCard) -> Path:
    """Write a network as ``model.pt2`` with its card inside.

    Batch, height and width stay free. A network that cannot be traced so is written for tiles of
    one size, which the card then names.

    Parameters
    ----------
    net : nn.Module
        Left as it is.
    folder : Path
        Where to.
    card : ModelCard
        The card; its tile and stride say with what size to trace.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ModelError
        If the network cannot be exported at all.
    OutputError
        If the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    net = copy.deepcopy(net).cpu().to(memory_format=torch.contiguous_format).eval()
    program, size = _trace(net, card)
    if size is not None:
        card = card.model_copy(update={"fixed_size": size})
    part = folder / f".{MODEL}.part"
    try:
        with _quiet(), part.open("wb") as file:
            torch.export.save(program, file)
        write_card(part.replace(folder / MODEL), card)
    except (OSError, RuntimeError) as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"'{folder / MODEL}' cannot be written: {error}") from error
    return folder / MODEL


def _trace(
    net: nn.Module, card: ModelCard
) -> tuple[torch.export.ExportedProgram, tuple[int, int] | None]:
    """Trace with free sizes; else with a free batch alone, and say for which size."""
    free = torch.export.Dim.DYNAMIC
    side = max(round(min(card.tile or 64, 256) / card.stride), 2) * card.stride
    other = side + card.stride  # another one, lest both be taken for one size
    try:
        return _export(net, card.n_bands, (side, other), {0: free, 2: free, 3: free}), None
    except Exception:  # the exporter raises many kinds
        size = (card.tile or side, card.tile or side)
    try:
        return _export(net, card.n_bands, size, {0: free}), size
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"the network cannot be exported ({reason[:200]}): its weights stay in the state of"
            " the run; it must be one that torch.export takes"
        ) from error


def _export(
    net: nn.Module, n_bands: int, size: tuple[int, int], free: dict[int, Any]
) -> torch.export.ExportedProgram:
    with _quiet(), torch.no_grad():
        batch = torch.zeros(2, n_bands, *size)
        program = torch.export.export(net, (batch,), dynamic_shapes=(free,))
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)  # holds paths of this machine
    return program


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the exporter warns and logs about matters of its own."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
