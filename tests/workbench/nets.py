"""Small ONNX networks with a card, written node by node, and scenes to run them on."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import rasterio
from onnx import TensorProto, helper, numpy_helper
from rasterio.transform import from_origin

from rs_workbench.card import Band, LegendClass, ModelCard, write_card

COLORS = ("#1f78b4", "#f5deb3", "#33a02c", "#e31a1c", "#6a3d9a", "#b15928")
REACH = 30
"""Of `write_unet`: convolutions at strides 1, 2, 4, 8, 4, 2, 1, and the place in a stride cell."""


def card(n_bands=3, n_classes=4, **kw):
    return ModelCard(
        **{
            "name": "test net",
            "bands": [
                Band(name=f"channel {i + 1}", mean=100, std=50, low=5, high=250)
                for i in range(n_bands)
            ],
            "dtype": "uint8",
            "classes": [
                LegendClass(value=k, name=f"class {k}", name_zh=f"第{k}类", color=COLORS[k % 6])
                for k in range(n_classes)
            ],
            **kw,
        }
    )


class _Graph:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.arrays = [], {}

    def add(self, op, *inputs, **attributes):
        name = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def array(self, values):
        name = f"array{len(self.arrays)}"
        self.arrays[name] = values
        return name

    def conv(self, x, n_in, n_out, side=3, relu=True):
        gain = np.sqrt(2 / (n_in * side * side))
        kernel = self.rng.normal(0, gain, (n_out, n_in, side, side)).astype(np.float32)
        bias = self.rng.normal(0, 0.1, n_out).astype(np.float32)
        pad = side // 2
        x = self.add(
            "Conv",
            x,
            self.array(kernel),
            self.array(bias),
            kernel_shape=[side, side],
            pads=[pad] * 4,
        )
        return self.add("Relu", x) if relu else x

    def save(self, path, last, n_bands, n_classes, size=("height", "width")):
        self.nodes[-1].output[0] = "scores"
        feed, result = ["batch", n_bands, *size], ["batch", n_classes, *size]
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, feed)],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, result)],
            [numpy_helper.from_array(a, name) for name, a in self.arrays.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(model, path)
        return path


def write_unet(path, *, n_bands=3, n_classes=4, width=6, seed=0, **kw):
    """A U-Net with three poolings: stride 8, bounded reach."""
    g = _Graph(seed)
    x, skips, channels = "image", [], n_bands
    for level in range(3):
        x = g.conv(x, channels, width << level)
        channels = width << level
        skips.append((x, channels))
        x = g.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = g.conv(x, channels, 2 * channels)
    channels *= 2
    scales = g.array(np.array([1, 1, 2, 2], np.float32))
    for skip, skip_channels in reversed(skips):
        x = g.add("Resize", x, "", scales, mode="nearest")
        x = g.add("Concat", x, skip, axis=1)
        x = g.conv(x, channels + skip_channels, skip_channels)
        channels = skip_channels
    g.conv(x, channels, n_classes, side=1, relu=False)
    g.save(path, "scores", n_bands, n_classes)
    the_card = card(n_bands, n_classes, **{"stride": 8, "reach": REACH, **kw})
    # With the mean of each score taken off its bias, every class wins somewhere.
    scores = whole_image(path, pixels((256, 256), n_bands), the_card)
    g.arrays[f"array{len(g.arrays) - 1}"] -= scores.mean(axis=(1, 2))
    g.save(path, "scores", n_bands, n_classes)
    write_card(path, the_card)
    return path


def write_pointwise(path, *, n_bands=3, n_classes=3, seed=0, **kw):
    """One 1 x 1 convolution: every pixel for itself."""
    g = _Graph(seed)
    g.conv("image", n_bands, n_classes, side=1, relu=False)
    g.save(path, "scores", n_bands, n_classes)
    write_card(path, card(n_bands, n_classes, **{"stride": 1, "reach": 0, **kw}))
    return path


def whole_image(path, scene, the_card, stride=8, fill=0.0):
    """Scores (K, H, W) of one forward pass over the whole scene, padded to the stride."""
    session = onnxruntime.InferenceSession(path)
    mean = np.array([b.mean for b in the_card.bands])[:, None, None]
    std = np.array([b.std for b in the_card.bands])[:, None, None]
    image = ((scene - mean) / std).astype(np.float32)
    pad = [(0, 0), *[(0, -n % stride) for n in scene.shape[1:]]]
    image = np.pad(image, pad, constant_values=fill)
    scores = session.run(None, {"image": image[None]})[0][0]
    return scores[:, : scene.shape[1], : scene.shape[2]]


def pixels(shape, n_bands=3, seed=0, dtype=np.uint8):
    """Smooth blobs with noise, 8 to 248."""
    import cv2

    rng = np.random.default_rng(seed)
    bands = []
    for _ in range(n_bands):
        coarse = rng.normal(size=(shape[0] // 16 + 2, shape[1] // 16 + 2)).astype(np.float32)
        smooth = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
        bands.append(128 + 45 * smooth + 12 * rng.normal(size=shape))
    return np.clip(bands, 8, 248).astype(dtype)


def write_scene(path, values, *, crs="EPSG:32633", size=1.0, nodata=None, mask=None, **profile):
    """Write (B, H, W) as a tiled GeoTIFF."""
    count, height, width = values.shape
    profile = {
        "driver": "GTiff",
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "crs": crs,
        "transform": from_origin(400_000, 5_800_000, size, size),
        "nodata": nodata,
        **profile,
    }
    with rasterio.open(
        path, "w", count=count, height=height, width=width, dtype=values.dtype, **profile
    ) as file:
        file.write(values)
        if mask is not None:
            file.write_mask(mask)
    return path
