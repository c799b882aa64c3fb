"""The card of a model that was trained here."""

from __future__ import annotations

import math
from importlib.metadata import version
from typing import TYPE_CHECKING

from rs_workbench import probe
from rs_workbench.card import Band, ModelCard, TrainingData
from rs_workbench.errors import ModelError
from rs_workbench.training.held_out import card_scores
from tiling.windows import round_up

if TYPE_CHECKING:
    from rs_workbench.probe import Geometry
    from rs_workbench.training import data as training_data
    from rs_workbench.training.held_out import HeldOutResult
    from rs_workbench.training.learner import Learner
    from rs_workbench.training.loop import Fit

LEAST_TILE = 512
"""Smallest tile the card proposes, px: smaller ones spend much of the work on their margins."""
DIGITS = 6
"""Digits that count in statistics of bands."""


def make_card(data: training_data.TrainingData, fit: Fit, held_out: HeldOutResult) -> ModelCard:
    """Write down what the model expects, what it gives, and how well it does.

    Parameters
    ----------
    data : TrainingData
        Bands, classes, pixel size, split.
    fit : Fit
        Has the learner, whose stride and reach are measured, and the settings.
    held_out : HeldOutResult
        Scores.

    Returns
    -------
    ModelCard
        For ``learner.export``.

    Raises
    ------
    ModelError
        If the network takes none of the tile sizes tried.
    """
    settings = fit.settings
    geometry = _measure(fit.learner, data, settings.tile)
    return ModelCard(
        name=settings.name or settings.network,
        description=settings.description,
        bands=_bands(data),
        dtype=data.scenes[0].dtype,
        nodata=tuple(settings.nodata) or _nodata(data),
        classes=data.classes,
        pixel_size=None if data.pixel_size is None else _digits(data.pixel_size),
        tile=_tile(settings.tile, geometry),
        stride=geometry.stride,
        reach=geometry.reach,
        effective_reach=geometry.effective_reach,
        fixed_size=geometry.fixed_size,
        training_data=_training_data(data, fit),
        held_out=card_scores(held_out),
        license=settings.license,
        provenance=_provenance(fit),
    )


def _measure(learner: Learner, data: training_data.TrainingData, tile: int) -> Geometry:
    """Measure stride and reach; a stride that the network names holds where it is larger."""
    n_bands = len(data.bands)
    try:
        found = probe.measure(learner.predict, n_bands)
    except ModelError:
        found = probe.measure(learner.predict, n_bands, fixed_size=(tile, tile))
    stride = math.lcm(found.stride, learner.facts.stride or 1)
    more = stride - found.stride
    return probe.Geometry(
        stride,
        None if found.reach is None else found.reach + more,
        found.effective_reach + more,
        found.agreement,
        found.fixed_size,
    )


def _tile(tile: int, geometry: Geometry) -> int:
    if geometry.fixed_size is not None:
        return tile
    return round_up(max(LEAST_TILE, tile), geometry.stride)


def _bands(data: training_data.TrainingData) -> tuple[Band, ...]:
    found = data.statistics
    columns = zip(
        data.band_names,
        data.wavelengths,
        *(part.tolist() for part in (found.mean, found.std, found.low, found.high)),
        strict=True,
    )
    return tuple(
        Band(
            name=name,
            wavelength=wavelength,
            mean=_digits(mean),
            std=_digits(std),
            low=_digits(low),
            high=_digits(high),
        )
        for name, wavelength, mean, std, low, high in columns
    )


def _digits(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _nodata(data: training_data.TrainingData) -> tuple[float, ...]:
    """Nodata values that the scenes declare, for scenes that declare none."""
    declared = {v for s in data.scenes for v in s.nodata if v is not None and math.isfinite(v)}
    return tuple(sorted(declared))


def _training_data(data: training_data.TrainingData, fit: Fit) -> TrainingData:
    settings, n = fit.settings, len(data.scenes)
    dealt = data.training if isinstance(data.training, tuple) else None
    drawn = settings.chips * len(fit.epochs)
    listed = f"{n} scene{'s' * (n > 1)}: {', '.join(_first([s.name for s in data.scenes]))}"
    labelled = f"{int(data.counts['training'].sum()):,} labelled training pixels"
    counted = labelled if dealt is not None else f"{labelled}; chips drawn anew for each epoch"
    return TrainingData(
        name=settings.data_name or listed,
        source=settings.data_source,
        license=settings.data_license,
        n_chips=drawn if dealt is None else len(dealt),
        split=data.split_text,
        notes=" ".join(filter(None, (f"{counted}.", settings.data_notes))),
    )


def _first(names: list[str], most: int = 3) -> list[str]:
    more = len(names) - most
    return names if more <= 0 else [*names[:most], f"and {more} more"]


def _provenance(fit: Fit) -> str:
    settings = fit.settings
    options = ", ".join(f"{key}={value}" for key, value in settings.network_options.items())
    network = f"{settings.network}({options})"
    return (
        f"rsw train of rs-workbench {version('rs-workbench')}: {settings.framework} {network}, "
        f"{settings.loss}, epoch {fit.best.number} of {len(fit.epochs)}, seed {settings.seed}"
    )
