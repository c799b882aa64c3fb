"""What every fold and seed counted on its held-out chips, kept in files until all are there.

Each chip is held out in one fold. The score of a method is that of all chips together, and its
interval comes from drawing chips, not pixels: pixels of a chip are right and wrong together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy import confusion_matrix, iou, mean_iou, overall_accuracy
from rs_workbench.accuracy.bootstrap import bootstrap, bootstrap_difference
from rs_workbench.accuracy.bootstrap_run import BootstrapResult
from rs_workbench.card import LegendClass
from rs_workbench.errors import UsageError
from rs_workbench.lessons.report import Kind, Line
from rs_workbench.training.history import write_whole
from tiling.label_index import IGNORE

KEY = "settings.txt"
DRAWS = 2000
Counts = NDArray[np.int64]
_NAME = re.compile(r"(?P<name>.+)_fold(?P<fold>\d+)_seed(?P<seed>\d+)\.npy")


def count_chips(predicted: NDArray[np.uint8], labels: NDArray[np.uint8], n_classes: int) -> Counts:
    """Count pairs of classes chip by chip.

    Parameters
    ----------
    predicted, labels : ndarray of uint8, shape (N, H, W)
        Class indexes; 255 in the labels is left out.
    n_classes : int
        K.

    Returns
    -------
    ndarray of int64, shape (N, K, K)
        Rows map, columns reference.
    """
    pairs = zip(predicted, labels, strict=True)
    found = [confusion_matrix(one, truth, n_classes, ignore=IGNORE) for one, truth in pairs]
    return np.stack(found).astype(np.int64)


def open_counts(folder: str | Path, key: str) -> Path:
    """Make a folder for counts ready; what other settings left there is removed.

    Parameters
    ----------
    folder : str or Path
        For counts only.
    key : str
        The settings in words, without fold and seed.

    Returns
    -------
    Path
        The folder.
    """
    folder = Path(folder)
    known = folder / KEY
    if not known.is_file() or known.read_text(encoding="utf-8") != key:
        for old in folder.glob("*.npy"):
            old.unlink()
        write_whole(known, key.encode())
    return folder


def keep_counts(folder: Path, name: str, counts: Counts, *, fold: int, seed: int) -> Path:
    """Keep what one method counted in one fold.

    Parameters
    ----------
    folder : Path
        What `open_counts` gave.
    name : str
        Of the method.
    counts : ndarray of int64, shape (N, K, K)
        Of the held-out chips.
    fold, seed : int
        Which; the same replaces an earlier one.

    Returns
    -------
    Path
        The file.
    """
    path = folder / f"{name}_fold{fold}_seed{seed}.npy"
    np.save(path, counts)
    return path


def gather_counts(
    folder: Path, *, folds: Collection[int], seeds: Collection[int]
) -> dict[str, Counts]:
    """Read what was counted so far.

    Parameters
    ----------
    folder : Path
        What `open_counts` gave.
    folds, seeds : collection of int
        Which to read; others may lie there from a run with more of them.

    Returns
    -------
    dict of str to ndarray of int64, shape (S, N, K, K)
        By method: S seeds, and N chips of those folds that every seed of every method has.

    Raises
    ------
    UsageError
        If nothing was counted, or some method shares no fold with the others.
    """
    found: dict[str, dict[int, dict[int, Counts]]] = {}
    for path in sorted(folder.glob("*.npy")):
        parts = _NAME.fullmatch(path.name)
        if parts and int(parts["seed"]) in seeds and int(parts["fold"]) in folds:
            by_seed = found.setdefault(parts["name"], {})
            by_seed.setdefault(int(parts["seed"]), {})[int(parts["fold"])] = np.load(path)
    every = [set(by_fold) for by_seed in found.values() for by_fold in by_seed.values()]
    shared = sorted(set.intersection(*every)) if every else []
    if not shared:
        raise UsageError(
            f"'{folder}' holds no fold that every method has counted: got "
            f"{', '.join(found) or 'no method'} (run  evaluate  first)"
        )
    return {
        name: np.stack(
            [np.concatenate([by_seed[seed][fold] for fold in shared]) for seed in sorted(by_seed)]
        )
        for name, by_seed in found.items()
    }


def interval(
    counts: Counts, score: Callable[[NDArray[np.float64]], float] = mean_iou
) -> BootstrapResult:
    """Draw chips to say how uncertain a score is.

    Parameters
    ----------
    counts : ndarray of int64, shape (S, N, K, K)
        Of S seeds; they are added up, since another seed is no other chip.
    score : callable
        Turns a confusion matrix into a number.

    Returns
    -------
    BootstrapResult
        95 % interval.
    """
    return bootstrap(score, _labelled(counts.sum(axis=0)), n_draws=DRAWS)


def difference(
    first: Counts,
    second: Counts,
    score: Callable[[NDArray[np.float64]], float] = mean_iou,
) -> BootstrapResult:
    """Draw chips to say how uncertain the difference of two methods is, on the same chips.

    Parameters
    ----------
    first, second : ndarray of int64, shape (S, N, K, K)
        Counts of the same chips in the same order.
    score : callable
        Turns a confusion matrix into a number.

    Returns
    -------
    BootstrapResult
        First less second, with a 95 % interval.

    Raises
    ------
    UsageError
        If the chips are not the same.
    """
    pixels = [one[0].sum(axis=(1, 2)) for one in (first, second)]
    if not np.array_equal(*pixels):
        raise UsageError(
            "two methods are compared on the same chips in the same order: got "
            f"{first.shape[1]} and {second.shape[1]} chips, or other pixels in them"
        )
    used = pixels[0] > 0
    pair = first.sum(axis=0)[used], second.sum(axis=0)[used]
    return bootstrap_difference(score, pair, n_draws=DRAWS)


def _labelled(units: Counts) -> Counts:
    return units[units.any(axis=(1, 2))]


def score_line(
    name: str, counts: Counts, classes: Sequence[LegendClass], kind: Kind = "ours"
) -> Line:
    """Make a line of a report.

    Parameters
    ----------
    name : str
        Of the method.
    counts : ndarray of int64, shape (S, N, K, K)
        Of S seeds.
    classes : sequence of LegendClass
        Names.
    kind : {"ours", "baseline", "published"}
        What the line is.

    Returns
    -------
    Line
        Mean over seeds of mean IoU and overall accuracy, interval of the mean IoU over chips, and
        the IoU of every class; the note tells the spread over seeds.
    """
    totals = counts.sum(axis=1)
    by_seed = [mean_iou(total) for total in totals]
    drawn = interval(counts)
    by_class = np.mean([iou(total) for total in totals], axis=0)
    figures = {
        "mean IoU": float(np.mean(by_seed)),
        "low": drawn.low,
        "high": drawn.high,
        "OA": float(np.mean([overall_accuracy(total) for total in totals])),
        **{entry.name: float(value) for entry, value in zip(classes, by_class, strict=True)},
    }
    note = "" if len(by_seed) == 1 else "seeds " + ", ".join(f"{one:.3f}" for one in by_seed)
    return Line(name, figures, kind, note)


def score_lines(
    gathered: Mapping[str, Counts], classes: Sequence[LegendClass], baselines: Sequence[str]
) -> list[Line]:
    """Make one line for every method, ours first.

    Parameters
    ----------
    gathered : mapping of str to ndarray
        What `gather_counts` gave.
    classes : sequence of LegendClass
        Names.
    baselines : sequence of str
        Which methods are baselines.

    Returns
    -------
    list of Line
        For `rs_workbench.lessons.report.write_report`.
    """
    ours = [name for name in gathered if name not in baselines]
    order = [*ours, *(name for name in baselines if name in gathered)]
    return [
        score_line(name, gathered[name], classes, "baseline" if name in baselines else "ours")
        for name in order
    ]
