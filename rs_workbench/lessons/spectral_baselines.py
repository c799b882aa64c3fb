"""What single spectra give, without their neighbourhood: a support vector machine and a forest.

Both are tuned on validation chips and fitted on training chips alone, like the network beside
them. A network that does not score above them has learnt nothing from the neighbourhood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rs_workbench.accuracy import confusion_matrix, mean_iou
from rs_workbench.errors import MissingDependencyError
from rs_workbench.lessons.fold_counts import count_chips
from rs_workbench.training.baselines import has_scikit_learn
from rs_workbench.types import Image
from tiling.label_index import IGNORE

Labels = NDArray[np.uint8]
Grid = Mapping[str, Sequence[Any]]
SVM_GRID: Grid = {"C": (1.0, 10.0, 100.0), "gamma": (0.01, 0.03)}
"""Penalties and widths of the radial kernel that are tried; components have variance 1 or less."""
FOREST_GRID: Grid = {"min_samples_leaf": (1, 3, 10)}
"""Sizes of leaves that are tried, px."""
TREES = 100
COMMONEST = "commonest class"
BASELINES = ("SVM", "random forest", COMMONEST)


@dataclass(frozen=True)
class PixelClassifier:
    """A classifier of single spectra, fitted.

    Attributes
    ----------
    name : str
        For people.
    settings : mapping of str to object
        What the validation chips chose.
    validation_mean_iou : float
        With these settings; NaN where nothing was chosen.
    n_pixels : int
        Training pixels.
    fitted : object
        The classifier of scikit-learn; its classes are class indexes.
    """

    name: str
    settings: Mapping[str, Any]
    validation_mean_iou: float
    n_pixels: int
    fitted: Any

    def predict(self, images: Image) -> Labels:
        """Classify every pixel by itself.

        Parameters
        ----------
        images : ndarray of float32, shape (N, B, H, W)
            Components.

        Returns
        -------
        ndarray of uint8, shape (N, H, W)
            Class indexes.
        """
        spectra = np.moveaxis(images, 1, -1)
        found = self.fitted.predict(spectra.reshape(-1, spectra.shape[-1]))
        return np.asarray(found, np.uint8).reshape(spectra.shape[:-1])


def labelled_pixels(images: Image, labels: Labels) -> tuple[NDArray[np.float32], Labels]:
    """Take the labelled pixels out of chips.

    Parameters
    ----------
    images : ndarray of float32, shape (N, B, H, W)
        Components.
    labels : ndarray of uint8, shape (N, H, W)
        Class indexes, 255 where nothing is known.

    Returns
    -------
    pixels : ndarray of float32, shape (n, B)
        One spectrum a row.
    labels : ndarray of uint8, shape (n,)
        Their classes.
    """
    known = labels != IGNORE
    return np.moveaxis(images, 1, -1)[known], labels[known]


def tune_svm(
    training: tuple[Image, Labels],
    validation: tuple[Image, Labels],
    n_classes: int,
    *,
    grid: Grid = SVM_GRID,
) -> PixelClassifier:
    """Fit a support vector machine with a radial kernel, its parameters chosen on validation.

    Parameters
    ----------
    training, validation : tuple of ndarray
        Components (N, B, H, W) and labels (N, H, W) of chips.
    n_classes : int
        K.
    grid : mapping of str to sequence
        Values to try of arguments of ``sklearn.svm.SVC``.

    Returns
    -------
    PixelClassifier
        That with the highest mean IoU on the validation chips.

    Raises
    ------
    MissingDependencyError
        If scikit-learn is not installed.
    """
    _check_scikit_learn()
    from sklearn.svm import SVC

    return _tune("SVM", SVC, grid, training, validation, n_classes)


def tune_forest(
    training: tuple[Image, Labels],
    validation: tuple[Image, Labels],
    n_classes: int,
    *,
    grid: Grid = FOREST_GRID,
    trees: int = TREES,
    seed: int = 0,
) -> PixelClassifier:
    """Fit a random forest, its parameters chosen on validation.

    Parameters
    ----------
    training, validation : tuple of ndarray
        Components (N, B, H, W) and labels (N, H, W) of chips.
    n_classes : int
        K.
    grid : mapping of str to sequence
        Values to try of arguments of ``sklearn.ensemble.RandomForestClassifier``.
    trees : int
        Number of trees.
    seed : int
        Of the forest.

    Returns
    -------
    PixelClassifier
        That with the highest mean IoU on the validation chips.

    Raises
    ------
    MissingDependencyError
        If scikit-learn is not installed.
    """
    _check_scikit_learn()
    from sklearn.ensemble import RandomForestClassifier

    def make(**settings: Any) -> Any:
        return RandomForestClassifier(n_estimators=trees, random_state=seed, **settings)

    return _tune("random forest", make, grid, training, validation, n_classes)


def _tune(
    name: str,
    make: Callable[..., Any],
    grid: Grid,
    training: tuple[Image, Labels],
    validation: tuple[Image, Labels],
    n_classes: int,
) -> PixelClassifier:
    pixels, labels = labelled_pixels(*training)
    chosen_on, truth = labelled_pixels(*validation)
    best: PixelClassifier | None = None
    for settings in _all_of(grid):
        fitted = make(**settings).fit(pixels, labels)
        score = mean_iou(confusion_matrix(fitted.predict(chosen_on), truth, n_classes))
        if best is None or score > best.validation_mean_iou:
            best = PixelClassifier(name, settings, score, len(labels), fitted)
    assert best is not None
    return best


def _all_of(grid: Grid) -> Iterator[dict[str, Any]]:
    for values in product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def count_baselines(
    training: tuple[Image, Labels],
    validation: tuple[Image, Labels],
    held_out: tuple[Image, Labels],
    n_classes: int,
) -> dict[str, NDArray[np.int64]]:
    """Tune the baselines, and count what they say of held-out chips.

    Parameters
    ----------
    training, validation, held_out : tuple of ndarray
        Components (N, B, H, W) and labels (N, H, W) of chips.
    n_classes : int
        K.

    Returns
    -------
    dict of str to ndarray of int64, shape (N, K, K)
        By name: rows map, columns reference. "commonest class" says the same everywhere.

    Raises
    ------
    MissingDependencyError
        If scikit-learn is not installed.
    """
    tuned = [make(training, validation, n_classes) for make in (tune_svm, tune_forest)]
    images, labels = held_out
    found = {one.name: count_chips(one.predict(images), labels, n_classes) for one in tuned}
    commonest = np.bincount(labelled_pixels(*training)[1]).argmax()
    same = np.full(labels.shape, commonest, np.uint8)
    return {**found, COMMONEST: count_chips(same, labels, n_classes)}


def _check_scikit_learn() -> None:
    if not has_scikit_learn():
        raise MissingDependencyError(
            "the baselines need scikit-learn, which is not installed: "
            "run  pip install scikit-learn"
        )


def pixel_split_scores(
    pixels: NDArray[np.float32], labels: Labels, chips: NDArray[np.intp], *, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Score one classifier twice, with pixels dealt to folds at random and with whole chips dealt.

    The first is the mistake: most held-out pixels then have learnt neighbours. It is here to be
    seen once, beside the second.

    Parameters
    ----------
    pixels : ndarray of float32, shape (n, B)
        Spectra.
    labels : ndarray of uint8, shape (n,)
        Class indexes.
    chips : ndarray of intp, shape (n,)
        Fold of the chip that each pixel lies in.
    seed : int
        Of the random deal.

    Returns
    -------
    by_pixel, by_chip : ndarray of int64, shape (K, K)
        Confusion of all folds together: rows map, columns reference.

    Raises
    ------
    MissingDependencyError
        If scikit-learn is not installed.

    Notes
    -----
    The classifier is the nearest labelled spectrum, for it shows best what a leak is: it keeps
    every training pixel, and finds the neighbour again. Both deals have folds of the same sizes.
    """
    _check_scikit_learn()
    from sklearn.neighbors import KNeighborsClassifier

    n_classes = int(labels.max()) + 1
    dealt = np.random.default_rng(seed).permutation(chips)
    found = []
    for folds in (dealt, chips):
        counts = np.zeros((n_classes, n_classes), np.int64)
        for fold in np.unique(folds):
            inside = folds == fold
            near = KNeighborsClassifier(1).fit(pixels[~inside], labels[~inside])
            counts += confusion_matrix(near.predict(pixels[inside]), labels[inside], n_classes)
        found.append(counts)
    return found[0], found[1]
