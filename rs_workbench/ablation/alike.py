"""What must be alike in all runs of a study, so that their scores can be compared."""

from __future__ import annotations

from collections.abc import Sequence

from rs_workbench.ablation.axes import label_of
from rs_workbench.errors import UsageError
from rs_workbench.training.settings import TrainSettings
from rs_workbench.training.settings_file import differences

SPLIT = (
    "scenes", "labels", "label_column", "classes", "unlabelled", "positions", "nodata", "tile",
    "split",
)  # fmt: skip
BUDGET = ("chips", "epochs", "batch", "patience")


def check_alike(
    settings: Sequence[TrainSettings], *, allow_leaks: bool = False, allow_unequal: bool = False
) -> tuple[str, ...]:
    """Refuse, or tell, what makes scores of several runs no fair comparison.

    Parameters
    ----------
    settings : sequence of TrainSettings
        Of all configurations.
    allow_leaks : bool
        Let splits be random, with a warning.
    allow_unequal : bool
        Let split and budget vary, with a warning.

    Returns
    -------
    tuple of str
        Warnings.

    Raises
    ------
    UsageError
        If a split is random, or split or budget vary, and that was not asked for.
    """
    varied: dict[str, list[str]] = {}
    for one in settings:
        for key, values in differences(settings[0], one).items():
            if key.partition(".")[0] in SPLIT + BUDGET:
                seen = varied.setdefault(key, [label_of(values[0])])
                seen += [label] if (label := label_of(values[1])) not in seen else []
    kinds = {one.split.kind for one in settings}
    if "random" in kinds and not allow_leaks:
        raise UsageError(
            "a random split leaks: neighbours of held-out pixels are learnt from, and scores come"
            " out too high. Take split.kind: blocks, or say  allow_leaks: true  (--allow-leaks) to"
            " show what a leak does"
        )
    warnings = []
    if "random" in kinds:
        warnings.append(
            "LEAK, as asked for: with a random split, training chips lie beside or over held-out"
            " ground. Scores of these runs are too high and say nothing about other ground"
        )
    unequal = {key: seen for key, seen in varied.items() if key != "split.kind"}
    if not unequal:
        return tuple(warnings)
    listed = "; ".join(f"{key} ({', '.join(seen)})" for key, seen in unequal.items())
    if not allow_unequal:
        raise UsageError(
            "scores are comparable where split and budget are the same in all runs, but these"
            f" vary: {listed}. Keep them as they are, or say  allow_unequal: true "
            " (--allow-unequal)"
        )
    warnings.append(f"Split or budget are not the same in all runs, as asked for: {listed}")
    return tuple(warnings)
