"""The card inside an ONNX file, beside the keys that the QGIS plugin Deepness reads.

Deepness reads JSON text from `metadata_props`, gives the resolution in centimetres, and divides
pixels by 255 before it standardises them. Keys of other tools are kept as they are.
"""

from __future__ import annotations

import json
from pathlib import Path

import onnx

from rs_workbench.card import ModelCard, card_text
from rs_workbench.errors import ModelError

MANIFEST_KEY = "rs_workbench"
DEEPNESS_KEYS = (
    "model_type",
    "class_names",
    "standardization_mean",
    "standardization_std",
    "resolution",
    "tile_size",
    "tiles_size",
    "tiles_overlap",
)
_CM_PER_M = 100
_DEEPNESS_DIVISOR = 255


def read_manifest(path: Path) -> str | None:
    """Read the card's JSON text from an ONNX file.

    Parameters
    ----------
    path : Path
        The `.onnx` file.

    Returns
    -------
    str or None
        None where the file has no card.

    Raises
    ------
    ModelError
        If the file is not ONNX.
    """
    for prop in load_proto(path).metadata_props:
        if prop.key == MANIFEST_KEY:
            return prop.value
    return None


def write_manifest(path: Path, new: Path, card: ModelCard) -> None:
    """Copy an ONNX file with the card in its metadata.

    Weights in a file beside the model stay there.

    Parameters
    ----------
    path, new : Path
        The file and the copy to be made.
    card : ModelCard
        The card.

    Raises
    ------
    ModelError
        If the file is not ONNX.
    """
    proto = load_proto(path)
    wanted = {MANIFEST_KEY: card_text(card)}
    wanted |= {key: json.dumps(value) for key, value in deepness_values(card).items()}
    kept = {prop.key: prop.value for prop in proto.metadata_props}
    if MANIFEST_KEY in kept:
        kept = {key: value for key, value in kept.items() if key not in DEEPNESS_KEYS}
    del proto.metadata_props[:]
    for key, value in (kept | wanted).items():
        proto.metadata_props.add(key=key, value=value)
    new.write_bytes(proto.SerializeToString())


def deepness_values(card: ModelCard) -> dict[str, object]:
    """Card in the words of Deepness.

    Parameters
    ----------
    card : ModelCard
        The card.

    Returns
    -------
    dict
        Values by key; what the card does not know is left out.

    Notes
    -----
    Deepness reads `tile_size`; its documents say `tiles_size`, so both are there.
    """
    values: dict[str, object] = {
        "model_type": "Segmentor",
        "class_names": {str(i): c.name for i, c in enumerate(card.classes)},
        "standardization_mean": [band.mean / _DEEPNESS_DIVISOR for band in card.bands],
        "standardization_std": [band.std / _DEEPNESS_DIVISOR for band in card.bands],
    }
    if card.pixel_size is not None:
        values["resolution"] = round(card.pixel_size * _CM_PER_M, 6)
    if card.tile is not None:
        margin = card.reach if card.reach is not None else card.effective_reach or 0
        overlap = min(round(100 * 2 * margin / card.tile), 50)
        values |= {"tile_size": card.tile, "tiles_size": card.tile, "tiles_overlap": overlap}
    return values


def load_proto(path: Path) -> onnx.ModelProto:
    """Parse an ONNX file; weights in other files are not read.

    Parameters
    ----------
    path : Path
        The `.onnx` file.

    Returns
    -------
    onnx.ModelProto
        The graph with its metadata.

    Raises
    ------
    ModelError
        If the file is not ONNX.
    """
    try:
        proto = onnx.load(path, format="protobuf", load_external_data=False)
    except FileNotFoundError as error:
        raise ModelError(f"there is no model at '{path}'") from error
    except Exception as error:  # protobuf raises a DecodeError of its own making
        raise ModelError(f"'{path.name}' is not an ONNX file, or is damaged: {error}") from error
    if not proto.graph.node:
        raise ModelError(f"'{path.name}' holds no network: its ONNX graph has no nodes")
    return proto
