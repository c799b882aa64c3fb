"""Pictures and baselines of a lesson on digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy import confusion_matrix
from rs_workbench.lessons.confusion_picture import picture_of_confusion
from rs_workbench.lessons.digits import CLASSES, Digits, nearest_mean, share_right
from rs_workbench.lessons.digits_found import Found
from rs_workbench.lessons.pictures import picture_of_chips
from rs_workbench.lessons.report import Line
from rs_workbench.lessons.training_record import CURVES

SHOWN = 12  # digits in a row


def draw_pictures(folder: Path, digits: Digits, predicted: NDArray[np.integer]) -> dict[str, Path]:
    """Draw digits, mistakes and the confusion matrix.

    Parameters
    ----------
    folder : Path
        Where to; it holds the curves of the training.
    digits : Digits
        Test digits; images (N, 28, 28, 1).
    predicted : ndarray of int, shape (N,)
        What a net takes them for.

    Returns
    -------
    dict of str to Path
        Files by caption.
    """
    images = digits.images[..., 0]
    wrong = np.flatnonzero(predicted != digits.labels)[:SHOWN]
    confusion = confusion_matrix(predicted, digits.labels, len(CLASSES))
    matrix = picture_of_confusion(folder / "confusion.png", confusion, CLASSES)
    drawn = {
        "some test digits": picture_of_chips(folder / "digits.png", images[:SHOWN]),
        "how it learnt": folder / CURVES,
        "what it takes for what: read digits are rows, true digits columns": matrix,
    }
    if len(wrong):
        titles = [f"{digits.labels[k]}, read {predicted[k]}" for k in wrong]
        picture = picture_of_chips(folder / "mistakes.png", images[wrong], titles=titles)
        drawn["mistakes"] = picture
    return drawn


def draw_reading(folder: Path, found: Found, says: NDArray[np.integer]) -> dict[str, Path]:
    """Draw what was found on a photograph.

    Parameters
    ----------
    folder : Path
        Where to.
    found : Found
        What `find_digits` found.
    says : ndarray of int, shape (N,)
        What a net takes each for.

    Returns
    -------
    dict of str to Path
        The file by its caption; nothing where nothing was found.
    """
    if not len(says):
        return {}
    titles = [str(digit) for digit in says[:SHOWN]]
    picture = picture_of_chips(folder / "photo_read.png", found.images[:SHOWN], titles=titles)
    return {"digits of the photograph, as found and as read": picture}


def baselines(training: Digits, test: Digits) -> list[Line]:
    """Score what needs no training: the most frequent digit, and the nearest mean digit.

    Parameters
    ----------
    training, test : Digits
        Scaled alike.

    Returns
    -------
    list of Line
        Marked as baselines.
    """
    most = int(np.bincount(training.labels).argmax())
    shares = {
        f"always {most}, the most frequent digit": share_right(most, test.labels),
        "nearest mean digit": share_right(nearest_mean(training, test.images), test.labels),
    }
    return [Line(name, {"test accuracy": share}, "baseline") for name, share in shares.items()]
