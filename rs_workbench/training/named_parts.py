"""parts_by_name: the part of each scene where the settings name them."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from rs_workbench.errors import UsageError
from rs_workbench.training.settings import SplitChoice
from tiling.split import Part


def parts_by_name(names: Sequence[str], choice: SplitChoice) -> list[Part]:
    """Give each scene its part: training, unless a pattern of the split matches its name.

    Parameters
    ----------
    names : sequence of str
        File names of the scenes.
    choice : SplitChoice
        Patterns of validation and held-out scenes.

    Returns
    -------
    list of str
        The parts.

    Raises
    ------
    UsageError
        If a pattern matches no scene, or two parts claim one.
    """
    parts: list[Part] = ["training"] * len(names)
    patterns: dict[Part, tuple[str, ...]] = {
        "validation": choice.validation,
        "held_out": choice.held_out,
    }
    for part, wanted in patterns.items():
        for pattern in wanted:
            found = [at for at, name in enumerate(names) if fnmatchcase(name, pattern)]
            if not found:
                raise UsageError(
                    f"split.{part} names '{pattern}', which is none of the {len(names)} scenes: "
                    f"write file names or patterns of them, such as '{names[0]}'"
                )
            for at in found:
                _refuse_two(names[at], parts[at], part)
                parts[at] = part
    return parts


def _refuse_two(name: str, first: Part, second: Part) -> None:
    if first not in ("training", second):
        raise UsageError(
            f"'{name}' is named for split.{first} and for split.{second}: a scene belongs to one"
        )
