"""refuse_training: data that a model was fitted to tells nothing of the accuracy of its map."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rs_workbench.accuracy.reference.legend_files import read_report
from rs_workbench.accuracy.reference.vector_file import VectorReference
from rs_workbench.errors import AccuracyError, UsageError

SPLIT_COLUMNS = ("split", "set", "subset", "fold")
_WORDS = {"train", "training", "trainval", "traindata", "trainset", "训练", "训练集"}
_ASIDE = {"non", "not", "no", "un"}
_PIECE = 1 << 20


def refuse_training(
    reference_path: str | Path,
    map_path: str | Path,
    *,
    training: Sequence[str | Path] = (),
    allow: bool = False,
) -> bool:
    """Refuse a reference that the map's model was trained on.

    Parameters
    ----------
    reference_path, map_path : str or Path
        Reference and map.
    training : sequence of str or Path
        Files the model was trained on; compared by path and by content.
    allow : bool
        Go on all the same; the report must then say that it shows the fit, not the accuracy.

    Returns
    -------
    bool
        Whether the reference is training data; True only with `allow`.

    Raises
    ------
    AccuracyError
        If it is training data: named or equal to a file of `training`, named in the report
        beside the map as the source of the training data, or called so by its path.
    """
    reference = Path(reference_path)
    why = (
        _listed(reference, training)
        or _in_report(reference, Path(map_path))
        or _by_name(reference)
    )
    return _decide(reference.name, why, allow)


def refuse_itself(map_path: Path, reference_path: Path, compare: str | Path | None) -> None:
    """Refuse to compare a file with itself or a copy of it.

    Parameters
    ----------
    map_path, reference_path : Path
        Map and reference.
    compare : str or Path, optional
        A second map.

    Raises
    ------
    UsageError
        If two of them are one.
    """
    pairs = [("the reference", reference_path, "the map", map_path)]
    if compare is not None:
        pairs += [
            ("--compare", Path(compare), "the map", map_path),
            ("--compare", Path(compare), "the reference", reference_path),
        ]
    for role, one, other_role, other in pairs:
        if _same_content(one, other):
            raise UsageError(
                f"{role} '{one.name}' is {other_role} '{other.name}' itself or a copy of it, so "
                "that the two must agree: give another file"
            )


def refuse_training_rows(reference: VectorReference, *, allow: bool = False) -> bool:
    """Refuse a reference of which rows are marked as training data.

    Parameters
    ----------
    reference : VectorReference
        Points or polygons; columns split, set, subset or fold are looked at.
    allow : bool
        Go on all the same.

    Returns
    -------
    bool
        Whether there are such rows; True only with `allow`.

    Raises
    ------
    AccuracyError
        If there are.
    """
    for column in SPLIT_COLUMNS:
        cells = reference.columns.get(column)
        if cells is None:
            continue
        rows = [n for n, cell in enumerate(cells, 1) if _says_training(str(cell))]
        if rows:
            shown = ", ".join(map(str, rows[:5])) + (" ..." if len(rows) > 5 else "")
            why = (
                f"column '{column}' marks {len(rows)} of its {len(cells)} rows as training data "
                f"(rows {shown})"
            )
            return _decide(reference.name, why, allow)
    return False


def _decide(name: str, why: str | None, allow: bool) -> bool:
    if why is None or allow:
        return why is not None
    raise AccuracyError(
        f"'{name}' is training data: {why}; accuracy needs labels that the model has not seen, so "
        "give others, or see how well the model fits with --allow-training"
    )


def _listed(reference: Path, training: Sequence[str | Path]) -> str | None:
    for other in map(Path, training):
        if not other.exists():
            raise AccuracyError(
                f"'{other}', named with --training, was not found: check the name and the folder"
            )
        if reference.exists() and reference.samefile(other):
            return "it is named with --training"
        if _same_content(reference, other):
            return f"it has the same content as '{other.name}', named with --training"
    return None


def _same_content(a: Path, b: Path) -> bool:
    if not (a.is_file() and b.is_file()) or a.stat().st_size != b.stat().st_size:
        return False
    if a.samefile(b):
        return True
    return _digest(a) == _digest(b)


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.digest()


def _in_report(reference: Path, map_path: Path) -> str | None:
    """Look for the name of the reference where the map or its model tell of their training."""
    beside = map_path.with_name(f"{map_path.stem}_report.json")
    report = read_report(beside)
    told = [("the report of the map", _training_source(report))]
    model = report.get("model")
    if isinstance(model, str):
        for card in (beside.parent / f"{model}.card.json", Path(f"{model}.card.json")):
            told.append((f"the card of the model '{model}'", _training_source(read_report(card))))
    for where, source in told:
        names = {Path(part).name.casefold() for part in re.split(r"[,;|\n]\s*", source)}
        if reference.name and reference.name.casefold() in names:
            return f"{where} names it as the source of the training data"
    return None


def _training_source(told: Mapping[str, Any]) -> str:
    data = told.get("training_data")
    if isinstance(data, dict):
        data = data.get("source")
    if isinstance(data, list):
        data = "\n".join(map(str, data))
    return data if isinstance(data, str) else json.dumps(data) if data else ""


def _by_name(reference: Path) -> str | None:
    """Look at the file's name and the two folders above it, not at the rest of the path."""
    parts = [reference.stem, *(p.name for p in list(reference.absolute().parents)[:2])]
    said = next((part for part in parts if _says_training(part)), None)
    return None if said is None else f"its path says so ('{said}')"


def _says_training(text: str) -> bool:
    words = re.findall(
        r"[a-z]+|[\u4e00-\u9fff]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower()
    )
    return any(
        word in _WORDS and not (place and words[place - 1] in _ASIDE)
        for place, word in enumerate(words)
    )
