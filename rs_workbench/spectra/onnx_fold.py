"""fold_into_onnx: a network trained on components becomes one that reads the raw bands."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import helper, numpy_helper

from rs_workbench.backends.onnx_metadata import load_proto
from rs_workbench.card import read_card, write_card
from rs_workbench.errors import ModelError, OutputError
from rs_workbench.journal import explain_disk_errors
from rs_workbench.spectra.pointwise import PointwiseLayer, card_bands, fold_transform
from rs_workbench.spectra.transform import LinearTransform

_INPUT, _PREFIX = "bands", "folded_transform"


def fold_into_onnx(
    model: str | Path, transform: LinearTransform, out: str | Path, *, overwrite: bool = False
) -> Path:
    """Put a transform in front of a network, as its first layer, and into its card.

    Parameters
    ----------
    model : str or Path
        An ``.onnx`` file with a card, trained on a scene that `transform_scene` wrote.
    transform : LinearTransform
        That transform, with as many components as the network takes.
    out : str or Path
        The ``.onnx`` file that reads raw scenes.
    overwrite : bool, optional
        Replace a file of that name.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ModelError
        If the model has no card, takes another number of bands or channels last, or fills pixels
        without data with something other than 0.
    OutputError
        If the file is there already, or cannot be written.

    Notes
    -----
    Maps are those of the model on the transformed scene, to the rounding of float32. One thing
    differs: a pixel that lacks some of the bands is nodata in the transformed scene, while the
    folded model takes their mean for the values it lacks.
    """
    model, out = Path(model), Path(out)
    card = read_card(model)
    if card is None:
        raise ModelError(f"'{model.name}' has no card: give it one with  rsw card write")
    if card.n_bands != transform.n_components or card.fill != 0:
        raise ModelError(
            f"'{model.name}' takes {card.n_bands} bands and fills gaps with {card.fill:g}: a "
            f"transform of {transform.n_components} components goes in front of a model that "
            f"takes {transform.n_components} and fills with 0"
        )
    if out.exists() and not overwrite:
        raise OutputError(f"'{out}' exists already: choose another name, or overwrite it")
    layer = fold_transform(
        transform,
        component_mean=[band.mean for band in card.bands],
        component_std=[band.std for band in card.bands],
    )
    proto = load_proto(model)
    apart = any(i.data_location == onnx.TensorProto.EXTERNAL for i in proto.graph.initializer)
    if apart and out.absolute().parent != model.absolute().parent:
        raise ModelError(
            f"'{model.name}' has weights in a file beside it: write the folded model to the same "
            f"folder, '{model.absolute().parent}'"
        )
    _put_in_front(proto, layer, model)
    part = out.with_name(f"{out.stem}.part.onnx")
    with explain_disk_errors(out.parent):
        part.write_bytes(proto.SerializeToString())
    try:
        write_card(part, card.model_copy(update={"bands": card_bands(transform, layer)}))
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return out


def _put_in_front(proto: onnx.ModelProto, layer: PointwiseLayer, model: Path) -> None:
    graph = proto.graph
    weights = {i.name for i in graph.initializer}
    feeds = [feed for feed in graph.input if feed.name not in weights]
    dims = feeds[0].type.tensor_type.shape.dim
    if len(feeds) != 1 or len(dims) != 4 or dims[1].dim_value != len(layer.weights):
        sizes = [d.dim_value or d.dim_param or "?" for d in dims]
        raise ModelError(
            f"'{model.name}' must take one array (N, {len(layer.weights)}, H, W) for a "
            f"transform to go in front of it: it takes {len(feeds)}, the first {sizes}"
        )
    old = feeds[0].name
    bands = onnx.ValueInfoProto()
    bands.CopyFrom(feeds[0])
    bands.name = f"{_PREFIX}_{_INPUT}"
    bands.type.tensor_type.shape.dim[1].dim_value = layer.weights.shape[1]
    for name, array in (("weights", layer.torch_weight), ("bias", layer.bias)):
        graph.initializer.append(numpy_helper.from_array(array, f"{_PREFIX}_{name}"))
    conv = helper.make_node(
        "Conv",
        [bands.name, f"{_PREFIX}_weights", f"{_PREFIX}_bias"],
        [old],
        name=_PREFIX,
        kernel_shape=[1, 1],
    )
    graph.node.insert(0, conv)
    kept = [feed for feed in graph.input if feed.name != old]
    del graph.input[:]
    graph.input.extend([bands, *kept])
