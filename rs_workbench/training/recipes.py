"""Recipes: settings by name for sample data; and settings that are done in minutes.

A recipe is a file of settings in the folder ``recipes``, so that ``rsw train dunes`` runs without
a file of the user's.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rs_workbench.errors import UsageError
from rs_workbench.training.settings import TrainSettings
from rs_workbench.training.settings_file import merge

FOLDER = Path(__file__).parent / "recipes"
QUICK_EPOCHS = 12
QUICK_PIXELS = 96 * 256 * 256
"""Pixels learnt from in an epoch."""
QUICK_PATIENCE = 6
QUICK_TILE = 64
"""Chips of fewer px are learnt from in no time, whatever the network."""
QUICK_NETWORKS: dict[str, dict[str, Any]] = {
    "unet": {"width": 16, "depth": 3},
    "deeplabv3plus": {"backbone": "mini", "weights": None, "output_stride": 16, "width": 64},
    "cbrr_unet": {"width": 16},
}
"""Options that make a network small."""


def recipes() -> dict[str, str]:
    """List the recipes.

    Returns
    -------
    dict
        Name and what it is, sorted by name.
    """
    found = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        about = re.search(r"^description: (.*)", path.read_text(encoding="utf-8"), re.MULTILINE)
        found[path.stem] = about[1] if about else ""
    return found


def find_settings(text: str) -> Path:
    """Find a file of settings by its path, or a recipe by its name.

    Parameters
    ----------
    text : str
        A path; a name without folder and suffix may also be a recipe's.

    Returns
    -------
    Path
        A file that is there.

    Raises
    ------
    UsageError
        If it is neither.
    """
    path = Path(text)
    if path.is_file():
        return path
    recipe = FOLDER / f"{text}.yaml"
    if re.fullmatch(r"[\w-]+", text) and recipe.is_file():
        return recipe
    *names, last = recipes()
    near = difflib.get_close_matches(text.lower(), [*names, last], n=1)
    guess = f", did you mean '{near[0]}'?" if near else ""
    raise UsageError(
        f"'{text}' is neither a file of settings nor a recipe{guess or ':'} "
        f"recipes are {', '.join(names)} and {last}"
    )


def quick_changes(settings: TrainSettings, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Make a run short: fewer steps, a small network.

    Parameters
    ----------
    settings : TrainSettings
        What holds without it, what the user asked for included.
    chosen : mapping
        What the user asked for beside it, which stays.

    Returns
    -------
    dict
        Changes to the settings, `chosen` among them; none of the others makes the run longer or
        the network larger.
    """
    chips = max(QUICK_PIXELS // settings.tile**2, settings.batch)
    options = QUICK_NETWORKS.get(settings.network, {}) if settings.tile >= QUICK_TILE else {}
    changes = {
        "epochs": min(settings.epochs, QUICK_EPOCHS),
        "chips": min(settings.chips, chips),
        "patience": min(settings.patience or QUICK_PATIENCE, QUICK_PATIENCE),
        "network": settings.network,
        "network_options": _smaller(options, settings.network_options),
    }
    return merge(changes, chosen)


def _smaller(options: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Take the smaller number of each option; what is no number is replaced."""
    numbers = {
        key: min(value, given[key])
        for key, value in options.items()
        if isinstance(value, int) and isinstance(given.get(key), int)
    }
    return {**options, **numbers}
