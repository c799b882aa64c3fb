"""`rsw card`: show, write or check the card of a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rs_workbench.card import (
    Band,
    LegendClass,
    ModelCard,
    card_text,
    load_card,
    read_card,
    spread_color,
    write_card,
)
from rs_workbench.errors import ModelError, UsageError
from rs_workbench.options import explain_errors

if TYPE_CHECKING:
    from rs_workbench.backends import LoadedModel
    from rs_workbench.probe import Geometry

MODEL = click.argument("model", type=click.Path(path_type=Path))


def describe(card: ModelCard) -> str:
    """Write a card as text for people.

    Parameters
    ----------
    card : ModelCard
        The card.

    Returns
    -------
    str
        A few lines, with one for each band and class.
    """
    lines = [f"{card.name}, version {card.version}"]
    lines += [card.description] if card.description else []
    lines += [f"reads {card.n_bands} bands of {card.dtype}, in this order:"]
    for band in card.bands:
        place = f", {band.wavelength:g} nm" if band.wavelength else ""
        lines.append(f"  {band.name}{place}: (value - {band.mean:g}) / {band.std:g}")
    lines.append(f"tells {card.n_classes} classes apart:")
    for cls in card.classes:
        chinese = f" {cls.name_zh}" if cls.name_zh else ""
        lines.append(f"  {cls.value:>3}  {cls.color}  {cls.name}{chinese}")
    lines.append(_describe_geometry(card))
    if card.pixel_size is not None:
        lines.append(f"pixel size {card.pixel_size:g} m")
    if card.held_out is not None:
        score = card.held_out
        lines.append(
            f"on pixels it never saw: overall accuracy {score.overall_accuracy:.3f},"
            f" mean IoU {score.mean_iou:.3f}"
        )
    lines += [f"licence {card.license}"] if card.license else []
    return "\n".join(lines)


def check_card(model: Path, card: ModelCard) -> list[str]:
    """Compare a card with what the model file does.

    Parameters
    ----------
    model : Path
        The model file or folder.
    card : ModelCard
        The card.

    Returns
    -------
    list of str
        What does not agree, a sentence each; empty where all does.

    Raises
    ------
    ModelError
        If the model cannot be loaded at all.
    """
    loaded = _load_bare(model)
    real = loaded.card
    faults = []
    if real.n_bands != card.n_bands:
        faults.append(f"the file takes {real.n_bands} bands, but the card names {card.n_bands}")
    if real.n_classes != card.n_classes:
        faults.append(
            f"the file gives {real.n_classes} classes, but the card names {card.n_classes}"
        )
    if faults:
        return faults
    return _geometry_faults(card, _measure(loaded), real.fixed_size)


@click.group("card")
def command() -> None:
    """Show, write or check the card of a model.

    The card says which bands a model reads and what its classes mean. It lies inside the model
    file, or beside it as MODEL.card.json.
    """


@command.command("show")
@MODEL
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
@explain_errors
def show(model: Path, as_json: bool) -> None:
    """Print the card of MODEL."""
    card = _need_card(model)
    click.echo(card_text(card) if as_json else describe(card))


@command.command("check")
@MODEL
@explain_errors
def check(model: Path) -> None:
    """Compare the card of MODEL with the file; exit code 1 if they disagree."""
    faults = check_card(model, _need_card(model))
    for fault in faults:
        click.echo(fault)
    if faults:
        raise ModelError(f"the card of '{model.name}' does not fit: see  rsw card write --help")
    click.echo(f"the card of '{model.name}' fits the file")


@command.command("write")
@MODEL
@click.option("--from", "source", type=click.Path(path_type=Path), help="Begin with a JSON card.")
@click.option("--name", help="Name of the model; default is the file's.")
@click.option("--bands", help="Band names in the model's order, as red,green,blue.")
@click.option("--classes", help="Names and colours, as 'water:#3366cc,ice:#ffffff'.")
@click.option("--scale", type=float, help="The model sees value / SCALE, as 255 or 10000.")
@click.option("--mean", help="The model sees (value - MEAN) / STD; one number or one a band.")
@click.option("--std", help="See --mean.")
@click.option("--scores", type=click.Choice(["logits", "probabilities"]), help="What comes out.")
@click.option("--dtype", help="Pixel type of the training scenes, as uint8.")
@click.option("--nodata", help="Values that mean no data, as 0,-9999.")
@click.option("--pixel-size", type=float, help="Pixel size of the training scenes, m.")
@click.option("--tile", type=int, help="Tile to prefer, px.")
@click.option("--license", "license_", help="Licence of the model.")
@click.option("--measure/--no-measure", default=True, help="Measure stride and reach.")
@explain_errors
def write(model: Path, source: Path | None, measure: bool, **values: Any) -> None:
    """Give MODEL a card, or change the one it has.

    Stride, reach and fixed size are measured. What is not given stays as it was.
    """
    loaded = _load_bare(model)
    before = load_card(source) if source else read_card(model)
    card = _changed(before or loaded.card, values, bare=before is None)
    _check_widths(model, loaded.card, card)
    if measure:
        card = _with_geometry(card, _measure(loaded), loaded.card.fixed_size)
    held_by = write_card(model, card)
    click.echo(describe(card))
    click.echo(f"written to {held_by}")


def _need_card(model: Path) -> ModelCard:
    from rs_workbench.backends import backend_name

    backend_name(model)
    card = read_card(model)
    if card is None:
        raise ModelError(
            f"'{model.name}' has no card yet: write one with  rsw card write {model} --bands"
            " red,green,blue --classes 'water:#3366cc,ice:#ffffff'"
        )
    return card


def _load_bare(model: Path) -> LoadedModel:
    """Load a model as its file alone describes it, whatever its card says."""
    from rs_workbench.backends import load_predictor

    return load_predictor(model, bare=True, ignore_card=True)


def _measure(loaded: LoadedModel) -> Geometry:
    from rs_workbench.backends.conversion import cache_folder
    from rs_workbench.probe import measure_once

    return measure_once(
        loaded.predictor.predict,
        loaded.card.n_bands,
        fixed_size=loaded.card.fixed_size,
        store=cache_folder(loaded.path) / "geometry.json",
    )


def _geometry_faults(
    card: ModelCard, geometry: Geometry, fixed_size: tuple[int, int] | None
) -> list[str]:
    faults = []
    if card.fixed_size != fixed_size:
        faults.append(
            f"the file's fixed size is {fixed_size}, but the card says {card.fixed_size}"
        )
    if card.stride % geometry.stride:
        faults.append(
            f"the network's stride is {geometry.stride} px, but the card says {card.stride} px"
        )
    # What was measured is an upper bound: up to a stride less may be the truth of the design.
    seen = 0 if geometry.reach is None else geometry.reach - (geometry.stride - 1)
    if card.reach is None and card.effective_reach is None:
        faults.append(
            f"the card does not say the reach: {_reach_text(geometry.reach)} was measured"
        )
    elif geometry.reach is None and card.reach is not None:
        faults.append(f"the network's reach is unbounded, but the card says {card.reach} px")
    elif card.reach is not None and geometry.reach is not None and card.reach < seen:
        faults.append(
            f"the network's reach is {geometry.reach} px, but the card says {card.reach} px"
        )
    return faults


def _with_geometry(
    card: ModelCard, geometry: Geometry, fixed_size: tuple[int, int] | None
) -> ModelCard:
    """Put what was measured into a card; the tile becomes a multiple of the stride."""
    tile = card.tile
    if tile is not None and tile % geometry.stride:
        raise UsageError(
            f"--tile {tile} px is not a multiple of the network's stride {geometry.stride} px:"
            f" try --tile {max(round(tile / geometry.stride), 1) * geometry.stride}"
        )
    known = {
        "stride": geometry.stride,
        "reach": geometry.reach,
        "effective_reach": geometry.effective_reach,
        "fixed_size": fixed_size,
    }
    return ModelCard.model_validate(card.model_dump() | known)


def _check_widths(model: Path, real: ModelCard, card: ModelCard) -> None:
    for what, got, wanted in (
        ("bands", card.n_bands, real.n_bands),
        ("classes", card.n_classes, real.n_classes),
    ):
        if got != wanted:
            verb = "takes" if what == "bands" else "gives"
            raise UsageError(
                f"'{model.name}' {verb} {wanted} {what}, but {got} were given: name {wanted} with"
                f" --{what}"
            )


# From options to a card


def _changed(card: ModelCard, values: dict[str, Any], *, bare: bool) -> ModelCard:
    """Apply the options that were given."""
    fields = card.model_dump()
    for key in ("name", "dtype", "scores", "pixel_size", "tile"):
        if values[key] is not None:
            fields[key] = values[key]
    if values["license_"] is not None:
        fields["license"] = values["license_"]
    if values["nodata"] is not None:
        fields["nodata"] = _numbers(values["nodata"], "nodata")
    if values["classes"] is not None:
        fields["classes"] = parse_classes(values["classes"])
    bands = _renamed(list(card.bands), values["bands"])
    fields["bands"] = _scaled(bands, values)
    if bare and values["dtype"] is None:
        fields["dtype"] = "uint8" if values["scale"] == 255 else "float32"
    try:
        return ModelCard.model_validate(fields)
    except ValueError as error:
        raise UsageError(f"these options do not make a card: {_first_fault(error)}") from error


def parse_classes(text: str) -> list[LegendClass]:
    """Read the classes as an option gives them.

    Parameters
    ----------
    text : str
        ``name:#rrggbb`` for each class, or ``value=name:#rrggbb``, separated by commas; the
        colour may be left out.

    Returns
    -------
    list of LegendClass
        Values count from 0 where they are not given.

    Raises
    ------
    UsageError
        If a part cannot be understood.

    Examples
    --------
    >>> [(c.value, c.name, c.color) for c in parse_classes("water:#3366cc,7=ice:#ffffff")]
    [(0, 'water', '#3366cc'), (7, 'ice', '#ffffff')]
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    classes = []
    for index, part in enumerate(parts):
        value, equals, rest = part.rpartition("=")
        name, _, color = rest.partition(":")
        color = color.strip().lower() or spread_color(index, len(parts))
        try:
            number = int(value) if equals else index
            classes.append(LegendClass(value=number, name=name.strip(), color=color))
        except ValueError as error:
            raise UsageError(
                f"--classes '{part}' is not understood ({_first_fault(error)}): write"
                " name:#rrggbb, as water:#3366cc"
            ) from error
    return classes


def _renamed(bands: list[Band], names: str | None) -> list[Band]:
    if names is None:
        return bands
    listed = [name.strip() for name in names.split(",") if name.strip()]
    if len(listed) != len(bands):
        return [Band(name=name) for name in listed]
    return [b.model_copy(update={"name": n}) for b, n in zip(bands, listed, strict=True)]


def _scaled(bands: list[Band], values: dict[str, Any]) -> list[Band]:
    scale, mean, std = values["scale"], values["mean"], values["std"]
    if scale is not None and (mean is not None or std is not None):
        raise UsageError("--scale and --mean/--std exclude each other: give one or the other")
    if (mean is None) != (std is None):
        raise UsageError("--mean and --std belong together: give both")
    if scale is not None:
        if not 0 < scale < math.inf:
            raise UsageError(f"--scale must be more than 0: got {scale:g} (255 for bytes)")
        return [b.model_copy(update={"mean": 0.0, "std": scale}) for b in bands]
    if mean is None:
        return bands
    means, stds = (_one_each(values[key], key, len(bands)) for key in ("mean", "std"))
    if min(stds) <= 0:
        raise UsageError(f"--std must be more than 0: got {min(stds):g}")
    return [
        b.model_copy(update={"mean": m, "std": s})
        for b, m, s in zip(bands, means, stds, strict=True)
    ]


def _one_each(text: str, option: str, count: int) -> Sequence[float]:
    numbers = _numbers(text, option)
    if len(numbers) not in (1, count):
        raise UsageError(
            f"--{option} needs one number or {count}, one a band: got {len(numbers)} ('{text}')"
        )
    return numbers * count if len(numbers) == 1 else numbers


def _numbers(text: str, option: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(",") if part.strip())
        if not all(map(math.isfinite, numbers)):
            raise ValueError(text)
        return numbers
    except ValueError as error:
        raise UsageError(f"--{option} '{text}' is not a list of numbers such as 0,1.5") from error


def _first_fault(error: ValueError) -> str:
    errors = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    first = errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])


def _describe_geometry(card: ModelCard) -> str:
    size = (
        f"tiles of {card.fixed_size[0]} x {card.fixed_size[1]} px only"
        if card.fixed_size
        else f"tiles of any multiple of {card.stride} px"
    )
    if card.reach is None and card.effective_reach is None:
        return f"takes {size}; its reach has not been measured"
    effective = "" if card.reach is not None else f", {card.effective_reach} px in effect"
    return f"takes {size}; its reach is {_reach_text(card.reach)}{effective}"


def _reach_text(reach: int | None) -> str:
    return "unbounded" if reach is None else f"{reach} px"


if __name__ == "__main__":
    command()
