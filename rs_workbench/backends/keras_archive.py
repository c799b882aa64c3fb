"""What a `.keras` file says about itself, read without Keras.

A `.keras` file is a zip archive with a recipe of layers (JSON) and weights (HDF5). Keras' safe
mode refuses Lambda layers, but it takes any class that some package in the process has
registered, unpacks every member of the archive, and its list of what is safe has grown with
every advisory. So the recipe is read here first, and only what it takes to build an ordinary
network passes: classes of Keras' own modelling modules, less those that run code or open files.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rs_workbench.card import CARD_MEMBER
from rs_workbench.errors import ModelError, UnsafeModelError
from rs_workbench.types import ScoreKind

CONFIG = "config.json"
WEIGHTS = "model.weights.h5"
MEMBERS = frozenset({CONFIG, "metadata.json", WEIGHTS, CARD_MEMBER, f"assets/{CARD_MEMBER}"})
MAX_CONFIG_BYTES = 64 << 20
MAX_EXPANSION = 100
"""Keras stores members as they are; more than this times the stored size is a zip bomb."""

_MODULES = re.compile(
    r"keras(\.src)?(\.(activations|constraints|dtype_policies|initializers|layers|losses|metrics"
    r"|models|ops|optimizers|quantizers|random|regularizers)(\.\w+)*)?"
)
_CODE = frozenset({"Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"})
_FILES = frozenset({"StringLookup", "IntegerLookup", "TextVectorization", "Hashing"})
_PASS_ON = frozenset(
    {"Cropping2D", "Dropout", "Identity", "Permute", "Reshape", "Resizing", "UpSampling2D"}
)
_PROBABILITIES = frozenset({"softmax", "sigmoid", "hard_sigmoid"})


def read_recipe(path: Path) -> dict[str, Any]:
    """Read the recipe of a `.keras` file and make sure that building it runs no code.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        The content of `config.json`.

    Raises
    ------
    ModelError
        If the file is missing, damaged or not in Keras 3's format.
    UnsafeModelError
        If the archive holds a Lambda layer, a class of another package, or a member that does
        not belong there.
    """
    if not path.exists():
        raise ModelError(f"there is no model at '{path}': give a .keras file")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path.name)
            recipe = json.loads(archive.read(CONFIG))
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(_not_keras(path, error)) from error
    if not isinstance(recipe, dict) or "class_name" not in recipe:
        raise ModelError(_not_keras(path, "its recipe names no model"))
    recipe.pop("compile_config", None)  # never used here, and full of the user's own losses
    check_recipe(recipe, path.name)
    return recipe


def score_kind(recipe: dict[str, Any]) -> ScoreKind:
    """Tell from a recipe whether a network ends in probabilities.

    Parameters
    ----------
    recipe : dict
        As `read_recipe` gives it.

    Returns
    -------
    str
        `probabilities` where the last layer that computes is a softmax or sigmoid.
    """
    last = _last_layer(recipe, _layers(recipe))
    return "probabilities" if _activation(last) in _PROBABILITIES else "logits"


# Safety


def _check_members(archive: zipfile.ZipFile, name: str) -> None:
    for member in archive.infolist():
        if member.is_dir():
            continue
        if member.filename not in MEMBERS:
            raise UnsafeModelError(
                f"'{name}' holds '{member.filename}', which does not belong in a .keras file of a"
                " network for images, so it is not opened: save the network again with "
                " model.save('model.keras')"
            )
        if member.file_size > MAX_EXPANSION * max(member.compress_size, 1 << 20):
            raise UnsafeModelError(
                f"'{member.filename}' in '{name}' claims {member.file_size} bytes packed into"
                f" {member.compress_size}: such a file is made to fill the memory, so it is not"
                " opened"
            )
    missing = {CONFIG, WEIGHTS} - set(archive.namelist())
    if missing:
        raise ModelError(
            f"'{name}' is no complete .keras file, {' and '.join(sorted(missing))} is missing:"
            " save the network again with  model.save('model.keras')"
        )
    if archive.getinfo(CONFIG).file_size > MAX_CONFIG_BYTES:
        raise UnsafeModelError(f"'{name}' has a recipe larger than {MAX_CONFIG_BYTES} bytes")


def _not_keras(path: Path, reason: object) -> str:
    with path.open("rb") as stream:
        is_hdf5 = stream.read(8) == b"\x89HDF\r\n\x1a\n"
    if is_hdf5:
        return (
            f"'{path.name}' is a legacy HDF5 file under a new name: load it where it was made and"
            f" save it again with  model.save('{path.stem}.keras')  in Keras 3"
        )
    return f"'{path.name}' is damaged or not a .keras file ({reason}): copy it again"


def check_recipe(recipe: dict[str, Any], name: str) -> None:
    """Make sure that building a network from its recipe runs no code.

    Parameters
    ----------
    recipe : dict
        What `keras.Model.to_json` writes.
    name : str
        What to call the network in the error.

    Raises
    ------
    UnsafeModelError
        If it has a Lambda layer, or a class of another package.
    """
    for part in _objects(recipe):
        class_name = part["class_name"]
        if class_name in ("__lambda__", *_CODE):
            raise UnsafeModelError(
                f"'{name}' has a {_plain(class_name)} layer{_called(part)}, which runs code from"
                " the file: replace it by Keras layers or keras.ops and save the network again,"
                " or export it where it was made with  model.export('model.onnx', format='onnx')"
            )
        if class_name in _FILES:
            raise UnsafeModelError(
                f"'{name}' has a {class_name} layer{_called(part)}, which may read other files:"
                " networks for images need none, so remove it and save the network again"
            )
        if _is_foreign(part):
            raise UnsafeModelError(
                f"'{name}' needs {_foreign_name(part)}, which is not part of Keras, and running"
                " code that a model file asks for is not safe: export it where it was made with "
                " model.export('model.onnx', format='onnx')  and give that file"
            )


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    """All serialized objects in the recipe, at any depth, without recursion."""
    todo = [node]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            if "class_name" in item:
                yield item
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)


def _is_foreign(part: dict[str, Any]) -> bool:
    class_name = str(part["class_name"])
    if class_name in ("__keras_tensor__", "__tensor__", "__numpy__", "__ellipsis__", "__slice__"):
        return False
    module, registered = part.get("module"), part.get("registered_name")
    if not isinstance(module, str) or not _MODULES.fullmatch(module):
        return True
    return isinstance(registered, str) and ">" in registered


def _foreign_name(part: dict[str, Any]) -> str:
    registered = part.get("registered_name")
    if part["class_name"] == "function":
        return f"the function '{part.get('config')}'"
    if isinstance(registered, str) and ">" in registered:
        return f"'{registered}'"
    return f"'{part.get('module')}.{part['class_name']}'"


def _plain(class_name: str) -> str:
    return "Lambda" if class_name == "__lambda__" else class_name


def _called(part: dict[str, Any]) -> str:
    config = part.get("config")
    name = config.get("name") if isinstance(config, dict) else None
    return f" ('{name}')" if name else ""


# Kind of scores


def _layers(recipe: dict[str, Any]) -> list[dict[str, Any]]:
    config = recipe.get("config")
    layers = config.get("layers") if isinstance(config, dict) else None
    return [layer for layer in layers or [] if isinstance(layer, dict)]


def _config(layer: dict[str, Any] | None) -> dict[str, Any]:
    config = (layer or {}).get("config")
    return config if isinstance(config, dict) else {}


def _last_layer(recipe: dict[str, Any], layers: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Layer that gives the scores, past those that only move them about."""
    by_name = {_config(layer).get("name"): layer for layer in layers}
    layer = layers[-1] if layers else None
    outputs = _names(_config(recipe).get("output_layers"))
    if outputs:
        layer = by_name.get(outputs[0])
    for _ in layers:
        if layer is None or layer.get("class_name") not in _PASS_ON:
            break
        layer = _layer_before(layer, layers, by_name)
    if layer is not None and layer.get("class_name") in ("Functional", "Sequential"):
        return _last_layer(layer, _layers(layer))
    return layer


def _layer_before(
    layer: dict[str, Any], layers: list[dict[str, Any]], by_name: dict[Any, dict[str, Any]]
) -> dict[str, Any] | None:
    for part in _objects(layer.get("inbound_nodes") or []):
        if part["class_name"] == "__keras_tensor__":
            return by_name.get(_names(part["config"].get("keras_history"))[0])
    index = layers.index(layer)
    return layers[index - 1] if index else None


def _names(history: Any) -> list[str]:
    """Layer names in Keras' nested lists of [name, node, tensor]."""
    if isinstance(history, list) and history:
        if isinstance(history[0], str):
            return [history[0]]
        return [name for part in history for name in _names(part)]
    return []


def _activation(layer: dict[str, Any] | None) -> str:
    class_name = str((layer or {}).get("class_name", "")).lower()
    if class_name in _PROBABILITIES:
        return class_name
    activation = _config(layer).get("activation")
    if isinstance(activation, dict):
        activation = activation.get("config") or activation.get("class_name")
        if isinstance(activation, dict):
            activation = activation.get("name")
    return str(activation or "").lower()
