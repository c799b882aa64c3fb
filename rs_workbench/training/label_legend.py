"""LabelLegend: classes and the labels that mean them, from the settings or from the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rs_workbench.accuracy.reference.label_values import Value, numbers, parse_value
from rs_workbench.accuracy.reference.legend import read_legend
from rs_workbench.accuracy.reference.vector_file import VectorReference
from rs_workbench.card import MAX_CLASS_VALUE, LegendClass, spread_color
from rs_workbench.errors import AccuracyError, UsageError
from rs_workbench.raster_scene import Scene
from rs_workbench.training.settings import TrainClass

_LEAST = 2


@dataclass(frozen=True)
class LabelLegend:
    """Classes, and the labels that mean each.

    Attributes
    ----------
    classes : tuple of LegendClass
        K classes; their order gives the class indexes.
    labels : tuple of tuple of number or str
        Labels that mean each class; empty for its value or its name.
    unlabelled : tuple of number or str
        Labels that say nothing.
    """

    classes: tuple[LegendClass, ...]
    labels: tuple[tuple[Value, ...], ...]
    unlabelled: tuple[Value, ...]

    @property
    def numbers(self) -> dict[Value, int]:
        """Class index of each number that a raster may hold."""
        found: dict[Value, int] = {}
        for index, (entry, labels) in enumerate(zip(self.classes, self.labels, strict=True)):
            named = numbers(tuple(parse_value(str(label)) for label in labels))
            for label in named or (float(entry.value),):
                found.setdefault(label, index)
        return found


def named_legend(classes: Sequence[TrainClass], unlabelled: Sequence[int | str]) -> LabelLegend:
    """Take the classes from the settings.

    Parameters
    ----------
    classes : sequence of TrainClass
        Classes; those without a colour get one.
    unlabelled : sequence of int or str
        Labels that say nothing.

    Returns
    -------
    LabelLegend
        In the given order.
    """
    entries = tuple(
        LegendClass(
            value=one.value,
            name=one.name,
            name_zh=one.name_zh,
            color=one.color or spread_color(place, len(classes)),
        )
        for place, one in enumerate(classes)
    )
    return LabelLegend(entries, tuple(one.labels for one in classes), _values(unlabelled))


def raster_legend(rasters: Sequence[Scene], unlabelled: Sequence[int | str]) -> LabelLegend:
    """Take the classes from label rasters: from their names, else from their pixels.

    Parameters
    ----------
    rasters : sequence of Scene
        Label rasters.
    unlabelled : sequence of int or str
        Labels that say nothing.

    Returns
    -------
    LabelLegend
        Ordered by value. Names and colours are those of the first raster that has the value.

    Raises
    ------
    AccuracyError
        If a raster is no map of classes.
    UsageError
        If there are fewer than two classes.
    """
    nothing = numbers(_values(unlabelled))
    found: dict[int, LegendClass] = {}
    legends = [_read_legend(raster, nothing) for raster in dict.fromkeys(rasters)]
    for legend in legends:
        for entry in legend:
            found.setdefault(entry.value, entry)
    entries = [found[value] for value in sorted(found)]
    if any(len(legend) < len(entries) for legend in legends) and _unnamed(entries):
        entries = _with_spread_colors(entries)
    _refuse_few(entries, rasters[0].name)
    return LabelLegend(tuple(entries), ((),) * len(entries), _values(unlabelled))


def _read_legend(raster: Scene, nothing: Sequence[float]) -> tuple[LegendClass, ...]:
    try:
        return read_legend(raster.path, nodata=nothing)
    except AccuracyError as error:
        said = str(error).partition(": declare what is no class with")[0]
        if said == str(error):
            raise
        raise AccuracyError(
            f"{said}: name what is none with unlabelled, and say with classes what the others "
            "mean, such as classes: [{value: 1, name: water, labels: [301]}, ...]"
        ) from error


def _unnamed(entries: Sequence[LegendClass]) -> bool:
    return all(entry.name == f"class {entry.value}" for entry in entries)


def _with_spread_colors(entries: Sequence[LegendClass]) -> list[LegendClass]:
    return [
        entry.model_copy(update={"color": spread_color(place, len(entries))})
        for place, entry in enumerate(entries)
    ]


def vector_legend(
    vectors: Sequence[VectorReference], unlabelled: Sequence[int | str]
) -> LabelLegend:
    """Take the classes from the labels of points or polygons.

    Parameters
    ----------
    vectors : sequence of VectorReference
        Points or polygons.
    unlabelled : sequence of int or str
        Labels that say nothing.

    Returns
    -------
    LabelLegend
        Whole numbers from 0 to 254 become the values of their classes. Where there are other
        labels, all are numbered from 1 in order, numbers before text, and mean that class alone.

    Raises
    ------
    UsageError
        If there are fewer than two classes, or too many.
    """
    nothing = {_plain(value) for value in _values(unlabelled)} | {None}
    found: dict[Value | None, str] = {}
    for vector in vectors:
        for label in vector.labels:
            found.setdefault(_plain(label), " ".join(str(label).split()))
    keys = [key for key in found if key not in nothing and key is not None]
    values = [int(k) for k in keys if isinstance(k, float) and k.is_integer() and 0 <= k <= 254]
    labels: dict[int, tuple[Value, ...]] = {}
    if len(values) == len(keys):
        names = {value: f"class {value}" for value in values}
    else:
        ordered = sorted(keys, key=lambda key: (isinstance(key, str), key))
        labels = {place: (key,) for place, key in enumerate(ordered, 1)}
        names = {place: found[key] for place, key in enumerate(ordered, 1)}
    if len(names) > MAX_CLASS_VALUE:
        raise UsageError(
            f"'{vectors[0].name}' holds {len(names)} different labels, but a map has "
            f"{MAX_CLASS_VALUE} classes at most: name the column of the classes with "
            "label_column, or the classes themselves with classes"
        )
    entries = [
        LegendClass(value=value, name=names[value], color=spread_color(place, len(names)))
        for place, value in enumerate(sorted(names))
    ]
    _refuse_few(entries, vectors[0].name)
    meant = tuple(labels.get(entry.value, ()) for entry in entries)
    return LabelLegend(tuple(entries), meant, _values(unlabelled))


def _values(labels: Sequence[int | str]) -> tuple[Value, ...]:
    return tuple(parse_value(str(label)) for label in labels)


def _plain(label: object) -> Value | None:
    """Bring a label to the form in which labels are compared; None for nothing."""
    if label is None or label != label:
        return None
    value = parse_value(str(int(label) if isinstance(label, bool) else label))
    if isinstance(value, str):
        return " ".join(value.casefold().split()) or None
    return value


def _refuse_few(entries: Sequence[LegendClass], source: str) -> None:
    if len(entries) < _LEAST:
        named = ", ".join(f"'{entry.name}'" for entry in entries) or "none"
        raise UsageError(
            f"a network needs two classes at least to tell apart, but the labels, '{source}' the "
            f"first, hold {named}: label another class, or name the classes with classes"
        )


def refuse_other_labels(
    vector: VectorReference, legend: LabelLegend, truth: Sequence[int]
) -> None:
    """Refuse labels that mean a class only by its value or name, where others are named for it.

    Parameters
    ----------
    vector : VectorReference
        Points or polygons.
    legend : LabelLegend
        Classes and their labels.
    truth : sequence of int, shape (n,)
        Class index of each, below 0 for none.

    Raises
    ------
    UsageError
        If there is one.
    """
    for label, index in dict(zip(vector.labels, truth, strict=True)).items():
        if index < 0 or not legend.labels[index]:
            continue
        if _plain(label) not in {_plain(one) for one in legend.labels[index]}:
            raise UsageError(
                f"'{vector.name}' holds '{label}', which the labels of class "
                f"'{legend.classes[index].name}' do not name "
                f"({', '.join(map(str, legend.labels[index]))}): add it there, or to unlabelled"
            )
