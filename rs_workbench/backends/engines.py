"""Choosing an engine: convert once in a child process, check, time, remember."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rs_workbench.card import ModelCard

if TYPE_CHECKING:
    from rs_workbench.backends.base import Predictor


@dataclass(frozen=True)
class Order:
    """What the user asked for."""

    device: str = "auto"
    engine: str = "auto"
    cache: Path | None = None


def load_onnx(
    path: Path, card: ModelCard | None, order: Order, *, sha256: str
) -> tuple[Predictor, list[str]]:
    """Load an ONNX file into the engine asked for, or the faster one."""
    from rs_workbench.backends import onnx_backend

    return onnx_backend.load_predictor(path, card, device=order.device, engine=order.engine), []


def load_framework_model(
    path: Path, card: ModelCard | None, order: Order, *, sha256: str
) -> tuple[Predictor, list[str]]:
    """Load a .keras, .pt2 or smp model into the engine asked for, or the fastest one."""
    from rs_workbench.backends import backend_for

    return backend_for(path).load_predictor(
        path, card, device=order.device, engine=order.engine
    ), []
