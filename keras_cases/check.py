"""Check an answer to an exercise: ``python -m keras_cases.check ice_generators my_answer.py``.

Runs the answer, which is the student's own program, then what the exercise wants of it. Without a
file, prints the task.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from keras_cases import exercises
from keras_cases.exercises.wrong import WrongAnswerError


def exercise_names() -> list[str]:
    """List the exercises."""
    found = (module.name for module in pkgutil.iter_modules(exercises.__path__))
    return sorted(name for name in found if name != "wrong")


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
    except AttributeError as error:
        missing = getattr(error, "name", None)
        if getattr(getattr(error, "obj", None), "__name__", "") != "answer":
            raise
        raise WrongAnswerError(
            f"'{path}' has no '{missing}': the task names what it must have"
        ) from error


def main(words: Sequence[str] | None = None) -> int:
    """Print what is right, or what is wrong; 0 where all is right."""
    words = sys.argv[1:] if words is None else words
    if not 1 <= len(words) <= 2 or words[0] not in exercise_names():
        names = "\n  ".join(exercise_names())
        print(
            f"use: python -m keras_cases.check EXERCISE MY_ANSWER.py\n  {names}", file=sys.stderr
        )
        return 2
    name = words[0]
    if len(words) == 1:
        print(inspect.getdoc(importlib.import_module(f"keras_cases.exercises.{name}")))
        return 0
    path = Path(words[1])
    if not path.is_file():
        print(f"error: there is no file '{path}'", file=sys.stderr)
        return 2
    try:
        right = check(name, path)
    except WrongAnswerError as error:
        print(f"not yet: {error}")
        return 1
    print(*(f"right: {sentence}" for sentence in right), f"{name}: all right", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
