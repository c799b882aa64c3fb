"""Importing Keras in silence, and without an abort where other frameworks are about.

Tensorflow and triton bring an LLVM each: whatever imports triton after tensorflow (torchvision,
timm, `torch.compile`) aborts the interpreter, the other way round works.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

from rs_workbench.errors import MissingDependencyError, UsageError

BACKENDS = ("tensorflow", "torch")


def import_keras() -> ModuleType:
    """Import Keras and the framework below it, in silence.

    Returns
    -------
    module
        `keras`.

    Raises
    ------
    MissingDependencyError
        If Keras or the framework is not installed or cannot be loaded.
    UsageError
        If KERAS_BACKEND names a framework that is not supported here.
    """
    if "keras" in sys.modules:
        return _checked(sys.modules["keras"])
    asked = _asked_backend()
    if asked not in BACKENDS:
        raise UsageError(_wrong_backend(asked))
    for name in ("keras", asked):
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            raise MissingDependencyError(_missing(name))
    if asked == "tensorflow":
        _prepare_for_tensorflow()
    with _silent_stderr() as heard:
        try:
            keras = importlib.import_module("keras")
            importlib.import_module(keras.backend.backend())
        except ImportError as error:
            raise MissingDependencyError(
                f"Keras is installed but cannot be loaded ({error}{heard()}): run  rsw doctor"
            ) from error
    return _checked(keras)


def _asked_backend() -> str:
    """Name the backend Keras will take: the variable says it, then its own file."""
    if name := os.environ.get("KERAS_BACKEND"):
        return name
    home = os.environ.get("KERAS_HOME")
    file = (Path(home) if home else Path.home() / ".keras") / "keras.json"
    try:
        return str(json.loads(file.read_text(encoding="utf-8")).get("backend", "tensorflow"))
    except (OSError, ValueError, AttributeError):
        return "tensorflow"


def _checked(keras: ModuleType) -> ModuleType:
    name = keras.backend.backend()
    if name not in BACKENDS:
        raise UsageError(_wrong_backend(name))
    if name == "tensorflow":
        _refuse_triton_after_tensorflow()
    return keras


def _wrong_backend(name: str) -> str:
    return f"KERAS_BACKEND={name} is not supported: choose {' or '.join(BACKENDS)}"


def _missing(name: str) -> str:
    if name == "torch":
        return (
            "KERAS_BACKEND=torch needs torch, which is not installed: run  pip install"
            " 'rs-workbench[torch]'"
        )
    text = (
        f"the 'keras' backend needs {name}, which is not installed: run  pip install"
        " 'rs-workbench[keras]'"
    )
    if name == "tensorflow" and importlib.util.find_spec("torch") is not None:
        text += "  or set KERAS_BACKEND=torch, which is installed"
    return text


def _prepare_for_tensorflow() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "torch" in sys.modules and importlib.util.find_spec("triton") is not None:
        # A program that loads both is fine as long as triton comes first.
        importlib.import_module("triton")


def _refuse_triton_after_tensorflow() -> None:
    if "triton" not in sys.modules and not any(isinstance(f, NoTriton) for f in sys.meta_path):
        sys.meta_path.insert(0, NoTriton())


class NoTriton(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Turn the abort of "triton after tensorflow" into an ImportError.

    torchvision, timm and torch itself take that error for "no triton here" and go on.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Answer for triton only."""
        return importlib.machinery.ModuleSpec(fullname, self) if fullname == "triton" else None

    def exec_module(self, module: ModuleType) -> None:
        """Refuse."""
        raise MissingDependencyError(
            "triton cannot be loaded after tensorflow in one process, it would abort Python: load"
            " tensorflow and torch in processes of their own, or write  import triton  above the"
            " first import of tensorflow"
        )


@contextlib.contextmanager
def _silent_stderr() -> Iterator[Callable[[], str]]:
    """Hold back what C++ writes to stderr while importing; gives a function to read its end.

    Tensorflow's first lines go past Python and past TF_CPP_MIN_LOG_LEVEL.
    """
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # no stderr at all, as under pythonw
        yield lambda: ""
        return
    with tempfile.TemporaryFile() as file:

        def heard() -> str:
            file.seek(0)
            lines = file.read().decode(errors="replace").strip().splitlines()
            return f"; {lines[-1]}" if lines else ""

        os.dup2(file.fileno(), 2)
        try:
            yield heard
        finally:
            os.dup2(kept, 2)
            os.close(kept)
