"""The blocks of a U-Net as a table: where, how large, how many channels, how many parameters."""

from __future__ import annotations

import re
from typing import Any


def level_table(model: Any, tile: int) -> str:
    """Write a U-Net down block by block.

    Parameters
    ----------
    model : keras.Model
        Its layers are named ``encoder-0-conv_0``, ``up-3-conv``, ``decoder-3-conv_1``, ``head``.
    tile : int
        Side of the image, px.

    Returns
    -------
    str
        A table in Markdown; its last line is the sum.
    """
    blocks: dict[str, list[Any]] = {}
    for layer in model.layers:
        found = re.match(r"(encoder|up|decoder)-\d+|head", layer.name)
        if found and layer.count_params():
            blocks.setdefault(found.group(), []).append(layer)
    lines = ["| block | size, px | channels | parameters |", "| --- | --: | --: | --: |"]
    for name, layers in blocks.items():
        size = tile // 2 ** int(name.partition("-")[2] or 0)
        channels = layers[-1].output.shape[-1]
        count = sum(layer.count_params() for layer in layers)
        lines.append(f"| {name} | {size} x {size} | {channels} | {count:,} |")
    return "\n".join([*lines, f"| sum | | | {model.count_params():,} |"])
