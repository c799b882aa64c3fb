"""Release a trained network: an ONNX file with its card inside, and a page of figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from rs_workbench.accuracy import (
    iou,
    mean_iou,
    overall_accuracy,
    producers_accuracy,
    users_accuracy,
)
from rs_workbench.card import Band, HeldOut, ModelCard, TrainingData, write_card
from torch_cases.dunes.pixel_baseline import DESCRIPTION
from torch_cases.dunes.tiles import CLASSES, LEGEND, Parts, position
from torch_cases.models.reach import structural_reach

NAME = "dunes_unet"
PAGE = "default_model"
SOURCE = "https://github.com/dbuscombe-usgs/UNetSegmentation_RGB_DEM (commit 4ea95325c006, data)"
PIXEL_SIZE = 0.5  # m, estimated by us: see NOTES
NOTES = (
    "Names assigned by us: the source gives codes 1 to 11 without names; merged after looking at "
    "all tiles, before any training. "
    + "; ".join(f"{name}: {', '.join(map(str, codes))}" for _, name, _, _, codes in LEGEND)
    + ". The sea itself is masked out in the tiles, so water means ponds, lakes, canals and "
    "rivers. The source states no pixel size; 0.5 m is our estimate from the length of parked "
    "cars. Labels are coarse and not free of errors (small ponds labelled as built-up)."
)
SPLIT = (
    "groups of touching tiles kept together (22 groups), drawn so that each code is in each part "
    "as far as possible: {} tiles training, {} validation (chose the checkpoint), {} held-out "
    "(read once)"
)


@dataclass(frozen=True)
class Figures:
    """Held-out confusions, (K, K), rows map, columns reference."""

    network: np.ndarray
    majority: np.ndarray
    forest: np.ndarray


def make_card(
    parts: Parts, statistics: dict[str, np.ndarray], figures: Figures, *, stride: int, reach: int
) -> ModelCard:
    """Say what the network expects and how good it is.

    Parameters
    ----------
    parts : Parts
        Tile names of the split.
    statistics : dict
        `mean`, `std`, `low` and `high` of the training pixels, each (B,).
    figures : Figures
        Held-out confusions.
    stride, reach : int
        Geometry of the network, px.

    Returns
    -------
    ModelCard
        The card.
    """
    sizes = [len(names) for names in (parts.training, parts.validation, parts.held_out)]
    return ModelCard(
        name=NAME,
        description="Land cover of a dune coast from aerial photographs, seven classes",
        bands=_bands(statistics),
        dtype="uint8",
        nodata=(0.0,),
        classes=CLASSES,
        pixel_size=PIXEL_SIZE,
        tile=512,
        stride=stride,
        reach=reach,
        training_data=TrainingData(
            name="dunes: 86 orthophoto tiles of 608 x 608 px, red, green and blue, with labels",
            source=SOURCE,
            license="MIT",
            n_chips=sizes[0],
            split=SPLIT.format(*sizes),
            notes=NOTES,
        ),
        held_out=_held_out(figures, sizes[2]),
        license="MIT",
        provenance="trained by torch_cases/default_model.py of the workbench",
    )


def _bands(statistics: dict[str, np.ndarray]) -> tuple[Band, ...]:
    rounded = {key: [round(float(v), 3) for v in values] for key, values in statistics.items()}
    return tuple(
        Band(name=name, **{key: values[i] for key, values in rounded.items()})
        for i, name in enumerate(("red", "green", "blue"))
    )


def _held_out(figures: Figures, n_tiles: int) -> HeldOut:
    return HeldOut(
        confusion=tuple(tuple(int(n) for n in row) for row in figures.network),
        overall_accuracy=round(overall_accuracy(figures.network), 4),
        mean_iou=round(mean_iou(figures.network), 4),
        majority_mean_iou=round(mean_iou(figures.majority), 4),
        pixel_baseline_mean_iou=round(mean_iou(figures.forest), 4),
        pixel_baseline=DESCRIPTION,
        notes=f"{n_tiles} tiles that touch no tile of another part, each mapped in one pass; rows "
        "map, columns reference, in the order of the classes; names assigned by us",
    )


def write_onnx(net: nn.Module, card: ModelCard, path: Path) -> Path:
    """Export the network, any batch, height and width, with its card inside.

    Parameters
    ----------
    net : nn.Module
        Network in evaluation mode, on the CPU.
    card : ModelCard
        Its card.
    path : Path
        The `.onnx` file.

    Returns
    -------
    Path
        The file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    example = torch.zeros(2, card.n_bands, 8 * card.stride, 12 * card.stride)
    free = {axis: torch.export.Dim.DYNAMIC for axis in (0, 2, 3)}
    torch.onnx.export(
        net,
        (example,),
        path,
        input_names=["image"],
        output_names=["scores"],
        dynamic_shapes=(free,),
        opset_version=18,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    _tidy(path)
    return write_card(path, card)


def _tidy(path: Path) -> None:
    """Name the free sizes, and drop the exporter's notes, which hold paths of this machine."""
    proto = onnx.load(path)
    graph = proto.graph
    del graph.value_info[:], graph.metadata_props[:]
    for node in graph.node:
        del node.metadata_props[:]
    for value in (*graph.input, *graph.output):
        del value.metadata_props[:]
        for axis, name in ((0, "batch"), (2, "height"), (3, "width")):
            value.type.tensor_type.shape.dim[axis].dim_param = name
    for weights in graph.initializer:
        del weights.metadata_props[:]
    onnx.save(proto, path)


def geometry(net: nn.Module, *, depth: int) -> dict[str, int]:
    """Stride and reach of a U-Net with `depth` poolings, px."""
    stride = 2**depth
    return {"stride": stride, "reach": structural_reach(net, n_bands=3, stride=stride)}


# The page


def model_page(card: ModelCard, parts: Parts, figures: Figures) -> str:
    """Page about the model, in Markdown: figures, legend, split."""
    held_out = card.held_out
    return "\n".join(
        [
            "# The bundled model",
            "",
            f"`rs_workbench/models/{NAME}.onnx`: {card.description.lower()}. A U-Net with three "
            f"poolings; stride {card.stride} px, reach {card.reach} px, bands "
            + ", ".join(b.name for b in card.bands)
            + f" of 8 bits at about {card.pixel_size} m. This page is written by "
            "`python -m torch_cases.default_model`; the same facts are in the card inside the "
            f"file (`rsw card show rs_workbench/models/{NAME}.onnx`).",
            "",
            *_summary(figures, card),
            f"![Held-out tiles: photograph, reference, map](images/{PAGE}_held_out.png)",
            "",
            "The sample scene, which is drawn, not photographed, and its map:",
            "",
            f"![The sample scene and its map](images/{PAGE}_sample_scene.png)",
            "",
            "## Classes",
            "",
            *_class_table(figures.network),
            "## Held-out confusion",
            "",
            "Thousands of pixels; rows are the map, columns the reference.",
            "",
            *_confusion_table(figures.network),
            "## Data and split",
            "",
            f"{card.training_data.name}; {card.training_data.source}, licence "
            f"{card.training_data.license}. {card.training_data.notes}",
            "",
            f"Split: {card.training_data.split}. {held_out.notes[0].upper()}{held_out.notes[1:]}.",
            "",
            *_split_table(parts),
            "## What it cannot do",
            "",
            *_limits(),
        ]
    )


def _summary(figures: Figures, card: ModelCard) -> list[str]:
    rows = (
        ("this model", figures.network),
        (f"each pixel by itself ({card.held_out.pixel_baseline})", figures.forest),
        ("the commonest class everywhere", figures.majority),
    )
    lines = ["| held-out tiles | mean IoU | overall accuracy |", "|---|--:|--:|"]
    lines += [f"| {n} | {mean_iou(c):.3f} | {overall_accuracy(c):.1%} |" for n, c in rows]
    return [*lines, ""]


def _class_table(confusion: np.ndarray) -> list[str]:
    lines = [
        "| value | class | 中文 | colour | codes | IoU | user's accuracy | producer's accuracy |",
        "|--:|---|---|---|---|--:|--:|--:|",
    ]
    scores = zip(
        iou(confusion), users_accuracy(confusion), producers_accuracy(confusion), strict=True
    )
    for (value, name, name_zh, color, codes), (overlap, user, producer) in zip(
        LEGEND, scores, strict=True
    ):
        merged = ", ".join(map(str, codes))
        lines.append(
            f"| {value} | {name} | {name_zh} | `{color}` | {merged} "
            f"| {overlap:.3f} | {user:.1%} | {producer:.1%} |"
        )
    return [*lines, ""]


def _confusion_table(confusion: np.ndarray) -> list[str]:
    names = [name for _, name, *_ in LEGEND]
    lines = [
        "| map \\ reference | " + " | ".join(names) + " |",
        "|---" + "|--:" * len(names) + "|",
    ]
    for name, row in zip(names, confusion, strict=True):
        lines.append(f"| {name} | " + " | ".join(f"{n / 1000:.1f}" for n in row) + " |")
    return [*lines, ""]


def _split_table(parts: Parts) -> list[str]:
    lines = ["| part | tiles | row, column in the mosaic (steps of 608 px) |", "|---|--:|---|"]
    for part, names in vars(parts).items():
        places = " · ".join(f"{row}, {col}" for row, col in _sorted_positions(names))
        lines.append(f"| {part.replace('_', '-')} | {len(names)} | {places} |")
    return [*lines, ""]


def _sorted_positions(names: Sequence[str]) -> list[tuple[int, int]]:
    return sorted(position(name) for name in names)


def _limits() -> list[str]:
    return [
        "One flight over one coast: expect it to fail under other light, seasons, cameras or "
        "pixel sizes. It is there so that the command runs at once and so that you can see what "
        "a map carries; for your own area train your own model. Open sea was masked out of the "
        "tiles, so waves and surf are unknown to it.",
        "",
    ]
