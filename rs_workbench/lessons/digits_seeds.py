"""The report of an exercise on digits: one net, trained with several seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from rs_workbench.lessons.digits import Digits
from rs_workbench.lessons.digits_pictures import baselines, draw_pictures
from rs_workbench.lessons.digits_report import accuracy_line
from rs_workbench.lessons.report import Line, write_report


def report_seeds(
    folder: Path,
    title: str,
    *,
    text: str,
    says: Sequence[NDArray[Any]],
    training: Digits,
    test: Digits,
    published: Sequence[Line],
    facts: Mapping[str, object],
) -> Path:
    """Write how many test digits the nets of all seeds got right, with pictures of the first.

    Parameters
    ----------
    folder : Path
        Where to; it holds the curves of the training.
    title, text : str
        Head of the page, and what was done.
    says : sequence of ndarray of int, shape (N,)
        What the net of each seed takes the test digits for.
    training, test : Digits
        Scaled alike; images (N, 28, 28, 1).
    published : sequence of Line
        The course's figures.
    facts : mapping of str to object
        How it was run.

    Returns
    -------
    Path
        ``report.md``.
    """
    right = [int((one == test.labels).sum()) for one in says]
    seeds = f"{len(says)} seeds" if len(says) > 1 else "1 seed"
    ours = accuracy_line(f"this net, {seeds}", right, len(test.labels))
    return write_report(
        folder,
        title,
        text=text,
        lines=[ours, *baselines(training, test), *published],
        pictures=draw_pictures(folder, test, says[0]),
        facts=facts,
    )
