"""A classifier of small windows turned into a net that scores every pixel of a scene.

Sliding a classifier over a scene pixel by pixel computes the same feature maps again and again.
The same scores come from one pass of a fully convolutional net with the same weights:

* a dense layer on a flattened feature map is a convolution whose kernel is as large as the map;
* a pooling that keeps every second place becomes one of stride 1, and everything after it looks at
  every second place instead: its kernels are dilated ("a trous", with holes).
"""

from __future__ import annotations

import itertools
from typing import Any

import keras

from rs_workbench.errors import ModelError

Tensor = Any
_IDLE = (keras.layers.Dropout, keras.layers.GaussianNoise)  # at work in training only
_BY_PIXEL = (keras.layers.Activation, keras.layers.ReLU, keras.layers.LeakyReLU)


def score_every_pixel(classifier: keras.Model) -> keras.Model:
    """Build the net that gives each pixel the scores of the window around it.

    Parameters
    ----------
    classifier : keras.Model
        A chain of layers from (N, h, w, B) to logits (N, K): `Conv2D` and `MaxPooling2D` without
        padding, `BatchNormalization`, activations, `Dropout`, `Flatten`, `Dense`.

    Returns
    -------
    keras.Model
        From (N, H, W, B) to (N, H, W, K). Pixel (r, c) has the scores of the window whose rows
        are r - h // 2 to r - h // 2 + h - 1, columns alike; outside the scene lie zeros.

    Raises
    ------
    ModelError
        If a layer is of another kind, or pads: then a window's border would change its scores.

    References
    ----------
    .. [1] J. Long, E. Shelhamer, T. Darrell, "Fully Convolutional Networks for Semantic
       Segmentation", CVPR 2015: dense layers as convolutions.
    .. [2] M. Holschneider et al., "A Real-Time Algorithm for Signal Analysis with the Help of the
       Wavelet Transform", 1989: the "algorithme a trous".
    """
    height, width, bands = classifier.input_shape[1:]
    image = keras.Input((None, None, bands))
    sides = [(side // 2, side - 1 - side // 2) for side in (height, width)]
    x = keras.layers.ZeroPadding2D(sides)(image)
    builder = _Builder()
    for layer in classifier.layers:
        x = builder.add(layer, x)
    left = [(0, side - 1 - used) for side, used in zip((height, width), builder.used, strict=True)]
    if left != [(0, 0), (0, 0)]:  # rows of a window that its poolings leave out
        x = keras.layers.Cropping2D(left)(x)
    net = keras.Model(image, x, name=f"{classifier.name}_every_pixel")
    for layer, old in builder.pairs:
        layer.set_weights([_as_kernel(new, weight) for new, weight in _weights(layer, old)])
    return net


def add_blank_class(net: keras.Model, *, side: int, least: float) -> keras.Model:
    """Add a class for places without ink, which a classifier of digits has never seen.

    Its score is ``40 (1 - ink / least)``, the ink being the sum in the middle of the window: above
    all others where there is none, below all others where there is a digit.

    Parameters
    ----------
    net : keras.Model
        What `score_every_pixel` gave, of one band; blank is 0, ink up to 1.
    side : int
        Of the middle of the window, px, even.
    least : float
        Ink that a place must have to hold a digit.

    Returns
    -------
    keras.Model
        With one more class, the last.
    """
    before, after = side // 2, side - 1 - side // 2
    padded = keras.layers.ZeroPadding2D([(before, after)] * 2)(net.input)
    ink = keras.layers.Conv2D(1, side, name="blank")
    blank = ink(padded)
    full = keras.layers.Concatenate(name="scores")([net.output, blank])
    kernel, bias = ink.get_weights()
    ink.set_weights([0 * kernel - 40 / least, 0 * bias + 40])
    return keras.Model(net.input, full, name=net.name)


class _Builder:
    """Adds the layers of a classifier one by one.

    Knows how far apart the places are that a layer looks at, and how many rows and columns of a
    window the layers so far have used up, less one.
    """

    def __init__(self) -> None:
        self.apart = 1
        self.used = [0, 0]
        self.flat: tuple[int, int] | None = None
        self.pairs: list[tuple[Any, Any]] = []

    def add(self, layer: Any, x: Tensor) -> Tensor:
        if isinstance(layer, (keras.layers.InputLayer, *_IDLE)):
            return x
        if isinstance(layer, keras.layers.Flatten):
            self.flat = tuple(layer.input.shape[1:3])
            return x
        if isinstance(layer, keras.layers.MaxPooling2D):
            return self._pool(layer, x)
        if isinstance(layer, _BY_PIXEL):
            return layer.__class__.from_config(layer.get_config())(x)
        if isinstance(layer, keras.layers.BatchNormalization) and self.flat is None:
            return self._keep(layer, keras.layers.BatchNormalization.from_config, x)
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            return self._convolve(layer, x)
        raise ModelError(f"'{layer.name}' is a {type(layer).__name__}: {_KNOWN}")

    def _keep(self, layer: Any, build: Any, x: Tensor) -> Tensor:
        new = build(layer.get_config())
        self.pairs.append((new, layer))
        return new(x)

    def _convolve(self, layer: Any, x: Tensor) -> Tensor:
        dense = isinstance(layer, keras.layers.Dense)
        kernel = (self.flat or (1, 1)) if dense else layer.kernel_size
        if not dense and (layer.strides != (1, 1) or layer.padding != "valid"):
            raise ModelError(f"'{layer.name}' has strides or pads: {_KNOWN}")
        if dense:
            self.flat = None if self.flat is None else (1, 1)
        new = keras.layers.Conv2D(
            layer.units if dense else layer.filters,
            kernel,
            dilation_rate=1 if tuple(kernel) == (1, 1) else self.apart,
            activation=layer.activation,
            use_bias=layer.use_bias,
            name=layer.name,
        )
        self.pairs.append((new, layer))
        self._use(kernel)
        return new(x)

    def _use(self, places: tuple[int, ...]) -> None:
        spans = [(side - 1) * self.apart for side in places]
        self.used = [used + span for used, span in zip(self.used, spans, strict=True)]

    def _pool(self, layer: Any, x: Tensor) -> Tensor:
        """Take the largest of places that lie apart: crops of the map, laid upon one another."""
        size = layer.pool_size[0]
        if layer.pool_size != layer.strides or len({*layer.pool_size}) > 1:
            raise ModelError(f"'{layer.name}' pools places that overlap: {_KNOWN}")
        if layer.padding != "valid":
            raise ModelError(f"'{layer.name}' pads: {_KNOWN}")
        room = (size - 1) * self.apart
        starts = [(k * self.apart, room - k * self.apart) for k in range(size)]
        crops = [keras.layers.Cropping2D(list(c))(x) for c in itertools.product(starts, repeat=2)]
        self._use((size, size))
        self.apart *= size
        return keras.layers.Maximum()(crops)


_KNOWN = (
    "build the classifier of Conv2D and MaxPooling2D without padding, BatchNormalization before"
    " Flatten, activations, Dropout, Flatten and Dense"
)


def _weights(new: Any, old: Any) -> list[tuple[Any, Any]]:
    return list(zip(new.get_weights(), old.get_weights(), strict=True))


def _as_kernel(new: Any, weight: Any) -> Any:
    """Shape the matrix of a dense layer as a kernel: rows, columns and channels, as flattened."""
    return weight.reshape(new.shape)
