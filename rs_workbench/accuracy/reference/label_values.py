"""LabelValues: which values of a reference mean what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rs_workbench.card import MAX_CLASS_VALUE
from rs_workbench.errors import UsageError

Value = float | str
"""A label as stored: a number, or text in a table."""
NOTHING = 255
"""Code of a pixel without label."""


@dataclass(frozen=True)
class LabelValues:
    """How the labels of a reference are to be read; all of it as stored, before recoding.

    Attributes
    ----------
    unlabelled : tuple of number or str
        Values that say nothing, beside the declared nodata.
    out_of_scope : tuple of number or str
        Values that are labels, but not of interest.
    recode : mapping of number or str to int
        Class of the map that a value stands for; values not named stay as they are.
    map_nodata : tuple of float
        Values of the map that mean no data, beside the declared one.
    """

    unlabelled: tuple[Value, ...] = ()
    out_of_scope: tuple[Value, ...] = ()
    recode: Mapping[Value, int] = field(default_factory=dict)
    map_nodata: tuple[float, ...] = ()


def parse_recode(text: str) -> dict[Value, int]:
    """Read the option ``--recode``.

    Parameters
    ----------
    text : str
        Such as ``10=1,20=2`` or ``forest=1``.

    Returns
    -------
    dict of number or str to int
        Class of each value.

    Raises
    ------
    UsageError
        If it cannot be understood.

    Examples
    --------
    >>> parse_recode("10=1, sea ice=2")
    {10.0: 1, 'sea ice': 2}
    """
    found: dict[Value, int] = {}
    for part in text.replace("，", ",").split(","):
        left, equals, right = (p.strip() for p in part.rpartition("="))
        if not left or not equals or not right.isdecimal() or int(right) > MAX_CLASS_VALUE:
            raise UsageError(
                f"--recode '{text}' cannot be understood ('{part.strip()}'): write "
                '--recode "10=1,20=2", value of the reference, then class of the map'
            )
        found[parse_value(left)] = int(right)
    return found


def parse_value(text: str) -> Value:
    """Take a text as a number where it is one.

    Parameters
    ----------
    text : str
        Such as ``10`` or ``forest``.

    Returns
    -------
    float or str
        The value.

    Examples
    --------
    >>> parse_value("10"), parse_value(" forest ")
    (10.0, 'forest')
    """
    try:
        return float(text)
    except ValueError:
        return text.strip()


def numbers(values: tuple[Value, ...]) -> tuple[float, ...]:
    """Give the values that are numbers.

    Parameters
    ----------
    values : tuple of number or str
        Any values.

    Returns
    -------
    tuple of float
        Text left out.
    """
    return tuple(float(v) for v in values if not isinstance(v, str))


def value_axis(
    nothing: tuple[float, ...],
    out_of_scope: tuple[float, ...] = (),
    recode: Mapping[Value, int] | None = None,
) -> NDArray[np.float64]:
    """Say what each byte means.

    Parameters
    ----------
    nothing : tuple of float
        Bytes without a label.
    out_of_scope : tuple of float, optional
        Bytes that are not of interest.
    recode : mapping, optional
        Class that a byte stands for.

    Returns
    -------
    ndarray of float64, shape (256,)
        Class value of each byte; NaN for no label, infinity for not of interest.

    Examples
    --------
    >>> value_axis((0,), (2,), {10: 1})[[0, 1, 2, 10]].tolist()
    [nan, 1.0, inf, 1.0]
    """
    axis = np.arange(256, dtype=np.float64)
    stored = axis.copy()
    for value, target in (recode or {}).items():
        if not isinstance(value, str):
            axis[stored == value] = target
    axis[np.isin(stored, out_of_scope)] = np.inf
    axis[np.isin(stored, nothing)] = np.nan
    return axis
