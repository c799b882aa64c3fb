"""Losses: names, settings and definitions, once for both frameworks.

`parse_loss` reads what a user writes, such as ``0.5*focal(gamma=3)+lovasz``; `make_loss` of
`keras_losses` and of `torch_losses` make the function. Both give the same value:

- The loss is the weighted sum of its terms, computed in float32 or better, on the log-softmax of
  the logits. All pixels of the batch count together, not chip by chip.
- Pixels labelled `ignore` are left out: they have no share in any sum and their logits have a
  gradient of exactly 0, whatever stands there. A batch without a labelled pixel has loss 0 and
  gradient 0, and so has a term in which all labelled pixels of the batch weigh 0.
- ``cross_entropy`` and ``focal`` are means over the labelled pixels. With class weights they are
  weighted means: each pixel weighs what its class weighs, and the sum is divided by the sum of
  these weights. So only the ratios of weights matter.
- ``dice``, ``tversky`` and ``lovasz`` are means over the classes present in the labels of the
  batch. They count these classes alike and take no class weights. As a class that is present has
  a denominator above 0, no epsilon is added to any sum. (``focal`` takes ``1 - p`` as 1e-30 at
  least, so that its gradient stays finite.)
- A label that is neither a class nor `ignore` makes the loss NaN, rather than be left out unseen.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from rs_workbench.errors import ModelError, UsageError
from rs_workbench.networks import check_choice
from rs_workbench.training.class_weights import check_weights, class_weights
from rs_workbench.training.loss_settings import LOSSES, CrossEntropy, Focal, Settings

__all__ = ["LossSpec", "LossTerm", "check_shapes", "class_weights", "parse_loss", "term_weights"]

EXAMPLE = "0.5*focal(gamma=3)+lovasz"
Weights: TypeAlias = tuple[float, ...]


@dataclass(frozen=True)
class LossTerm:
    """One term of a sum.

    Attributes
    ----------
    settings : CrossEntropy, Focal, Dice, Tversky or Lovasz
        Which loss, and how.
    weight : float
        Its factor, above 0.
    """

    settings: Settings
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.weight < math.inf:
            raise UsageError(
                f"the weight of a loss must be above 0: got {self.weight:g} for {self.name} "
                "(leave out what should not count)"
            )

    @property
    def name(self) -> str:
        """Name of the loss."""
        return next(name for name, kind in LOSSES.items() if kind is type(self.settings))

    def __str__(self) -> str:
        changed = [
            f"{setting.name}={_text(value)}"
            for setting in fields(self.settings)
            if (value := getattr(self.settings, setting.name)) != setting.default
        ]
        factor = "" if self.weight == 1 else f"{_text(self.weight)}*"
        return f"{factor}{self.name}" + (f"({', '.join(changed)})" if changed else "")


@dataclass(frozen=True)
class LossSpec:
    """A weighted sum of losses; as text, what `parse_loss` reads.

    Attributes
    ----------
    terms : tuple of LossTerm
        At least one.
    """

    terms: tuple[LossTerm, ...]

    def __str__(self) -> str:
        return "+".join(map(str, self.terms))


def parse_loss(text: str) -> LossSpec:
    """Read a loss from its name, or from a weighted sum of names with settings.

    Parameters
    ----------
    text : str
        Such as "dice", "cross_entropy+dice" or "0.5*focal(gamma=3)+lovasz".

    Returns
    -------
    LossSpec
        What to compute.

    Raises
    ------
    UsageError
        If it is no such sum, a name is unknown or a setting cannot work.

    Examples
    --------
    >>> parse_loss("cross_entropy+dice").terms[1]
    LossTerm(settings=Dice(), weight=1.0)
    >>> str(parse_loss("0.5 * focal(alpha=[1, 3]) + tversky(alpha=0.3)"))
    '0.5*focal(alpha=[1.0, 3.0])+tversky'
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
        terms = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            terms.append(_read_term(node.right))
            node = node.left
        return LossSpec((_read_term(node), *reversed(terms)))
    except UsageError:
        raise
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise UsageError(
            f"the loss '{text}' cannot be read: write names with weights and settings, "
            f"such as {EXAMPLE}"
        ) from None


def term_weights(
    spec: LossSpec, n_classes: int, *, ignore: int | None, class_weights: Sequence[float] | None
) -> tuple[Weights | None, ...]:
    """Check that a loss fits the classes, and find the weights of the classes in each term.

    Parameters
    ----------
    spec : LossSpec
        What to compute.
    n_classes : int
        K.
    ignore : int or None
        Label that means unlabelled.
    class_weights : sequence of float, shape (K,), or None
        Weight of each class in ``cross_entropy`` and ``focal``.

    Returns
    -------
    tuple of (tuple of float, or None)
        For each term; None where all classes weigh the same.

    Raises
    ------
    UsageError
        If `ignore` is also a class, weights are not K numbers from 0 up, or no term takes them.
    """
    if ignore is not None and 0 <= ignore < n_classes:
        raise UsageError(
            f"label {ignore} cannot mean both unlabelled and one of {n_classes} classes, "
            f"0 to {n_classes - 1}: choose another, such as 255"
        )
    weights = None
    if class_weights is not None:
        weights = tuple(float(weight) for weight in class_weights)
        check_weights("class weights", weights, n_classes)
        if not any(isinstance(term.settings, CrossEntropy | Focal) for term in spec.terms):
            raise UsageError(
                f"the loss '{spec}' counts every class alike and takes no class weights: "
                "leave them out, or add cross_entropy"
            )
    return tuple(_weights_of(term.settings, n_classes, weights) for term in spec.terms)


def check_shapes(
    labels: Sequence[int | None], scores: Sequence[int | None], n_classes: int
) -> None:
    """Refuse scores that do not lie on their labels.

    Parameters
    ----------
    labels : sequence of int or None
        Shape of the labels; None where a length is not known yet.
    scores : sequence of int or None
        Shape of the logits, classes last.
    n_classes : int
        K of the loss.

    Raises
    ------
    ModelError
        If the model scores another number of classes or of pixels.
    """
    *places, scored = scores
    if scored != n_classes:
        raise ModelError(
            f"the model scores {scored} classes, but its loss is for {n_classes}: "
            "build both with one number of classes"
        )
    known = [side for side in (*labels, *places) if side is not None]
    if len(known) == len(labels) + len(places) and _size(labels) != _size(places):
        raise ModelError(
            f"the model scores {_sides(places)} pixels, but the labels are {_sides(labels)}: "
            "its scores must have the height and width of its input"
        )


def _size(shape: Sequence[int | None]) -> int:
    return math.prod(side or 0 for side in shape)


def _sides(shape: Sequence[int | None]) -> str:
    return " x ".join(map(str, shape))


def _weights_of(settings: Settings, n_classes: int, weights: Weights | None) -> Weights | None:
    if isinstance(settings, Focal) and settings.alpha is not None:
        check_weights("alpha of focal", settings.alpha, n_classes)
        return settings.alpha
    return weights if isinstance(settings, CrossEntropy | Focal) else None


def _read_term(node: ast.expr) -> LossTerm:
    weight = 1.0
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        weight, node = _number(ast.literal_eval(node.left)), node.right
    called, given = (node.func, node.keywords) if isinstance(node, ast.Call) else (node, [])
    name = ast.unparse(called).replace(" - ", "-")
    settings = {f"{one.arg}": _setting(ast.literal_eval(one.value)) for one in given}
    unnamed = isinstance(node, ast.Call) and node.args
    if unnamed or len(settings) < len(given) or not re.fullmatch(r"[\w-]+", name):
        raise ValueError(ast.unparse(node))
    check_choice("loss", name, list(LOSSES))
    _check_settings(name, list(settings))
    return LossTerm(LOSSES[name](**settings), weight)


def _check_settings(name: str, given: list[str]) -> None:
    known = [setting.name for setting in fields(LOSSES[name])]
    if given and not known:
        raise UsageError(f"{name} has no settings: got {', '.join(given)} (write {name} alone)")
    for setting in given:
        check_choice(f"setting of {name}", setting, known)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    return float(value)


def _setting(value: object) -> Any:
    return tuple(map(_number, value)) if isinstance(value, list | tuple) else _number(value)


def _text(value: float | tuple[float, ...]) -> str:
    return f"[{', '.join(map(repr, value))}]" if isinstance(value, tuple) else repr(value)
