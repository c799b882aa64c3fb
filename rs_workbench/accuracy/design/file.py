"""read_design: how a sample was drawn, from the sample's file or from the file beside it."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rs_workbench.accuracy.sample import Design, parse_design
from rs_workbench.errors import AccuracyError

DESIGN_TABLE = "rsw_design"


def design_beside(path: str | Path) -> Path:
    """Name of the design beside a sample.

    Parameters
    ----------
    path : str or Path
        The sample, in any format.

    Returns
    -------
    Path
        ``<stem>.design.json``.
    """
    return Path(path).with_name(f"{Path(path).stem}.design.json")


def read_design(path: str | Path) -> Design | None:
    """Read the design of a sample: from the sample itself, else from the file beside it.

    Parameters
    ----------
    path : str or Path
        GeoPackage, or any other file with a ``<stem>.design.json`` beside it.

    Returns
    -------
    Design or None
        None where there is none.

    Raises
    ------
    AccuracyError
        If there is one that cannot be understood.
    """
    found = first_row(Path(path), f'SELECT design FROM "{DESIGN_TABLE}"')
    if found is not None:
        return parse_design(str(found[0]), f"the table {DESIGN_TABLE} of '{path}'")
    beside = design_beside(path)
    if not beside.is_file():
        return None
    try:
        return parse_design(beside.read_text(encoding="utf-8"), f"'{beside}'")
    except (OSError, UnicodeDecodeError) as error:
        raise AccuracyError(f"the design '{beside}' cannot be read: {error}") from error


def stratum_codes(design: Design) -> dict[str, str]:
    """Give strata codes that do not tell their class, in an order that the seed decides.

    Parameters
    ----------
    design : Design
        The design.

    Returns
    -------
    dict of str to str
        Name of each stratum to a code such as ``S3``, which is no other stratum's name.
    """
    prefix = "S"
    while any(re.fullmatch(rf"{prefix}\d+", s.name) for s in design.strata):
        prefix += "S"
    order = np.random.default_rng([design.seed or 0, 3]).permutation(len(design.strata))
    return {s.name: f"{prefix}{place + 1}" for s, place in zip(design.strata, order, strict=True)}


def stratum_names(column: ArrayLike, design: Design) -> NDArray[np.str_]:
    """Turn the column `stratum` of a sample into names of the design's strata.

    Parameters
    ----------
    column : array_like, shape (n,)
        Codes as `write_sample` writes them, or names.
    design : Design
        The sample's design.

    Returns
    -------
    ndarray of str, shape (n,)
        Names; text that is neither is left as it is, for the estimator to refuse.
    """
    found = np.asarray(column).astype(str)
    if set(found.tolist()) <= {s.name for s in design.strata}:
        return found
    names = {code: name for name, code in stratum_codes(design).items()}
    return np.array([names.get(text, text) for text in found.tolist()], dtype=np.str_)


def first_row(path: Path, query: str) -> tuple[Any, ...] | None:
    """Ask a database for one row.

    Parameters
    ----------
    path : Path
        A GeoPackage; it is opened for reading only.
    query : str
        SQL.

    Returns
    -------
    tuple or None
        None where there is no row, no such table, or no database.
    """
    if not path.is_file():
        return None
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as database:
            row: tuple[Any, ...] | None = database.execute(query).fetchone()
            return row
    except sqlite3.Error:
        return None
