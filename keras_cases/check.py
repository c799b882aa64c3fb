"""Check an answer to an exercise: ``python -m keras_cases.check ice_generators my_answer.py``.

Runs the answer, which is the student's own program, then what the exercise wants of it. Without a
file, prints the task.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import io
import os
import pkgutil
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from keras_cases import exercises
from keras_cases.exercises.wrong import WrongAnswerError

LONGEST = 300  # s that an answer may take


def exercise_names() -> list[str]:
    """List the exercises."""
    found = (module.name for module in pkgutil.iter_modules(exercises.__path__))
    return sorted(name for name in found if name != "wrong")


def task(name: str) -> str:
    """Read the task of an exercise, without running anything."""
    path = Path(exercises.__path__[0]) / f"{name}.py"
    return inspect.cleandoc(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")


def load_answer(path: Path) -> ModuleType:
    """Run the file of an answer, without its main part."""
    spec = importlib.util.spec_from_file_location("answer", path)
    if spec is None or spec.loader is None:
        raise WrongAnswerError(f"'{path}' is no Python file: an answer is a file in .py")
    answer = importlib.util.module_from_spec(spec)
    sys.modules["answer"] = answer
    spec.loader.exec_module(answer)
    return answer


def check(name: str, path: Path) -> list[str]:
    """Say what is right in an answer, one sentence each; `WrongAnswerError` says what is not."""
    exercise = importlib.import_module(f"keras_cases.exercises.{name}")
    try:
        return exercise.check(load_answer(path))
    except WrongAnswerError:
        raise
    except SyntaxError as error:
        raise WrongAnswerError(
            f"'{path}', line {error.lineno}: Python cannot read it: {error.msg}"
        ) from error
    except (Exception, SystemExit) as error:
        raise WrongAnswerError(explain(error, path)) from error


def explain(error: BaseException, path: Path) -> str:
    """Say where an answer stopped: the last line of its own that was reached."""
    missing = getattr(error, "name", None)
    if getattr(getattr(error, "obj", None), "__name__", "") == "answer":
        return f"'{path}' has no '{missing}': the task names what it must have"
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename) == path
    ]
    where = f", line {lines[-1]}" if lines else ", or what it gives back"
    first = (str(error).strip().splitlines() or ["stopped"])[0]
    return f"'{path}'{where}: {type(error).__name__}: {first}"


def watch(seconds: float) -> threading.Timer:
    """End the program, whatever it does, when the time is over."""

    def end() -> None:
        print(f"not yet: no end after {seconds:.0f} s: is there a loop that never stops?")
        sys.stdout.flush()
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer


def main(words: Sequence[str] | None = None) -> int:
    """Print what is right, or what is wrong; 0 where all is right."""
    words = sys.argv[1:] if words is None else words
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # tasks have a line of Chinese
    names = "\n  ".join(exercise_names())
    if not words:
        print(f"python -m keras_cases.check EXERCISE MY_ANSWER.py\n  {names}")
        return 0
    if len(words) > 2 or words[0] not in exercise_names():
        print(f"error: no exercise '{' '.join(words)}', but\n  {names}", file=sys.stderr)
        return 2
    name = words[0]
    if len(words) == 1:
        print(task(name))
        return 0
    path = Path(words[1])
    if not path.is_file():
        print(f"error: there is no file '{path}'", file=sys.stderr)
        return 2
    timer = watch(LONGEST)
    try:
        right = check(name, path)
    except WrongAnswerError as error:
        print(f"not yet: {error}")
        return 1
    finally:
        timer.cancel()
    print(*(f"right: {sentence}" for sentence in right), f"{name}: all right", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
